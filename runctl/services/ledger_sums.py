"""Several windows and groupings of the ledger out of one pass over it; `ledger_read.totals` says each by itself.

The pass is SQLite's, which lets other threads go on meanwhile; Python adds up one row for each project, owner, kind and
basis.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from runctl.models.ledger import Basis, LedgerTotal
from runctl.services.ledger_file import ms_of
from runctl.services.ledger_read import Rows

#: What the month is grouped by; a row begins with these.
BY = ("project", "owner", "kind")
_BY = "COALESCE(r.project, ''), COALESCE(r.owner, ''), r.kind"
_COVERED = "MAX(0, MIN(i.until, :b) - MAX(i.started, :a{n}))"
_WINDOW = (
    f"TOTAL(i.rate / 3600.0 * ({_COVERED} / 1000.0"
    " + CASE WHEN i.until >= :a{n} AND i.until < :b THEN i.extra_s ELSE 0 END)),"
    f" TOTAL(CASE WHEN i.rate IS NOT NULL THEN {_COVERED} END) / 1000.0,"
    f" TOTAL(CASE WHEN i.rate IS NULL THEN {_COVERED} END) / 1000.0,"
    " COUNT(CASE WHEN i.until >= :a{n} THEN 1 END)"
)
_SUMS = (
    "SELECT {by}, i.basis, COUNT(DISTINCT CASE WHEN i.until >= :a0 THEN i.resource END), {windows}"
    " FROM interval i JOIN resource r ON r.id = i.resource"
    " WHERE i.until >= :least AND i.started < :b AND r.account = :account GROUP BY 1, 2, 3, 4"
)
_GAP = "TOTAL(MAX(0, MIN(g.until, :b) - MAX(g.started, :a{n}))) / 1000.0, COUNT(CASE WHEN g.until > :a{n} THEN 1 END)"
_GAPS = (
    "SELECT {by}, {windows} FROM gap g JOIN resource r ON r.id = g.resource"
    " WHERE g.until > :least AND g.started < :b AND r.account = :account GROUP BY 1, 2, 3"
)


@dataclass
class _Sum:
    """One total in the making."""

    usd: dict[Basis, float] = field(default_factory=dict)
    resources: dict[Basis, int] = field(default_factory=dict)
    priced_s: float = 0.0
    unpriced_s: float = 0.0
    gap_s: float = 0.0

    def add(self, basis: Basis, usd: float, priced_s: float, unpriced_s: float, resources: int) -> None:
        """A row of intervals. A resource has one project, owner and kind, so counts of different ones add up."""
        self.usd[basis] = self.usd.get(basis, 0.0) + usd
        self.resources[basis] = self.resources.get(basis, 0) + resources
        self.priced_s += priced_s
        self.unpriced_s += unpriced_s

    def total(self, group: str) -> LedgerTotal:
        """Done."""
        most = max(self.resources.values(), default=0)
        return LedgerTotal(group, sum(self.usd.values()), self.usd, self.priced_s, self.unpriced_s, self.gap_s, most)


def window_sums(
    ledger: Rows, account: str, starts: Sequence[datetime], until: datetime
) -> tuple[list[LedgerTotal], dict[str, dict[str, LedgerTotal]]]:
    """What each window `[start, until)` cost as a whole, and the first of them by each of `BY`.

    Only the first window counts its resources; the others have 0 of them. Groups without a name are left out.
    """
    marks = [ms_of(start) for start in starts]
    asked: dict[str, Any] = {f"a{n}": mark for n, mark in enumerate(marks)}
    asked |= {"b": ms_of(until), "least": min(marks), "account": account}
    windows = [_Sum() for _ in starts]
    groups: dict[str, dict[str, _Sum]] = {by: {} for by in BY}
    for row in ledger.query(_told(_SUMS, _WINDOW, len(marks)), asked):
        names, (word, resources, *figures) = row[: len(BY)], row[len(BY) :]
        basis = Basis(word)
        for n, window in enumerate(windows):
            usd, priced_s, unpriced_s, rows = figures[4 * n : 4 * n + 4]
            if rows:
                for total in (window, *(_named(groups, names) if n == 0 else ())):
                    total.add(basis, usd, priced_s, unpriced_s, 0 if n else resources)
    for row in ledger.query(_told(_GAPS, _GAP, len(marks)), asked):
        names, figures = row[: len(BY)], [*row[len(BY) :]]
        for n, window in enumerate(windows):
            gap_s, rows = figures[2 * n : 2 * n + 2]
            if rows:
                for total in (window, *(_named(groups, names) if n == 0 else ())):
                    total.gap_s += gap_s
    totals = {by: {g: s.total(g) for g, s in found.items() if g} for by, found in groups.items()}
    return [window.total("") for window in windows], totals


def _told(question: str, window: str, count: int) -> str:
    return question.format(by=_BY, windows=", ".join(window.format(n=n) for n in range(count)))


def _named(groups: Mapping[str, dict[str, _Sum]], names: Sequence[str]) -> Iterable[_Sum]:
    """The groups that a row belongs to."""
    return [groups[by].setdefault(name, _Sum()) for by, name in zip(BY, names, strict=True)]
