"""What happened, in the past tense. Pollers and actions speak events; the store folds them into a Snapshot.

Every event carries the `scope` it was asked under (a number that grows with each change of profile or regions), so that
a late answer of an earlier choice is recognised and dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from runctl.models.identity import Identity
from runctl.models.instance import Instance
from runctl.models.job import Job
from runctl.models.s3 import Bucket
from runctl.models.snapshot import ErrorRecord, Health, SourceKey
from runctl.models.volume import Address, Volume, VolumeSnapshot

if TYPE_CHECKING:
    from runctl.models.spent import Spent

Item = Instance | Volume | VolumeSnapshot | Address | Bucket | Job


def name_of(item: Item) -> str:
    """What a thing is known by within its source and region."""
    return item.name if isinstance(item, Bucket) else item.id


@dataclass(frozen=True, slots=True)
class ScopeChanged:
    """The user chose a profile or regions: what belongs to the earlier scope is dropped."""

    scope: int
    profile: str
    regions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IdentityResolved:
    """STS answered."""

    scope: int
    identity: Identity


@dataclass(frozen=True, slots=True)
class RegionsResolved:
    """The regions to ask are known (`all` needed DescribeRegions)."""

    scope: int
    regions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PageArrived:
    """One page of a listing: items are added or replaced by id. `listing` numbers the listing it belongs to."""

    scope: int
    key: SourceKey
    listing: int
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class ListingCompleted:
    """Every page arrived: what this listing did not name is gone. `ids` are all ids it named."""

    scope: int
    key: SourceKey
    listing: int
    ids: frozenset[str]
    as_of: datetime
    next_try: datetime | None = None


@dataclass(frozen=True, slots=True)
class ListingFailed:
    """A listing ended in an error. Rows already known stay; `partial` says whether some pages of it did arrive."""

    scope: int
    key: SourceKey
    listing: int
    error: ErrorRecord
    health: Health
    partial: bool = False
    next_try: datetime | None = None


@dataclass(frozen=True, slots=True)
class ItemsUpdated:
    """Some items are known better (hardware of a type, bytes of a bucket, activity): replaced by id, none removed."""

    scope: int
    key: SourceKey
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class SpentCounted:
    """The ledger was asked what has been spent; `account` is whose money it was."""

    scope: int
    account: str
    spent: Spent


Event = (
    ScopeChanged
    | IdentityResolved
    | RegionsResolved
    | PageArrived
    | ListingCompleted
    | ListingFailed
    | ItemsUpdated
    | SpentCounted
)
