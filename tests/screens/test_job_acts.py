"""Stopping a job and going on with it from the dashboard: looked at, asked with Cancel focused, done by the record."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Button, Static

from runctl.clock import FrozenClock
from runctl.config import Settings
from runctl.keymap import BY_ID
from runctl.models import record
from runctl.screens.modals.job import JobModal
from runctl.screens.submit_form import judge_submit
from runctl.services.jobs.hands import JobsDoor
from runctl.services.jobs.record import JobRecord
from runctl.services.jobs.spec import build_job
from tests.screens.driving import running
from tests.screens.fleet import NOW
from tests.screens.job_records import IDS
from tests.screens.test_job_view import opened
from tests.services.jobs.running import TRAINER, open_local, until_over


async def test_a_stop_says_what_happens_asks_and_writes_the_control_object(tmp_path: Path) -> None:
    async with opened(tmp_path, "running") as (driver, _, store):
        job = JobRecord(store, IDS["running"], FrozenClock(NOW))
        await driver.press("S")
        await driver.until(lambda: "SIGTERM" in driver.screen() or "has 2m to save" in driver.screen())
        shown = driver.screen()
        assert "newest complete checkpoint 6m old" in shown
        assert "$0.41/h in us-east-1" in shown
        assert "the machine terminates" in shown
        modal = driver.app.screen
        assert isinstance(modal, JobModal)
        assert modal.query_one("#cancel", Button).has_focus
        await driver.press("enter")
        assert not isinstance(driver.app.screen, JobModal)
        assert job.control() == {}
        await driver.press("S")
        await driver.until(lambda: "has 2m to save" in driver.screen())
        await driver.press("tab", "enter")
        await driver.until(lambda: "asked for" in driver.screen())
        assert job.control()["desired"] == "stop"
        assert "dashboard" in job.control()["reason"]
        await driver.press("escape", "r")
        await driver.until(lambda: "CANCELLING" in driver.screen(), "for the verdict")


async def test_what_is_over_is_left_alone_and_marks_stop_together(tmp_path: Path) -> None:
    async with opened(tmp_path, "running") as (driver, _, store):
        await driver.press("escape")
        table = driver.fleet.table
        table.marks = frozenset({IDS["running"], IDS["finished"]})
        await driver.press("S")
        await driver.until(lambda: "left alone: it is SUCCEEDED already" in driver.screen())
        await driver.press("tab", "enter")
        await driver.until(lambda: "asked for" in driver.screen())
        await driver.press("escape")
        assert table.marks == frozenset()
        assert JobRecord(store, IDS["finished"], FrozenClock(NOW)).control() == {}


async def test_going_on_is_offered_where_it_is_over_and_says_from_where(tmp_path: Path) -> None:
    async with opened(tmp_path, "failed") as (driver, _, _):
        await driver.press("a")
        await driver.until(lambda: "retry from the start" in driver.screen())
        assert "resume" in driver.screen()
        await driver.type("retry from")
        await driver.press("enter")
        await driver.until(lambda: "attempt 2 from the start" in driver.screen())
        assert "python train.py" in driver.screen()
        assert "$0.71 of $20.00" in driver.screen()
        await driver.press("tab", "enter")
        # These records have no hands: what starts machines is not connected, and says so.
        await driver.until(lambda: "not connected to AWS" in driver.screen())


async def test_resuming_needs_a_checkpoint_and_says_what_bills_on(tmp_path: Path) -> None:
    async with opened(tmp_path, "failed", size=(120, 30)) as (driver, _, store):
        await driver.press("a", "enter")
        await driver.until(lambda: "it has no complete checkpoint to go on from" in driver.screen())
        assert not driver.app.screen.query_one("#go").display
        await driver.press("escape")
        index = {"v": 1, "job": IDS["failed"],
                 "checkpoints": [{"id": "1/step-000800.pt", "step": 800, "bytes": 1, "complete": True}]}  # fmt: skip
        store.put(record.index_key(IDS["failed"]), record.dump(index))
        await driver.press("a", "enter")
        await driver.until(lambda: "attempt 2 from 1/step-000800.pt, step 800" in driver.screen())
        assert "of attempt 1 is running and bills on" in driver.screen()


async def test_read_only_takes_the_keys_away(tmp_path: Path) -> None:
    async with opened(tmp_path, "running", settings=Settings(read_only=True)) as (driver, screen, _):
        await driver.press("S", "a")
        assert driver.app.screen is screen
        assert BY_ID["job.stop"].mutates


async def test_a_job_is_submitted_from_a_form_after_a_look_and_really_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "train.py").write_text(TRAINER)
    monkeypatch.chdir(project)
    jobs = open_local(tmp_path)
    async with running(size=(100, 30)) as driver:
        driver.app.desk.open_jobs = lambda _backend, _regions: JobsDoor(jobs, Settings(), FrozenClock(NOW))
        await driver.press("2", "n")
        await driver.until(lambda: "a new job" in driver.screen())
        await driver.type("nothing.py")
        await driver.press("enter")
        assert "no such file in" in driver.screen()
        await driver.press(*["backspace"] * 10)
        await driver.type("train.py")
        await driver.press("tab")
        await driver.type("3 0.01")
        assert "this computer" in driver.screen()
        await driver.press("enter")
        await driver.until(lambda: "code from" in driver.screen(), "for the look")
        assert "train.py" in driver.screen()
        assert "ends itself after 1d" in driver.screen()
        assert list(jobs.ids()) == []
        await driver.press("tab", "enter")
        await driver.until(lambda: "starts on" in driver.screen(), "for the start")
    (found,) = jobs.ids()
    assert until_over(jobs, jobs.find(found[1])).verdict.outcome == "SUCCEEDED"


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({}, None), ({"script": ""}, "script"), ({"args": "'open"}, "args"), ({"ttl": "8"}, "ttl"),
        ({"budget": "much"}, "budget"), ({"budget": "-1"}, "budget"), ({"provider": "ec2"}, "type"),
        ({"provider": "ec2", "type": "g5.xlarge, g6.xlarge"}, None),
    ],
)  # fmt: skip
def test_lines_of_a_new_job_are_judged_while_they_are_written(
    change: dict[str, str], wrong: str | None, tmp_path: Path
) -> None:
    (tmp_path / "train.py").touch()
    lines = {"script": "train.py", "args": "--lr '1 2'", "provider": "local", "type": "", "market": "spot",
             "budget": "20", "ttl": "8h"}  # fmt: skip
    verdict = judge_submit(lines | change, tmp_path)
    assert list(verdict.problems) == ([wrong] if wrong else [])
    assert (verdict.parameters is None) == (wrong is not None)
    if verdict.parameters is not None:
        job = build_job(verdict.parameters)
        assert (job.limits.budget, job.limits.ttl, job.args) == (20.0, 28_800.0, ("--lr", "1 2"))


async def test_marks_that_a_filter_hides_stop_no_other_job(tmp_path: Path) -> None:
    async with opened(tmp_path, "running") as (driver, _, _store):
        await driver.press("escape")
        driver.fleet.table.marks = frozenset({IDS["interrupted"]})
        driver.fleet.action_filter_by(f"id:{IDS['running']}")
        await driver.until(lambda: "1 marked, 1 not shown" in driver.screen())
        await driver.press("S")
        assert "1 marked job hidden by the filter: act on" in driver.screen()
        assert "only the" not in driver.screen(), "nothing that is marked is shown"
        await driver.press("enter")
        await driver.until(lambda: driver.app.screen is driver.fleet)
        await driver.press("S", "down", "enter")
        await driver.until(lambda: isinstance(driver.app.screen, JobModal) and "has 2m" in driver.screen())
        told = str(driver.app.screen.query_one("#text", Static).content)
        assert IDS["interrupted"] in told
        assert IDS["running"] not in told
