"""What runctl talks about: frozen values, no I/O, no clock of their own."""
