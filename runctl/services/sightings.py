"""What was listed, as the ledger reads it: who bills, at which rate, since when. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from runctl.events import Item
from runctl.models.cost import HOURS_PER_MONTH, CostKind
from runctl.models.instance import Instance
from runctl.models.ledger import ResourceKey, Sighting
from runctl.models.s3 import Bucket
from runctl.models.snapshot import Source
from runctl.models.volume import Address, Volume, VolumeSnapshot

#: The sources whose listings feed the ledger, and what each lists.
KINDS_OF = {
    Source.INSTANCES: (CostKind.INSTANCE, CostKind.LENT_ADDRESS),
    Source.VOLUMES: (CostKind.VOLUME,),
    Source.SNAPSHOTS: (CostKind.SNAPSHOT,),
    Source.ADDRESSES: (CostKind.ADDRESS,),
    Source.BUCKETS: (CostKind.S3,),
}


def sightings(account: str, items: Iterable[Item]) -> list[Sighting]:
    """A sighting of each item that may bill; a bucket only where its bytes are known."""
    found = []
    for item in items:
        if (seen := _sighting(account, item)) is not None:
            found.append(seen)
        if isinstance(item, Instance) and item.has_lent_address:
            found.append(_lent(account, item))
    return found


def _lent(account: str, item: Instance) -> Sighting:
    """The public address that EC2 lends a machine bills as long as the machine runs."""
    own = item.ownership
    return Sighting(
        ResourceKey(account, item.region, CostKind.LENT_ADDRESS, f"{item.id}/{item.public_ip or 'address'}"),
        bills=item.may_bill,
        rate=item.lent_address_usd_per_hour,
        source="storage",
        run_started=item.launched_at,
        ended_at=item.stopped_at,
        name=item.public_ip or "",
        owner=own.owner,
        project=own.project,
        job=own.job,
    )


def _sighting(account: str, item: Item) -> Sighting | None:
    match item:
        case Instance():
            return _machine(account, item)
        case Volume():
            key = ResourceKey(account, item.region, CostKind.VOLUME, item.id)
            return _storage(key, item, item.type, item.price_source)
        case VolumeSnapshot():
            key = ResourceKey(account, item.region, CostKind.SNAPSHOT, item.id)
            return _storage(key, item, item.tier, "storage")
        case Address():
            key = ResourceKey(account, item.region, CostKind.ADDRESS, item.id)
            own = item.ownership
            return Sighting(
                key, bills=True, rate=item.usd_per_hour, source="storage", name=item.name or item.public_ip,
                owner=own.owner, project=own.project, job=own.job,
            )  # fmt: skip
        case Bucket(usd_per_month=month) if month is not None:
            key = ResourceKey(account, item.region, CostKind.S3, item.name)
            return Sighting(
                key, bills=True, rate=month / HOURS_PER_MONTH, source="storage", run_started=item.created_at,
                name=item.name,
            )  # fmt: skip
    return None


def _machine(account: str, item: Instance) -> Sighting:
    rate, own = item.rate, item.ownership
    return Sighting(
        ResourceKey(account, item.region, CostKind.INSTANCE, item.id),
        bills=item.may_bill,
        # In a state that nobody here knows it may bill, at what price is anybody's guess.
        rate=None if rate is None or (item.may_bill and not item.bills) else rate.usd,
        source="" if rate is None else rate.source,
        run_started=item.launched_at,
        ended_at=item.stopped_at,
        rate_since=None if rate is None else rate.since,
        market=str(item.market),
        type=item.type,
        name=item.name,
        owner=own.owner,
        project=own.project,
        job=own.job,
    )


def _storage(key: ResourceKey, item: Volume | VolumeSnapshot, kind: str, source: str) -> Sighting:
    own, month = item.ownership, item.usd_per_month
    return Sighting(
        key,
        bills=True,
        rate=None if month is None else month / HOURS_PER_MONTH,
        source=source,
        run_started=item.created_at,
        type=kind,
        name=item.name,
        owner=own.owner,
        project=own.project,
        job=own.job,
    )
