"""What a transfer would do, in numbers and names, before anything moves; and what it did."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from runctl.services.transfer.changes import Change, Kind
from runctl.services.transfer.progress import FileFailed, FileNoted

_SPILL = 4 << 20


class NameList:
    """Names in the order given, kept in a temporary file once they are many."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self.count = 0
        self.bytes = 0

    def add(self, name: str, size: int) -> None:
        """Add a name; `size` bytes belong to it."""
        if self._file is None:
            import tempfile

            self._file = tempfile.SpooledTemporaryFile(max_size=_SPILL, mode="w+b")  # noqa: SIM115 - lives as long as this
        self._file.write(json.dumps([name, size]).encode() + b"\n")
        self.count += 1
        self.bytes += size

    def __iter__(self) -> Iterator[tuple[str, int]]:
        if self._file is None:
            return
        self._file.seek(0)
        for line in self._file:
            name, size = json.loads(line)
            yield name, size

    def also_in(self, other: NameList) -> Iterator[tuple[str, int]]:
        """What both hold; both are sorted."""
        theirs = iter(other)
        there = next(theirs, None)
        for name, size in self:
            while there is not None and there[0] < name:
                there = next(theirs, None)
            if there is not None and there[0] == name:
                yield name, size


@dataclass(slots=True)
class Group:
    """Files and bytes of one kind of change."""

    files: int = 0
    bytes: int = 0


@dataclass(slots=True)
class Plan:
    """A finished comparison.

    Args:
        groups: files and bytes by kind.
        changes: what would move, be deleted or refused: the first `keep` of each kind.
        deletions: every name that `delete` would delete.
        forbidden: why nothing may be deleted, "" when it may.
    """

    keep: int = 10_000
    groups: dict[Kind, Group] = field(default_factory=lambda: {kind: Group() for kind in Kind})
    changes: list[Change] = field(default_factory=list)
    deletions: NameList = field(default_factory=NameList)
    forbidden: str = ""

    def add(self, change: Change) -> None:
        """Count a change."""
        group = self.groups[change.kind]
        group.files += 1
        group.bytes += change.size
        if change.kind is Kind.EXTRA:
            self.deletions.add(change.name, change.size)
        if change.kind is not Kind.SAME and group.files <= self.keep:
            self.changes.append(change)

    @property
    def moves(self) -> Group:
        """What would be transferred; files that only their content can tell count in full."""
        kinds = [self.groups[k] for k in (Kind.NEW, Kind.CHANGED, Kind.UNSURE)]
        return Group(sum(g.files for g in kinds), sum(g.bytes for g in kinds))

    @property
    def whole(self) -> bool:
        """Whether `changes` names everything."""
        return all(g.files <= self.keep for k, g in self.groups.items() if k is not Kind.SAME)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a transfer did.

    Args:
        files: moved.
        bytes: of those files.
        same: not moved because they were equal.
        deleted: deleted in the target.
        failed: by name, failures and refusals; the first 10,000.
        failed_count: how many there were.
        notes: moved, with something to know.
        undeleted: why nothing was deleted although asked for, "" otherwise.
        cancelled: whether the user stopped it.
        fatal: what stopped it before its end, None otherwise.
        elapsed_s: seconds.
        retries: requests that were tried again.
    """

    files: int
    bytes: int
    same: int
    deleted: int
    failed: tuple[FileFailed, ...]
    failed_count: int
    notes: tuple[FileNoted, ...]
    undeleted: str
    cancelled: bool
    fatal: BaseException | None
    elapsed_s: float
    retries: int

    @property
    def exit_code(self) -> int:
        """0 all done, 4 some files failed, 130 stopped by the user; a fatal error's own code when nothing was done."""
        if self.cancelled:
            return 130
        if self.fatal is not None and not self.files:
            return int(getattr(self.fatal, "exit_code", 2))
        return 4 if self.failed_count or self.fatal is not None or self.undeleted else 0
