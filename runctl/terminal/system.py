"""What screens may ask of the terminal, and the real one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import FrameType
from typing import Protocol

from runctl.terminal.clipboard import CopyOutcome, is_remote, native_argv, osc52, run_native

#: Keys a child may be interrupted with; while it owns the terminal they are its business, not ours.
_CHILD_SIGNALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP)


class Terminal(Protocol):
    """The outside of the screen. Tests and the web have their own."""

    def copy(self, text: str, write: Callable[[str], None]) -> CopyOutcome:
        """Copy `text`; `write` sends an escape sequence to the terminal. May take seconds: not for the UI thread."""
        ...

    def open_url(self, url: str) -> bool:
        """Open a browser on this person's machine; False when there is no way to."""
        ...

    def which(self, program: str) -> str | None:
        """Path of a program, None when it is not installed."""
        ...

    def run(self, argv: Sequence[str], suspend: Callable[[], AbstractContextManager[None]]) -> int | None:
        """Give the whole terminal to a program; its exit code, or None when it could not start.

        `suspend` gives the terminal away and takes it back. Its body must not raise and must not await, or the
        terminal never comes back, which is why this is one synchronous call.
        """
        ...


class SystemTerminal:
    """The terminal of this process."""

    def __init__(self, env: Mapping[str, str] | None = None, platform: str = sys.platform) -> None:
        self._env = os.environ if env is None else env
        self._platform = platform

    def copy(self, text: str, write: Callable[[str], None]) -> CopyOutcome:
        """Both ways at once: xclip may exist and fail silently, OSC 52 may be ignored."""
        ways: list[str] = []
        if (sequence := osc52(text, self._env)) is not None:
            write(sequence[0])
            ways.append(sequence[1])
        sure = False
        if (argv := native_argv(self._env, self._platform)) is not None and run_native(argv, text):
            ways.insert(0, argv[0])
            sure = argv[0] != "tmux"  # tmux holds it; whether its terminal took it is not known
        return CopyOutcome(tuple(ways), sure)

    def open_url(self, url: str) -> bool:
        """`open` or `xdg-open`, never a browser inside this terminal, never on the far side of SSH."""
        if is_remote(self._env):
            return False
        program = "open" if self._platform == "darwin" else "xdg-open"
        has_desktop = self._platform == "darwin" or self._env.get("DISPLAY") or self._env.get("WAYLAND_DISPLAY")
        if not has_desktop or self.which(program) is None:
            return False
        try:
            subprocess.Popen(  # the browser outlives us on purpose
                [program, url],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError:
            return False
        return True

    def which(self, program: str) -> str | None:
        """As the shell would find it."""
        return shutil.which(program, path=self._env.get("PATH"))

    def run(self, argv: Sequence[str], suspend: Callable[[], AbstractContextManager[None]]) -> int | None:
        """Run `argv` in the foreground with the signals of the keyboard left to it."""
        code: int | None = None
        with suspend():
            # Handlers, not SIG_IGN: what is ignored stays ignored in the child, a handler is reset by exec.
            previous = {number: signal.signal(number, _leave_to_child) for number in _CHILD_SIGNALS}
            try:
                code = subprocess.call(list(argv))
            except OSError:
                code = None
            finally:
                for number, handler in previous.items():
                    signal.signal(number, handler)
        return code


def _leave_to_child(_number: int, _frame: FrameType | None) -> None:
    """The keyboard's signals reach the whole foreground group; the child answers them."""
