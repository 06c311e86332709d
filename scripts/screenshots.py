"""Pictures of every screen, from the embedded cloud at a fixed time: the same picture every time it is run.

`make shots` writes them to `screenshots/`; the README shows one of them.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from runctl.app import RunctlApp
from runctl.clock import FrozenClock
from runctl.config import DEFAULTS, load_settings
from runctl.demo.server import start
from runctl.models.snapshot import Source
from runctl.services.aws.backend import AwsBackend, open_backend
from runctl.services.pollers import keys_of

ROOT = Path(__file__).parents[1]
OUT = ROOT / "screenshots"
NOW = "2026-11-20T09:30:00+00:00"
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
_DEADLINE_S = 60.0


def _connect(profile: str | None) -> AwsBackend:
    return open_backend(DEFAULTS, profile)


def _all_in(app: RunctlApp) -> bool:
    """Every source of every region has answered."""
    status = app.snapshot.status
    wanted = keys_of([s for s in Source if s not in (Source.IDENTITY, Source.REGIONS, Source.JOBS)], REGIONS)
    return app.snapshot.identity is not None and all(k in status and status[k].complete for k in wanted)


async def _picture(name: str, keys: Sequence[str], size: tuple[int, int]) -> None:
    settings = load_settings({}, Path(tempfile.gettempdir()), {"regions": REGIONS, "ui.animations": False}).settings
    app = RunctlApp(settings, _connect, clock=FrozenClock(datetime.fromisoformat(NOW)), demo=True)
    async with app.run_test(size=size, notifications=True) as pilot:
        deadline = time.monotonic() + _DEADLINE_S
        while not _all_in(app):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name}: the demo fleet did not arrive within {_DEADLINE_S:g} s")
            await pilot.pause(0.05)
        await pilot.press(*keys)
        await pilot.app.workers.wait_for_complete()
        await pilot.pause(0.6)
        app.save_screenshot(f"{name}-{size[0]}x{size[1]}.svg", path=str(OUT))


def main() -> None:
    """Draw everything."""
    os.environ["RUNCTL_NOW"] = NOW
    os.environ["TERM"], os.environ["COLORTERM"] = "xterm-256color", "truecolor"
    os.environ.pop("NO_COLOR", None)
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home, start(seed=7, speed=0.0, fleet="lively") as cloud:
        os.environ["HOME"] = home
        os.environ.update(cloud.environment())
        for size in SIZES:
            for name, keys in VIEWS:
                asyncio.run(_picture(name, keys, size))
                print(f"screenshots/{name}-{size[0]}x{size[1]}.svg")


if __name__ == "__main__":
    main()
