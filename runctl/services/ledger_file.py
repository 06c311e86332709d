"""The ledger's file: its tables by version, its rows as values, its failures in words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from runctl.errors import RunctlError
from runctl.models.ledger import Basis, Interval

#: Statements that lead from each version to the next; the number of the last one is in the file's `user_version`.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE resource ("
        " id INTEGER PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, kind TEXT NOT NULL,"
        " aws_id TEXT NOT NULL, name TEXT NOT NULL, owner TEXT, project TEXT, UNIQUE (account, region, kind, aws_id))",
        "CREATE TABLE interval ("
        " id INTEGER PRIMARY KEY, resource INTEGER NOT NULL REFERENCES resource (id), started INTEGER NOT NULL,"
        " until INTEGER NOT NULL, rate REAL, basis TEXT NOT NULL, source TEXT NOT NULL, market TEXT NOT NULL,"
        " type TEXT NOT NULL, run INTEGER, extra_s REAL NOT NULL, open INTEGER NOT NULL)",
        "CREATE INDEX interval_by_end ON interval (until)",
        "CREATE INDEX interval_by_resource ON interval (resource, until)",
        "CREATE INDEX interval_open ON interval (resource) WHERE open",
        "CREATE TABLE gap ("
        " resource INTEGER NOT NULL REFERENCES resource (id), started INTEGER NOT NULL, until INTEGER NOT NULL,"
        " reason TEXT NOT NULL)",
        "CREATE INDEX gap_by_end ON gap (until)",
        "CREATE TABLE watch (account TEXT PRIMARY KEY, since INTEGER NOT NULL, last INTEGER NOT NULL)",
    ),
    (
        # Whose job it ran, and when somebody looked at a region: an account may be seen in part.
        "ALTER TABLE resource ADD COLUMN job TEXT",
        "CREATE TABLE watched ("
        " account TEXT NOT NULL, region TEXT NOT NULL, started INTEGER NOT NULL, until INTEGER NOT NULL)",
        "CREATE INDEX watched_by_end ON watched (account, region, until)",
    ),
)


class LedgerError(RunctlError):
    """The ledger cannot be used; the message says why. `damaged`: its content is broken, not its surroundings."""

    damaged = False


def ms_of(at: datetime) -> int:
    """Milliseconds since 1970, as the file keeps times."""
    return round(at.timestamp() * 1000)


def time_of(ms: int) -> datetime:
    """The reverse."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def interval_columns(new: Interval) -> tuple[object, ...]:
    """An interval as the columns after `resource`."""
    run = None if new.run_started is None else ms_of(new.run_started)
    ends = (ms_of(new.started), ms_of(new.until))
    return (*ends, new.rate, str(new.basis), new.source, new.market, new.type, run, new.extra_s, int(new.open))


def interval_of(row: Sequence[object]) -> Interval:
    """An `interval` row (all columns, in table order) as a value."""
    _, _, started, until, rate, basis, source, market, kind, run, extra_s, is_open = row
    return Interval(
        started=time_of(int(str(started))),
        until=time_of(int(str(until))),
        rate=None if rate is None else float(str(rate)),
        basis=Basis(str(basis)),
        source=str(source),
        market=str(market),
        type=str(kind),
        run_started=None if run is None else time_of(int(str(run))),
        extra_s=float(str(extra_s)),
        open=bool(is_open),
    )


@contextmanager
def as_ledger_errors(path: str) -> Iterator[None]:
    """Every SQLite failure as a LedgerError that says what it means."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise LedgerError(f"the ledger {path} cannot be used: {error}", hint="costs go on without history") from error
    except sqlite3.DatabaseError as error:
        broken = LedgerError(f"the ledger {path} is damaged: {error}", hint="costs go on without history")
        broken.damaged = True
        raise broken from error


def set_aside(path: Path, at: datetime) -> Path:
    """Rename a damaged ledger beside itself, with what SQLite keeps beside it; never deleted, never overwritten.

    Raises:
        OSError: the directory does not allow it.
    """
    stem = f"{path.name}.damaged-{at:%Y%m%dT%H%M%SZ}"
    aside = path.with_name(stem)
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{stem}-{number}")
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        beside = path.with_name(path.name + suffix)
        if beside.exists():  # it belongs to the damaged file and must not be read into the new one
            beside.rename(aside.with_name(aside.name + suffix))
    return aside
