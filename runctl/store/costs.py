"""Everything that bills, why it still exists, and what of it is wasted. Pure functions of a snapshot."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from runctl.format import clean_text, format_duration
from runctl.models.cost import HOURS_PER_MONTH, Burn, CostItem, CostKind
from runctl.models.instance import BILLING_STATES, Instance
from runctl.models.snapshot import Snapshot, Source
from runctl.models.volume import Address, Volume, VolumeSnapshot
from runctl.store.fields import Context, expires_in_s, volume_waste


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


def lent_id(item: Instance) -> str:
    """What the address that EC2 lent a machine is called: it has no id of its own."""
    return f"{item.id}/{item.public_ip or 'address'}"


def lenders(snapshot: Snapshot) -> list[Instance]:
    """Machines with a public address that EC2 lent them; none where nobody asked for addresses at all.

    `--once instances` is about machines: its sum is the sum of its rows.
    """
    if not any(key.source is Source.ADDRESSES for key in snapshot.status):
        return []
    return [i for i in snapshot.instances if i.has_lent_address and i.may_bill]


def _lent(item: Instance) -> CostItem:
    rate = item.lent_address_usd_per_hour
    return CostItem(
        kind=CostKind.ADDRESS,
        id=lent_id(item),
        name=item.public_ip or "",
        region=item.region,
        usd_per_hour=rate,
        usd_per_month=None if rate is None else rate * HOURS_PER_MONTH,
        since=item.launched_at,
        reason=f"lent to {clean_text(item.name, 40) or item.id} while it runs",
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
    items += [_lent(i) for i in lenders(snapshot)]
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


@dataclass(frozen=True, slots=True)
class Charges:
    """What `cost_items` would say of money, without its words: made for every picture, of ten thousand machines too.

    Args:
        machines: USD per hour of each, by how they were bought.
        storage: USD per month of each volume, snapshot and counted bucket.
        addresses: USD per hour of each.
    """

    machines: Mapping[str, Sequence[float | None]]
    storage: tuple[float | None, ...]
    addresses: tuple[float | None, ...]

    @property
    def standing(self) -> list[float | None]:
        """USD per hour of all but the machines."""
        return [None if month is None else month / HOURS_PER_MONTH for month in self.storage] + list(self.addresses)


def charges(snapshot: Snapshot) -> Charges:
    """Every charge there is now; the same ones as `cost_items`."""
    stored: list[float | None] = [v.usd_per_month for v in snapshot.volumes]
    stored += [s.usd_per_month for s in snapshot.snapshots]
    stored += [b.usd_per_month for b in snapshot.buckets if b.usd_per_month is not None]
    machines = defaultdict[str, list[float | None]](list)
    for machine in snapshot.instances:
        if machine.may_bill:
            machines[machine.market].append(machine.usd_per_hour)
    return Charges(
        machines,
        tuple(stored),
        tuple(a.usd_per_hour for a in snapshot.addresses)
        + tuple(i.lent_address_usd_per_hour for i in lenders(snapshot)),
    )


def burn(items: Iterable[CostItem]) -> Burn:
    """The sum per hour, with the count of what has no price."""
    return burn_of([i.usd_per_hour for i in items])


def burn_of(rates: Sequence[float | None]) -> Burn:
    """The sum of rates. `math.fsum`: the order of rows never changes a cent."""
    known = [r for r in rates if r is not None]
    return Burn(math.fsum(known), len(known), len(rates) - len(known))


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
