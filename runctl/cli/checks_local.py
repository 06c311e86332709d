"""Checks of this machine: files, directories, terminal, programs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from runctl import paths
from runctl.cli.checks import Check, fail, ok, warn
from runctl.config import Resolved, Settings
from runctl.errors import ConfigurationError

_SMALLEST = (60, 15)
_PROGRAMS = (
    (
        "session-manager-plugin",
        "shells through SSM",
        "AWS Systems Manager User Guide, 'Install the Session Manager plugin'",
    ),
    ("aws", "aws sso login", "AWS CLI User Guide, 'Installing or updating'"),
    ("ssh", "shells over SSH", "your system's package openssh-client"),
)


def configuration(resolved: Resolved, broken: ConfigurationError | None) -> Check:
    """Whether files and variables are valid."""
    if broken is not None:
        return fail("configuration", str(broken), broken.hint, ConfigurationError.exit_code)
    if resolved.warnings:
        return warn("configuration", "; ".join(resolved.warnings), "unset or rename the variable")
    files = ", ".join(map(str, resolved.files))
    return ok("configuration", files or "no file; the defaults hold")


def run(settings: Settings) -> Iterator[Check]:
    """All checks of this machine."""
    yield from (directory(name, path) for name, path in (("cache", paths.cache_dir()), ("state", paths.state_dir())))
    yield from terminal(os.environ)
    yield from (program(*row) for row in _PROGRAMS)
    if settings.cost.allow_paid_apis:
        yield warn("paid calls", "allowed by cost.allow_paid_apis", "Cost Explorer bills $0.01 a page")


def directory(name: str, path: Path) -> Check:
    """Whether a directory can be written, or could be made."""
    there = path
    while not there.exists() and there != there.parent:
        there = there.parent
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return ok(f"{name} directory", str(path))
    loses = (
        "prices and the last snapshot are not kept" if name == "cache" else "no journal: nothing can be changed in AWS"
    )
    return warn(f"{name} directory", f"{path} cannot be written: {loses}", f"mend {there}, or set RUNCTL_HOME")


def terminal(env: Mapping[str, str]) -> Iterator[Check]:
    """Size, letters, colours and the way to the clipboard."""
    if not sys.stdout.isatty():
        yield ok("terminal", "stdout is none: runctl prints once")
        return
    columns, lines = os.get_terminal_size(sys.stdout.fileno())
    if columns < _SMALLEST[0] or lines < _SMALLEST[1]:
        yield warn("terminal size", f"{columns}x{lines}", "the dashboard needs 60x15; 80x24 shows every screen well")
    else:
        yield ok("terminal size", f"{columns}x{lines}")
    yield letters(sys.stdout.encoding or "", env)
    yield colours(env)
    if env.get("TMUX"):
        yield tmux_clipboard()


def letters(encoding: str, env: Mapping[str, str]) -> Check:
    """Whether the terminal can be sent other letters than ASCII."""
    if encoding.lower().replace("-", "") == "utf8":
        return ok("letters", "UTF-8")
    locale = env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or "unset"
    return warn("letters", f"{encoding or 'unknown'} (locale {locale}): ASCII is drawn", "export LC_ALL=C.UTF-8")


def colours(env: Mapping[str, str]) -> Check:
    """How many colours the terminal claims."""
    term = env.get("TERM", "")
    if term in ("", "dumb"):
        return warn("colours", f"TERM={term or 'unset'}", "export TERM=xterm-256color")
    if env.get("NO_COLOR"):
        return ok("colours", "off by NO_COLOR; states are also words and glyphs")
    if env.get("COLORTERM") in ("truecolor", "24bit"):
        return ok("colours", "16 million")
    many = "256" in term or "direct" in term
    if many:
        return ok("colours", f"256 ({term})")
    return warn("colours", f"few ({term})", "export TERM=xterm-256color, or use the theme ansi")


def tmux_clipboard() -> Check:
    """Whether tmux passes on what is copied (tmux manual, `set-clipboard`, `allow-passthrough`)."""
    try:
        done = subprocess.run(
            ["tmux", "show-options", "-gv", "set-clipboard"], capture_output=True, text=True, timeout=2, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return warn("clipboard", "tmux does not answer", "copying may not leave tmux")
    value = done.stdout.strip() or "unknown"
    if value in ("on", "external"):
        return ok("clipboard", f"tmux set-clipboard {value}")
    return warn("clipboard", f"tmux set-clipboard {value}", "tmux set -g set-clipboard on")


def program(name: str, purpose: str, where: str) -> Check:
    """Whether a program that runctl starts is installed."""
    found = shutil.which(name)
    return ok(name, found) if found else warn(name, f"not installed; needed for {purpose}", where)
