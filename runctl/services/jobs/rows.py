"""All jobs as rows, asked again and again: what is over is remembered, so that only what may change is read.

The memory is a file that may be deleted at any time: the next look rebuilds it from the records.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import fields, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from runctl import paths
from runctl.clock import Clock, SystemClock
from runctl.config import Settings
from runctl.errors import CloudError, RunctlError
from runctl.models.instance import BILLING_STATES, Instance
from runctl.models.job import Job, main_metric
from runctl.models.record import Spec
from runctl.paths import make_private
from runctl.services.jobs import reach
from runctl.services.jobs.follow import read_curves
from runctl.services.jobs.look import Look, host_of, look, row_of, with_evidence
from runctl.services.jobs.providers.local import LocalProvider
from runctl.services.jobs.record import JobRecord, job_ids
from runctl.services.jobs.seen import Machine, Outcome
from runctl.services.jobs.stores import Store

#: A job that is over is looked at again after this long: somebody may have resumed it from elsewhere.
RECHECK_S = 600.0
#: Values of a row's trend.
TREND = 32
#: Records read at once.
_LANES = 8
_VERSION = 1


class Machines(Protocol):
    """What is asked of EC2."""

    def __call__(self, region: str, job: str = "", ids: Sequence[str] = ()) -> Iterable[tuple[Instance, ...]]:
        """Machines with a job's tag in a region, or these."""
        ...


class _Kept(NamedTuple):
    """A row that is over, and when it was last proven."""

    row: Job
    proven: float


class Memory:
    """Rows of jobs that are over, in a file.

    Args:
        path: an SQLite file; what cannot be opened is done without.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def load(self, where: str) -> dict[str, _Kept]:
        """What is known of a store."""
        with self._lock, suppress(sqlite3.Error, OSError, ValueError, TypeError, KeyError):
            with closing(self._open()) as db:
                found = db.execute("SELECT job, row, proven FROM finished WHERE place = ?", (where,)).fetchall()
            return {job: _Kept(_job_of(json.loads(row)), proven) for job, row, proven in found}
        return {}

    def keep(self, where: str, rows: Mapping[str, _Kept], dropped: Iterable[str]) -> None:
        """Remember rows, forget others."""
        with self._lock, suppress(sqlite3.Error, OSError), closing(self._open()) as db, db:
            db.executemany("DELETE FROM finished WHERE place = ? AND job = ?", [(where, j) for j in dropped])
            db.executemany(
                "INSERT OR REPLACE INTO finished VALUES (?, ?, ?, ?)",
                [(where, job, json.dumps(_plain(kept.row)), kept.proven) for job, kept in rows.items()],
            )

    def _open(self) -> sqlite3.Connection:
        make_private(self._path.parent)
        db = sqlite3.connect(self._path, timeout=2.0)
        os.chmod(self._path, 0o600)
        if db.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
            db.execute("DROP TABLE IF EXISTS finished")
            db.execute(f"PRAGMA user_version = {_VERSION}")
        db.execute(
            "CREATE TABLE IF NOT EXISTS finished"
            " (place TEXT, job TEXT, row TEXT, proven REAL, PRIMARY KEY (place, job))"
        )
        return db


def _plain(row: Job) -> dict[str, Any]:
    values = {f.name: getattr(row, f.name) for f in fields(row)}
    return {k: v.isoformat() if isinstance(v, datetime) else dict(v) if isinstance(v, Mapping) else v
            for k, v in values.items()}  # fmt: skip


def _job_of(said: dict[str, Any]) -> Job:
    times = {k: datetime.fromisoformat(said[k]) for k in ("last_seen", "submitted_at") if said.get(k)}
    return Job(**{**said, **times, "trend": tuple(said.get("trend") or ())})


class Rows:
    """Lists jobs; keeps what it learnt between two looks.

    Args:
        stores: by provider.
        machines: asks EC2 for machines of jobs; None where it is not asked.
        here: what is known of an attempt's process on this computer: (job, attempt) -> evidence.
        memory: rows that are over.
        clock: the time.
        evidence: what else can be learnt of a doubtful job; None where nobody is asked.
    """

    def __init__(
        self,
        stores: Mapping[str, Store],
        *,
        machines: Machines | None,
        here: Callable[[str, int], Machine | None],
        memory: Memory,
        clock: Clock,
        evidence: Callable[[Look], Mapping[str, Any]] | None = None,
    ) -> None:
        self._stores, self._machines, self._here = stores, machines, here
        self._memory, self._clock, self._evidence = memory, clock, evidence
        self._specs: dict[str, Spec] = {}
        self._last: dict[str, str] = {}

    def list(self) -> tuple[Job, ...]:
        """All jobs, the newest first.

        Raises:
            CloudError: the bucket cannot be listed; single records that cannot be read are rows that say so.
        """
        found: list[Job] = []
        for provider, store in self._stores.items():
            found += self._of(provider, store)
        return tuple(sorted(found, key=lambda j: j.id, reverse=True))

    def _of(self, provider: str, store: Store) -> Sequence[Job]:
        ids = list(job_ids(store))
        if not ids:
            return ()
        known = self._memory.load(store.where)
        now = self._clock.now().timestamp()
        due = [j for j in ids if j not in known or now - known[j].proven > RECHECK_S]
        with ThreadPoolExecutor(_LANES, thread_name_prefix="read-job") as pool:
            for job, spec in zip(due, pool.map(lambda j: self._spec(store, j), due), strict=True):
                if spec is not None:
                    self._specs[job] = spec
            machines = self._ask(provider, due)
            # A machine that runs for a job that was over: somebody has resumed it.
            alive = {m.ownership.job for m in (machines or ()) if m.state in BILLING_STATES}
            due += [j for j in ids if j not in due and j in alive]
            looked = list(pool.map(lambda j: self._row(provider, store, j, machines), due))
        over = {row.id: _Kept(row, now) for row in looked if _settled(row)}
        self._memory.keep(store.where, over, [j for j in known if j not in over and (j in due or j not in ids)])
        return [*looked, *(known[j].row for j in ids if j not in due)]

    def _spec(self, store: Store, job: str) -> Spec | None:
        if job in self._specs:
            return self._specs[job]
        try:
            return JobRecord(store, job, self._clock).spec()
        except CloudError:
            raise
        except RunctlError:
            return None

    def _ask(self, provider: str, due: Iterable[str]) -> Sequence[Instance] | None:
        """Machines of jobs in the regions of these jobs; None when any of them does not answer."""
        if provider != "ec2":
            return ()
        if self._machines is None:
            return None
        known = [self._specs[j] for j in due if self._specs.get(j, {}).get("region")]
        guests: dict[str, set[str]] = {}
        for spec in known:
            guests.setdefault(str(spec["region"]), set()).update({on} if (on := host_of(spec)) else ())
        try:
            found = [m for region in sorted(guests) for page in self._machines(region) for m in page]
            for region, ids in guests.items():
                found += [m for page in (self._machines(region, ids=sorted(ids)) if ids else ()) for m in page]
            return found
        except CloudError:
            return None

    def _row(self, provider: str, store: Store, job: str, machines: Sequence[Instance] | None) -> Job:
        record = JobRecord(store, job, self._clock)
        host = host_of(self._specs.get(job, {}))
        own = None if machines is None else [m for m in machines if m.id == host or m.ownership.job == job]
        here = partial(self._here, job) if provider == "local" else None
        seen = look(record, own, spec=self._specs.get(job, {}), here=here, last_known=self._last.get(job, ""))
        if self._evidence is not None and seen.seen.readable and provider != "local":
            seen = with_evidence(seen, self._evidence(seen))
        if seen.verdict.outcome is not Outcome.UNKNOWN:
            self._last[job] = seen.verdict.outcome.value
        return _with_trend(record, row_of(seen))


def _with_trend(record: JobRecord, row: Job) -> Job:
    """The row with the last values of its main metric: one object, read only where a step was reported."""
    if row.step is None or row.attempt is None:
        return row
    try:
        series = read_curves(record, row.attempt).series
    except RunctlError:  # the row is worth more than its trend
        return row
    name = main_metric(series)
    return replace(row, trend=tuple(p.value for p in series[name][-TREND:]), trend_of=name) if name else row


def open_rows(
    settings: Settings,
    profile: str,
    machines: Machines,
    evidence: Callable[[Look], Mapping[str, Any]] | None = None,
) -> Rows:
    """Rows of every place that the settings name.

    Args:
        settings: bucket, timeouts.
        profile: the AWS profile in use, "" for the environment's credentials.
        machines: asks EC2 for machines of jobs in a region.
        evidence: asks more where a verdict is in doubt.

    Raises:
        ConfigurationError: an endpoint that is no URL.
    """
    stores, _ = reach.open_stores(settings, profile=profile or None)
    local = LocalProvider(reach.local_root(), reach.local_work())
    memory = Memory(paths.cache_dir() / "jobs.sqlite3")
    return Rows(stores, machines=machines, here=local.here, memory=memory, clock=SystemClock(), evidence=evidence)


def _settled(row: Job) -> bool:
    """Whether nothing about a job changes by itself any more, its machine included."""
    over = row.state in {o.value for o in Outcome if o.over}
    return over and not row.due and row.resource_state in ("none", "terminated", "not-found")
