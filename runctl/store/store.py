"""Events in, Snapshots out. Runs on one thread (the UI's, or the command line's); no I/O, no clock."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import Any

from runctl.events import (
    Event,
    IdentityResolved,
    Item,
    ItemsUpdated,
    ListingCompleted,
    ListingFailed,
    PageArrived,
    RegionsResolved,
    ScopeChanged,
    SpentCounted,
    name_of,
)
from runctl.models.snapshot import WITHOUT_REGION, ErrorRecord, Health, Snapshot, Source, SourceKey, SourceStatus

#: Errors kept for `!`; the oldest kinds leave first.
MAX_ERRORS = 200

_SLOT = {
    Source.INSTANCES: "instances",
    Source.VOLUMES: "volumes",
    Source.SNAPSHOTS: "snapshots",
    Source.ADDRESSES: "addresses",
    Source.BUCKETS: "buckets",
    Source.JOBS: "jobs",
}


class Store:
    """Keeps the rows by source and region, so that one page touches one region only.

    `snapshot` is the newest; `apply` returns it, and the very same object when the event changed nothing. What a source
    lists is the same tuple in two snapshots when it holds the same things.
    """

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        self.snapshot = snapshot or Snapshot()
        self._rows: dict[SourceKey, dict[str, Item]] = {}
        self._unordered: set[SourceKey] = set()
        self._changed: set[Source] = set()  # what differs from the tuples of the snapshot
        for source, slot in _SLOT.items():
            for item in getattr(self.snapshot, slot):
                key = SourceKey(source, "" if source in WITHOUT_REGION else item.region)
                self._rows.setdefault(key, {})[name_of(item)] = item
        self._unordered.update(self._rows)

    def apply(self, event: Event) -> Snapshot:
        """Fold one event; what belongs to another scope is dropped."""
        if isinstance(event, ScopeChanged):
            self._rows.clear()
            self.snapshot = Snapshot(
                scope=event.scope, profile=event.profile, regions=event.regions, errors=self.snapshot.errors
            )
        elif event.scope == self.snapshot.scope:
            self.snapshot = self._folded(event)
        return self.snapshot

    def _folded(self, event: Event) -> Snapshot:
        match event:
            case IdentityResolved(identity=identity):
                folded = self._identified(event, identity.account)
            case RegionsResolved(regions=regions):
                folded = self._narrowed(regions)
            case PageArrived(key=key, items=items):
                folded = self._page(key, items)
            case ListingCompleted():
                folded = self._completed(event)
            case ListingFailed():
                folded = self._failed(event)
            case ItemsUpdated(key=key, items=items):
                rows = self._rows.get(key, {})
                folded = self._put(key, {name: i for i in items if (name := name_of(i)) in rows})
            case SpentCounted(account=account, spent=spent):
                known = self.snapshot.identity
                mine = known is not None and known.account == account
                folded = replace(self.snapshot, spent=spent) if mine else self.snapshot
            case _:
                folded = self.snapshot
        return folded

    def _identified(self, event: IdentityResolved, account: str) -> Snapshot:
        known = self.snapshot.identity
        if known is not None and known.account != account:
            # Rows of another account (a cache, or credentials changed under a running program) are not this account's.
            self._rows.clear()
            return Snapshot(
                scope=event.scope,
                identity=event.identity,
                profile=self.snapshot.profile,
                regions=self.snapshot.regions,
                errors=self.snapshot.errors,
            )
        return replace(self.snapshot, identity=event.identity)

    def _narrowed(self, regions: tuple[str, ...]) -> Snapshot:
        """Rows of regions that are not asked (a cache of another choice) would never be renewed nor removed."""
        kept = frozenset(("", *regions))
        gone = {k for k in (*self._rows, *self.snapshot.status) if k.region not in kept}
        for key in gone:
            self._rows.pop(key, None)
        status = {k: s for k, s in self.snapshot.status.items() if k not in gone}
        self.snapshot = replace(self.snapshot, regions=regions, status=status)
        for source in {key.source for key in gone}:
            self._changed.add(source)
            self.snapshot = self._with_rows(source)
        return self.snapshot

    def _page(self, key: SourceKey, items: tuple[Item, ...]) -> Snapshot:
        status = self.snapshot.status.get(key, SourceStatus())
        return self._put(
            key, {name_of(i): i for i in items}, {key: replace(status, cached=False)} if status.cached else None
        )

    def _put(
        self, key: SourceKey, items: dict[str, Item], status: dict[SourceKey, SourceStatus] | None = None
    ) -> Snapshot:
        """These rows in place of those with their names, or beside them."""
        rows = self._rows.setdefault(key, {})
        if any(rows.get(name) is not item for name, item in items.items()):
            self._changed.add(key.source)
            before = len(rows)
            rows.update(items)
            if len(rows) != before:  # a row that was known keeps its place
                self._unordered.add(key)
        elif status is None:
            return self.snapshot
        return self._with_rows(key.source, status)

    def _completed(self, event: ListingCompleted) -> Snapshot:
        rows = self._rows.setdefault(event.key, {})
        for gone in [i for i in rows if i not in event.ids]:
            self._changed.add(event.key.source)
            del rows[gone]
        status = SourceStatus(Health.LIVE, event.as_of, complete=True, next_try=event.next_try)
        return self._with_rows(event.key.source, {event.key: status})

    def _failed(self, event: ListingFailed) -> Snapshot:
        before = self.snapshot.status.get(event.key, SourceStatus())
        status = SourceStatus(
            event.health, before.as_of, complete=False, error=event.error, next_try=event.next_try, cached=before.cached
        )
        snapshot = self._with_rows(event.key.source, {event.key: status})
        return replace(snapshot, errors=_remembered(snapshot.errors, event.error))

    def _with_rows(self, source: Source, status: dict[SourceKey, SourceStatus] | None = None) -> Snapshot:
        changes: dict[str, Any] = {}
        if source in self._changed and source in _SLOT:
            self._changed.discard(source)
            parts = sorted(k for k, rows in self._rows.items() if k.source is source and rows)
            for key in self._unordered.intersection(parts):
                self._rows[key] = dict(sorted(self._rows[key].items()))
                self._unordered.discard(key)
            changes[_SLOT[source]] = tuple(chain.from_iterable(self._rows[key].values() for key in parts))
        if status:
            changes["status"] = {**self.snapshot.status, **status}
        return replace(self.snapshot, **changes)


def _same_failure(a: ErrorRecord, b: ErrorRecord) -> bool:
    return (a.service, a.operation, a.region, a.code) == (b.service, b.operation, b.region, b.code)


def _remembered(errors: tuple[ErrorRecord, ...], new: ErrorRecord) -> tuple[ErrorRecord, ...]:
    """Newest first; the same failure again moves up and counts."""
    count = next((e.count for e in errors if _same_failure(e, new)), 0)
    others = tuple(e for e in errors if not _same_failure(e, new))
    return (replace(new, count=count + 1), *others)[:MAX_ERRORS]
