"""What has become of an attempt: outcome, resource and knowledge, decided in a fixed order from what can be seen.

Pure. The order is the table in docs/jobs.md, whose row numbers stand beside the rules; nothing is ever inferred from
our own blindness: what cannot be read makes the outcome UNKNOWN, and UNKNOWN asks for no action.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from runctl.format import format_duration
from runctl.models.record import Exit
from runctl.services.jobs.seen import Action, Machine, Outcome, Seen, Verdict

__all__ = ["Action", "Machine", "Outcome", "Seen", "Verdict", "judge"]

#: From the start of the machine to the first word of its supervisor.
BOOT_DEADLINE_S = 600.0
#: DescribeInstances may not know a new machine yet (EC2 API reference, "Eventual consistency").
CONSISTENCY_S = 120.0
#: A host that fails its status checks or has lost its agent is given so long to come back.
HOST_GRACE_S = 600.0
#: No step, metric or byte of log for so long is called stalled.
STALLED_AFTER_S = 900.0

SPOT_REASONS = frozenset({"Server.SpotInstanceTermination", "Server.SpotInstanceShutdown"})
HOST_REASONS = frozenset({"Server.InternalError", "Server.ScheduledStop"})
#: Codes of a spot request after its machine ended (EC2 User Guide, "Spot request status").
SPOT_TAKEN = frozenset({
    "instance-terminated-by-price", "instance-terminated-no-capacity", "instance-terminated-capacity-oversubscribed",
    "instance-terminated-by-service", "instance-stopped-by-price", "instance-stopped-no-capacity",
    "marked-for-termination", "marked-for-stop", "instance-terminated-launch-group-constraint",
})  # fmt: skip
_LIMITS = {"ttl": "the time to live ran out", "idle": "idle too long", "budget": "the budget is spent"}
_OFF = frozenset({"stopped", "terminated"})


def judge(seen: Seen) -> Verdict:
    """The verdict; UNKNOWN never carries an action."""
    for rule in _RULES:
        if (found := rule(seen)) is not None:
            return _with_zombies(seen, found)
    return _told(seen, Outcome.UNKNOWN, "nothing decides", row=11)


def _with_zombies(seen: Seen, found: Verdict) -> Verdict:
    """Row 12: of two attempts with a heartbeat the one below the fence may not write any more."""
    zombies = tuple(n for n in seen.beating if n < max(seen.fence, seen.attempt))
    if not zombies:
        return found
    said = f"attempt {', '.join(map(str, zombies))} still runs and may not write; its machine may be terminated"
    reason = f"{found.reason}; {said}" if found.reason else said
    return Verdict(found.outcome, found.resource, found.knowledge, reason, found.action, found.question,
                   found.row, zombies)  # fmt: skip


def _told(
    seen: Seen, outcome: Outcome, reason: str = "", *, row: int, action: Action = Action.NONE, question: str = ""
) -> Verdict:
    resource = seen.machine.state or "?"
    return Verdict(outcome, resource, _knowledge(seen, outcome), reason, action, question, row)


def _knowledge(seen: Seen, outcome: Outcome) -> str:
    if not seen.readable:
        return "unreadable"
    if seen.exit is not None or outcome.over:
        return "ended"
    if seen.fresh:
        return "live"
    if seen.heartbeat_age_s is None:
        return "not heard yet"
    return f"last seen {format_duration(seen.heartbeat_age_s)} ago"


def _unreadable(seen: Seen) -> Verdict | None:
    """Row 11: we are blind. The last known outcome is told, and nothing is done."""
    if seen.readable:
        return None
    before = f"; last known {seen.last_known}" if seen.last_known else ""
    return _told(seen, Outcome.UNKNOWN, f"the record cannot be read{before}", row=11)


def _pending(seen: Seen) -> Verdict | None:
    if seen.attempt:
        return None
    if seen.stop_wanted:
        return _told(seen, Outcome.CANCELLED, "stopped before its first attempt", row=0)
    if seen.launch_age_s < CONSISTENCY_S:
        return _told(seen, Outcome.PENDING, "it is being submitted", row=0)
    return _told(seen, Outcome.PENDING, "no attempt yet", row=0, action=Action.RELAUNCH)


def _ended(seen: Seen) -> Verdict | None:
    """Rows 1 to 3: the exit record, which is written after the uploads."""
    end = seen.exit
    if end is None:
        return None
    if stop := end.get("stop_reason"):
        found = _stopped(seen, end, stop)
    elif end.get("rc") == 0:
        return _finished(seen, end)
    else:
        found = _over(seen, Outcome.FAILED, _why_failed(end), row=3)
    if end.get("verified") is False:
        found = replace(found, reason=f"{found.reason}; {_unsaved(end)}")
    return found


def _unsaved(end: Exit) -> str:
    missing = end.get("missing") or []
    names = ", ".join(str(m.get("path", "?")) for m in missing[:3])
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    count = "1 file is" if len(missing) == 1 else f"{len(missing) or 'some'} files are"
    return f"{count} not saved" + (f": {names}{more}" if names else "")


def _over(seen: Seen, outcome: Outcome, reason: str, *, row: int) -> Verdict:
    """An end; a machine that still bills afterwards is due for clean-up once everything is saved."""
    bills = seen.machine.state in ("pending", "running") and not seen.machine.local
    saved = seen.exit is None or seen.exit.get("verified") is not False
    if bills:
        reason = f"{reason}; the machine still bills" if reason else "the machine still bills"
    return _told(seen, outcome, reason, row=row, action=Action.CLEAN_UP if bills and saved else Action.NONE)


def _finished(seen: Seen, end: Exit) -> Verdict:
    if end.get("verified") is not False:
        return _over(seen, Outcome.SUCCEEDED, "", row=1)
    said = f"ended with 0, but {_unsaved(end)}"
    if seen.machine.state in ("pending", "running", "stopped"):
        return _told(seen, Outcome.FINALIZING, f"blocked: {said}", row=1)
    return _told(seen, Outcome.FAILED, f"upload: {said}", row=1)


def _stopped(seen: Seen, end: Exit, stop: str) -> Verdict:
    """It was made to stop: whatever code it ended with, it did not finish."""
    if stop == "rebalance":
        return _interrupted(seen, "spot interruption ahead: it left on EC2's recommendation", row=2)
    if stop == "spot-notice" or (stop == "shutdown" and _taken(seen)):
        return _interrupted(seen, "spot interruption", row=2)
    if stop == "cancel":
        return _over(seen, Outcome.CANCELLED, end.get("message") or "stopped on request", row=3)
    if stop == "fenced":
        return _over(seen, Outcome.CANCELLED, "replaced by a newer attempt", row=12)
    if stop == "shutdown" and seen.machine.reason == "Client.UserInitiatedShutdown":
        return _external(seen)
    said = _LIMITS.get(stop, {"disk": "the disk is full", "shutdown": "the machine was shut down"}.get(stop, stop))
    return _over(seen, Outcome.FAILED, f"{stop}: {said}", row=3)


def _why_failed(end: Exit) -> str:
    cause, rc, number = end.get("cause") or "exit", end.get("rc"), end.get("signal")
    said = {
        "oom": "oom: the kernel killed it for lack of memory",
        "disk": "disk: the disk is full",
        "setup": f"setup: {end.get('message') or 'it could not be started'}",
        "supervisor": f"supervisor: {end.get('message') or 'it died'}",
    }.get(cause)
    if said is None:
        said = f"killed by {number}" if number else f"exit {rc}" if rc is not None else "it never started"
    return said


def _interrupted(seen: Seen, reason: str, *, row: int) -> Verdict:
    if seen.recovering:
        return _told(seen, Outcome.RECOVERING, f"{reason}; the next attempt is being started", row=row)
    if seen.stop_wanted:
        return _over(seen, Outcome.CANCELLED, f"{reason} while it was being stopped", row=row)
    return _told(seen, Outcome.INTERRUPTED, reason, row=row, action=Action.RECOVER)


def _taken(seen: Seen) -> bool:
    notice = seen.notice is not None and seen.notice.get("kind") == "spot"
    return notice or seen.machine.reason in SPOT_REASONS or seen.spot_status in SPOT_TAKEN


def _external(seen: Seen) -> Verdict:
    return _over(seen, Outcome.CANCELLED, f"external: ended by {seen.ended_by or 'somebody with access'}", row=8)


def _machine_off(seen: Seen) -> Verdict | None:
    """Rows 7 to 9: the machine is off and left no exit record."""
    machine = seen.machine
    if machine.state not in _OFF:
        return None
    if _taken(seen):
        return _interrupted(seen, "spot interruption", row=7)
    if machine.reason == "Client.UserInitiatedShutdown":
        if seen.stop_wanted:
            return _told(seen, Outcome.CANCELLED, "the machine was ended before it wrote its exit", row=8)
        return _external(seen)
    if machine.reason in HOST_REASONS:
        return _interrupted(seen, f"host failure ({machine.reason})", row=7)
    if machine.reason.startswith("Server.Insufficient"):
        return _told(seen, Outcome.FAILED, f"capacity: {machine.reason}", row=9, action=Action.RECOVER)
    return _from_inside(seen, row=9)


def _stop_reason(seen: Seen) -> str:
    """Why its supervisor was stopping, by its last heartbeat; "" when it was not."""
    return str(((seen.state or {}).get("stop") or {}).get("reason") or "")


def _from_inside(seen: Seen, *, row: int) -> Verdict:
    """It shut itself down and left no exit record; its last heartbeat may say why."""
    why = _stop_reason(seen)
    if why == "cancel" or (seen.stop_wanted and not why):
        return _told(seen, Outcome.CANCELLED, "stopped on request; the last uploads may be missing", row=row)
    said = f"{why}: {_LIMITS[why]}" if why in _LIMITS else "shutdown: the machine was shut down from inside"
    return _told(seen, Outcome.FAILED, said, row=row)


def _gone(seen: Seen) -> Verdict | None:
    """Row 10: EC2 does not list it (any more; it forgets within about an hour)."""
    if seen.machine.state not in ("not-found", "none"):
        return None
    if seen.machine.local:
        return _gone_here(seen)
    if seen.state is None:
        return _never_there(seen)
    if seen.fresh:
        return None  # it writes, so it is there: row 4
    if _taken(seen):
        return _interrupted(seen, "spot interruption (the machine is gone)", row=10)
    if seen.ended_by:
        return _external(seen)
    if _stop_reason(seen):
        return _from_inside(seen, row=10)
    if seen.spot_status == "instance-terminated-by-user":
        return _external(seen)
    if seen.stop_wanted:
        return _told(seen, Outcome.CANCELLED, "stopped on request; it left no exit record", row=10)
    return _told(seen, Outcome.LOST, "the machine is gone without an exit record or a known reason", row=10)


def _gone_here(seen: Seen) -> Verdict | None:
    if seen.fresh:
        return None
    if seen.state is None and seen.launch_age_s < CONSISTENCY_S:
        return _told(seen, Outcome.BOOTSTRAPPING, "its supervisor is starting", row=0)
    if seen.stop_wanted:
        return _told(seen, Outcome.CANCELLED, "stopped on request; it left no exit record", row=9)
    if seen.state is None and not seen.machine.begun:
        return _never_begun(seen)
    return _told(seen, Outcome.FAILED, "supervisor: its process is gone without an exit record", row=5)


def _never_begun(seen: Seen) -> Verdict:
    """An intent of this computer's, and whoever wrote it was cut off before it started anything."""
    if seen.refused is not None:
        return _refused(seen, seen.refused)
    return _told(seen, Outcome.PENDING, "asked for, and never started", row=0, action=Action.RELAUNCH)


def _never_there(seen: Seen) -> Verdict:
    """An intent, no machine and no word of it."""
    if seen.stop_wanted:
        return _told(seen, Outcome.CANCELLED, "stopped before a machine was found", row=0)
    if seen.refused is not None:
        return _refused(seen, seen.refused)
    if seen.launch_age_s < CONSISTENCY_S:
        return _told(seen, Outcome.PROVISIONING, "a machine is being looked for", row=0)
    return _told(seen, Outcome.PROVISIONING, "asked for, and no machine is to be found", row=0, action=Action.RELAUNCH)


def _refused(seen: Seen, said: Mapping[str, Any]) -> Verdict:
    """The launch brought no machine: capacity is waited for, everything else is the user's to mend."""
    kind, message = str(said.get("class") or "request"), str(said.get("message") or "")
    if kind == "capacity":
        return _told(seen, Outcome.PENDING, f"capacity: {message}", row=0, action=Action.RELAUNCH)
    return _told(seen, Outcome.FAILED, f"{kind}: {message}", row=0)


def _beating(seen: Seen) -> Verdict | None:
    """Row 4: the supervisor speaks."""
    state = seen.state
    if state is None or not seen.fresh:
        return None
    phase = "FINALIZING" if state.get("phase") == "ENDED" else str(state.get("phase"))
    outcome = Outcome.__members__.get(phase, Outcome.RUNNING)
    problems = "; ".join(str(p.get("message") or p.get("what")) for p in state.get("problems") or ())
    reason = str(state.get("detail") or "") if outcome is not Outcome.RUNNING else problems
    resumed = state.get("resume") or {}
    if resumed.get("verified") is False:
        unproven = f"resume not verified: it began at step {resumed.get('first_step')}, not after {resumed.get('step')}"
        reason = f"{unproven}; {reason}" if reason else unproven
    at, progress = state.get("at"), state.get("progress_at")
    if outcome is Outcome.RUNNING and at is not None and progress is not None and at - progress > STALLED_AFTER_S:
        stalled = f"stalled: no progress for {format_duration(at - progress)}"
        reason = f"{stalled}; {reason}" if reason else stalled
    if outcome is Outcome.RUNNING and seen.stop_wanted:
        outcome = Outcome.CANCELLING
    return _told(seen, outcome, reason, row=4)


def _silent(seen: Seen) -> Verdict | None:
    """Rows 5 and 6: the machine is on and its supervisor says nothing, or nothing yet."""
    machine = seen.machine
    if machine.state is None:
        return _told(seen, Outcome.UNKNOWN, "its machine cannot be asked, and its heartbeat is old", row=11)
    if seen.state is None:
        return _booting(seen)
    if machine.impaired or machine.agent == "ConnectionLost":
        what = "a status check fails" if machine.impaired else "its agent has lost the connection"
        late = (seen.heartbeat_age_s or 0.0) > HOST_GRACE_S
        return _told(
            seen, Outcome.UNREACHABLE, what, row=6, action=Action.RECOVER if late and machine.impaired else Action.NONE
        )
    if machine.supervisor is True:
        return _told(seen, Outcome.RUNNING, "the supervisor runs, but its uploads do not arrive", row=5)
    if machine.supervisor is False:
        # No action: what was not uploaded is on its disk only, and nothing says that there is nothing.
        said = f" ({machine.last_words})" if machine.last_words else ""
        left = "the machine still bills, and may hold what is not saved"
        return _told(seen, Outcome.FAILED, f"supervisor: it ended without an exit record{said}; {left}", row=5)
    if machine.agent == "Online":
        return _told(
            seen, Outcome.UNKNOWN, "the machine answers, its supervisor is silent", row=5, question="supervisor"
        )
    return _told(seen, Outcome.UNREACHABLE, "the machine is on and silent; nothing can be asked of it", row=6)


def _booting(seen: Seen) -> Verdict:
    if seen.launch_age_s < BOOT_DEADLINE_S:
        word = Outcome.PROVISIONING if seen.machine.state == "pending" else Outcome.BOOTSTRAPPING
        return _told(seen, word, "waiting for the supervisor's first word", row=0)
    return _over(
        seen, Outcome.FAILED, f"bootstrap: no word from the machine in {format_duration(seen.launch_age_s)}", row=0
    )


_RULES: tuple[Callable[[Seen], Verdict | None], ...] = (
    _unreadable, _pending, _ended, _machine_off, _gone, _beating, _silent,
)  # fmt: skip
