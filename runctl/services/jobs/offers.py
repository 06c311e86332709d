"""What stopping a job, or going on with it, would mean, in sentences, before anybody is asked; then doing it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runctl import paths
from runctl.errors import RunctlError
from runctl.format import clean_text, format_bytes, format_count, format_duration, format_usd
from runctl.models.instance import BILLING_STATES
from runctl.models.record import Checkpoint
from runctl.services.jobs.look import Look, checkpoint_age, host_of, row_of
from runctl.services.jobs.seen import Outcome
from runctl.services.jobs.service import Found
from runctl.services.jobs.spec import Job, build_job
from runctl.services.jobs.submit import Place, Submission, prepare, submit
from runctl.services.jobs.tree import largest

if TYPE_CHECKING:
    from runctl.services.jobs.hands import JobsDoor

#: Places that are named; the others are counted.
_PLACES = 8
_AT_END = {"terminate": "the machine terminates", "stop": "the machine stops; its disks stay and bill",
           "keep": "the machine stays on and bills"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Offer:
    """What would happen.

    Args:
        lines: one sentence each; what begins with two spaces belongs to the line before.
        warnings: what a person should hear first.
        jobs: ids of those to which it would happen; the others are named in `lines` with the reason.
    """

    lines: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()


def offer_stop(door: JobsDoor, jobs: Iterable[str]) -> Offer:
    """What a stop would do to each job.

    Raises:
        RunctlError: a record cannot be read.
    """
    lines: list[str] = []
    warnings: list[str] = []
    going: list[str] = []
    for job in jobs:
        found = door.find(job)
        seen = door.jobs.look(found)
        lines.append(_what(found, seen))
        if seen.verdict.outcome.over:
            lines.append(f"  left alone: it is {seen.verdict.outcome} already")
            continue
        if theirs := door.foreign(found):
            lines.append(_left(theirs, f"runctl jobs stop {found.record.job} --override other-owner"))
            continue
        door.may_change(found.provider)
        going.append(job)
        lines += _way_of_a_stop(found, seen)
        if seen.verdict.outcome in (Outcome.UNKNOWN, Outcome.UNREACHABLE):
            warnings.append(f"{_name(found)}: {seen.verdict.knowledge}; it stops when it hears of it")
    return Offer(tuple(lines), tuple(warnings), tuple(going))


def _left(theirs: str, command: str) -> str:
    return f"  left alone: {theirs}; {command}"


def _name(found: Found) -> str:
    return clean_text(str(found.spec.get("name") or found.record.job), 60)


def _what(found: Found, seen: Look) -> str:
    row = row_of(seen)
    where = "this computer" if found.provider == "local" else f"{row.instance_id or 'no machine'} {row.resource_state}"
    price = "" if not row.usd_per_hour else f" at ${format_usd(row.usd_per_hour)}/h"
    region = f" in {row.region}" if row.region and found.provider != "local" else ""
    return f"{_name(found)}  {row.id}  {row.state}, attempt {format_count(row.attempt)}, {where}{price}{region}"


def _way_of_a_stop(found: Found, seen: Look) -> list[str]:
    limits = found.spec.get("limits") or {}
    row, saved = row_of(seen), checkpoint_age(seen)
    step = "no step reported yet" if row.step is None else f"at step {row.step:,}"
    kept = "no complete checkpoint yet" if saved is None else f"newest complete checkpoint {format_duration(saved)} old"
    upload = format_duration(limits.get("upload_s") or 1800.0)
    end = _AT_END.get(str(found.spec.get("at_end") or "terminate"), "the machine ends")
    return [
        f"  {step}; {kept}",
        f"  1. it is told to stop, and has {format_duration(limits.get('grace_s') or 120.0)} to save",
        f"  2. what it saved is uploaded and verified, for at most {upload}",
        f"  3. {'its supervisor ends' if found.provider == 'local' else end}",
    ]


def stop_jobs(door: JobsDoor, jobs: Iterable[str]) -> tuple[str, ...]:
    """Ask each for its stop; a sentence about each."""

    def stop(job: str) -> str:
        found = door.find(job)
        door.may_change(found.provider)
        if theirs := door.foreign(found):
            return f"{_name(found)}: left alone: {theirs}"
        door.jobs.stop(found, f"stopped by {door.jobs.owner or 'somebody'} from the dashboard")
        return f"{_name(found)}: asked for; it saves, uploads and ends by itself"

    return _each(jobs, stop)


def _each(jobs: Iterable[str], act: Callable[[str], str]) -> tuple[str, ...]:
    """What came of each; what fails holds up no other."""
    told = []
    for job in jobs:
        try:
            told.append(act(job))
        except RunctlError as error:
            told.append(f"{job}: {error}" + (f"; {error.hint}" if error.hint else ""))
    return tuple(told)


def offer_going_on(door: JobsDoor, job: str, *, cause: str, fresh: bool) -> Offer:
    """What another attempt would be.

    Args:
        door: where jobs are.
        job: its id.
        cause: "resume", which needs a checkpoint, or "retry".
        fresh: begin anew.

    Raises:
        RunctlError: it cannot be known.
    """
    found = door.find(job)
    door.may_change(found.provider)
    seen = door.jobs.look(found)
    what = _what(found, seen)
    outcome = seen.verdict.outcome
    if theirs := door.foreign(found):
        return Offer((what, _left(theirs, f"runctl jobs {cause} {job} --override other-owner")))
    if not (outcome.over or outcome is Outcome.INTERRUPTED):
        return Offer((what, f"  it is {outcome}: {seen.verdict.reason or 'not over'}; stop it first"))
    newest = None if fresh else found.record.newest_checkpoint()
    if cause == "resume" and newest is None and not fresh:
        return Offer((what, "  it has no complete checkpoint to go on from; retry begins anew"))
    return Offer(tuple(_next_attempt(found, seen, newest)), tuple(_doubts(found, seen)), (job,))


def _next_attempt(found: Found, seen: Look, newest: Checkpoint | None) -> list[str]:
    step = f", step {format_count(newest.get('step'))}" if newest else ""
    whence = f"from {newest.get('id')}{step}" if newest else "from the start"
    limits = found.spec.get("limits") or {}
    row = row_of(seen)
    budget = limits.get("budget_usd")
    lines = [
        _what(found, seen),
        f"  attempt {seen.seen.attempt + 1} {whence}, with the same command: "
        + clean_text(" ".join(found.spec.get("command") or ()), 200),
        f"  spent so far ${format_usd(row.usd_so_far)}"
        + (f" of ${format_usd(budget)}" if budget is not None else ", no budget"),
        f"  ends itself {format_duration(limits.get('ttl_s'))} after its start at the latest",
    ]
    if found.provider != "local":
        types = (found.spec.get("resources") or {}).get("types") or ()
        lines.append(f"  a machine is launched: {', '.join(map(str, types)) or 'as asked for'}")
    return lines


def _doubts(found: Found, seen: Look) -> Iterator[str]:
    """What somebody should hear before another attempt is started."""
    budget, spent_usd = (found.spec.get("limits") or {}).get("budget_usd"), row_of(seen).usd_so_far
    if budget is not None and spent_usd is not None and spent_usd >= budget:
        yield "the budget is used up: it would stop at once"
    if seen.machine is not None and seen.machine.state in BILLING_STATES and not host_of(found.spec):
        yield f"{seen.machine.id} of attempt {seen.seen.attempt} is {seen.machine.state} and bills on: D ends it"


def go_on(door: JobsDoor, job: str, *, cause: str, fresh: bool) -> tuple[str, ...]:
    """Start another attempt; what came of it.

    Raises:
        RunctlError: it did not start, or nobody knows.
    """
    found = door.find(job)
    if theirs := door.foreign(found):
        return (f"{_name(found)}: left alone: {theirs}",)
    hands = door.hands(found.provider, found.spec.get("region") or None)
    started = hands.go_on(found, cause=cause, fresh=fresh)
    if started.problem:
        return (f"{_name(found)} has no machine: {started.problem}: {started.message}",)
    return (f"{_name(found)} starts on {started.machine}",)


def offer_submit(door: JobsDoor, given: Mapping[str, Any], directory: Path) -> tuple[Offer, Callable[[], str]]:
    """What a new job would send and start, and what does it: nothing is sent before that is called.

    Args:
        door: where jobs are.
        given: the job as `job.toml` would say it.
        directory: where its script lies.

    Raises:
        InputError: the code may not go up, or the place forbids it.
        RunctlError: the place cannot be asked.
    """
    job = build_job(given)
    jobs, region = door.hands_for_new(job.provider)
    bucket = door.settings.jobs.bucket if job.provider == "ec2" else None
    made = prepare(jobs, job, Place(directory, paths.home(), os.environ, region, bucket))

    def send() -> str:
        started = submit(jobs, made)
        name = clean_text(str(made.spec["name"]), 60)
        if started.problem:
            return f"{name} has no machine: {started.problem}: {started.message}"
        return f"{name} starts on {started.machine}: enter opens it"

    return Offer(tuple(_submission(made, job)), made.warnings, (made.job.job,)), send


def _submission(made: Submission, job: Job) -> list[str]:
    lines = [f"{made.spec['name']} runs  {clean_text(' '.join(made.spec['command']), 300)}"]
    if made.preview is not None and made.archive is not None:
        there = "already there" if made.known else f"{format_bytes(len(made.archive.data))} to send"
        files = made.preview.files
        lines.append(f"  code from {made.preview.root.path}: {made.preview.root.reason}")
        lines.append(f"  {len(files)} file{'s' * (len(files) != 1)}, {format_bytes(made.preview.size)}; {there}")
        lines += [f"    {format_bytes(f.size):>10}  {clean_text(f.path, 200)}" for f in largest(list(files), 5)]
        lines += [f"    left out: {clean_text(x.path, 200)} ({x.reason})" for x in made.preview.left_out[:5]]
    lines.append(f"  {made.intent.how}")
    places = made.intent.candidates
    for place in places[:_PLACES]:
        usd = place["usd_per_hour"]
        price = "$?/h" if usd is None else f"${format_usd(usd, 3)}/h"
        tail = f"  not tried: {place['excluded']}" if place["excluded"] else ""
        lines.append(f"    {place['type']:<14} {place['az'] or 'any zone':<12} {place['market']:<10} {price}{tail}")
    if len(places) > _PLACES:
        lines.append(f"    and {len(places) - _PLACES} more, in this order")
    budget = f", or at ${format_usd(job.limits.budget)}" if job.limits.budget is not None else ""
    lines.append(f"  ends itself after {format_duration(job.limits.ttl)}{budget}")
    return lines
