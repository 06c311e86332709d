"""Looking at a job: its record and its machine together make a verdict and the row that people see."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from runctl.errors import RunctlError
from runctl.models.instance import Instance, InstanceState
from runctl.models.job import Job
from runctl.models.record import Checkpoint, Spec, State, newest_complete
from runctl.models.tags import ATTEMPT
from runctl.services.jobs.record import JobRecord
from runctl.services.jobs.seen import Action, Machine, Outcome, Seen, Verdict, is_fresh
from runctl.services.jobs.verdict import judge

#: From the notice to the end EC2 gives two minutes; ten seconds of them are spent noticing (EC2 User Guide, "Spot
#: Instance interruption notices").
NOTICE_S = 110.0
#: So many attempts before the newest are asked for a heartbeat.
_ZOMBIES = 2
#: What is known of the process of an attempt on this computer; None where that says nothing.
Here = Callable[[int], Machine | None]


@dataclass(frozen=True, slots=True)
class Look:
    """A job at one moment.

    Args:
        job: its id.
        spec: what was asked for; {} when it cannot be read.
        seen: what is known of its newest attempt.
        verdict: what that means.
        machine: the machine, None when there is none or nobody could ask.
        at: when.
        checkpoint: the newest complete one, None when there is none or nobody looked.
    """

    job: str
    spec: Spec
    seen: Seen
    verdict: Verdict
    machine: Instance | None
    at: datetime
    checkpoint: Checkpoint | None = None


def host_of(spec: Spec) -> str:
    """The machine that a job was put on, "" for one of its own."""
    return str((spec.get("resources") or {}).get("on") or "")


def machine_of(machines: Iterable[Instance] | None, attempt: int) -> Instance | None:
    """The machine of an attempt: by its tag, the newest of several. One that is no job's own serves every attempt."""
    if machines is None:
        return None
    own = [m for m in machines if not m.ownership.job or (m.tags.get(ATTEMPT) or "1") == str(attempt)]
    oldest = datetime.min.replace(tzinfo=UTC)
    return max(own, key=lambda m: (m.state is not InstanceState.TERMINATED, m.launched_at or oldest), default=None)


def seen_machine(machine: Instance | None, *, asked: bool, local: Machine | None = None) -> Machine:
    """What EC2 says, as evidence.

    Args:
        machine: as listed, None when it is not.
        asked: whether EC2 answered at all.
        local: for a job on this computer, what is known of its process.
    """
    if local is not None:
        return local
    if not asked:
        return Machine(None)
    return Machine("not-found") if machine is None else Machine(str(machine.state), machine.state_code)


def look(
    record: JobRecord,
    machines: Iterable[Instance] | None,
    *,
    spec: Spec | None = None,
    here: Here | None = None,
    last_known: str = "",
) -> Look:
    """Read what decides and judge it: lease, control, and of the newest attempt launch, heartbeat, exit, notice.

    Args:
        record: the job's record.
        machines: its machines, None when EC2 could not be asked.
        spec: the specification, when it is known already; it never changes.
        here: for a job on this computer, what is known of an attempt's process.
        last_known: outcome at the last look.
    """
    at = record.clock.now()
    try:
        spec = spec if spec is not None else record.spec()
        seen, machine = _seen(record, machines, here, spec)
    except RunctlError:
        machines = list(machines or ())
        machine = max(machines, key=lambda m: m.launched_at or at, default=None)
        blind = Seen(readable=False, machine=Machine(str(machine.state) if machine else None), last_known=last_known)
        return Look(record.job, spec or {}, blind, judge(blind), machine, at)
    return Look(record.job, spec, seen, _judged(spec, seen), machine, at)


def _judged(spec: Spec, seen: Seen) -> Verdict:
    """The verdict; an interruption that may not be followed by another attempt is the end."""
    verdict, rule = judge(seen), spec.get("retry") or {}
    if verdict.outcome is not Outcome.INTERRUPTED:
        return verdict
    most = int(rule.get("max_attempts") or 3)
    if rule.get("on_interruption") is False:
        why = "the job does not want another attempt"
    elif seen.attempt >= most:
        why = f"all {most} attempts are used"
    else:
        return verdict
    reason = f"interrupted: {verdict.reason}; {why}"
    return replace(verdict, outcome=Outcome.FAILED, knowledge="ended", reason=reason, action=Action.NONE)


def _seen(
    record: JobRecord, machines: Iterable[Instance] | None, here: Here | None, spec: Spec
) -> tuple[Seen, Instance | None]:
    lease, _ = record.lease()
    attempt = int(lease.get("fence", 0))
    stop_wanted = record.control().get("desired") == "stop"
    launch = record.launch(attempt) if attempt else None
    if launch is None and attempt <= 1:  # nobody took the lease yet, or whoever did has not written what is to start
        made = max(0.0, record.now() - float(spec.get("created_at") or 0.0))
        return Seen(stop_wanted=stop_wanted, launch_age_s=made, fence=attempt), None
    recovering = False
    if launch is None:
        # Somebody raised the fence and has not written the intent yet: the attempt before is the one to judge.
        recovering = lease.get("expires_at", 0.0) > record.now()
        attempt, launch = attempt - 1, record.launch(attempt - 1)
    listed = None if machines is None else list(machines)
    machine = machine_of(listed, attempt)
    # The process first: one that is gone by now has written its end before, which is read next.
    local = here(attempt) if here else None
    beat = record.beat(attempt)
    end = record.exit(attempt)
    over = local is None and (machine is None or machine.state in (InstanceState.STOPPED, InstanceState.TERMINATED))
    return Seen(
        attempt=attempt,
        launch=launch,
        launch_age_s=_launch_age(record, launch, machine),
        state=beat.state if beat else None,
        heartbeat_age_s=beat.age_s if beat else None,
        exit=end,
        notice=record.notice(attempt) if over and end is None and beat is not None else None,
        machine=seen_machine(machine, asked=machines is not None, local=local),
        stop_wanted=stop_wanted,
        fence=int(lease.get("fence", 0)),
        recovering=recovering,
        beating=_beating_below(record, attempt),
        refused=record.refusal(attempt) if beat is None and end is None and machine is None else None,
    ), machine


def _beating_below(record: JobRecord, attempt: int) -> tuple[int, ...]:
    """Earlier attempts whose supervisor still speaks; further back than a few nobody is alive."""
    found = []
    for number in range(max(1, attempt - _ZOMBIES), attempt):
        beat = record.beat(number)
        alive = beat is not None and beat.state.get("phase") != "ENDED" and is_fresh(beat.state, beat.age_s)
        if alive and record.exit(number) is None:
            found.append(number)
    return tuple(found)


def _launch_age(record: JobRecord, launch: Mapping[str, Any] | None, machine: Instance | None) -> float:
    """Seconds since the intent was written, or since its machine was launched: an intent may wait for capacity."""
    since = float((launch or {}).get("at", record.now()))
    if machine is not None and machine.launched_at is not None:
        since = max(since, machine.launched_at.timestamp())
    return max(0.0, record.now() - since)


def row_of(found: Look, region: str = "") -> Job:
    """The row that the screens and `--once` show; None is "not known", never 0."""
    spec, seen, verdict = found.spec, found.seen, found.verdict
    state: State = seen.state or {}
    end = seen.exit or {}
    rate = steps_per_second(state)
    left = _steps_left(state)
    running = verdict.outcome in (Outcome.RUNNING, Outcome.CANCELLING)
    eta = left / rate if running and left is not None and rate else None
    hourly = _hourly(state, found.machine, spec)
    risk = at_risk(found)
    return Job(
        id=found.job,
        name=str(spec.get("name") or found.job),
        state=verdict.outcome.value,
        resource_state=verdict.resource,
        region=found.machine.region if found.machine else region or str(spec.get("region") or ""),
        last_seen=None if seen.heartbeat_age_s is None else found.at - timedelta(seconds=seen.heartbeat_age_s),
        provider=str(spec.get("provider") or "ec2"),
        instance_id=found.machine.id if found.machine else _text((state.get("machine") or {}).get("instance_id")),
        attempt=seen.attempt or None,
        step=end.get("step") if end.get("step") is not None else state.get("step"),
        total_steps=state.get("total_steps"),
        metrics={k: v for k, v in (end.get("metrics") or state.get("metrics") or {}).items() if v is not None},
        eta_s=eta,
        usd_so_far=spent(found),
        usd_to_finish=None if eta is None or hourly is None else eta / 3600 * hourly,
        budget_usd=(state.get("limits") or {}).get("budget_usd") or (spec.get("limits") or {}).get("budget_usd"),
        checkpoint_age_s=checkpoint_age(found),
        exit_code=end.get("rc"),
        reason=verdict.reason,
        owner=spec.get("owner"),
        project=spec.get("project"),
        knowledge=verdict.knowledge,
        steps_per_s=rate if running else None,
        usd_per_hour=hourly,
        at_risk_s=risk if not verdict.outcome.over else None,
        submitted_at=_time(spec.get("created_at")),
        heartbeat=_heartbeat(found),
        due=due_of(found),
    )


def due_of(found: Look) -> str:
    """What an unattended client would do about it now or soon, as `Action` has it, or "retry"; "" for nothing."""
    if found.verdict.action is not Action.NONE:
        return found.verdict.action.value
    most = int((found.spec.get("retry") or {}).get("max_attempts") or 3)
    return "retry" if is_worth_retrying(found) and found.seen.attempt < most else ""


def is_worth_retrying(found: Look) -> bool:
    """Whether it failed with a code that is worth another attempt; never after OOM, a full disk or a stop."""
    end, rule = found.seen.exit, found.spec.get("retry") or {}
    if found.verdict.outcome is not Outcome.FAILED or end is None or end.get("stop_reason"):
        return False
    return (end.get("cause") or "exit") == "exit" and end.get("rc") in (rule.get("on_exit") or [])


def _heartbeat(found: Look) -> dict[str, object] | None:
    """What the supervisor said of the machine of the row; a heartbeat from an earlier machine says nothing of it."""
    state, machine = found.seen.state, found.machine
    if not state or found.spec.get("provider") == "local":
        return None
    spoke = (state.get("machine") or {}).get("instance_id")
    if machine is not None and spoke and spoke != machine.id:
        return None
    return {k: v for k in ("at", "phase", "progress_at", "load") if (v := state.get(k)) is not None}


def steps_per_second(state: Mapping[str, Any]) -> float | None:
    """Steps a second since the command runs in this attempt; None before the first."""
    step, since, at = state.get("step"), state.get("running_since"), state.get("at")
    if step is None or since is None or at is None or at <= since:
        return None
    resumed = state.get("resume") or {}
    first = resumed.get("first_step") or resumed.get("step") or 0
    done = step - first
    return done / (at - since) if done > 0 else None


def _steps_left(state: Mapping[str, Any]) -> float | None:
    step, total = state.get("step"), state.get("total_steps")
    return None if step is None or not total else max(0.0, total - step)


def _hourly(state: Mapping[str, Any], machine: Instance | None, spec: Spec) -> float | None:
    if spec.get("provider") == "local":
        return 0.0
    told = (state.get("limits") or {}).get("usd_per_hour")
    if told is not None:
        return float(told)
    return machine.rate.usd if machine is not None and machine.rate is not None else None


def spent(found: Look) -> float | None:
    """USD of all attempts so far, None when nobody knows; a job on this computer costs nothing."""
    if found.spec.get("provider") == "local":
        return 0.0
    end, state = found.seen.exit or {}, found.seen.state or {}
    for told in (end.get("spent_usd"), (state.get("limits") or {}).get("spent_usd")):
        if told is not None:
            return float(told)
    before = (found.seen.launch or {}).get("spent_usd")
    now = found.machine.usd_since_launch(found.at) if found.machine is not None else None
    return None if before is None or now is None else before + now


def checkpoint_age(found: Look) -> float | None:
    """Seconds since the newest complete checkpoint was made, None when there is none."""
    newest = (found.seen.exit or {}).get("newest_complete") or (
        ((found.seen.state or {}).get("uploads") or {}).get("newest_complete")
    )
    at = (newest or {}).get("at") or (found.checkpoint or {}).get("made_at")
    return None if at is None else max(0.0, found.at.timestamp() - at)


def at_risk(found: Look) -> float | None:
    """Seconds of work that an interruption now would cost; None when nobody knows, 0.0 when nothing would be lost.

    What was saved survives when what is still to be uploaded fits into the two minutes of notice.
    """
    state = found.seen.state or {}
    since = state.get("running_since")
    if found.verdict.outcome.over or since is None:
        return None
    uploads = state.get("uploads") or {}
    pending, speed = uploads.get("pending_bytes"), uploads.get("bytes_per_s")
    saved = checkpoint_age(found)
    if pending and (not speed or pending / speed > NOTICE_S):
        saved = None if saved is None else max(saved, NOTICE_S)
    worked = max(0.0, found.at.timestamp() - since)
    return worked if saved is None else min(saved, worked)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def with_evidence(found: Look, evidence: Mapping[str, Any]) -> Look:
    """The look, judged again with what else was found out."""
    if not evidence:
        return found
    seen = replace(found.seen, **evidence)
    return replace(found, seen=seen, verdict=_judged(found.spec, seen))


def with_checkpoint(found: Look, index: Mapping[str, Any]) -> Look:
    """The look with what the index says."""
    return replace(found, checkpoint=newest_complete(index))
