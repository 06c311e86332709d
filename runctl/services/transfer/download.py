"""Objects to files: under a temporary name, checked against the checksum S3 keeps, and only then renamed."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from runctl.errors import RequestError, ServiceError
from runctl.services.transfer import checksums, operations
from runctl.services.transfer.checksums import Stored
from runctl.services.transfer.client import Request
from runctl.services.transfer.context import MIB, ChangedError, Context, RangesIgnoredError, damaged
from runctl.services.transfer.destination import Destination, Incoming, RefusedError, begin_writing
from runctl.services.transfer.http import Response
from runctl.services.transfer.journal import Ends, Record
from runctl.services.transfer.operations import ObjectInfo
from runctl.services.transfer.wire import RemoteFile, nanoseconds

_MODE = {"x-amz-checksum-mode": "ENABLED"}
#: Where parts come fast, one request asks for so many bytes of them, for each request costs the server as much as
#: sending a megabyte. Parts slower than this many seconds come one by one: what is shown counts whole requests.
_SPAN = 32 * MIB
_QUICK_S = 2.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file written in full under its temporary name."""

    incoming: Incoming
    size: int
    modified: float
    etag: str
    checksum: Stored | None


class _Check:
    """Computes what an answer's headers promise while the body passes; see `checksums.stored_in`.

    Args:
        context: asks for the size of parts where the checksum is made of them, and remembers doubts.
        bucket: of the object.
        key: of the object.
        info: what the headers say.
    """

    def __init__(self, context: Context, bucket: str, key: str, info: ObjectInfo) -> None:
        self._context = context
        self._where = f"{bucket}/{key}"
        self._stored = stored = believed(context, info)
        part = 0
        if stored is not None and stored.parts:
            part = operations.part_size(context.client, bucket, key, info.size, stored)
            if not part and info.size:
                self._stored = None
        self._running = self._stored.running(part) if self._stored is not None else None

    def update(self, piece: bytes | memoryview) -> None:
        if self._running is not None:
            self._running.update(piece)

    def problem(self) -> str:
        """What is wrong, "" when nothing is (or nothing can be said)."""
        if self._stored is None or self._running is None:
            return ""
        return doubt(self._context, self._where, self._stored, self._running.value())


def believed(context: Context, info: ObjectInfo) -> Stored | None:
    """The checksum that a fetch is held against.

    An ETag of parts is only worth its MD5 (0.6 GB/s and core) where nothing else guards the way.
    """
    stored = info.checksum
    return None if stored is not None and not stored.promised and context.client.guarded else stored


def doubt(context: Context, where: str, stored: Stored, got: str) -> str:
    """Why bytes are not believed, "" when they are: S3 has this checksum, or no checksum and they came twice alike."""
    if got == stored.value or (not stored.promised and context.doubts.get(where) == got):
        return ""
    context.doubts[where] = got
    name = stored.algorithm if stored.promised else "ETag of the parts"
    return f"{name} is {got}, S3 has {stored.value}"


def fetch_whole(context: Context, bucket: str, remote: RemoteFile, destination: Destination, name: str) -> Fetched:
    """Get an object in one request.

    Raises:
        RefusedError: the path may not be written.
        OSError: the disk's error.
        CloudError: S3's.
    """
    incoming = destination.create(name)

    def receive(response: Response) -> Fetched:
        os.ftruncate(incoming.fd, 0)  # a second try starts over
        os.lseek(incoming.fd, 0, os.SEEK_SET)
        info = operations.object_info(response.headers)
        check = _Check(context, bucket, remote.key, info)
        size = 0
        for piece in response.stream.pieces():
            write_all(context, incoming.fd, piece)
            check.update(piece)
            size += len(piece)
        if problem := check.problem():
            raise damaged("GetObject", bucket, remote.key, problem, context.client.region_of(bucket))
        modified = remote.modified or info.modified
        return Fetched(incoming, size, modified, info.etag or remote.etag, info.checksum)

    try:
        fetched = context.client.stream(Request("GetObject", "GET", bucket, remote.key, headers=_MODE), receive)
        _stamp(incoming.fd, fetched.modified)
    except BaseException:
        incoming.discard()
        raise
    return fetched


def _stamp(fd: int, modified: float) -> None:
    os.utime(fd, ns=(nanoseconds(modified), nanoseconds(modified)))


def write_all(context: Context, fd: int, piece: bytes | memoryview) -> None:
    """Write at the file's position, no faster than allowed."""
    context.control.check()
    context.bandwidth.take(len(piece), context.control)
    view = memoryview(piece)
    while view:
        view = view[os.write(fd, view) :]
    context.moved(len(piece))


class _Span:
    """Consecutive parts asked for in one request; each is recorded as it is through, the last when all is.

    Args:
        record: knows where parts lie, and is told.
        fd: the file they are written to.
        first: number of the first part.
        last: number of the last.
        algorithm: checksum of each part.
    """

    def __init__(self, record: Record, fd: int, first: int, last: int, algorithm: str) -> None:
        self._record, self._fd, self._algorithm = record, fd, algorithm
        self._number, self._last = first, last
        start, length = record.ends.span(last)
        self._end = start + length
        self.length = self._end - record.ends.span(first)[0]
        self.again()

    def again(self) -> None:
        """An answer begins, with the first byte that no part through holds."""
        self.offset, length = self._record.ends.span(self._number)
        self._until = self.offset + length
        self._running = checksums.running(self._algorithm)

    @property
    def range(self) -> str:
        """What is left, as a request's header says it."""
        return f"bytes={self._record.ends.span(self._number)[0]}-{self._end - 1}"

    @property
    def room(self) -> int:
        """Bytes to the end of the part under way."""
        return self._until - self.offset

    def add(self, piece: memoryview) -> bool:
        """Bytes were written at `offset`; whether a part is through and the next one begins."""
        self._running.update(piece)
        self.offset += len(piece)
        if self.room or self._number == self._last:
            return False
        self.close()
        self._number += 1
        self.again()
        return True

    def close(self) -> None:
        """The part under way is through."""
        begin_writing(self._fd, *self._record.ends.span(self._number))
        self._record.part_done(self._number, "", self._running.digest())


class LargeDownload:
    """One object in ranges. `start`, then every piece in any order and thread, then `fetched` or `abandon`."""

    def __init__(
        self, context: Context, bucket: str, remote: RemoteFile, destination: Destination, name: str, root: str
    ) -> None:
        self._context = context
        self._bucket = bucket
        self._remote = remote
        self._destination = destination
        self._name = name
        self._path = f"{root}/{name}"
        self._info: ObjectInfo | None = None
        self._incoming: Incoming | None = None
        self._record: Record | None = None
        self._quick = False

    def start(self) -> None:
        """Ask what the object is now, open the temporary file, and see what an earlier run has written.

        Raises:
            RefusedError, OSError, CloudError: see `fetch_whole`.
        """
        context = self._context
        info = self._info = operations.head(context.client, self._bucket, self._remote.key)
        part = self._part_size(info)
        version = f"{info.etag} {part}"
        key = self._remote.key
        ends = Ends("download", context.endpoint, self._bucket, key, self._path, info.size, version, part)
        self._record = record = context.journal.open(ends)
        if record is None:
            raise RefusedError("another transfer is writing it now")
        self._incoming = incoming = self._destination.create(self._name, keep=True)
        if record.ends != ends or os.fstat(incoming.fd).st_size != info.size:
            record.restart(ends)
            os.ftruncate(incoming.fd, 0)
            reserve(incoming.fd, info.size)

    def _part_size(self, info: ObjectInfo) -> int:
        """Our own part size, or the uploader's where only its parts give the checksum."""
        stored = believed(self._context, info)
        if stored is not None and stored.parts:
            client = self._context.client
            found = operations.part_size(client, self._bucket, self._remote.key, info.size, stored)
            # What an ETag says is a bonus; parts of a gigabyte are too much to fetch again for it.
            if found and (stored.promised or found <= 64 * MIB):
                return found
        return self._context.tuning.part_for(info.size)

    @property
    def already(self) -> int:
        """Bytes that an earlier run has written."""
        return self._record.bytes_done if self._record is not None else 0

    def pieces(self) -> Iterator[Callable[[], int]]:
        """What is left to get; each call gets one range of one part, or of several where parts come fast."""
        record = self._record
        assert record is not None  # noqa: S101 - `start` was called
        missing = deque(record.missing())
        most = max(1, _SPAN // record.ends.part)
        while missing:
            count = min(most, len(missing) // self._context.tuning.workers) if self._quick else 1
            first = last = missing.popleft()
            while last - first + 1 < count and missing and missing[0] == last + 1:
                last = missing.popleft()
            yield partial(self._get, first, last)

    def _get(self, first: int, last: int) -> int:
        record, context, incoming = self._record, self._context, self._incoming
        assert record is not None  # noqa: S101
        assert self._info is not None  # noqa: S101
        assert incoming is not None  # noqa: S101
        stored = believed(context, self._info)
        span = _Span(record, incoming.fd, first, last, stored.algorithm if stored else checksums.UPLOAD_ALGORITHM)
        headers = {"if-match": f'"{self._info.etag}"', "range": span.range}
        began = context.client.clock.monotonic()

        def receive(response: Response) -> None:
            if response.status != 206:
                raise RangesIgnoredError
            span.again()
            for piece in response.stream.pieces():
                view = memoryview(piece)
                while view:
                    if not (room := span.room):
                        raise self._damaged("a range longer than asked for")
                    now, view = view[:room], view[room:]
                    self._write_at(incoming.fd, now, span.offset)
                    if span.add(now):
                        # A retry reads the headers anew: what is done is not asked for again.
                        headers["range"] = span.range
            if span.room:
                raise self._damaged("a short range")

        request = Request("GetObject", "GET", self._bucket, self._remote.key, headers=headers)
        try:
            context.client.stream(request, receive)
        except RequestError as error:
            if error.site.code in ("PreconditionFailed", "InvalidRange"):
                raise ChangedError("the object changed while it was fetched") from error
            raise
        span.close()
        took = context.client.clock.monotonic() - began
        self._quick = took < _QUICK_S * (last - first + 1)
        return span.length

    def _damaged(self, what: str) -> ServiceError:
        return damaged("GetObject", self._bucket, self._remote.key, what, "")

    def _write_at(self, fd: int, piece: memoryview, offset: int) -> None:
        context = self._context
        context.control.check()
        context.bandwidth.take(len(piece), context.control)
        done = 0
        while done < len(piece):
            done += os.pwrite(fd, piece[done:], offset + done)
        context.moved(done)

    def fetched(self) -> Fetched:
        """Check the whole file and hand it over.

        Raises:
            ChangedError: its checksum is not S3's (parts of an earlier run were damaged): it is fetched again.
        """
        record, info, incoming = self._record, self._info, self._incoming
        assert record is not None  # noqa: S101
        assert info is not None  # noqa: S101
        assert incoming is not None  # noqa: S101
        if not self._verified(record, info, incoming):
            raise ChangedError("the file's checksum is not the one S3 has")
        modified = self._remote.modified or info.modified
        _stamp(incoming.fd, modified)
        record.close(done=True)
        self._record = self._incoming = None
        return Fetched(incoming, info.size, modified, info.etag, info.checksum)

    def _verified(self, record: Record, info: ObjectInfo, incoming: Incoming) -> bool:
        stored = believed(self._context, info)
        parts = record.digests()
        if stored is not None and (stored.joins or stored.parts == len(parts)):
            where = f"{self._bucket}/{self._remote.key}"
            return not doubt(self._context, where, stored, stored.of_parts(parts))
        # A checksum of the whole that ranges cannot give: read the file once.
        check = _Check(self._context, self._bucket, self._remote.key, info)
        view = memoryview(bytearray(1 << 20))
        os.lseek(incoming.fd, 0, os.SEEK_SET)
        while got := os.readv(incoming.fd, [view]):
            self._context.control.check()
            check.update(view[:got])
        return not check.problem()

    def abandon(self, *, keep: bool) -> None:
        """Let go. `keep` leaves what was written for a later run; else it is removed."""
        if self._incoming is not None:
            if keep:
                self._incoming.close()
            else:
                self._incoming.discard()
            self._incoming = None
        if self._record is not None:
            self._record.close(done=not keep)
            self._record = None


def reserve(fd: int, size: int) -> None:
    """Give a file its size before it is fetched, so that a full disk says so at once.

    The room is looked up, not claimed: claiming two gigabytes takes a disk in memory three seconds, in which nothing
    moves. Whoever fills the disk meanwhile makes a write fail, which is told as well.

    Raises:
        OSError: the disk is too full.
    """
    disk = os.fstatvfs(fd)
    if disk.f_blocks and size > disk.f_bavail * disk.f_frsize:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.ftruncate(fd, size)
