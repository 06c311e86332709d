"""The supervisor: prepares, starts, attends and ends one command, and leaves a record that needs no witness."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time

from runctl.agent import prepare
from runctl.agent.aws import Metadata
from runctl.agent.ending import describe
from runctl.agent.finish import Finish
from runctl.agent.index import FencedError
from runctl.agent.options import Options
from runctl.agent.parts import Parts
from runctl.agent.preparing import Preparation
from runctl.agent.process import Command, adopt_orphans
from runctl.agent.secrets import SecretError, resolve
from runctl.agent.stopping import Stopping, StopRequestedError
from runctl.agent.store import StoreError
from runctl.agent.watch import Poller
from runctl.models import record

_SAMPLED = "the log is too fast to be searched whole: some metrics are left out"
#: What the process returns: done; replaced; this machine runs the attempt already; the record cannot be read.
DONE, FENCED, TAKEN, UNREADABLE = 0, 3, 4, 5


class Supervisor:
    """One attempt.

    Args:
        options: how we were started.
        metadata: the instance metadata service, None for a machine that is not EC2's.
    """

    def __init__(self, options: Options, metadata: Metadata | None) -> None:
        self.parts = Parts(options, metadata)
        self.options = options
        self.stopping = Stopping(self.parts, self._hurry)
        self.preparation = Preparation(self.parts, self.stopping)
        self._second = 0.0
        self.command: Command | None = None
        self._pollers: list[Poller] = []

    # --- the whole ---

    def run(self) -> int:
        """From the first event to the exit record; what the process should return."""
        parts = self.parts
        reporter = parts.reporter
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stopping.signalled.set())
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        adopt_orphans()
        refused = self._claim()
        if refused is not None:
            return refused
        reporter.before_state = self._fill_state
        reporter.state.update(phase="BOOTSTRAPPING", detail="", started_at=parts.began_at, machine=parts.machine)
        reporter.event("bootstrapping", f"attempt {self.options.attempt} on {parts.machine['host']}", parts.machine)
        parts.disk.hold()
        self._start_pollers()
        finish = Finish(self)
        try:
            self.preparation.carry_out()
            self._start()
            self._attend()
        except StopRequestedError:
            pass
        except (prepare.SetupError, SecretError, StoreError, OSError, subprocess.SubprocessError) as error:
            finish.setup_failed(error)
        if not self.stopping.ours:
            self._vanish()
            return FENCED
        finish.carry_out()
        self._stop_pollers()
        return DONE if finish.recorded else UNREADABLE

    def _claim(self) -> int | None:
        """Take the attempt for this machine; what to return where it is somebody else's, or ours already."""
        parts = self.parts
        with contextlib.suppress(StoreError):
            parts.desired.poll()
        if parts.desired.fenced:
            return FENCED
        who = {"instance_id": parts.machine.get("instance_id"), "host": parts.machine["host"], "pid": os.getpid()}
        if parts.reporter.put_once("claim.json", who):
            return None
        claim = record.load(
            parts.store.get(record.attempt_key(self.options.job, self.options.attempt, "claim.json"))[0]
        )
        same = all(claim.get(name) == who[name] for name in ("instance_id", "host"))
        return TAKEN if same else FENCED

    def _start_pollers(self) -> None:
        pace, parts = self.options.pace, self.parts
        work = [
            ("record", min(0.5, pace.log_s / 2), parts.reporter.send),
            ("desired", pace.poll_s, parts.desired.poll),
            ("checkpoints", pace.scan_s, self._scan),
        ]
        if parts.notices is not None:
            work.append(("notices", pace.notice_s, parts.notices.poll))
        self._pollers = [Poller(*one).start() for one in work]

    def _stop_pollers(self) -> None:
        for poller in self._pollers:
            poller.stop(1.0)

    def _hurry(self) -> None:
        for poller in self._pollers:
            if poller.name == "checkpoints":
                poller.hurry()

    def _scan(self) -> None:
        try:
            self.parts.checkpoints.scan()
        except FencedError:
            self.parts.desired.fence = self.options.attempt + 1

    def _start(self) -> None:
        parts = self.parts
        self.stopping.guard()
        region = str(parts.spec.get("region") or parts.machine.get("region") or "us-east-1")
        secrets = resolve(parts.spec.get("secrets") or {}, parts.credentials, region)
        if secrets:
            parts.hide(list(secrets.values()))
        environment = self.preparation.environment(secrets)
        argv = [str(a) for a in parts.spec["command"]]
        self.command = Command(argv, environment, parts.places.folder, self.preparation.mark("command"))
        self.reader = parts.capture.start(self.command.output)
        parts.activity.at = time.time()
        parts.reporter.state.update(pid=self.command.pid, running_since=time.time())
        parts.reporter.phase("RUNNING")
        parts.reporter.event("started", describe(argv), {"pid": self.command.pid})

    # --- while it runs ---

    def _attend(self) -> None:
        assert self.command is not None  # noqa: S101  # called after _start only
        while self.command.poll() is None:
            if not self.stopping.ours:
                self.command.signal(signal.SIGKILL)
                return
            if self.stopping.stop is None:
                stop = self.stopping.decide()
                if stop is not None:
                    self.stopping.begin(stop, self.command)
            else:
                self.stopping.pursue(self.command)
            if time.monotonic() - self._second >= min(1.0, self.options.pace.heartbeat_s / 2):
                self._second = time.monotonic()
                self._look(self.command)
            time.sleep(self.options.pace.tick_s)

    def _look(self, command: Command) -> None:
        """Once a second: the metrics file, the disk, signs of life, the resume check."""
        parts, reporter = self.parts, self.parts.reporter
        parts.metrics_file.look()
        full = parts.disk.check()
        if full:
            parts.disk.release()
            reporter.problem("disk-full", full)
        elif parts.disk.hold() and "disk-full" in reporter.problems:
            reporter.fine("disk-full")
        gpus = (reporter.state.get("load") or {}).get("gpus") or []
        parts.activity.look(parts.spool.end, reporter.progress_at, command.cpu_s(), gpus)
        self.check_resume()

    def check_resume(self) -> None:
        """Whether the first step reported continues the checkpoint; said once, when both are known."""
        resume, reporter = self.preparation.resume, self.parts.reporter
        if resume is not None and resume["verified"] is None and reporter.first_step is not None:
            fits = _continues(resume["step"], reporter.first_step)
            resume.update(first_step=reporter.first_step, verified=fits)
            if fits is False:
                said = f"began at step {reporter.first_step}, the checkpoint has {resume['step']}"
                reporter.event("resume-unverified", said, {})

    def _fill_state(self) -> None:
        parts, state = self.parts, self.parts.reporter.state
        resume = self.preparation.resume
        state["resume"] = {k: v for k, v in resume.items() if k != "path"} if resume else None
        state["disk"], state["load"] = parts.disk.state(), parts.load.sample()
        state["limits"] = parts.limits.shown(parts.facts())
        state.setdefault("stop", None)
        state.setdefault("notice", None)
        state["uploads"] = {
            "pending_bytes": parts.checkpoints.pending_bytes,
            "bytes_per_s": parts.checkpoints.bytes_per_s,
            "newest_complete": parts.checkpoints.newest,
        }
        for what, problem in (
            ("budget-unenforced", parts.limits.unenforced(parts.facts())),
            ("checkpoint-upload", parts.checkpoints.problem),
            ("metrics-sampled", _SAMPLED if parts.capture.sampled else ""),
        ):
            if problem:
                parts.reporter.problem(what, problem)
            else:
                parts.reporter.fine(what)

    def _vanish(self) -> None:
        """Replaced: end the command, write nothing any more."""
        self.parts.reporter.silent = True
        self.parts.checkpoints.wanted = lambda: False
        if self.command is not None:
            self.command.signal(signal.SIGKILL)
        self._stop_pollers()


def _continues(checkpoint: int | None, first: int) -> bool | None:
    """Whether a first reported step fits the checkpoint's; None where its step is not known."""
    return None if checkpoint is None else first >= checkpoint
