"""Keys of a bucket and files of a directory, both as streams in S3's order: by the bytes of the UTF-8 name.

A listing never sits in memory as a whole. Where the keyspace is made of big prefixes, several are listed at once and
their pages handed on in order: one page of a thousand keys takes S3 50-100 ms, and pages of one listing cannot overlap.
"""

from __future__ import annotations

import errno
import os
import queue
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from runctl.services.transfer import operations
from runctl.services.transfer.client import S3Client
from runctl.services.transfer.wire import Page, RemoteFile

#: Names of files being written; they are never transferred. See `runctl.services.transfer.destination`.
TEMPORARY = ".runctl-"
TEMPORARY_END = ".part"
_TEMPORARY = TEMPORARY.encode(), TEMPORARY_END.encode()
# Prefixes with fewer keys than this are cheaper to list in one go than one by one.
_WORTH_A_REQUEST = 300
_PAGES_AHEAD = 3


class LocalFile(NamedTuple):
    """A file below a root: path relative to it with "/", size in bytes, mtime in ns, inode."""

    name: str
    size: int
    mtime_ns: int
    inode: int


class Trouble(NamedTuple):
    """Something in a local tree that cannot be transferred, and why."""

    name: str
    reason: str


def list_remote(client: S3Client, bucket: str, prefix: str, *, lanes: int = 8) -> Iterator[list[RemoteFile]]:
    """Pages of every key below a prefix, in order.

    Args:
        client: asks.
        bucket: bucket.
        prefix: prefix, compared literally.
        lanes: how many prefixes to list at once.

    Raises:
        CloudError: any page failed; what was yielded is then not the whole.
    """
    first = operations.list_page(client, bucket, prefix)
    if not first.token or lanes < 2 or not _wide(first.files, prefix):
        yield first.files
        if first.token:
            yield from _one_by_one(client, bucket, prefix, first.token)
        return
    level = operations.list_page(client, bucket, prefix, delimiter="/")
    if not level.token and len(level.prefixes) == 1 and not level.files:
        yield from list_remote(client, bucket, level.prefixes[0], lanes=lanes)
        return
    yield from _side_by_side(client, bucket, _segments(client, bucket, prefix, level), lanes)


def _wide(files: list[RemoteFile], prefix: str) -> bool:
    """Whether the first page hints at prefixes that are worth a listing of their own."""
    heads = {key[len(prefix) :].partition("/")[0] for key, *_ in files if "/" in key[len(prefix) :]}
    return 0 < len(heads) <= len(files) / _WORTH_A_REQUEST


def _one_by_one(client: S3Client, bucket: str, prefix: str, token: str = "") -> Iterator[list[RemoteFile]]:
    while True:
        page = operations.list_page(client, bucket, prefix, token=token)
        yield page.files
        if not (token := page.token):
            return


def _segments(client: S3Client, bucket: str, prefix: str, page: Page) -> Iterator[str | list[RemoteFile]]:
    """What one level holds in S3's order: prefixes to list, and runs of plain keys."""
    while True:
        merged: list[str | RemoteFile] = [*page.prefixes, *page.files]
        merged.sort(key=lambda item: (item if isinstance(item, str) else item.key).encode())
        run: list[RemoteFile] = []
        for item in merged:
            if isinstance(item, RemoteFile):
                run.append(item)
                continue
            if run:
                yield run
                run = []
            yield item
        if run:
            yield run
        if not page.token:
            return
        page = operations.list_page(client, bucket, prefix, token=page.token, delimiter="/")


class _Lane:
    """Pages being fetched by a thread, a few ahead of who reads them."""

    def __init__(self, pages: Iterator[list[RemoteFile]], stop: threading.Event) -> None:
        self._pages: queue.Queue[list[RemoteFile] | BaseException | None] = queue.Queue(_PAGES_AHEAD)
        self._stop = stop
        self._thread = threading.Thread(target=self._run, args=(pages,), daemon=True)
        self._thread.start()

    def _put(self, item: list[RemoteFile] | BaseException | None) -> bool:
        while not self._stop.is_set():
            with suppress(queue.Full):
                self._pages.put(item, timeout=0.1)
                return True
        return False

    def _run(self, pages: Iterator[list[RemoteFile]]) -> None:
        try:
            for page in pages:
                if not self._put(page):
                    return
            self._put(None)
        except BaseException as error:  # noqa: BLE001 - handed to the reading thread, which raises it
            self._put(error)

    def pages(self) -> Iterator[list[RemoteFile]]:
        while (item := self._pages.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item


def _side_by_side(
    client: S3Client, bucket: str, segments: Iterator[str | list[RemoteFile]], lanes: int
) -> Iterator[list[RemoteFile]]:
    """List up to `lanes` prefixes at once, and yield their pages in order."""
    stop = threading.Event()
    waiting: list[_Lane | list[RemoteFile]] = []
    more = True
    try:
        while more or waiting:
            while more and len(waiting) < lanes:
                segment = next(segments, None)
                if segment is None:
                    more = False
                elif isinstance(segment, str):
                    waiting.append(_Lane(_one_by_one(client, bucket, segment), stop))
                else:
                    waiting.append(segment)
            if waiting:
                first = waiting.pop(0)
                if isinstance(first, list):
                    yield first
                else:
                    yield from first.pages()
    finally:
        stop.set()


def ahead(pages: Iterator[list[RemoteFile]]) -> Iterator[list[RemoteFile]]:
    """The same pages, fetched by a thread: the next ones are on their way while somebody works on this one.

    Raises:
        CloudError: as the listing itself.
    """
    stop = threading.Event()
    try:
        yield from _Lane(pages, stop).pages()
    finally:
        stop.set()


def list_local(
    root: Path, *, follow: bool = True, on_temporary: Callable[[str], None] | None = None
) -> Iterator[LocalFile | Trouble]:
    """Files below a directory, in the order of their names' bytes, with "/" between directories.

    Symbolic links are followed as `aws s3 sync` does, unless they lead back to a directory above (named) or `follow` is
    off (left out). Sockets, pipes and devices are named, never opened. Our own temporary files are left out.

    Args:
        root: directory.
        follow: follow symbolic links.
        on_temporary: told the relative path of each temporary file.

    Raises:
        OSError: the root itself cannot be read.
    """
    top = os.fsencode(root)
    info = os.stat(top)
    yield from _walk(top, b"", ((info.st_dev, info.st_ino),), follow, on_temporary or _ignore)


def _ignore(_: str) -> None:
    return


def _walk(
    path: bytes,
    prefix: bytes,
    above: tuple[tuple[int, int], ...],
    follow: bool,
    on_temporary: Callable[[str], None],
) -> Iterator[LocalFile | Trouble]:
    try:
        found = sorted(_entries(path, follow))
    except OSError as error:
        if not prefix:
            raise
        yield Trouble(_shown(prefix), error.strerror or str(error))
        return
    for sort_name, entry in found:
        relative = prefix + sort_name
        if sort_name.startswith(_TEMPORARY[0]) and sort_name.endswith(_TEMPORARY[1]):
            on_temporary(_shown(relative))
            continue
        try:
            info = entry.stat(follow_symlinks=follow)
        except OSError as error:
            yield Trouble(_shown(relative), _reason(entry, error))
            continue
        if stat.S_ISREG(info.st_mode):
            try:
                name = relative.decode()
            except UnicodeDecodeError:
                yield Trouble(_shown(relative), "the name is not valid UTF-8, which every key is")
                continue
            yield LocalFile(name, info.st_size, info.st_mtime_ns, info.st_ino)
        elif stat.S_ISDIR(info.st_mode):
            identity = (info.st_dev, info.st_ino)
            if identity in above:
                yield Trouble(_shown(relative), "a symbolic link that leads back to a directory above it")
            else:
                yield from _walk(entry.path, relative, (*above, identity), follow, on_temporary)
        elif not stat.S_ISLNK(info.st_mode):
            yield Trouble(_shown(relative), "not a regular file")


def _entries(path: bytes, follow: bool) -> Iterator[tuple[bytes, os.DirEntry[bytes]]]:
    """Entries with the name they sort by: a directory's children start with its name and a slash."""
    with os.scandir(path) as entries:
        for entry in entries:
            try:
                directory = entry.is_dir(follow_symlinks=follow)
            except OSError:
                directory = False
            yield entry.name + b"/" if directory else entry.name, entry


def _reason(entry: os.DirEntry[bytes], error: OSError) -> str:
    if not entry.is_symlink():
        return error.strerror or str(error)
    loops = error.errno == errno.ELOOP
    return "a symbolic link that leads back to itself" if loops else "a symbolic link that leads nowhere"


def _shown(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")
