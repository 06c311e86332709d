"""Copying out of a terminal, near or far.

Two ways, and both are used where both exist: the escape sequence OSC 52 (xterm control sequences, "Manipulate
Selection Data"), which travels through SSH but is never acknowledged, and a program of the desktop, which says whether
it worked.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

#: Terminals drop longer sequences: 100,000 bytes of base64 is the common limit (xterm, hterm, tmux).
OSC52_MAX_BYTES = 74_994
#: GNU screen's buffer for one device control string is 768 bytes; the rest of the sequence has to fit beside it.
_SCREEN_CHUNK = 700
_NATIVE_TIMEOUT_S = 2.0

Environment = Mapping[str, str]
Which = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class CopyOutcome:
    """How a text was copied.

    Args:
        ways: what was used, in words ("wl-copy", "OSC 52 through tmux"); empty when nothing could be.
        sure: a program confirmed it; OSC 52 alone never does.
    """

    ways: tuple[str, ...]
    sure: bool


def is_remote(env: Environment) -> bool:
    """Whether this is an SSH session: a desktop program here would fill the clipboard of the wrong machine."""
    return bool(env.get("SSH_CONNECTION") or env.get("SSH_TTY") or env.get("SSH_CLIENT"))


def osc52(text: str, env: Environment) -> tuple[str, str] | None:
    """The sequence that asks the terminal to copy `text`, and its name; None when it is too long.

    Inside tmux and screen the sequence is wrapped in their pass-through envelope: it is for the outer terminal.
    """
    raw = text.encode()
    if len(raw) > OSC52_MAX_BYTES:
        return None
    sequence = f"\x1b]52;c;{base64.b64encode(raw).decode()}\x07"
    if env.get("TMUX"):
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\", "OSC 52 through tmux"
    if env.get("STY") or env.get("TERM", "").startswith("screen"):
        chunks = (sequence[i : i + _SCREEN_CHUNK] for i in range(0, len(sequence), _SCREEN_CHUNK))
        return "".join(f"\x1bP{chunk}\x1b\\" for chunk in chunks), "OSC 52 through screen"
    return sequence, "OSC 52"


def native_argv(env: Environment, platform: str, which: Which = shutil.which) -> list[str] | None:
    """The program that fills the clipboard of this machine (or tmux's buffer), None when there is none.

    Args:
        env: the environment.
        platform: `sys.platform`.
        which: finds a program, as `shutil.which`.
    """
    candidates: list[list[str]] = []
    if env.get("TMUX"):
        candidates.append(["tmux", "load-buffer", "-w", "-"])
    if not is_remote(env):
        if platform == "darwin":
            candidates.append(["pbcopy"])
        if env.get("WAYLAND_DISPLAY"):
            candidates.append(["wl-copy"])
        if env.get("DISPLAY"):
            candidates += [["xclip", "-selection", "clipboard"], ["xsel", "--clipboard", "--input"]]
        if env.get("WSL_DISTRO_NAME"):
            candidates.append(["clip.exe"])
    return next((argv for argv in candidates if which(argv[0])), None)


def run_native(argv: Sequence[str], text: str) -> bool:
    """Give `text` to a clipboard program; True when it confirmed. It may stay in the background, so nothing is read."""
    try:
        done = subprocess.run(
            list(argv),
            input=text.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_NATIVE_TIMEOUT_S,
            check=False,
            start_new_session=True,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
