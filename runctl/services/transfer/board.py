"""The transfers of one dashboard: compared, started, paused, cancelled and told, each in a thread of its own."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from runctl.errors import InputError, RunctlError
from runctl.models.transfer import Difference, SyncPreview, Transfer, TransferState
from runctl.services.transfer.changes import Kind
from runctl.services.transfer.client import S3Client
from runctl.services.transfer.plan import Outcome, Plan
from runctl.services.transfer.record import Record
from runctl.services.transfer.sync import Options, Sync
from runctl.services.transfer.uri import parse_location, parse_s3
from runctl.services.transfer.usage import measure

_ACTIONS = {
    Kind.NEW: "copy", Kind.CHANGED: "replace", Kind.UNSURE: "compare", Kind.EXTRA: "delete", Kind.REFUSED: "refuse",
}  # fmt: skip
_SHOWN = 200
_FAILURES = 1000

#: Opens a client for a profile (None: AWS's own rules).
OpenClient = Callable[[str | None], S3Client]
Rules = Callable[[str | None], tuple[bool, Record | None]]


@dataclass(slots=True)
class _Job:
    """A transfer under way or over."""

    number: int
    sync: Sync
    plan: Plan | None
    outcome: Outcome | None = None
    error: str = ""
    last: Transfer | None = field(default=None)

    def run(self) -> None:
        try:
            self.outcome = self.sync.run(self.plan)
        except RunctlError as error:
            self.error = str(error)
        except OSError as error:
            self.error = f"{error.filename or self.sync.target}: {error.strerror or error}"
        except Exception as error:  # noqa: BLE001 - the thread's last line of defence: a person reads it
            self.error = f"{type(error).__name__}: {error} (a defect of runctl; please report it)"


class Board:
    """See the module; every method may be called from any thread, `preview` and `size` take as long as S3 takes.

    Args:
        open_client: makes the client of one transfer.
        options: where journals and caches are, and how fast.
        rules: whether a profile is read-only, and the journal of what is deleted with it.
    """

    def __init__(self, open_client: OpenClient, options: Options, rules: Rules) -> None:
        self._open_client = open_client
        self._options = options
        self._rules = rules
        self._numbers = itertools.count(1)
        self._drafts: dict[int, _Job] = {}
        self._jobs: list[_Job] = []

    def preview(self, profile: str | None, source: str, target: str, *, delete: bool) -> SyncPreview:
        """Compare, and move nothing.

        Raises:
            InputError: ends that cannot be synchronised.
            CloudError: S3 could not be listed.
        """
        ends = parse_location(source), parse_location(target)
        read_only, record = self._rules(profile)
        if read_only and not isinstance(ends[1], Path):
            raise InputError(f"read-only: {target} is not changed", allowed="downloads")
        try:
            sync = Sync(self._open_client(profile), *ends, replace(self._options, delete=delete, record=record))
            plan = sync.plan(_SHOWN)
        except OSError as error:
            raise InputError(f"{error.filename or source}: {error.strerror or error}") from error
        job = _Job(next(self._numbers), sync, plan if delete else None)
        self._drafts = {job.number: job}  # one dialog at a time: what was compared before it is nobody's any more
        return _told(job.number, sync, plan, delete=delete)

    def start(self, ticket: int) -> None:
        """Start what was compared.

        Raises:
            InputError: that comparison is gone.
        """
        job = self._drafts.pop(ticket, None)
        if job is None:
            raise InputError("this comparison is gone", allowed="compare again")
        self._jobs.append(job)
        threading.Thread(target=job.run, name=f"transfer {job.number}", daemon=True).start()

    def transfers(self) -> tuple[Transfer, ...]:
        """All of this session, the newest first."""
        return tuple(_shown(job) for job in reversed(self._jobs))

    def pause(self, number: int) -> None:
        """Stop one after what is under way, or let it go on."""
        for job in self._jobs:
            if job.number == number:
                control = job.sync.control
                (control.resume if control.paused else control.pause)()

    def cancel(self, number: int) -> None:
        """Stop one for good; the same sync started again goes on where it stopped."""
        for job in self._jobs:
            if job.number == number:
                job.sync.control.cancel()

    def size(self, profile: str | None, place: str) -> tuple[int, int]:
        """(objects, bytes) below an s3:// address: every key is listed.

        Raises:
            CloudError: it could not be listed in full.
        """
        total = measure(self._open_client(profile), parse_s3(place), depth=0).total
        return total.objects, total.bytes


def _told(ticket: int, sync: Sync, plan: Plan, *, delete: bool) -> SyncPreview:
    groups = plan.groups
    counted = [
        ("new", groups[Kind.NEW].files, groups[Kind.NEW].bytes),
        ("changed", groups[Kind.CHANGED].files, groups[Kind.CHANGED].bytes),
        ("deleted", *((plan.deletions.count, plan.deletions.bytes) if delete and not plan.forbidden else (0, 0))),
        ("skipped", groups[Kind.SAME].files, groups[Kind.SAME].bytes),
        ("refused", groups[Kind.REFUSED].files, groups[Kind.REFUSED].bytes),
    ]
    first = [
        Difference(_ACTIONS[c.kind], c.name, c.size, c.reason)
        for c in plan.changes
        if c.kind in _ACTIONS and ((delete and not plan.forbidden) or c.kind is not Kind.EXTRA)
    ]
    moves = plan.moves
    return SyncPreview(
        ticket, str(sync.source), str(sync.target), tuple(counted), tuple(first[:_SHOWN]), moves.files, moves.bytes,
        counted[2][1], plan.forbidden if delete and plan.deletions.count else "",
    )  # fmt: skip


def _shown(job: _Job) -> Transfer:
    if job.last is not None:  # over: it changes no more
        return job.last
    outcome, error, sync = job.outcome, job.error, job.sync
    progress = sync.progress()
    over = outcome is not None or bool(error)
    made = Transfer(
        job.number, str(sync.source), str(sync.target), _state(job, paused=progress.paused),
        progress.files_done, progress.files_total, progress.files_failed, progress.bytes_done, progress.bytes_total,
        progress.planned, None if over else progress.rate, None if over else progress.eta_s,
        "" if over else next(iter(progress.active), ""),
        tuple((f.name, f.reason) for f in sync.tally.failures[:_FAILURES]), _message(outcome, error),
    )  # fmt: skip
    if over:
        job.last = made
    return made


def _state(job: _Job, *, paused: bool) -> TransferState:
    outcome = job.outcome
    if job.error:
        return TransferState.FAILED
    if outcome is None:
        return TransferState.PAUSED if paused else TransferState.RUNNING
    if outcome.cancelled:
        return TransferState.CANCELLED
    if outcome.exit_code == 0:
        return TransferState.DONE
    return TransferState.PARTLY if outcome.files else TransferState.FAILED


def _message(outcome: Outcome | None, error: str) -> str:
    if error or outcome is None:
        return error
    if outcome.fatal is not None:
        return f"stopped: {outcome.fatal}"
    if outcome.cancelled:
        return "cancelled; the same sync goes on where it stopped"
    if outcome.undeleted:
        return f"nothing was deleted: {outcome.undeleted}"
    deleted = f", {outcome.deleted} deleted" if outcome.deleted else ""
    return f"{outcome.files} moved, {outcome.same} the same{deleted} in {outcome.elapsed_s:.0f} s"
