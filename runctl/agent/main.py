"""Entry of the supervisor: a guard that outlives it, and what happens to the machine in the end."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import Any, Mapping, Sequence

from runctl.agent.aws import Metadata
from runctl.agent.limits import MARGIN_S, NOTICE_S
from runctl.agent.options import PACES, Options
from runctl.agent.parts import Parts
from runctl.agent.process import end_marked
from runctl.agent.store import StoreError
from runctl.agent.supervisor import DONE, FENCED, TAKEN, UNREADABLE, Supervisor
from runctl.models import record

#: The record may be unreadable for this long at the start (a role that is not there yet) before we give up, in seconds.
_PATIENCE_S = 600.0
#: What the guard makes of a supervisor that died.
_DIED = 70


def options_of(argv: Sequence[str]) -> Options:
    """The command line as options; exits with 2 where it is wrong."""
    parser = argparse.ArgumentParser(prog="runctl-agent", description="Runs one attempt of one job.")
    parser.add_argument("verb", choices=["run"])
    parser.add_argument("--store", required=True, help="s3://BUCKET or file:///DIRECTORY")
    parser.add_argument("--job", required=True)
    parser.add_argument("--attempt", required=True, type=int)
    parser.add_argument("--work", required=True, help="directory of this attempt")
    parser.add_argument("--folder", default="", help="run the command here instead of in the code archive")
    parser.add_argument("--local", action="store_true", help="no instance metadata, never power off")
    parser.add_argument("--pace", choices=sorted(PACES), default="normal")
    given = parser.parse_args(argv)
    return Options(given.store, given.job, given.attempt, given.work, given.folder, given.local, PACES[given.pace])


def main(argv: Sequence[str] | None = None) -> int:
    """Guard a supervisor, then do with the machine what the specification says."""
    options = options_of(sys.argv[1:] if argv is None else argv)
    os.umask(0o077)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # before the fork: none may end the guard
    child = os.fork()
    if child == 0:
        os._exit(_supervise(options))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _frame: _pass_on(child, got))
    rc = _wait(child)
    spec: Mapping[str, Any] = {}
    if rc not in (DONE, FENCED, TAKEN, UNREADABLE):
        rc = _salvage(options, rc)
    with contextlib.suppress(StoreError, ValueError, OSError):
        spec = Parts(options, None).spec
    if not options.local and rc != TAKEN:
        _leave(str(spec.get("at_end") or "terminate"))
    return rc


def _pass_on(child: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, number)


def _wait(child: int) -> int:
    while True:
        with contextlib.suppress(InterruptedError):
            status = os.waitpid(child, 0)[1]
            return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _supervise(options: Options) -> int:
    until = time.monotonic() + (_PATIENCE_S if not options.local else 5.0)
    while True:
        try:
            supervisor = Supervisor(options, None if options.local else Metadata())
            break
        except (StoreError, OSError, ValueError):
            if time.monotonic() >= until:
                return UNREADABLE
            time.sleep(5.0 if not options.local else 0.5)
    try:
        rc = supervisor.run()
    except BaseException:
        import traceback

        traceback.print_exc()
        return _DIED
    stop = supervisor.stopping.stop
    if stop is not None and stop.reason == "spot-notice" and not options.local:
        # EC2 does not bill the first hour of what it takes back itself; it bills what we end. So wait to be taken.
        time.sleep(NOTICE_S + MARGIN_S)
    return rc


def _salvage(options: Options, code: int) -> int:
    """The supervisor died: end the command, upload what it left, write the exit in its place."""
    said = f"the supervisor ended with {code}; its guard ended the command and uploaded what was left"
    with contextlib.suppress(Exception):
        parts = Parts(options, None if options.local else Metadata())
        end_marked(f"{options.job}-{options.attempt}-")
        keys = [f.key for f in parts.store.list(record.log_prefix(options.job, options.attempt))]
        parts.spool.recover(max([0, *(_end_of(k) for k in keys)]))
        parts.reporter.event("supervisor-died", said, {"code": code})
        parts.checkpoints.adopt()
        parts.checkpoints.scan(final=True)
        missing = parts.checkpoints.missing()
        problem = parts.reporter.flush(time.monotonic() + 60.0)
        if problem:
            missing.append({"path": "log", "why": problem})
        parts.reporter.put_once(
            "exit.json",
            {
                "rc": None, "signal": None, "cause": "supervisor", "stop_reason": None, "message": said,
                "ended_at": time.time(), "killed": True, "log_bytes": parts.spool.end, "verified": not missing,
                "missing": missing, "newest_complete": parts.checkpoints.newest,
            },
        )  # fmt: skip
        return DONE
    return UNREADABLE


def _end_of(key: str) -> int:
    chunk = record.parse_log_key(key)
    return 0 if chunk is None else chunk.end


def _leave(at_end: str) -> None:
    """Power the machine off unless it is to be kept. Whether that stops or terminates it was decided at launch."""
    if at_end == "keep":
        return
    for argv in (["shutdown", "-h", "now"], ["sudo", "-n", "shutdown", "-h", "now"], ["poweroff"]):
        try:
            if subprocess.call(argv, stdin=subprocess.DEVNULL) == 0:
                return
        except OSError:
            continue


if __name__ == "__main__":
    sys.exit(main())
