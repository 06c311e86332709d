"""Threads that ask AWS again and again, and the one-shot twin for the command line.

One daemon thread for each source and region, so that a slow region delays nobody. A tick that arrives during a fetch
collapses into the next; the next is armed after completion. Whatever happens in a thread leaves it as an event.
"""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from runctl.clock import Clock
from runctl.errors import CredentialsError, DeniedError, RunctlError, ThrottledError
from runctl.events import (
    Event,
    IdentityResolved,
    Item,
    ListingCompleted,
    ListingFailed,
    PageArrived,
    RegionsResolved,
)
from runctl.models.s3 import Bucket
from runctl.models.snapshot import ErrorRecord, Health, Source, SourceKey
from runctl.services.backend import Backend

Publish = Callable[[Event], object]
ToRecord = Callable[[RunctlError], ErrorRecord]

#: Seconds between refreshes, for the screen that is looked at; hidden sources wait `HIDDEN_FACTOR` times longer.
DEFAULT_INTERVALS: Mapping[Source, float] = {
    Source.INSTANCES: 10.0,
    Source.VOLUMES: 30.0,
    Source.SNAPSHOTS: 120.0,
    Source.ADDRESSES: 60.0,
    Source.BUCKETS: 60.0,
}
HIDDEN_FACTOR = 6.0
DENIED_INTERVAL_S = 300.0
BACKOFF_MOST_S = 120.0
FLEET = tuple(DEFAULT_INTERVALS)
ALL_REGIONS = ("all",)

_listings = itertools.count(1)


def record_of(error: RunctlError, clock: Clock) -> ErrorRecord:
    """An error as the store keeps it."""
    site = getattr(error, "site", None)
    return ErrorRecord(
        at=clock.now(),
        service=site.service if site else "runctl",
        operation=site.operation if site else "",
        region=site.region if site else "",
        code=site.code if site else type(error).__name__,
        message=error.message,
        hint=error.hint,
        retryable=bool(getattr(error, "retryable", False)),
        error_class=type(error).__name__,
    )


def _as_runctl_error(error: Exception) -> RunctlError:
    """A defect of ours inside a thread is shown like any other failure, never swallowed."""
    if isinstance(error, RunctlError):
        return error
    return RunctlError(f"{type(error).__name__}: {error}", hint="a defect in runctl; please report it")


def _pages(backend: Backend, key: SourceKey) -> Iterator[tuple[Item, ...]]:
    listings: dict[Source, Callable[[], Iterator[tuple[Any, ...]]]] = {
        Source.INSTANCES: lambda: backend.list_instances(key.region),
        Source.VOLUMES: lambda: backend.list_volumes(key.region),
        Source.SNAPSHOTS: lambda: backend.list_snapshots(key.region),
        Source.ADDRESSES: lambda: backend.list_addresses(key.region),
        Source.BUCKETS: backend.list_buckets,
    }
    return listings[key.source]()


def fetch_once(
    backend: Backend, key: SourceKey, publish: Publish, clock: Clock, scope: int, *, next_in: float | None = None
) -> RunctlError | None:
    """One whole listing as events; the error it ended in, None when it was complete."""
    listing, ids, started = next(_listings), set[str](), clock.now()
    later = None if next_in is None else clock.now() + timedelta(seconds=next_in)
    try:
        for page in _pages(backend, key):
            ids |= {i.name if isinstance(i, Bucket) else i.id for i in page}
            publish(PageArrived(scope, key, listing, page))
    except Exception as raised:  # noqa: BLE001  # the thread's last line of defence: the event carries it to the screen
        error = _as_runctl_error(raised)
        health = Health.DENIED if isinstance(error, DeniedError) else Health.PARTIAL if ids else Health.ERROR
        publish(ListingFailed(scope, key, listing, record_of(error, clock), health, partial=bool(ids), next_try=later))
        return error
    publish(ListingCompleted(scope, key, listing, frozenset(ids), started, later))
    return None


def keys_of(sources: Iterable[Source], regions: Sequence[str]) -> tuple[SourceKey, ...]:
    """What to ask: buckets once, everything else in each region."""
    return tuple(
        SourceKey(source, region) for source in sources for region in (("",) if source is Source.BUCKETS else regions)
    )


class _Poller(threading.Thread):
    """Asks one thing again and again until told to stop."""

    def __init__(self, owner: Pollers, key: SourceKey) -> None:
        super().__init__(name=f"poll-{key.source}-{key.region}", daemon=True)
        self._owner, self.key = owner, key
        self._wake = threading.Event()
        self._failures = 0

    def request(self) -> None:
        """Ask now, or right after the fetch under way."""
        self._wake.set()

    def run(self) -> None:
        """Fetch, wait, fetch; a wait ends early when somebody asks."""
        owner = self._owner
        while not owner.stopped.is_set():
            self._wake.clear()
            if not owner.held.is_set():
                self._fetch()
            self._wake.wait(self._owner.wait_s(self.key, self._failures))

    def _fetch(self) -> None:
        owner = self._owner
        wait = owner.wait_s(self.key, self._failures)
        error = fetch_once(owner.backend, self.key, owner.publish, owner.clock, owner.scope, next_in=wait)
        self._failures = 0 if error is None else self._failures + 1
        if isinstance(error, CredentialsError):
            owner.hold()
        elif isinstance(error, DeniedError):
            owner.denied.add(self.key)
        elif isinstance(error, ThrottledError):
            self._failures += 1
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
    ) -> None:
        self.backend, self.publish, self.clock, self.scope = backend, publish, clock, scope
        self.regions, self.intervals = regions, intervals
        self.stopped, self.held = threading.Event(), threading.Event()
        self.denied: set[SourceKey] = set()
        self.paused = False
        self._focus: frozenset[Source] = frozenset({Source.INSTANCES})
        self._pollers: list[_Poller] = []

    def start(self) -> None:
        """Begin; returns at once. STS and the first listings are asked side by side."""
        threading.Thread(target=self._identify, name="poll-identity", daemon=True).start()
        if self.regions == ALL_REGIONS:
            threading.Thread(target=self._resolve_regions, name="poll-regions", daemon=True).start()
        else:
            self._start_listings()

    def _start_listings(self) -> None:
        self.publish(RegionsResolved(self.scope, self.regions))
        self._pollers = [_Poller(self, key) for key in keys_of(self.intervals, self.regions)]
        for poller in self._pollers:
            poller.start()

    def _identify(self) -> None:
        ask_identity(self.backend, self.publish, self.clock, self.scope)

    def _resolve_regions(self) -> None:
        regions = ask_regions(self.backend, self.publish, self.clock, self.scope)
        if regions and not self.stopped.is_set():
            self.regions = regions
            self._start_listings()

    def request(self, *sources: Source) -> None:
        """Ask these sources (all, when none is named) as soon as possible."""
        for poller in self._pollers:
            if not sources or poller.key.source in sources:
                poller.request()

    def focus(self, sources: Iterable[Source]) -> None:
        """These sources are looked at; the others are asked less often."""
        fresh = frozenset(sources) - self._focus
        self._focus = frozenset(sources)
        if fresh:
            self.request(*fresh)

    def hold(self) -> None:
        """Stop asking until `resume`: the credentials are no longer accepted."""
        self.held.set()

    def pause(self) -> None:
        """Stop asking because the user said so."""
        self.paused = True
        self.held.set()

    def resume(self) -> None:
        """Ask again, now."""
        self.paused = False
        self.held.clear()
        self.request()

    def stop(self) -> None:
        """End all threads; one that hangs in a call ends when the call does, and its events are dropped by scope."""
        self.stopped.set()
        self.backend.close()
        for poller in self._pollers:
            poller.request()

    def wait_s(self, key: SourceKey, failures: int) -> float:
        """Seconds until the next fetch of a source: longer when hidden, denied or failing."""
        if key in self.denied:
            return DENIED_INTERVAL_S
        interval = self.intervals[key.source]
        if key.source not in self._focus:
            interval *= HIDDEN_FACTOR if key.source is not Source.INSTANCES else 1.0
        return min(interval * 2.0**failures, max(BACKOFF_MOST_S, interval))


def ask_identity(backend: Backend, publish: Publish, clock: Clock, scope: int) -> bool:
    """Ask STS, as events; whether it answered."""
    try:
        publish(IdentityResolved(scope, backend.fetch_identity()))
    except Exception as raised:  # noqa: BLE001  # see fetch_once
        _failed(SourceKey(Source.IDENTITY, ""), raised, publish, clock, scope)
        return False
    return True


def ask_regions(backend: Backend, publish: Publish, clock: Clock, scope: int) -> tuple[str, ...]:
    """The account's regions, as an event; () when AWS did not say."""
    try:
        return backend.fetch_regions()
    except Exception as raised:  # noqa: BLE001  # see fetch_once
        _failed(SourceKey(Source.REGIONS, ""), raised, publish, clock, scope)
        return ()


def _failed(key: SourceKey, raised: Exception, publish: Publish, clock: Clock, scope: int) -> None:
    error = record_of(_as_runctl_error(raised), clock)
    publish(ListingFailed(scope, key, next(_listings), error, Health.ERROR))


def collect(
    backend: Backend,
    sources: Sequence[Source],
    regions: tuple[str, ...],
    publish: Publish,
    *,
    clock: Clock,
    scope: int = 0,
    timeout_s: float = 20.0,
) -> bool:
    """Ask everything once, in parallel, and publish in the caller's thread until all is in or the time is over.

    A region that hangs becomes a `ListingFailed`; its thread is a daemon and holds up nobody's exit.

    Returns:
        Whether every listing answered, in data or in an error, before the time was over.
    """
    inbox: queue.SimpleQueue[Event | SourceKey] = queue.SimpleQueue()
    deadline = clock.monotonic() + timeout_s
    identity = SourceKey(Source.IDENTITY, "")
    _spawn(identity, inbox, lambda: ask_identity(backend, inbox.put, clock, scope))
    pending = {identity}
    if regions == ALL_REGIONS:
        regions = ask_regions(backend, publish, clock, scope)
    publish(RegionsResolved(scope, regions))
    for key in keys_of(sources, regions):
        pending.add(key)
        _spawn(key, inbox, lambda key=key: fetch_once(backend, key, inbox.put, clock, scope))  # type: ignore[misc]  # mypy cannot infer a lambda's default
    while pending:
        try:
            event = inbox.get(timeout=max(0.0, deadline - clock.monotonic()))
        except queue.Empty:
            break
        if isinstance(event, SourceKey):
            pending.discard(event)
        else:
            publish(event)
    for key in sorted(pending):
        publish(ListingFailed(scope, key, next(_listings), _too_late(key, timeout_s, clock), Health.ERROR))
    return not pending


def _spawn(key: SourceKey, inbox: queue.SimpleQueue[Any], body: Callable[[], object]) -> None:
    def run() -> None:
        try:
            body()
        finally:
            inbox.put(key)

    threading.Thread(target=run, name=f"ask-{key.source}-{key.region}", daemon=True).start()


def _too_late(key: SourceKey, timeout_s: float, clock: Clock) -> ErrorRecord:
    return ErrorRecord(
        at=clock.now(),
        service="s3" if key.source is Source.BUCKETS else "sts" if key.source is Source.IDENTITY else "ec2",
        operation=str(key.source),
        region=key.region,
        code="Timeout",
        message=f"no answer within {timeout_s:g} s",
        hint="raise --timeout, or leave the region out with --region",
        retryable=True,
        error_class="NetworkError",
    )
