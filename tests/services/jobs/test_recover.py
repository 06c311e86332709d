"""What is done unattended: to whose jobs, by which door, and what is left alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runctl.clock import FrozenClock
from runctl.config import Settings
from runctl.errors import RunctlError
from runctl.services.jobs.hands import JobsDoor
from runctl.services.jobs.look import due_of
from runctl.services.jobs.recover import Done, sweep
from runctl.services.jobs.service import Found, Jobs
from tests.screens.fleet import NOW
from tests.screens.job_records import IDS, begin, ended, job_machines, jobs_of, write_jobs


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    """A running job, one of each kind that is over, one that starts: all of them ana's."""
    return jobs_of(write_jobs(tmp_path / "records"))


def _done(jobs: Jobs, *, dry_run: bool = False) -> dict[str, Done]:
    return {d.name: d for d in sweep(jobs, dry_run=dry_run)}


def test_only_what_is_due_is_done_and_only_with_hands(jobs: Jobs) -> None:
    opened: list[str] = []

    def hands(found: Found) -> Jobs:
        opened.append(found.record.job)
        raise RunctlError("no hands today")

    done = {d.name: d for d in sweep(jobs, hands=hands)}
    assert {name: d.did for name, d in done.items()} == {
        "llama-7b": "none", "vit-small": "none", "clip-ft": "none",  # they train, start, or are over and gone
        "gpt-toy": "failed",  # over, and its machine still bills
        "bert-x": "failed",  # interrupted
    }  # fmt: skip
    assert sorted(opened) == sorted([IDS["failed"], IDS["interrupted"]])
    assert done["bert-x"].message == "no hands today"


def test_what_would_be_done_is_said_without_hands(jobs: Jobs) -> None:
    done = _done(jobs, dry_run=True)
    assert (done["bert-x"].did, done["gpt-toy"].did) == ("would-recover", "would-clean-up")
    assert done["gpt-toy"].message == f"{job_machines()[2].id}: terminate"


def test_a_job_of_somebody_else_in_the_same_bucket_is_left_alone(jobs: Jobs) -> None:
    done = _done(replace(jobs, owner="zoe"))
    assert {d.did for d in done.values()} == {"none"}
    assert done["bert-x"].message == "left alone: it is ana's, and we are zoe"
    assert jobs.record("ec2", IDS["interrupted"]).attempts() == (1,)


def test_a_read_only_dashboard_has_no_hands(jobs: Jobs) -> None:
    door = JobsDoor(jobs, Settings(read_only=True), FrozenClock(NOW))
    (done,) = door.recover([IDS["interrupted"]])
    assert (done.did, "read-only" in done.message) == ("failed", True)
    assert jobs.record("ec2", IDS["interrupted"]).attempts() == (1,)


def test_a_failure_is_due_only_where_its_code_is_worth_another_attempt(jobs: Jobs, tmp_path: Path) -> None:
    store = write_jobs(tmp_path / "others")
    retry = {"max_attempts": 2, "on_interruption": True, "on_exit": [75]}
    looks = {}
    for kind, rc in (("finished", 75), ("failed", 1)):
        store.delete([e.key for e in store.entries(f"runctl/jobs/{IDS[kind]}/")])
        ended(begin(store, kind, retry=retry), rc=rc, cause="exit", message="", step=1)
        others = jobs_of(store)
        looks[rc] = due_of(others.look(others.find(IDS[kind])))
    assert looks == {75: "retry", 1: "clean-up"}
