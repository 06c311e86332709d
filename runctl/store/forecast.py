"""What a day or a month will have cost at its end: a figure with the basis it stands on and a band. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from runctl.models.spent import Spent, Window, month_end


@dataclass(frozen=True, slots=True)
class Forecast:
    """USD at the end of a window.

    Args:
        usd: the likely figure.
        low, high: the band: the slowest and the fastest of the paces known.
        basis: in words, what pace the likely figure goes on with.
        unpriced: how many things bill at an unknown price; with any, the figures are the least.
    """

    usd: float
    low: float
    high: float
    basis: str
    unpriced: int = 0


def forecast_month(
    spent: Spent | None, burn_now: float, storage_now: float, now: datetime, unpriced: int = 0
) -> Forecast | None:
    """The month's bill at its end; None where the ledger does not know the month so far.

    Args:
        spent: the ledger's answer.
        burn_now: USD per hour of everything that bills now.
        storage_now: USD per hour of what bills also when every machine stands still: the least there will be.
        now: the time.
        unpriced: how many things are not in `burn_now`.
    """
    if spent is None or spent.since is None:
        return None
    left = max(0.0, (month_end(now) - now).total_seconds() / 3600)
    paces = {f"the burn of now, ${burn_now:,.2f}/h": burn_now}
    likely = next(iter(paces))
    for window, name in zip(spent.recent, ("the mean of the last 24 h", "the mean of the last 7 days"), strict=False):
        if window.watched and window.hours > 0:
            paces[name] = window.usd / window.hours
            likely = name
    rates = list(paces.values()) if len(paces) > 1 else [storage_now, burn_now]
    so_far = spent.month.usd
    return Forecast(
        so_far + paces[likely] * left,
        so_far + min(rates) * left,
        so_far + max(rates) * left,
        likely if len(paces) > 1 else f"{likely}; not watched for a day yet, so the band begins at storage alone",
        unpriced,
    )


def pace_to(window: Window, end: datetime, rate: float) -> float:
    """What a window will have cost at `end` at a rate in USD per hour."""
    return window.usd + rate * max(0.0, (end - window.until).total_seconds() / 3600)
