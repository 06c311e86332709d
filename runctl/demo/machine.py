"""What really runs on a machine of the embedded cloud: user data and shell scripts, in a directory of its own here.

A sandbox keeps things apart, it does not lock them in: scripts run as the user who started the cloud. That is why only
requests with the key that this cloud gave out may start one (`gateway/commands.py`, `gateway/launch.py`), and only over
loopback. A machine is its directory and every process that bears its mark; both end with the machine, and all of them
with the cloud, however that ends (`processes.py`).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from runctl.demo import processes

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
        environment: AWS variables for the scripts: this cloud's own, without keys.
        metadata: address of a machine's metadata service, by region and id.
    """

    def __init__(
        self, environment: Mapping[str, str], metadata: Callable[[str, str], str] = lambda _region, _id: ""
    ) -> None:
        self._environment = dict(environment)
        self._metadata = metadata
        self._lock = threading.Lock()
        self._root: Path | None = None
        self._sexton: subprocess.Popen[bytes] | None = None
        self._running: dict[str, dict[str, subprocess.Popen[str]]] = {}
        self._boots: dict[str, subprocess.Popen[bytes]] = {}

    def directory(self, instance_id: str) -> Path:
        """Where a machine's scripts start: its whole file system, as far as they should care."""
        with self._lock:
            if self._root is None:
                self._root = Path(tempfile.mkdtemp(prefix="runctl-demo-machines-"))
                self._sexton = _start_sexton(self._root)
            home = self._root / instance_id
        home.mkdir(exist_ok=True)
        return home

    def boot(self, instance_id: str, user_data: bytes, *, region: str, shell: str = "") -> None:
        """Run user data that is a script, once in a machine's life, in the background, as cloud-init does.

        Its output is in `console.log` of the machine's directory.

        Args:
            instance_id: the machine.
            user_data: what it was launched with.
            region: the machine's region, in its environment.
            shell: what `/bin/sh` is on the machine's image ("dash", "bash"), where this computer has it.
        """
        home = self.directory(instance_id)
        script = home / "var/lib/cloud/instance/user-data.txt"
        if script.exists():
            return
        script.parent.mkdir(parents=True)
        script.write_bytes(user_data)
        script.chmod(0o700)
        if not user_data.startswith(b"#!"):
            return
        with (home / "console.log").open("ab") as console:
            found = shutil.which(shell) if shell and user_data.startswith(b"#!/bin/sh\n") else None
            boot = self._boots[instance_id] = subprocess.Popen(
                ["sh", str(script)] if found else [str(script)],
                executable=found,
                cwd=home,
                env=self._environment_of(instance_id, home, region),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        threading.Thread(target=boot.wait, name="user-data", daemon=True).start()  # no zombie stays

    def run(
        self,
        instance_id: str,
        run_id: str,
        script: str,
        *,
        region: str,
        folder: str = "",
        timeout_s: float = 3600,
        more: Mapping[str, str] = MappingProxyType({}),
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
            more: variables that tell the machine's programs what it is made of.
            wanted: asked once the script can be found by `cancel` and `end`; False ends it at once. Who comes too
                early to find it says so here.
        """
        home = self.directory(instance_id)
        folder_here = home / folder.lstrip("/")
        folder_here.mkdir(parents=True, exist_ok=True)
        process = subprocess.Popen(
            ["/bin/bash", "-c", script],
            cwd=folder_here,
            env={**self._environment_of(instance_id, home, region), **more},
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
        try:
            return _waited_for(process, timeout_s)
        finally:
            with self._lock:
                self._running.get(instance_id, {}).pop(run_id, None)

    def _environment_of(self, instance_id: str, home: Path, region: str) -> dict[str, str]:
        plain = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TZ") if name in os.environ}
        here = {
            "PATH": f"{PROGRAMS}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "HOME": str(home),
            "TMPDIR": str(home),
            "INSTANCE_ID": instance_id,
            processes.MARK: str(home),
            "RUNCTL_SANDBOX": "1",
            "RUNCTL_HOME": str(home / "var/lib/runctl"),
            "RUNCTL_ROOT": str(home),
            "RUNCTL_DISKS": str(home / "dev/disk/by-id"),
            "RUNCTL_DEMO_PYTHON": sys.executable,
        }
        address = self._metadata(region, instance_id)
        if address:
            here["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = address
        return plain | self._environment | here | {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}

    def plug(self, instance_id: str, volume_ids: Iterable[str]) -> None:
        """Let a machine see exactly these disks: directories that outlive it, under the names that Nitro gives them."""
        home = self.directory(instance_id)
        seen = home / "dev/disk/by-id"
        seen.mkdir(parents=True, exist_ok=True)
        wanted = {f"nvme-Amazon_Elastic_Block_Store_{v.replace('-', '')}": v for v in volume_ids}
        for link in seen.iterdir():
            if link.name not in wanted:
                link.unlink(missing_ok=True)
        for name, volume_id in wanted.items():
            disk = home.parent / "disks" / volume_id
            disk.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                (seen / name).symlink_to(disk)

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
            root = self._root
            scripts = list(self._running.get(instance_id, {}).values())
        if root is None or not (root / instance_id).is_dir():
            return
        for process in scripts:
            _signal(process, number)
        processes.end(str(root / instance_id), number)
        if number == signal.SIGKILL and instance_id in self._boots:
            self._boots.pop(instance_id).wait()

    def remove(self, instance_id: str) -> None:
        """A terminated machine's disk is gone."""
        with self._lock:
            root = self._root
        if root is not None:
            shutil.rmtree(root / instance_id, ignore_errors=True)

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
            root, self._root = self._root, None
            scripts = [p for runs in self._running.values() for p in runs.values()]
            sexton, self._sexton = self._sexton, None
        for process in scripts:
            _signal(process, signal.SIGKILL)
        if root is not None:
            processes.bury(str(root))
        for boot in self._boots.values():
            boot.wait()
        self._boots.clear()
        if sexton is not None and sexton.stdin is not None:
            sexton.stdin.close()
            sexton.wait()


def _start_sexton(root: Path) -> subprocess.Popen[bytes]:
    """A process that cleans up after us even when we are killed: its input ends with us."""
    return subprocess.Popen(
        [sys.executable, "-ES", str(Path(processes.__file__)), str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        close_fds=True,
    )


def _waited_for(process: subprocess.Popen[str], timeout_s: float) -> Outcome:
    """How a script ended, by itself or by our hand when its time was up."""
    try:
        stdout, stderr = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        _signal(process, signal.SIGKILL)
        stdout, stderr = process.communicate()
        return Outcome(process.returncode, stdout, stderr, timed_out=True)
    return Outcome(process.returncode, stdout, stderr)


def _signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
