"""Why and how a command is made to end: stop file, SIGTERM to the group, grace, SIGKILL; one path for every reason."""

from __future__ import annotations

import contextlib
import datetime
import signal
import threading
import time
from typing import Callable

from runctl.agent.limits import MARGIN_S, NOTICE_S, Stop
from runctl.agent.parts import Parts
from runctl.agent.process import Command
from runctl.agent.store import StoreError

#: A command that catches no SIGTERM may still watch the stop file: it has this share of the grace, at most so many s.
_FILE_SHARE, _FILE_MOST_S = 0.25, 20.0
#: A machine that shuts down waits about this long for us (systemd's TimeoutStopSec is 90 s).
_SHUTDOWN_S, _SHUTDOWN_GRACE_S = 80.0, 30.0


class StopRequestedError(Exception):
    """The command has to end, or must not start."""


class Stopping:
    """The decision to stop, and its course.

    Args:
        parts: what the attempt is made of.
        hurry: asks for a look at the checkpoints now.

    Attributes:
        stop: why, once decided.
        deadline: `time.monotonic` by which everything must be in the record; None where only the upload limit counts.
        ours: False once another attempt has the job.
        signalled: set when somebody ended the supervisor.
    """

    def __init__(self, parts: Parts, hurry: Callable[[], None]) -> None:
        self.parts, self._hurry = parts, hurry
        self.stop: Stop | None = None
        self.deadline: float | None = None
        self.ours = True
        self.signalled = threading.Event()
        self._term_at = self._kill_at = 0.0
        self._termed = False

    def guard(self) -> None:
        """Leave preparation as soon as the command must not start.

        Raises:
            StopRequestedError: it must not.
        """
        stop = self.decide()
        if stop is not None:
            self.begin(stop, None)
            raise StopRequestedError

    def decide(self) -> Stop | None:
        """Why the command must end now, or None. The first that holds: replaced, taken, asked, limited, shut down."""
        parts = self.parts
        if parts.desired.fenced:
            self.ours = False
            return Stop("fenced", "a later attempt has the job")
        notice = self._notice()
        if notice is not None:
            return notice
        parts.limits.take(parts.desired.control)
        if parts.desired.stop is not None:
            return Stop("cancel", parts.desired.stop)
        if self.signalled.is_set():
            return Stop("shutdown", "the machine or somebody on it ended the supervisor")
        return parts.limits.broken(parts.facts())

    def _notice(self) -> Stop | None:
        """What EC2 announces, told once: why to stop now, or None."""
        notices, reporter = self.parts.notices, self.parts.reporter
        if notices is None or (reporter.state.get("notice") or {}).get("kind") == "spot":
            return None
        for kind, found in (("spot", notices.action), ("rebalance", notices.rebalance)):
            if found is None or (reporter.state.get("notice") or {}).get("kind") == kind:
                continue
            notice = {"kind": kind, "action": found.get("action"), "time": found.get("time") or found.get("noticeTime")}
            reporter.state["notice"] = {**notice, "at": time.time()}
            with contextlib.suppress(StoreError):
                reporter.put_once("notice.json", notice, over=kind == "spot")  # it says more than a recommendation
            if kind == "spot":
                reporter.event("notice", f"EC2 will {notice['action']} this machine at {notice['time']}", notice)
                return Stop("spot-notice", f"EC2 takes the machine back at {notice['time']}")
            reporter.event("rebalance", "EC2 expects to take this machine back soon", notice)
            self._hurry()
            if (self.parts.spec.get("limits") or {}).get("on_rebalance") == "stop":
                return Stop("rebalance", "EC2 recommends to leave this machine")
        return None

    def begin(self, stop: Stop, command: Command | None) -> None:
        """Say why, show the stop file, and decide when which signal is sent."""
        self.stop = stop
        parts, now = self.parts, time.monotonic()
        if stop.reason == "fenced":
            return
        grace = parts.limits.grace_s
        if stop.reason in ("spot-notice", "rebalance"):
            grace = self._hasten(grace)
        elif stop.reason == "shutdown":
            self.deadline, grace = now + _SHUTDOWN_S, min(grace, _SHUTDOWN_GRACE_S)
        handles = command.handles_term() if command is not None else True
        self._term_at = now if handles else now + min(_FILE_MOST_S, grace * _FILE_SHARE)
        self._kill_at = now + grace
        parts.reporter.state["stop"] = {"reason": stop.reason, "at": time.time(), "message": parts.clean(stop.message)}
        parts.reporter.event("stop-requested", stop.message, {"reason": stop.reason, "grace_s": grace})
        parts.reporter.phase("CANCELLING", stop.reason)
        with contextlib.suppress(OSError), open(parts.places.stop_file, "w", encoding="utf-8") as file:
            file.write(stop.reason + "\n")

    def _hasten(self, grace: float) -> float:
        """Set the deadline by the notice; how much of a grace (seconds) that leaves to the command."""
        now, left, checkpoints = time.monotonic(), self._left(), self.parts.checkpoints
        self.deadline = now + left - min(MARGIN_S, left / 4)
        rate, waiting = checkpoints.bytes_per_s, checkpoints.pending_bytes
        upload = waiting / rate if rate else 20.0
        return min(grace, max(left / 4, self.deadline - now - min(upload + 5.0, left / 2)))

    def _left(self) -> float:
        """Seconds until EC2 takes the machine, by the notice; two minutes at most, and where it names no time.

        The time of a recommendation is when EC2 made it, not when anything ends.
        """
        notice = self.parts.reporter.state.get("notice") or {}
        text = str(notice.get("time") or "") if notice.get("kind") == "spot" else ""
        try:
            at = datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
        except ValueError:
            return NOTICE_S
        return min(NOTICE_S, max(1.0, at - time.time()))

    def pursue(self, command: Command) -> None:
        """Send the signals when their time has come."""
        now = time.monotonic()
        notice = self._notice()
        if notice is not None and notice.reason == "spot-notice":  # while it ends for another reason
            self._kill_at = now + self._hasten(max(0.0, self._kill_at - now))
        if not self._termed and now >= self._term_at:
            self._termed = True
            command.signal(signal.SIGTERM)
        if not command.killed and now >= self._kill_at:
            self.parts.reporter.event("killed", "it did not end within its grace; SIGKILL", {})
            command.signal(signal.SIGKILL)
