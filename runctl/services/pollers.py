"""Threads that ask AWS again and again.

One daemon thread for each source and region, so that a slow region delays nobody. A tick that arrives during a fetch
collapses into the next; the next is armed after completion. Whatever happens in a thread leaves it as an event.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

from runctl.clock import Clock, SystemClock
from runctl.errors import CredentialsError, DeniedError, RunctlError, ThrottledError
from runctl.events import Event, ListingCompleted, ListingFailed, PageArrived, RegionsResolved
from runctl.models.snapshot import ALL_REGIONS, Source, SourceKey
from runctl.services.backend import Backend
from runctl.services.poll_once import (
    IDENTITY,
    REGIONS,
    NextIn,
    Publish,
    ask_identity,
    ask_regions,
    collect,
    fetch_once,
    keys_of,
    record_of,
)
from runctl.services.poll_types import TypeScout

__all__ = ["ALL_REGIONS", "DEFAULT_INTERVALS", "FLEET", "Pollers", "collect", "fetch_once", "keys_of", "record_of"]

#: Seconds between refreshes, for the screen that is looked at; hidden sources wait `HIDDEN_FACTOR` times longer.
DEFAULT_INTERVALS: Mapping[Source, float] = {
    Source.INSTANCES: 10.0,
    Source.VOLUMES: 30.0,
    Source.SNAPSHOTS: 120.0,
    Source.ADDRESSES: 60.0,
    Source.BUCKETS: 60.0,
    Source.JOBS: 15.0,
}
HIDDEN_FACTOR: Final = 6.0
DENIED_INTERVAL_S: Final = 300.0
BACKOFF_MOST_S: Final = 60.0
#: After a failed question that needs one answer only (identity, regions): seconds until it is asked again, at first.
_ASK_AGAIN_S = 2.0
#: Machines are listed first; the other sources wait for their first page, at most this long, seconds.
_FIRST_DATA_S = 1.0
FLEET = tuple(DEFAULT_INTERVALS)

#: Asks once and says how it ended; takes the function that knows when it is asked again.
Ask = Callable[[NextIn], RunctlError | None]


class _Poller(threading.Thread):
    """Asks one thing again and again until told to stop."""

    def __init__(self, owner: Pollers, key: SourceKey, ask: Ask) -> None:
        super().__init__(name=f"poll-{key.source}-{key.region}", daemon=True)
        self._owner, self.key, self._ask = owner, key, ask
        self._wake = threading.Event()
        self._requested = True
        self._answered = False
        self._failures = 0

    @property
    def unanswered(self) -> bool:
        """Whether the last question has no good answer yet: it failed, or its answer is still under way.

        Not read off the count of failures: an event that tells of one is published before it is counted.
        """
        return not self._answered

    def request(self) -> None:
        """Ask now, or right after the fetch under way."""
        self._requested = True
        self._wake.set()

    def reconsider(self) -> None:
        """Look again how long to wait: what is shown has changed."""
        self._wake.set()

    def run(self) -> None:
        """Fetch, wait, fetch; a wait ends early when somebody asks."""
        owner = self._owner
        if self.key.source not in (Source.INSTANCES, Source.IDENTITY, Source.REGIONS):
            owner.first_data.wait(_FIRST_DATA_S)
        while not owner.stopped.is_set():
            if not owner.held.is_set():
                self._requested = False
                self._fetch()
            self._rest(owner.monotonic())

    def _fetch(self) -> None:
        self._answered = False
        asked_in = self._owner.turn
        try:
            self._settle(self._ask(self._next_in), asked_in)
        except Exception:  # noqa: BLE001  # whoever receives the events failed: no reason to stop asking AWS
            self._failures += 1

    def _rest(self, since: float) -> None:
        """Wait until it is time, or until something is requested while polling is not held."""
        owner = self._owner
        while not owner.stopped.is_set():
            held = owner.held.is_set()
            left = math.inf if held else since + owner.wait_s(self.key, self._failures) - owner.monotonic()
            if left <= 0 or (self._requested and not held):
                return
            owner.nap(self._wake, left)
            self._wake.clear()

    def _next_in(self, error: RunctlError | None) -> float | None:
        """What `_settle` will make of an outcome, for the event that tells of it."""
        if isinstance(error, CredentialsError):
            return None
        if isinstance(error, DeniedError):
            return DENIED_INTERVAL_S
        wait = self._owner.wait_s(self.key, self._failures_after(error), denied=False)
        return None if math.isinf(wait) else wait

    def _failures_after(self, error: RunctlError | None) -> int:
        if error is None:
            return 0
        return self._failures + (2 if isinstance(error, ThrottledError) else 1)

    def _settle(self, error: RunctlError | None, asked_in: int) -> None:
        owner = self._owner
        self._failures = self._failures_after(error)
        self._answered = error is None
        if isinstance(error, CredentialsError):
            owner.hold(asked_in)
        if isinstance(error, DeniedError):
            owner.denied.add(self.key)
        else:
            owner.denied.discard(self.key)


class Pollers:
    """All pollers of one scope (profile and regions).

    Args:
        backend: what to ask; calls block, which is why this is threads.
        publish: takes events from any thread.
        clock: for `as_of` and `next_try`.
        scope: number stamped on every event.
        regions: regions to ask, or ("all",).
        intervals: seconds between refreshes by source.
        patient: whether somebody sets `first_data` when the first machines are drawn; else their arrival does.
    """

    def __init__(
        self,
        backend: Backend,
        publish: Publish,
        *,
        clock: Clock,
        scope: int,
        regions: tuple[str, ...],
        intervals: Mapping[Source, float] = DEFAULT_INTERVALS,
        patient: bool = False,
    ) -> None:
        self.backend, self.clock, self.scope = backend, clock, scope
        self.regions, self.intervals, self.patient = regions, intervals, patient
        self.stopped, self.held, self.first_data = threading.Event(), threading.Event(), threading.Event()
        self.denied: set[SourceKey] = set()
        self.paused = self.answered = False
        self.turn = 0
        self.monotonic = SystemClock().monotonic  # waits are real, also where the screen's clock stands still
        self._publish = publish
        self._types = TypeScout(backend, self._pass_on, scope)
        self._focus: frozenset[Source] = frozenset({Source.INSTANCES})
        self._pollers: list[_Poller] = []
        self._lock = threading.Lock()
        if Source.INSTANCES not in intervals:
            self.first_data.set()

    def start(self) -> None:
        """Begin; returns at once. STS and the first listings are asked side by side."""
        self._begin(IDENTITY, self._identify)
        if self.regions == ALL_REGIONS:
            self._begin(REGIONS, self._resolve)
        else:
            self._start_listings(self.regions)

    def _begin(self, key: SourceKey, ask: Ask) -> None:
        poller = _Poller(self, key, ask)
        with self._lock:
            if self.stopped.is_set():
                return
            self._pollers.append(poller)
        poller.start()

    def _take_regions(self, event: Event) -> None:
        if isinstance(event, RegionsResolved) and not self._listing():
            self.regions = event.regions
            self._start_listings(event.regions)
        elif not isinstance(event, RegionsResolved):
            self._pass_on(event)

    def _listing(self) -> bool:
        with self._lock:
            return any(p.key.source in self.intervals for p in self._pollers)

    def _start_listings(self, regions: tuple[str, ...]) -> None:
        self._pass_on(RegionsResolved(self.scope, regions))
        # Threads of machines first: on few cores the order of starting is the order of arriving.
        sources = sorted(self.intervals, key=lambda s: s is not Source.INSTANCES)
        for key in keys_of(sources, regions):
            self._begin(key, partial(self._list, key))

    def _identify(self, next_in: NextIn) -> RunctlError | None:
        return ask_identity(self.backend, self._pass_on, self.clock, self.scope, next_in=next_in)

    def _resolve(self, next_in: NextIn) -> RunctlError | None:
        return ask_regions(self.backend, self._take_regions, self.clock, self.scope, next_in=next_in)

    def _list(self, key: SourceKey, next_in: NextIn) -> RunctlError | None:
        return fetch_once(self.backend, key, self._types.publish, self.clock, self.scope, next_in=next_in)

    def _pass_on(self, event: Event) -> None:
        """Publish, unless all has ended; whoever receives may be gone already, which ends nothing here."""
        if self.stopped.is_set():
            return
        self._publish(event)
        if isinstance(event, PageArrived | ListingCompleted | ListingFailed) and event.key.source is Source.INSTANCES:
            self.answered = True
            if not self.patient:
                self.first_data.set()

    def request(self, *sources: Source) -> None:
        """Ask these sources as soon as possible; when none is named, all listings and what has no answer."""
        for poller in self._all():
            again = poller.key.source in self.intervals or poller.unanswered
            if poller.key.source in sources or (not sources and again):
                poller.request()

    def focus(self, sources: Iterable[Source]) -> None:
        """These sources are looked at; the others are asked less often. What is due by that is asked now."""
        self._focus = frozenset(sources)
        for poller in self._all():
            poller.reconsider()

    def hold(self, asked_in: int) -> None:
        """Stop asking until `resume`: the credentials are no longer accepted.

        Args:
            asked_in: `turn` when AWS was asked. What was asked before the last `resume` tells of the credentials of
                then, however late its answer comes.
        """
        with self._lock:
            if asked_in == self.turn:
                self.held.set()

    def pause(self) -> None:
        """Stop asking because the user said so."""
        self.paused = True
        self.held.set()

    def resume(self) -> None:
        """Ask again, now, and who we are as well: the credentials may be others."""
        self.paused = False
        with self._lock:
            self.turn += 1
            self.held.clear()
        for poller in self._all():
            poller.request()

    def stop(self) -> None:
        """End all threads; one that hangs in a call ends when the call does, and its events are dropped."""
        with self._lock:
            self.stopped.set()
        self.first_data.set()
        self.backend.close()
        for poller in self._all():
            poller.request()

    def nap(self, wake: threading.Event, seconds: float) -> None:
        """Wait until `wake` is set, for so many seconds at most; inf: however long that takes."""
        wake.wait(None if math.isinf(seconds) else seconds)

    def _all(self) -> tuple[_Poller, ...]:
        with self._lock:
            return tuple(self._pollers)

    def wait_s(self, key: SourceKey, failures: int, *, denied: bool = True) -> float:
        """Seconds until the next fetch of a source: longer when hidden, denied or failing; inf when once is enough.

        Args:
            key: the source.
            failures: failures in a row.
            denied: whether an earlier denial counts.
        """
        if denied and key in self.denied:
            return DENIED_INTERVAL_S
        growth = 2.0 ** min(failures, 16)
        if key.source not in self.intervals:
            return min(_ASK_AGAIN_S * growth, BACKOFF_MOST_S) if failures else math.inf
        interval = self.intervals[key.source]
        if key.source not in self._focus and key.source is not Source.INSTANCES:
            interval *= HIDDEN_FACTOR
        return min(interval * growth, max(BACKOFF_MOST_S, interval))
