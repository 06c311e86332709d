"""What a key or a refresh may cost: nothing is laid out anew where nothing changes its place."""

from __future__ import annotations

import pytest

from runctl.clock import FrozenClock
from runctl.screens.base import FleetScreen
from runctl.widgets.detail import Detail
from runctl.widgets.filter_bar import FilterBar
from runctl.widgets.line import Line
from runctl.widgets.lines import StatusLine
from runctl.widgets.money_strip import MoneyStrip
from tests.screens.driving import Driver, running

LARGE = (120, 40)


class Layouts:
    """How often a screen was laid out."""

    def __init__(self, driver: Driver) -> None:
        self.count = 0
        driver.fleet.screen_layout_refresh_signal.subscribe(driver.fleet, self._one)

    def _one(self, _screen: object) -> None:
        self.count += 1


async def test_moving_lays_nothing_out_although_the_detail_has_other_lines() -> None:
    async with running(size=LARGE) as driver:
        layouts, details = Layouts(driver), set()
        for _ in range(6):
            await driver.press("j")
            details.add(tuple(driver.fleet.query_one(Detail)._lines))
        assert len({len(lines) for lines in details}) > 1
        assert layouts.count == 0


async def test_a_letter_of_the_filter_lays_nothing_out() -> None:
    async with running(size=LARGE) as driver:
        await driver.press("slash")
        await driver.type("t")
        layouts, counts = Layouts(driver), set()
        for letter in "rain":
            await driver.type(letter)
            counts.add(len(driver.fleet.shown.rows))
        assert driver.fleet.query_one(FilterBar).text == "train"
        assert len(counts) >= 1
        assert layouts.count == 0


async def test_a_long_filter_shows_its_end_while_it_is_typed() -> None:
    async with running(size=(80, 24)) as driver:
        await driver.press("slash")
        await driver.type("a" * 100 + "bcd")
        assert "aabcd" in driver.screen()


@pytest.mark.parametrize("size", [(120, 24), LARGE])
async def test_a_detail_longer_than_the_pane_can_be_scrolled_to_its_end(size: tuple[int, int]) -> None:
    async with running(size=size) as driver:
        pane = driver.fleet.query_one(Detail)
        assert isinstance(driver.fleet, FleetScreen)
        while len(pane._lines) <= pane.size.height:
            await driver.press("j")
        pane.scroll_end(animate=False, immediate=True)
        await driver.pilot.pause()
        last = "".join(text for text, _ in pane._lines[-1]).strip()
        assert pane.render_line(pane.size.height - 1).text.strip() == last


async def test_ages_are_counted_on_in_one_line_at_a_time() -> None:
    async with running(size=LARGE) as driver:
        clock = driver.app.desk.clock
        assert isinstance(clock, FrozenClock)
        lines = {type(line): line for line in driver.fleet.query(Line)}

        def told() -> list[type[Line]]:
            before = {kind: line._pieces for kind, line in lines.items()}
            driver.fleet.tick()
            return [kind for kind, line in lines.items() if line._pieces != before[kind]]

        for _ in range(3):
            clock.advance(1.0)
            assert sorted((told() + told()), key=str) == sorted([MoneyStrip, StatusLine], key=str)
            assert told() + told() == [], "no time has passed"
        clock.advance(1.0)
        assert len(told()) == 1
