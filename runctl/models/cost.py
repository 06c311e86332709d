"""Money: prices with their source, and what bills. Unknown is None, never zero."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

HOURS_PER_MONTH = 730.0  # AWS's own month for quoting EBS and hourly prices (AWS Pricing Calculator assumptions)


def a_month(usd_per_hour: float | None) -> float | None:
    """USD a month of what bills by the hour; None stays unknown."""
    return None if usd_per_hour is None else usd_per_hour * HOURS_PER_MONTH


def an_hour(usd_per_month: float | None) -> float | None:
    """USD an hour of what bills by the month; None stays unknown."""
    return None if usd_per_month is None else usd_per_month / HOURS_PER_MONTH


class Confidence(StrEnum):
    """How sure a price is, best first."""

    LIVE = "live"  # asked AWS within the cache's age
    LISTED = "listed"  # AWS's list price on the book's date
    DATED = "dated"  # a list price from an older source, unchanged where it could be checked
    INFERRED = "inferred"  # the same type's price in another region, which has equalled it wherever both are known
    TYPICAL = "typical"  # a usual spot price, not today's


@dataclass(frozen=True, slots=True)
class Price:
    """USD per unit with where it came from.

    Args:
        usd: USD per hour for machines, per GB-month, IOPS-month or MBps-month for storage; see `unit`.
        unit: "hour", "GB-month", "IOPS-month", "MBps-month".
        source: code of the source in NOTICE ("kp2607"), or "spot-history", "price-list".
        confidence: how sure.
        as_of: the date of the fact, None when the source is undated.
        since: when a spot price began to hold, None for list prices.
    """

    usd: float
    unit: str
    source: str
    confidence: Confidence
    as_of: date | None = None
    since: datetime | None = None


class CostKind(StrEnum):
    """What kind of resource bills."""

    INSTANCE = "instance"
    VOLUME = "volume"
    SNAPSHOT = "snapshot"
    ADDRESS = "address"
    LENT_ADDRESS = "lent-address"  # in the ledger only: it comes and goes with its machine
    S3 = "s3"


@dataclass(frozen=True, slots=True)
class CostItem:
    """One thing that bills now.

    Args:
        kind: what it is.
        id: AWS id (for S3 the bucket).
        name: its name, "" when it has none.
        region: where.
        usd_per_hour: what it bills now, None when unknown.
        usd_per_month: the same for 730 hours, None when unknown.
        since: since when it bills (launch, creation); None when unknown.
        reason: why it still exists, one short phrase.
        owner: from the tags, None when unknown.
        project: from the tags, None when unknown.
        market: "spot" or "on-demand" for machines, "" for the rest.
        type: instance type, volume type, or "".
    """

    kind: CostKind
    id: str
    name: str
    region: str
    usd_per_hour: float | None
    usd_per_month: float | None
    since: datetime | None
    reason: str
    owner: str | None
    project: str | None
    market: str = ""
    type: str = ""


@dataclass(frozen=True, slots=True)
class Burn:
    """A sum that admits what it does not know: `usd` over the `priced` items, `unpriced` more have no price."""

    usd: float
    priced: int
    unpriced: int
