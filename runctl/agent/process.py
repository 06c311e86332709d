"""The command: its own session, its output through a pipe, everything it leaves behind ended with it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from typing import Callable, Mapping, Sequence

#: Set in the command's environment: who bears it is part of the job, wherever it has forked itself to.
MARK = "RUNCTL_PROCESS_MARK"
_SUBREAPER, _PDEATHSIG = 36, 1
#: Runs in the new session before the command: dies with the supervisor, and is what the kernel kills first.
_PRELUDE = """
import ctypes, os, signal, sys
try:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(1, int(signal.SIGTERM), 0, 0, 0)
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("500")
except (OSError, AttributeError):
    pass
for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGPIPE"):
    signal.signal(getattr(signal, name), signal.SIG_DFL)
try:
    os.execvp(sys.argv[1], sys.argv[1:])
except OSError as error:
    sys.stderr.write("runctl: %s: %s\\n" % (sys.argv[1], error.strerror))
    sys.exit(127 if error.errno == 2 else 126)
"""


def adopt_orphans() -> None:
    """Let processes whose parents end come to us, so that a command cannot hide by forking twice (Linux)."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
            file.write("-500")


class Command:
    """One run of the command.

    Args:
        argv: what to run.
        environment: its whole environment.
        folder: its working directory.
        mark: a text unique to this run.

    Attributes:
        output: the reading end of its stdout and stderr.
    """

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], folder: str, mark: str) -> None:
        self.mark = mark
        self.output, write = os.pipe()
        try:
            with contextlib.suppress(OSError, ImportError, AttributeError):
                import fcntl

                fcntl.fcntl(write, 1031, 1 << 20)  # F_SETPIPE_SZ: fewer wake-ups for a loud command
            self._process = subprocess.Popen(
                [sys.executable, "-S", "-E", "-c", _PRELUDE, *argv],
                stdin=subprocess.DEVNULL,
                stdout=write,
                stderr=write,
                env={**environment, MARK: mark},
                cwd=folder,
                start_new_session=True,
            )
        finally:
            os.close(write)
        self.pid = self._process.pid
        self.killed = False

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    def signal(self, number: int) -> None:
        """Send to the whole process group."""
        self.killed = self.killed or number == signal.SIGKILL
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
        if number == signal.SIGKILL:
            self.end_rest(0.0)

    def handles_term(self) -> bool | None:
        """Whether any process of the group catches SIGTERM; None where /proc does not say."""
        seen = False
        for pid in _group(self.pid):
            caught = _status(pid, "SigCgt")
            if caught is not None:
                seen = True
                if int(caught, 16) >> (signal.SIGTERM - 1) & 1:
                    return True
        return False if seen else None

    def cpu_s(self) -> float:
        """CPU seconds that the group has used so far, children that ended included where their parents waited."""
        total = 0.0
        for pid in _group(self.pid):
            fields = _stat(pid)
            if fields:
                total += sum(int(f) for f in fields[11:15]) / os.sysconf("SC_CLK_TCK")
        return total

    def rest(self) -> list[int]:
        """Processes of this run that outlived it: in its group, our orphans, or bearing its mark."""
        mine = os.getpid()
        found = set(_group(self.pid))
        for pid in _pids():
            fields = _stat(pid)
            if (fields and int(fields[1]) == mine and pid != self.pid) or (
                pid not in found and _marked(pid, self.mark)
            ):
                found.add(pid)
        return sorted(p for p in found if p not in (mine, self.pid) or self._process.poll() is None)

    def end_rest(self, grace_s: float, sleep: Callable[[float], None] = time.sleep) -> int:
        """Ask what outlived the command to end, then make it; how many there were."""
        left = [p for p in self.rest() if not _zombie(p)]
        count = len(left)
        until = time.monotonic() + grace_s
        number = signal.SIGTERM if grace_s > 0 else signal.SIGKILL
        for _ in range(100):
            for pid in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
            self._reap()
            left = [p for p in self.rest() if not _zombie(p)]
            if not left:
                break
            if time.monotonic() >= until:
                number = signal.SIGKILL
            sleep(0.05)
        return count

    def _reap(self) -> None:
        for pid in _pids():
            fields = _stat(pid)
            if fields and int(fields[1]) == os.getpid() and fields[0] == "Z" and pid != self.pid:
                with contextlib.suppress(OSError):
                    os.waitpid(pid, os.WNOHANG)


def end_marked(mark: str) -> None:
    """Kill every process that bears a mark beginning with `mark`, whoever its parent is now."""
    for _ in range(3):
        for pid in _pids():
            if pid != os.getpid() and _marked(pid, mark):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)


def _pids() -> list[int]:
    try:
        return [int(n) for n in os.listdir("/proc") if n.isdigit()]
    except OSError:
        return []


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat after the name: state, parent, group, …; empty where it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].decode("ascii", "replace").split()
    except OSError:
        return []


def _status(pid: int, name: str) -> str | None:
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            return next((line.split()[1] for line in file if line.startswith(name + ":")), None)
    except OSError:
        return None


def _group(leader: int) -> list[int]:
    return [pid for pid in _pids() if (_stat(pid) or ["", "", ""])[2:3] == [str(leader)]]


def _zombie(pid: int) -> bool:
    fields = _stat(pid)
    return not fields or fields[0] == "Z"


def _marked(pid: int, mark: str) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return f"{MARK}={mark}".encode() in file.read()
    except OSError:
        return False
