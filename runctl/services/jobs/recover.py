"""What is done about jobs unattended, by `runctl watch`: recover, send again, tidy up.

Nothing here acts on what cannot be seen; every start goes through the lease, so two clients that do the same are one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from runctl.errors import RunctlError
from runctl.models.record import Exit
from runctl.services.jobs import attempts, retry
from runctl.services.jobs.attempts import Order
from runctl.services.jobs.look import Look
from runctl.services.jobs.providers import Started
from runctl.services.jobs.record import job_ids
from runctl.services.jobs.retry import BACKOFF_S, Decision
from runctl.services.jobs.seen import Action, Outcome
from runctl.services.jobs.service import Found, Jobs


@dataclass(frozen=True, slots=True)
class Done:
    """What was done about a job: a word ("recovered", "cleaned-up", "relaunched", "none") and a sentence."""

    job: str
    did: str
    message: str
    started: Started | None = None


def decide(found: Found, seen: Look) -> Decision:
    """Whether the job gets another attempt."""
    ends: list[Exit] = []
    for number in range(max(1, seen.seen.attempt - 1), seen.seen.attempt + 1):
        if (end := found.record.exit(number)) is not None:
            ends.append(end)
    return retry.decide(seen, found.record.index(), ends)


def reconcile(jobs: Jobs, found: Found, *, dry_run: bool = False) -> Done:
    """Do what the verdict allows: recover, send again, or give back a machine. UNKNOWN is left alone.

    Raises:
        ConflictError: another client is at it, which is as good.
        RunctlError: it did not work; the next round tries again.
    """
    seen = jobs.look(found)
    if seen.verdict.outcome is Outcome.UNKNOWN:
        return Done(found.record.job, "none", seen.verdict.reason)
    act = {Action.CLEAN_UP: _tidy, Action.RELAUNCH: _again}.get(seen.verdict.action, _recover)
    return act(jobs, found, seen, dry_run=dry_run)


def _recover(jobs: Jobs, found: Found, seen: Look, *, dry_run: bool) -> Done:
    job = found.record.job
    decision = decide(found, seen)
    if decision.attempt is None:
        return Done(job, "none", decision.reason)
    if decision.wait_s > 0:
        return Done(job, "waits", f"attempt {decision.attempt} in {decision.wait_s:.0f} s: {decision.reason}")
    if dry_run:
        return Done(job, "would-recover", f"attempt {decision.attempt} from {decision.resume_from or 'the start'}")
    order = Order(decision.attempt, "recover", decision.resume_from, decision.resume_step, decision.spent_usd)
    started = attempts.begin(found.record, jobs.provider(found), found.spec, order)
    return Done(job, "recovered" if not started.problem else "refused", started.message or decision.reason, started)


def _tidy(jobs: Jobs, found: Found, seen: Look, *, dry_run: bool) -> Done:
    at_end = str(found.spec.get("at_end") or "terminate")
    machine = seen.machine.id if seen.machine else "its process"
    if dry_run:
        return Done(found.record.job, "would-clean-up", f"{machine}: {at_end}")
    did = jobs.provider(found).end(found.record, seen.seen.attempt, seen.machine, at_end=at_end)
    if did:
        found.record.say(seen.seen.attempt, "cleaned-up", did)
    return Done(found.record.job, "cleaned-up" if did else "none", did or "nothing is left to end")


def _again(jobs: Jobs, found: Found, seen: Look, *, dry_run: bool) -> Done:
    refused = seen.seen.refused or {}
    count = int(refused.get("count") or 0)
    wait = float(refused.get("at") or 0.0) + BACKOFF_S[min(count, len(BACKOFF_S) - 1)] - found.record.now()
    if refused and wait > 0:
        return Done(found.record.job, "waits", f"asks again in {wait:.0f} s: {seen.verdict.reason}")
    if dry_run:
        return Done(found.record.job, "would-relaunch", seen.verdict.reason)
    started = attempts.repeat(found.record, jobs.provider(found), found.spec, max(1, seen.seen.attempt))
    return Done(found.record.job, "refused" if started.problem else "relaunched", started.message, started)


def sweep(jobs: Jobs, *, dry_run: bool = False, only: Iterable[str] | None = None) -> Iterator[Done]:
    """Reconcile every job; what fails is told and holds up no other. Who is blind does not act."""
    wanted = None if only is None else set(only)
    for provider, store in jobs.stores.items():
        try:
            known = list(job_ids(store))
        except RunctlError as error:
            yield Done(store.where, "failed", str(error))
            continue
        for job in known:
            if wanted is None or job in wanted:
                yield _swept(jobs, provider, job, dry_run=dry_run)


def _swept(jobs: Jobs, provider: str, job: str, *, dry_run: bool) -> Done:
    found = jobs.record(provider, job)
    try:
        return reconcile(jobs, Found(found, found.spec(), provider), dry_run=dry_run)
    except RunctlError as error:
        return Done(job, "failed", str(error))


def adopt(jobs: Jobs, found: Found) -> Done:
    """Take a job over from another client: finish what it left open.

    Raises:
        ConflictError: the other client is still at it.
    """
    seen = jobs.look(found)
    attempt = max(1, seen.seen.attempt)
    if seen.verdict.action is Action.RELAUNCH:
        started = attempts.repeat(found.record, jobs.provider(found), found.spec, attempt)
        return Done(found.record.job, "relaunched", started.message or f"on {started.machine}", started)
    found.record.take_lease(fence=attempt)
    found.record.release_lease()
    found.record.say(attempt, "adopted", f"by {jobs.owner or jobs.writer}")
    return Done(found.record.job, "adopted", f"{seen.verdict.outcome}: {seen.verdict.reason or 'nothing is open'}")
