"""The real terminal: programs are run with the screen given away, browsers only where there is a desktop."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from runctl.terminal.system import SystemTerminal


def test_a_program_runs_while_the_screen_is_given_away_and_its_code_comes_back() -> None:
    steps: list[str] = []

    @contextmanager
    def suspend() -> Iterator[None]:
        steps.append("away")
        yield
        steps.append("back")

    before = signal.getsignal(signal.SIGINT)
    code = SystemTerminal({}).run([sys.executable, "-c", "raise SystemExit(7)"], suspend)
    assert code == 7
    assert steps == ["away", "back"]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_program_that_cannot_start_still_gives_the_screen_back() -> None:
    steps: list[str] = []

    @contextmanager
    def suspend() -> Iterator[None]:
        yield
        steps.append("back")

    assert SystemTerminal({}).run(["/nonexistent/aws"], suspend) is None
    assert steps == ["back"]


def test_no_browser_is_opened_over_ssh_or_without_a_desktop() -> None:
    url = "https://console.aws.amazon.com/"
    assert not SystemTerminal({"SSH_TTY": "/dev/pts/0", "DISPLAY": ":0", "PATH": "/usr/bin"}, "linux").open_url(url)
    assert not SystemTerminal({"PATH": "/usr/bin"}, "linux").open_url(url)
    assert not SystemTerminal({"DISPLAY": ":0", "PATH": "/nonexistent"}, "linux").open_url(url)
