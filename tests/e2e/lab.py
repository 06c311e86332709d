"""A laboratory for jobs: an empty embedded cloud with bucket, role and profile, a project, and the real binary."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from runctl.demo.cloud import DemoCloud
from tests.e2e.binary import Ended, runctl
from tests.services.jobs.running import TRAINER, until

BUCKET = "records-of-jobs"
#: Every scenario takes minutes of a busy machine; `JOB_SCENARIOS=all` runs those too that a smaller test covers.
also = pytest.mark.skipif(os.environ.get("JOB_SCENARIOS") != "all", reason="JOB_SCENARIOS=all runs it")
SUBMIT = ("--type", "g5.xlarge", "--checkpoint-pattern", "step-*.json", "--ttl", "2h", "--no-deps", "--yes")


@dataclass
class Lab:
    """An empty cloud with what jobs need, and a project."""

    cloud: DemoCloud
    project: Path

    def submit(self, *args: str, flags: tuple[str, ...] = (), steps: str = "100000", pause: str = "0.05") -> Ended:
        return runctl("jobs", "submit", str(self.project / "train.py"), *SUBMIT, *flags, *args, "--", steps, pause)

    def started(self, *flags: str, steps: str = "100000", pause: str = "0.05") -> str:
        done = self.submit(flags=flags, steps=steps, pause=pause)
        assert done.code == 0, done.err
        return done.out.strip()

    def aws(self, service: str) -> Any:
        return botocore.session.Session().create_client(service, "us-east-1")


@pytest.fixture
def lab(cloud: DemoCloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Lab:
    """Ready for a first job, on the cloud that all tests share."""
    return open_lab(cloud, monkeypatch, tmp_path)


def open_lab(cloud: DemoCloud, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Lab:
    """Empty a cloud, make what jobs need there, and a project below a directory."""
    cloud.reset(fleet="empty")
    cloud.set_timings(pending=0.5, stopping=0.5, shutting_down=0.5)
    monkeypatch.setenv("RUNCTL_JOBS_BUCKET", BUCKET)
    made = runctl("init", "--yes")
    assert made.code == 0, made.err
    project = folder / "project"
    project.mkdir()
    (project / "train.py").write_text(TRAINER)
    return Lab(cloud, project)


def show(job: str) -> dict[str, Any]:
    """What is known of a job."""
    done = runctl("jobs", "show", job, "-o", "json")
    assert done.code == 0, done.err
    shown: dict[str, Any] = done.json()
    return shown


def wait(job: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The job once it is as wanted."""
    seen: list[dict[str, Any]] = []

    def there() -> bool:
        seen.append(show(job))
        return wanted(seen[-1])

    try:
        until(there, pause=1.0)  # each look is a process
    except AssertionError:
        raise AssertionError(f"{seen[-1]['state']}: {seen[-1]['reason']}; {seen[-1]['events'][-5:]}") from None
    return seen[-1]


def in_state(*states: str) -> Callable[[dict[str, Any]], bool]:
    """For `wait`: the outcome is one of these."""
    return lambda shown: shown["state"] in states


def machines(job: str = "") -> list[dict[str, Any]]:
    """Machines that are listed, of one job or all."""
    listed = runctl("instances", "list", "-o", "json").json()
    return [m for m in listed if not job or m["job"] == job]


def interrupted_and_resumed(lab: Lab, *flags: str) -> str:
    """Scenario C: notice, SIGTERM, checkpoint, INTERRUPTED with its reason, another machine, resume verified.

    Returns:
        The id of the second machine, which is being stopped.
    """
    job = lab.started("--spot", *flags, pause="0.02")
    running = wait(job, lambda s: s["state"] == "RUNNING" and s["checkpoint_age_s"] is not None)
    first = running["instance_id"]
    lab.cloud.interrupt(first, notice_s=120)
    interrupted = wait(job, in_state("INTERRUPTED"))
    assert "spot" in interrupted["reason"]
    assert interrupted["exit"]["stop_reason"] == "spot-notice"
    saved = interrupted["exit"]["newest_complete"]
    assert saved["step"] == interrupted["step"]
    lab.cloud.advance(130)
    said = runctl("watch", job, "--rounds", "1", "--yes", "-o", "ndjson")
    assert json.loads(said.out)["did"] == "recovered"
    resumed = wait(job, lambda s: s["attempt"] == 2 and (s["step"] or 0) > saved["step"])
    assert resumed["instance_id"] != first
    kinds = [e["kind"] for e in resumed["events"]]
    assert "resumed" in kinds
    log = runctl("jobs", "logs", job, "--attempt", "2").out
    assert log.startswith(f"step={saved['step'] + 1}/")
    assert runctl("jobs", "stop", job, "--wait", "--yes").code == 0
    return str(resumed["instance_id"])
