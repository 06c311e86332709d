"""A desktop notification through the terminal, where the terminal is known to have one; nothing anywhere else.

OSC 9 (iTerm2 "Proprietary Escape Codes"; WezTerm and Ghostty have it too) and OSC 777 (rxvt-unicode's notify, foot, VTE
with Fedora's patch). Terminals that do not know a sequence may print it, so an unknown one gets none.
"""

from __future__ import annotations

from collections.abc import Mapping

from runctl.format import clean_text

_OSC9 = frozenset({"iTerm.app", "WezTerm", "ghostty"})
_OSC777_TERMS = ("rxvt-unicode", "foot")


def notification(title: str, text: str, env: Mapping[str, str]) -> str:
    """The sequence that shows a notification, "" where none is known to work. Inside tmux it is passed through."""
    program, term = env.get("TERM_PROGRAM", ""), env.get("TERM", "")
    if env.get("TMUX"):
        program = env.get("LC_TERMINAL", "iTerm2").replace("iTerm2", "iTerm.app") if env.get("LC_TERMINAL") else ""
    title, text = (clean_text(part, 120).replace(";", ",") for part in (title, text))
    if program in _OSC9:
        sequence = f"\x1b]9;{title}: {text}\x07"
    elif term.startswith(_OSC777_TERMS):
        sequence = f"\x1b]777;notify;{title};{text}\x07"
    else:
        return ""
    return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\" if env.get("TMUX") else sequence
