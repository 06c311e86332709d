"""What AWS has billed, as Cost Explorer tells it, beside what the ledger reckons. USD, unblended, UTC days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

#: What one page of Cost Explorer costs (AWS Cost Explorer pricing page).
USD_PER_PAGE = 0.01
#: Cost Explorer's names of what the ledger counts, and the ledger's kinds (Billing console, "Service").
SERVICES = {
    "Amazon Elastic Compute Cloud - Compute": ("instance",),
    "EC2 - Other": ("volume", "snapshot"),
    "Amazon Virtual Private Cloud": ("address",),
    "Amazon Simple Storage Service": ("s3",),
}


@dataclass(frozen=True, slots=True)
class BilledCell:
    """One group on one day; `estimated` while AWS may still change it."""

    day: date
    group: str
    usd: float
    estimated: bool


@dataclass(frozen=True, slots=True)
class Billed:
    """An answer of Cost Explorer.

    Args:
        by: "service", or the tag it is grouped by.
        start, end: the days, `end` not included.
        cells: what each group cost each day.
        asked_at: when AWS was asked; the bill is renewed at most three times a day.
        pages: how many pages that took.
        cached: nothing was asked now.
    """

    by: str
    start: date
    end: date
    cells: tuple[BilledCell, ...]
    asked_at: datetime
    pages: int
    cached: bool = False


@dataclass(frozen=True, slots=True)
class BilledLine:
    """One group (or day): billed, reckoned, and what lies between. `estimate_usd` is None where nothing is reckoned."""

    name: str
    billed_usd: float
    estimate_usd: float | None
    estimated: bool

    @property
    def id(self) -> str:
        """Its name."""
        return self.name

    @property
    def difference_usd(self) -> float | None:
        """Billed minus reckoned."""
        return None if self.estimate_usd is None else self.billed_usd - self.estimate_usd

    @property
    def difference_percent(self) -> float | None:
        """The same as a share of what was billed."""
        gap = self.difference_usd
        return None if gap is None or not self.billed_usd else gap / self.billed_usd * 100
