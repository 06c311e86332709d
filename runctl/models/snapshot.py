"""Everything on screen, as one immutable value; `--once` prints the same object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from runctl.models.identity import Identity
from runctl.models.instance import Instance
from runctl.models.job import Job
from runctl.models.s3 import Bucket
from runctl.models.volume import Address, Volume, VolumeSnapshot

if TYPE_CHECKING:  # nothing is counted yet when the first picture is drawn
    from runctl.models.spent import Spent


class Source(StrEnum):
    """What is listed from AWS, one poll each."""

    IDENTITY = "identity"
    REGIONS = "regions"
    INSTANCES = "instances"
    VOLUMES = "volumes"
    SNAPSHOTS = "snapshots"
    ADDRESSES = "addresses"
    BUCKETS = "buckets"
    JOBS = "jobs"


#: Chosen in place of names: every region of the account.
ALL_REGIONS = ("all",)
#: What is listed once for the whole account.
WITHOUT_REGION = frozenset({Source.BUCKETS, Source.JOBS})


class SourceKey(NamedTuple):
    """One source in one region ("" for what has no region)."""

    source: Source
    region: str


class Health(StrEnum):
    """How much to trust what a source shows."""

    LOADING = "loading"
    LIVE = "live"
    STALE = "stale"  # older than three intervals, or from the disk cache
    PARTIAL = "partial"  # some pages or regions are missing
    ERROR = "error"  # the last attempt failed; the rows are the last good ones
    DENIED = "denied"  # not allowed, which is not the same as none


@dataclass(frozen=True, slots=True)
class ErrorRecord:
    """One failure, kept for `!` and for `errors[]` of `--once`. `error_class` is the class name in `runctl.errors`."""

    at: datetime
    service: str
    operation: str
    region: str
    code: str
    message: str
    hint: str = ""
    retryable: bool = False
    error_class: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """State of one source in one region.

    Args:
        health: how much to trust it.
        as_of: when the data shown was complete; None before the first answer.
        complete: every page of the last attempt arrived.
        error: the failure that is current, None when the last attempt worked.
        next_try: when it is asked again, None when polling is off.
        cached: the rows come from the disk cache of an earlier run.
    """

    health: Health = Health.LOADING
    as_of: datetime | None = None
    complete: bool = False
    error: ErrorRecord | None = None
    next_try: datetime | None = None
    cached: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Snapshot:
    """The whole fleet at one moment. Compared by identity: a new object means something changed.

    Args:
        scope: number of the profile/region choice it belongs to; answers of another scope are dropped.
        regions: the regions that are asked.
        instances, volumes, …: everything known, in a stable order (region, id).
        status: state of each source and region.
        errors: failures seen, newest first, repeated ones counted.
        spent: what the ledger has counted; None until it answered, or where there is none.
    """

    scope: int = 0
    identity: Identity | None = None
    profile: str = ""
    regions: tuple[str, ...] = ()
    instances: tuple[Instance, ...] = ()
    volumes: tuple[Volume, ...] = ()
    snapshots: tuple[VolumeSnapshot, ...] = ()
    addresses: tuple[Address, ...] = ()
    buckets: tuple[Bucket, ...] = ()
    jobs: tuple[Job, ...] = ()
    status: Mapping[SourceKey, SourceStatus] = field(default_factory=dict)
    errors: tuple[ErrorRecord, ...] = ()
    spent: Spent | None = None


EMPTY = Snapshot()
