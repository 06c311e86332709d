"""The keys that work on every screen. The application is built on this; here it is only a Textual app with a desk."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import events, on
from textual.binding import BindingType
from textual.command import Provider

from runctl.clock import Clock
from runctl.format import clean_text
from runctl.keymap import Scope, bindings_for
from runctl.messages import CopyRequested
from runctl.models.snapshot import Snapshot
from runctl.screens import modals
from runctl.screens.base import FleetScreen
from runctl.screens.choosing import ChoosingScreen
from runctl.screens.desk import Desk
from runctl.screens.dressing import THEMES, DressedApp
from runctl.screens.history import History, View
from runctl.screens.leaving import LeavingApp
from runctl.screens.typing_ahead import TypingApp
from runctl.store.fields import Context
from runctl.store.select import alerts
from runctl.terminal.clipboard import CopyOutcome

if TYPE_CHECKING:
    from runctl.commands import Choices, Invocation
    from runctl.screens.modals.pick import Option


def _palette() -> type[Provider]:
    from runctl.screens.palette import ActionProvider

    return ActionProvider


class GlobalActions(DressedApp, TypingApp, LeavingApp):
    """Actions of the scope `Everywhere`."""

    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {_palette}
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Scope.GLOBAL)]

    desk: Desk
    snapshot: Any

    def __init__(self, clock: Clock, log_directory: Path) -> None:
        super().__init__(clock, log_directory)
        self._history = History()
        self._commands: list[str] = []

    @property
    def fleet(self) -> FleetScreen[Any] | None:
        """The screen of the present mode, also beneath a dialog."""
        return next((s for s in self.screen_stack if isinstance(s, FleetScreen)), None)

    def _read(self, title: str, text: Text) -> None:
        ascii_only = bool(self.fleet and self.fleet.signs.arrow.isascii())
        self.push_screen(modals.ViewerModal(title, text, keymap=self.desk.keymap, ascii_only=ascii_only))

    async def on_event(self, event: events.Event) -> None:
        """The first key ends the hint for newcomers."""
        if isinstance(event, events.Key):
            self.desk.newcomer = False
        await super().on_event(event)

    # -- places --------------------------------------------------------------------------------------------------------

    def after_switch(self) -> None:
        """A screen came to the front: it is asked first from now on, and `[` knows it."""
        if (fleet := self.fleet) is not None:
            self._history.record(View(self.current_mode, fleet.choice))

    async def action_switch_mode(self, mode: str) -> None:
        """One of the five screens."""
        if mode != self.current_mode:
            await self.switch_mode(mode)
        self.after_switch()

    @on(ChoosingScreen.Moved)
    def _view_moved(self, event: ChoosingScreen.Moved) -> None:
        self._history.record(View(self.current_mode, event.choice))

    async def action_history(self, step: int) -> None:
        """The view before, or forward again."""
        view = self._history.go(step)
        if view is None:
            self.notify("no view before this one" if step < 0 else "no view after this one", markup=False)
            return
        if view.mode != self.current_mode:
            await self.switch_mode(view.mode)
        if (fleet := self.fleet) is not None:
            fleet.restore(view.choice)

    async def action_back(self) -> None:
        """One step back within the screen."""
        if (fleet := self.fleet) is not None:
            fleet.step_back()

    async def action_leave(self) -> None:
        """One step back; on a top screen, quit."""
        if (fleet := self.fleet) is None or not fleet.step_back():
            await self.action_quit()

    # -- reading -------------------------------------------------------------------------------------------------------

    def action_help(self) -> None:
        """The keys of the present screen."""
        from runctl.screens.readings import help_text

        fleet, width = self.fleet, self.size.width - 4
        scopes = (Scope.LIST, Scope.TABLE, Scope.GLOBAL, Scope.FILTER, Scope.VIEWER)
        if fleet is None:
            self._read("keys", help_text(self.desk.keymap, scopes, None, self.colours, width))
        else:
            text = help_text(self.desk.keymap, (fleet.SCOPE, *scopes), fleet.noun.fields, self.colours, width)
            self._read(f"keys on {fleet.noun.name}", text)

    def action_errors(self) -> None:
        """Every error seen."""
        from runctl.screens.readings import errors_text

        snapshot: Snapshot = self.snapshot
        now = self.desk.clock.now()
        told = alerts(Context(now, snapshot, self.desk.settings))
        text = errors_text(snapshot, now, told, self.colours, self.size.width - 4)
        self._read(f"errors seen ({len(snapshot.errors)})", text)

    # -- commands ------------------------------------------------------------------------------------------------------

    def _choices(self) -> Choices:
        from runctl.screens.export import FORMATS
        from runctl.services.profiles import list_profiles

        fleet, snapshot = self.fleet, self.snapshot
        return {
            "regions": ("all", *sorted({*snapshot.regions, *(i.region for i in snapshot.instances)})),
            "profiles": list_profiles(os.environ),
            "fields": tuple(fleet.noun.sortable()) if fleet else (),
            "themes": THEMES,
            "formats": FORMATS,
        }

    def action_command_line(self) -> None:
        """Type a command."""
        self.push_screen(modals.CommandModal(self._choices(), self._commands), self._invoke)

    async def _invoke(self, invocation: Invocation | None) -> None:
        if invocation is None:
            return
        target: Any = self if invocation.target == "app" else self.fleet
        result = getattr(target, f"action_{invocation.method}")(*invocation.args)
        if result is not None:
            await result

    # -- whose account -------------------------------------------------------------------------------------------------

    def use(self, profile: str | None, regions: tuple[str, ...]) -> None:
        """Look at another account or other regions; the application knows how."""
        raise NotImplementedError

    def action_use_profile(self, name: str) -> None:
        """Look through another profile, at its regions."""
        self.use(name, self.desk.settings.regions_for(name))

    def action_use_regions(self, regions: tuple[str, ...]) -> None:
        """Look at other regions."""
        self.use(self.snapshot.profile or None, ("all",) if "all" in regions else regions)

    def action_profile(self) -> None:
        """Pick a profile."""
        from runctl.services.profiles import list_profiles

        names = list_profiles(os.environ)
        options = [modals.Option(name, name) for name in names]
        modal = modals.PickModal("profile", options, present=self.snapshot.profile, free=True,
                          empty="no profiles are written in ~/.aws/config; type a name")  # fmt: skip
        self.push_screen(modal, lambda picked: self.action_use_profile(picked[0]) if picked else None)

    def action_region(self) -> None:
        """Pick regions; AWS is asked which there are."""
        present = self.snapshot.regions
        modal = modals.PickModal("regions", self._region_options(present), present=present[0] if present else "",
                          several=True, free=True)  # fmt: skip
        self.push_screen(modal, lambda picked: self.action_use_regions(picked) if picked else None)
        self.desk.ask(
            lambda backend: backend.fetch_regions(),
            lambda regions: modal.offer(self._region_options(regions)),
            lambda error: self.notify(f"{error}; a name can be typed", severity="warning", markup=False),
        )

    def _region_options(self, regions: tuple[str, ...]) -> list[Option]:
        machines = self.snapshot.instances
        counts = {region: sum(i.region == region for i in machines) for region in regions}
        asked = self.snapshot.regions
        known = []
        for region in regions:
            count = f"{counts[region]} machine{'s' * (counts[region] != 1)}" if region in asked else ""
            known.append(modals.Option(region, region, f"shown now, {count}" if count else ""))
        return [modals.Option("all", "all", "every region of the account"), *known]

    # -- credentials ---------------------------------------------------------------------------------------------------

    def action_login(self) -> None:
        """Run AWS's own login in this terminal; without the aws command, say what to run."""
        from runctl.services.links import login_argv

        argv = login_argv(self.snapshot.profile)
        line = " ".join(argv)
        if self.desk.demo:
            self.notify("the demo needs no login", markup=False)
        elif self.desk.terminal.which(argv[0]) is None:
            self.notify(f"the aws command is not installed; run elsewhere: {line}", timeout=15, markup=False)
        else:
            self._logged_in(line, self.desk.terminal.run(argv, self.suspend))

    def _logged_in(self, line: str, code: int | None) -> None:
        if code == 0:
            self.notify("logged in; asking AWS again", markup=False)
            self.renew()
        else:
            ended = "could not start" if code is None else f"ended with {code}"
            self.notify(f"{line} {ended}", severity="error", timeout=15, markup=False)

    def renew(self) -> None:
        """The same account with new credentials; the application knows how."""
        raise NotImplementedError

    def welcome(self, reason: str) -> None:
        """No credentials: three ways on."""
        from runctl.services.links import login_argv

        line = " ".join(login_argv(self.snapshot.profile))
        self.push_screen(modals.WelcomeModal(reason, line, self.desk.keymap), partial(self._welcomed, reason))

    def _welcomed(self, reason: str, way: str | None) -> None:
        if way == "demo":
            self.exit("demo")
        elif way == "login":
            self.action_login()
        elif way == "profile":
            self.action_profile()
        elif way == "how":
            from runctl.screens.readings import places_text
            from runctl.services.profiles import credential_places

            places = credential_places(os.environ, self.snapshot.profile)
            text = places_text(places, self.colours)
            modal = modals.ViewerModal("how credentials are found", text, keymap=self.desk.keymap)
            self.push_screen(modal, lambda _: self.welcome(reason))

    # -- taking away ---------------------------------------------------------------------------------------------------

    @on(CopyRequested)
    def _copy(self, event: CopyRequested) -> None:
        driver = self._driver
        write = driver.write if driver is not None else (lambda _: None)

        def told(outcome: CopyOutcome) -> None:
            shown = clean_text(event.text, 300)
            if not outcome.ways:
                self._read("copy this by hand: no clipboard was found", Text(event.text))
            elif outcome.sure:
                self.notify(f"copied {clean_text(event.what, 80)} with {', '.join(outcome.ways)}", markup=False)
            else:
                # Nobody confirms OSC 52, so the text is shown as well.
                self.notify(f"sent to the terminal by {', '.join(outcome.ways)}: {shown}", timeout=12, markup=False)

        self.desk.outside(lambda: self.desk.terminal.copy(event.text, write), told)
