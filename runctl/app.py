"""RunctlApp: the session, the five screens and the terminal, wired together. Rules live elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, ClassVar

from textual import on
from textual.reactive import var
from textual.screen import Screen
from textual.timer import Timer

from runctl import paths
from runctl.asking import OpenDoor
from runctl.clock import Clock
from runctl.config import Settings
from runctl.keymap import build_keymap
from runctl.messages import Answered, EventArrived, SnapshotLoaded
from runctl.models.snapshot import EMPTY, Snapshot
from runctl.screens.base import FleetScreen
from runctl.screens.pace import Pace
from runctl.screens.recovering import Recovering
from runctl.screens.table_screen import TICK_S
from runctl.screens.view import is_signed_out
from runctl.session import Connect, OpenBoard, Session
from runctl.terminal.clipboard import is_remote
from runctl.terminal.system import SystemTerminal, Terminal

#: A screen is imported when it is first looked at: the first picture shows one.
_SCREENS = {
    "instances": "instances.InstancesScreen",
    "jobs": "jobs.JobsScreen",
    "s3": "s3.S3Screen",
    "volumes": "volumes.VolumesScreen",
    "cost": "cost.CostScreen",
}


class RunctlApp(Recovering):
    """The dashboard.

    Args:
        settings: resolved settings.
        connect: opens a backend for a profile; called in a thread after the first paint.
        clock: the time.
        demo: whether the cloud is the embedded one.
        terminal: clipboard, browser, programs; the real ones unless a test lends its own.
        painted: called once, after the first picture.
        open_door, open_board: open the doors to acting and to moving files; without them the dashboard only looks.
    """

    TITLE = "runctl"
    DEFAULT_MODE: ClassVar[str] = "instances"

    snapshot: var[Snapshot] = var(EMPTY, init=False)

    def __init__(
        self,
        settings: Settings,
        connect: Connect,
        *,
        clock: Clock,
        demo: bool = False,
        terminal: Terminal | None = None,
        painted: Callable[[], None] = lambda: None,
        open_door: OpenDoor | None = None,
        open_board: OpenBoard | None = None,
    ) -> None:
        super().__init__(clock, paths.state_dir())
        keymap = build_keymap(settings.keys, read_only=settings.is_read_only(settings.profile))
        self.desk: Session = Session(
            connect,
            self.post_message,
            settings=settings,
            clock=clock,
            terminal=terminal or SystemTerminal(),
            keymap=keymap,
            demo=demo,
            cache=None if demo else paths.cache_dir(),
            ledger=paths.ledger_file(),
            open_door=open_door,
            open_board=open_board,
        )
        self.desk.draws = True
        self.set_reactive(RunctlApp.snapshot, self.desk.choose(self.desk.profile, self.desk.regions))
        self.dress(settings.ui)
        self.set_keymap(keymap.overrides)
        if not settings.ui.animations or is_remote(os.environ):
            self.animation_level = "none"
        for mode, name in _SCREENS.items():
            self.add_mode(mode, partial(self._make, name))
        self._painted, self._pace = painted, Pace()
        self._next: tuple[float, Timer] | None = None
        self._welcomed_scope = -1

    def _make(self, name: str) -> Screen[Any]:
        module, _, screen = name.partition(".")
        made: FleetScreen[Any] = getattr(import_module(f"runctl.screens.{module}"), screen)(self.desk)
        made.fit(*self.size)
        return made.data_bind(RunctlApp.snapshot)

    # -- beginning and end ---------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """The cloud is asked only after the first picture: importing its library must not delay it."""
        self.guard()
        self.set_interval(TICK_S, self._tick)
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self._painted()
        self.after_switch()
        self.desk.connect()

    def _tick(self) -> None:
        self.mind_the_time()
        if (fleet := self.fleet) is not None:
            fleet.tick()

    def on_unmount(self) -> None:
        """The end: nobody asks any more."""
        self.desk.close()

    def run(self, *args: Any, **kwargs: Any) -> str | None:
        """Run to the end; the rows are kept after the terminal is back."""
        result = super().run(*args, **kwargs)
        self.desk.save()
        return result

    # -- what arrives --------------------------------------------------------------------------------------------------

    @on(EventArrived)
    def _event_arrived(self, message: EventArrived) -> None:
        before = self.desk.store.snapshot
        due = self._pace.due(message.event, before, self.desk.apply(message.event), self.desk.clock.monotonic())
        if due is None or (self._next is not None and self._next[0] <= due):
            return
        if self._next is not None:
            self._next[1].stop()
            self._next = None
        wait = due - self.desk.clock.monotonic()
        if wait <= 0:
            self._paint()
        else:
            self._next = (due, self.set_timer(wait, self._paint))

    def _paint(self) -> None:
        self._next = None
        self._adopt(self.desk.store.snapshot)

    def _adopt(self, snapshot: Snapshot) -> None:
        began = self.desk.clock.monotonic()
        self.snapshot = snapshot
        self._pace.painted(began, self.desk.clock.monotonic())
        if self.desk.undrawn:
            self.call_after_refresh(self.desk.drawn)
        nothing = not snapshot.instances and not snapshot.volumes
        if nothing and is_signed_out(snapshot) and self._welcomed_scope != snapshot.scope and self.screen is self.fleet:
            self._welcomed_scope = snapshot.scope
            self.welcome(snapshot.errors[0].message if snapshot.errors else "")

    @on(SnapshotLoaded)
    def _snapshot_loaded(self) -> None:
        self._paint()

    @on(Answered)
    def _answered(self, message: Answered) -> None:
        message.deliver()

    # -- what the keys ask of the session ------------------------------------------------------------------------------

    def after_switch(self) -> None:
        """Ask first what is looked at."""
        super().after_switch()
        self.desk.focus(self.current_mode)

    def action_refresh(self) -> None:
        """Ask again now."""
        fleet = self.fleet
        if fleet is None or not fleet.refresh_place():
            self.desk.refresh()

    def action_pause(self) -> None:
        """Stop asking, or go on."""
        self.desk.toggle_pause()
        said = "paused: p goes on, r asks once" if self.desk.paused else "asking AWS again"
        self.notify(said, timeout=3, markup=False)
        if (fleet := self.fleet) is not None:
            fleet.show_lines()

    def use(self, profile: str | None, regions: tuple[str, ...]) -> None:
        """Another account or other regions: a new scope."""
        self._adopt(self.desk.open(profile, regions))

    def renew(self) -> None:
        """New credentials for the same choice."""
        self.desk.renew()
