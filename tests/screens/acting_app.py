"""The app over the embedded cloud with the door to acting open, and what tests wait for in its dialogs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from runctl.app import RunctlApp
from runctl.clock import SystemClock
from runctl.config import Settings
from runctl.screens.modals.fields import TextLine
from runctl.screens.modals.form import FormModal
from runctl.screens.modals.plan import PlanModal
from runctl.services.actions import Actions
from runctl.services.aws.backend import AwsBackend, open_backend
from runctl.services.aws.door import open_actions
from runctl.services.backend import Backend
from tests.screens.driving import Driver, PaperTerminal
from tests.services.doors import EAST, ZOE

HERE = replace(ZOE, regions=(EAST,))


@asynccontextmanager
async def acting(
    settings: Settings = HERE, size: tuple[int, int] = (80, 24), app_class: type[RunctlApp] = RunctlApp
) -> AsyncIterator[Driver]:
    """The app over the embedded cloud as it is now."""

    def connect(profile: str | None) -> AwsBackend:
        return open_backend(settings, profile)

    def door(backend: Backend, regions: tuple[str, ...]) -> Actions:
        assert isinstance(backend, AwsBackend)
        return open_actions(backend, settings, SystemClock(), regions)

    app = app_class(settings, connect, clock=SystemClock(), terminal=PaperTerminal(), open_door=door)
    async with app.run_test(size=size, notifications=True) as pilot:
        driver = Driver(app, pilot, [])
        await driver.loaded()
        yield driver


def modal(driver: Driver) -> PlanModal:
    """The dialog of a change, which has to be open."""
    screen = driver.app.screen
    assert isinstance(screen, PlanModal), screen
    return screen


async def asked(driver: Driver) -> PlanModal:
    """Wait until the dialog has looked and asks."""
    await driver.until(
        lambda: isinstance(driver.app.screen, PlanModal) and modal(driver).stage == "asking", "to be asked"
    )
    await driver.pilot.pause()
    return modal(driver)


async def ended(driver: Driver) -> str:
    """Wait until the dialog tells what came of it; what it says."""
    await driver.until(lambda: modal(driver).stage == "ended", "for the end")
    await driver.pilot.pause()
    return driver.screen()


async def chosen(driver: Driver, *words: str) -> None:
    """Pick an entry of the action menu by its word, and wait for what opens."""
    await driver.press("a")
    for word in words:
        await driver.type(word)
    await driver.press("enter")


async def filled(driver: Driver, **values: str) -> FormModal:
    """Fill in lines of the form that is open, as fast typing would; nothing is submitted."""
    await driver.until(lambda: isinstance(driver.app.screen, FormModal), "for the form")
    form = driver.app.screen
    assert isinstance(form, FormModal)
    for name, text in values.items():
        form.lines.focus_on(name)
        await driver.pilot.pause()
        line = driver.app.focused
        assert isinstance(line, TextLine), line
        line.insert_text_at_cursor(text)
        await driver.pilot.pause()
    return form
