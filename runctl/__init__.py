"""runctl: what is running, what does it cost, is it making progress, and what may safely be stopped."""

__version__ = "0.1.0"
