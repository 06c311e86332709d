"""What has been spent, as the ledger counted it. USD; what nobody saw is said beside the figure, never inside it.

Days and months are UTC, as on AWS's bill: no day has 23 or 25 hours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from runctl.models.ledger import Basis, LedgerTotal


def day_start(at: datetime) -> datetime:
    """Midnight UTC before `at`."""
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def month_start(at: datetime) -> datetime:
    """The first of the month before `at`, UTC."""
    return day_start(at).replace(day=1)


def month_end(at: datetime) -> datetime:
    """The first of the month after `at`, UTC."""
    return (month_start(at) + timedelta(days=32)).replace(day=1)


@dataclass(frozen=True, slots=True)
class Window:
    """One stretch of time and what it cost.

    Args:
        since, until: the stretch.
        usd: everything that is known and priced.
        unpriced_s: resource-seconds that billed at an unknown price.
        gap_s: resource-seconds of which nobody knows whether they billed.
        backfilled_usd: how much of `usd` is from before the first sight (from LaunchTime, at the price first seen).
        watched: the ledger has looked since the beginning of the stretch; before that it knows only what still ran.
    """

    since: datetime
    until: datetime
    usd: float = 0.0
    unpriced_s: float = 0.0
    gap_s: float = 0.0
    backfilled_usd: float = 0.0
    watched: bool = False

    @property
    def complete(self) -> bool:
        """Whether `usd` is all of it; else it is the least."""
        return self.watched and not self.unpriced_s and not self.gap_s

    @property
    def hours(self) -> float:
        """Its length."""
        return (self.until - self.since).total_seconds() / 3600


@dataclass(frozen=True, slots=True)
class BurnPoint:
    """Mean USD per hour over one step of the burn curve; None in a gap.

    `unpriced` says that something billed at a price nobody knows.
    """

    at: datetime
    on_demand: float | None
    spot: float | None
    storage: float | None
    unpriced: bool = False


@dataclass(frozen=True, slots=True)
class RunSpent:
    """What the current run of one resource has cost, `whole` when no second of it is unknown or unpriced."""

    usd: float
    whole: bool


@dataclass(frozen=True, eq=False, slots=True)
class Spent:
    """The ledger's answer at one moment. Compared by identity, like the snapshot it is part of.

    Args:
        as_of: the moment.
        since: from when on the account has been observed in all regions that are asked; None: never.
        today, month: since midnight and since the first, UTC.
        recent: the last 24 hours, the last 7 days: what a forecast stands on.
        runs: the current run by (kind, region, id).
        groups: by "project", "owner", "kind" and "job", the month's totals (of a job: all time).
        day, week: burn curves of the last 24 hours and 7 days; () where nobody asked for curves.
        notice: what is wrong with the ledger, "" when nothing.
    """

    as_of: datetime
    since: datetime | None
    today: Window
    month: Window
    recent: tuple[Window, ...] = ()
    runs: Mapping[tuple[str, str, str], RunSpent] = field(default_factory=dict)
    groups: Mapping[str, Mapping[str, LedgerTotal]] = field(default_factory=dict)
    day: tuple[BurnPoint, ...] = ()
    week: tuple[BurnPoint, ...] = ()
    notice: str = ""


def window_of(since: datetime, until: datetime, totals: list[LedgerTotal], observed: datetime | None) -> Window:
    """The sum of some totals as a window."""
    return Window(
        since,
        until,
        usd=sum(t.usd for t in totals),
        unpriced_s=sum(t.unpriced_s for t in totals),
        gap_s=sum(t.gap_s for t in totals),
        backfilled_usd=sum(t.usd_by_basis.get(Basis.BACKFILLED, 0.0) for t in totals),
        watched=observed is not None and observed <= since,
    )
