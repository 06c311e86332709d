"""Jobs on this computer: the same supervisor as on a machine, detached, its record in a directory, no dollars."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runctl.agent import bootstrap, bundle
from runctl.errors import RunctlError
from runctl.models import record
from runctl.models.instance import Instance
from runctl.models.record import Launch, Spec
from runctl.paths import make_private
from runctl.services.jobs.look import Look
from runctl.services.jobs.providers import Intent, Started
from runctl.services.jobs.record import JobRecord
from runctl.services.jobs.seen import Machine

#: After the request to stop, the supervisor's own grace decides; this is how long we wait for its process to go.
_END_S = 10.0


@dataclass(frozen=True, slots=True)
class LocalProvider:
    """Runs attempts as processes.

    Args:
        root: the directory that stands for the bucket.
        work: where attempts have their directories.
    """

    root: Path
    work: Path

    @property
    def name(self) -> str:
        """As the spec has it."""
        return "local"

    def intend(self, spec: Spec, attempt: int, ttl_at: float | None) -> Intent:
        """Nothing to look at."""
        del spec, attempt, ttl_at
        return Intent(how="as a detached process on this computer; its record is kept in a directory, and it costs $0")

    def start(self, job: JobRecord, spec: Spec, launch: Launch) -> Started:
        """Start the supervisor in a session of its own; where it runs already, nothing happens."""
        del spec
        attempt = launch["attempt"]
        folder = self._folder(job.job, attempt)
        if (known := self._process(job.job, attempt)) is not None:
            return Started(machine=f"pid {known}")
        data = bundle.build()
        digest = hashlib.sha256(data).hexdigest()
        agent = self.root / record.agent_key(digest)
        if not agent.exists():
            job.store.put(record.agent_key(digest), data)
        make_private(folder)
        argv = bootstrap.local_command(
            str(agent), store=f"file://{self.root}", job=job.job, attempt=attempt, work=str(folder)
        )
        try:
            with (folder / "agent.log").open("ab") as log:
                process = subprocess.Popen(
                    argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, start_new_session=True
                )
        except OSError as error:
            return Started(problem="request", message=f"the supervisor cannot be started: {error}", exit_code=2)
        self._remember(folder, process.pid)
        return Started(machine=f"pid {process.pid}")

    def machines(self, spec: Spec) -> Iterable[Instance] | None:
        """There are none."""
        del spec
        return ()

    def here(self, job: str, attempt: int) -> Machine | None:
        """Whether the supervisor's process is there."""
        if self._process(job, attempt) is not None:
            return Machine("running", local=True)
        return Machine("none", local=True, begun=(self._folder(job, attempt) / "supervisor.json").exists())

    def evidence(self, found: Look) -> Mapping[str, Any]:
        """Nothing beside the process itself."""
        del found
        return {}

    def end(self, job: JobRecord, attempt: int, machine: Instance | None, *, at_end: str) -> str:
        """End a supervisor that has nothing left to do."""
        del machine, at_end
        pid = self._process(job.job, attempt)
        if pid is None:
            return ""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + _END_S
        while self._process(job.job, attempt) is not None:
            if time.monotonic() > until:
                raise RunctlError(f"the supervisor (pid {pid}) does not end", hint=f"kill {pid}")
            time.sleep(0.05)
        return f"the supervisor (pid {pid}) has ended"

    def _folder(self, job: str, attempt: int) -> Path:
        return self.work / job / str(attempt)

    def _remember(self, folder: Path, pid: int) -> None:
        part = folder / ".supervisor.part"
        part.write_text(json.dumps({"pid": pid, "born": _born(pid)}))
        os.replace(part, folder / "supervisor.json")

    def _process(self, job: str, attempt: int) -> int | None:
        """The supervisor's process id while it runs; a number that was given away again does not count."""
        try:
            said = json.loads((self._folder(job, attempt) / "supervisor.json").read_text())
            pid, born = int(said["pid"]), said["born"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        with contextlib.suppress(ChildProcessError, OSError):
            os.waitpid(pid, os.WNOHANG)  # one that we started ourselves stays a zombie until somebody looks
        try:
            os.kill(pid, 0)
        except OSError:
            return None
        return pid if born == _born(pid) else None


def _born(pid: int) -> str:
    """When a process began, in the kernel's own words; "" where the system does not say (proc(5), field 22)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        done = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return done.stdout.strip()
    return text.rpartition(")")[2].split()[19]
