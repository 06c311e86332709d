"""Read the fleet once: ask the sources in parallel, fold the events in the store, give back one Snapshot."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib import import_module

from runctl.cli.connect import connect, regions_of
from runctl.cli.invocation import Invocation
from runctl.errors import ConfigurationError
from runctl.events import Event, ListingCompleted, ListingFailed, ScopeChanged
from runctl.models.snapshot import Health, Snapshot, Source, SourceStatus
from runctl.store.fields import Context
from runctl.store.store import Store

#: What each section is made of: the first is the section itself, the others explain it (the machine of a disk).
SOURCES_OF: dict[str, tuple[Source, ...]] = {
    "instances": (Source.INSTANCES,),
    "jobs": (Source.INSTANCES, Source.JOBS),
    "s3": (Source.BUCKETS,),
    "volumes": (Source.VOLUMES, Source.INSTANCES),
    "cost": (Source.INSTANCES, Source.VOLUMES, Source.SNAPSHOTS, Source.ADDRESSES, Source.BUCKETS),
}


@dataclass(frozen=True, slots=True)
class Fleet:
    """What one run saw.

    Args:
        snapshot: everything.
        context: the snapshot with the time of the run.
        sources: what was asked.
        cached: nothing was asked; this is what an earlier run saw.
    """

    snapshot: Snapshot
    context: Context
    sources: frozenset[Source]
    cached: bool = False

    def statuses(self, source: Source) -> list[SourceStatus]:
        """State of a source in each region."""
        return [s for k, s in self.snapshot.status.items() if k.source is source]

    def answered(self, source: Source) -> bool:
        """Whether at least one region answered, now or (cached) then."""
        return any(s.as_of is not None or s.health is Health.PARTIAL for s in self.statuses(source))


class _Progress:
    """One line on a terminal's stderr that disappears; nothing anywhere else."""

    def __init__(self, call: Invocation) -> None:
        self._on = not call.args.quiet and sys.stderr.isatty()
        self._done = 0

    def note(self, event: Event) -> None:
        if self._on and isinstance(event, ListingCompleted | ListingFailed):
            self._done += 1
            print(f"\rasking AWS: {self._done} listings answered", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._on and self._done:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def sources_of(sections: Iterable[str]) -> tuple[Source, ...]:
    """All sources of some sections, each once, in a stable order."""
    wanted = {s for name in sections for s in SOURCES_OF[name]}
    return tuple(s for s in Source if s in wanted)


def read_fleet(call: Invocation, sources: tuple[Source, ...]) -> Fleet:
    """Ask AWS once, within the deadline.

    Raises:
        CloudError: the session cannot be opened (no such profile).
        ConfigurationError: no region is known, or nothing is cached.
    """
    if getattr(call.args, "cached", False):
        return _cached(call)
    from runctl.services.poll_activity import ActivityScout
    from runctl.services.pollers import collect

    backend = connect(call.settings)
    regions = regions_of(call, backend)
    store = Store()
    scope = store.snapshot.scope
    store.apply(ScopeChanged(scope, backend.profile, regions))
    progress = _Progress(call)
    heard: list[Event] = []

    def publish(event: Event) -> None:
        heard.append(event)
        store.apply(event)
        progress.note(event)

    # What keeps the ledger is loaded while AWS thinks, so that it costs the answer nothing.
    threading.Thread(target=import_module, args=("runctl.cli.books",), daemon=True).start()
    try:
        collect(backend, sources, regions, publish, clock=call.clock, scope=scope, timeout_s=call.args.timeout)
    finally:
        progress.clear()
        backend.close()
    _count(call, store, heard)
    scout = ActivityScout(backend, call.clock)
    for event in heard:
        scout.fill(event)
    snapshot = replace(store.snapshot, instances=scout.fill_rows(store.snapshot.instances))
    call.detail(f"asked {', '.join(sources)} in {', '.join(regions)}: {call.duration_ms()} ms since the start")
    return Fleet(snapshot, Context(call.clock.now(), snapshot, call.settings), frozenset(sources))


def _cached(call: Invocation) -> Fleet:
    import os

    from runctl import paths
    from runctl.store.cache import load_snapshot

    profile = call.settings.profile or os.environ.get("AWS_PROFILE", "")
    regions = call.args.region or call.settings.regions_for(profile)
    snapshot = load_snapshot(paths.cache_dir(), profile, () if regions == ("all",) else regions)
    if snapshot is None:
        raise ConfigurationError(
            "nothing is cached for this profile and these regions",
            hint="`runctl --once` and the dashboard keep what they saw",
        )
    from runctl.cli.books import recall

    if (counted := recall(call, snapshot)) is not None:
        snapshot = replace(snapshot, spent=counted.spent)
    return Fleet(snapshot, Context(call.clock.now(), snapshot, call.settings), frozenset(Source), cached=True)


def _count(call: Invocation, store: Store, heard: Iterable[Event]) -> None:
    """Into the ledger, and what it knows into the snapshot."""
    from runctl.cli.books import record

    if store.snapshot.identity is not None and (counted := record(call, heard)) is not None:
        store.apply(counted)


def remember(seen: Fleet) -> None:
    """Keep a complete look at everything for `--cached` and the dashboard's first paint; a failure to costs nothing."""
    if seen.cached or not set(SOURCES_OF["cost"]) <= seen.sources:
        return
    from runctl import paths
    from runctl.store.cache import save_snapshot

    save_snapshot(paths.cache_dir(), seen.snapshot)
