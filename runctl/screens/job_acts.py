"""What can be done to a job from the list and from the opened job: stop it, go on with it, try it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import App

from runctl.format import clean_text
from runctl.models.job import Job
from runctl.screens import modals
from runctl.screens.desk import Desk
from runctl.screens.job_cells import is_over
from runctl.services.jobs.seen import Outcome

if TYPE_CHECKING:
    from runctl.services.jobs.hands import JobsDoor
    from runctl.services.jobs.offers import Offer


class JobActs:
    """Opens the dialogs.

    Args:
        app: shows them.
        desk: what the application lends.
        ascii_only: draw ASCII only.
        done: called when something was done.
    """

    def __init__(self, app: App[object], desk: Desk, *, ascii_only: bool, done: Callable[[], None]) -> None:
        self._app, self._desk, self._ascii, self._done = app, desk, ascii_only, done

    def _open(
        self,
        title: str,
        go: str,
        look: Callable[[JobsDoor], Offer],
        act: Callable[[JobsDoor, Offer], tuple[str, ...]],
    ) -> None:
        modal = modals.JobModal(title, look, act, self._desk, go=go, ascii_only=self._ascii)
        self._app.push_screen(modal, lambda acted: self._done() if acted else None)

    def stop(self, jobs: Sequence[Job]) -> None:
        """Stop by the job's own way: it saves, uploads, verifies and ends."""
        ids = [job.id for job in jobs]
        title = f"stop {_name(jobs[0])}" if len(jobs) == 1 else f"stop {len(jobs)} jobs"

        self._open(title, "stop", lambda door: door.offer_stop(ids), lambda door, offer: door.stop(offer.jobs))

    def go_on(self, job: Job, cause: str, *, fresh: bool) -> None:
        """Another attempt."""
        self._open(
            f"{cause} {_name(job)}",
            cause,
            lambda door: door.offer_going_on(job.id, cause=cause, fresh=fresh),
            lambda door, _: door.go_on(job.id, cause=cause, fresh=fresh),
        )

    def submit(self) -> None:
        """A new job: the lines, then what would be sent and started, then the question."""
        from runctl.screens.submit_form import judge_submit, submit_fields

        here = Path.cwd()
        lines = submit_fields(bucket=self._desk.settings.jobs.bucket is not None)

        def filled(given: Mapping[str, Any] | None) -> None:
            if given is not None:
                self._submit(given, here)

        form = modals.FormModal("a new job", lines, lambda values: judge_submit(values, here), intro=f"from {here}")
        self._app.push_screen(form, filled)

    def _submit(self, given: Mapping[str, Any], here: Path) -> None:
        ready: list[Callable[[], str]] = []

        def look(door: JobsDoor) -> Offer:
            offer, send = door.offer_submit(given, here)
            ready[:] = [send]
            return offer

        self._open(f"submit {clean_text(str(given['script']), 60)}", "submit", look, lambda *_: (ready[0](),))

    def menu(self, job: Job, machine: Callable[[], None] | None = None) -> None:
        """Everything that can be done to one job, and to its machine where `machine` opens that menu."""
        options = []
        if not is_over(job):
            options.append(modals.Option("stop", "stop", "it saves, uploads, verifies, then its machine ends"))
        if is_over(job) or job.state == Outcome.INTERRUPTED:
            options += [
                modals.Option("resume", "resume", "another attempt from the newest complete checkpoint"),
                modals.Option("retry", "retry", "the same, or from the start where there is none"),
                modals.Option("fresh", "retry from the start", "another attempt that begins anew"),
            ]
        if machine is not None and job.instance_id:
            options.append(modals.Option("machine", "its machine …", clean_text(job.instance_id, 40)))

        def picked(chosen: tuple[str, ...] | None) -> None:
            match chosen:
                case ("stop",):
                    self.stop([job])
                case ("machine",) if machine is not None:
                    machine()
                case ("fresh",):
                    self.go_on(job, "retry", fresh=True)
                case (cause,):
                    self.go_on(job, cause, fresh=False)

        self._app.push_screen(modals.PickModal(f"what to do with {_name(job)}", options), picked)


def _name(job: Job) -> str:
    return clean_text(job.name or job.id, 40)
