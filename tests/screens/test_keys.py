"""Every key of the table fires its action where it is offered, and nothing is offered that nobody answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from runctl.app import RunctlApp
from runctl.config import Settings
from runctl.keymap import ACTIONS, Action, Scope
from runctl.screens.job_view import JobScreen
from runctl.screens.jobs import JobsScreen
from runctl.screens.modals.fields import Field
from runctl.screens.modals.form import FormModal, Verdict
from runctl.screens.modals.pick import Option, PickModal
from runctl.screens.modals.plan import PlanModal
from runctl.screens.modals.viewer import RawModal
from runctl.screens.modals.welcome import WelcomeModal
from runctl.screens.modals.wizard import WizardModal
from tests.screens.driving import Driver, running


class RecordingApp(RunctlApp):
    """The app, which also writes down which actions ran; it does not leave."""

    ran: list[str]
    unanswered: list[str]
    may_leave = False

    async def run_action(self, action: Any, *args: Any, **kwargs: Any) -> bool:
        answered = await super().run_action(action, *args, **kwargs)
        (self.ran if answered else self.unanswered).append(str(action))
        return answered

    def exit(self, *args: Any, **kwargs: Any) -> None:
        if self.may_leave:
            super().exit(*args, **kwargs)


_MODES = {
    Scope.JOBS: "jobs", Scope.JOB: "jobs", Scope.S3: "s3", Scope.VOLUMES: "volumes", Scope.COST: "cost",
}  # fmt: skip


async def _reach(driver: Driver, scope: Scope) -> None:
    """Go to where a scope listens, from wherever the last key led."""
    app = driver.app
    while app.screen is not driver.fleet:
        app.pop_screen()
        await driver.pilot.pause()
    mode = {Scope.JOBS: "jobs", Scope.JOB: "jobs", Scope.S3: "s3", Scope.VOLUMES: "volumes", Scope.COST: "cost"}.get(
        scope, "instances"
    )
    if app.current_mode != mode:
        await app.action_switch_mode(mode)
        await driver.pilot.pause()
    driver.fleet.table.focus()
    await driver.pilot.pause()
    if scope is Scope.VIEWER:
        app.push_screen(RawModal("raw", "\n".join("text" * 99), keymap=app.desk.keymap))
    elif scope is Scope.DIALOG:
        app.push_screen(PickModal("pick", [Option("a", "a")]))
    elif scope is Scope.PLAN:
        app.push_screen(PlanModal("stop a", lambda *_: pytest.fail("not asked"), app.desk, go="stop"))
    elif scope in (Scope.FORM, Scope.CHOICE):
        options = (Option("a", "a"), Option("b", "b")) if scope is Scope.CHOICE else ()
        fields = (Field("x", "x", "a", options=options), Field("y", "y"))
        app.push_screen(FormModal("form", fields, lambda _: Verdict({})))
    elif scope is Scope.WIZARD:
        await app.push_screen(WizardModal(app.desk, driver.fleet.context))
        app.screen.set_focus(None)  # as after a launch: the lines of the form take letters for themselves
    elif scope is Scope.JOB:
        fleet = driver.fleet
        assert isinstance(fleet, JobsScreen)
        app.push_screen(JobScreen(app.desk, fleet.shown.rows[0], fleet))
    elif scope is Scope.WELCOME:
        app.push_screen(WelcomeModal("nobody", "aws sso login", app.desk.keymap))
    elif scope is Scope.FILTER:
        driver.fleet.action_filter()
    await driver.pilot.pause()


def _offered(scope: Scope) -> Iterable[Action]:
    return (a for a in ACTIONS if a.scope is scope)


@pytest.mark.parametrize("scope", [s for s in Scope if any(a.scope is s for a in ACTIONS)], ids=str)
async def test_every_key_fires_its_action(scope: Scope, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.chdir(tmp_path)
    silent = []
    async with running(app_class=RecordingApp) as driver:
        app = driver.app
        assert isinstance(app, RecordingApp)
        for action in _offered(scope):
            for key in action.keys:
                await _reach(driver, scope)
                app.ran, app.unanswered = [], []
                await driver.press(key)
                if action.method not in app.ran:
                    silent.append(f"{action.id} {key}: ran {app.ran}, unanswered {app.unanswered}")
        app.may_leave = True
    assert silent == []


async def test_keys_of_the_users_choice_replace_ours() -> None:
    settings = Settings(keys={"list.sort": "f9", "app.help": "f7"})
    async with running(settings=settings) as driver:
        await driver.press("o")
        assert driver.app.screen is driver.fleet
        await driver.press("f9")
        assert isinstance(driver.app.screen, PickModal)
        await driver.press("escape")
        assert "f7 more" in driver.lines()[-1]
        await driver.press("f7")
        assert "f9" in driver.screen()


async def test_harmless_keys_ask_the_cloud_for_nothing_but_listings() -> None:
    async with running() as driver:
        before = len(driver.backend.calls)
        await driver.press("ctrl+d", "ctrl+k", "x", "D", "S", "enter", "escape", "space", "n", "a", "A", "plus")
        calls = set(driver.backend.calls[before:])
        assert calls <= {
            "list_instances",
            "list_volumes",
            "list_snapshots",
            "list_addresses",
            "list_buckets",
            "list_jobs",
        }
