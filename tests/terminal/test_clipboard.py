"""Copying: what is sent, how it is wrapped, and which program is asked."""

from __future__ import annotations

import base64
import re
import sys
from pathlib import Path

import pytest

from runctl.terminal.clipboard import OSC52_MAX_BYTES, native_argv, osc52, run_native
from runctl.terminal.system import SystemTerminal


def decoded(sequence: str) -> str:
    match = re.search(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07", sequence)
    assert match
    return base64.b64decode(match[1]).decode()


def test_a_plain_terminal_gets_the_plain_sequence() -> None:
    sequence = osc52("i-0abc ü", {"TERM": "xterm"})
    assert sequence
    assert decoded(sequence[0]) == "i-0abc ü"
    assert sequence[1] == "OSC 52"


def test_tmux_gets_its_envelope_with_every_escape_doubled() -> None:
    sequence = osc52("x", {"TMUX": "/tmp/t,1,0", "TERM": "screen-256color"})  # noqa: S108  # a value, not a file
    assert sequence
    wrapped = sequence[0]
    assert wrapped.startswith("\x1bPtmux;\x1b\x1b]52;")
    assert wrapped.endswith("\x1b\\")
    assert decoded(wrapped.removeprefix("\x1bPtmux;").removesuffix("\x1b\\").replace("\x1b\x1b", "\x1b")) == "x"


def test_screen_gets_chunks_that_fit_its_buffer() -> None:
    sequence = osc52("y" * 5000, {"STY": "1.pts"})
    assert sequence
    chunks = re.findall(r"\x1bP(.*?)\x1b\\", sequence[0], re.DOTALL)
    assert len(chunks) > 5
    assert max(map(len, chunks)) < 768
    assert decoded("".join(chunks)) == "y" * 5000


def test_what_no_terminal_would_take_is_not_sent() -> None:
    assert osc52("z" * OSC52_MAX_BYTES, {}) is not None
    assert osc52("z" * (OSC52_MAX_BYTES + 1), {}) is None


@pytest.mark.parametrize(
    ("env", "platform", "program"),
    [
        ({}, "darwin", "pbcopy"),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", "wl-copy"),
        ({"DISPLAY": ":0"}, "linux", "xclip"),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "1 2 3 4"}, "linux", None),
        ({"TMUX": "x", "SSH_TTY": "/dev/pts/1"}, "linux", "tmux"),
        ({}, "linux", None),
    ],
)
def test_the_program_is_the_one_of_this_desktop(env: dict[str, str], platform: str, program: str | None) -> None:
    argv = native_argv(env, platform, lambda name: f"/usr/bin/{name}")
    assert (argv[0] if argv else None) == program


def test_a_program_that_is_not_installed_is_not_used() -> None:
    assert native_argv({"DISPLAY": ":0"}, "linux", lambda name: "/bin/xsel" if name == "xsel" else None) == [
        "xsel", "--clipboard", "--input",
    ]  # fmt: skip
    assert native_argv({"DISPLAY": ":0"}, "linux", lambda _: None) is None


def test_a_real_program_gets_the_text_and_its_failure_is_noticed(tmp_path: Path) -> None:
    out = tmp_path / "clip"
    code = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_bytes(sys.stdin.buffer.read())"
    assert run_native([sys.executable, "-c", code, str(out)], "naïve")
    assert out.read_text(encoding="utf-8") == "naïve"
    assert not run_native([sys.executable, "-c", "raise SystemExit(3)"], "x")
    assert not run_native([str(tmp_path / "nothing-here")], "x")


def test_copying_says_which_ways_were_used(tmp_path: Path) -> None:
    program = tmp_path / "xclip"
    program.write_text("#!/bin/sh\ncat > /dev/null\n")
    program.chmod(0o700)
    sent: list[str] = []
    far = SystemTerminal({"SSH_TTY": "/dev/pts/3", "PATH": str(tmp_path)}, "linux").copy("id", sent.append)
    assert far.ways == ("OSC 52",)
    assert not far.sure
    assert len(sent) == 1
