"""Sums over the ledger: a window by a group, days, current runs. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from runctl.models.cost import CostKind
from runctl.models.ledger import Basis, LedgerTotal
from runctl.models.spent import RunSpent
from runctl.services.ledger_file import ms_of

#: What totals may be grouped by, and the column it is.
GROUPS = {
    "": "''",
    "project": "COALESCE(r.project, '')",
    "owner": "COALESCE(r.owner, '')",
    "job": "COALESCE(r.job, '')",
    "type": "i.type",
    "region": "r.region",
    "market": "i.market",
    "kind": "r.kind",
    "id": "r.aws_id",
}


class Rows(Protocol):
    """What is read: an open ledger."""

    def query(self, sql: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Rows of a question."""
        ...


_TOTALS = """
    SELECT {column} AS grp, i.basis,
        SUM(CASE WHEN i.rate IS NULL THEN 0 ELSE i.rate / 3600.0 * (
            MAX(0, MIN(i.until, :b) - MAX(i.started, :a)) / 1000.0
            + CASE WHEN i.until >= :a AND i.until < :b THEN i.extra_s ELSE 0 END) END),
        SUM(CASE WHEN i.rate IS NULL THEN 0 ELSE MAX(0, MIN(i.until, :b) - MAX(i.started, :a)) END) / 1000.0,
        SUM(CASE WHEN i.rate IS NULL THEN MAX(0, MIN(i.until, :b) - MAX(i.started, :a)) ELSE 0 END) / 1000.0,
        COUNT(DISTINCT i.resource)
    FROM {source} WHERE i.until >= :a AND i.started < :b AND r.account = :account GROUP BY grp, i.basis
"""
_EVERY = "interval i JOIN resource r ON r.id = i.resource"
#: A cross join keeps SQLite to this order: few resources run a job, and their intervals are found by an index.
_WITH_JOB = "resource r CROSS JOIN interval i ON i.resource = r.id AND r.job <> ''"
_GAPS = """
    SELECT {column} AS grp, SUM(MIN(g.until, :b) - MAX(g.started, :a)) / 1000.0
    FROM gap g JOIN resource r ON r.id = g.resource
    WHERE g.until > :a AND g.started < :b AND r.account = :account GROUP BY grp
"""
_RUNS = """
    SELECT r.kind, r.region, r.aws_id, SUM(i.rate / 3600.0 * ((i.until - i.started) / 1000.0 + i.extra_s)),
        SUM(i.rate IS NULL), SUM(i.until - i.started), MAX(i.until) - MIN(i.run)
    FROM interval o JOIN resource r ON r.id = o.resource
    JOIN interval i ON i.resource = o.resource AND i.run = o.run
    WHERE o.open AND r.account = :account AND r.kind = :kind GROUP BY o.resource
"""


def totals(ledger: Rows, account: str, since: datetime, until: datetime, by: str = "") -> list[LedgerTotal]:
    """What the window `[since, until)` cost, grouped by one of `GROUPS`, dearest first.

    The 60 s minimum is counted at the end of its run. Gaps count in the group only where the group is a property
    of the resource; by type and market they are in the group "".
    """
    asked = {"a": ms_of(since), "b": ms_of(until), "account": account}
    column = GROUPS[by]
    gap_column = column if column.startswith(("r.", "COALESCE(r.")) else "''"
    rows = ledger.query(_TOTALS.format(column=column, source=_EVERY), asked)
    gaps = ledger.query(_GAPS.format(column=gap_column), asked)
    return _fold_totals(rows, {str(g): float(s) for g, s in gaps})


def job_totals(ledger: Rows, account: str, until: datetime) -> dict[str, LedgerTotal]:
    """What each job has cost since the ledger began; what runs no job is not looked at."""
    asked = {"a": 0, "b": ms_of(until), "account": account}
    rows = ledger.query(_TOTALS.format(column=GROUPS["job"], source=_WITH_JOB), asked)
    gaps = ledger.query(_GAPS.format(column=GROUPS["job"]), asked)
    return {t.group: t for t in _fold_totals(rows, {str(g): float(s) for g, s in gaps}) if t.group}


def _fold_totals(rows: Iterable[Sequence[object]], gaps: dict[str, float]) -> list[LedgerTotal]:
    grouped: dict[str, list[tuple[Basis, float, float, float, int]]] = {g: [] for g in gaps}
    for group, basis, usd, priced, unpriced, count in rows:
        entry = (Basis(str(basis)), float(str(usd)), float(str(priced)), float(str(unpriced)), int(str(count)))
        grouped.setdefault(str(group), []).append(entry)
    found = [
        LedgerTotal(
            group=group,
            usd=sum(p[1] for p in parts),
            usd_by_basis={p[0]: p[1] for p in parts},
            priced_s=sum(p[2] for p in parts),
            unpriced_s=sum(p[3] for p in parts),
            gap_s=gaps.get(group, 0.0),
            resources=max((p[4] for p in parts), default=0),
        )
        for group, parts in grouped.items()
    ]
    return sorted(found, key=lambda t: (-t.usd, t.group))


def days(ledger: Rows, account: str, since: datetime, until: datetime) -> list[LedgerTotal]:
    """One total for each UTC day of the window, oldest first; days of which nothing is known are left out."""
    from dataclasses import replace

    from runctl.models.spent import day_start

    found, start = [], since
    while start < until:
        end = min(day_start(start) + timedelta(days=1), until)
        found += [replace(t, group=f"{start:%Y-%m-%d}") for t in totals(ledger, account, start, end)]
        start = end
    return found


def runs(ledger: Rows, account: str, kind: CostKind = CostKind.INSTANCE) -> dict[tuple[str, str, str], RunSpent]:
    """What the current run of every open resource of a kind has cost, by (kind, region, id)."""
    rows = ledger.query(_RUNS, {"account": account, "kind": str(kind)})
    return {
        (str(k), str(region), str(aws_id)): RunSpent(
            float(usd or 0.0), whole=not unpriced and known is not None and abs((span or 0) - known) < 1000
        )
        for k, region, aws_id, usd, unpriced, known, span in rows
    }
