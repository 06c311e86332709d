"""The ledger: what each resource has cost, as state intervals times the price at that time, in SQLite.

One row for every stretch of a run at one price; a poll that changes nothing only moves the end of the open rows.
Written in WAL mode inside one transaction a listing, so that a killed process loses at most the last poll and two
processes may write the same ledger. The arithmetic is in `ledger_fold`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from runctl.errors import RunctlError
from runctl.models.cost import CostKind
from runctl.models.ledger import Basis, Gap, Interval, LedgerTotal, ResourceKey, Sighting
from runctl.services.ledger_fold import Change, fold

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE resource (
        id INTEGER PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, kind TEXT NOT NULL, aws_id TEXT NOT NULL,
        name TEXT NOT NULL, owner TEXT, project TEXT, UNIQUE (account, region, kind, aws_id));
    CREATE TABLE interval (
        id INTEGER PRIMARY KEY, resource INTEGER NOT NULL REFERENCES resource (id), started INTEGER NOT NULL,
        until INTEGER NOT NULL, rate REAL, basis TEXT NOT NULL, source TEXT NOT NULL, market TEXT NOT NULL,
        type TEXT NOT NULL, run INTEGER, extra_s REAL NOT NULL, open INTEGER NOT NULL);
    CREATE INDEX interval_by_end ON interval (until);
    CREATE INDEX interval_by_resource ON interval (resource, until);
    CREATE INDEX interval_open ON interval (resource) WHERE open;
    CREATE TABLE gap (
        resource INTEGER NOT NULL REFERENCES resource (id), started INTEGER NOT NULL, until INTEGER NOT NULL,
        reason TEXT NOT NULL);
    CREATE INDEX gap_by_end ON gap (until);
    CREATE TABLE watch (account TEXT PRIMARY KEY, since INTEGER NOT NULL, last INTEGER NOT NULL);
    """,
)

#: What totals may be grouped by, and the column it is.
GROUPS = {
    "": "''",
    "project": "COALESCE(r.project, '')",
    "owner": "COALESCE(r.owner, '')",
    "type": "i.type",
    "region": "r.region",
    "market": "i.market",
    "kind": "r.kind",
    "id": "r.aws_id",
}


class LedgerError(RunctlError):
    """The ledger cannot be used; the message says why and what was done with the file."""


@dataclass(frozen=True, slots=True)
class Record:
    """One interval with the resource it belongs to, for export."""

    key: ResourceKey
    name: str
    owner: str | None
    project: str | None
    interval: Interval


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


class Ledger:
    """An open ledger file. Not for sharing between threads: every thread opens its own.

    Raises:
        LedgerError: from every method, when SQLite reports a locked, full or broken database.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = str(path)
        with _as_ledger_errors(self.path):
            self._db = sqlite3.connect(self.path, timeout=5.0, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._migrate()

    def _migrate(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise LedgerError(
                f"the ledger {self.path} was written by a newer runctl ({version}, this one reads {len(MIGRATIONS)})",
                hint="update runctl; until then costs of earlier days are not shown and the file is left as it is",
            )
        for number in range(version, len(MIGRATIONS)):
            self._db.executescript(f"BEGIN IMMEDIATE; {MIGRATIONS[number]} PRAGMA user_version = {number + 1}; COMMIT;")

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._db.close()

    def observe(
        self,
        account: str,
        region: str,
        kind: CostKind,
        seen: Sequence[Sighting],
        at: datetime,
        *,
        complete: bool = True,
    ) -> None:
        """Fold one listing of one kind in one region, in one transaction.

        Args:
            account: whose listing it is, twelve digits.
            region: where it was listed.
            kind: what was listed.
            seen: every resource of the listing, billing or not.
            at: when it was listed.
            complete: all pages arrived, so that what is not named has ended.
        """
        named = {s.key for s in seen}
        with self._transaction():
            for sighting in seen:
                self._fold_one(sighting, at)
            if complete:
                for gone in [k for k in self._open_keys(account, region, kind) if k not in named]:
                    self._fold_one(Sighting(gone, bills=False, rate=None), at)
            self._db.execute(
                "INSERT INTO watch VALUES (?, ?, ?)"
                " ON CONFLICT (account) DO UPDATE SET last = MAX(last, excluded.last)",
                (account, _ms(at), _ms(at)),
            )

    def _fold_one(self, sighting: Sighting, at: datetime) -> None:
        resource = self._resource(sighting)
        row = self._db.execute("SELECT * FROM interval WHERE resource = ? AND open", (resource,)).fetchone()
        current = None if row is None else _interval(row)
        (end,) = self._db.execute(
            "SELECT MAX(until) FROM interval WHERE resource = ? AND NOT open", (resource,)
        ).fetchone()
        change = fold(current, None if end is None else _at(end), sighting, at)
        self._write(resource, None if row is None else int(row[0]), change)

    def _resource(self, seen: Sighting) -> int:
        key = (seen.key.account, seen.key.region, str(seen.key.kind), seen.key.id)
        row = self._db.execute(
            "SELECT id, name, owner, project FROM resource"
            " WHERE account = ? AND region = ? AND kind = ? AND aws_id = ?",
            key,
        ).fetchone()
        if row is None:
            cursor = self._db.execute(
                "INSERT INTO resource (account, region, kind, aws_id, name, owner, project)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*key, seen.name, seen.owner, seen.project),
            )
            return int(cursor.lastrowid or 0)
        named = seen.name or seen.owner or seen.project
        if named and (seen.name, seen.owner, seen.project) != tuple(row[1:]):
            self._db.execute(
                "UPDATE resource SET name = ?, owner = ?, project = ? WHERE id = ?",
                (seen.name, seen.owner, seen.project, row[0]),
            )
        return int(row[0])

    def _write(self, resource: int, current_row: int | None, change: Change) -> None:
        if change.current is not None and current_row is not None:
            moved = change.current
            self._db.execute(
                "UPDATE interval SET until = ?, extra_s = ?, open = ? WHERE id = ?",
                (_ms(moved.until), moved.extra_s, moved.open, current_row),
            )
        for new in change.added:
            self._db.execute(
                "INSERT INTO interval (resource, started, until, rate, basis, source, market, type, run, extra_s, open)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (resource, *_columns(new)),
            )
        for gap in change.gaps:
            self._db.execute(
                "INSERT INTO gap VALUES (?, ?, ?, ?)", (resource, _ms(gap.started), _ms(gap.until), gap.reason)
            )

    def _open_keys(self, account: str, region: str, kind: CostKind) -> Iterator[ResourceKey]:
        rows = self._db.execute(
            "SELECT r.aws_id FROM resource r JOIN interval i ON i.resource = r.id AND i.open"
            " WHERE r.account = ? AND r.region = ? AND r.kind = ?",
            (account, region, str(kind)),
        ).fetchall()
        return (ResourceKey(account, region, kind, aws_id) for (aws_id,) in rows)

    def observed_since(self, account: str) -> datetime | None:
        """When this ledger first saw the account; None when it never did."""
        with _as_ledger_errors(self.path):
            row = self._db.execute("SELECT since FROM watch WHERE account = ?", (account,)).fetchone()
        return None if row is None else _at(row[0])

    def totals(self, account: str, since: datetime, until: datetime, by: str = "") -> list[LedgerTotal]:
        """What the window `[since, until)` cost, grouped by one of `GROUPS`, dearest first.

        The 60 s minimum is counted at the end of its run. Gaps count in the group only where the group is a property
        of the resource; by type and market they are in the group "".
        """
        a, b = _ms(since), _ms(until)
        column = GROUPS[by]
        gap_column = column if column.startswith(("r.", "COALESCE(r.")) else "''"
        with _as_ledger_errors(self.path):
            rows = self._db.execute(_TOTALS.format(column=column), {"a": a, "b": b, "account": account}).fetchall()
            gaps = self._db.execute(_GAPS.format(column=gap_column), {"a": a, "b": b, "account": account}).fetchall()
        return _fold_totals(rows, {str(g): float(s) for g, s in gaps})

    def records(self, account: str, since: datetime, until: datetime) -> Iterator[Record]:
        """Every interval that touches the window, oldest first, for export."""
        with _as_ledger_errors(self.path):
            rows = self._db.execute(
                "SELECT r.account, r.region, r.kind, r.aws_id, r.name, r.owner, r.project, i.* FROM interval i"
                " JOIN resource r ON r.id = i.resource WHERE r.account = ? AND i.until >= ? AND i.started < ?"
                " ORDER BY i.started, r.aws_id",
                (account, _ms(since), _ms(until)),
            ).fetchall()
        for account_, region, kind, aws_id, name, owner, project, *rest in rows:
            yield Record(ResourceKey(account_, region, CostKind(kind), aws_id), name, owner, project, _interval(rest))

    def gaps(self, account: str, since: datetime, until: datetime) -> list[tuple[ResourceKey, Gap]]:
        """Every gap that touches the window."""
        with _as_ledger_errors(self.path):
            rows = self._db.execute(
                "SELECT r.account, r.region, r.kind, r.aws_id, g.started, g.until, g.reason FROM gap g"
                " JOIN resource r ON r.id = g.resource WHERE r.account = ? AND g.until > ? AND g.started < ?"
                " ORDER BY g.started",
                (account, _ms(since), _ms(until)),
            ).fetchall()
        return [
            (ResourceKey(acc, region, CostKind(kind), aws_id), Gap(_at(s), _at(u), reason))
            for acc, region, kind, aws_id, s, u, reason in rows
        ]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with _as_ledger_errors(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


_TOTALS = """
    SELECT {column} AS grp, i.basis,
        SUM(CASE WHEN i.rate IS NULL THEN 0 ELSE i.rate / 3600.0 * (
            MAX(0, MIN(i.until, :b) - MAX(i.started, :a)) / 1000.0
            + CASE WHEN i.until >= :a AND i.until < :b THEN i.extra_s ELSE 0 END) END),
        SUM(CASE WHEN i.rate IS NULL THEN 0 ELSE MAX(0, MIN(i.until, :b) - MAX(i.started, :a)) END) / 1000.0,
        SUM(CASE WHEN i.rate IS NULL THEN MAX(0, MIN(i.until, :b) - MAX(i.started, :a)) ELSE 0 END) / 1000.0,
        COUNT(DISTINCT i.resource)
    FROM interval i JOIN resource r ON r.id = i.resource
    WHERE i.until >= :a AND i.started < :b AND r.account = :account
    GROUP BY grp, i.basis
"""

_GAPS = """
    SELECT {column} AS grp, SUM(MIN(g.until, :b) - MAX(g.started, :a)) / 1000.0
    FROM gap g JOIN resource r ON r.id = g.resource
    WHERE g.until > :a AND g.started < :b AND r.account = :account GROUP BY grp
"""


def _fold_totals(rows: Iterable[Sequence[object]], gaps: dict[str, float]) -> list[LedgerTotal]:
    grouped: dict[str, list[tuple[Basis, float, float, float, int]]] = {g: [] for g in gaps}
    for group, basis, usd, priced, unpriced, count in rows:
        entry = (Basis(str(basis)), float(str(usd)), float(str(priced)), float(str(unpriced)), int(str(count)))
        grouped.setdefault(str(group), []).append(entry)
    totals = [
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
    return sorted(totals, key=lambda t: (-t.usd, t.group))


def _columns(new: Interval) -> tuple[object, ...]:
    run = None if new.run_started is None else _ms(new.run_started)
    ends = (_ms(new.started), _ms(new.until))
    return (*ends, new.rate, str(new.basis), new.source, new.market, new.type, run, new.extra_s, int(new.open))


def _interval(row: Sequence[object]) -> Interval:
    """An `interval` row (all columns, in table order) as a value."""
    _, _, started, until, rate, basis, source, market, kind, run, extra_s, is_open = row
    return Interval(
        started=_at(int(str(started))),
        until=_at(int(str(until))),
        rate=None if rate is None else float(str(rate)),
        basis=Basis(str(basis)),
        source=str(source),
        market=str(market),
        type=str(kind),
        run_started=None if run is None else _at(int(str(run))),
        extra_s=float(str(extra_s)),
        open=bool(is_open),
    )


@contextmanager
def _as_ledger_errors(path: str) -> Iterator[None]:
    """Every SQLite failure as a LedgerError that says what it means."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise LedgerError(
            f"the ledger {path} cannot be written: {error}", hint="costs go on without history"
        ) from error
    except sqlite3.DatabaseError as error:
        raise LedgerError(f"the ledger {path} is damaged: {error}", hint="costs go on without history") from error


def open_ledger(path: Path, at: datetime) -> tuple[Ledger, str]:
    """Open the ledger, or go on without its past.

    A damaged file is renamed beside itself (never deleted) and a new one begins; a file of a newer version, or one that
    cannot be opened, is left alone and a ledger in memory serves this session.

    Returns:
        The ledger and a sentence for the user, "" when all is well.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        ledger = Ledger(path)
        ledger._db.execute("PRAGMA quick_check(1)")
        return ledger, ""
    except LedgerError as error:
        if isinstance(error.__cause__, sqlite3.DatabaseError) and not isinstance(
            error.__cause__, sqlite3.OperationalError
        ):
            aside = path.with_name(f"{path.name}.damaged-{at:%Y%m%dT%H%M%SZ}")
            path.rename(aside)
            return Ledger(path), f"the ledger was damaged and is set aside as {aside}; a new one begins now"
        return Ledger(":memory:"), f"{error.message}; {error.hint or 'this session keeps its costs in memory'}"
    except OSError as error:
        return Ledger(
            ":memory:"
        ), f"the ledger {path} cannot be opened: {error}; this session keeps its costs in memory"
