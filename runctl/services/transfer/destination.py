"""A directory that files are written into, and nothing beside it.

Every directory below the root is opened by name from its parent without following links, and every file is made,
synced and renamed relative to that handle: a link planted in the tree, before or meanwhile, leads nowhere.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runctl.services.transfer.paths import temporary_name

_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_HANDLES = 64
# Errors after which every further file would fail the same way.
_HOPELESS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


class RefusedError(Exception):
    """This path is not written; the message says why."""


def hopeless(error: BaseException) -> bool:
    """Whether the disk is full, over quota or read-only: no further file can be written."""
    return isinstance(error, OSError) and error.errno in _HOPELESS


class Directory:
    """An open directory; closed when nobody uses it any more."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __del__(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self.fd)


@dataclass(slots=True)
class Incoming:
    """A file being written under a temporary name."""

    directory: Directory
    temporary: str
    final: str
    fd: int

    def rename(self) -> None:
        """Give it its name; whatever had the name is replaced (a link itself, never what it leads to).

        Raises:
            OSError: for example a directory has the name.
        """
        os.rename(self.temporary, self.final, src_dir_fd=self.directory.fd, dst_dir_fd=self.directory.fd)

    def close(self) -> None:
        """Close it; it stays under its temporary name."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def discard(self) -> None:
        """Close and remove it."""
        self.close()
        with contextlib.suppress(OSError):
            os.unlink(self.temporary, dir_fd=self.directory.fd)


class Destination:
    """Writes below one directory, made when missing.

    Args:
        root: the directory; it may itself be a link, what is below it may not.

    Raises:
        OSError: it cannot be made or opened.
    """

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root = Directory(os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        self._lock = threading.Lock()
        self._handles: OrderedDict[str, Directory] = OrderedDict()

    def ignores_case(self) -> bool:
        """Whether names that differ only by case are one file here; asked by making one."""
        name = temporary_name(f"case probe {os.getpid()}")
        try:
            fd = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=self.root.fd)
        except OSError:
            return False  # unwritable: the first file will say so, by name
        os.close(fd)
        try:
            os.stat(name.upper(), dir_fd=self.root.fd, follow_symlinks=False)
        except OSError:
            return False
        else:
            return True
        finally:
            os.unlink(name, dir_fd=self.root.fd)

    def directory(self, path: str) -> Directory:
        """The handle of a directory below the root, made when missing; "" is the root.

        Raises:
            RefusedError: a component is a link or a file.
            OSError: it cannot be made.
        """
        if not path:
            return self.root
        with self._lock:
            known = self._handles.get(path)
            if known is not None:
                self._handles.move_to_end(path)
                return known
        head, _, name = path.rpartition("/")
        made = _descend(self.directory(head), name, path)
        with self._lock:
            self._handles[path] = made
            while len(self._handles) > _MAX_HANDLES:
                self._handles.popitem(last=False)
        return made

    def create(self, name: str, *, keep: bool = False) -> Incoming:
        """Open the temporary file of a path, empty unless `keep`.

        Raises:
            RefusedError: a directory on the way is a link or a file, or another process is writing it.
            OSError: it cannot be made.
        """
        head, _, final = name.rpartition("/")
        directory = self.directory(head)
        temporary = temporary_name(final)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        fd = os.open(temporary, flags, 0o666, dir_fd=directory.fd)
        try:
            info = os.fstat(fd)
            if not stat.S_ISREG(info.st_mode) or info.st_nlink != 1:
                raise RefusedError(f"{temporary} is in the way and is not ours")
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RefusedError("another transfer is writing it now") from None
            if info.st_size and not keep:
                os.ftruncate(fd, 0)
        except BaseException:
            os.close(fd)
            raise
        return Incoming(directory, temporary, final, fd)

    def remove(self, name: str) -> None:
        """Delete a file; one that is gone is deleted.

        Raises:
            RefusedError: a directory on the way is a link or a file.
            OSError: it may not be deleted, or is a directory.
        """
        head, _, final = name.rpartition("/")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(final, dir_fd=self.directory(head).fd)

    def remove_stray(self, name: str) -> bool:
        """Remove a temporary file that a killed transfer left, unless someone is writing it now."""
        head, _, temporary = name.rpartition("/")
        try:
            directory = self.directory(head)
            fd = os.open(temporary, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=directory.fd)
        except (OSError, RefusedError):
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(temporary, dir_fd=directory.fd)
        except OSError:
            return False
        finally:
            os.close(fd)
        return True

    def sync(self) -> None:
        """Make everything written below the root durable."""
        sync_filesystem(self.root.fd)

    def close(self) -> None:
        """Drop the handles."""
        with self._lock:
            self._handles.clear()


def _descend(parent: Directory, name: str, path: str) -> Directory:
    for attempt in range(2):
        try:
            return Directory(os.open(name, _OPEN_DIRECTORY, dir_fd=parent.fd))
        except FileNotFoundError:
            if attempt:
                raise
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o777, dir_fd=parent.fd)
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            link = stat.S_ISLNK(os.stat(name, dir_fd=parent.fd, follow_symlinks=False).st_mode)
            what = "is a symbolic link" if link else "is a file, not a directory"
            raise RefusedError(f"{path} {what}") from None
    raise AssertionError("unreachable")


def sync_filesystem(fd: int) -> None:
    """Make durable everything written to the file system of `fd`: one journal commit for a whole batch of files.

    syncfs(2) reports write errors since Linux 5.8. Elsewhere there is no such call: files are synced one by one before.
    """
    if sys.platform != "linux":
        os.fsync(fd)
        return
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syncfs(fd) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def begin_writing(fd: int, first: int, length: int) -> None:
    """Let the kernel begin to write a span while the next one arrives, so that the fsync at the end is short.

    sync_file_range(2); elsewhere, and where a file system has no such call, the fsync does all the work.
    """
    if sys.platform != "linux":
        return
    import ctypes

    call = ctypes.CDLL(None).sync_file_range
    call(ctypes.c_int(fd), ctypes.c_int64(first), ctypes.c_int64(length), ctypes.c_uint(2))  # SYNC_FILE_RANGE_WRITE


@dataclass(slots=True)
class _Whole:
    incoming: Incoming
    name: str
    size: int
    done: Callable[[OSError | None], None]


class Settler:
    """Takes whole files, and gives them their names once they are durable, many at a time.

    One fsync costs a journal commit, 2 ms and more on a disk: for small files that is most of the time. Big files are
    synced alone, small ones by one syncfs for up to `count` files or `size` bytes.
    """

    def __init__(self, destination: Destination, *, count: int = 256, size: int = 64 << 20) -> None:
        self._destination = destination
        self._count = count
        self._size = size
        self._lock = threading.Lock()
        self._waiting: list[_Whole] = []
        self._bytes = 0

    def add(self, incoming: Incoming, name: str, size: int, done: Callable[[OSError | None], None]) -> None:
        """Take a file written in full; `done` is called with None once it has its name, or with what went wrong."""
        if size > 8 << 20 or sys.platform != "linux":
            os.fsync(incoming.fd)
        with self._lock:
            self._waiting.append(_Whole(incoming, name, size, done))
            self._bytes += size
            full = len(self._waiting) >= self._count or self._bytes >= self._size
        if full:
            self.flush()

    def flush(self) -> None:
        """Settle what waits."""
        with self._lock:
            batch, self._waiting, self._bytes = self._waiting, [], 0
        if not batch:
            return
        trouble: OSError | None = None
        if any(whole.size <= 8 << 20 for whole in batch):
            try:
                self._destination.sync()
            except OSError as error:
                trouble = error
        for whole in batch:
            try:
                if trouble is not None:
                    raise trouble
                whole.incoming.rename()
                whole.incoming.close()
            except OSError as error:
                whole.incoming.discard()
                whole.done(error)
            else:
                whole.done(None)
