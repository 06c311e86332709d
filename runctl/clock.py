"""The one place that reads the time of day.

Everything else takes a `Clock`, so that a test, a screenshot or a replay can stand still.
All times are aware UTC datetimes.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Answers what time it is, and how much time has passed."""

    def now(self) -> datetime:
        """Wall-clock time, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards; only differences mean anything."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        """Wall-clock time, aware, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds of `time.monotonic`."""
        return time.monotonic()


@dataclass
class FrozenClock:
    """A clock that moves only when told to."""

    at: datetime
    elapsed: float = 0.0

    def now(self) -> datetime:
        """The time it was set to."""
        return self.at

    def monotonic(self) -> float:
        """Seconds advanced so far."""
        return self.elapsed

    def advance(self, seconds: float) -> None:
        """Move both clocks on by `seconds`."""
        self.at += timedelta(seconds=seconds)
        self.elapsed += seconds


def clock_from_environment() -> Clock:
    """The system clock, or the one frozen by `RUNCTL_NOW` (ISO-8601 with an offset), for golden output and screenshots.

    Raises:
        ValueError: `RUNCTL_NOW` is not an ISO-8601 time with an offset.
    """
    text = os.environ.get("RUNCTL_NOW")
    if not text:
        return SystemClock()
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"RUNCTL_NOW={text!r} has no offset; write for example 2026-01-31T12:00:00+00:00")
    return FrozenClock(at.astimezone(UTC))
