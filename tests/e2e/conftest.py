"""Fixtures of the tests that drive the real binary."""

from tests.e2e.lab import lab

__all__ = ["lab"]
