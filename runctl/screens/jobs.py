"""Jobs: what came of the work, what its machine does and costs, and how well that is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import BindingType

from runctl.format import clean_text, format_count, format_time
from runctl.keymap import Scope, bindings_for
from runctl.models.job import Job
from runctl.models.plan import Verb
from runctl.models.snapshot import Health, Source
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
from runctl.screens.job_acts import JobActs
from runctl.screens.job_cells import (
    has_record,
    is_over,
    job_name,
    loss_cell,
    money_cell,
    resource_words,
    risk_cell,
    safety_cell,
    step_cell,
    still_bills,
)
from runctl.screens.noun import Noun, Resource
from runctl.services.jobs.seen import NO_BUCKET, Outcome
from runctl.store.fields import JOB_FIELDS, Context
from runctl.store.select import PanelStatus, jobs, panel_status
from runctl.theme import ASCII
from runctl.widgets.detail import Section

COLUMNS: tuple[Spec[Job], ...] = (
    Spec("", "", 2, lambda j, c: (state_glyph(j.state), (" ", ""))),
    Spec("name", "JOB", 12, lambda j, c: job_name(j), flex=True),
    Spec("state", "STATE", 11, lambda j, c: state(j.state)),
    Spec("step", "STEP", 15, step_cell, right=True, keep=70),
    Spec("", "LOSS", 15, loss_cell, keep=30),
    Spec("eta_s", "ETA", 5, lambda j, c: _eta(j), right=True, keep=50),
    Spec("usd_so_far", "$ SO FAR→END", 12, money_cell, right=True),
    Spec("checkpoint_age_s", "CKPT", 5, lambda j, c: _checkpoint(j), right=True, keep=40),
    Spec("at_risk_s", "SAFE?", 19, safety_cell, flex=True),
    Spec("resource_state", "MACHINE", 10, lambda j, c: state(j.resource_state), keep=20),
    Spec("instance_id", "INSTANCE", 19, lambda j, c: outside(j.instance_id, "muted"), keep=9),
    Spec("owner", "OWNER", 10, lambda j, c: outside(j.owner or ""), keep=8),
    Spec("project", "PROJECT", 12, lambda j, c: outside(j.project or ""), keep=7),
    Spec("id", "ID", 26, lambda j, c: outside(j.id, "muted"), keep=6),
)


def _eta(job: Job) -> Cell:
    known_by_nature = job.state in (Outcome.RUNNING, Outcome.CANCELLING) or not has_record(job)
    return duration(job.eta_s) if known_by_nature else NOTHING


def _checkpoint(job: Job) -> Cell:
    return NOTHING if job.checkpoint_age_s is None else duration(job.checkpoint_age_s)


def job_detail(job: Job, context: Context) -> Detail:
    """Outcome, resource and knowledge, which are three different things."""
    machine = context.instances.get(job.instance_id or "")
    tries = f"  attempt {format_count(job.attempt)}" if job.attempt is not None else ""
    facts = [
        row("job", outside(job.name)),
        row("id", outside(job.id)),
        row("state", (*state(job.state), (tries, "muted"))),
        row("machine", plain(resource_words(job, context), "warn" if still_bills(job) else "")),
        row("", outside(job.instance_id, "muted")) if job.instance_id else None,
        row("known", outside(job.knowledge or "?", "" if job.knowledge in ("live", "ended") else "warn")),
        row("seen", NOT_KNOWN if job.last_seen is None else (*age(job.last_seen, context), (" ago", "muted"))),
        row("reason", outside(job.reason)) if job.reason else None,
    ]
    spent = [
        row("so far", (("$", "money"), *money(job.usd_so_far))),
        None if is_over(job) else row("to finish", (("$", "money"), *money(job.usd_to_finish))),
        row("budget", (("$", "money"), *money(job.budget_usd)) if job.budget_usd is not None else NOTHING),
        row("budget left", _left(job)) if job.budget_usd is not None else None,
    ]
    progress = [
        row("step", step_cell(job, context)),
        None if is_over(job) else row("steps/s", plain("?" if not job.steps_per_s else f"{job.steps_per_s:.3g}")),
        None if is_over(job) else row("ETA", duration(job.eta_s)),
        row("checkpoint", _checkpoint(job)),
        None if is_over(job) else row("safe now", risk_cell(job)),
        *(row(clean_text(name, 24), plain(f"{value:g}")) for name, value in sorted(job.metrics.items())),
    ]
    whose = [row(label, outside(value)) for label, value in (("owner", job.owner), ("project", job.project)) if value]
    if machine is not None:
        named = (*outside(machine.name or machine.id), ("  ", ""), *outside(machine.type, "muted"))
        whose += [row("runs on", named), row("since", plain(format_time(machine.launched_at)))]
    whose.append(row("submitted", plain(format_time(job.submitted_at)))) if job.submitted_at else None
    sections = (("", facts), ("Money", spent), ("Progress", progress), ("Whose", whose))
    return tuple(Section(title, tuple(r for r in rows if r is not None)) for title, rows in sections)


def _left(job: Job) -> Cell:
    known = job.budget_usd is not None and job.usd_so_far is not None
    return (("$", "money"), *money((job.budget_usd or 0.0) - (job.usd_so_far or 0.0))) if known else NOT_KNOWN


#: What needs a person or still goes on comes before what is over.
_LAST = len(Outcome)
_ORDER = {o.value: n for n, o in enumerate((
    Outcome.RUNNING, Outcome.CANCELLING, Outcome.FINALIZING, Outcome.SYNCING, Outcome.BOOTSTRAPPING,
    Outcome.PROVISIONING, Outcome.PENDING, Outcome.RECOVERING, Outcome.INTERRUPTED, Outcome.UNREACHABLE,
    Outcome.UNKNOWN,
))}  # fmt: skip


def in_order(found: Sequence[Job]) -> list[Job]:
    """What goes on, then what is over and still bills, then the rest; the newest of each first."""
    newest = sorted(found, key=lambda j: (has_record(j), j.id), reverse=True)
    return sorted(newest, key=lambda j: _ORDER.get(j.state, _LAST - still_bills(j)))


def _hint(context: Context) -> str:
    """What to set where jobs could be kept and are not."""
    if context.settings.jobs.bucket is None:
        return (f"and no job has a record on this computer. {NO_BUCKET}\n"
                "without one: runctl jobs submit train.py --provider local")  # fmt: skip
    return f"and s3://{clean_text(context.settings.jobs.bucket)} has no record of any: runctl jobs submit train.py"


JOBS: Noun[Job] = Noun(
    name="jobs",
    word=("job", "jobs"),
    fields=JOB_FIELDS,
    sources=(Source.JOBS, Source.INSTANCES),
    rows=lambda c: in_order(jobs(c.snapshot, c)),
    columns=COLUMNS,
    detail=job_detail,
    identify=lambda j: j.id,
    resource=lambda j: Resource("instance", j.region, j.instance_id) if j.instance_id else None,
    title=lambda j: j.name or j.id,
    sort="",
    empty="no machine in {regions} carries a runctl:job tag",
    hint=_hint,
)

#: Records that are all there, now or a while ago.
_READ = (Health.LIVE, Health.STALE)


class JobsScreen(FleetScreen[Job]):
    """Training jobs: those with a record, and those of which only the tags of machines tell."""

    NOUN = JOBS
    SCOPE = Scope.JOBS
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Scope.JOBS)]

    def can_change(self, row: Job | None) -> bool:
        """A job with a record, or one whose machine is there."""
        return row is not None and (has_record(row) or super().can_change(row))

    def open_row(self, row: Job) -> None:
        """Enter: the job over the whole screen; one without a record has nothing to read but its detail."""
        self._open(row)

    def action_logs(self) -> None:
        """The job with its log over the whole screen."""
        if (row := self._row()) is not None:
            self._open(row, "log")

    def action_metrics(self) -> None:
        """The job with its curves over the whole screen."""
        if (row := self._row()) is not None:
            self._open(row, "curve")

    # -- changing ------------------------------------------------------------------------------------------------------

    @property
    def _acts(self) -> JobActs:
        return JobActs(self.app, self.desk, ascii_only=self.signs is ASCII, done=self._acted)

    def _acted(self) -> None:
        self.table.marks = frozenset()

    def action_stop(self) -> None:
        """Stop the job by its own way; where only tags tell of one, its machine."""
        self.with_rows(self._stop_rows)

    def _stop_rows(self, rows: Sequence[Job]) -> None:
        if rows and all(has_record(row) for row in rows):
            self._acts.stop(rows)
        elif any(has_record(row) for row in rows):
            self.notify("some of these have no record: stop those by their machines", markup=False)
        else:
            self._hand_over(rows, lambda live: self.act(Verb.STOP, live))

    def action_submit_job(self) -> None:
        """A new job."""
        self._acts.submit()

    def action_menu(self) -> None:
        """What can be done to the job; to machines where no record tells of one."""
        row = self.table.cursor_row
        if row is not None and has_record(row) and not self.table.marks:
            self._acts.menu(row, super().action_menu if row.id and self._live(self.noun.resource(row)) else None)
        else:
            super().action_menu()

    def _open(self, row: Job, pane: str = "") -> None:
        if has_record(row):
            from runctl.screens.job_view import JobScreen

            self.app.push_screen(JobScreen(self.desk, row, self, pane))
        elif pane and panel_status(self.context, Source.JOBS, self.desk.settings.ui.refresh_s).health not in _READ:
            self.notify("its record is not read yet: only the tags of its machine tell of it", markup=False)
        elif pane:
            self.notify("it has no record: only the tags of its machine tell of it", markup=False)
        else:
            FleetScreen.open_row(self, row)

    def panel(self) -> PanelStatus:
        """The records' state; where those are all there, that of the machines whose tags tell of jobs as well."""
        every = self.desk.settings.ui.refresh_s
        records, machines = (panel_status(self.context, source, every) for source in self.noun.sources)
        sound = records.health in _READ
        return machines if sound and machines.health is not Health.LIVE else records
