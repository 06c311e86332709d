"""What a sync would do, file by file: the words every part of it shares, and the filters on names."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from runctl.services.transfer.listing import LocalFile
from runctl.services.transfer.wire import RemoteFile

File = LocalFile | RemoteFile


class Kind(StrEnum):
    """What happens to a name."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    #: Same size, and only the content can tell (`--checksum`): whoever handles it compares first.
    UNSURE = "unsure"
    #: Only in the target: deleted with `--delete`, else left alone.
    EXTRA = "extra"
    #: Not transferred, and why.
    REFUSED = "refused"
    #: Transferred all the same, but somebody should know.
    NOTE = "note"


class How(StrEnum):
    """How two files are compared."""

    TIME = "size and time"
    SIZE = "size only"
    CHECKSUM = "checksum"
    ALWAYS = "not compared"


class Change(NamedTuple):
    """One name and what happens to it; a tuple, for a no-op sync makes one for each of a million files.

    Args:
        kind: what.
        name: path relative to source and target, "/" between directories.
        size: bytes that would move (or that a deletion frees).
        source: the file or object to take.
        target: what is in the target now.
        reason: why, for a person.
    """

    kind: Kind
    name: str
    size: int = 0
    source: File | None = None
    target: File | None = None
    reason: str = ""

    @property
    def moves(self) -> bool:
        """Whether bytes move."""
        return self.kind in (Kind.NEW, Kind.CHANGED, Kind.UNSURE)


class NameFilter:
    """`--exclude` and `--include` in the order given, the last that matches decides, as `aws s3 sync` has it.

    `*` also matches "/"; a name that nothing matches is included.

    Args:
        rules: (include?, pattern) in order.
    """

    def __init__(self, rules: Sequence[tuple[bool, str]] = ()) -> None:
        self._rules = [(include, re.compile(fnmatch.translate(pattern))) for include, pattern in rules]

    def __call__(self, name: str) -> bool:
        """Whether a name takes part."""
        for include, pattern in reversed(self._rules):
            if pattern.match(name):
                return include
        return True

    def __bool__(self) -> bool:
        """Whether it leaves anything out."""
        return bool(self._rules)


def total(changes: Iterable[Change]) -> int:
    """Bytes of some changes."""
    return sum(change.size for change in changes)
