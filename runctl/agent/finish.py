"""After the command: what is left goes into the record, the exit record comes last."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Any

from runctl.agent import prepare
from runctl.agent.ending import Evidence, cause_of, signal_name
from runctl.agent.index import FencedError
from runctl.agent.limits import spent_usd
from runctl.agent.machine import oom_kills
from runctl.agent.store import StoreError
from runctl.models import record

if TYPE_CHECKING:
    from runctl.agent.supervisor import Supervisor

#: Processes that outlived the command get this long after SIGTERM (seconds).
_REST_S = 5.0
#: Between two tries to upload what is missing (seconds).
_AGAIN_S = 1.0


class Finish:
    """The end of one attempt.

    Args:
        supervisor: whose.
    """

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._parts = supervisor.parts
        self._oom_before = oom_kills()
        self._setup: str | None = None
        self.recorded = False

    def setup_failed(self, error: BaseException) -> None:
        """The command could not be started."""
        self._setup = f"{error}" or type(error).__name__
        self._parts.capture.say(f"not started: {self._setup}")

    def carry_out(self) -> None:
        """End what the command left, upload, verify, record; `recorded` tells whether the store has the exit."""
        parts, supervisor = self._parts, self._supervisor
        rc = self._quiet()
        ended_at = time.time()
        cause, message = self._cause(rc)
        parts.capture.finish()
        parts.metrics_file.look()
        supervisor.check_resume()
        parts.reporter.event("process-ended", message, {"rc": rc, "cause": cause})
        parts.reporter.phase("FINALIZING", "uploading")
        parts.disk.release()
        until = time.monotonic() + parts.limits.upload_s
        if supervisor.stopping.deadline is not None:
            until = supervisor.stopping.deadline
        parts.checkpoints.wanted = lambda: time.monotonic() < until
        missing = self._upload(until)
        problem = parts.reporter.flush(max(until, time.monotonic() + 2.0))
        if problem:
            missing.append({"path": "log and metrics", "why": problem})
        self._write(self._exit(rc, cause, message, ended_at, missing), until)

    def _quiet(self) -> int | None:
        """No process of the command is left, and all it wrote has been read; its code."""
        command = self._supervisor.command
        if command is None:
            return None
        rc = command.poll()
        count = command.end_rest(_REST_S)
        if count:
            self._parts.reporter.event("leftovers", f"{count} processes outlived the command and were ended", {})
        self._supervisor.reader.join(10.0)
        return rc

    def _cause(self, rc: int | None) -> tuple[str, str]:
        parts, stop = self._parts, self._supervisor.stopping.stop
        if self._setup is not None:
            return "setup", self._setup
        if stop is not None:
            return "stopped", stop.message
        if rc is None:
            return "setup", "it was never started"
        ours, machine = (
            None if before is None or after is None else after - before
            for before, after in zip(self._oom_before, oom_kills())
        )
        kills = ours or machine
        command = self._supervisor.command
        killed = command.killed if command is not None else False
        parts.disk.check()
        return cause_of(Evidence(rc, killed, kills, parts.disk.was_full(), parts.capture.tail, ours or 0))

    def _upload(self, until: float) -> list[dict[str, str]]:
        """Checkpoints and outputs, again and again until all are verified or the time is over; what is missing."""
        parts = self._parts
        left = prepare.outputs(parts.places.folder, list(parts.spec.get("outputs") or []))
        why: dict[str, str] = {}
        while True:
            try:
                parts.checkpoints.scan(final=True)
            except FencedError as error:
                return [{"path": "checkpoints", "why": str(error)}]
            left = [path for path in left if not self._output(path, why)]
            missing = parts.checkpoints.missing()
            missing += [{"path": path, "why": why.get(path, "not uploaded in time")} for path in left]
            if not missing or time.monotonic() >= until:
                return missing
            with contextlib.suppress(StoreError):
                parts.reporter.send()
            time.sleep(min(_AGAIN_S, max(0.0, until - time.monotonic())))

    def _output(self, path: str, why: dict[str, str]) -> bool:
        parts = self._parts
        key = record.output_key(parts.options.job, parts.options.attempt, path)
        source = os.path.join(parts.places.folder, path)
        try:
            size = os.stat(source).st_size
            parts.store.upload(key, source, lambda _: None, parts.checkpoints.wanted)
            stored = parts.store.size(key)
        except (StoreError, OSError) as error:
            why[path] = str(error)
            return False
        why[path] = f"{stored} of {size} bytes arrived"
        return stored == size

    def _exit(
        self, rc: int | None, cause: str, message: str, ended_at: float, missing: list[dict[str, str]]
    ) -> dict[str, Any]:
        parts, stop, command = self._parts, self._supervisor.stopping.stop, self._supervisor.command
        facts = parts.facts()
        return {
            "rc": rc,
            "signal": signal_name(rc),
            "cause": cause,
            "stop_reason": stop.reason if stop is not None else None,
            "message": parts.clean(message),
            "started_at": parts.reporter.state.get("running_since"),
            "ended_at": ended_at,
            "killed": command.killed if command is not None else False,
            "log_bytes": parts.spool.end,
            "step": parts.reporter.step,
            "metrics": dict(parts.reporter.metrics),
            "newest_complete": parts.checkpoints.newest,
            "verified": not missing,
            "missing": missing,
            "spent_usd": spent_usd(facts),
        }

    def _write(self, exit_record: dict[str, Any], until: float) -> None:
        """On this machine first, then in the store, trying until the time is over and once more."""
        parts, reporter = self._parts, self._parts.reporter
        with contextlib.suppress(OSError):
            part = parts.places.exit_file + ".part"
            with open(part, "wb") as file:
                file.write(record.dump({"v": record.VERSION, "job": parts.options.job, **exit_record}))
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, parts.places.exit_file)
        missing = exit_record["missing"]
        lacks = f"; NOT saved: {', '.join(m['path'] for m in missing[:5])}" + (" …" if missing[5:] else "")
        said = exit_record["message"] + (lacks if missing else "")
        reporter.event("finished", said, {"verified": exit_record["verified"], "missing": missing[:20]})
        while True:
            try:
                reporter.send(everything=True)
                reporter.phase("ENDED")
                reporter.put_once("exit.json", exit_record)
                self.recorded = True
                reporter.send(everything=True)
                return
            except StoreError:
                if time.monotonic() >= until:
                    return
                time.sleep(_AGAIN_S)
