"""What is shown out of a Snapshot: costs, sums, sorted and filtered rows, the state of a panel. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from runctl.format import clean_text, format_duration
from runctl.models.cost import HOURS_PER_MONTH, Burn, CostItem, CostKind
from runctl.models.instance import BILLING_STATES, Instance, Market
from runctl.models.job import Job
from runctl.models.snapshot import ErrorRecord, Health, Snapshot, Source, SourceKey, SourceStatus
from runctl.models.volume import Address, Volume, VolumeSnapshot
from runctl.store.fields import Context, Fields, Kind, expires_in_s, volume_waste

T = TypeVar("T")
#: Data older than this many intervals is called stale.
STALE_AFTER_INTERVALS = 3


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of the money strip and of `summary` in JSON. USD; None is unknown.

    `burn_without` names what the burn lacks because AWS refused or failed to list it; `burn_waits` says that
    something that bills has not been listed yet.
    """

    burn_usd_per_hour: float
    burn_unpriced: int
    instances_running: int
    instances_stopped: int
    jobs_running: int
    volumes_unattached: int
    storage_usd_per_month: float
    storage_unpriced: int
    alerts: tuple[str, ...]
    on_demand_usd_per_hour: float
    spot_usd_per_hour: float
    today_usd: float | None = None
    month_usd: float | None = None
    month_projected_usd: float | None = None
    burn_without: tuple[str, ...] = ()
    burn_waits: bool = False


@dataclass(frozen=True, slots=True)
class PanelStatus:
    """How much to trust a panel, over all its regions.

    Args:
        health: the worst that matters to the reader.
        as_of: the oldest complete answer, None when a region has not answered yet.
        text: one phrase: "live 4s", "stale 3m (throttled)", "not allowed: ec2:DescribeVolumes in us-east-1".
        complete: every region answered completely.
        errors: the failures that are current.
    """

    health: Health
    as_of: datetime | None
    text: str
    complete: bool
    errors: tuple[ErrorRecord, ...] = ()


def _why_instance(item: Instance, context: Context) -> str:
    state = clean_text(item.state, 40) or "state not known"
    job = clean_text(item.ownership.job or "", 40)
    what = f"{state}, job {job}" if job and not item.bills else f"running job {job}" if job else f"{state}, no job"
    if item.activity.state == "idle":
        what = f"idle, {item.activity.evidence}"
    left = expires_in_s(item, context)
    if left is None:
        return what
    return f"{what}, ends in {format_duration(left)}" if left > 0 else f"{what}, expired {format_duration(-left)} ago"


def _why_volume(item: Volume, context: Context) -> str:
    if item.attached_to is None:
        return "unattached" if item.unattached else item.state or "state not known"
    machine = context.instances.get(item.attached_to)
    if machine is None:
        return f"attached to {item.attached_to}"
    name = clean_text(machine.name, 40) or machine.id
    return f"attached to {name}" if machine.state in BILLING_STATES else f"on {machine.state} {name}"


def _storage(kind: CostKind, item: Volume | VolumeSnapshot, reason: str) -> CostItem:
    month = item.usd_per_month
    return CostItem(
        kind=kind,
        id=item.id,
        name=item.name,
        region=item.region,
        usd_per_hour=None if month is None else month / HOURS_PER_MONTH,
        usd_per_month=month,
        since=item.created_at,
        reason=reason,
        owner=item.ownership.owner,
        project=item.ownership.project,
        type=item.type if isinstance(item, Volume) else item.tier,
    )


def _machine(item: Instance, context: Context) -> CostItem:
    rate = item.usd_per_hour
    return CostItem(
        kind=CostKind.INSTANCE,
        id=item.id,
        name=item.name,
        region=item.region,
        usd_per_hour=rate,
        usd_per_month=None if rate is None else rate * HOURS_PER_MONTH,
        since=item.launched_at,
        reason=_why_instance(item, context),
        owner=item.ownership.owner,
        project=item.ownership.project,
        market=str(item.market),
        type=item.type,
    )


def _address(item: Address) -> CostItem:
    rate = item.usd_per_hour
    return CostItem(
        kind=CostKind.ADDRESS,
        id=item.id,
        name=item.name or item.public_ip,
        region=item.region,
        usd_per_hour=rate,
        usd_per_month=None if rate is None else rate * HOURS_PER_MONTH,
        since=None,
        reason=f"used by {item.instance_id or item.network_interface_id}" if item.associated else "unassociated",
        owner=item.ownership.owner,
        project=item.ownership.project,
    )


def cost_items(context: Context) -> tuple[CostItem, ...]:
    """Everything that bills now, dearest first, unknown prices last.

    Buckets count only where their bytes are known: an unlisted bucket is not an unpriced machine.
    """
    snapshot = context.snapshot
    items = [_machine(i, context) for i in snapshot.instances if i.may_bill]
    items += [_storage(CostKind.VOLUME, v, _why_volume(v, context)) for v in snapshot.volumes]
    whole = {k.region for k, s in snapshot.status.items() if k.source is Source.VOLUMES and s.complete}
    for snap in snapshot.snapshots:
        # Only a complete list of disks can say that one is gone.
        gone = snap.volume_id not in context.volumes and snap.region in whole
        parent = "snapshot of deleted volume" if gone else "snapshot of"
        items.append(_storage(CostKind.SNAPSHOT, snap, f"{parent} {snap.volume_id}"))
    items += [_address(a) for a in snapshot.addresses]
    for bucket in snapshot.buckets:
        month = bucket.usd_per_month
        if month is not None:
            items.append(
                CostItem(
                    CostKind.S3, bucket.name, bucket.name, bucket.region, month / HOURS_PER_MONTH, month,
                    bucket.created_at, "stored objects", None, None,
                )
            )  # fmt: skip
    return tuple(sorted(items, key=lambda i: (i.usd_per_hour is None, -(i.usd_per_hour or 0), i.region, i.id)))


def burn(items: Iterable[CostItem]) -> Burn:
    """The sum per hour, with the count of what has no price. `math.fsum`: the order of rows never changes a cent."""
    rates = [i.usd_per_hour for i in items]
    known = [r for r in rates if r is not None]
    return Burn(math.fsum(known), len(known), len(rates) - len(known))


def jobs(snapshot: Snapshot, context: Context) -> tuple[Job, ...]:
    """Jobs as their machines' tags tell: all that is known without the job's own record."""
    if snapshot.jobs:
        return snapshot.jobs
    newest: dict[str, Instance] = {}
    for machine in snapshot.instances:
        name = machine.ownership.job
        if name and (name not in newest or _later(machine, newest[name])):
            newest[name] = machine
    return tuple(_job_of(name, machine, context) for name, machine in sorted(newest.items()))


def _later(machine: Instance, other: Instance) -> bool:
    """Whether it was launched after the other; what AWS gives no time for is never the newer one."""
    if machine.launched_at is None:
        return False
    return other.launched_at is None or machine.launched_at > other.launched_at


def _job_of(name: str, machine: Instance, context: Context) -> Job:
    attempt = machine.tags.get("runctl:attempt", "")
    return Job(
        id=name,
        name=name,
        state="RUNNING" if machine.state == "running" else "PENDING" if machine.state == "pending" else "UNKNOWN",
        resource_state=str(machine.state),
        region=machine.region,
        last_seen=_as_of(context.snapshot, Source.INSTANCES, machine.region),
        instance_id=machine.id,
        attempt=int(attempt) if attempt.isdecimal() else None,
        usd_so_far=machine.usd_since_launch(context.now),
        reason="known from the machine's tags only",
        owner=machine.ownership.owner,
        project=machine.ownership.project,
    )


def _as_of(snapshot: Snapshot, source: Source, region: str) -> datetime | None:
    return next((s.as_of for k, s in snapshot.status.items() if k.source is source and k.region == region), None)


def summary(context: Context) -> Summary:
    """The figures everybody sees, from the same items as the rows."""
    snapshot, items = context.snapshot, cost_items(context)
    total = burn(items)
    machines = [i for i in items if i.kind is CostKind.INSTANCE]
    storage = [i.usd_per_month for i in items if i.kind in (CostKind.VOLUME, CostKind.SNAPSHOT, CostKind.S3)]
    return Summary(
        burn_usd_per_hour=total.usd,
        burn_unpriced=total.unpriced,
        instances_running=sum(i.state == "running" for i in snapshot.instances),
        instances_stopped=sum(i.state == "stopped" for i in snapshot.instances),
        jobs_running=sum(j.state == "RUNNING" for j in jobs(snapshot, context)),
        volumes_unattached=sum(v.unattached for v in snapshot.volumes),
        storage_usd_per_month=math.fsum(s for s in storage if s is not None),
        storage_unpriced=sum(s is None for s in storage),
        alerts=alerts(context),
        on_demand_usd_per_hour=burn(m for m in machines if m.market == Market.ON_DEMAND).usd,
        spot_usd_per_hour=burn(m for m in machines if m.market == Market.SPOT).usd,
        burn_without=unlisted(snapshot),
        burn_waits=any(
            (status := snapshot.status.get(SourceKey(source, region))) is None
            or (status.as_of is None and status.error is None)
            for source in _BILLING
            for region in snapshot.regions
        ),
    )


_BILLING = (Source.INSTANCES, Source.VOLUMES, Source.SNAPSHOTS, Source.ADDRESSES)


def unlisted(snapshot: Snapshot) -> tuple[str, ...]:
    """Sources whose things bill and that were refused or failed before they were ever listed in full.

    One that was listed in another region is missing in part: ("volumes", "some addresses").
    A bucket's price is known only where its objects were counted, so a list of buckets is not needed for the burn.
    """
    found = []
    for source in _BILLING:
        parts = [s for k, s in snapshot.status.items() if k.source is source]
        lacking = sum(s.error is not None and s.as_of is None for s in parts)
        if lacking:
            found.append(f"some {source}" if any(s.as_of for s in parts) else str(source))
    return tuple(found)


def is_waste(item: object, context: Context) -> bool:
    """Whether an item is known to cost money for nothing; unknown is not waste."""
    match item:
        case Instance():
            left = expires_in_s(item, context) if item.bills else None
            return item.activity.state == "idle" or (left is not None and left < 0)
        case Volume():
            return bool(volume_waste(item, context))
        case CostItem(kind=CostKind.INSTANCE, id=name):
            return name in context.instances and is_waste(context.instances[name], context)
        case CostItem(kind=CostKind.VOLUME, id=name):
            return name in context.volumes and is_waste(context.volumes[name], context)
        case CostItem(reason=reason):
            return reason == "unassociated"
    return False


def waste(context: Context) -> tuple[tuple[CostItem, ...], Burn]:
    """What is wasted now, and its sum per hour."""
    wasted = tuple(i for i in cost_items(context) if is_waste(i, context))
    return wasted, burn(wasted)


def alerts(context: Context) -> tuple[str, ...]:
    """What needs a person: expired machines still running, unattached disks."""
    found = [
        f"{clean_text(i.name, 40) or i.id} should have ended {format_duration(-left)} ago"
        for i in context.snapshot.instances
        if i.bills and (left := expires_in_s(i, context)) is not None and left < 0
    ]
    free = sum(v.unattached for v in context.snapshot.volumes)
    return (*found, *([f"{free} unattached volume{'s' * (free != 1)}"] if free else []))


_WORST = (Health.LOADING, Health.DENIED, Health.ERROR, Health.PARTIAL, Health.STALE, Health.LIVE)


def _effective(status: SourceStatus, now: datetime, interval_s: float) -> Health:
    if status.as_of is not None and status.next_try is not None:
        # Sources are asked at different paces; each is late by its own.
        interval_s = max(interval_s, (status.next_try - status.as_of).total_seconds())
    old = status.as_of is not None and now - status.as_of > timedelta(seconds=interval_s * STALE_AFTER_INTERVALS)
    if status.health is Health.LIVE and (old or status.cached):
        return Health.STALE
    return status.health


def panel_status(context: Context, source: Source, interval_s: float = 10.0) -> PanelStatus:
    """One phrase for all regions of a source."""
    parts = {k.region: s for k, s in context.snapshot.status.items() if k.source is source}
    expected = ("",) if source is Source.BUCKETS else context.snapshot.regions
    waiting = tuple(r for r in expected if r not in parts)
    if not parts:
        return PanelStatus(Health.LOADING, None, f"waiting for AWS ({source})", complete=False)
    healths = {r: _effective(s, context.now, interval_s) for r, s in parts.items()}
    errors = tuple(s.error for s in parts.values() if s.error)
    dates = [s.as_of for s in parts.values() if s.as_of]
    as_of = min(dates) if dates else None
    kinds = set(healths.values()) | ({Health.LOADING} if waiting else set())
    health = (
        kinds.pop() if len(kinds) == 1 else Health.STALE if kinds <= {Health.LIVE, Health.STALE} else Health.PARTIAL
    )
    age = format_duration((context.now - as_of).total_seconds()) if as_of else ""
    text = {Health.LIVE: f"live {age}", Health.STALE: f"stale {age}", Health.LOADING: "loading"}.get(
        health, str(health)
    )
    if any(s.cached for s in parts.values()):
        text = f"from the last run, {age} old"
    troubles = [_trouble(r, s, context.now) for r, s in sorted(parts.items()) if s.error]
    if waiting:
        troubles.append(f"waiting for {', '.join(waiting)}")
    complete = not waiting and all(s.complete for s in parts.values())
    return PanelStatus(health, as_of, " · ".join((text, *troubles)), complete, errors)


def _trouble(region: str, status: SourceStatus, now: datetime) -> str:
    error = status.error
    if error is None:
        return ""
    where = f" in {region}" if region else ""
    if status.health is Health.DENIED:
        return f"not allowed: {error.service}:{error.operation}{where}"
    retry = f", next try in {format_duration((status.next_try - now).total_seconds())}" if status.next_try else ""
    return f"{error.code}: {error.service}:{error.operation}{where}{retry}"


def sort_items(
    items: Iterable[T], fields: Fields[T], name: str, context: Context, *, descending: bool = False
) -> list[T]:
    """Sort by a field; unknown comes last in both directions, equals stay in their order.

    Raises:
        KeyError: there is no such field.
    """
    column = fields.by_name[name]
    known: list[tuple[object, T]] = []
    unknown: list[T] = []
    for item in items:
        value = column.get(item, context)
        if value is None or column.kind is Kind.OBJECT:
            unknown.append(item)
        else:
            known.append((value.casefold() if isinstance(value, str) else value, item))
    known.sort(key=lambda pair: pair[0], reverse=descending)  # type: ignore[arg-type,return-value]  # one type a field
    return [item for _, item in known] + unknown


def rows_of(context: Context, noun: str) -> Sequence[object]:
    """The items of a screen: "instances", "jobs", "s3", "volumes" or "cost"."""
    snapshot = context.snapshot
    readers: dict[str, Callable[[], Sequence[object]]] = {
        "instances": lambda: snapshot.instances,
        "jobs": lambda: jobs(snapshot, context),
        "s3": lambda: snapshot.buckets,
        "volumes": lambda: snapshot.volumes,
        "cost": lambda: cost_items(context),
    }
    return readers[noun]()
