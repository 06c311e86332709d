"""What the ledger keeps: sightings go in, intervals and gaps come out. Times are aware UTC; money is USD."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from runctl.models.cost import CostKind


class Basis(StrEnum):
    """How an interval is known, best first."""

    OBSERVED = "observed"  # seen by runctl at both ends, never more than a few polls apart
    CONTINUED = "continued"  # not watched, but the same run (LaunchTime, id) at the same list price at both ends
    BACKFILLED = "backfilled"  # before the first sight: from LaunchTime or creation, at the price first seen


class ResourceKey(NamedTuple):
    """What one account can tell apart: the same id in two regions is two things."""

    account: str
    region: str
    kind: CostKind
    id: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """One resource at one moment.

    Args:
        key: which resource.
        bills: whether it bills at that moment.
        rate: USD per hour it bills at, None when unknown.
        source: where the rate comes from (price source code).
        run_started: LaunchTime of the current run, or the creation time of storage: two sightings with the same value
            belong to one uninterrupted run. None when AWS does not say.
        ended_at: when it stopped, where AWS says so (StateTransitionReason).
        rate_since: since when that rate holds (timestamp of the spot price step), None for list prices.
        market: "spot", "on-demand", or "" for storage.
    """

    key: ResourceKey
    bills: bool
    rate: float | None
    source: str = ""
    run_started: datetime | None = None
    ended_at: datetime | None = None
    rate_since: datetime | None = None
    market: str = ""
    type: str = ""
    name: str = ""
    owner: str | None = None
    project: str | None = None
    job: str | None = None


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of one run at one rate.

    Args:
        started, until: the stretch; `until` moves on while it is open.
        rate: USD per hour, None when unknown.
        basis: how it is known.
        run_started: the run it belongs to.
        extra_s: seconds billed beyond `until` by the 60 s minimum of a run.
        open: it is still going on as far as is known.
    """

    started: datetime
    until: datetime
    rate: float | None
    basis: Basis
    source: str = ""
    market: str = ""
    type: str = ""
    run_started: datetime | None = None
    extra_s: float = 0.0
    open: bool = True


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch in which the resource may have billed and nobody knows: reported, never filled."""

    started: datetime
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class LedgerTotal:
    """What a window cost, split by how it is known.

    Args:
        group: value of the grouping ("p4d.24xlarge", "ana"), "" for everything.
        usd: all priced intervals in the window.
        usd_by_basis: the same split by `Basis`.
        priced_s: seconds that have a price.
        unpriced_s: seconds that billed at an unknown price.
        gap_s: seconds in which it is unknown whether it billed.
        resources: how many different resources.
    """

    group: str
    usd: float
    usd_by_basis: dict[Basis, float]
    priced_s: float
    unpriced_s: float
    gap_s: float
    resources: int
