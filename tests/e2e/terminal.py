"""A real terminal: the program in a pseudo-terminal, what it draws on a screen of pyte's."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Sequence

import pexpect
import pyte
import pytest

from tests.e2e.binary import BINARY

#: How a program takes the screen and gives it back, and shows the cursor again (xterm's control sequences).
TAKE_SCREEN, GIVE_SCREEN, SHOW_CURSOR = "\x1b[?1049h", "\x1b[?1049l", "\x1b[?25h"
#: Asked of newer terminals (kitty's keyboard, DECRQM); pyte would print the last letter of each.
_NEWER = re.compile(r"\x1b\[[><=?][0-9;]*\$?[upq]")
_PATIENCE_S = 45.0


class Terminal:
    """One program on a terminal.

    Args:
        argv: the program.
        columns, rows: its size in cells.
        env: the environment's changes.
    """

    def __init__(
        self,
        argv: Sequence[str] = (str(BINARY),),
        *,
        columns: int = 80,
        rows: int = 24,
        env: dict[str, str] | None = None,
    ) -> None:
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.Stream(self._screen)
        self.raw = ""
        self.child: pexpect.spawn[str] = pexpect.spawn(
            argv[0], list(argv[1:]), encoding="utf-8", codec_errors="replace", dimensions=(rows, columns),
            cwd=os.environ["HOME"], env={**os.environ, **(env or {})},
        )  # fmt: skip

    def _pump(self, timeout_s: float) -> bool:
        """Take what was written; False at its end."""
        try:
            text = self.child.read_nonblocking(65536, timeout_s)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.raw += text
        self._stream.feed(_NEWER.sub("", text))
        return True

    @property
    def lines(self) -> list[str]:
        """What is on the screen, without the spaces at the end of each line."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        """The screen as one text."""
        return "\n".join(self.lines)

    def until(self, holds: str | Callable[[Terminal], object], timeout_s: float = _PATIENCE_S) -> None:
        """Wait until a text is on the screen, or a condition holds."""
        due: Callable[[Terminal], object] = (lambda t: holds in t.text) if isinstance(holds, str) else holds
        deadline = time.monotonic() + timeout_s
        while not due(self):
            if not self._pump(0.05) or time.monotonic() > deadline:
                pytest.fail(f"never came: {holds}\n{self.text}")

    def without(self, text: str) -> None:
        """Wait until a text has left the screen."""
        self.until(lambda t: text not in t.text)

    def press(self, *keys: str) -> None:
        """Type."""
        for key in keys:
            self.child.send(key)

    def resize(self, columns: int, rows: int) -> None:
        """As a person drags the window's corner: the kernel sends SIGWINCH."""
        self._screen.resize(rows, columns)
        self.child.setwinsize(rows, columns)

    def signal(self, number: signal.Signals) -> None:
        """Send the program a signal."""
        self.child.kill(number)

    def hang_up(self) -> None:
        """The other end of the terminal goes away, as with a dropped connection; the descriptor stays closable."""
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, self.child.child_fd)
        os.close(nowhere)

    def is_gone(self, timeout_s: float = _PATIENCE_S) -> bool:
        """Whether the program ends, without anything of it being read."""
        deadline = time.monotonic() + timeout_s
        while self.child.isalive() and time.monotonic() < deadline:
            time.sleep(0.05)
        return not self.child.isalive()

    def ended(self, timeout_s: float = _PATIENCE_S) -> int:
        """Wait for the end; the exit code, 128 + n when signal n ended it."""
        deadline = time.monotonic() + timeout_s
        while self._pump(0.05):
            assert time.monotonic() < deadline, self.text
        self.child.close()
        return self.child.exitstatus if self.child.exitstatus is not None else 128 + (self.child.signalstatus or 0)

    def is_restored(self) -> bool:
        """Whether the program left the terminal as it found it: the old screen back, the cursor visible."""
        return self.raw.rfind(GIVE_SCREEN) > self.raw.rfind(TAKE_SCREEN) and SHOW_CURSOR in self.raw


@contextlib.contextmanager
def terminal(*argv: str, columns: int = 80, rows: int = 24, env: dict[str, str] | None = None) -> Iterator[Terminal]:
    """The dashboard (or another program) on a terminal, ended at the end whatever happens."""
    made = Terminal(argv or (str(BINARY),), columns=columns, rows=rows, env=env)
    try:
        yield made
    finally:
        made.child.close(force=True)


def launch_by_wizard(shown: Terminal) -> None:
    """From a list of machines: ask for one in the wizard, and say yes."""
    shown.press("n")
    shown.until("launch machines")
    shown.press("t3.micro")
    shown.until("ends by itself")
    shown.press("\r")
    shown.until("launch 1 machine in account")
    shown.press("\t", "\r")
