"""A Textual app that ends when its terminal does, and leaves one line and a file when it crashes."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

from rich.text import Text
from textual.app import App

from runctl.clock import Clock
from runctl.terminal.crash import write_crash_log
from runctl.terminal.hangup import HangupWatch


class GuardedApp(App[str | None]):
    """What every full-screen program owes its terminal.

    Args:
        clock: names the crash log.
        log_directory: where the crash log goes.
    """

    def __init__(self, clock: Clock, log_directory: Path) -> None:
        super().__init__()
        self._clock, self._log_directory = clock, log_directory
        self._hangup: HangupWatch | None = None

    def guard(self) -> None:
        """Watch the terminal from now on; nothing to watch in tests."""
        if sys.__stdin__ is not None and not self.is_headless:
            self._hangup = HangupWatch(self._hung_up, sys.__stdin__.fileno())
            self._hangup.start()

    def run(self, *args: Any, **kwargs: Any) -> str | None:
        """Run to the end; after it nobody has to be ended by force."""
        try:
            return super().run(*args, **kwargs)
        finally:
            if self._hangup is not None:
                self._hangup.stop()

    def _hung_up(self, code: int) -> None:
        """From any thread: the terminal is gone, or the system wants us gone."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(partial(self.exit, return_code=code))

    def _fatal_error(self) -> None:
        """One line and a file, in place of Textual's page of local variables (which would show secrets)."""
        error = sys.exception() or self._exception or RuntimeError("unknown")
        path = write_crash_log(error, self._log_directory, self._clock.now())
        where = f"; the way to it is in {path}" if path else ""
        self.panic(Text(f"runctl: {type(error).__name__}: a defect{where}"))
