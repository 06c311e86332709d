"""Puts the demo's jobs into the cloud: records of what is over, machines for what trains now.

A past job is written by the supervisor's own parts (`runctl.agent`) from lines that the example really printed; only
their times are shifted. A live one is a machine with user data: the shipped supervisor runs in its sandbox.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runctl.agent import bootstrap, bundle
from runctl.agent.checkpoints import Checkpoints
from runctl.agent.ending import describe, signal_name
from runctl.agent.metrics import points
from runctl.agent.report import Reporter
from runctl.agent.spool import Spool
from runctl.demo import seed
from runctl.demo.examples import train
from runctl.demo.fleet import FleetPlan, MachinePlan
from runctl.demo.job_plans import BUCKET, JOBS, JobPlan, Run
from runctl.demo.record_store import InsideStore
from runctl.demo.world import World
from runctl.models import record

REGION = "us-east-1"
_SAVED = 50


def archive() -> bytes:
    """The example as a code archive, the same bytes every time."""
    text = Path(train.__file__).read_bytes()
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("train.py")
        entry.size, entry.mode = len(text), 0o644
        tar.addfile(entry, io.BytesIO(text))
    return out.getvalue()


def add_jobs(world: World) -> None:
    """Write all records, and start the machines of those that train: about a second, without holding up anybody."""
    now = world.now().timestamp()
    writer = _Writer(world, now)
    for plan in JOBS:
        writer.add(plan)


class _Writer:
    """Writes records with a clock that stands where the story is."""

    def __init__(self, world: World, now: float) -> None:
        self._world, self._now, self._at = world, now, now
        self._store = InsideStore(BUCKET, REGION, self.clock)
        code, agent = archive(), bundle.build()
        self._code, self._agent = hashlib.sha256(code).hexdigest(), hashlib.sha256(agent).hexdigest()
        self._size = len(code)
        self._store.put(record.code_key(self._code), code)
        self._store.put(record.agent_key(self._agent), agent)

    def clock(self) -> float:
        """The moment of the story."""
        return self._at

    def add(self, plan: JobPlan) -> None:
        """One job with its attempts."""
        first = plan.past[0] if plan.past else None
        self._at = self._now - (first.ends + first.steps * first.step_s + 120.0 if first else 150.0)
        entropy = hashlib.sha256(f"{self._world.seed} {plan.name}".encode()).digest()
        job = record.job_id(int(self._at * 1000), entropy)
        self._store.put(record.spec_key(job), record.dump(self._spec(plan, job)))
        self._say(job, 1, 1, "submitted", f"by {plan.owner}: {' '.join(self._command(plan))}")
        resume: dict[str, Any] | None = None
        spent = 0.0
        for attempt, run in enumerate(plan.past, 1):
            began = resume["step"] if resume else 0
            self._at = self._now - run.ends - (run.steps - began) * run.step_s - 60.0
            self._launch(plan, job, attempt, resume, spent)
            resume, spent = _Past(self, plan, (job, attempt), run, resume).write(spent)
        if plan.live:
            self._at = self._now - 5.0
            self._launch(plan, job, len(plan.past) + 1, resume, spent)
            self._machine(plan, job, len(plan.past) + 1)

    def _command(self, plan: JobPlan) -> tuple[str, ...]:
        return ("python3", "-u", "train.py", *plan.arguments)

    def _spec(self, plan: JobPlan, job: str) -> dict[str, Any]:
        from runctl.services.jobs.spec import Checkpoints as Rule
        from runctl.services.jobs.spec import Job, Limits, Resources

        asked = Job(
            name=plan.name,
            project=plan.project,
            script="train.py",
            args=plan.arguments,
            dependencies="none",
            resources=Resources(types=(plan.type,), market="spot" if plan.market == "spot" else "on-demand"),
            checkpoints=Rule(pattern="*.json", keep=3),
            limits=Limits(budget=plan.budget),
        )
        code: record.CodeRef = {"sha256": self._code, "bytes": self._size, "root": "train.py's directory"}
        made = asked.to_record(job, at=self._at, code=code, env={})
        return {**made, "owner": plan.owner, "region": REGION, "bucket": BUCKET}

    def _launch(self, plan: JobPlan, job: str, attempt: int, resume: dict[str, Any] | None, spent: float) -> None:
        rate = {"type": plan.type, "az": None, "market": plan.market, "usd_per_hour": plan.usd_per_hour}
        launch = {
            "v": record.VERSION, "job": job, "attempt": attempt, "at": self._at, "by": plan.owner,
            "cause": "submit" if attempt == 1 else "interruption", "token": f"{job}.{attempt}",
            "resume_from": resume["id"] if resume else None, "spent_usd": spent, "rates": [rate], "candidates": [],
        }  # fmt: skip
        lease = {
            "v": record.VERSION, "job": job, "owner": plan.owner, "host": "demo", "fence": attempt, "at": self._at,
            "expires_at": self._at,
        }  # fmt: skip
        self._store.put(record.lease_key(job), record.dump(lease))
        self._store.put(record.attempt_key(job, attempt, "launch.json"), record.dump(launch))

    def _say(self, job: str, attempt: int, number: int, kind: str, message: str) -> None:
        event = {
            "v": record.VERSION, "job": job, "attempt": attempt, "seq": number, "writer": "demo", "at": self._at,
            "kind": kind, "message": message, "data": {},
        }  # fmt: skip
        self._store.put(record.event_key(job, attempt, number, "demo"), record.dump(event))

    def _machine(self, plan: JobPlan, job: str, attempt: int) -> None:
        from moto.core.types import Base64EncodedString

        script = bootstrap.user_data(
            bucket=BUCKET, region=REGION, job=job, attempt=attempt, agent_sha256=self._agent, pace="demo"
        )
        tags = {
            "runctl:managed": "1", "runctl:owner": plan.owner, "runctl:project": plan.project, "runctl:job": job,
            "runctl:attempt": str(attempt),
        }  # fmt: skip
        with self._world.lock:
            plain = MachinePlan(
                plan.name, REGION, REGION + "a", plan.type, plan.market, "pending", 0.0, tags, 125, agent=True
            )
            (machine,) = seed.build(self._world, FleetPlan((plain,)))
            machine.user_data = Base64EncodedString.from_raw_string(script)
            machine.instance_initiated_shutdown_behavior = "terminate"
            machine.trusted = True

    @property
    def store(self) -> InsideStore:
        """Where it all goes."""
        return self._store

    def move(self, at: float) -> None:
        """Let the story's time pass."""
        self._at = at


class _Past:
    """One attempt that is over, written by the supervisor's own parts."""

    def __init__(
        self, writer: _Writer, plan: JobPlan, which: tuple[str, int], run: Run, resume: dict[str, Any] | None
    ) -> None:
        self._writer, self._plan = writer, plan
        self._job, self._attempt = which
        self._run, self._resume = run, resume
        self._began = writer.clock()

    def write(self, spent: float) -> tuple[dict[str, Any] | None, float]:
        """Everything from the first event to the exit; the newest checkpoint, and the money until then."""
        with tempfile.TemporaryDirectory(prefix="runctl-demo-") as folder:
            spool = Spool(os.path.join(folder, "log"), clock=self._writer.clock)
            reporter = Reporter(self._writer.store, self._job, self._attempt, spool, clock=self._writer.clock)
            keep = os.path.join(folder, "checkpoints")
            os.mkdir(keep)
            saver = Checkpoints(
                self._writer.store, self._job, self._attempt, {"pattern": "*.json", "keep": 3, "stable_s": 0.0}, keep,
                lambda: (reporter.step, dict(reporter.metrics)), reporter.event, self._writer.clock,
            )  # fmt: skip
            reporter.put_once("claim.json", {"instance_id": None, "host": "gone", "pid": 1})
            reporter.event("bootstrapping", f"attempt {self._attempt}")
            reporter.event("started", describe(["python3", "-u", "train.py", *self._plan.arguments]))
            for moment, line, model in self._lines():
                self._writer.move(moment)
                spool.append(line.encode() + b"\n")
                reporter.points(points([line.encode()], moment))
                if model is not None:
                    os.utime(model.save(keep), (moment, moment))
                    saver.scan(final=True)
            self._end(reporter, spool, saver, spent)
            return saver.newest, spent + self._hours() * self._plan.usd_per_hour

    def _hours(self) -> float:
        return (self._writer.clock() - self._began) / 3600

    def _lines(self) -> Iterator[tuple[float, str, train.Model | None]]:
        """What the example prints, when, and the model where it saves."""
        options = train.parse(list(self._plan.arguments))
        model, at = train.Model(options.seed), self._began + 60.0
        while model.step < self._run.steps:
            loss = model.train(options.rate)
            if self._resume is not None and model.step <= self._resume["step"]:
                continue  # those were the earlier machine's
            at += self._run.step_s
            ends = model.step == self._run.steps and self._run.rc == 0
            yield at, train.line_of(model, loss, options), model if ends or model.step % _SAVED == 0 else None
        yield at, self._run.last_words, None

    def _end(self, reporter: Reporter, spool: Spool, saver: Checkpoints, spent: float) -> None:
        run = self._run
        if run.stop_reason is not None:
            reporter.event("stop-requested", run.message, {"reason": run.stop_reason})
            stop = {"reason": run.stop_reason, "at": self._writer.clock(), "message": run.message}
            reporter.state["stop"] = stop
        if run.stop_reason == "spot-notice":
            reporter.put_once("notice.json", {"kind": "spot", "action": "terminate", "time": None})
        reporter.event("process-ended", run.message, {"rc": run.rc, "cause": run.cause})
        reporter.event("finished", run.message, {"verified": True})
        reporter.state.update(phase="ENDED", detail="", started_at=self._began, running_since=self._began + 60.0)
        reporter.state["machine"] = {"type": self._plan.type, "market": self._plan.market, "region": REGION}
        reporter.state["uploads"] = {"pending_bytes": 0, "bytes_per_s": None, "newest_complete": saver.newest}
        reporter.state["limits"] = {"usd_per_hour": self._plan.usd_per_hour, "budget_usd": self._plan.budget}
        reporter.send(everything=True)
        reporter.put_once(
            "exit.json",
            {
                "rc": run.rc, "signal": signal_name(run.rc), "cause": run.cause, "stop_reason": run.stop_reason,
                "message": run.message, "started_at": self._began + 60.0, "ended_at": self._writer.clock(),
                "killed": False, "log_bytes": spool.end, "step": reporter.step, "metrics": dict(reporter.metrics),
                "newest_complete": saver.newest, "verified": True, "missing": [],
                "spent_usd": spent + self._hours() * self._plan.usd_per_hour,
            },
        )  # fmt: skip
