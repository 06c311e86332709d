"""What is done about jobs unattended, by `runctl watch` and by a dashboard that wakes: recover, send again, tidy up.

Nothing here acts on what cannot be seen, nor on a job of somebody else; every start goes through the lease, so two
clients that do the same are one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from runctl.errors import RunctlError
from runctl.format import clean_text
from runctl.models.record import Exit
from runctl.services.jobs import attempts, retry
from runctl.services.jobs.attempts import Order
from runctl.services.jobs.look import Look
from runctl.services.jobs.providers import Started
from runctl.services.jobs.record import job_ids
from runctl.services.jobs.retry import BACKOFF_S, Decision
from runctl.services.jobs.seen import Action, Outcome
from runctl.services.jobs.service import Found, Jobs
from runctl.services.jobs.stores import ConflictError

#: Opens the hands for the place of a job, right before something is done to it.
Hands = Callable[[Found], Jobs]


@dataclass(frozen=True, slots=True)
class Done:
    """What was done about a job.

    Args:
        job: its id.
        did: "recovered", "relaunched", "cleaned-up", "refused" (nothing runs, and the message says why), "waits",
            "failed", "none"; with `dry_run` "would-recover" and its like.
        message: a sentence.
        started: what came of a start.
        name: what people call it.
        wait_s: for "waits", in how many seconds it is due.
    """

    job: str
    did: str
    message: str
    started: Started | None = None
    name: str = ""
    wait_s: float = 0.0


def decide(found: Found, seen: Look) -> Decision:
    """Whether the job gets another attempt."""
    ends: list[Exit] = []
    for number in range(max(1, seen.seen.attempt - 1), seen.seen.attempt + 1):
        if (end := found.record.exit(number)) is not None:
            ends.append(end)
    return retry.decide(seen, found.record.index(), ends)


def reconcile(jobs: Jobs, found: Found, *, dry_run: bool = False, hands: Hands | None = None) -> Done:
    """Do what the verdict allows: recover, send again, or give back a machine. UNKNOWN is left alone.

    Args:
        jobs: looks, under our name.
        found: the job.
        dry_run: only say it.
        hands: opens what starts and ends attempts; None where `jobs` can.

    Raises:
        ConflictError: another client is at it, which is as good.
        RunctlError: it did not work; the next round tries again.
    """
    seen = jobs.look(found)
    if seen.verdict.outcome is Outcome.UNKNOWN:
        return Done(found.record.job, "none", seen.verdict.reason)
    if theirs := foreign(found, lambda: jobs.owner):
        return Done(found.record.job, "none", f"left alone: {theirs}")
    act = {Action.CLEAN_UP: _tidy, Action.RELAUNCH: _again}.get(seen.verdict.action, _recover)
    return act(hands or (lambda _: jobs), found, seen, dry_run=dry_run)


def foreign(found: Found, who: Callable[[], str]) -> str:
    """Why a job is not ours to change, "" when it is: on this computer all are; in a shared bucket its owner says.

    Args:
        found: the job.
        who: our name; asked for only where the job has one to compare it with.
    """
    owner = found.spec.get("owner")
    if found.provider == "local" or not owner or owner == (we := who()):
        return ""
    return f"it is {clean_text(str(owner), 60)}'s, and we are {clean_text(we or 'nobody known', 60)}"


def _recover(hands: Hands, found: Found, seen: Look, *, dry_run: bool) -> Done:
    job = found.record.job
    decision = decide(found, seen)
    if decision.attempt is None:
        return Done(job, "none", decision.reason)
    if decision.wait_s > 0:
        said = f"attempt {decision.attempt} in {decision.wait_s:.0f} s: {decision.reason}"
        return Done(job, "waits", said, wait_s=decision.wait_s)
    whence = f"attempt {decision.attempt} from {decision.resume_from or 'the start'}"
    if dry_run:
        return Done(job, "would-recover", whence)
    order = Order(decision.attempt, "recover", decision.resume_from, decision.resume_step, decision.spent_usd)
    started = attempts.begin(found.record, hands(found).provider(found), found.spec, order)
    if started.problem:
        return Done(job, "refused", f"{started.problem}: {started.message}", started)
    return Done(job, "recovered", f"{whence} on {started.machine}: {decision.reason}", started)


def _tidy(hands: Hands, found: Found, seen: Look, *, dry_run: bool) -> Done:
    at_end = str(found.spec.get("at_end") or "terminate")
    machine = seen.machine.id if seen.machine else "its process"
    if dry_run:
        return Done(found.record.job, "would-clean-up", f"{machine}: {at_end}")
    did = hands(found).provider(found).end(found.record, seen.seen.attempt, seen.machine, at_end=at_end)
    if did:
        found.record.say(seen.seen.attempt, "cleaned-up", did)
    return Done(found.record.job, "cleaned-up" if did else "none", did or "nothing is left to end")


def _again(hands: Hands, found: Found, seen: Look, *, dry_run: bool) -> Done:
    job, refused = found.record.job, seen.seen.refused or {}
    count = int(refused.get("count") or 0)
    wait = float(refused.get("at") or 0.0) + BACKOFF_S[min(count, len(BACKOFF_S) - 1)] - found.record.now()
    if refused and wait > 0:
        return Done(job, "waits", f"asks again in {wait:.0f} s: {seen.verdict.reason}", wait_s=wait)
    if dry_run:
        return Done(job, "would-relaunch", seen.verdict.reason)
    attempt = max(1, seen.seen.attempt)
    started = attempts.repeat(found.record, hands(found).provider(found), found.spec, attempt)
    if started.problem:
        return Done(job, "refused", f"{started.problem}: {started.message}", started)
    return Done(job, "relaunched", f"attempt {attempt} on {started.machine}: {seen.verdict.reason}", started)


def sweep(
    jobs: Jobs, *, dry_run: bool = False, only: Iterable[str] | None = None, hands: Hands | None = None
) -> Iterator[Done]:
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
                yield _swept(jobs, provider, job, dry_run=dry_run, hands=hands)


def _swept(jobs: Jobs, provider: str, job: str, *, dry_run: bool, hands: Hands | None) -> Done:
    name = ""
    try:
        record = jobs.record(provider, job)
        found = Found(record, record.spec(), provider)
        name = str(found.spec.get("name") or "")
        return replace(reconcile(jobs, found, dry_run=dry_run, hands=hands), name=name)
    except ConflictError as error:  # another client was first: the job has what it needs
        return Done(job, "none", str(error), name=name)
    except RunctlError as error:
        return Done(job, "failed", str(error), name=name)


def adopt(jobs: Jobs, found: Found) -> Done:
    """Take a job over from another client: finish what it left open.

    Raises:
        ConflictError: the other client is still at it.
    """
    seen = jobs.look(found)
    attempt = max(1, seen.seen.attempt)
    if seen.verdict.action is Action.RELAUNCH or seen.verdict.outcome is Outcome.PENDING:
        started = attempts.repeat(found.record, jobs.provider(found), found.spec, attempt)
        return Done(found.record.job, "relaunched", started.message or f"on {started.machine}", started)
    found.record.take_lease(fence=attempt)
    found.record.release_lease()
    found.record.say(attempt, "adopted", f"by {jobs.owner or jobs.writer}")
    return Done(found.record.job, "adopted", f"{seen.verdict.outcome}: {seen.verdict.reason or 'nothing is open'}")
