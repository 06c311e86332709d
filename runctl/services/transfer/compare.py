"""Source, target and memory side by side, in one pass over three sorted streams: what is new, changed, same, extra."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from runctl.paths import make_private
from runctl.services.transfer.cache import Known
from runctl.services.transfer.changes import Change, File, How, Kind
from runctl.services.transfer.listing import LocalFile
from runctl.services.transfer.wire import RemoteFile, nanoseconds

T = TypeVar("T", bound=LocalFile | RemoteFile | Known)


class UnorderedError(Exception):
    """A server lists keys in an order that is not S3's: the listing has to be sorted first."""


def in_order(files: Iterator[tuple[str, T]]) -> Iterator[tuple[str, T]]:
    """Pass a sorted stream on.

    Python compares text by code point, which is the order of UTF-8 bytes, which is S3's.

    Raises:
        UnorderedError: it is not sorted.
    """
    last = None
    for name, file in files:
        if last is not None and name <= last:
            if name == last:
                continue
            raise UnorderedError(name)
        last = name
        yield name, file


def check_order(page: Sequence[RemoteFile]) -> None:
    """Check a page as a whole.

    Raises:
        UnorderedError: its keys are not sorted.
    """
    keys = [file.key for file in page]
    if keys != sorted(keys):  # of what is sorted already, one look at each
        raise UnorderedError(keys[0])


class ServerOrder:
    """Whether a server lists in S3's order, remembered: SeaweedFS has an order of directories instead.

    Args:
        directory: where to remember it, None for nowhere.
        endpoint: which server, "" for AWS, which is always believed.
    """

    def __init__(self, directory: Path | None, endpoint: str) -> None:
        name = "".join(c if c.isalnum() else "-" for c in endpoint)
        self._mark = directory / f"unordered-{name}" if directory is not None and name else None

    def ways(self) -> tuple[bool, ...]:
        """Whether to believe the server's order: yes, then no; not again once it was found wrong."""
        return (False,) if self._mark is not None and self._mark.exists() else (True, False)

    def found_wrong(self) -> None:
        """It does not."""
        if self._mark is not None:
            with contextlib.suppress(OSError):
                make_private(self._mark.parent)
                self._mark.touch()


def sort_on_disk(files: Iterator[tuple[str, RemoteFile]]) -> Iterator[tuple[str, RemoteFile]]:
    """Sort a listing of any length in a temporary file, in bounded memory."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="runctl-") as directory:
        base = sqlite3.connect(Path(directory, "listing.sqlite3"), isolation_level=None)
        with contextlib.closing(base):
            base.execute("PRAGMA journal_mode = OFF")
            base.execute("PRAGMA synchronous = OFF")
            base.execute("CREATE TABLE files (name TEXT PRIMARY KEY, key, size, modified, etag, class) WITHOUT ROWID")
            base.execute("BEGIN")
            base.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)", ((n, *f) for n, f in files))
            for name, *fields in base.execute("SELECT * FROM files ORDER BY name"):
                yield name, RemoteFile(*fields)


def side_by_side(
    sources: Iterator[tuple[str, File]], targets: Iterator[tuple[str, File]], known: Iterator[Known]
) -> Iterator[tuple[str, File | None, File | None, Known | None]]:
    """Each name once, with what either side and the memory have of it."""
    source, target, row = next(sources, None), next(targets, None), next(known, None)
    while (first := source or target) is not None:
        name = target[0] if source is not None and target is not None and target[0] < source[0] else first[0]
        while row is not None and row.name < name:
            row = next(known, None)
        here = source[1] if source is not None and source[0] == name else None
        there = target[1] if target is not None and target[0] == name else None
        yield name, here, there, row if row is not None and row.name == name else None
        if here is not None:
            source = next(sources, None)
        if there is not None:
            target = next(targets, None)


def decide(name: str, source: File | None, target: File | None, known: Known | None, how: How) -> Change:
    """What happens to one name."""
    if source is None:
        assert target is not None  # noqa: S101 - a name comes from one of the two
        return Change(Kind.EXTRA, name, target.size, None, target, "only in the target")
    if target is None:
        return Change(Kind.NEW, name, source.size, source, None, "not in the target")
    if how is How.ALWAYS:
        return Change(Kind.CHANGED, name, source.size, source, target, "replaced")
    if source.size != target.size:
        return Change(Kind.CHANGED, name, source.size, source, target, "another size")
    if how is How.SIZE:
        return Change(Kind.SAME, name, source.size, source, target, "same size")
    remembered = _by_memory(source, target, known)
    if remembered is True:
        return Change(Kind.SAME, name, source.size, source, target, "the same file and object as last time")
    if how is How.CHECKSUM:
        return Change(Kind.UNSURE, name, source.size, source, target, "same size, content not compared yet")
    if remembered is False:
        return Change(Kind.CHANGED, name, source.size, source, target, "the object is another one than last time")
    if reason := _by_time(source, target):
        return Change(Kind.CHANGED, name, source.size, source, target, reason)
    return Change(Kind.SAME, name, source.size, source, target, "same size, target not older")


def _by_memory(source: File, target: File, known: Known | None) -> bool | None:
    """Whether the two are equal by what the last sync knew, None when it says nothing about this file."""
    local, remote = (source, target) if isinstance(source, LocalFile) else (target, source)
    if known is None or not isinstance(local, LocalFile) or not isinstance(remote, RemoteFile) or not remote.etag:
        return None
    if (local.size, local.mtime_ns, local.inode) != (known.size, known.mtime_ns, known.inode):
        return None
    return remote.etag == known.etag


def _by_time(source: File, target: File) -> str:
    """Why times say that the target is out of date, "" when they do not; the rule of `aws s3 sync`.

    Upload and copy: the source is newer. Download: the file is newer than the object (files get the object's time when
    they are fetched, so a newer one was changed here).
    """
    if isinstance(target, LocalFile):
        newer = isinstance(source, RemoteFile) and target.mtime_ns > nanoseconds(source.modified)
        return "the file was changed after it was fetched" if newer else ""
    ours = source.mtime_ns / 1e9 if isinstance(source, LocalFile) else source.modified
    return "the source is newer" if ours > target.modified else ""


def known_of(name: str, info: os.stat_result, etag: str) -> Known:
    """What to remember of a file that equals its object."""
    return Known(name, info.st_size, info.st_mtime_ns, info.st_ino, etag)
