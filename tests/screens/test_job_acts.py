"""Stopping a job and going on with it from the dashboard: looked at, asked with Cancel focused, done by the record."""

from __future__ import annotations

from pathlib import Path

from textual.widgets import Button

from runctl.clock import FrozenClock
from runctl.config import Settings
from runctl.keymap import BY_ID
from runctl.screens.modals.job import JobModal
from runctl.services.jobs.record import JobRecord
from tests.screens.fleet import NOW
from tests.screens.job_records import IDS
from tests.screens.test_job_view import opened


async def test_a_stop_says_what_happens_asks_and_writes_the_control_object(tmp_path: Path) -> None:
    async with opened(tmp_path, "running") as (driver, _, store):
        record = JobRecord(store, IDS["running"], FrozenClock(NOW))
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
        assert record.control() == {}
        await driver.press("S")
        await driver.until(lambda: "has 2m to save" in driver.screen())
        await driver.press("tab", "enter")
        await driver.until(lambda: "asked for" in driver.screen())
        assert record.control()["desired"] == "stop"
        assert "dashboard" in record.control()["reason"]
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


async def test_read_only_takes_the_keys_away(tmp_path: Path) -> None:
    async with opened(tmp_path, "running", settings=Settings(read_only=True)) as (driver, screen, _):
        await driver.press("S", "a")
        assert driver.app.screen is screen
        assert BY_ID["job.stop"].mutates
