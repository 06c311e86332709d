"""The terminal runctl runs in: its clipboard, its browser, its disappearance, and what a crash leaves behind."""
