"""Pause, cancel and how fast: what the user may do to a transfer under way."""

from __future__ import annotations

import threading

from runctl.clock import Clock


class Cancelled(Exception):  # noqa: N818 - not an error: the user's own wish, carried to where the work stops
    """The transfer was cancelled; raised wherever it would have waited or gone on."""


class Control:
    """Asked by every worker between pieces of work."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()
        self._running = threading.Event()
        self._running.set()

    @property
    def cancelled(self) -> bool:
        """Whether somebody cancelled."""
        return self._cancelled.is_set()

    @property
    def paused(self) -> bool:
        """Whether somebody paused."""
        return not self._running.is_set()

    def pause(self) -> None:
        """Stop after the pieces under way."""
        self._running.clear()

    def resume(self) -> None:
        """Go on."""
        self._running.set()

    def cancel(self) -> None:
        """Stop for good; also wakes what is paused or waits to try again."""
        self._cancelled.set()
        self._running.set()

    def check(self) -> None:
        """Return while running, wait while paused.

        Raises:
            Cancelled: somebody cancelled.
        """
        if not self._running.is_set():
            self._running.wait()
        if self._cancelled.is_set():
            raise Cancelled

    def sleep(self, seconds: float) -> None:
        """Wait, ending early when cancelled.

        Raises:
            Cancelled: somebody cancelled.
        """
        if self._cancelled.wait(seconds):
            raise Cancelled


class Bandwidth:
    """A token bucket shared by all workers; `limit` in bytes a second, None for none. Holds a quarter of a second."""

    def __init__(self, limit: int | None, clock: Clock) -> None:
        self.limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._free_at = clock.monotonic()

    @property
    def piece(self) -> int:
        """How many bytes to move between two questions: small enough that a low limit stays smooth."""
        return 1 << 20 if self.limit is None else max(4096, min(1 << 16, self.limit // 16))

    def take(self, count: int, control: Control) -> None:
        """Wait until `count` more bytes may move.

        Raises:
            Cancelled: somebody cancelled meanwhile.
        """
        if self.limit is None:
            return
        with self._lock:
            now = self._clock.monotonic()
            start = max(self._free_at, now - 0.25)
            self._free_at = start + count / self.limit
            wait = self._free_at - now
        if wait > 0:
            control.sleep(wait)


class ByteBudget:
    """Bounds the bytes held in buffers by all workers together, so that memory does not grow with concurrency."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._change = threading.Condition()

    def acquire(self, count: int, control: Control) -> None:
        """Wait until `count` bytes may be held; one holder is always let in.

        Raises:
            Cancelled: somebody cancelled meanwhile.
        """
        with self._change:
            while self._used and self._used + count > self._limit:
                self._change.wait(0.2)
                control.check()
            self._used += count

    def release(self, count: int) -> None:
        """Give bytes back."""
        with self._change:
            self._used -= count
            self._change.notify_all()
