"""The table as it is drawn and as it is moved: literal lines, cursor and marks by id, ten thousand rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from rich.text import Text
from textual.app import App, ComposeResult
from textual.strip import Strip

from runctl.widgets.columns import Column, fit_cell, fit_columns
from runctl.widgets.virtual_table import VirtualTable


@dataclass(frozen=True)
class Box:
    id: str
    name: str
    usd: float


COLUMNS: tuple[Column[Box], ...] = (
    Column("name", "NAME", 8, lambda b: Text(b.name), flex=True),
    Column("id", "ID", 6, lambda b: Text(b.id)),
    Column("usd", "$/H", 7, lambda b: Text(f"{b.usd:.2f}"), align="right"),
    Column("extra", "EXTRA", 9, lambda _: Text("x"), priority=2),
)
HOSTILE = ("[/x]\x1b[2J", "e\u0301" * 40, "漢字" * 20, "🤖🤖", "x" * 10_000, "a\nb")


def boxes(count: int) -> tuple[Box, ...]:
    return tuple(Box(f"i-{n}", f"box-{n}", n / 10) for n in range(count))


class TableApp(App[None]):
    def __init__(self, rows: tuple[Box, ...]) -> None:
        super().__init__()
        self.rows = rows

    def compose(self) -> ComposeResult:
        yield VirtualTable[Box](lambda b: b.id)

    def on_mount(self) -> None:
        self.table.set_columns(COLUMNS, sorted_by="usd", descending=True)
        self.table.set_rows(self.rows)
        self.table.focus()

    @property
    def table(self) -> VirtualTable[Box]:
        return self.query_one(VirtualTable)

    def lines(self) -> list[str]:
        return [self.table.render_line(y).text.rstrip() for y in range(self.table.size.height)]


async def test_lines_are_drawn_literally() -> None:
    app = TableApp(boxes(2))
    async with app.run_test(size=(40, 5)):
        assert app.lines() == [
            " NAME          ID        $/H↓ EXTRA",
            " box-0         i-0       0.00 x",
            " box-1         i-1       0.10 x",
            "",
            "",
        ]


@pytest.mark.parametrize(("width", "names"), [(40, ["name", "id", "usd", "extra"]), (24, ["name", "id", "usd"])])
def test_narrow_terminals_lose_columns_by_priority_and_never_the_others(width: int, names: list[str]) -> None:
    fitted = fit_columns(COLUMNS, width)
    assert [c.name for c, _ in fitted] == names
    assert sum(w + 1 for _, w in fitted) <= width


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("align", ["left", "right"])
def test_a_cell_has_exactly_its_width_whatever_is_in_it(text: str, align: str) -> None:
    cell = fit_cell(Text(text), 9, align)
    assert cell.cell_len == 9
    assert not set(cell.plain) & {"\n", "\r", "\t", "\x1b"}


async def test_the_cursor_stays_on_its_row_when_the_rows_change() -> None:
    app = TableApp(boxes(10))
    async with app.run_test(size=(40, 8)) as pilot:
        await pilot.press("j", "j", "j")
        assert app.table.cursor_id == "i-3"
        app.table.set_rows(tuple(reversed(app.rows)))
        assert app.table.cursor_id == "i-3"
        app.table.set_rows(tuple(b for b in app.rows if b.id != "i-3"))
        assert app.table.cursor_id == "i-7"
        app.table.set_rows(())
        assert [app.table.cursor_id, app.table.cursor_row] == [None, None]
        app.table.set_rows(app.rows)
        assert app.table.go_to("i-4")
        assert not app.table.go_to("i-99")


async def test_an_untouched_cursor_stays_on_the_first_row_while_pages_arrive() -> None:
    app = TableApp(boxes(3))
    async with app.run_test(size=(40, 8)) as pilot:
        app.table.set_rows((Box("i-new", "new", 9.0), *app.rows))
        assert app.table.cursor_id == "i-new"
        await pilot.press("j")
        app.table.set_rows((Box("i-newer", "newer", 9.5), *app.table.rows))
        assert app.table.cursor_id == "i-0"


async def test_the_cursor_comes_back_after_a_moment_without_rows() -> None:
    app = TableApp(boxes(10))
    async with app.run_test(size=(40, 8)) as pilot:
        await pilot.press("j", "j")
        app.table.set_rows(())
        app.table.set_rows(())
        app.table.set_rows(app.rows)
        assert app.table.cursor_id == "i-2"


async def test_a_refresh_leaves_the_cursors_row_on_its_line() -> None:
    app = TableApp(boxes(100))
    async with app.run_test(size=(40, 11)) as pilot:
        await pilot.press("pagedown", "pagedown", "pagedown", "k", "k")
        line = next(n for n, text in enumerate(app.lines()) if "box-28" in text)
        app.table.set_rows((*(Box(f"i-new-{n}", "new", 9.0) for n in range(7)), *app.rows))
        await pilot.pause()
        assert app.table.cursor_id == "i-28"
        assert "box-28" in app.lines()[line]


async def test_a_range_is_between_rows_and_not_between_places() -> None:
    app = TableApp(boxes(6))
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.press("j", "v")
        app.table.set_rows((Box("i-new", "new", 9.0), *app.rows))
        await pilot.press("j", "v")
        assert app.table.marks == {"i-1", "i-2"}


async def test_keys_move_and_mark() -> None:
    app = TableApp(boxes(50))
    async with app.run_test(size=(40, 11)) as pilot:
        await pilot.press("G")
        assert app.table.cursor_id == "i-49"
        await pilot.press("g", "pagedown")
        assert app.table.cursor_id == "i-10"
        await pilot.press("ctrl+d")
        assert app.table.cursor_id == "i-15"
        await pilot.press("space", "space")
        assert app.table.marks == {"i-15", "i-16"}
        await pilot.press("v", "j", "j", "v")
        assert app.table.marks == {"i-15", "i-16", "i-17", "i-18", "i-19"}
        await pilot.press("u")
        assert app.table.marks == frozenset()
        await pilot.press("asterisk")
        assert len(app.table.marks) == 50


async def test_marks_survive_a_refresh_and_say_so_in_the_line() -> None:
    app = TableApp(boxes(3))
    async with app.run_test(size=(40, 6)) as pilot:
        await pilot.press("space")
        app.table.set_rows(boxes(3))
        assert app.table.marks == {"i-0"}
        assert app.lines()[1].startswith("▌box-0")


async def test_a_notice_takes_the_place_of_rows() -> None:
    app = TableApp(())
    async with app.run_test(size=(40, 6)):
        app.table.set_notice(Text("no machines here: press n"))
        assert "no machines here" in "\n".join(app.lines())


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_names_stay_on_their_line(name: str) -> None:
    app = TableApp((Box("i-1", name, 1.0), Box("i-2", "after", 2.0)))
    async with app.run_test(size=(40, 5)):
        for y in range(5):
            strip = app.table.render_line(y)
            assert strip.cell_length == app.table.size.width
            assert not set(strip.text) & {"\n", "\x1b"}
        assert app.lines()[2].startswith(" after")


async def test_ten_thousand_rows_swap_in_a_moment() -> None:
    app = TableApp(boxes(10_000))
    async with app.run_test(size=(120, 40)) as pilot:
        small, large = boxes(60), boxes(10_000)

        def cost(rows: tuple[Box, ...]) -> float:
            began = time.process_time()
            for _ in range(20):
                app.table.set_rows(rows)
            return time.process_time() - began

        cost(small)
        assert cost(large) <= 20 * max(cost(small), 0.005)
        await pilot.pause()


async def test_a_click_on_a_heading_asks_for_its_order() -> None:
    asked: list[str] = []

    class Listening(TableApp):
        def on_virtual_table_heading_clicked(self, event: VirtualTable.HeadingClicked) -> None:
            asked.append(event.column)

    app = Listening(boxes(3))
    async with app.run_test(size=(40, 6)) as pilot:
        await pilot.click(VirtualTable, offset=(2, 0))
        await pilot.click(VirtualTable, offset=(3, 2))
        assert (asked, app.table.cursor_id) == (["name"], "i-1")


class CountingTable(VirtualTable[Box]):
    """Says which of its lines were painted."""

    def __init__(self, row_id: Callable[[Box], str]) -> None:
        super().__init__(row_id)
        self.painted: list[int] = []

    def render_line(self, y: int) -> Strip:
        self.painted.append(y)
        return super().render_line(y)


class CountingApp(TableApp):
    def compose(self) -> ComposeResult:
        yield CountingTable(lambda b: b.id)


async def test_a_refresh_paints_only_lines_that_say_something_else() -> None:
    app = CountingApp(boxes(50))
    async with app.run_test(size=(40, 12)) as pilot:
        table = app.query_one(CountingTable)

        async def painted(rows: tuple[Box, ...]) -> list[int]:
            await pilot.pause()
            table.painted.clear()
            table.set_rows(rows)
            await pilot.pause()
            await pilot.pause()
            return sorted(set(table.painted))

        rows = boxes(50)
        assert await painted(rows) == []
        other = (*rows[:3], Box("i-3", "renamed", 0.3), *rows[4:])
        assert await painted(other) == [4]
        assert await painted((*other[:30], Box("i-30", "not in view", 3.0), *other[31:])) == []
        assert {*range(1, 12)} <= {*await painted(other[1:])}, "every row moved up"
        assert {*range(4, 12)} <= {*await painted(other[1:4])}, "and what was below them is gone"
        assert app.lines()[1].startswith(" box-1")
        await pilot.press("j", "G", "space")
        assert await painted(other[1:4]) == []


async def test_fewer_rows_leave_no_offset_that_does_not_exist() -> None:
    app = TableApp(boxes(500))
    async with app.run_test(size=(40, 12)) as pilot:
        await pilot.press("G")
        assert app.table.scroll_offset.y == 489
        app.table.set_rows(boxes(20))
        await pilot.pause()
        assert (app.table.scroll_offset.y, app.table.cursor_id) == (9, "i-19")
        assert app.lines()[-1].startswith(" box-19")
