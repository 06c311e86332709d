"""The ledger: what each resource has cost, as state intervals times the price at that time, in SQLite.

One row for every stretch of a run at one price; a poll that changes nothing only moves the end of the open rows.
Written in WAL mode inside one transaction a listing, so that a killed process loses at most the last poll and two
processes may write the same ledger. The arithmetic is in `ledger_fold`, the sums in `ledger_read`.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from runctl.models.cost import CostKind
from runctl.models.ledger import Gap, Interval, LedgerTotal, ResourceKey, Sighting
from runctl.paths import make_private
from runctl.services.ledger_file import (
    MIGRATIONS,
    LedgerError,
    as_ledger_errors,
    interval_columns,
    interval_of,
    ms_of,
    set_aside,
    time_of,
)
from runctl.services.ledger_fold import WATCHED, Change, fold
from runctl.services.ledger_read import GROUPS, totals
from runctl.services.ledger_steady import MOVE_ON, OPEN, opened_of, steady_rows

__all__ = ["GROUPS", "Ledger", "LedgerError", "Record", "begin_anew", "open_ledger"]

#: Seconds to wait for another process that writes; a command that only prints waits less.
PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Record:
    """One interval with the resource it belongs to, for export."""

    key: ResourceKey
    name: str
    owner: str | None
    project: str | None
    job: str | None
    interval: Interval


class Ledger:
    """An open ledger file. Not for sharing between threads: every thread opens its own.

    Raises:
        LedgerError: from every method, when SQLite reports a locked, full or broken database.
    """

    def __init__(self, path: Path | str, patience_s: float = PATIENCE_S) -> None:
        self.path = str(path)
        with as_ledger_errors(self.path):
            self._db = sqlite3.connect(self.path, timeout=patience_s, isolation_level=None, check_same_thread=False)
            try:
                self._prepare(patience_s)
            except BaseException:
                self._db.close()
                raise

    def _prepare(self, patience_s: float) -> None:
        """Into WAL mode and up to the newest version. SQLite does not wait for a file that is just being made."""
        deadline = time.monotonic() + patience_s
        while True:
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = NORMAL")
                self._migrate()
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def _migrate(self) -> None:
        if self._read_version() == len(MIGRATIONS):
            return
        with self._transaction():
            # Read again: another process may have been quicker.
            for number in range(self._read_version(), len(MIGRATIONS)):
                for statement in MIGRATIONS[number]:
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {number + 1}")

    def _read_version(self) -> int:
        version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        if version > len(MIGRATIONS):
            raise LedgerError(
                f"the ledger {self.path} was written by a newer runctl ({version}, this one reads {len(MIGRATIONS)})",
                hint="update runctl; until then costs of earlier days are not shown and the file is left as it is",
            )
        return version

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
        named = {s.key.id for s in seen}
        with self._transaction():
            opened = opened_of(self._db.execute(OPEN, (account, region, str(kind))).fetchall())
            # What is named twice is folded in the order it was named in.
            steady, rest = ([], seen) if len(named) < len(seen) else steady_rows(opened, seen, at)
            if steady:
                self._db.execute(MOVE_ON, (ms_of(at), json.dumps(steady)))
            for sighting in rest:
                self._fold_one(sighting, at)
            if complete:
                for gone in [name for name in opened if name not in named]:
                    key = ResourceKey(account, region, kind, gone)
                    self._fold_one(Sighting(key, bills=False, rate=None), at)
            self._db.execute(
                "INSERT INTO watch VALUES (?, ?, ?)"
                " ON CONFLICT (account) DO UPDATE SET last = MAX(last, excluded.last)",
                (account, ms_of(at), ms_of(at)),
            )
            if kind is CostKind.INSTANCE:
                self._watch(account, region, at)

    def _watch(self, account: str, region: str, at: datetime) -> None:
        """Lengthen the stretch in which the region has been looked at, or begin another one."""
        now = ms_of(at)
        row = self._db.execute(
            "SELECT rowid, started, until FROM watched WHERE account = ? AND region = ? ORDER BY until DESC LIMIT 1",
            (account, region),
        ).fetchone()
        if row is not None and now - row[2] <= WATCHED.total_seconds() * 1000:
            self._db.execute("UPDATE watched SET until = MAX(until, ?) WHERE rowid = ?", (now, row[0]))
        else:
            self._db.execute("INSERT INTO watched VALUES (?, ?, ?, ?)", (account, region, now, now))

    def _fold_one(self, sighting: Sighting, at: datetime) -> None:
        resource = self._resource(sighting)
        row = self._db.execute("SELECT * FROM interval WHERE resource = ? AND open", (resource,)).fetchone()
        if row is not None:
            self._write(resource, int(row[0]), fold(interval_of(row), None, sighting, at))
            return
        (end,) = self._db.execute("SELECT MAX(until) FROM interval WHERE resource = ?", (resource,)).fetchone()
        self._write(resource, None, fold(None, None if end is None else time_of(end), sighting, at))

    def _resource(self, seen: Sighting) -> int:
        key = (seen.key.account, seen.key.region, str(seen.key.kind), seen.key.id)
        said = (seen.name, seen.owner, seen.project, seen.job)
        row = self._db.execute(
            "SELECT id, name, owner, project, job FROM resource"
            " WHERE account = ? AND region = ? AND kind = ? AND aws_id = ?",
            key,
        ).fetchone()
        if row is None:
            cursor = self._db.execute(
                "INSERT INTO resource (account, region, kind, aws_id, name, owner, project, job)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*key, *said),
            )
            return int(cursor.lastrowid or 0)
        if any(said) and said != tuple(row[1:]):
            self._db.execute(
                "UPDATE resource SET name = ?, owner = ?, project = ?, job = ? WHERE id = ?", (*said, row[0])
            )
        return int(row[0])

    def _write(self, resource: int, current_row: int | None, change: Change) -> None:
        if change.current is not None and current_row is not None:
            moved = change.current
            self._db.execute(
                "UPDATE interval SET until = ?, basis = ?, extra_s = ?, open = ? WHERE id = ?",
                (ms_of(moved.until), str(moved.basis), moved.extra_s, moved.open, current_row),
            )
        for new in change.added:
            self._db.execute(
                "INSERT INTO interval (resource, started, until, rate, basis, source, market, type, run, extra_s, open)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (resource, *interval_columns(new)),
            )
        for gap in change.gaps:
            self._db.execute(
                "INSERT INTO gap VALUES (?, ?, ?, ?)", (resource, ms_of(gap.started), ms_of(gap.until), gap.reason)
            )

    def query(self, sql: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Rows of a question; for `ledger_read`."""
        with as_ledger_errors(self.path):
            return self._db.execute(sql, parameters).fetchall()

    def observed_since(self, account: str, regions: Sequence[str] = ()) -> datetime | None:
        """When this ledger first saw the account, in all of `regions`; None when it never did."""
        with as_ledger_errors(self.path):
            row = self._db.execute("SELECT since FROM watch WHERE account = ?", (account,)).fetchone()
            firsts = dict(
                self._db.execute(
                    "SELECT region, MIN(started) FROM watched WHERE account = ? GROUP BY region", (account,)
                ).fetchall()
            )
        if row is None or any(region not in firsts for region in regions):
            return None
        return time_of(max([firsts[r] for r in regions], default=row[0]))

    def totals(self, account: str, since: datetime, until: datetime, by: str = "") -> list[LedgerTotal]:
        """What the window `[since, until)` cost, grouped by one of `GROUPS`, dearest first; see `ledger_read`."""
        return totals(self, account, since, until, by)

    def records(self, account: str, since: datetime, until: datetime) -> Iterator[Record]:
        """Every interval that touches the window, oldest first, for export."""
        with as_ledger_errors(self.path):
            rows = self._db.execute(
                "SELECT r.account, r.region, r.kind, r.aws_id, r.name, r.owner, r.project, r.job, i.* FROM interval i"
                " JOIN resource r ON r.id = i.resource WHERE r.account = ? AND i.until >= ? AND i.started < ?"
                " ORDER BY i.started, r.aws_id",
                (account, ms_of(since), ms_of(until)),
            ).fetchall()
        for account_, region, kind, aws_id, name, owner, project, job, *rest in rows:
            key = ResourceKey(account_, region, CostKind(kind), aws_id)
            yield Record(key, name, owner, project, job, interval_of(rest))

    def gaps(self, account: str, since: datetime, until: datetime) -> list[tuple[ResourceKey, Gap]]:
        """Every gap that touches the window."""
        with as_ledger_errors(self.path):
            rows = self._db.execute(
                "SELECT r.account, r.region, r.kind, r.aws_id, g.started, g.until, g.reason FROM gap g"
                " JOIN resource r ON r.id = g.resource WHERE r.account = ? AND g.until > ? AND g.started < ?"
                " ORDER BY g.started",
                (account, ms_of(since), ms_of(until)),
            ).fetchall()
        return [
            (ResourceKey(acc, region, CostKind(kind), aws_id), Gap(time_of(s), time_of(u), reason))
            for acc, region, kind, aws_id, s, u, reason in rows
        ]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with as_ledger_errors(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


def open_ledger(path: Path, at: datetime, patience_s: float = PATIENCE_S) -> tuple[Ledger, str]:
    """Open the ledger, or go on without its past.

    A damaged file is renamed beside itself (never deleted) and a new one begins; a file of a newer version, or one that
    cannot be opened, is left alone and a ledger in memory serves this session.

    Returns:
        The ledger and a sentence for the user, "" when all is well.
    """
    try:
        make_private(path.parent)
        if not path.exists():  # SQLite would make it as the umask says, and its other files as this one
            path.touch(mode=0o600)
        return Ledger(path, patience_s), ""
    except LedgerError as error:
        if error.damaged:
            return begin_anew(path, at, error.message)
        return Ledger(":memory:"), f"{error.message}; {error.hint or _IN_MEMORY}"
    except OSError as error:
        return Ledger(":memory:"), f"the ledger {path} cannot be opened: {error}; {_IN_MEMORY}"


_IN_MEMORY = "this session keeps its costs in memory"


def begin_anew(path: Path, at: datetime, why: str) -> tuple[Ledger, str]:
    """Set a damaged ledger aside and begin another one, or one in memory; with the sentence for the user."""
    try:
        aside = set_aside(path, at)
        return Ledger(path), f"the ledger was damaged and is set aside as {aside}; a new one begins now"
    except (OSError, LedgerError) as error:
        return Ledger(":memory:"), f"{why}; it cannot be set aside: {error}; {_IN_MEMORY}"
