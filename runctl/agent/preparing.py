"""From the specification to a command that can be started: code, data, checkpoint, dependencies, environment."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from runctl.agent import prepare
from runctl.agent.ending import describe
from runctl.agent.parts import Parts
from runctl.agent.process import Command
from runctl.agent.stopping import Stopping, StopRequestedError


class Preparation:
    """Everything before the command, for one attempt; a stop is obeyed in the middle of it.

    Args:
        parts: what the attempt is made of.
        stopping: asked all the time whether to go on.

    Attributes:
        resume: the checkpoint to continue from: from, path, step, first_step, verified; None for a fresh start.
    """

    def __init__(self, parts: Parts, stopping: Stopping) -> None:
        self.parts, self._stopping = parts, stopping
        self._job, self._attempt = parts.options.job, parts.options.attempt
        self.resume: dict[str, Any] | None = None

    def carry_out(self) -> None:
        """Bring everything to the disk.

        Raises:
            SetupError: the job is not as it should be; another attempt would not help.
            StoreError: the record did not give it.
            StopRequestedError: the job must not start any more.
        """
        parts, reporter = self.parts, self.parts.reporter
        reporter.phase("SYNCING", "code")
        reporter.event("syncing", "code, data and checkpoint")
        code = parts.spec.get("code") or {}
        if code.get("sha256"):
            prepare.fetch_code(parts.store, code["sha256"], parts.places.folder, parts.places.run, self._moved)
        reporter.phase("SYNCING", "data")
        data = list(parts.spec.get("data") or [])
        if data:
            count = prepare.fetch_data(data, parts.places.folder, lambda b: parts.open(f"s3://{b}"), self._moved)
            reporter.event("data", f"{count} files of data are here", {"files": count})
        wanted = parts.launch.get("resume_from")
        if wanted:
            reporter.phase("SYNCING", f"checkpoint {wanted}")
            path, step = parts.checkpoints.fetch(wanted)
            self.resume = {"from": wanted, "path": path, "step": step, "first_step": None, "verified": None}
            reporter.event("resumed", f"continues from {wanted}", {"from": wanted, "step": step})
        if parts.spec.get("dependencies", "auto") == "auto":
            self._install()

    def _moved(self, _count: int) -> None:
        self._stopping.guard()

    def _install(self) -> None:
        parts, reporter = self.parts, self.parts.reporter
        steps = prepare.dependency_steps(parts.places.folder, parts.spec["command"], parts.places.venv)
        if not steps:
            return
        began = time.monotonic()
        reporter.phase("SYNCING", "dependencies")
        reporter.event("dependencies", f"installing: {', '.join(s.title for s in steps)}")
        for step in steps:
            parts.capture.say(f"installing {step.title}: {describe(step.argv)}")
            environment = {**os.environ, "VIRTUAL_ENV": parts.places.venv, "PYTHONUNBUFFERED": "1"}
            rc = self._wait_for(Command(step.argv, environment, parts.places.folder, self.mark("setup")))
            if rc != 0:
                raise prepare.SetupError(f"installing {step.title} ended with code {rc}; the log has its output")
        seconds = time.monotonic() - began
        reporter.event("dependencies", f"installed in {seconds:.0f} s", {"seconds": round(seconds, 1)})

    def _wait_for(self, command: Command) -> int:
        reader = self.parts.capture.start(command.output)
        while True:
            rc = command.poll()
            if rc is not None:
                reader.join(2.0)
                return rc
            try:
                self._stopping.guard()
            except StopRequestedError:
                command.signal(signal.SIGKILL)
                raise
            time.sleep(self.parts.options.pace.tick_s)

    def mark(self, what: str) -> str:
        """What the processes of this attempt bear in their environment."""
        return f"{self._job}-{self._attempt}-{what}"

    def environment(self, secrets: dict[str, str]) -> dict[str, str]:
        """What the command sees: the machine's, the spec's, the secrets, and the contract's variables."""
        places, out = self.parts.places, dict(os.environ)
        own = os.path.join(places.venv, "bin")
        first = "" if self.parts.options.local else prepare.image_programs()
        if os.path.isdir(own):
            out["VIRTUAL_ENV"], first = places.venv, own
        if first:
            out["PATH"] = first + os.pathsep + out.get("PATH", os.defpath)
        out.setdefault("HOME", os.path.expanduser("~"))  # a unit of systemd has none
        out.update({"PYTHONUNBUFFERED": "1"}, **(self.parts.spec.get("env") or {}), **secrets)
        out.update(
            RUNCTL_JOB=self._job,
            RUNCTL_ATTEMPT=str(self._attempt),
            RUNCTL_CHECKPOINT_DIR=places.checkpoints,
            RUNCTL_STOP_FILE=places.stop_file,
            RUNCTL_METRICS_FILE=places.metrics_file,
        )
        out.pop("RUNCTL_RESUME_FROM", None)
        if self.resume is not None:
            out["RUNCTL_RESUME_FROM"] = self.resume["path"]
        return out
