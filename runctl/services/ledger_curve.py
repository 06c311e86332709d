"""The burn curve out of the ledger: SQLite sums what begins and ends in each step, so Python's work grows with steps.

An interval is told by the steps it begins and ends in and how much of these two it does not cover, so intervals with
the same first and last step are one row of the answer. From one step to the next the rate is a running sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Any

from runctl.models.spent import BurnPoint
from runctl.services.ledger_file import ms_of, time_of
from runctl.services.ledger_read import Rows

#: `s` and `e` are milliseconds since the beginning of the window, clipped to it, and `span` is its length. Whole
#: numbers: which step a moment belongs to must not depend on how a fraction is rounded.
_STEPS = (
    "s * :steps / :span AS first, (e * :steps - 1) / :span AS last,"
    " (s * :steps % :span) * 1.0 / :span AS before,"
    " 1.0 - (e * :steps - (e * :steps - 1) / :span * :span) * 1.0 / :span AS after"
)
_CURVE = f"""
    SELECT name, first, last, COUNT(*), COUNT(rate), TOTAL(rate), TOTAL(rate * before), TOTAL(rate * after) FROM (
        SELECT name, rate, {_STEPS} FROM (
            SELECT CASE WHEN r.kind <> 'instance' THEN '' WHEN i.market = 'spot' THEN 'spot' ELSE 'on-demand' END name,
                i.rate, MAX(i.started, :a) - :a AS s, MIN(i.until, :b) - :a AS e
            FROM interval i JOIN resource r ON r.id = i.resource
            WHERE i.until > :a AND i.started < :b AND i.until > i.started AND r.account = :account))
    GROUP BY name, first, last
"""  # noqa: S608  # of constants
_GAPS = f"""
    SELECT first, last, MAX(1.0 - before - after), MAX(1.0 - before), MAX(1.0 - after) FROM (
        SELECT {_STEPS} FROM (
            SELECT MAX(g.started, :a) - :a AS s, MIN(g.until, :b) - :a AS e
            FROM gap g JOIN resource r ON r.id = g.resource
            WHERE g.until > :a AND g.started < :b AND g.until > g.started AND r.account = :account))
    GROUP BY first, last
"""  # noqa: S608  # of constants
#: A step of which more than this may have billed unseen says nothing.
_BLIND = 0.1


class _Running:
    """A sum over time: what begins in one step and ends in another, told as differences."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._more, self._count, self._once = [0.0] * (steps + 1), [0] * (steps + 1), [0.0] * steps

    def add(self, first: int, last: int, rate: float, count: int) -> None:
        """Something at `rate` in all of these steps."""
        self._more[first] += rate
        self._more[last + 1] -= rate
        self._count[first] += count
        self._count[last + 1] -= count

    def lessen(self, step: int, amount: float) -> None:
        """What it does not cover of one step."""
        self._once[step] += amount

    def counts(self) -> list[int]:
        """How many are in each step."""
        return list(accumulate(self._count[: self._steps]))

    def values(self) -> list[float]:
        """The mean of each step; exactly nothing where there is nothing."""
        whole = accumulate(self._more[: self._steps])
        return [
            max(0.0, rate - once) if count else 0.0
            for rate, once, count in zip(whole, self._once, self.counts(), strict=True)
        ]


def burn_curve(ledger: Rows, account: str, since: datetime, until: datetime, steps: int) -> tuple[BurnPoint, ...]:
    """Mean USD per hour in equal steps of a window, by what it was spent on.

    A step is a gap (None) where something may have billed unseen for more than a tenth of it, or where nothing at all
    is known. What billed at an unknown price is not in it, and said.
    """
    a, span = ms_of(since), ms_of(until) - ms_of(since)
    asked = {"a": a, "b": a + span, "span": span, "steps": steps, "account": account}
    sums = {name: _Running(steps) for name in ("on-demand", "spot", "")}
    known, unpriced = _Running(steps), _Running(steps)
    for name, first, last, count, priced, rate, before, after in ledger.query(_CURVE, asked):
        known.add(first, last, 0.0, count)
        unpriced.add(first, last, 0.0, count - priced)
        sums[name].add(first, last, rate, priced)
        sums[name].lessen(first, before)
        sums[name].lessen(last, after)
    blind = _blind(ledger.query(_GAPS, asked), steps)
    on_demand, spot, storage = (sums[name].values() for name in ("on-demand", "spot", ""))
    seen, lacking = known.counts(), unpriced.counts()
    found = []
    for n in range(steps):
        at, without = time_of(round(a + n * span / steps)), lacking[n] > 0
        shown = seen[n] and blind[n] <= _BLIND
        found.append(
            BurnPoint(at, on_demand[n], spot[n], storage[n], without)
            if shown
            else BurnPoint(at, None, None, None, without)
        )
    return tuple(found)


def _blind(gaps: Iterable[Sequence[Any]], steps: int) -> list[float]:
    """The largest share of each step that a gap covers."""
    whole, share = _Running(steps), [0.0] * steps
    for first, last, within, begun, ended in gaps:
        if first == last:
            share[first] = max(share[first], within)
            continue
        share[first], share[last] = max(share[first], begun), max(share[last], ended)
        if last - first > 1:
            whole.add(first + 1, last - 1, 0.0, 1)
    return [1.0 if count else part for count, part in zip(whole.counts(), share, strict=True)]
