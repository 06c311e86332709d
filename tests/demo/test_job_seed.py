"""The demo's jobs: what is over has a whole record, what trains gets better, the example is a program."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from runctl.agent.s3 import S3Store
from runctl.demo.examples import train
from runctl.demo.job_plans import BUCKET, JOBS
from runctl.demo.job_seed import archive
from runctl.demo.server import start
from runctl.models import record
from tests.agent.conftest import Job, until


def _names(store: S3Store) -> dict[str, Job]:
    """Jobs of the demo's bucket by their names."""
    found: dict[str, Job] = {}
    for entry in store.list(record.JOBS):
        if entry.key.endswith("/spec.json"):
            spec = record.load(store.get(entry.key)[0])
            job = Job(Path("/nowhere"), Path("/nowhere"), store, "s3://demo")
            job.id = spec["id"]
            found[spec["name"]] = job
    return found


def _trains(job: Job, attempt: int) -> bool:
    return (job.state(attempt).get("step") or 0) > 2


def test_past_jobs_are_whole_and_live_ones_train(monkeypatch: pytest.MonkeyPatch) -> None:
    with start(fleet="empty", speed=10.0, jobs=True) as cloud:
        for name, value in cloud.environment().items():
            monkeypatch.setenv(name, value)
        store = S3Store(BUCKET)
        until(lambda: len(_names(store)) == len(JOBS), "all jobs are there")
        jobs = _names(store)
        for plan in JOBS:
            for attempt, run in enumerate(plan.past, 1):
                end = until(partial(jobs[plan.name].json, "exit.json", attempt), f"{plan.name} has its exit")
                assert (end["rc"], end["cause"], end["stop_reason"]) == (run.rc, run.cause, run.stop_reason)
                assert end["step"] == run.steps
                assert end["log_bytes"] == len(jobs[plan.name].log(attempt)) > 1000
                curve = jobs[plan.name].json("curve.json", attempt)
                assert curve is not None
                losses = [value for _, _, value in curve["series"]["loss"]]
                assert losses[-1] < max(losses)
        two = jobs["sine-two-lives"]
        assert [e["kind"] for e in two.events()].count("started") == 2
        assert two.log(2).startswith(b"step=151/")
        live = {p.name: len(p.past) + 1 for p in JOBS if p.live}
        for name, attempt in live.items():
            until(partial(_trains, jobs[name], attempt), f"{name} trains", 90)
        assert jobs["sine-wide"].state(2)["resume"]["from"] == "1/step_000140.json"
        assert jobs["sine-wide"].state(2)["step"] > 140


def test_the_example_learns_saves_and_continues(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "RUNCTL_CHECKPOINT_DIR": str(tmp_path)}

    def run(*arguments: str, **more: str) -> list[str]:
        argv = [sys.executable, train.__file__, "--sleep", "0", *arguments]
        done = subprocess.run(argv, env=environ | more, capture_output=True, text=True, check=False, cwd=tmp_path)
        return [*done.stdout.splitlines(), f"rc={done.returncode}"]

    first = run("--steps", "120")
    losses = [float(line.split("loss=")[1].split()[0]) for line in first if "loss=" in line]
    assert losses[-1] < losses[0] / 4
    assert first[-2:] == ["done", "rc=0"]
    second = run("--steps", "125", RUNCTL_RESUME_FROM=str(tmp_path / "step_000120.json"))
    assert second[0] == "continuing behind step 120"
    assert second[1].startswith("step=121/125 ")
    assert run("--steps", "50", "--crash-at", "9")[-1] == "rc=1"
    assert "loss=nan" in run("--steps", "9", "--nan-at", "5")[5]
    assert archive() == archive()
