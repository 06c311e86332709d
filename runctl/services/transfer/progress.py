"""How far a transfer is, and what happened to single files: narrow, frozen, told to whoever subscribed."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from runctl.clock import Clock

#: Failures and refusals kept by name; beyond it they are only counted.
KEPT = 10_000
_WINDOW_S = 5.0


@dataclass(frozen=True, slots=True)
class FileDone:
    """A file is where it belongs. `what` is "uploaded", "downloaded", "copied" or "deleted"."""

    name: str
    size: int
    what: str


@dataclass(frozen=True, slots=True)
class FileFailed:
    """A file is not, and why: `code` is S3's or the system's ("ENOSPC"), `refused` says that it never will be."""

    name: str
    reason: str
    code: str = ""
    refused: bool = False


@dataclass(frozen=True, slots=True)
class FileNoted:
    """A file was moved, and something about it should be known."""

    name: str
    reason: str


FileEvent = FileDone | FileFailed | FileNoted
Observer = Callable[[FileEvent], None]


@dataclass(frozen=True, slots=True)
class Progress:
    """One moment of a transfer; bytes and seconds.

    Args:
        planned: whether the comparison is through, so that the totals are final.
        files_seen: files compared so far.
        files_same: of those, not to be moved.
        files_total: to be moved, as far as known.
        files_done: moved.
        files_failed: failed or refused.
        deleted: deleted in the target.
        bytes_total: to be moved, as far as known.
        bytes_done: of files and parts that are through.
        rate: bytes a second over the wire, over the last few seconds; None when nothing can be said.
        elapsed_s: since the start.
        active: names under way, oldest first, at most a screenful.
        paused: whether it is paused.
    """

    planned: bool
    files_seen: int
    files_same: int
    files_total: int
    files_done: int
    files_failed: int
    deleted: int
    bytes_total: int
    bytes_done: int
    rate: float | None
    elapsed_s: float
    active: tuple[str, ...] = ()
    paused: bool = False

    @property
    def eta_s(self) -> float | None:
        """Seconds to go at this rate, None while the totals or the rate are unknown."""
        if not self.planned or not self.rate:
            return None
        return max(0, self.bytes_total - self.bytes_done) / self.rate


@dataclass(slots=True)
class Tally:
    """Counts for all workers and tells observers; every method may be called from any thread.

    Args:
        clock: for rates.
        observers: told of single files, from the thread it happened in: they must be quick.
    """

    clock: Clock
    observers: tuple[Observer, ...] = ()
    planned: bool = False
    seen: int = 0
    same: int = 0
    total: int = 0
    done: int = 0
    failed: int = 0
    deleted: int = 0
    bytes_total: int = 0
    bytes_done: int = 0
    wire: int = 0
    failures: list[FileFailed] = field(default_factory=list)
    notes: list[FileNoted] = field(default_factory=list)
    active: dict[str, None] = field(default_factory=dict)
    _started: float = 0.0
    _samples: deque[tuple[float, int]] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._started = self.clock.monotonic()

    def start(self) -> None:
        """Moving begins now: what a person took to look at a plan is not part of it."""
        self._started = self.clock.monotonic()

    def moved(self, count: int) -> None:
        """Bytes went over the wire."""
        with self._lock:
            self.wire += count

    def part(self, count: int) -> None:
        """Bytes arrived for good."""
        with self._lock:
            self.bytes_done += count

    def compared(self, *, same: bool, size: int = 0) -> None:
        """One more name was compared; `size` bytes are to move when it is not the same."""
        with self._lock:
            self.seen += 1
            if same:
                self.same += 1
            else:
                self.total += 1
                self.bytes_total += size

    def found_same(self, size: int) -> None:
        """A file counted as to be moved turned out the same."""
        with self._lock:
            self.same += 1
            self.total -= 1
            self.bytes_total -= size

    def restart(self) -> None:
        """The comparison starts over: what was moved will be found the same, what failed is tried again."""
        with self._lock:
            self.seen = self.same = self.failed = 0
            self.total, self.bytes_total = self.done, self.bytes_done
            self.failures.clear()
            self.notes.clear()

    def begin(self, name: str) -> None:
        """A file is under way."""
        with self._lock:
            self.active[name] = None

    def end(self, event: FileEvent) -> None:
        """A file is through, failed, or has a note."""
        with self._lock:
            if isinstance(event, FileNoted):
                if len(self.notes) < KEPT:
                    self.notes.append(event)
            else:
                self.active.pop(event.name, None)
                self._count(event)
        for observer in self.observers:
            observer(event)

    def _count(self, event: FileDone | FileFailed) -> None:
        if isinstance(event, FileFailed):
            self.failed += 1
            if len(self.failures) < KEPT:
                self.failures.append(event)
        elif event.what == "deleted":
            self.deleted += 1
        else:
            self.done += 1

    def progress(self, *, paused: bool = False) -> Progress:
        """How far it is now. Called a few times a second by one watcher: the rate is measured between its calls."""
        now = self.clock.monotonic()
        with self._lock:
            self._samples.append((now, self.wire))
            while len(self._samples) > 2 and now - self._samples[0][0] > _WINDOW_S:
                self._samples.popleft()
            (then, before), (_, after) = self._samples[0], self._samples[-1]
            rate = (after - before) / (now - then) if now > then else None
            active = tuple(name for name, _ in zip(self.active, range(32), strict=False))
            return Progress(
                self.planned, self.seen, self.same, self.total, self.done, self.failed, self.deleted,
                self.bytes_total, self.bytes_done, rate, now - self._started, active, paused,
            )  # fmt: skip
