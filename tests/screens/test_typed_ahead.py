"""Keys that come in one go: none is lost, and none does in the table what was meant for a field."""

from __future__ import annotations

from textual import events

from runctl.screens.modals.form import FormModal
from runctl.widgets.filter_bar import FilterBar, FilterInput
from tests.screens.driving import Driver, running

_NAMES = {"/": "slash", ":": "colon", "*": "asterisk", "\t": "tab", " ": "space", "-": "minus", ".": "full_stop",
          "=": "equals_sign"}  # fmt: skip


def at_once(driver: Driver, text: str) -> None:
    """What a slow line delivers in one piece."""
    for letter in text:
        driver.app.post_message(events.Key(_NAMES.get(letter, letter), letter))


async def test_what_is_typed_right_behind_the_slash_is_the_filter() -> None:
    async with running() as driver:
        bar = driver.fleet.query_one(FilterBar)
        assert not bar.children, "the line was made before anybody asked for it"
        at_once(driver, "/type:g5*")
        await driver.until(lambda: bar.text == "type:g5*")
        await driver.until(lambda: len(driver.fleet.shown.rows) == 3)
        assert driver.app.screen is driver.fleet, "a letter opened something"
        assert "3/8" in driver.screen()


async def test_a_key_that_the_field_does_not_use_goes_round_once() -> None:
    async with running() as driver:
        at_once(driver, "/g")
        driver.app.post_message(events.Key("f9", None))
        at_once(driver, "5")
        await driver.until(lambda: driver.fleet.query_one(FilterBar).text == "g5")
        await driver.press("enter")
        assert driver.app.focused is driver.fleet.table
        await driver.press("slash")
        assert isinstance(driver.app.focused, FilterInput)
        assert driver.fleet.query_one(FilterBar).text == "g5"


async def test_lines_of_a_form_that_come_in_one_go_keep_to_their_lines() -> None:
    async with running(size=(100, 30)) as driver:
        await driver.press("2", "n")
        form = driver.app.screen
        assert isinstance(form, FormModal)
        at_once(driver, "train-on-everything.py\t--epochs=10 --rate=0.001\t\tg5.xlarge\t\t20\t\t")
        await driver.until(lambda: form.lines.values()["budget"] == "20", "for the last line")
        assert form.lines.values() | {"ttl": ""} == {
            "script": "train-on-everything.py", "args": "--epochs=10 --rate=0.001", "provider": "local",
            "type": "g5.xlarge", "market": "on-demand", "budget": "20", "ttl": "",
        }  # fmt: skip
        await driver.until(lambda: driver.app.focused is form.query_one("#f-script"), "for the tab after the last line")


async def test_a_line_that_is_cleared_and_filled_anew_in_one_go_holds_what_came_last() -> None:
    async with running(size=(100, 30)) as driver:
        await driver.press("2", "n")
        form = driver.app.screen
        assert isinstance(form, FormModal)
        at_once(driver, "old.py")
        driver.app.post_message(events.Key("ctrl+u", "\x15"))
        at_once(driver, "train.py\t--x=1")
        for _ in range(2):
            driver.app.post_message(events.Key("backspace", "\x7f"))
        at_once(driver, "-y")
        await driver.until(lambda: form.lines.values()["args"].endswith("-y"), "for the last letters")
        assert (form.lines.values()["script"], form.lines.values()["args"]) == ("train.py", "--x-y")


async def test_a_wrong_filter_stays_marked_while_the_rows_are_refreshed() -> None:
    async with running() as driver:
        await driver.type("/cost>x")
        bar = driver.fleet.query_one(FilterBar)
        await driver.until(lambda: bar.has_class("-invalid"))
        said = driver.lines()[2]
        driver.backend.instances = driver.backend.instances[:5]
        await driver.press("escape")
        await driver.type("/cost>x")
        driver.app.action_pause()
        driver.app.action_refresh()
        await driver.until(lambda: driver.fleet.shown.total == 5)
        assert bar.has_class("-invalid")
        assert driver.lines()[2] == said
        field = bar.query_one(FilterInput)
        assert field.styles.color == bar.query_one(".verdict").styles.color, "what is wrong is as red as why"


async def test_a_long_list_fills_its_dialog_to_the_foot() -> None:
    async with running() as driver:
        await driver.press("o")
        lines = driver.lines()
        foot = next(n for n, line in enumerate(lines) if "╰" in line)
        assert "enter takes" in lines[foot - 1]
        assert foot - next(n for n, line in enumerate(lines) if "╭" in line) > 15
