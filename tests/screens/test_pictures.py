"""Every screen and dialog as a picture, from the small fleet at a fixed time. `make snap` renews them; look at each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from runctl.app import RunctlApp
from runctl.clock import FrozenClock
from runctl.config import Settings, UiSettings
from runctl.config.settings import JobSettings
from runctl.services.jobs.hands import JobsDoor
from tests.screens.driving import Driver, PaperTerminal
from tests.screens.fleet import NOW, FleetBackend, denied, signed_out
from tests.screens.job_records import IDS, NAMES, RecordedBackend, jobs_of, write_jobs

Compare = Callable[..., bool]
SMALL, LARGE = (80, 24), (120, 40)
#: Nothing moves, so that a picture does not depend on when it is taken.
CALM = Settings(ui=UiSettings(animations=False, ascii=False), jobs=JobSettings(recover=False))


def cloud(profile: str | None, **errors: Any) -> FleetBackend:
    made = FleetBackend(profile)
    made.errors = errors
    return made


def pictured(
    backend: Callable[[str | None], FleetBackend], keys: Sequence[str], shown: str
) -> tuple[RunctlApp, Callable[[Pilot[Any]], Awaitable[None]]]:
    """The app, and what leads to the picture: all answers in, the keys pressed, a text on the screen."""
    backends: list[FleetBackend] = []

    def connect(profile: str | None) -> FleetBackend:
        backends.append(backend(profile))
        return backends[-1]

    app = RunctlApp(CALM, connect, clock=FrozenClock(NOW), terminal=PaperTerminal())

    async def lead(pilot: Pilot[Any]) -> None:
        driver = Driver(app, pilot, backends)
        await driver.until(lambda: len({k.source for k in app.snapshot.status}) >= 5 or "aws sso" in driver.screen())
        for key in keys:
            await driver.press(key)
        for line in app.screen.query(Input):
            line.cursor_blink = False
        await driver.until(lambda: shown in driver.screen(), f"for {shown!r}")
        await app.workers.wait_for_complete()
        await driver.until(lambda: app.snapshot is app.desk.store.snapshot, "for the last answer to be painted")
        await pilot.pause()

    return app, lead


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x40"])
@pytest.mark.parametrize(
    ("key", "shown"),
    [("1", "train-llama-7b"), ("2", "llama-7b-a2"), ("3", "BUCKET"), ("4", "old-dataset"), ("5", "WHY")],
    ids=["instances", "jobs", "s3", "volumes", "cost"],
)
def test_screens(key: str, shown: str, size: tuple[int, int], snap_compare: Compare) -> None:
    app, lead = pictured(FleetBackend, [key], shown)
    assert snap_compare(app, run_before=lead, terminal_size=size)


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        (["slash", "g", "5"], "3/8"),
        (["o"], "sort by"),
        (["C"], "console URL"),
        (["colon", "r", "e"], "region"),
        (["space", "space", "equals_sign"], "different"),
        (["d"], "Whose"),
        (["y"], "Placement"),
    ],
    ids=["filter", "sort", "copy", "command", "compare", "describe", "raw"],
)
def test_dialogs(keys: list[str], shown: str, snap_compare: Compare) -> None:
    app, lead = pictured(FleetBackend, keys, shown)
    assert snap_compare(app, run_before=lead, terminal_size=SMALL)


@pytest.mark.parametrize(
    ("keys", "shown", "errors"),
    [
        (["4"], "not allowed", {"list_volumes": denied("DescribeVolumes")}),
        (["exclamation_mark"], "errors seen", {"list_volumes": denied("DescribeVolumes")}),
        ([], "aws sso login", dict.fromkeys(("fetch_identity", "list_instances", "list_volumes"), signed_out())),
    ],
    ids=["denied", "errors", "welcome"],
)
def test_bad_days(keys: list[str], shown: str, errors: dict[str, Any], snap_compare: Compare) -> None:
    app, lead = pictured(partial(cloud, **errors), keys, shown)
    assert snap_compare(app, run_before=lead, terminal_size=SMALL)


@pytest.mark.parametrize(
    ("kind", "size", "shown"),
    [
        ("running", SMALL, "step=12000"), ("interrupted", SMALL, "last seen"), ("failed", SMALL, "still on"),
        ("finished", SMALL, "SUCCEEDED"), ("running", LARGE, "━ lr"), ("interrupted", LARGE, "spot interruption"),
    ],
    ids=[
        "running-80x24", "interrupted-80x24", "failed-80x24", "finished-80x24", "running-120x40", "interrupted-120x40",
    ],
)  # fmt: skip
def test_opened_jobs(kind: str, size: tuple[int, int], shown: str, tmp_path: Path, snap_compare: Compare) -> None:
    store = write_jobs(tmp_path / "records")
    backend = partial(RecordedBackend, tmp_path)
    app, listed = pictured(backend, ["2"], NAMES["starting"])
    app.desk.open_jobs = lambda _backend, _regions: JobsDoor(jobs_of(store), CALM, FrozenClock(NOW))

    async def lead(pilot: Pilot[Any]) -> None:
        await listed(pilot)
        driver = Driver(app, pilot, [])
        driver.fleet.table._go([row.id for row in driver.fleet.shown.rows].index(IDS[kind]))
        await driver.press("enter")
        await driver.until(lambda: shown in driver.screen() and "checkpoint" in driver.screen(), f"for {shown!r}")
        await pilot.pause()

    assert snap_compare(app, run_before=lead, terminal_size=size)
