"""The bill beside the ledger's estimate: by service, by day, by tag. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from runctl.models.billed import SERVICES, Billed, BilledLine


def by_group(billed: Billed, estimate: Callable[[str], float | None]) -> tuple[BilledLine, ...]:
    """A line for each service or tag value, dearest first; "?" is what has no tag."""
    sums: dict[str, list[float]] = {}
    for cell in billed.cells:
        sums.setdefault(cell.group or "?", []).append(cell.usd)
    guess = any(c.estimated for c in billed.cells)
    lines = [BilledLine(name, math.fsum(parts), estimate(name), guess) for name, parts in sums.items()]
    return tuple(sorted(lines, key=lambda line: (-line.billed_usd, line.name)))


def by_day(billed: Billed, estimates: Mapping[str, float]) -> tuple[BilledLine, ...]:
    """A line for each day, of the services that the ledger counts, so that like stands beside like."""
    sums: dict[str, list[float]] = {}
    guess: dict[str, bool] = {}
    for cell in billed.cells:
        day = cell.day.isoformat()
        sums.setdefault(day, [])
        guess[day] = guess.get(day, False) or cell.estimated
        if cell.group in SERVICES:
            sums[day].append(cell.usd)
    return tuple(BilledLine(day, math.fsum(sums[day]), estimates.get(day), guess[day]) for day in sorted(sums))


def service_estimate(kinds: Mapping[str, float]) -> Callable[[str], float | None]:
    """The ledger's figure for a service, None for services that it does not count."""

    def estimate(name: str) -> float | None:
        known = SERVICES.get(name)
        return None if known is None else math.fsum(kinds.get(kind, 0.0) for kind in known)

    return estimate
