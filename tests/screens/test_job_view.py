"""An opened job over real records: while it runs, after it is gone, its log as it grows, its attempts, its keys."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runctl.clock import FrozenClock
from runctl.config import Settings, UiSettings
from runctl.config.settings import JobSettings
from runctl.screens.job_text import (
    GPU,
    SMOOTHNESS,
    Wish,
    curve_of,
    moment_at,
    names_of,
    smoothed,
    story_text,
    wish_words,
)
from runctl.screens.job_view import JobScreen
from runctl.services.jobs.follow import Moment, Point
from runctl.services.jobs.hands import JobsDoor
from runctl.services.jobs.record import JobRecord
from runctl.services.jobs.stores import LocalStore
from tests.screens.driving import Driver, running
from tests.screens.fleet import NOW
from tests.screens.job_records import AT, IDS, RecordedBackend, Writer, begin, jobs_of, state, write_jobs


@asynccontextmanager
async def opened(
    tmp_path: Path, kind: str, *, size: tuple[int, int] = (80, 24), settings: Settings | None = None, key: str = "enter"
) -> AsyncIterator[tuple[Driver, JobScreen, LocalStore]]:
    """The app with a job of that kind open."""
    store = LocalStore(tmp_path / "records")
    if not (tmp_path / "records").exists():
        write_jobs(tmp_path / "records")
    used = settings or Settings(jobs=JobSettings(recover=False))
    async with running(size=size, backend=lambda p: RecordedBackend(tmp_path, p), settings=used) as driver:
        driver.app.desk.open_jobs = lambda _backend, _regions: JobsDoor(jobs_of(store), used, FrozenClock(NOW))
        await driver.press("2")
        await driver.until(lambda: "clip-ft" in driver.screen(), "for the rows")
        ids = [row.id for row in driver.fleet.shown.rows]
        driver.fleet.table._go(ids.index(IDS[kind]))
        await driver.press(key)
        screen = driver.app.screen
        assert isinstance(screen, JobScreen)
        await driver.until(lambda: screen.news is not None, "for the record")
        await driver.pilot.pause()
        yield driver, screen, store


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("running", ["RUNNING", "machine running $0.41/h", "live", "12,000/20k", "▲ loses 6m", "step=12000/20000",
                     "following", "checkpoint", "GPU0", "97%"]),
        ("finished", ["SUCCEEDED", "machine terminated", "ended", "step=20000/20000", "end"]),
        ("failed", ["FAILED", "machine still on $0.41/h", "ended", "812/20k", "step=812/20000"]),
        ("interrupted", ["INTERRUPTED", "spot interrup", "machine terminated", "last seen", "step=12000/20000"]),
        ("starting", ["SYNCING", "● machine", "◐ data", "○ train", "data 1.2 of 3.1", "it has written nothing yet"]),
    ],
)  # fmt: skip
async def test_the_same_view_while_it_runs_and_after_it_is_gone(tmp_path: Path, kind: str, said: list[str]) -> None:
    async with opened(tmp_path, kind) as (driver, _, _):
        await driver.until(lambda: all(words in driver.screen() for words in said), f"for {said}")
        await driver.press("escape")
        assert driver.app.screen is driver.fleet


async def test_the_log_grows_while_one_looks_and_thirty_megabytes_at_once_lose_no_byte(tmp_path: Path) -> None:
    async with opened(tmp_path, "running") as (driver, screen, store):
        writer = Writer(JobRecord(store, IDS["running"], FrozenClock(NOW)))
        writer.log = screen.lines.end
        writer.write_log(b"a new line\n", AT)
        await driver.press("r")
        await driver.until(lambda: "a new line" in driver.screen(), "for the new line")
        line = b"%07d " + b"x" * 52 + b"\n"
        block = b"".join(line % n for n in range(524_288))
        for at in range(0, len(block), 4 << 20):
            writer.write_log(block[at : at + (4 << 20)], AT)
        await driver.press("r")
        await driver.until(lambda: screen.lines.end == writer.log, "for 30 MB")
        await driver.until(lambda: "0524287 xx" in driver.screen(), "for the last line")
        count = len(screen.lines)
        assert [screen.lines.text(count - 524_288 + n)[:8] for n in (0, 1, 300_000, 524_287)] == [
            "0000000 ", "0000001 ", "0300000 ", "0524287 ",
        ]  # fmt: skip


async def test_a_long_log_is_opened_at_its_end_and_fetched_backwards(tmp_path: Path) -> None:
    store = write_jobs(tmp_path / "records")
    writer = Writer(JobRecord(store, IDS["running"], FrozenClock(NOW)))
    writer.log = sum(int(e.key.rsplit("/", 1)[1].split("-")[1]) - int(e.key.rsplit("/", 1)[1].split("-")[0])
                     for e in store.entries(f"runctl/jobs/{IDS['running']}/attempts/0001/log/"))  # fmt: skip
    first = writer.log
    for n in range(12):
        writer.write_log(b"".join(b"block %02d line %06d%s\n" % (n, i, b"." * 200) for i in range(5_000)), AT)
    async with opened(tmp_path, "running") as (driver, screen, _):
        await driver.until(lambda: "block 11 line 004999" in driver.screen())
        assert screen.lines.start > first
        for _ in range(20):
            if screen.lines.start == 0:
                break
            begin_at = screen.lines.start
            await driver.press("g")
            await driver.until(lambda before=begin_at: screen.lines.start < before, "for earlier lines")  # type: ignore[misc]
        await driver.press("g")
        await driver.until(lambda: "step=50/20000" in driver.screen(), "for the first line")
        assert screen.lines.text(0).startswith("step=50/20000")
        assert len(screen.lines) == 240 + 60_000


async def test_search_wrap_times_and_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with opened(tmp_path, "running", key="l") as (driver, screen, _):
        assert "lr=" in driver.screen()
        await driver.press("slash")
        await driver.type("step=6000/")
        await driver.press("enter")
        await driver.until(lambda: screen.view.marked >= 0, "for the place")
        assert screen.lines.text(screen.view.marked).startswith("step=6000/20000")
        assert "step=6000/20000" in driver.screen()
        assert screen.at is not None
        await driver.press("escape", "t")
        assert "07:46:53 step=" in driver.screen() or "08:36:53 step=" in driver.screen()
        await driver.press("w", "G")
        assert "wrapped" in driver.screen()
        await driver.press("E")
        await driver.until(lambda: (tmp_path / "llama-7b-1.log").exists() and driver.notices())
        saved = (tmp_path / "llama-7b-1.log").read_bytes()
        assert len(saved) == screen.lines.end
        assert saved.count(b"\n") == 240
        await driver.press("E")
        await driver.until((tmp_path / "llama-7b-1.1.log").exists)


async def test_one_cursor_in_time_for_log_curve_and_story(tmp_path: Path) -> None:
    async with opened(tmp_path, "running", size=(120, 40)) as (driver, screen, _):
        await driver.press("comma", "comma")
        assert screen.news is not None
        assert screen.at == screen.news.story[-2].at
        assert "UTC" in driver.lines()[-2]
        await driver.press("full_stop")
        assert screen.at == screen.news.story[-1].at
        await driver.press("G")
        assert "UTC" not in driver.lines()[-2]
        await driver.press("pageup", "pageup")
        assert screen.at == screen.lines.time_of(screen.view.bottom)


async def test_curves_zoom_smooth_and_change_their_axis(tmp_path: Path) -> None:
    async with opened(tmp_path, "running", key="m") as (driver, _, _):
        assert "━ loss" in driver.screen()
        await driver.press("plus")
        await driver.until(lambda: "last 120 of 240" in driver.screen(), "for half of the points")
        await driver.press("s", "y")
        assert "smooth 0.6" in driver.screen()
        assert "log scale" in driver.screen()
        await driver.press("minus", "tab")
        await driver.until(lambda: "━ lr" in driver.screen() or GPU in driver.screen())
        await driver.press("m")
        assert "step=12000" in driver.screen()


async def test_attempts_are_looked_at_one_by_one(tmp_path: Path) -> None:
    store = write_jobs(tmp_path / "records")
    second = begin(store, "interrupted", 2)
    second.write_log(b"resumed from step 11000\n", AT)
    second.put("state.json", **state("RUNNING", 11_500))
    second.say(1, AT - 30, "resumed", "from 1/step-011000.pt; step 11001 follows")
    async with opened(tmp_path, "interrupted") as (driver, _, _):
        await driver.until(lambda: "resumed from step 11000" in driver.screen())
        assert "attempt 2 of 2" in driver.screen()
        await driver.press("left_square_bracket")
        await driver.until(lambda: "step=12000/20000" in driver.screen(), "for the first attempt's log")
        assert "attempt 1 of 2" in driver.screen()
        await driver.press("left_square_bracket")
        assert "attempt 1 is the first" in driver.screen()
        await driver.press("right_square_bracket")
        await driver.until(lambda: "attempt 2 of 2" in driver.screen())


async def test_a_record_that_cannot_be_read_says_so_and_is_tried_again(tmp_path: Path) -> None:
    async with opened(tmp_path, "running") as (driver, screen, store):
        broken = store.root / f"runctl/jobs/{IDS['running']}/attempts/0001/curve.json"
        whole = broken.read_bytes()
        broken.write_bytes(b"not json")
        screen._follower._seen = None  # type: ignore[union-attr]  # the record is due again
        await driver.press("r")
        await driver.until(lambda: "curve.json" in driver.screen(), "for the trouble")
        assert "step=12000/20000" in driver.screen()  # what was read stays
        broken.write_bytes(whole)
        await driver.press("r")
        await driver.until(lambda: "curve.json" not in driver.screen(), "for the end of it")


async def test_ascii_only_and_everything_known(tmp_path: Path) -> None:
    settings = Settings(ui=UiSettings(ascii=True))
    async with opened(tmp_path, "running", size=(100, 30), settings=settings) as (driver, _, _):
        assert driver.screen().isascii()
        await driver.press("d", "G")
        await driver.until(lambda: "Asked for" in driver.screen())
        assert "python train.py" in driver.screen()


def test_smoothing_does_not_lean_on_its_beginning_and_leaves_gaps() -> None:
    flat = [(float(n), 2.0) for n in range(9)]
    assert [round(v or 0, 9) for _, v in smoothed(flat, 0.9)] == [2.0] * 9
    assert [v for _, v in smoothed([(0.0, 1.0), (1.0, None), (2.0, 1.0)], 0.6)] == [1.0, None, 1.0]


def test_a_curve_keeps_what_is_not_a_number_apart() -> None:
    points = [Point(n, 100.0 + n, v) for n, v in enumerate((4.0, None, 0.0, 1.0))]
    curve = curve_of("loss", points, Wish(log=True), at=102.5)
    assert [v for _, v in curve.series[0].points] == [math.log10(4.0), None, None, 0.0]
    assert curve.cursor == 2.0
    assert wish_words(Wish(8, 1, log=True), 99) == ["last 8 of 99 points", "smooth 0.6", "log scale"]
    assert len(curve_of("loss", points, Wish(smooth=len(SMOOTHNESS) - 1)).series) == 2
    assert curve_of(GPU, points, Wish()).y == (0.0, 100.0)
    assert curve_of("lr", [Point(0, 0.0, 0.0), Point(1, 1.0, 1e-4)], Wish()).y[0] == 0.0
    assert curve_of("none", [], Wish()).x == (0.0, 1.0)
    assert names_of({"lr": points, "train/loss": points}) == ["train/loss", "lr"]


def test_the_event_at_a_time_is_the_last_one_before_it() -> None:
    story = [Moment(float(t), 1, "k", "m", "machine") for t in (10, 20, 30)]
    assert [moment_at(story, t) for t in (0.0, 10.0, 25.0, 99.0)] == [0, 0, 1, 2]


def test_a_story_is_folded_where_there_is_room_and_keeps_a_line_for_each_event() -> None:
    story = [
        Moment(AT, 1, "booted", "supervisor 1 on g5.xlarge spot in us-east-1a", "machine"),
        Moment(AT + 1, 1, "checkpoint", "1/step-000100.pt complete, 1.2 GiB", "machine"),
    ]
    colours = {"muted": "grey50", "accent": "blue"}
    roomy = story_text(story, 30, 6, colours).plain.split("\n")
    assert roomy == [
        "09:26:53 booted supervisor 1", "         on g5.xlarge spot in", "         us-east-1a",
        "09:26:54 checkpoint", "         1/step-000100.pt", "         complete, 1.2 GiB",
    ]  # fmt: skip
    tight = story_text(story, 30, 3, colours).plain.split("\n")
    assert len(tight) <= 3
    assert [line[:8] for line in tight if line[0] != " "] == ["09:26:53", "09:26:54"]
    assert all(len(line) <= 30 for line in roomy + tight)
