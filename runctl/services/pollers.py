"""Threads that ask AWS again and again. See docs/architecture.md."""
