"""Jobs with records, written by the code that writes records: a running one and one of each kind that is over.

The fleet's clock stands still; the objects' age is that of the files, which are new.
"""

from __future__ import annotations

import gzip
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from runctl.clock import FrozenClock
from runctl.models import record
from runctl.models.instance import Instance
from runctl.models.job import Job
from runctl.models.record import Event, Launch, LogChunk, Spec
from runctl.services.jobs.look import Look
from runctl.services.jobs.record import JobRecord
from runctl.services.jobs.rows import Memory, Rows
from runctl.services.jobs.seen import Machine
from runctl.services.jobs.service import Jobs
from runctl.services.jobs.stores import LocalStore, Store
from tests.screens.fleet import NOW, OURS, FleetBackend, machine, price

AT = NOW.timestamp()
KINDS = ("running", "finished", "failed", "interrupted", "starting")
#: Job ids by kind; the time in them orders the jobs.
IDS = {kind: record.job_id(int(AT * 1000) - n * 3_600_000, b"records%03d" % n) for n, kind in enumerate(KINDS)}
NAMES = {"running": "llama-7b", "finished": "vit-small", "failed": "gpt-toy", "interrupted": "bert-x",
         "starting": "clip-ft"}  # fmt: skip
LINES = 240


class Writer:
    """What a supervisor writes of one attempt, in the shapes of the record."""

    def __init__(self, job: JobRecord, attempt: int = 1) -> None:
        self.job, self.attempt = job, attempt
        self.points = 0
        self.log = 0

    def put(self, name: str, **value: Any) -> None:
        body = record.dump({"v": record.VERSION, "job": self.job.job, "attempt": self.attempt, **value})
        self.job.store.put(record.attempt_key(self.job.job, self.attempt, name), body)

    def say(self, seq: int, at: float, kind: str, message: str) -> None:
        event: Event = {"v": 1, "job": self.job.job, "attempt": self.attempt, "seq": seq, "writer": "agent", "at": at,
                        "kind": kind, "message": message}  # fmt: skip
        key = record.event_key(self.job.job, self.attempt, seq, "agent")
        self.job.store.put(key, record.dump(cast("dict[str, Any]", event)))

    def write_log(self, data: bytes, at: float) -> None:
        chunk = LogChunk(self.log, self.log + len(data), int(at * 1000), int(at * 1000), gap=False)
        self.job.store.put(record.log_key(self.job.job, self.attempt, chunk), gzip.compress(data, 1))
        self.log += len(data)

    def write_curve(self, points: Iterable[tuple[int, float, dict[str, float | None]]]) -> None:
        series: dict[str, list[tuple[int, float, float | None]]] = {}
        count = 0
        for step, at, values in points:
            count += 1
            for name, value in values.items():
                series.setdefault(name, []).append((step, at, value))
        self.put("curve.json", points=count, series=series)


def spec_of(kind: str, **more: Any) -> Spec:
    """What was asked for."""
    spec: dict[str, Any] = {
        "v": record.VERSION, "id": IDS[kind], "name": NAMES[kind], "created_at": AT - 7200, "owner": "ana",
        "project": "vision", "provider": "ec2", "region": "us-east-1", "command": ["python", "train.py"],
        "limits": {"budget_usd": 20.0, "ttl_s": 28800.0, "grace_s": 120.0, "upload_s": 1800.0},
        "retry": {"max_attempts": 3, "on_interruption": True, "on_exit": []}, "at_end": "terminate",
    } | more  # fmt: skip
    return cast(Spec, spec)


def begin(store: LocalStore, kind: str, attempt: int = 1, **more: Any) -> Writer:
    """Specification, lease and intent, by the client's own code; the supervisor's hand."""
    job = JobRecord(store, IDS[kind], FrozenClock(NOW), "ana", "client-test")
    if attempt == 1:
        job.create(spec_of(kind, **more))
    job.take_lease(fence=attempt)
    launch = {"v": 1, "job": job.job, "attempt": attempt, "at": AT - 7000, "by": "ana", "cause": "submit",
              "token": f"{job.job}.{attempt}", "resume_from": None, "spent_usd": 0.0}  # fmt: skip
    job.write_launch(cast(Launch, launch))
    job.release_lease()
    return Writer(job, attempt)


def state(phase: str, step: int | None, **more: Any) -> dict[str, Any]:
    """A heartbeat of a machine on a spot g5.xlarge."""
    return {
        "seq": 1, "at": AT, "heartbeat_s": 15.0, "phase": phase, "detail": "", "started_at": AT - 6900,
        "running_since": None if step is None else AT - 6000, "step": step, "total_steps": 20_000,
        "machine": {"instance_id": f"i-{41:017x}", "type": "g5.xlarge", "az": "us-east-1a", "market": "spot"},
        "metrics": {} if step is None else {"loss": round(3 * math.exp(-step / 6000) + 0.4, 4), "lr": 3e-4},
        "load": {"cpu": 41.0, "memory": 63.0, "gpus": [
            {"util": 97.0, "memory_used_mib": 21504.0, "memory_total_mib": 24564.0, "celsius": 71.0, "watts": 287.0}]},
        "uploads": {"pending_bytes": 0, "bytes_per_s": 9e7,
                    "newest_complete": {"id": "1/step-011000.pt", "step": 11_000, "at": AT - 360}},
        "limits": {"budget_usd": 20.0, "spent_usd": 4.12, "usd_per_hour": 0.4106},
    } | more  # fmt: skip


def history(writer: Writer, steps: int) -> None:
    """Log, curves and the first events of a training that came to a step."""
    began, each = AT - 6000, 6000 / LINES
    body = b""
    points: list[tuple[int, float, dict[str, float | None]]] = []
    for n in range(LINES):
        step = (n + 1) * steps // LINES
        loss = 3 * math.exp(-step / 6000) + 0.4 + 0.05 * math.sin(n * 1.7)
        points.append((step, began + n * each, {"loss": loss, "lr": 3e-4 * min(1.0, step / 2000)}))
        body += f"step={step}/20000 loss={loss:.4f} lr=3.0e-04\n".encode()
    half = body.index(b"\n", len(body) // 2) + 1
    writer.write_log(body[:half], began)
    writer.write_log(body[half:], began + 3000)
    writer.write_curve(points)
    for seq, (at, kind, said) in enumerate(
        ((-6900.0, "booted", "supervisor 1 on i-…29, g5.xlarge spot in us-east-1a"),
         (-6500.0, "synced", "code 41 KiB, data 3.1 GiB in 6m"),
         (-6000.0, "running", "pid 4121: python train.py"),
         (-3000.0, "checkpoint", "1/step-006000.pt complete, 1.2 GiB in 14 s"),
         (-360.0, "checkpoint", "1/step-011000.pt complete, 1.2 GiB in 13 s")), 1,
    ):  # fmt: skip
        writer.say(seq, AT + at, kind, said)


def ended(writer: Writer, *, rc: int, cause: str, message: str, step: int, **more: Any) -> None:
    """The exit record."""
    writer.put("exit.json", **{
        "at": AT - 300, "rc": rc, "signal": None, "cause": cause, "stop_reason": None, "message": message,
        "started_at": AT - 6900, "ended_at": AT - 300, "killed": False, "log_bytes": writer.log, "step": step,
        "metrics": {"loss": 0.87}, "verified": True, "missing": [], "spent_usd": 0.71,
        "newest_complete": {"id": "1/step-011000.pt", "step": 11_000, "at": AT - 360}, **more})  # fmt: skip


def write_jobs(root: Path) -> LocalStore:
    """Five records below a directory."""
    store = LocalStore(root)
    running = begin(store, "running")
    history(running, 12_000)
    running.put("state.json", **state("RUNNING", 12_000))
    finished = begin(store, "finished")
    history(finished, 20_000)
    finished.put("state.json", **state("ENDED", 20_000))
    ended(finished, rc=0, cause="exited", message="exited with 0", step=20_000)
    failed = begin(store, "failed")
    history(failed, 812)
    failed.put("state.json", **state("ENDED", 812))
    ended(failed, rc=1, cause="exited", message="exited with 1: loss is nan", step=812, metrics={"loss": None})
    broken = begin(store, "interrupted")
    history(broken, 12_000)
    broken.put("state.json", **state("RUNNING", 12_000))
    broken.put("notice.json", at=AT - 400, kind="spot", action="terminate", time="2026-03-14T09:22:00Z")
    old = root / record.attempt_key(IDS["interrupted"], 1, "state.json")
    os.utime(old, (old.stat().st_mtime - 400,) * 2)
    starting = begin(store, "starting")
    starting.put("state.json", **state("SYNCING", None, detail="data 1.2 of 3.1 GiB, 180 MiB/s"))
    starting.say(1, AT - 60, "booted", "supervisor 1 on g5.xlarge")
    return store


def job_machines() -> tuple[Instance, ...]:
    """The machines of these jobs: two train, one still runs for nothing, two are gone."""
    states = {"running": "running", "finished": "terminated", "failed": "running", "interrupted": "terminated",
              "starting": "running"}  # fmt: skip
    return tuple(
        machine(41 + n, NAMES[kind], state=states[kind], up_h=2, rate=price(0.4106),
                tags={**OURS, "runctl:job": IDS[kind], "runctl:attempt": "1"})
        for n, kind in enumerate(KINDS)
    )  # fmt: skip


class RecordedBackend(FleetBackend):
    """The small fleet and jobs with records.

    Args:
        root: directory of the records.
        profile: as for the fleet.
    """

    def __init__(self, root: Path, profile: str | None = None) -> None:
        super().__init__(profile)
        self.store = LocalStore(root / "records")
        self.instances = (*self.instances, *(m for m in job_machines() if m.state != "terminated"))
        self._listing = Rows(
            {"ec2": self.store}, machines=self._machines, here=_nobody,
            memory=Memory(root / "memory.sqlite3"), clock=FrozenClock(NOW),
        )  # fmt: skip

    def _machines(self, region: str, job: str = "", ids: Sequence[str] = ()) -> Iterator[tuple[Instance, ...]]:
        del job, ids
        yield tuple(m for m in job_machines() if m.region == region)

    def list_jobs(self) -> Iterator[tuple[Job, ...]]:
        """From the records."""
        self._call("list_jobs")
        yield self._listing.list()


class FleetWatcher:
    """Looks at the machines of these jobs."""

    name = "ec2"

    def machines(self, spec: Spec) -> Iterable[Instance] | None:
        return [m for m in job_machines() if m.ownership.job == spec.get("id")]

    def here(self, job: str, attempt: int) -> Machine | None:
        return _nobody(job, attempt)

    def evidence(self, found: Look) -> Mapping[str, Any]:
        del found
        return {}


def _nobody(_job: str, _attempt: int) -> Machine | None:
    return None


def jobs_of(store: Store) -> Jobs:
    """The records as the dashboard sees them."""
    return Jobs({"ec2": store}, {"ec2": FleetWatcher()}, {}, FrozenClock(NOW), "ana")
