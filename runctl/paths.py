"""Where runctl keeps things. Pure functions of an environment, but for `make_private`.

`RUNCTL_HOME` moves everything under one directory. Else the XDG variables count on every system, then the system's own
habit: `~/.config`, `~/.cache`, `~/.local/state` on Linux, what platformdirs says elsewhere.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

APP = "runctl"
CONFIG_NAME = "runctl.toml"
_PLATFORM: str = sys.platform  # a variable: type checkers would call the other system's branch unreachable


def home(env: Mapping[str, str] | None = None) -> Path:
    """The user's home directory; `HOME` first, then the password database."""
    given = (os.environ if env is None else env).get("HOME")
    return Path(given) if given else Path.home()


def _directory(kind: str, fallback: str, env: Mapping[str, str] | None) -> Path:
    env = os.environ if env is None else env
    if own := env.get("RUNCTL_HOME"):
        return Path(own).expanduser() / kind
    xdg = env.get(f"XDG_{kind.upper()}_HOME", "")
    if os.path.isabs(xdg):  # the XDG specification says that a relative path is to be ignored
        return Path(xdg) / APP
    if _PLATFORM.startswith("linux"):
        return home(env) / fallback / APP
    import platformdirs  # 10 ms, and only where Linux's rule does not hold

    return Path(getattr(platformdirs, f"user_{kind}_dir")(APP, appauthor=False))


def config_dir(env: Mapping[str, str] | None = None) -> Path:
    """Directory of the user's configuration."""
    return _directory("config", ".config", env)


def cache_dir(env: Mapping[str, str] | None = None) -> Path:
    """Directory of what can be lost: prices, service models, the last snapshot."""
    return _directory("cache", ".cache", env)


def state_dir(env: Mapping[str, str] | None = None) -> Path:
    """Directory of what must not be lost: journal, ledger, local jobs, log."""
    return _directory("state", ".local/state", env)


def user_config_file(env: Mapping[str, str] | None = None) -> Path:
    """The user's configuration file; `RUNCTL_CONFIG` names another one."""
    given = (os.environ if env is None else env).get("RUNCTL_CONFIG")
    return Path(given).expanduser() if given else config_dir(env) / CONFIG_NAME


def project_config_candidates(cwd: Path, env: Mapping[str, str] | None = None) -> tuple[Path, ...]:
    """Where a project's file may be, nearest first: `cwd` and its parents up to the repository's root or the home.

    A directory with `.git` ends the search, so that one project never reads its neighbour's settings.
    """
    found: list[Path] = []
    for directory in (cwd, *cwd.parents):
        if directory == home(env) and directory != cwd:
            break
        found.append(directory / CONFIG_NAME)
        if (directory / ".git").exists():
            break
    return tuple(found)


def local_jobs_dir(env: Mapping[str, str] | None = None) -> Path:
    """Records and working directories of jobs on this computer."""
    return state_dir(env) / "jobs"


def log_file(env: Mapping[str, str] | None = None) -> Path:
    """Where a crash writes its traceback."""
    return state_dir(env) / "runctl.log"


def journal_file(env: Mapping[str, str] | None = None) -> Path:
    """The append-only record of every change made in AWS."""
    return state_dir(env) / "journal.jsonl"


def plans_dir(env: Mapping[str, str] | None = None) -> Path:
    """Where plans are kept, so that one cut off half-way can be resumed."""
    return state_dir(env) / "plans"


def ledger_file(env: Mapping[str, str] | None = None) -> Path:
    """The SQLite file of state intervals and prices."""
    return state_dir(env) / "ledger.sqlite3"


def make_private(directory: Path) -> None:
    """Make a directory for us alone, and what is missing above it as well, as the XDG specification says.

    `mkdir(parents=True, mode=0o700)` gives its mode to the last one only: the others are open to whoever may log in.

    Raises:
        OSError: it cannot be made.
    """
    missing = [directory]
    while not missing[-1].parent.exists():
        missing.append(missing[-1].parent)
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)
