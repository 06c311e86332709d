"""What is paid for and not used: what it has cost so far, and what it costs a month if nothing changes. Pure.

Nothing follows from silence: unknown activity is not idle, and a disk whose machine is not listed is not waste. Where
AWS does not say since when something lies about, what it has wasted is unknown; the most it can be is said beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from runctl.format import clean_text, format_duration
from runctl.models.cost import HOURS_PER_MONTH, CostKind, a_month
from runctl.models.instance import Instance, InstanceState
from runctl.models.s3 import Upload
from runctl.models.snapshot import Source
from runctl.models.volume import Address, Volume, VolumeSnapshot
from runctl.store.fields import Context, Field, Fields, Kind, expires_in_s

#: A snapshot of a disk that is gone counts from this age on, an unfinished upload from this.
OLD_SNAPSHOT_S, OLD_UPLOAD_S = 30 * 86400.0, 2 * 86400.0


@dataclass(frozen=True, slots=True)
class Waste:
    """One thing that costs money for nothing.

    Args:
        kind, id, name, region, owner, project: what and whose.
        rule: idle, expired, stopped-machine, unattached, old-snapshot, unassociated, unfinished-upload.
        reason: one phrase with its figures.
        since: since when it is known to be useless, None when AWS does not say.
        usd_per_month: what it costs a month if nothing changes, None when unpriced.
        wasted_usd: what it has cost for nothing so far, None when that is not known.
        most_usd: the most that can be: since it exists; None when unknown.
    """

    kind: CostKind
    id: str
    name: str
    region: str
    owner: str | None
    project: str | None
    rule: str
    reason: str
    since: datetime | None
    usd_per_month: float | None
    wasted_usd: float | None
    most_usd: float | None

    @property
    def usd_per_hour(self) -> float | None:
        """The same an hour."""
        return None if self.usd_per_month is None else self.usd_per_month / HOURS_PER_MONTH


@dataclass(frozen=True, slots=True)
class WasteTotal:
    """Sums: known dollars, and how many more are not known."""

    items: int
    wasted_usd: float
    wasted_unknown: int
    usd_per_month: float
    unpriced: int


def total_waste(found: Iterable[Waste]) -> WasteTotal:
    """The sum of some waste."""
    items = list(found)
    so_far = [w.wasted_usd for w in items if w.wasted_usd is not None]
    months = [w.usd_per_month for w in items if w.usd_per_month is not None]
    return WasteTotal(
        len(items), math.fsum(so_far), len(items) - len(so_far), math.fsum(months), len(items) - len(months)
    )


def group_waste(found: Iterable[Waste], by: str) -> Mapping[str, WasteTotal]:
    """Sums by "owner", "project", "rule", "kind" or "region"; who has none is "?"."""
    groups: dict[str, list[Waste]] = {}
    for item in found:
        groups.setdefault(str(getattr(item, by) or "?"), []).append(item)
    return {name: total_waste(items) for name, items in sorted(groups.items())}


def find_waste(context: Context, uploads: Iterable[Upload] = ()) -> tuple[Waste, ...]:
    """Everything that is known to be wasted, dearest first, unpriced last."""
    snapshot = context.snapshot
    found = [w for i in snapshot.instances if (w := _machine(i, context)) is not None]
    found += [w for v in snapshot.volumes if (w := _disk(v, context)) is not None]
    found += _snapshots(context)
    for address in snapshot.addresses:
        if not address.associated:
            free = _Found("unassociated", "unassociated")
            found.append(_waste(CostKind.ADDRESS, address, free, a_month(address.usd_per_hour), context))
    found += _uploads(uploads, context)
    return tuple(sorted(found, key=lambda w: (w.usd_per_month is None, -(w.usd_per_month or 0), w.region, w.id)))


Thing = Instance | Volume | VolumeSnapshot | Address | Upload


def _cost(month: float | None, since: datetime | None, context: Context) -> float | None:
    if month is None or since is None:
        return None
    return month / HOURS_PER_MONTH * max(0.0, (context.now - since).total_seconds()) / 3600


@dataclass(frozen=True, slots=True)
class _Found:
    """A rule that holds for a thing."""

    rule: str
    reason: str
    since: datetime | None = None


def _waste(kind: CostKind, item: Thing, found: _Found, month: float | None, context: Context) -> Waste:
    exists = getattr(item, "launched_at", None) or getattr(item, "created_at", None)
    wasted = _cost(month, found.since, context)
    return Waste(
        kind=kind,
        id=item.id,
        name=item.name,
        region=item.region,
        owner=item.ownership.owner,
        project=item.ownership.project,
        rule=found.rule,
        reason=found.reason,
        since=found.since,
        usd_per_month=month,
        wasted_usd=wasted,
        most_usd=wasted if wasted is not None else _cost(month, exists, context),
    )


def _machine(item: Instance, context: Context) -> Waste | None:
    if not item.bills:
        return None
    month = a_month(item.usd_per_hour)
    if item.activity.state == "idle":
        since = item.activity.since
        length = f" {format_duration((context.now - since).total_seconds())}" if since else ""
        reason = f"idle{length}: {item.activity.evidence}"
        return _waste(CostKind.INSTANCE, item, _Found("idle", reason, since), month, context)
    left = expires_in_s(item, context)
    if left is None or left >= 0:
        return None
    ended = datetime.fromtimestamp(context.now.timestamp() + left, context.now.tzinfo)
    reason = f"should have ended {format_duration(-left)} ago"
    return _waste(CostKind.INSTANCE, item, _Found("expired", reason, ended), month, context)


def _disk(item: Volume, context: Context) -> Waste | None:
    if item.unattached:
        age = f", {format_duration((context.now - item.created_at).total_seconds())} old" if item.created_at else ""
        return _waste(CostKind.VOLUME, item, _Found("unattached", f"unattached{age}"), item.usd_per_month, context)
    machine = context.instances.get(item.attached_to or "")
    if machine is None or machine.state is not InstanceState.STOPPED:
        return None
    name = clean_text(machine.name, 40) or machine.id
    since = machine.stopped_at
    length = f" for {format_duration((context.now - since).total_seconds())}" if since else ""
    if since is not None and item.created_at is not None:
        since = max(since, item.created_at)
    found = _Found("stopped-machine", f"on {name}, stopped{length}", since)
    return _waste(CostKind.VOLUME, item, found, item.usd_per_month, context)


def _snapshots(context: Context) -> Iterator[Waste]:
    """Old snapshots of disks that are gone; only a complete list of disks can say that one is."""
    status = context.snapshot.status.items()
    whole = {k.region for k, s in status if k.source is Source.VOLUMES and s.complete}
    for item in context.snapshot.snapshots:
        if item.created_at is None or item.region not in whole or item.volume_id in context.volumes:
            continue
        age_s = (context.now - item.created_at).total_seconds()
        if age_s >= OLD_SNAPSHOT_S:
            reason = f"{format_duration(age_s)} old, its disk {item.volume_id} is gone"
            yield _waste(CostKind.SNAPSHOT, item, _Found("old-snapshot", reason), item.usd_per_month, context)


def _uploads(uploads: Iterable[Upload], context: Context) -> Iterator[Waste]:
    for item in uploads:
        age_s = (context.now - item.started_at).total_seconds()
        if age_s >= OLD_UPLOAD_S:
            reason = f"upload begun {format_duration(age_s)} ago and never finished"
            rule = _Found("unfinished-upload", reason, item.started_at)
            yield _waste(CostKind.S3, item, rule, item.usd_per_month, context)


F = Field
WASTE_FIELDS: Fields[Waste] = Fields(
    "waste",
    (
        F("kind", "KIND", Kind.TEXT, lambda w, _: str(w.kind), shown=True),
        F("id", "ID", Kind.TEXT, lambda w, _: w.id, shown=True),
        F("name", "NAME", Kind.TEXT, lambda w, _: w.name, shown=True),
        F("region", "REGION", Kind.TEXT, lambda w, _: w.region, wide=True),
        F("rule", "RULE", Kind.TEXT, lambda w, _: w.rule, shown=True),
        F("usd_per_month", "$/MO", Kind.MONEY, lambda w, _: w.usd_per_month, ("cost",), shown=True),
        F("wasted_usd", "SO FAR", Kind.MONEY, lambda w, _: w.wasted_usd, ("wasted",), shown=True),
        F("most_usd", "AT MOST", Kind.MONEY, lambda w, _: w.most_usd, shown=True),
        F("since", "SINCE", Kind.TIME, lambda w, _: w.since, wide=True),
        F("reason", "WHY", Kind.TEXT, lambda w, _: w.reason, ("why",), shown=True),
        F("owner", "OWNER", Kind.TEXT, lambda w, _: w.owner, shown=True),
        F("project", "PROJECT", Kind.TEXT, lambda w, _: w.project, wide=True),
    ),
    lambda _: {},
)
