"""One look at a source, as events whatever happens in it; and `collect`, the one-shot twin of the pollers."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from runctl.clock import Clock
from runctl.errors import DeniedError, RunctlError
from runctl.events import (
    Event,
    IdentityResolved,
    Item,
    ListingCompleted,
    ListingFailed,
    PageArrived,
    RegionsResolved,
    name_of,
)
from runctl.models.snapshot import ALL_REGIONS, WITHOUT_REGION, ErrorRecord, Health, Source, SourceKey
from runctl.services.backend import Backend

Publish = Callable[[Event], object]
#: Seconds until a source is asked again after an outcome; None when it is not.
NextIn = Callable[[RunctlError | None], float | None]

IDENTITY = SourceKey(Source.IDENTITY, "")
REGIONS = SourceKey(Source.REGIONS, "")
#: AWS's name of what each source asks: service and operation.
OPERATIONS: dict[Source, tuple[str, str]] = {
    Source.IDENTITY: ("sts", "GetCallerIdentity"),
    Source.REGIONS: ("ec2", "DescribeRegions"),
    Source.INSTANCES: ("ec2", "DescribeInstances"),
    Source.VOLUMES: ("ec2", "DescribeVolumes"),
    Source.SNAPSHOTS: ("ec2", "DescribeSnapshots"),
    Source.ADDRESSES: ("ec2", "DescribeAddresses"),
    Source.BUCKETS: ("s3", "ListBuckets"),
    Source.JOBS: ("s3", "ListObjectsV2"),
}

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
        Source.JOBS: backend.list_jobs,
    }
    return listings[key.source]()


def keys_of(sources: Iterable[Source], regions: Sequence[str]) -> tuple[SourceKey, ...]:
    """What to ask: what has no region once, everything else in each region."""
    return tuple(
        SourceKey(source, region) for source in sources for region in (("",) if source in WITHOUT_REGION else regions)
    )


def fetch_once(
    backend: Backend, key: SourceKey, publish: Publish, clock: Clock, scope: int, *, next_in: NextIn | None = None
) -> RunctlError | None:
    """One whole listing as events; the error it ended in, None when it was complete."""
    listing, ids, started = next(_listings), set[str](), clock.now()
    try:
        for page in _pages(backend, key):
            ids.update(map(name_of, page))
            publish(PageArrived(scope, key, listing, page))
    except Exception as raised:  # noqa: BLE001  # the thread's last line of defence: the event carries it to the screen
        return _failed(raised, publish, clock, _Place(scope, key, listing, begun=bool(ids)), next_in)
    publish(ListingCompleted(scope, key, listing, frozenset(ids), started, _later(clock, next_in, None)))
    return None


class _Place(NamedTuple):
    """Which listing failed, and whether some of it had arrived."""

    scope: int
    key: SourceKey
    listing: int = 0
    begun: bool = False


def _failed(raised: Exception, publish: Publish, clock: Clock, place: _Place, next_in: NextIn | None) -> RunctlError:
    error = _as_runctl_error(raised)
    health = Health.DENIED if isinstance(error, DeniedError) else Health.PARTIAL if place.begun else Health.ERROR
    record, later = record_of(error, clock), _later(clock, next_in, error)
    publish(ListingFailed(place.scope, place.key, place.listing, record, health, partial=place.begun, next_try=later))
    return error


def _later(clock: Clock, next_in: NextIn | None, error: RunctlError | None) -> datetime | None:
    seconds = None if next_in is None else next_in(error)
    return None if seconds is None else clock.now() + timedelta(seconds=seconds)


def ask_identity(
    backend: Backend, publish: Publish, clock: Clock, scope: int, *, next_in: NextIn | None = None
) -> RunctlError | None:
    """Ask STS, as an event; the error, None when it answered."""
    try:
        publish(IdentityResolved(scope, backend.fetch_identity()))
    except Exception as raised:  # noqa: BLE001  # see fetch_once
        return _failed(raised, publish, clock, _Place(scope, IDENTITY), next_in)
    return None


def ask_regions(
    backend: Backend, publish: Publish, clock: Clock, scope: int, *, next_in: NextIn | None = None
) -> RunctlError | None:
    """Ask for the account's regions, as an event; the error, None when AWS answered."""
    try:
        publish(RegionsResolved(scope, backend.fetch_regions()))
    except Exception as raised:  # noqa: BLE001  # see fetch_once
        return _failed(raised, publish, clock, _Place(scope, REGIONS), next_in)
    return None


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
    return _Collection(backend, sources, publish, clock, scope).run(regions, timeout_s)


class _Collection:
    """What one `collect` still waits for."""

    def __init__(self, backend: Backend, sources: Sequence[Source], publish: Publish, clock: Clock, scope: int) -> None:
        self._backend, self._sources, self._publish = backend, sources, publish
        self._clock, self._scope = clock, scope
        self._inbox: queue.SimpleQueue[Event | SourceKey] = queue.SimpleQueue()
        self._pending: set[SourceKey] = set()
        self._begun: set[SourceKey] = set()

    def run(self, regions: tuple[str, ...], timeout_s: float) -> bool:
        deadline = self._clock.monotonic() + timeout_s
        ask = (self._backend, self._inbox.put, self._clock, self._scope)
        self._spawn(IDENTITY, partial(ask_identity, *ask))
        if regions == ALL_REGIONS:
            self._spawn(REGIONS, partial(ask_regions, *ask))
        else:
            self._resolved(RegionsResolved(self._scope, regions))
        while self._pending:
            try:
                self._take(self._inbox.get(timeout=max(0.0, deadline - self._clock.monotonic())))
            except queue.Empty:
                break
        for key in sorted(self._pending):
            partial_ = key in self._begun
            health = Health.PARTIAL if partial_ else Health.ERROR
            error = _too_late(key, timeout_s, self._clock)
            self._publish(ListingFailed(self._scope, key, next(_listings), error, health, partial=partial_))
        return not self._pending

    def _take(self, event: Event | SourceKey) -> None:
        if isinstance(event, SourceKey):
            self._pending.discard(event)
        elif isinstance(event, RegionsResolved):
            self._resolved(event)
        else:
            if isinstance(event, PageArrived) and event.items:
                self._begun.add(event.key)
            self._publish(event)

    def _resolved(self, event: RegionsResolved) -> None:
        self._publish(event)
        for key in keys_of(self._sources, event.regions):
            self._spawn(key, partial(fetch_once, self._backend, key, self._inbox.put, self._clock, self._scope))

    def _spawn(self, key: SourceKey, body: Callable[[], object]) -> None:
        def run() -> None:
            try:
                body()
            finally:
                self._inbox.put(key)

        self._pending.add(key)
        threading.Thread(target=run, name=f"ask-{key.source}-{key.region}", daemon=True).start()


def _too_late(key: SourceKey, timeout_s: float, clock: Clock) -> ErrorRecord:
    service, operation = OPERATIONS[key.source]
    return ErrorRecord(
        at=clock.now(),
        service=service,
        operation=operation,
        region=key.region,
        code="Timeout",
        message=f"no answer within {timeout_s:g} s",
        hint="raise --timeout, or leave the region out with --region" if key.region else "raise --timeout",
        retryable=True,
        error_class="NetworkError",
    )
