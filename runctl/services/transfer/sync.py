"""One transfer from end to end: what would happen (`plan`), and making it so (`run`)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from runctl.clock import Clock, SystemClock
from runctl.errors import InputError
from runctl.services.transfer import compare, leftovers
from runctl.services.transfer.cache import Known, SyncCache
from runctl.services.transfer.changes import Change, How, Kind, NameFilter
from runctl.services.transfer.client import S3Client
from runctl.services.transfer.context import Context, Tuning
from runctl.services.transfer.control import Bandwidth, Cancelled, Control
from runctl.services.transfer.destination import Destination
from runctl.services.transfer.engine import Engine, Mover
from runctl.services.transfer.journal import Ends, Journal
from runctl.services.transfer.movers import Copies, Downloads, Uploads
from runctl.services.transfer.paths import CaseGuard, temporary_name
from runctl.services.transfer.plan import NameList, Outcome, Plan
from runctl.services.transfer.progress import FileFailed, FileNoted, Observer, Progress, Tally
from runctl.services.transfer.sides import Location, Sides, check_ends
from runctl.services.transfer.uri import S3Uri

if TYPE_CHECKING:  # policy and journal of changes: only for who deletes
    from runctl.services.transfer.record import Record


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for.

    Args:
        state: directory of the journal, which survives kills.
        cache: directory of sync caches, None for none.
        how: how files are compared.
        delete: delete in the target what the source has not.
        names: which names take part, on both sides.
        bandwidth: bytes a second over all workers, None for no limit.
        follow: follow symbolic links of a local source.
        tuning: sizes and numbers.
        record: the journal of changes, for what is deleted in S3; None only in tests.
    """

    state: Path
    cache: Path | None = None
    how: How = How.TIME
    delete: bool = False
    names: NameFilter = field(default_factory=NameFilter)
    bandwidth: int | None = None
    follow: bool = True
    tuning: Tuning = field(default_factory=Tuning)
    record: Record | None = None


class Sync:
    """Makes a prefix or directory equal to another.

    Args:
        client: speaks S3; its control pauses and cancels this transfer.
        source: directory or prefix.
        target: directory or prefix; one of the two is in S3.
        options: see there.
        observers: told of each file, from worker threads.

    Raises:
        InputError: both are local, or one lies inside the other.
    """

    def __init__(
        self,
        client: S3Client,
        source: Location,
        target: Location,
        options: Options,
        *,
        observers: tuple[Observer, ...] = (),
        clock: Clock | None = None,
    ) -> None:
        check_ends(source, target)
        self.source, self.target, self.options = source, target, options
        self._client = client
        self._clock = clock or SystemClock()
        self.tally = Tally(self._clock, observers)
        endpoint = client.site.endpoint
        self._endpoint = f"{endpoint[1]}:{endpoint[2]}{endpoint[3]}" if endpoint else ""
        two_remotes = isinstance(source, S3Uri) and isinstance(target, S3Uri)
        self._cache = SyncCache(None if two_remotes else options.cache, self._pair())
        self._context = Context(
            client, client.control, Bandwidth(options.bandwidth, self._clock), options.tuning,
            Journal(options.state), self._endpoint, self.tally.moved,
        )  # fmt: skip
        self._order = compare.ServerOrder(options.cache, self._endpoint)
        self._sides = self._new_sides(presorted=True)
        self._extras = NameList()

    @property
    def control(self) -> Control:
        """Pause, resume, cancel."""
        return self._client.control

    def progress(self) -> Progress:
        """How far it is."""
        return self.tally.progress(paused=self.control.paused)

    def _pair(self) -> tuple[str, ...]:
        local = self.source if isinstance(self.source, Path) else self.target
        remote = self.target if local is self.source else self.source
        where = f"s3://{remote.bucket}/{remote.directory}" if isinstance(remote, S3Uri) else str(remote)
        return (self._endpoint, where, os.path.realpath(local) if isinstance(local, Path) else "")

    # --- comparing ---

    def plan(self, keep: int = 10_000) -> Plan:
        """Compare everything and move nothing; files whose content must decide are listed as unsure.

        Raises:
            CloudError: a listing failed.
            OSError: the local directory cannot be read.
        """
        for presorted in self._order.ways():
            plan = Plan(keep)
            try:
                for change in self._compare(presorted=presorted):
                    plan.add(change)
            except compare.UnorderedError:
                self._order.found_wrong()
                continue
            break
        for name, size in self._extras:
            plan.add(Change(Kind.EXTRA, name, size, reason="only in the target"))
        plan.forbidden = self._undeletable()
        return plan

    def _new_sides(self, *, presorted: bool) -> Sides:
        return Sides(
            self._client,
            self.options.names,
            follow=self.options.follow,
            presorted=presorted,
            into_directory=isinstance(self.target, Path),
        )

    def _compare(self, *, presorted: bool) -> Iterator[Change]:
        """Every name in order, but for extras: they only count once everything was seen, and collect in `_extras`.

        Raises:
            UnorderedError: `presorted` was wrong of the server; what was yielded before is right but not all.
        """
        options = self.options
        sides = self._sides = self._new_sides(presorted=presorted)
        extras = self._extras = NameList()
        targets = iter(()) if options.how is How.ALWAYS and not options.delete else sides.target(self.target)
        known: Iterator[Known] = iter(()) if options.how in (How.SIZE, How.ALWAYS) else self._cache.rows()
        cased = self._case_guard()
        for name, source, target, row in compare.side_by_side(sides.source(self.source), targets, known):
            while sides.refused:
                yield sides.refused.popleft()
            change = compare.decide(name, source, target, row, options.how)
            if change.kind is Kind.EXTRA:
                extras.add(name, change.size)
                continue
            if cased is not None and (other := cased.clash(name)):
                reason = f"differs only by case from {other}"
                if cased.insensitive:
                    yield Change(Kind.REFUSED, name, change.size, source, target, f"{reason}, one file on this disk")
                    continue
                yield Change(Kind.NOTE, name, reason=reason)
            yield change
        while sides.refused:
            yield sides.refused.popleft()

    def _case_guard(self) -> CaseGuard | None:
        """Only for a directory; asked of the disk once there is one."""
        if not isinstance(self.target, Path):
            return None
        there = self.target.is_dir() and os.access(self.target, os.W_OK)
        return CaseGuard(insensitive=there and Destination(self.target).ignores_case())

    def _undeletable(self) -> str:
        """Why nothing may be deleted after this comparison, "" when it may."""
        if not self._sides.sources:
            return "the source is empty"
        return f"the tree could not be read in full ({self._sides.troubled})" if self._sides.troubled else ""

    # --- moving ---

    def run(self, plan: Plan | None = None) -> Outcome:
        """Compare and move as it goes; with `delete`, afterwards delete what `plan` named and is still extra.

        Raises:
            InputError: `delete` without a plan.
            CloudError: a listing failed; what was moved is moved, nothing is deleted.
            OSError: the local directory cannot be read or made.
        """
        if self.options.delete and plan is None:
            raise InputError("a sync that deletes needs a plan first", allowed="Sync.plan, then Sync.run(plan)")
        self.tally.start()
        destination = Destination(self.target) if isinstance(self.target, Path) else None
        mover = self._mover(destination)
        cancelled = False
        fatal: BaseException | None = None
        for presorted in self._order.ways():
            engine = Engine(mover, self.control, self.tally, workers=self.options.tuning.workers)
            try:
                self._submit(engine, presorted=presorted)
            except compare.UnorderedError:
                engine.close()
                self._order.found_wrong()
                self._cache.save()
                self.tally.restart()
                continue
            except Cancelled:
                cancelled = True
            except BaseException:
                self.control.cancel()  # a listing failed or Ctrl-C: end with what is under way, start nothing more
                engine.close()
                self._cache.save()
                raise
            engine.close()
            fatal = engine.fatal
            break
        cancelled = cancelled or self.control.cancelled
        undeleted = ""
        if not cancelled and fatal is None:
            undeleted = self._delete(plan, destination) if self.options.delete and plan is not None else ""
            self._clear(destination)
        self._cache.save()
        return self._outcome(undeleted, fatal, cancelled=cancelled)

    def _submit(self, engine: Engine, *, presorted: bool) -> None:
        tally = self.tally
        for change in self._compare(presorted=presorted):
            if change.kind is Kind.SAME:
                tally.compared(same=True)
            elif change.kind is Kind.REFUSED:
                tally.end(FileFailed(change.name, change.reason, "Refused", refused=True))
            elif change.kind is Kind.NOTE:
                tally.end(FileNoted(change.name, change.reason))
            else:
                tally.compared(same=False, size=change.size)
                if not engine.submit(change):
                    return
            self.control.check()
        tally.planned = True

    def _mover(self, destination: Destination | None) -> Mover:
        source, target = self.source, self.target
        if isinstance(source, Path) and isinstance(target, S3Uri):
            prefix = target.directory
            return Uploads(
                self._context, self.tally, self._cache, target.bucket, lambda n: source / n, lambda n: prefix + n
            )
        assert isinstance(source, S3Uri)  # noqa: S101 - check_ends refused two directories
        if isinstance(target, Path):
            assert destination is not None  # noqa: S101 - made for every directory
            return Downloads(self._context, self.tally, self._cache, source.bucket, destination, target)
        prefix = target.directory
        return Copies(self._context, self.tally, source.bucket, target.bucket, lambda n: prefix + n)

    def _delete(self, plan: Plan, destination: Destination | None) -> str:
        """Delete extras; the reason when nothing was."""
        if not self._extras.count:
            return ""
        if reason := self._undeletable() or (f"{self.tally.failed} files failed" if self.tally.failed else ""):
            return reason
        from runctl.services.transfer import deletion

        names = (name for name, _ in self._extras.also_in(plan.deletions))
        if destination is not None:
            deletion.delete_files(destination, names, self.tally, self._cache, self.control)
        else:
            assert isinstance(self.target, S3Uri)  # noqa: S101 - no directory, then
            prefix = self.target.directory
            record = self.options.record
            deletion.delete_keys(self._client, self.target.bucket, prefix, names, self.tally, self._cache, record)
        return ""

    def _clear(self, destination: Destination | None) -> None:
        """Finish off what killed runs of this pair left and this run did not need."""
        failed = frozenset(f.name for f in self.tally.failures)
        if destination is not None and isinstance(self.target, Path):
            root = self.target
            heads = ((name.rpartition("/")[0], name.rpartition("/")[2]) for name in failed)
            keep = frozenset(f"{head}/{temporary_name(last)}".lstrip("/") for head, last in heads)
            leftovers.clear_strays(destination, self._sides.strays, keep)
            paths = frozenset(f"{root}/{name}" for name in failed)
            leftovers.clear_records(self._context, lambda e: _is_download(e, root), paths)
        elif isinstance(self.target, S3Uri):
            bucket, prefix = self.target.bucket, self.target.directory
            keys = frozenset(prefix + name for name in failed)
            source = self.source
            head = leftovers.below(source) if isinstance(source, Path) else f"s3://{source.bucket}/{source.directory}"
            leftovers.clear_records(self._context, lambda e: _is_upload(e, head, bucket, prefix), keys)

    def _outcome(self, undeleted: str, fatal: BaseException | None, *, cancelled: bool) -> Outcome:
        tally, progress = self.tally, self.tally.progress()
        return Outcome(
            tally.done, tally.bytes_done, tally.same, tally.deleted, tuple(tally.failures), tally.failed,
            tuple(tally.notes), undeleted, cancelled, fatal, progress.elapsed_s, self._client.retries,
        )  # fmt: skip


def _is_download(ends: Ends, root: Path) -> bool:
    return ends.kind == "download" and ends.path.startswith(leftovers.below(root))


def _is_upload(ends: Ends, head: str, bucket: str, prefix: str) -> bool:
    """Whether a record is of one pair: from below `head` into this prefix."""
    there = ends.bucket == bucket and ends.key.startswith(prefix)
    return ends.kind != "download" and there and ends.path.startswith(head)
