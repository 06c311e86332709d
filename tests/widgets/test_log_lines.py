"""A log by line: whatever the pieces it came in, no byte is lost, and a million lines are no burden."""

from __future__ import annotations

import random
import time

import pytest
from textual.app import App, ComposeResult

from runctl.widgets.log_lines import LINE_MOST, LogLines
from runctl.widgets.log_view import LogView


def filled(data: bytes, size: int, begin: int = 0) -> LogLines:
    """A log that came in pieces of a size."""
    lines = LogLines()
    for at in range(begin, len(data), size):
        piece = data[at : at + size]
        lines.append(at, piece, at + len(piece), 1000 + at)
    return lines


def texts(lines: LogLines) -> list[str]:
    return [lines.text(n) for n in range(len(lines))]


def some_log(count: int, seed: int = 5) -> bytes:
    rng = random.Random(seed)
    return b"".join(b"step=%d loss=%.4f%s\n" % (n, rng.random(), b"x" * rng.randrange(40)) for n in range(count))


@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
def test_pieces_of_any_size_make_the_same_lines(size: int) -> None:
    data = some_log(200) + b"not ended"
    lines = filled(data, size)
    assert texts(lines) == data.decode().split("\n")
    assert (lines.start, lines.end, lines.finished) == (0, len(data), 200)


@pytest.mark.parametrize("begin", [0, 1, 500, 2001])
def test_earlier_parts_come_before_and_nothing_is_lost(begin: int) -> None:
    data = some_log(300)
    lines = filled(data, 777, begin)
    whole = texts(lines)
    while lines.start > 0:
        first = max(0, lines.start - 1000)
        before = len(lines)
        added = lines.prepend([(first, data[first : lines.start], 5)])
        assert len(lines) == before + added
        assert texts(lines)[-len(whole) :] == whole
    assert texts(lines) == data.decode().split("\n")[:-1]
    lines.append(len(data), b"and on", len(data) + 6, 9)
    assert lines.text(len(lines) - 1) == "and on"


def test_a_line_without_an_end_is_broken_and_a_progress_bar_is_its_last_state() -> None:
    lines = filled(b"y" * (3 * LINE_MOST + 5) + b"\n" + b"a" * (2 * LINE_MOST), 50_000)
    assert "".join(texts(lines)[:-2]).count("y") == 3 * LINE_MOST + 5
    assert max(map(len, texts(lines))) <= LINE_MOST
    assert texts(filled(b"  0%\r 50%\r100%\r\nnext\r", 4)) == ["100%", "next"]


def test_a_gap_is_a_line_of_its_own_and_times_are_those_of_the_pieces() -> None:
    lines = LogLines()
    lines.append(0, b"one\ntw", 6, 1_000)
    lines.append(6, b"\n[runctl: 94 bytes are missing here: disk full]\n", 100, 2_000, gap=True)
    lines.append(100, b"three\n", 106, 3_000)
    assert texts(lines) == ["one", "tw", "[runctl: 94 bytes are missing here: disk full]", "three"]
    assert [lines.time_of(n) for n in (0, 3)] == [1.0, 3.0]
    assert (lines.line_at(0), lines.line_at(2.5), lines.line_at(9.0)) == (0, 3, 3)


def test_search_goes_both_ways_and_round_the_end() -> None:
    data = b"".join(b"line %d\n" % n for n in range(10_000)) + b"The Needle"
    lines = filled(data, 5000, 30_000)
    lines.prepend([(0, data[: lines.start], 1)])
    assert lines.find("line 9000", 0, 1) == 9000
    assert lines.find("LINE 77", 5000, 1) == 7700
    assert lines.find("line 77", 5000, -1) == 779
    assert lines.find("needle", 3, 1) == 10_000
    assert lines.find("line 9999", 3, -1) == 9999
    assert lines.find("nowhere", 0, 1) is None
    assert lines.find("", 0, 1) is None


class LogApp(App[None]):
    def compose(self) -> ComposeResult:
        yield LogView()


async def test_a_million_lines_are_drawn_as_fast_as_a_hundred() -> None:
    """Seconds, with a wide margin: this machine may be loaded, a mistake would take minutes."""
    block = b"".join(b"step=%07d loss=0.123456 lr=3.0e-04 tokens=812\n" % n for n in range(100_000))
    lines = LogLines()
    for n in range(10):
        lines.append(n * len(block), block, (n + 1) * len(block), n)
    assert len(lines) == 1_000_000
    app = LogApp()
    async with app.run_test(size=(100, 30)) as pilot:
        view = app.query_one(LogView)
        began = time.perf_counter()
        view.show(lines)
        await pilot.pause()
        assert "step=0099999" in view.render_line(view.size.height - 1).text
        for line in range(0, 1_000_000, 10_000):
            view.go(line)
            rows = [view.render_line(y).text for y in range(view.size.height)]
            assert rows[0].startswith(f"step={line % 100_000:07d}")
        assert time.perf_counter() - began < 10.0


async def test_hostile_text_stays_text_and_long_lines_fold() -> None:
    data = "\x1b[31mred\x1b[0m [/b] [bold]x\x1b]0;owned\x07 数据\n".encode() + b"z" * 250 + b"\nend\n"
    app = LogApp()
    async with app.run_test(size=(81, 12)) as pilot:
        view = app.query_one(LogView)
        view.show(filled(data, 1000))
        await pilot.pause()
        first = view.render_line(0).text
        assert first.startswith("red [/b] [bold]x 数据")
        assert "\x1b" not in first
        assert "owned" not in first
        view.wrap = True
        view.redraw()
        await pilot.pause()
        assert [view.render_line(y).text.strip() for y in range(6)] == [
            first.strip(), "z" * 80, "z" * 80, "z" * 80, "z" * 10, "end",
        ]  # fmt: skip


async def test_it_follows_until_somebody_looks_back_and_keeps_the_place_when_earlier_lines_come() -> None:
    data = some_log(500)
    lines = filled(data, 4000, 6000)
    app = LogApp()
    async with app.run_test(size=(80, 20)) as pilot:
        view = app.query_one(LogView)
        view.show(lines)
        await pilot.pause()
        assert "step=499" in view.render_line(19).text
        view.page(-1)
        top = view.render_line(0).text
        lines.append(len(data), b"new\n", len(data) + 4, 1)
        view.grown()
        assert view.render_line(0).text == top
        view.earlier(lines.prepend([(0, data[: lines.start], 1)]))
        await pilot.pause()
        assert view.render_line(0).text == top
        view.go(len(lines))
        assert view.follow
        assert "new" in view.render_line(19).text
