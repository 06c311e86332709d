"""Launching from the dashboard: the real app, the real survey and launcher, the embedded cloud."""

from __future__ import annotations

from runctl.demo.cloud import DemoCloud
from runctl.screens.modals.confirm import ConfirmModal
from runctl.screens.modals.wizard import WizardModal
from tests.screens.acting_app import acting
from tests.screens.driving import Driver
from tests.services.doors import EAST, fleet_of, machine


async def opened(driver: Driver, **values: str) -> WizardModal:
    """The wizard with some lines filled in."""
    await driver.press("n")
    await driver.until(lambda: isinstance(driver.app.screen, WizardModal), "for the wizard")
    wizard = driver.app.screen
    assert isinstance(wizard, WizardModal)
    await driver.pilot.pause()
    for name, text in values.items():
        await write(driver, wizard, name, text)
    return wizard


async def write(driver: Driver, wizard: WizardModal, name: str, text: str) -> None:
    """Write over a line."""
    wizard.lines.focus_on(name)
    await driver.pilot.pause()
    await driver.press("ctrl+u")
    getattr(driver.app.focused, "insert_text_at_cursor")(text)  # noqa: B009  # a line to type in
    await driver.pilot.pause()


async def offered(driver: Driver, wizard: WizardModal) -> str:
    await driver.until(lambda: wizard.stage == "offered", "for the offer")
    await driver.pilot.pause()
    return driver.screen()


async def confirmed(driver: Driver) -> None:
    await driver.press("enter")
    await driver.until(lambda: isinstance(driver.app.screen, ConfirmModal), "to be asked")
    assert driver.app.focused is not None
    assert driver.app.focused.id == "cancel"
    await driver.press("tab", "enter")


def launches(cloud: DemoCloud) -> list[str]:
    return [operation.rpartition(":")[2] for operation, _, _ in cloud.changes()]


async def test_types_are_offered_while_one_is_typed_and_a_wrong_one_is_told(cloud: DemoCloud) -> None:
    fleet_of(cloud, machine("trainer"))
    async with acting() as driver:
        wizard = await opened(driver, types="a10g")
        assert "there is no such" not in driver.screen(), "half a name is no mistake yet"
        assert "g5.xlarge" in driver.screen(), "types are found by their accelerator"
        await write(driver, wizard, "types", "g5.xlarj")
        await driver.press("enter")
        await driver.until(lambda: "did you mean g5.xlarge?" in driver.screen(), "for AWS, which knows more types")
        await driver.press("escape")
        assert driver.app.screen is driver.fleet
    assert launches(cloud) == []


async def test_the_offer_names_places_prices_quota_and_the_end_before_anything_happens(cloud: DemoCloud) -> None:
    fleet_of(cloud, machine("trainer"))
    async with acting() as driver:
        wizard = await opened(driver, types="g5.xlarge")
        said = await offered(driver, wizard)
        assert "us-east-1a" in said
        assert "vCPU left" in said
        assert "/day" in said
        assert "ends by itself" in said
        await driver.press("enter")
        await driver.until(lambda: isinstance(driver.app.screen, ConfirmModal), "to be asked")
        await driver.press("enter")  # Cancel has the focus
        assert driver.app.screen is wizard
        assert wizard.stage == "offered"
    assert launches(cloud) == []


async def test_a_launch_ends_with_a_machine_in_the_rows(cloud: DemoCloud) -> None:
    fleet_of(cloud, machine("trainer"))
    async with acting() as driver:
        wizard = await opened(driver, types="t3.micro", name="fresh")
        await offered(driver, wizard)
        await confirmed(driver)
        await driver.until(lambda: wizard.stage == "ended", "for the end")
        await driver.until(lambda: "launched: i-" in driver.screen(), "for the id")
        await driver.press("escape")
        await driver.until(lambda: "fresh" in driver.screen(), "for the row")
    assert launches(cloud) == ["RunInstances"]


async def test_every_refusal_stands_in_the_grid_and_the_form_can_be_mended(cloud: DemoCloud) -> None:
    fleet_of(cloud, machine("trainer"))
    cloud.faults.add("capacity")
    async with acting(size=(120, 40)) as driver:
        wizard = await opened(driver, types="t3.micro", zones=f"{EAST}a,{EAST}b")
        await offered(driver, wizard)
        await confirmed(driver)
        await driver.until(lambda: wizard.stage == "ended", "for the end")
        await driver.until(lambda: "InsufficientInstanceCapacity" in driver.screen(), "for the reason")
        assert "not launched: 2 places refused it" in driver.screen()
        cloud.faults.clear()
        await driver.press("e")
        await driver.until(lambda: wizard.stage in ("asking", "offered", "failed"), "for the form")
        await write(driver, wizard, "zones", f"{EAST}c")
        await offered(driver, wizard)
        await confirmed(driver)
        await driver.until(lambda: wizard.stage == "ended", "for the end")
        await driver.until(lambda: "launched: i-" in driver.screen(), "for the id")


async def test_an_answer_to_an_older_form_is_dropped(cloud: DemoCloud) -> None:
    fleet_of(cloud, machine("trainer"))
    async with acting() as driver:
        wizard = await opened(driver, types="g5.xlarge")
        await offered(driver, wizard)
        slow = cloud.faults.add("latency", service="ec2", operation="DescribeInstanceTypes", seconds=1.0)
        await write(driver, wizard, "count", "2")
        await driver.until(lambda: cloud.faults.hits(slow) >= 1, "for the question under way")
        await write(driver, wizard, "types", "t3.micro")
        said = await offered(driver, wizard)
        assert "t3.micro" in said
        assert "g5.xlarge on-demand" not in said


async def test_each_line_says_what_is_wrong_with_it(cloud: DemoCloud) -> None:
    fleet_of(cloud, machine("trainer"))
    wrong = {
        "ttl": ("8", "8 what?"), "count": ("zero", "not a number of machines"), "disk": ("huge", "not a size"),
        "zones": ("eu-west-1a", "a zone of eu-west-1"), "image": ("latest", "not an id"),
        "tags": ("aws:x=1", "reserved"),
    }  # fmt: skip
    async with acting(size=(120, 40)) as driver:
        wizard = await opened(driver, types="g5.xlarge")
        for name, (text, said) in wrong.items():
            before = wizard.lines.values()[name]
            await write(driver, wizard, name, text)
            assert said in driver.screen(), name
            await write(driver, wizard, name, before)
            assert said not in driver.screen(), name
