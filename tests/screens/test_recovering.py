"""An interrupted job goes on when the dashboard opens and when it wakes, only then, and under the real supervisor."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from runctl.app import RunctlApp
from runctl.clock import FrozenClock, SystemClock
from runctl.config import Settings
from runctl.config.settings import JobSettings
from runctl.models import record
from runctl.models.job import Job
from runctl.models.snapshot import Source, SourceKey
from runctl.screens.recovering import ASLEEP_S, Alarm
from runctl.services.jobs.hands import JobsDoor
from runctl.services.jobs.rows import Memory, Rows
from runctl.services.jobs.seen import Outcome
from runctl.services.jobs.service import Found, Jobs
from tests.screens.driving import Driver, running
from tests.screens.fleet import NOW, FleetBackend
from tests.services.jobs.running import end_supervisors, open_local, start, until, until_outcome, until_over

JOBS = SourceKey(Source.JOBS, "")


@pytest.mark.parametrize(
    ("wall_s", "ticks_s", "woke"),
    [
        (1.0, 1.0, False), (ASLEEP_S - 1, ASLEEP_S - 1, False),
        (3 * 3600.0, 1.0, True),  # the computer slept
        (120.0, 120.0, True),  # the process was stopped, and continued
        (-3600.0, 1.0, False),  # somebody has set the clock back
    ],
)  # fmt: skip
def test_sleep_is_a_gap_by_either_clock(wall_s: float, ticks_s: float, woke: bool) -> None:
    clock = FrozenClock(NOW)
    alarm = Alarm(clock)
    clock.at += timedelta(seconds=wall_s)
    clock.elapsed += ticks_s
    assert alarm.woke() is woke
    assert alarm.woke() is False


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    """A client of this computer's jobs; what runs is killed in the end."""
    yield open_local(tmp_path / "state")
    end_supervisors(tmp_path / "state" / "work")


def _interrupt(jobs: Jobs, found: Found, attempt: int) -> None:
    """Let an attempt end with its work saved, as one that was taken by EC2 ends an hour ago."""
    until(lambda: (jobs.look(found).seen.state or {}).get("uploads", {}).get("newest_complete"))
    jobs.stop(found, "for the test")
    until_over(jobs, found)
    until(lambda: jobs.look(found).verdict.resource == "none")
    store, job = found.record.store, found.record.job
    end = {**(found.record.exit(attempt) or {}), "stop_reason": "spot-notice"}
    store.put(record.attempt_key(job, attempt, "exit.json"), record.dump(end))
    store.delete([record.control_key(job)])
    beat = store.root / record.attempt_key(job, attempt, "state.json")  # type: ignore[attr-defined]
    os.utime(beat, (time.time() - 3600,) * 2)
    assert jobs.look(found).verdict.outcome is Outcome.INTERRUPTED


class _Backend(FleetBackend):
    """The small fleet, and the jobs of a directory."""

    def __init__(self, jobs: Jobs, root: Path) -> None:
        super().__init__(None)
        here = jobs.watchers["local"].here
        memory = Memory(root / "memory.sqlite3")
        self._rows = Rows({"local": jobs.stores["local"]}, machines=None, here=here, memory=memory, clock=SystemClock())

    def list_jobs(self) -> Iterator[tuple[Job, ...]]:
        yield self._rows.list()


def _opening(jobs: Jobs, settings: Settings) -> type[RunctlApp]:
    """An app that can reach the jobs from its first second on."""

    class App(RunctlApp):
        def on_mount(self) -> None:
            self.desk.open_jobs = lambda _backend, _regions: JobsDoor(jobs, settings, FrozenClock(NOW))
            super().on_mount()

    return App


async def _until(driver: Driver, holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain\n{driver.screen()}"
        await driver.pilot.pause(0.05)


async def test_an_interrupted_job_goes_on_when_the_dashboard_opens_and_when_it_wakes(
    jobs: Jobs, tmp_path: Path
) -> None:
    found = start(jobs, tmp_path / "project", "100000", "0.02")
    _interrupt(jobs, found, 1)
    app = _opening(jobs, Settings())
    async with running(backend=lambda _: _Backend(jobs, tmp_path), app_class=app, size=(120, 30)) as driver:
        await _until(driver, driver.notices)
        (said,) = driver.notices()
        assert said.startswith("train goes on: attempt 2 from 1/step-")
        assert "spot interruption" in said
        until_outcome(jobs, found, Outcome.RUNNING)
        _interrupt(jobs, found, 2)
        await driver.press("2", "r")
        await _until(driver, lambda: "INTERRUPTED" in driver.screen())
        clock = driver.app.desk.clock
        assert isinstance(clock, FrozenClock)
        assert driver.app._armed is None
        await driver.pilot.pause(1.2)  # a second or two in which nothing may be done
        assert found.record.attempts() == (1, 2)
        clock.at += timedelta(hours=3)  # the lid was shut
        await _until(driver, lambda: len(driver.notices()) == 2)
        assert driver.notices()[1].startswith("train goes on: attempt 3 from 2/step-")
        until_outcome(jobs, found, Outcome.RUNNING)


@pytest.mark.parametrize("settings", [Settings(read_only=True), Settings(jobs=JobSettings(recover=False))])
async def test_a_dashboard_that_may_not_leaves_it_to_others(jobs: Jobs, tmp_path: Path, settings: Settings) -> None:
    found = start(jobs, tmp_path / "project", "100000", "0.02")
    _interrupt(jobs, found, 1)
    app = _opening(jobs, settings)
    async with running(backend=lambda _: _Backend(jobs, tmp_path), app_class=app, settings=settings) as driver:
        await driver.press("2")
        await _until(driver, lambda: "INTERRUPTED" in driver.screen())
        assert driver.app._armed is None
        await driver.pilot.pause(0.5)
        assert driver.notices() == []
        assert found.record.attempts() == (1,)


async def test_an_attempt_that_has_to_wait_is_made_when_its_time_has_come(jobs: Jobs, tmp_path: Path) -> None:
    found = start(jobs, tmp_path / "project", "100000", "0.02")
    _interrupt(jobs, found, 1)
    assert not jobs.go_on(found, cause="resume").problem
    until_outcome(jobs, found, Outcome.RUNNING)
    _interrupt(jobs, found, 2)
    beat = found.record.store.root / record.attempt_key(found.record.job, 2, "state.json")  # type: ignore[attr-defined]
    os.utime(beat, (time.time() - 55,) * 2)  # the third attempt may begin a minute after the second was last heard of
    app = _opening(jobs, Settings())
    async with running(backend=lambda _: _Backend(jobs, tmp_path), app_class=app, size=(120, 30)) as driver:
        await _until(driver, driver.notices)
        assert driver.notices()[0].startswith("train goes on later: attempt 3 in ")
        await _until(driver, lambda: len(driver.notices()) == 2)
        assert driver.notices()[1].startswith("train goes on: attempt 3 from 2/step-")
