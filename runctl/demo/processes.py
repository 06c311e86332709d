"""Finds and ends the processes of sandboxed machines, wherever they have forked to, by a mark in their environment.

Run as a program it is the sexton of one cloud: it waits for its input to end, which it does however the cloud dies,
then ends every process of every machine and removes their directories. Standard library only, nothing of runctl.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time

#: Variable that holds the directory of the cloud (a prefix of every machine's own).
MARK = "RUNCTL_MACHINE_ROOT"


def bearing(root: str) -> dict[int, int]:
    """Processes whose mark is `root` or lies below it, each with its parent."""
    wanted = re.compile(re.escape(f"{MARK}={root}").encode() + rb"(?:/|\0|\s|\Z)")
    found: dict[int, int] = {}
    if not os.path.isdir("/proc/self"):
        return _by_ps(wanted)
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            with contextlib.suppress(OSError, IndexError, ValueError):
                with open(f"/proc/{name}/environ", "rb") as file:
                    if wanted.search(file.read()) is None:
                        continue
                with open(f"/proc/{name}/stat", "rb") as file:
                    state, parent = file.read().rpartition(b")")[2].split()[:2]
                if state != b"Z":
                    found[int(name)] = int(parent)
    return found


def _by_ps(wanted: re.Pattern[bytes]) -> dict[int, int]:
    """The same where there is no /proc (macOS): `ps` shows the environment of one's own processes."""
    try:
        text = subprocess.run(["ps", "eww", "-A", "-o", "pid=,ppid=,command="], capture_output=True, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    rows = (line.split(None, 2) for line in text.splitlines() if wanted.search(line))
    return {int(r[0]): int(r[1]) for r in rows if int(r[0]) != os.getpid()}


def end(root: str, number: int) -> None:
    """Signal what bears a mark.

    TERM goes to those that nobody of them started, as an init system does it; KILL to all, until none is left.
    """
    for _ in range(200):
        found = bearing(root)
        for pid, parent in found.items():
            if number == signal.SIGKILL or parent not in found:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
        if number != signal.SIGKILL or not found:
            return
        time.sleep(0.01)


def bury(root: str) -> None:
    """End everything below a directory and remove it."""
    end(root, signal.SIGKILL)
    shutil.rmtree(root, ignore_errors=True)


def _wait_for_the_end() -> None:
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass


if __name__ == "__main__":
    _wait_for_the_end()
    bury(sys.argv[1])
