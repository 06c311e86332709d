"""Whether a job gets another attempt, when, and from which checkpoint. Pure; who starts it takes the lease."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runctl.format import format_usd
from runctl.models.record import Checkpoint, Exit, Index, RetryRule, newest_complete
from runctl.services.jobs.look import Look, is_worth_retrying, spent
from runctl.services.jobs.seen import Action, Outcome

#: Seconds between the end of an attempt and the next, by how many were recovered before; the last repeats.
BACKOFF_S = (0.0, 60.0, 120.0, 240.0, 480.0, 600.0)
#: The same exit code twice, each within this many seconds of its start, is a crash loop.
CRASH_LOOP_S = 120.0


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do next about a job.

    Args:
        attempt: number of the attempt to start, None for none.
        reason: why, or why not.
        wait_s: seconds from now until it may be started.
        resume_from: id of the checkpoint to go on from, None to begin anew.
        resume_step: its step, where known.
        spent_usd: what the attempts so far cost, None when nobody knows.
        exhausted: nothing more will be tried: the job has failed for good.
    """

    attempt: int | None
    reason: str
    wait_s: float = 0.0
    resume_from: str | None = None
    resume_step: int | None = None
    spent_usd: float | None = None
    exhausted: bool = False


def decide(found: Look, index: Index | Mapping[str, Any], ends: Sequence[Exit] = ()) -> Decision:
    """The decision of an unattended client.

    Args:
        found: the job as it is.
        index: its checkpoints.
        ends: exit records of its attempts, oldest first, for the crash loop guard.
    """
    verdict, rule = found.verdict, found.spec.get("retry") or RetryRule()
    if verdict.outcome is Outcome.UNKNOWN:
        return Decision(None, "unknown: nothing is done about what cannot be seen")
    if verdict.action is Action.RECOVER:
        if verdict.outcome is not Outcome.FAILED and rule.get("on_interruption") is False:
            return Decision(None, f"{verdict.reason}; retry.interruption is false", exhausted=True)
    elif not is_worth_retrying(found):
        return Decision(None, verdict.reason or verdict.outcome.value)
    if looped := _crash_loop(ends):
        return Decision(None, looped, exhausted=True)
    return _within_limits(found, index, rule)


def _crash_loop(ends: Sequence[Exit]) -> str:
    last = list(ends)[-2:]
    short = [e for e in last if (e.get("ended_at") or 0.0) - (e.get("started_at") or 0.0) < CRASH_LOOP_S]
    same = len({e.get("rc") for e in last}) == 1 and not any(e.get("stop_reason") for e in last)
    if len(last) == 2 and len(short) == 2 and same:
        return f"crash loop: it ended with {last[0].get('rc')} within {CRASH_LOOP_S:.0f} s twice"
    return ""


def _within_limits(found: Look, index: Index | Mapping[str, Any], rule: RetryRule) -> Decision:
    done = found.seen.attempt
    most = int(rule.get("max_attempts") or 3)
    if done >= most:
        return Decision(None, f"{found.verdict.reason}; all {most} attempts are used", exhausted=True)
    cost = spent(found)
    budget = (found.seen.state or {}).get("limits", {}).get("budget_usd") or (found.spec.get("limits") or {}).get(
        "budget_usd"
    )
    if budget is not None and cost is not None and cost >= budget:
        said = f"the budget of ${format_usd(budget)} is spent (${format_usd(cost)})"
        return Decision(None, said, exhausted=True, spent_usd=cost)
    best: Checkpoint | None = newest_complete(index)
    # Without a heartbeat the distance counts from the launch: it has to grow, or the next attempt would never come.
    since = found.seen.launch_age_s if found.seen.heartbeat_age_s is None else found.seen.heartbeat_age_s
    wait = max(0.0, BACKOFF_S[min(done - 1, len(BACKOFF_S) - 1)] - since)
    return Decision(
        done + 1,
        found.verdict.reason,
        wait_s=wait,
        resume_from=best.get("id") if best else None,
        resume_step=best.get("step") if best else None,
        spent_usd=cost,
    )


def resume_verified(step: int | None, first_step: int | None) -> bool | None:
    """Whether an attempt really went on from its checkpoint: its first step is not below the checkpoint's.

    None while no step was reported, or when the checkpoint does not know its own.
    """
    return None if step is None or first_step is None else first_step >= step
