"""The real dashboard driven from inside its process, headless: what cannot be seen from a terminal.

    python -m benchmarks.inside poll    refreshes on the cloud that the environment names
    python -m benchmarks.inside keys    keys instead
    python -m benchmarks.inside rows    data rows at 80x24 and 50x12

Prints one JSON object. A stall is the shorter of how late the event loop came and the CPU time this process used
meanwhile: on a shared machine the rest of the lateness is somebody else's.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import statistics
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import psutil
from textual.pilot import Pilot

from runctl.app import RunctlApp
from runctl.cli.headstart import COLLECT_AFTER
from runctl.clock import SystemClock
from runctl.config import load_settings
from runctl.services.aws.backend import open_backend
from runctl.store.store import Store
from runctl.widgets.filter_bar import FilterBar

SIZE = (140, 45)
REFRESHES = 6
#: Typed letter by letter, each letter filtering all rows, then taken back letter by letter.
TYPED = ("train", "type:g5*", "train cost>1.5 !owner:ana", "g5 running vision")
_KEYS = {" ": "space", ":": "colon", ">": "greater_than_sign", "*": "asterisk", "!": "exclamation_mark",
         ".": "full_stop"}  # fmt: skip
Figures = dict[str, float]


class Stalls:
    """How long the event loop was held up, sampled every 5 ms."""

    def __init__(self) -> None:
        self.late_s: list[float] = []
        self.ours_s: list[float] = []

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            began, cpu = time.perf_counter(), time.process_time()
            await asyncio.sleep(0.005)
            late = time.perf_counter() - began - 0.005
            self.late_s.append(late)
            self.ours_s.append(min(late, time.process_time() - cpu))


@contextlib.asynccontextmanager
async def stalls() -> AsyncIterator[Stalls]:
    """Watch the loop meanwhile."""
    seen = Stalls()
    task = asyncio.create_task(seen.watch())
    try:
        yield seen
    finally:
        task.cancel()


@contextlib.asynccontextmanager
async def dashboard(
    size: tuple[int, int] = SIZE, refresh_s: float = 2.0
) -> AsyncIterator[tuple[RunctlApp, Pilot[Any]]]:
    """The app on the cloud of the environment, as `runctl` starts it."""
    settings = load_settings(flags={"ui.refresh_s": refresh_s}).settings
    app = RunctlApp(settings, lambda profile: open_backend(settings, profile), clock=SystemClock())
    async with app.run_test(size=size) as pilot:
        gc.freeze()
        gc.set_threshold(*COLLECT_AFTER)
        yield app, pilot


async def until(condition: Callable[[], object], timeout_s: float = 120.0) -> None:
    """Wait without holding up the loop.

    Raises:
        TimeoutError: it did not come true.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        await asyncio.sleep(0.01)


def _loaded(app: RunctlApp, rows: int) -> Callable[[], bool]:
    return lambda: app.fleet is not None and len(app.fleet.shown.rows) >= rows


async def poll(rows: int) -> Figures:
    """Machines polled: the UI thread's CPU for a refresh, the worst stall, memory."""
    async with dashboard() as (app, _), stalls() as seen:
        applied = _count_refreshes(app.desk.store)
        await until(_loaded(app, rows))
        await asyncio.sleep(1.0)
        first, began, cpu = max(seen.ours_s), len(applied), time.thread_time()
        del seen.ours_s[:], seen.late_s[:]
        since = time.perf_counter()
        await until(lambda: len(applied) >= began + REFRESHES)
        await asyncio.sleep(0.3)
        took, cpu = time.perf_counter() - since, time.thread_time() - cpu
        return {
            "first_stall_s": first,
            "stall_s": max(seen.ours_s),
            "late_s": max(seen.late_s),
            "ui_s": cpu / (len(applied) - began),
            "refreshes": len(applied) - began,
            "took_s": took,
            "rss_mb": psutil.Process().memory_info().rss / 1e6,
        }


def _count_refreshes(store: Store) -> list[float]:
    """A list that grows by one with each complete listing of machines."""
    from runctl.events import ListingCompleted
    from runctl.models.snapshot import Source

    applied: list[float] = []
    apply = store.apply

    def counted(event: Any) -> Any:
        if isinstance(event, ListingCompleted) and event.key.source is Source.INSTANCES:
            applied.append(time.monotonic())
        return apply(event)

    store.apply = counted  # type: ignore[method-assign]  # a tap for counting
    return applied


async def _painted(app: RunctlApp, pilot: Pilot[Any]) -> None:
    done = asyncio.Event()
    app.screen.call_after_refresh(done.set)
    await done.wait()
    await pilot.pause(0)


async def keys(rows: int) -> Figures:
    """CPU and wall seconds of the UI thread from a key to the paint: moving, and typing a filter over all rows."""
    async with dashboard(refresh_s=3600.0) as (app, pilot), stalls() as seen:
        await until(_loaded(app, rows))
        await asyncio.sleep(0.5)
        del seen.ours_s[:]
        moves, letters, walls = [], [], []

        async def press(key: str) -> tuple[float, float]:
            began, wall = time.thread_time(), time.perf_counter()
            await pilot.press(key)
            await _painted(app, pilot)
            return time.thread_time() - began, time.perf_counter() - wall

        for n in range(60):
            moves.append((await press("pagedown" if n % 5 == 4 else "down"))[0])
        for text in TYPED:
            await press("slash")
            for key in [*(_KEYS.get(c, c) for c in text), *["backspace"] * len(text)]:
                cpu, wall = await press(key)
                letters.append(cpu)
                walls.append(wall)
            assert app.fleet is not None
            assert not app.fleet.query_one(FilterBar).text
            await press("escape")
        return {"move_s": p95(moves), "letter_s": p95(letters), "letter_wall_s": p95(walls),
                "letter_median_s": statistics.median(letters), "stall_s": max(seen.ours_s)}  # fmt: skip


async def rows_shown() -> Figures:
    """Data rows on a small terminal: as many as the table has lines below its heading; 0 where a message stands."""
    found = {}
    for width, height in ((80, 24), (60, 15), (50, 12)):
        async with dashboard((width, height)) as (app, pilot):
            await until(_loaded(app, 40))
            await pilot.pause()
            assert app.fleet is not None
            shown = app.fleet.table.size.height - 1 if app.fleet.table.display else 0
            told = app.fleet.query_one("#small").display
            found[f"{width}x{height}"] = float(shown) if not told else -1.0
    return found


def p95(values: list[float]) -> float:
    """The 95th percentile."""
    return sorted(values)[int(len(values) * 0.95)]


def main() -> None:
    """Measure one thing."""
    parser = argparse.ArgumentParser(prog="benchmarks.inside", description=__doc__)
    parser.add_argument("what", choices=("poll", "keys", "rows"))
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--regions", default="us-east-1")
    given = parser.parse_args()
    os.environ["RUNCTL_REGIONS"] = given.regions
    work = {"poll": lambda: poll(given.rows), "keys": lambda: keys(given.rows), "rows": rows_shown}[given.what]
    print(json.dumps(asyncio.run(work())))


if __name__ == "__main__":
    main()
