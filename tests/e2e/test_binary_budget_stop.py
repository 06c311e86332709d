"""`cost budgets --stop` through the real binary: nothing without opt-in, never what is protected or not ours."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from runctl.clock import SystemClock
from runctl.demo.cloud import DemoCloud
from runctl.models.tags import PROJECT
from tests.e2e.binary import Ended, runctl
from tests.e2e.records import launched
from tests.screens.job_records import IDS, Writer, state
from tests.services.doors import OURS, fleet_of, machine
from tests.services.jobs.running import TRAINER, until

pytestmark = pytest.mark.e2e
#: So little is gone after two hours.
ON = {"RUNCTL_BUDGETS_DAY_USD": "0.000001", "RUNCTL_BUDGETS_STOP": "true"}


@pytest.fixture
def ids(cloud: DemoCloud, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One of ours, a protected one, one of nobody, one with a job that left no record."""
    monkeypatch.setenv("RUNCTL_OWNER", "zoe")
    return fleet_of(
        cloud, machine("mine", OURS | {PROJECT: "llama"}), machine("kept", OURS | {"runctl:protected": "true"}),
        machine("foreign", {}), machine("works", OURS | {"runctl:job": "01JDQ5V7N8R2X4T6W9Y0ABCDEF"}),
    )  # fmt: skip


def stop(*flags: str, **env: str) -> Ended:
    return runctl("cost", "budgets", "--stop", "-o", "json", "--region", "us-east-1", *flags, env=env)


def test_nothing_is_stopped_unless_switched_on_used_up_and_agreed_to(cloud: DemoCloud, ids: list[str]) -> None:
    assert len(ids) == 4
    off = stop("--yes", RUNCTL_BUDGETS_DAY_USD="0.000001")
    assert off.code == 1
    assert "stop = true" in off.err
    silent = stop(**ON)
    assert silent.code == 1
    assert "needs --yes" in silent.err
    enough = stop("--yes", **(ON | {"RUNCTL_BUDGETS_DAY_USD": "100000"}))
    assert (enough.code, enough.json()) == (0, [])
    planned = {t["name"]: t["outcome"] for t in stop("--dry-run", **ON).json()}
    assert planned == {"mine": "planned", "kept": "refused", "foreign": "refused", "works": "refused"}
    assert cloud.changes() == []


def test_ours_is_stopped_and_what_is_protected_foreign_or_at_work_is_refused_by_name(
    cloud: DemoCloud, ids: list[str]
) -> None:
    done = stop("--yes", **ON)
    told = {t["name"]: (t["outcome"], t["rule"]) for t in done.json()}
    assert told == {
        "mine": ("done", None), "kept": ("refused", "protected"), "foreign": ("refused", "not-ours"),
        "works": ("refused", "running-job"),
    }  # fmt: skip
    assert {named for _, _, all_named in cloud.changes() for named in all_named} == {ids[0]}
    assert "budget day" in done.err
    alerts = runctl("--once", "-o", "json", "cost", "--region", "us-east-1", env=ON).json()["summary"]["alerts"]
    assert "runctl cost budgets --stop" in alerts[0]


def test_a_budget_that_cannot_be_judged_alarms_and_stops_nothing(cloud: DemoCloud) -> None:
    fleet_of(cloud, machine("unpriced", type="x1.16xlarge"))
    done = stop("--yes", **(ON | {"RUNCTL_BUDGETS_DAY_USD": "1000"}))
    assert (done.code, done.json()) == (0, [])
    assert "cannot be judged" in done.err
    assert "nothing is stopped for it" in done.err
    assert cloud.changes() == []


@pytest.mark.parametrize("owner", ["zoe", "ana"])
def test_a_job_is_told_to_stop_and_its_machine_is_left_to_it(cloud: DemoCloud, tmp_path: Path, owner: str) -> None:
    job = IDS["running"]
    (works,) = fleet_of(cloud, machine("works", OURS | {"runctl:job": job, "runctl:attempt": "1"}))
    record = launched("records-of-budgets", tmp_path, owner, age_s=7000)
    now = SystemClock().now().timestamp()
    Writer(record).put("state.json", **state("RUNNING", 12_000, at=now, machine={"instance_id": works}))
    cloud.forget_calls()
    told = stop("--yes", **ON, RUNCTL_OWNER="zoe", RUNCTL_JOBS_BUCKET="records-of-budgets")
    (one,) = told.json()
    assert works not in {named for _, _, all_named in cloud.changes() for named in all_named}
    if owner == "ana":
        assert (one["outcome"], one["rule"]) == ("refused", "other-owner")
        assert record.control().get("desired") != "stop"
        return
    assert one["outcome"] == "done", told.err
    assert "saves, uploads" in one["reason"]
    assert record.control()["desired"] == "stop"
    assert "budget day" in record.control()["reason"]


@pytest.mark.skipif(os.environ.get("JOB_SCENARIOS") != "all", reason="JOB_SCENARIOS=all runs it")
def test_a_training_that_is_told_to_stop_saves_ends_its_machine_and_can_go_on(
    cloud: DemoCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a live supervisor, to the end: the checkpoint is complete before the machine is gone."""
    cloud.reset(fleet="empty")
    cloud.set_timings(pending=0.5, stopping=0.5, shutting_down=0.5)
    monkeypatch.setenv("RUNCTL_JOBS_BUCKET", "records-of-budgets")
    assert runctl("init", "--yes").code == 0
    script = tmp_path / "project/train.py"
    script.parent.mkdir()
    script.write_text(TRAINER)
    flags = ("--type", "g5.xlarge", "--checkpoint-pattern", "step-*.json", "--ttl", "2h", "--no-deps", "--yes")
    job = runctl("jobs", "submit", str(script), *flags, "--", "100000", "0.02").out.strip()

    def shown() -> dict[str, Any]:
        found: dict[str, Any] = runctl("jobs", "show", job, "-o", "json").json()
        return found

    until(lambda: (now := shown())["state"] == "RUNNING" and now["checkpoint_age_s"] is not None, pause=1.0)
    (told,) = stop("--yes", **ON).json()
    assert (told["outcome"], "saves, uploads" in told["reason"]) == ("done", True)
    until(lambda: shown()["resource_state"] in ("terminated", "not-found"), pause=1.0)
    over = shown()
    assert (over["state"], "budget day" in over["reason"]) == ("CANCELLED", True), over["reason"]
    kept = [c for c in runctl("jobs", "checkpoints", job, "-o", "json").json() if c["complete"]]
    assert max(c["step"] for c in kept) == over["step"]
