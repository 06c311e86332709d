"""Notifications only where they are known to work, and never an escape of somebody else's."""

from __future__ import annotations

import pytest

from runctl.terminal.notify import notification


@pytest.mark.parametrize(
    ("env", "starts"),
    [
        ({"TERM_PROGRAM": "iTerm.app"}, "\x1b]9;runctl: 80 %"),
        ({"TERM_PROGRAM": "WezTerm"}, "\x1b]9;"),
        ({"TERM": "foot"}, "\x1b]777;notify;runctl;80 %"),
        ({"TERM": "rxvt-unicode-256color"}, "\x1b]777;"),
        ({"TERM_PROGRAM": "tmux", "TMUX": "x", "LC_TERMINAL": "iTerm2"}, "\x1bPtmux;\x1b\x1b]9;"),
    ],
)
def test_known_terminals_are_asked_in_their_own_words(env: dict[str, str], starts: str) -> None:
    assert notification("runctl", "80 %", env).startswith(starts)


@pytest.mark.parametrize("env", [{}, {"TERM": "xterm-256color"}, {"TERM_PROGRAM": "Apple_Terminal"}, {"TMUX": "x"}])
def test_unknown_terminals_get_nothing(env: dict[str, str]) -> None:
    assert notification("runctl", "80 %", env) == ""


def test_text_from_outside_cannot_end_the_sequence() -> None:
    said = notification("runctl", "budget \x07\x1b]0;evil\x07 ; x\n", {"TERM": "foot"})
    assert said.count("\x1b") == 1
    assert said.count("\x07") == 1
    assert said.count(";") == 3
