"""The thread that keeps the ledger while the dashboard is open: events in from any thread, counts out as an event."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runctl.clock import Clock, SystemClock
from runctl.events import Event, SpentCounted

if TYPE_CHECKING:  # SQLite is loaded in the thread: the first paint does not wait for it
    from runctl.services.recorder import Recorder

#: The sums are read again at most this often, seconds; writing is not held up. At first, until every region has been
#: seen, more often: somebody waits for the first figure.
COUNT_EVERY_S: Final = 10.0
COUNT_FIRST_S: Final = 0.5
#: This many times what counting took (CPU seconds) lies between two counts: of a large ledger, at most a twentieth of
#: the time goes into it; a fifth while somebody waits.
REST: Final = 20.0
REST_FIRST: Final = 4.0
#: Loading SQLite waits for the first machines to be drawn, but no longer than this, seconds.
PATIENCE_S: Final = 1.0
#: Seconds the end of the dashboard waits for what is still to be written.
LAST_S: Final = 0.5


def rest_s(took_s: float, *, whole: bool) -> float:
    """Seconds until the sums are read again, after reading them took `took_s`; `whole`: every region has been seen."""
    return max(COUNT_EVERY_S, REST * took_s) if whole else max(COUNT_FIRST_S, REST_FIRST * took_s)


class Bookkeeper:
    """Writes what the pollers see into the ledger, and tells what has been spent.

    Args:
        path: the ledger.
        publish: takes `SpentCounted`, in the bookkeeper's thread.
        clock: the time of day.
        patient: whether nothing is done until somebody sets `wanted`, or `PATIENCE_S` have passed.
    """

    def __init__(self, path: Path, publish: Callable[[Event], object], clock: Clock, *, patient: bool = False) -> None:
        self._path, self._publish, self._clock = path, publish, clock
        self._inbox: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._monotonic = SystemClock().monotonic
        self._started = False
        self.wanted = threading.Event()
        if not patient:
            self.wanted.set()
        self._lock = threading.Lock()

    def offer(self, event: Event) -> None:
        """Hand over an event; never blocks."""
        with self._lock:
            if not self._started:
                self._started = True
                self._thread.start()
        self._inbox.put(event)

    def close(self) -> None:
        """Write what is still waiting, for a moment at most; a transaction that is cut off leaves no trace."""
        self._inbox.put(None)
        self.wanted.set()
        if self._started:
            self._thread.join(LAST_S)

    def _run(self) -> None:
        self.wanted.wait(PATIENCE_S)
        from runctl.services.recorder import Recorder

        recorder = Recorder(self._path, self._clock)
        changed, due = False, 0.0
        while True:
            event = self._next(due if changed else None)
            if event is None:
                break
            if not isinstance(event, _Quiet):
                changed |= recorder.take(event)
            if changed and self._inbox.empty() and self._monotonic() >= due:
                began = time.thread_time()
                whole = self._count(recorder)
                changed, due = False, self._monotonic() + rest_s(time.thread_time() - began, whole=whole)
        recorder.close()

    def _next(self, due: float | None) -> Event | _Quiet | None:
        """The next event; after a change, silence until the sums are due is an event too."""
        try:
            return self._inbox.get(timeout=None if due is None else max(0.05, due - self._monotonic()))
        except queue.Empty:
            return _QUIET

    def _count(self, recorder: Recorder) -> bool:
        """Publish the sums; whether every region has been observed."""
        spent = recorder.spent(self._clock.now())
        if spent is not None and recorder.scope is not None:
            self._publish(SpentCounted(recorder.scope, recorder.account, spent))
        return spent is not None and spent.since is not None


class _Quiet:
    """Nothing arrived for a while."""


_QUIET: Final = _Quiet()
