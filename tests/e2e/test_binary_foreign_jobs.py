"""A bucket holds the jobs of many: another owner's is neither stopped nor started, unless the rule is set aside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runctl.clock import SystemClock
from runctl.config import Settings
from runctl.demo.cloud import DemoCloud
from runctl.services.jobs.hands import JobsDoor
from runctl.services.jobs.record import JobRecord
from tests.e2e.binary import Ended, runctl
from tests.e2e.records import launched
from tests.screens.job_records import IDS, jobs_of

pytestmark = pytest.mark.e2e
BUCKET = "records-of-many"
JOB = IDS["running"]


@pytest.fixture
def record(cloud: DemoCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> JobRecord:
    """Ana's job, launched and not heard of since; we are Zoe."""
    monkeypatch.setenv("RUNCTL_OWNER", "zoe")
    monkeypatch.setenv("RUNCTL_JOBS_BUCKET", BUCKET)
    made = launched(BUCKET, tmp_path, "ana")
    cloud.forget_calls()
    return made


def change(verb: str, *flags: str) -> Ended:
    return runctl("jobs", verb, JOB, "-o", "json", "--region", "us-east-1", *flags)


@pytest.mark.parametrize("verb", ["stop", "resume", "retry"])
def test_another_owners_job_is_refused_by_name(cloud: DemoCloud, record: JobRecord, verb: str) -> None:
    for flags in (("--yes",), ("--dry-run",)):
        done = change(verb, *flags)
        (told,) = done.json()
        assert (done.code, told["outcome"], told["rule"]) == (1, "refused", "other-owner")
        assert "it is ana's, and we are zoe" in told["reason"]
        assert "--override other-owner" in told["reason"]
    assert record.control().get("desired") != "stop"
    assert record.attempts() == (1,)
    assert cloud.changes() == []


def test_the_rule_is_set_aside_by_name(record: JobRecord) -> None:
    done = change("stop", "--yes", "--override", "other-owner")
    assert (done.code, done.json()[0]["outcome"]) == (0, "done"), done.err
    assert record.control()["desired"] == "stop"


def test_the_dialogs_leave_it_alone_and_say_how_it_is_done(record: JobRecord) -> None:
    door = JobsDoor(replace(jobs_of(record.store), owner="zoe"), Settings(owner="zoe"), SystemClock())
    offer = door.offer_stop([JOB])
    assert offer.jobs == ()
    assert any("it is ana's" in line and "--override other-owner" in line for line in offer.lines)
    (told,) = door.stop([JOB])
    assert "left alone: it is ana's" in told
    assert record.control().get("desired") != "stop"
    going_on = door.offer_going_on(JOB, cause="retry", fresh=True)
    assert going_on.jobs == ()
    assert door.go_on(JOB, cause="retry", fresh=True) == (told,)
    assert record.attempts() == (1,)
