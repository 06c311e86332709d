"""Starting an attempt so that whatever is cut off is found again, and never two of them run.

Order of writing: lease (who), `launch.json` (what), the machine, the event. Whoever dies in between leaves an intent
that the next client repeats; the machine's request carries the job and attempt as its token, so it is the same machine.
"""

from __future__ import annotations

from dataclasses import dataclass

from runctl.errors import InputError, RunctlError
from runctl.models import record
from runctl.models.record import Control, Launch, Spec
from runctl.services.jobs.providers import Intent, Provider, Started
from runctl.services.jobs.record import JobRecord
from runctl.services.jobs.stores import ConflictError


@dataclass(frozen=True, slots=True)
class Order:
    """One attempt to be started.

    Args:
        attempt: its number.
        cause: why: "submit", "recover", "resume", "retry".
        resume_from: id of the checkpoint to go on from, None to begin anew.
        resume_step: its step, where known.
        spent_usd: what the attempts before cost, None when nobody knows.
        over_stop: a stop was wanted when this was decided; it was for the attempts before. Any other stop holds.
    """

    attempt: int
    cause: str
    resume_from: str | None = None
    resume_step: int | None = None
    spent_usd: float | None = 0.0
    over_stop: bool = False


def expiry(job: JobRecord, spec: Spec) -> float | None:
    """When an attempt that starts now ends itself (seconds since 1970), None for never."""
    ttl = (spec.get("limits") or {}).get("ttl_s")
    return None if ttl is None else float(int(job.now() + ttl))


def intend(job: JobRecord, provider: Provider, spec: Spec, order: Order) -> tuple[Intent, float | None]:
    """Look at what the attempt would be.

    Raises:
        InputError: something forbids it.
    """
    ttl_at = expiry(job, spec)
    intent = provider.intend(spec, order.attempt, ttl_at)
    if intent.refusals:
        raise InputError(f"not started: {'; '.join(intent.refusals)}")
    return intent, ttl_at


def begin(
    job: JobRecord, provider: Provider, spec: Spec, order: Order, prepared: tuple[Intent, float | None] | None = None
) -> Started:
    """Start a new attempt.

    Raises:
        ConflictError: another client starts it, or stops the job.
        InputError: something forbids it.
        RunctlError: nobody knows what came of it; `repeat` finds out.
    """
    intent, ttl_at = prepared or intend(job, provider, spec, order)
    wanted = job.control()
    if wanted.get("desired") == "stop" and not order.over_stop:
        raise _stopped(job)
    job.take_lease(fence=order.attempt)
    _end_old_stop(job, wanted, order.cause)  # one that comes from now on is what the new attempt reads first
    launch: Launch = {
        "v": record.VERSION,
        "job": job.job,
        "attempt": order.attempt,
        "at": job.now(),
        "by": job.owner or job.writer,
        "cause": order.cause,
        "token": f"{job.job}.{order.attempt}",
        "resume_from": order.resume_from,
        "spent_usd": order.spent_usd,
        "ttl_at": ttl_at,
        "rates": list(intent.rates),
        "candidates": [dict(c) for c in intent.candidates],
    }
    job.write_launch(launch)
    whence = f" from {order.resume_from}" if order.resume_from else ""
    job.say(order.attempt, "launching", f"attempt {order.attempt} ({order.cause}){whence}")
    return _send(job, provider, spec, launch)


def _end_old_stop(job: JobRecord, wanted: Control, cause: str) -> None:
    """What is wanted becomes "run", where it is still what was read before; a stop that came since then holds."""

    def changed(now: Control) -> Control:
        if now != wanted:
            raise _stopped(job)
        return {**now, "desired": "run", "reason": cause}

    try:
        if wanted.get("desired") == "stop":
            job.change_control(changed)
        elif job.control().get("desired") == "stop":
            raise _stopped(job)
    except ConflictError:
        job.release_lease()
        raise


def _stopped(job: JobRecord) -> ConflictError:
    return ConflictError(f"job {job.job}: not started: meanwhile somebody asked for its stop")


def repeat(job: JobRecord, provider: Provider, spec: Spec, attempt: int) -> Started:
    """Send the request of an intent again: it brings the machine that is there, or one where there was none.

    Raises:
        ConflictError: another client does so.
        InputError: the attempt has no intent.
        RunctlError: nobody knows what came of it; ask again.
    """
    launch = job.launch(attempt)
    if launch is None:
        return begin(job, provider, spec, Order(attempt, "submit"))
    job.take_lease(fence=attempt)
    return _send(job, provider, spec, launch)


def _send(job: JobRecord, provider: Provider, spec: Spec, launch: Launch) -> Started:
    attempt = launch["attempt"]
    try:
        started = provider.start(job, spec, launch)
    except InputError as error:
        job.refuse(attempt, "request", error.message, ())
        job.say(attempt, "launch-refused", error.message)
        raise
    except RunctlError as error:
        job.say(attempt, "launch-doubtful", error.message)
        raise
    finally:
        job.release_lease()
    if started.problem:
        job.refuse(attempt, started.problem, started.message, started.tries)
        job.say(attempt, "launch-refused", f"{started.problem}: {started.message}", {"tries": list(started.tries)})
    else:
        job.store.delete([record.attempt_key(job.job, attempt, "refused.json")])
        job.say(attempt, "launched", f"on {started.machine}", {"tries": list(started.tries)})
    return started
