"""Jobs: what the machines' tags tell about training jobs."""

from __future__ import annotations

from runctl.format import format_count, format_time, format_usd
from runctl.keymap import Scope
from runctl.models.job import Job
from runctl.models.snapshot import Source
from runctl.screens.base import FleetScreen
from runctl.screens.cells import (
    NOT_KNOWN,
    NOTHING,
    Cell,
    Detail,
    Spec,
    age,
    duration,
    money,
    outside,
    plain,
    row,
    state,
    state_glyph,
)
from runctl.screens.noun import Noun, Resource
from runctl.store.fields import JOB_FIELDS, Context
from runctl.store.select import jobs
from runctl.widgets.detail import Section


def _step(job: Job, _context: Context) -> Cell:
    if job.step is None:
        return NOT_KNOWN
    return plain(f"{job.step:,}" + (f"/{job.total_steps:,}" if job.total_steps else ""))


def _cost(job: Job, _context: Context) -> Cell:
    end = "?" if job.usd_to_finish is None or job.usd_so_far is None else format_usd(job.usd_so_far + job.usd_to_finish)
    return (*money(job.usd_so_far), (f"→{end}", "muted"))


COLUMNS: tuple[Spec[Job], ...] = (
    Spec("", "", 2, lambda j, c: (state_glyph(j.state), (" ", ""))),
    Spec("id", "JOB", 16, lambda j, c: outside(j.id), flex=True),
    Spec("state", "STATE", 11, lambda j, c: state(j.state)),
    Spec("resource_state", "MACHINE", 9, lambda j, c: state(j.resource_state)),
    Spec("step", "STEP", 12, _step, right=True, keep=40),
    Spec("eta_s", "ETA", 6, lambda j, c: duration(j.eta_s), right=True, keep=30),
    Spec("usd_so_far", "$ SO FAR→END", 12, _cost, right=True),
    Spec("checkpoint_age_s", "CKPT", 5, lambda j, c: duration(j.checkpoint_age_s), right=True, keep=50),
    Spec("attempt", "TRY", 3, lambda j, c: plain(format_count(j.attempt)), right=True, keep=20),
    Spec("instance_id", "INSTANCE", 19, lambda j, c: outside(j.instance_id, "muted"), keep=9),
    Spec("owner", "OWNER", 10, lambda j, c: outside(j.owner or ""), keep=8),
    Spec("project", "PROJECT", 12, lambda j, c: outside(j.project or ""), keep=7),
)


def job_detail(job: Job, context: Context) -> Detail:
    """Outcome, resource and knowledge, which are three different things."""
    machine = context.instances.get(job.instance_id or "")
    facts = [
        row("job", outside(job.id)),
        row("state", (*state(job.state), (f"  attempt {format_count(job.attempt)}", "muted"))),
        row("machine", (*state(job.resource_state), ("  ", ""), *outside(job.instance_id, "muted"))),
        row("seen", (*age(job.last_seen, context), (" ago", "muted"))),
        row("reason", outside(job.reason)),
    ]
    spent = [
        row("so far", (("$", "money"), *money(job.usd_so_far))),
        row("to finish", (("$", "money"), *money(job.usd_to_finish))),
        row("budget", (("$", "money"), *money(job.budget_usd)) if job.budget_usd is not None else NOTHING),
    ]
    progress = [
        row("step", _step(job, context)),
        row("ETA", duration(job.eta_s)),
        row("checkpoint", duration(job.checkpoint_age_s)),
        *(row(name, plain(f"{value:g}")) for name, value in sorted(job.metrics.items())),
    ]
    whose = [row(label, outside(value)) for label, value in (("owner", job.owner), ("project", job.project)) if value]
    if machine is not None:
        whose.append(
            row("runs on", (*outside(machine.name or machine.id), ("  ", ""), *outside(machine.type, "muted")))
        )
        whose.append(row("since", plain(format_time(machine.launched_at))))
    return (
        Section("", tuple(facts)),
        Section("Money", tuple(spent)),
        Section("Progress", tuple(progress)),
        Section("Whose", tuple(whose)),
    )


JOBS: Noun[Job] = Noun(
    name="jobs",
    word=("job", "jobs"),
    fields=JOB_FIELDS,
    sources=(Source.INSTANCES,),
    rows=lambda c: jobs(c.snapshot, c),
    columns=COLUMNS,
    detail=job_detail,
    identify=lambda j: j.id,
    resource=lambda j: Resource("instance", j.region, j.instance_id) if j.instance_id else None,
    title=lambda j: j.id,
    sort="state",
    empty="no machine in {regions} carries a runctl:job tag",
)


class JobsScreen(FleetScreen[Job]):
    """Training jobs."""

    NOUN = JOBS
    SCOPE = Scope.JOBS
