"""Pictures of jobs, from records written by hand at a fixed time: one that runs, and one of each kind that is over.

`make shots` draws them with the others; `python scripts/screenshots_jobs.py NAME…` only those named.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import botocore.session
from textual.widgets import Input

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from runctl.app import RunctlApp  # noqa: E402  # the tests' records lie beside the package
from runctl.clock import FrozenClock  # noqa: E402
from runctl.config import Settings, UiSettings  # noqa: E402
from runctl.config.settings import JobSettings  # noqa: E402
from runctl.demo.job_plans import BUCKET  # noqa: E402
from runctl.demo.server import start  # noqa: E402
from runctl.services.aws.backend import AwsBackend, open_backend  # noqa: E402
from runctl.services.backend import Backend  # noqa: E402
from runctl.services.jobs.hands import JobsDoor, looking_jobs  # noqa: E402
from tests.screens.driving import Driver, PaperTerminal  # noqa: E402
from tests.screens.fleet import NOW  # noqa: E402
from tests.screens.job_records import IDS, RecordedBackend, jobs_of, write_jobs  # noqa: E402

OUT = ROOT / "screenshots"
SIZES = ((80, 24), (120, 40))
SETTINGS = Settings(ui=UiSettings(animations=False), jobs=JobSettings(recover=False))
#: Name of the picture, the job that is opened ("" for the list), the keys, and the text that says that it is whole.
PICTURES: tuple[tuple[str, str, Sequence[str], str], ...] = (
    ("jobs-list", "", (), "clip-ft"),
    ("job-running", "running", ("enter",), "step=12000"),
    ("job-running-log", "running", ("enter", "l"), "step=12000"),
    ("job-running-curves", "running", ("enter", "m"), "loss"),
    ("job-interrupted", "interrupted", ("enter",), "step=12000"),
    ("job-failed", "failed", ("enter",), "step=812"),
    ("job-finished", "finished", ("enter",), "step=20000"),
    ("job-starting", "starting", ("enter",), "data 1.2 of 3.1"),
    ("job-stop", "running", ("S",), "esc cancels"),
    ("job-menu", "interrupted", ("a",), "resume"),
    ("job-retry", "failed", ("a", *"retry", "enter"), "esc cancels"),
    ("job-no-resume", "failed", ("a", "enter"), "no complete checkpoint"),
    ("job-submit", "", ("n", *"train.py", "tab", *"--epochs 10", "tab", "right", "tab", *"g5.xlarge"), "ends after"),
)
_NAMES = {".": "full_stop", "-": "minus", " ": "space", ",": "comma"}


async def _picture(root: Path, picture: tuple[str, str, Sequence[str], str], size: tuple[int, int]) -> None:
    name, job, keys, shown = picture
    store = write_jobs(root / "records")
    app = RunctlApp(
        SETTINGS, lambda _: RecordedBackend(root), clock=FrozenClock(NOW), demo=True, terminal=PaperTerminal()
    )
    app.desk.open_jobs = lambda _backend, _regions: JobsDoor(jobs_of(store), SETTINGS, FrozenClock(NOW))
    async with app.run_test(size=size, notifications=True) as pilot:
        driver = Driver(app, pilot, [])
        await driver.loaded()
        await driver.press("2")
        await driver.until(lambda: "clip-ft" in driver.screen(), "for the rows")
        if job:
            driver.fleet.table._go([row.id for row in driver.fleet.shown.rows].index(IDS[job]))
        for key in keys:
            await driver.press(_NAMES.get(key, key))
        await driver.until(lambda: shown in driver.screen(), f"for {shown!r}")
        for line in app.screen.query(Input):
            line.cursor_blink = False
        await pilot.pause(0.6)
        app.save_screenshot(f"{name}-{size[0]}x{size[1]}.svg", path=str(OUT))


async def _submitted(size: tuple[int, int]) -> None:
    """What a new job would send and start, as the embedded cloud has it."""
    settings = Settings(regions=("us-east-1",), ui=SETTINGS.ui, jobs=JobSettings(bucket=BUCKET, recover=False))
    clock = FrozenClock(NOW)

    def open_jobs(backend: Backend, regions: tuple[str, ...]) -> JobsDoor:
        if not isinstance(backend, AwsBackend):
            raise TypeError(backend)
        return JobsDoor(looking_jobs(settings, backend, "ada"), settings, clock, backend, regions)

    app = RunctlApp(settings, lambda profile: open_backend(settings, profile), clock=clock, demo=True)
    app.desk.open_jobs = open_jobs
    async with app.run_test(size=size, notifications=True) as pilot:
        driver = Driver(app, pilot, [])
        await driver.until(lambda: app.snapshot.identity is not None, "for the account")
        await driver.press("2", "n", *(_NAMES.get(k, k) for k in "train.py"), "tab", "tab", "tab")
        await driver.press(*(_NAMES.get(k, k) for k in "g5.xlarge,g6.xlarge"), "tab", "right", "tab", "2", "0", "enter")
        await driver.until(lambda: "ends itself after" in driver.screen(), "for the look")
        await pilot.pause(0.6)
        app.save_screenshot(f"job-submit-look-{size[0]}x{size[1]}.svg", path=str(OUT))


def draw(wanted: Sequence[str] = ()) -> None:
    """Draw all pictures, or those named."""
    OUT.mkdir(exist_ok=True)
    before = Path.cwd()
    home = Path(tempfile.gettempdir(), "runctl-pictures")  # its name is in the pictures
    shutil.rmtree(home, ignore_errors=True)
    try:
        os.environ["HOME"] = str(home)
        project = home / "vision"
        project.mkdir(parents=True)
        (project / "train.py").write_text("print('step=1/1 loss=0.5')\n")
        (project / "pyproject.toml").touch()
        os.chdir(project)
        for size in SIZES:
            for picture in PICTURES:
                if not wanted or picture[0] in wanted:
                    root = Path(home, f"{picture[0]}-{size[0]}-{time.monotonic_ns()}")
                    asyncio.run(_picture(root, picture, size))
                    print(f"screenshots/{picture[0]}-{size[0]}x{size[1]}.svg")
        if not wanted or "job-submit-look" in wanted:
            with start(seed=7, speed=0.0, fleet="lively") as cloud:
                os.environ.update(cloud.environment())
                botocore.session.Session().create_client("s3", "us-east-1").create_bucket(Bucket=BUCKET)
                for size in SIZES:
                    asyncio.run(_submitted(size))
                    print(f"screenshots/job-submit-look-{size[0]}x{size[1]}.svg")
    finally:
        os.chdir(before)
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    draw(sys.argv[1:])
