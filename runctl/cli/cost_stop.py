"""`runctl cost budgets --stop`: stops the machines that a used-up budget is about, where settings allow that.

A budget counts as used up when what is known to be spent reaches it: what is not known can only add to that. One that
nobody can judge alarms, and stops nothing. A machine on which a job runs is not stopped: its job is, and saves first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from runctl.cli import acting, fleet, output
from runctl.cli.fleet import Fleet
from runctl.cli.invocation import Invocation
from runctl.errors import InputError, RunctlError
from runctl.models.instance import Instance, InstanceState
from runctl.models.job import Job
from runctl.models.plan import ItemResult, Outcome, Plan, PlanItem, Refusal, Rule, Verb
from runctl.models.snapshot import Source
from runctl.store.budget import BudgetLine
from runctl.store.select import budgets

if TYPE_CHECKING:
    pass

#: What forbids to touch a machine at all, by whatever way.
_NEVER = frozenset(
    {
        Rule.READ_ONLY, Rule.PROTECTED_PROFILE, Rule.TAGS_UNREADABLE, Rule.NOT_OURS, Rule.OTHER_OWNER, Rule.PROTECTED,
        Rule.TERMINATION_PROTECTED,
    }
)  # fmt: skip


def stop_over_budget(call: Invocation) -> int:
    """Look, plan, ask, stop; returns the exit code.

    Raises:
        InputError: stopping is not switched on, nobody said yes, or jobs could not be looked at.
        CloudError: AWS could not be asked.
    """
    if not call.settings.budgets.stop:
        raise InputError(
            "budgets stop nothing here: that is not switched on",
            allowed="stop = true in [budgets]",
            example="[budgets], and below it stop = true",
        )
    if call.args.cached or call.output not in ("table", "json"):
        raise InputError("--stop acts on what is there now", allowed="neither --cached nor another -o than table, json")
    overrides = acting.overrides_of(call)
    seen = fleet.read_fleet(call, fleet.sources_of(("cost", "jobs")))
    output.report_failures(call, seen)
    if not all(s.complete for s in seen.statuses(Source.JOBS)):
        raise InputError("jobs could not be looked at: nothing is stopped, for nobody knows what runs", example="-v")
    missing = 4 if any(seen.snapshot.errors) else 0
    over = [line for line in budgets(seen.context) if line.mark >= 100]
    _say(call, budgets(seen.context))
    reasons = {m.id: line.text for line in reversed(over) for m in machines_of(line, seen)}
    machines = [m for m in seen.snapshot.instances if m.id in reasons]
    if not machines:
        call.hint("no machine runs that a used-up budget is about: nothing to stop")
        return acting.tell(call, Plan("", call.clock.now(), "", "", "", ())) or missing
    door = acting.open_door(call)
    plan = door.draft_on(Verb.STOP, machines, None, overrides, reasons=reasons)
    plan, going = _with_jobs(plan, seen.snapshot.jobs, door.ground.actor.owner)
    return acting.carry_out(call, door, plan, first=lambda p: _stop_jobs(call, p, going)) or missing


def _say(call: Invocation, lines: Iterable[BudgetLine]) -> None:
    for line in lines:
        if line.mark >= 100:
            call.hint(call.style.clean(line.text, 300))
        elif line.unknown:
            call.hint(call.style.clean(f"{line.text}: nothing is stopped for it", 300))


def machines_of(line: BudgetLine, seen: Fleet) -> tuple[Instance, ...]:
    """The running machines that a budget is about, whosever they are: the door refuses those that are not ours."""
    hosts = {j.instance_id for j in seen.snapshot.jobs if j.id == line.name}
    about: dict[str, Callable[[Instance], bool]] = {
        "project": lambda m: m.ownership.project == line.name,
        "owner": lambda m: m.ownership.owner == line.name,
        "job": lambda m: m.ownership.job == line.name or m.id in hosts,
    }
    belongs = about.get(line.scope)
    running = (m for m in seen.snapshot.instances if m.state is InstanceState.RUNNING)
    return tuple(m for m in running if belongs is None or belongs(m))


def _with_jobs(plan: Plan, jobs: Iterable[Job], owner: str) -> tuple[Plan, dict[str, tuple[Job, ...]]]:
    """The plan with what runs on each machine, and by item the jobs to stop instead of the machine."""
    from runctl.services.jobs.seen import Outcome as JobOutcome

    over = {o.value for o in JobOutcome if o.over}
    working: dict[str, list[Job]] = {}
    for job in jobs:
        if job.instance_id and job.provider != "local" and job.state not in over:
            working.setdefault(job.instance_id, []).append(job)
    going: dict[str, tuple[Job, ...]] = {}
    items: list[PlanItem] = []
    for item in plan.items:
        own = tuple(working.get(item.id, ()))
        if not own or any(r.rule in _NEVER for r in item.refusals):
            items.append(item)
            continue
        going[item.key] = own
        items.append(_job_item(item, own, owner))
    return replace(plan, items=tuple(items)), going


def _job_item(item: PlanItem, jobs: tuple[Job, ...], owner: str) -> PlanItem:
    foreign = [j for j in jobs if j.owner != owner]
    if foreign:
        said = f"the job {foreign[0].id} of {foreign[0].owner or 'nobody known'} runs on it"
        return replace(item, refusals=(Refusal(Rule.OTHER_OWNER, said),))
    names = ", ".join(j.id for j in jobs)
    said = f"its job is told to stop ({names}): it saves, uploads, verifies, then ends its machine as it was asked to"
    return replace(item, refusals=(), lost=(), recoverable=said)


def _stop_jobs(call: Invocation, plan: Plan, going: dict[str, tuple[Job, ...]]) -> Plan:
    """Tell the jobs; the plan with what came of that, so that the door leaves their machines alone."""
    from runctl.cli.jobs_connect import open_jobs

    for item in (i for i in plan.items if i.key in going):
        if item.refusals:
            plan = plan.with_result(
                ItemResult(item, Outcome.REFUSED, item.refusals[0].rule, item.refusals[0].reason, exit_class=1)
            )
            continue
        try:
            jobs = open_jobs(call)
            for job in going[item.key]:
                jobs.stop(jobs.find(job.id), f"stopped for {item.reason}")
            told = f"told {', '.join(j.id for j in going[item.key])} to stop: it saves, uploads and ends by itself"
            plan = plan.with_result(ItemResult(item, Outcome.DONE, reason=told))
        except RunctlError as error:
            # Refused, not failed: a failed item is open, and the door would take the machine from under the job.
            said = f"its job could not be told to stop: {error}"
            plan = plan.with_result(ItemResult(item, Outcome.REFUSED, Rule.RUNNING_JOB, said, exit_class=1))
    return plan
