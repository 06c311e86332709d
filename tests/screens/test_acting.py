"""Changing things from the keyboard: the real app, the real door, the embedded cloud."""

from __future__ import annotations

from dataclasses import replace

from runctl.demo.cloud import DemoCloud
from runctl.screens.modals.confirm import ConfirmModal
from tests.screens.acting_app import HERE, acting, asked, ended, modal
from tests.services.doors import OURS, disk, fleet_of, machine


async def test_stop_asks_with_cancel_focused_and_enter_does_nothing(cloud: DemoCloud) -> None:
    fleet_of(cloud, machine("trainer"))
    async with acting() as driver:
        await driver.press("S")
        await asked(driver)
        assert driver.app.focused is not None
        assert driver.app.focused.id == "cancel"
        assert "trainer" in driver.screen()
        await driver.press("enter")
        assert driver.app.screen is driver.fleet
    assert cloud.changes() == []


async def test_stop_stops_and_the_rows_follow(cloud: DemoCloud) -> None:
    (one,) = fleet_of(cloud, machine("trainer"))
    async with acting() as driver:
        await driver.press("S")
        await asked(driver)
        await driver.press("tab", "enter")
        said = await ended(driver)
        assert "1 done" in said
        assert f"undo: runctl instances start {one}" in said
        await driver.press("escape")
        assert driver.app.screen is driver.fleet
        await driver.until(lambda: driver.fleet.shown.rows[0].state != "running", "for the new state")
    assert [(o.rpartition(":")[2], ids) for o, _, ids in cloud.changes()] == [("StopInstances", [one])]


async def test_terminate_wants_the_id_typed_and_a_paste_does_not_count(cloud: DemoCloud) -> None:
    (one,) = fleet_of(cloud, machine("trainer"))
    async with acting() as driver:
        await driver.press("D")
        dialog = await asked(driver)
        from textual import events

        driver.app.focused.post_message(events.Paste(one))  # type: ignore[union-attr]  # the phrase has the focus
        await driver.until(lambda: "a paste does not count" in driver.screen(), "for the refusal")
        await driver.press("enter")
        await driver.type("terminate 1")
        await driver.press("enter")
        assert "nothing was done" in driver.screen()
        assert dialog.stage == "asking"
        assert cloud.changes() == []
        await driver.press(*["backspace"] * 20)
        await driver.type(one)
        await driver.press("enter")
        assert "1 done" in await ended(driver)
    assert {o.rpartition(":")[2] for o, _, _ in cloud.changes()} == {"TerminateInstances"}


async def test_several_are_typed_by_number_and_what_is_refused_is_named(cloud: DemoCloud) -> None:
    ids = fleet_of(
        cloud, *[machine(f"sweep-{n}") for n in range(3)], machine("prod", OURS | {"runctl:protected": "true"})
    )
    async with acting() as driver:
        await driver.press("space", "space", "space", "space", "D")
        await asked(driver)
        await driver.press("pagedown")
        assert "[protected]" in driver.screen()
        await driver.type("terminate 3")
        await driver.press("enter")
        said = await ended(driver)
        assert "3 done, 1 refused" in said
        await driver.press("escape")
        assert driver.fleet.table.marks == frozenset()
    assert {i for _, _, named in cloud.changes() for i in named} == set(ids[:3])


async def test_a_rule_is_set_aside_by_its_name_only(cloud: DemoCloud) -> None:
    fleet_of(cloud, machine("young", age_s=60.0))
    async with acting() as driver:
        await driver.press("S")
        await asked(driver)
        assert "nothing of this can be done" in driver.screen()
        await driver.press("tab")
        await driver.type("override not-ours")
        await driver.press("enter")
        assert "no rule that can be set aside here" in driver.screen()
        await driver.press(*["backspace"] * 20)
        await driver.type("override younger-than")
        await driver.press("enter")
        await driver.until(
            lambda: modal(driver).stage == "asking" and "nothing of this" not in driver.screen(), "to go"
        )
        await driver.press("tab", "enter")
        assert "1 done" in await ended(driver)


async def test_marks_that_a_filter_hides_are_asked_about(cloud: DemoCloud) -> None:
    fleet_of(cloud, machine("alpha"), machine("beta"))
    async with acting() as driver:
        await driver.press("asterisk")
        driver.fleet.action_filter_by("alpha")
        await driver.press("S")
        assert "1 marked machine hidden by the filter" in driver.screen()
        await driver.press("escape", "c", "S")
        await driver.until(lambda: driver.terminal.copied, "for the copy")
        assert len(driver.terminal.copied[0].split()) == 2, "copying changes nothing: all marks, as the help says"
        await driver.press("enter")  # the first choice does nothing
        await driver.until(lambda: driver.app.screen is driver.fleet)
        await driver.press("S", "down", "enter")
        await asked(driver)
        assert "stop alpha" in driver.screen()
        await driver.press("escape")
        driver.fleet.action_filter_by("beta")
        driver.fleet.table.marks = frozenset({"i-0123456789abcdef0"})
        await driver.press("S")
        assert driver.app.screen is driver.fleet, "the cursor's row is not what was marked"
        assert driver.notices()[-1] == "the mark is on a row that this list has no more: u forgets it"


async def test_the_menu_offers_what_fits_the_row(cloud: DemoCloud) -> None:
    fleet_of(cloud, machine("trainer", agent=True), disks=(disk(name="data"),))
    async with acting() as driver:
        await driver.show("volumes")
        driver.fleet.action_filter_by("data")
        await driver.press("a")
        assert "snapshot" in driver.screen()
        await driver.press("enter")
        await asked(driver)
        await driver.press("tab", "enter")
        assert "1 done" in await ended(driver)
    assert [o.rpartition(":")[2] for o, _, _ in cloud.changes()] == ["CreateSnapshot"]


async def test_read_only_has_no_keys_that_change_anything(cloud: DemoCloud) -> None:
    fleet_of(cloud, machine("trainer"))
    async with acting(replace(HERE, read_only=True)) as driver:
        assert "S stop" not in driver.lines()[-1]
        for key in ("S", "D", "a"):
            await driver.press(key)
            assert driver.app.screen is driver.fleet
        await driver.press("question_mark")
        assert "Stop machines" not in driver.screen()
    assert cloud.changes() == []


async def test_a_retry_asks_again_for_what_failed_only(cloud: DemoCloud) -> None:
    (first, second) = fleet_of(cloud, machine("a"), machine("b"))
    async with acting() as driver:
        await driver.press("asterisk", "S")
        await asked(driver)
        cloud.faults.add("denied", service="ec2", operation="StopInstances", times=1)
        await driver.press("tab", "enter")
        assert "1 failed" in await ended(driver)
        await driver.press("r")
        await asked(driver)
        await driver.press("tab", "enter")
        assert "1 done" in await ended(driver)
    stopped = [i for o, _, ids in cloud.changes() if o.endswith("StopInstances") for i in ids]
    assert {first, second} == set(stopped)


async def test_dialogs_draw_ascii_where_the_terminal_knows_nothing_else(cloud: DemoCloud) -> None:
    tags = OURS | {"Name": "größer·☃"}
    fleet_of(cloud, machine("größer·☃", tags), machine("theirs", {}), disks=(disk(name="data"),))
    plain = replace(HERE, ui=replace(HERE.ui, ascii=True))

    async with acting(plain) as driver:

        def drawn(what: str) -> None:
            shown = driver.screen()
            assert what in shown
            assert shown.isascii(), {c for c in shown if not c.isascii()}

        await driver.press("asterisk", "S")
        await asked(driver)
        drawn("not ours")
        await driver.press("tab", "enter")
        assert "1 done" in await ended(driver)
        drawn("undo:")
        driver.fleet.action_filter_by("owner:zoe")
        await driver.press("escape", "u", "D")
        await asked(driver)
        drawn("to go on")
        await driver.press("escape", "a")
        drawn("what to do with")
        await driver.press("escape", "plus")
        drawn("longer by")
        await driver.press("escape", "n")
        await driver.type("t3.micro")
        await driver.until(lambda: "enter asks first" in driver.screen(), "for an offer")
        drawn("enter asks first")
        await driver.press("enter")
        await driver.until(lambda: isinstance(driver.app.screen, ConfirmModal))
        drawn("log in as")
        await driver.press("escape", "escape")
        await driver.show("volumes")
        await driver.press("a", *"modify", "enter")
        drawn("four in 24 hours")
