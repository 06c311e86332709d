"""Ten thousand machines in the table, polled: against Textual's DataTable refilled with the same cells, in one run.

Headless, so what a terminal costs is not in it. The rows, columns and filters are those of the Instances screen.

    python -m benchmarks.bench_table --rows 10000
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
from rich.text import Text
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import DataTable

from benchmarks.harness import Result
from runctl.models.cost import Confidence, Price
from runctl.models.instance import Hardware, Instance, InstanceState, Market
from runctl.models.snapshot import EMPTY
from runctl.models.tags import parse_ownership
from runctl.screens.cells import to_text
from runctl.screens.instances import INSTANCES
from runctl.screens.view import Choice, arrange
from runctl.store.fields import INSTANCE_FIELDS, Context
from runctl.store.filter import parse_filter
from runctl.theme import themes, tokens
from runctl.widgets.columns import Column, fit_columns
from runctl.widgets.virtual_table import VirtualTable

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
SIZE = (140, 45)
POLLS = 6
#: Typed letter by letter, each letter filtering all rows: a word, a field with a glob, a comparison.
TYPED = ("t", "tr", "tra", "train", "type:g5*", "train cost>1.5", "train cost>1.5 !owner:ana")
_TYPES = ("g5.xlarge", "p4d.24xlarge", "c5.2xlarge", "g5.12xlarge", "m5.large")


def machines(count: int, poll: int) -> tuple[Instance, ...]:
    """A fleet; each poll gives new objects, as parsing does, and one machine in fifty says something else."""
    price = Price(1.006, "hour", "book", Confidence.LISTED, NOW.date())
    made = []
    for n in range(count):
        tags = {"Name": f"train-{n:05}", "runctl:managed": "1", "runctl:owner": ("ana", "zoe", "kim")[n % 3]}
        changed = n % 50 == poll
        made.append(
            Instance(
                id=f"i-{n:017x}",
                region="us-east-1",
                name=tags["Name"],
                type=_TYPES[n % len(_TYPES)],
                state=InstanceState.STOPPED if changed else InstanceState.RUNNING,
                launched_at=NOW - timedelta(minutes=n),
                ownership=parse_ownership(tags),
                tags=tags,
                market=Market.SPOT if n % 4 == 0 else Market.ON_DEMAND,
                az="us-east-1a",
                rate=replace(price, usd=0.1 + n % 97 / 10),
                hardware=Hardware(vcpus=4, memory_gib=16.0, gpu_model="A10G", gpu_count=1, gpu_memory_gib=24.0),
            )
        )
    return tuple(made)


def columns(context: Context) -> list[Column[Instance]]:
    """The columns of the Instances screen that fit, for both tables."""
    colours = tokens("dark")

    def render(cell: Callable[[Any, Context], Any]) -> Callable[[Instance], Text]:
        return lambda item: to_text(cell(item, context), colours)

    every = [
        Column(s.name, s.label, s.width, render(s.cell), "right" if s.right else "left", 100 - min(100, s.keep), s.flex)
        for s in INSTANCES.columns
    ]
    return [column for column, _ in fit_columns(every, SIZE[0])]


class TableApp(App[None]):
    """The one or the other table alone on the screen."""

    def __init__(self, virtual: bool) -> None:
        super().__init__()
        self.virtual = virtual
        self.columns = columns(Context(NOW))
        for theme in themes():
            self.register_theme(theme)
        self.theme = "runctl-dark"

    def compose(self) -> ComposeResult:
        if self.virtual:
            yield VirtualTable[Instance](lambda i: i.id)
        else:
            yield DataTable[Text](cursor_type="row")

    def on_mount(self) -> None:
        if self.virtual:
            self.query_one(VirtualTable).set_columns(self.columns)
            self.query_one(VirtualTable).focus()
            return
        table: DataTable[Text] = self.query_one(DataTable)
        for column in self.columns:
            table.add_column(column.label, width=column.width, key=column.name)
        table.focus()

    def fill(self, rows: Sequence[Instance]) -> None:
        """One refresh."""
        if self.virtual:
            self.query_one(VirtualTable).set_rows(rows)
            return
        table: DataTable[Text] = self.query_one(DataTable)
        table.clear()
        for row in rows:
            table.add_row(*[column.render(row) for column in self.columns], key=row.id)


@contextlib.asynccontextmanager
async def stalls() -> AsyncIterator[list[float]]:
    """Seconds by which the event loop came late, sampled every 5 ms."""
    late: list[float] = []

    async def watch() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.005)
            late.append(time.perf_counter() - began - 0.005)

    task = asyncio.create_task(watch())
    try:
        yield late
    finally:
        task.cancel()


async def _settle(app: TableApp, pilot: Pilot[None]) -> None:
    """Until the screen was painted again."""
    painted = asyncio.Event()
    app.call_after_refresh(painted.set)
    await painted.wait()
    await pilot.pause(0)


async def refreshes(virtual: bool, polls: Sequence[tuple[Instance, ...]]) -> tuple[float, float]:
    """Median CPU seconds of the UI thread for a refresh with its paint, and the worst stall."""
    app = TableApp(virtual)
    async with app.run_test(size=SIZE) as pilot:
        app.fill(polls[0])
        await _settle(app, pilot)
        costs = []
        async with stalls() as late:
            for rows in polls[1:]:
                began = time.thread_time()
                app.fill(rows)
                await _settle(app, pilot)
                costs.append(time.thread_time() - began)
        return statistics.median(costs), max(late)


async def keys(rows: Sequence[Instance]) -> tuple[float, float]:
    """p95 CPU seconds of the UI thread from a key to the paint: of moving, and of a filter's letter over all rows.

    CPU, because the load of a shared machine is not ours; waiting for the next frame adds at most 17 ms.
    """
    app = TableApp(virtual=True)
    context = Context(NOW, replace(EMPTY, instances=tuple(rows)))
    async with app.run_test(size=SIZE) as pilot:
        app.fill(rows)
        await _settle(app, pilot)
        moves, letters = [], []
        table = app.query_one(VirtualTable)
        for n in range(60):
            began = time.thread_time()
            table.action_page(1) if n % 5 == 4 else table.action_move(1)
            await _settle(app, pilot)
            moves.append(time.thread_time() - began)
        for text in TYPED * 3:
            began = time.thread_time()
            chosen = Choice(INSTANCES.sort, True, parse_filter(text, INSTANCE_FIELDS))
            table.set_rows(arrange(INSTANCES, rows, chosen, context).rows)
            await _settle(app, pilot)
            letters.append(time.thread_time() - began)
    return _p95(moves), _p95(letters)


def _p95(values: Sequence[float]) -> float:
    return sorted(values)[int(len(values) * 0.95)]


def _bar(name: str, measured: float, most: float) -> Result:
    return Result(name, measured, most, measured / most, 1.0)


def results(count: int = 10_000) -> Iterator[Result]:
    """Every comparison of this file; where there is no rival, the bar itself stands in its place."""
    polls = [machines(count, poll) for poll in range(POLLS)]
    ours, stall = asyncio.run(refreshes(True, polls))
    memory = psutil.Process().memory_info().rss / 1e9
    move, letter = asyncio.run(keys(polls[0]))
    theirs, their_stall = asyncio.run(refreshes(False, polls[:3]))
    yield Result(f"refresh of {count:,} rows / DataTable refilled", ours, theirs, ours / theirs, 0.15)
    yield Result("worst stall / DataTable refilled", stall, their_stall, stall / their_stall, 1.0)
    yield _bar("worst stall, against 100 ms", stall, 0.1)
    yield _bar("CPU key to paint, p95, against 50 ms", move, 0.05)
    yield _bar("CPU filter, p95 a letter, against 50 ms", letter, 0.05)
    yield _bar(f"memory with {POLLS} polls kept, GB, against 250 MB", memory, 0.25)


def main() -> int:
    """Run and print; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    missed = 0
    for result in results(parser.parse_args().rows):
        print(result.line(), flush=True)
        missed += result.ratio > result.bar
    return int(missed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
