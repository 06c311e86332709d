"""Pictures of every screen, from the embedded cloud at a fixed time: the same picture every time it is run.

`make shots` writes them to `screenshots/` (or SHOTS_OUT); the README shows one of them.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from dialog_shots import SHOTS, Shot, Stage
from s3_shots import SHOTS as S3_SHOTS
from textual.pilot import Pilot
from textual.widgets import Input

from runctl.app import RunctlApp
from runctl.cli.dashboard import open_board
from runctl.clock import FrozenClock
from runctl.config import DEFAULTS, Settings, load_settings
from runctl.demo.cloud import DemoCloud
from runctl.demo.server import start
from runctl.models.snapshot import Source, SourceStatus
from runctl.screens.view import is_signed_out
from runctl.services.actions import Actions
from runctl.services.aws.backend import AwsBackend, open_backend
from runctl.services.aws.door import open_actions
from runctl.services.backend import Backend
from runctl.services.jobs.hands import JobsDoor, looking_jobs
from runctl.services.pollers import keys_of

ROOT = Path(__file__).parents[1]
OUT = Path(os.environ.get("SHOTS_OUT") or ROOT / "screenshots")
NOW = "2026-11-20T09:30:00+00:00"
#: Where the dashboard is started: some dialogs show it.
HERE = Path(tempfile.gettempdir()) / "llama-ft"
REGIONS = ("us-east-1", "us-west-2", "eu-west-1")
SIZES = ((80, 24), (120, 40))
#: Name of the picture and the keys that lead to it from the first screen.
VIEWS: tuple[tuple[str, Sequence[str]], ...] = (
    ("instances", ()),
    ("jobs", ("2",)),
    ("s3", ("3",)),
    ("volumes", ("4",)),
    ("cost", ("5",)),
    ("help", ("question_mark",)),
    ("raw", ("y",)),
    ("sort", ("o",)),
    ("filter", ("slash", "t", "y", "p", "e", "colon", "g", "5", "asterisk")),
    ("filter-wrong", ("slash", "c", "o", "s", "t", "greater_than_sign", "x")),
    ("marks", ("space", "space", "j", "space")),
    ("command", ("colon", "r", "e")),
)
#: Dialogs of what changes something: name, keys, and the text that says that the picture is whole. A key of several
#: letters in quotes is typed; nothing is confirmed.
_OURS = ("slash", *"owner:alan", "enter")
DIALOGS: tuple[tuple[str, Sequence[str], str], ...] = (
    ("menu", (*_OURS, "a"), "what to do with"),
    ("stop", (*_OURS, "S"), "Cancel"),
    ("terminate-several", (*_OURS, *["space"] * 5, "D"), "esc cancels"),
    ("adopt", ("A", "tab", "tab", *"8", "enter"), "8 what?"),
    ("extend", (*_OURS, "plus", *"4h"), "ends by itself"),
    ("attach", ("4", *_OURS, "i", "a", *"attach", "enter"), "own zone"),
    ("modify", ("4", *_OURS, "a", *"modify", "enter"), "four in 24 hours"),
    ("new-disk", ("4", "n", "tab", "tab", *"500"), "a month"),
    ("cleanup", ("4", "X"), "to go on"),
    ("launch-types", ("n", *"a10g"), "SPOT"),
    ("launch-wrong", ("n", *"g5.xlarj", "enter"), "did you mean"),
    ("launch-offer", ("n", *"g5.xlarge,g6.xlarge", "tab", "right", "right"), "ends by itself"),
    ("launch-asked", ("n", *"g5.xlarge", "tab", "wait:ends by itself", "enter"), "Cancel"),
)
_NAMES = {":": "colon", ".": "full_stop", ",": "comma", "-": "minus", " ": "space"}
_DEADLINE_S = 60.0


def _settings(shot: Shot) -> Settings:
    usual = {"regions": REGIONS, "ui.animations": False, "owner": "alan"}
    return load_settings({}, Path(tempfile.gettempdir()), usual | dict(shot.settings)).settings


def _connect(profile: str | None) -> AwsBackend:
    return open_backend(DEFAULTS, profile)


def _all_in(app: RunctlApp) -> bool:
    """Every source of every region has answered, well or badly."""
    status = app.snapshot.status
    wanted = keys_of([s for s in Source if s not in (Source.IDENTITY, Source.REGIONS, Source.JOBS)], REGIONS)
    told = app.snapshot.identity is not None and all(k in status and _answered(status[k]) for k in wanted)
    return told or is_signed_out(app.snapshot)


def _answered(status: SourceStatus) -> bool:
    return status.complete or status.error is not None


def _app(settings: Settings) -> RunctlApp:
    """The dashboard with all its doors open, its clock standing still."""
    clock = FrozenClock(datetime.fromisoformat(NOW))

    def door(backend: Backend, regions: tuple[str, ...]) -> Actions:
        if not isinstance(backend, AwsBackend):
            raise TypeError(backend)
        return open_actions(backend, settings, clock, regions)

    def jobs(backend: Backend, regions: tuple[str, ...]) -> JobsDoor:
        session = backend if isinstance(backend, AwsBackend) else None
        return JobsDoor(looking_jobs(settings, session, "alan", None), settings, clock, session, regions)

    app = RunctlApp(settings, _connect, clock=clock, demo=True, open_door=door,
                    open_board=partial(open_board, settings))  # fmt: skip
    app.desk.open_jobs = jobs
    return app


def _text(app: RunctlApp) -> str:
    """What is on the screen."""
    update = app.screen._compositor.render_full_update()
    strips = getattr(update, "strips")  # noqa: B009  # no public way to the text of a screen
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


async def _until(pilot: Pilot[str | None], app: RunctlApp, shown: str, name: str) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while shown not in _text(app):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{name}: {shown!r} never came\n{_text(app)}")
        await pilot.pause(0.05)


async def _picture(shot: Shot, size: tuple[int, int], cloud: DemoCloud, here: Path) -> None:
    cloud.reset(fleet="lively", seed=7, speed=0.0)
    app = _app(_settings(shot))
    os.chdir(here)
    for fault in shot.faults:
        cloud.faults.add(**fault)
    if shot.prepare is not None:
        shot.prepare(Stage(app, here))
    async with app.run_test(size=size, notifications=True) as pilot:
        deadline = time.monotonic() + _DEADLINE_S
        while not _all_in(app):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{shot.name}: the demo fleet did not arrive within {_DEADLINE_S:g} s")
            await pilot.pause(0.05)
        for key in shot.keys:
            if key.startswith("wait:"):
                await _until(pilot, app, key.removeprefix("wait:"), shot.name)
            else:
                await pilot.press(_NAMES.get(key, key))
                await pilot.pause()
        await _until(pilot, app, shot.shown, shot.name)
        if shot.keys and (fleet := app.fleet) is not None:
            fleet.show_lines()  # the hint for newcomers goes with the first key, at the next second
        for line in app.screen.query(Input):
            line.cursor_blink = False
        await pilot.app.workers.wait_for_complete()
        await pilot.pause(0.6)
        app.save_screenshot(f"{shot.name}-{size[0]}x{size[1]}.svg", path=str(OUT))


def main() -> None:
    """Draw everything, or the pictures named on the command line."""
    wanted = sys.argv[1:]
    os.environ["RUNCTL_NOW"] = NOW
    os.environ["TERM"], os.environ["COLORTERM"] = "xterm-256color", "truecolor"
    os.environ.pop("NO_COLOR", None)
    OUT.mkdir(exist_ok=True)
    shots = (*(Shot(n, k, "") for n, k in VIEWS), *(Shot(n, k, shown) for n, k, shown in DIALOGS), *SHOTS, *S3_SHOTS)
    with start(seed=7, speed=0.0, fleet="lively") as cloud:
        os.environ.update(cloud.environment())
        for size in SIZES:
            for shot in shots:
                if wanted and shot.name not in wanted:
                    continue
                with tempfile.TemporaryDirectory() as home:  # what one launch has learnt is not in the next picture
                    os.environ["HOME"] = home
                    shutil.rmtree(HERE, ignore_errors=True)
                    HERE.mkdir()
                    asyncio.run(_picture(shot, size, cloud, HERE))
                    os.chdir(ROOT)
                    shutil.rmtree(HERE)
                print(f"screenshots/{shot.name}-{size[0]}x{size[1]}.svg")


if __name__ == "__main__":
    main()
