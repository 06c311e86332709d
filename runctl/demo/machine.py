"""What really runs on a machine of the embedded cloud: shell scripts, in a directory of its own on this computer.

A sandbox keeps things apart, it does not lock them in: scripts run as the user who started the cloud. That is why only
requests with the key that this cloud gave out may start one (`gateway/commands.py`), and only over loopback.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

#: Stands before everything else in a machine's PATH: `shutdown` and its like end the machine, never this computer.
PROGRAMS = Path(__file__).with_name("bin")
_POWERED_OFF = ".powered-off"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a script ended; `code` is negative for a signal, as in `subprocess`."""

    code: int
    stdout: str
    stderr: str
    timed_out: bool = False


class Sandboxes:
    """Directories and processes of all machines.

    Args:
        environment: AWS variables for the scripts: this cloud's own.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._lock = threading.Lock()
        self._root: Path | None = None
        self._running: dict[str, dict[str, subprocess.Popen[str]]] = {}

    def directory(self, instance_id: str) -> Path:
        """Where a machine's scripts start: its whole file system, as far as they should care."""
        with self._lock:
            if self._root is None:
                self._root = Path(tempfile.mkdtemp(prefix="runctl-demo-machines-"))
            home = self._root / instance_id
        home.mkdir(exist_ok=True)
        return home

    def run(
        self,
        instance_id: str,
        run_id: str,
        script: str,
        *,
        region: str,
        folder: str = "",
        timeout_s: float = 3600,
        wanted: Callable[[], bool] = lambda: True,
    ) -> Outcome:
        """Run a bash script to its end in a process group of its own.

        Args:
            instance_id: the machine.
            run_id: a name for `cancel`.
            script: what `bash -c` gets.
            region: the machine's region, in its environment.
            folder: working directory as the machine sees it; made under its own directory.
            timeout_s: seconds until the whole group is killed.
            wanted: asked once the script can be found by `cancel` and `end`; False ends it at once. Who comes too
                early to find it says so here.
        """
        home = self.directory(instance_id)
        folder_here = home / folder.lstrip("/")
        folder_here.mkdir(parents=True, exist_ok=True)
        process = subprocess.Popen(
            ["/bin/bash", "-c", script],
            cwd=folder_here,
            env=self._environment_of(instance_id, home, region),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        with self._lock:
            self._running.setdefault(instance_id, {})[run_id] = process
        if not wanted():
            _signal(process, signal.SIGKILL)
        timed_out = False
        try:
            stdout, stderr = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            timed_out = True
            _signal(process, signal.SIGKILL)
            stdout, stderr = process.communicate()
        finally:
            with self._lock:
                self._running.get(instance_id, {}).pop(run_id, None)
        return Outcome(process.returncode, stdout, stderr, timed_out)

    def _environment_of(self, instance_id: str, home: Path, region: str) -> dict[str, str]:
        plain = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ") if name in os.environ}
        here = {"HOME": str(home), "TMPDIR": str(home), "INSTANCE_ID": instance_id, "RUNCTL_MACHINE_ROOT": str(home)}
        here["PATH"] = f"{PROGRAMS}{os.pathsep}{plain.get('PATH', os.defpath)}"
        return plain | self._environment | here | {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}

    def cancel(self, instance_id: str, run_id: str) -> bool:
        """Ask one script to end; whether it was running."""
        with self._lock:
            process = self._running.get(instance_id, {}).get(run_id)
        if process is not None:
            _signal(process, signal.SIGTERM)
        return process is not None

    def end(self, instance_id: str, number: signal.Signals) -> None:
        """Signal everything that runs on a machine: TERM while it shuts down, KILL when it is off."""
        with self._lock:
            processes = list(self._running.get(instance_id, {}).values())
            home = self._root / instance_id if self._root is not None else None
        for process in processes:
            _signal(process, number)
        if number == signal.SIGKILL and home is not None:
            _end_left(home)

    def powered_off(self) -> list[str]:
        """Machines that have shut themselves down since this was asked last."""
        with self._lock:
            root = self._root
        if root is None:
            return []
        found = [marker.parent.name for marker in root.glob(f"*/{_POWERED_OFF}")]
        for name in found:
            (root / name / _POWERED_OFF).unlink(missing_ok=True)
        return found

    def clear(self) -> None:
        """Kill everything and remove all directories."""
        with self._lock:
            machines, root = list(self._running), self._root
            self._root = None
        for instance_id in machines:
            self.end(instance_id, signal.SIGKILL)
        if root is not None:
            _end_left(root)
            shutil.rmtree(root, ignore_errors=True)


def _signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _end_left(home: Path) -> None:
    """Kill what a script has left behind it on a machine (`nohup`, `setsid`): found by its environment, on Linux."""
    mark = f"RUNCTL_MACHINE_ROOT={home}".encode()
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError, ValueError):
            if any(word == mark or word.startswith(mark + b"/") for word in entry.read_bytes().split(b"\0")):
                os.kill(int(entry.parent.name), signal.SIGKILL)
