"""Driving the real app over the small fleet: start it, press keys, wait for what must become true."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any

from textual.pilot import Pilot

from runctl.app import RunctlApp
from runctl.clock import FrozenClock
from runctl.config import Settings
from runctl.screens.base import FleetScreen
from runctl.terminal.clipboard import CopyOutcome
from tests.screens.fleet import NOW, FleetBackend

DEADLINE_S = 10.0


class PaperTerminal:
    """A terminal on paper: what was copied, opened and run is written down."""

    def __init__(self) -> None:
        self.copied: list[str] = []
        self.opened: list[str] = []
        self.ran: list[list[str]] = []
        self.has_browser = False
        self.has_clipboard = True
        self.programs = {"aws": "/usr/bin/aws"}
        self.exit_code: int | None = 0

    def copy(self, text: str, write: Callable[[str], None]) -> CopyOutcome:
        write("")
        self.copied.append(text)
        return CopyOutcome(("OSC 52",), sure=False) if self.has_clipboard else CopyOutcome((), sure=False)

    def open_url(self, url: str) -> bool:
        self.opened.append(url)
        return self.has_browser

    def which(self, program: str) -> str | None:
        return self.programs.get(program)

    def run(self, argv: Sequence[str], suspend: Callable[[], AbstractContextManager[None]]) -> int | None:
        assert callable(suspend)
        self.ran.append(list(argv))
        return self.exit_code


class Driver:
    """The app, its keys and its cloud."""

    def __init__(self, app: RunctlApp, pilot: Pilot[str | None], backends: list[FleetBackend]) -> None:
        self.app, self.pilot, self.backends = app, pilot, backends

    @property
    def backend(self) -> FleetBackend:
        return self.backends[-1]

    @property
    def fleet(self) -> FleetScreen[Any]:
        fleet = self.app.fleet
        assert fleet is not None
        return fleet

    @property
    def terminal(self) -> PaperTerminal:
        terminal = self.app.desk.terminal
        assert isinstance(terminal, PaperTerminal)
        return terminal

    async def until(self, condition: Callable[[], object], what: str = "") -> None:
        """Wait until something is true; fail when it does not become so."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain {what}\n{self.screen()}"
            await self.pilot.pause(0.01)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        names = {" ": "space", ":": "colon", "/": "slash", ">": "greater_than_sign", "*": "asterisk", "-": "minus",
                 "!": "exclamation_mark", ",": "comma", "_": "underscore", ".": "full_stop"}  # fmt: skip
        await self.press(*(names.get(c, c) for c in text))

    async def loaded(self) -> None:
        """Until every source of the present scope has answered, well or badly, and that is on screen."""
        await self.until(lambda: len({k.source for k in self.app.snapshot.status}) >= 5, "for all sources")
        await self.until(lambda: self.app.snapshot is self.app.desk.store.snapshot, "for the picture")
        await self.pilot.pause()

    async def show(self, mode: str) -> FleetScreen[Any]:
        await self.press({"instances": "1", "jobs": "2", "s3": "3", "volumes": "4", "cost": "5"}[mode])
        await self.until(lambda: self.app.current_mode == mode and self.fleet.is_mounted)
        await self.pilot.pause()
        return self.fleet

    def lines(self) -> list[str]:
        """The terminal as text, line by line."""
        update = self.app.screen._compositor.render_full_update()
        strips = getattr(update, "strips")  # noqa: B009  # no public way to the text of a screen
        return ["".join(segment.text for segment in strip) for strip in strips]

    def screen(self) -> str:
        return "\n".join(self.lines())

    def notices(self) -> list[str]:
        """Texts of the notices so far."""
        return [n.message for n in self.app._notifications]


@asynccontextmanager
async def running(
    *,
    size: tuple[int, int] = (80, 24),
    settings: Settings | None = None,
    backend: Callable[[str | None], FleetBackend] = FleetBackend,
    demo: bool = False,
    wait: bool = True,
    app_class: type[RunctlApp] = RunctlApp,
) -> AsyncIterator[Driver]:
    """The app over the fleet, loaded unless told otherwise."""
    backends: list[FleetBackend] = []

    def connect(profile: str | None) -> FleetBackend:
        backends.append(backend(profile))
        return backends[-1]

    app = app_class(settings or Settings(), connect, clock=FrozenClock(NOW), demo=demo, terminal=PaperTerminal())
    async with app.run_test(size=size, notifications=True) as pilot:
        driver = Driver(app, pilot, backends)
        if wait:
            await driver.loaded()
        yield driver
        for made in backends:
            made.open.set()
    await asyncio.sleep(0)
