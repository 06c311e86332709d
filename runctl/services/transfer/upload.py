"""Files to objects: small ones in one request, big ones in parts that survive a kill."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path

from runctl.errors import CloudError
from runctl.services.transfer import checksums, multipart, operations
from runctl.services.transfer.checksums import UPLOAD_ALGORITHM
from runctl.services.transfer.context import ChangedError, Context, content_type, damaged
from runctl.services.transfer.journal import Ends, Record

_HEADER = f"x-amz-checksum-{UPLOAD_ALGORITHM.lower()}"
_PIECE = 1 << 20


class FileSlice:
    """A span of an open file as the body of a request: read once into a buffer when it fits, else read again to send.

    Args:
        context: bandwidth and pause.
        fd: the file.
        offset: first byte.
        length: bytes.
        buffer: at least `length` bytes, or a shorter one that the span passes through.
    """

    def __init__(self, context: Context, fd: int, offset: int, length: int, buffer: bytearray) -> None:
        self._context = context
        self._fd = fd
        self._offset = offset
        self._view = memoryview(buffer)
        self._held = len(buffer) >= length
        self._sha256 = ""
        self.length = length
        self.crc = checksums.running(UPLOAD_ALGORITHM)
        for piece in self._read():
            self.crc.update(piece)

    def _read(self) -> Iterator[memoryview]:
        done = 0
        while done < self.length:
            self._context.control.check()
            start = done if self._held else 0
            limit = self.length - done if self._held else min(len(self._view), self.length - done)
            got = os.preadv(self._fd, [self._view[start : start + limit]], self._offset + done)
            if not got:
                raise ChangedError("it became shorter while it was read")
            yield self._view[start : start + got]
            done += got

    def sha256(self) -> str:
        """SHA-256 in hex: for endpoints without TLS, whose signatures cover the body."""
        if not self._sha256:
            digest = sha256()
            for piece in self._pieces():
                digest.update(piece)
            self._sha256 = digest.hexdigest()
        return self._sha256

    def _pieces(self) -> Iterator[memoryview]:
        if self._held:
            yield self._view[: self.length]
        else:
            yield from self._read()

    def send(self, write: Callable[[bytes | bytearray | memoryview], None]) -> None:
        """Write the span, no faster than allowed."""
        context = self._context
        step = context.bandwidth.piece
        for piece in self._pieces():
            for start in range(0, len(piece), step):
                part = piece[start : start + step]
                context.control.check()
                context.bandwidth.take(len(part), context.control)
                write(part)
                context.moved(len(part))


def version_of(info: os.stat_result) -> str:
    """What tells a file's content from an earlier one without reading it."""
    return f"{info.st_mtime_ns}-{info.st_ino}"


def open_source(path: Path) -> tuple[int, os.stat_result]:
    """Open a regular file for reading, never waiting for a pipe's other end.

    Raises:
        OSError: it is gone or may not be read.
        ChangedError: it is no regular file (any more).
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    info = os.fstat(fd)
    if not stat.S_ISREG(info.st_mode):
        os.close(fd)
        raise ChangedError("it is not a regular file")
    return fd, info


def unchanged(fd: int, path: Path, before: os.stat_result) -> None:
    """Check that a file is what it was when it was opened, by handle and by name.

    Raises:
        ChangedError: it was written to, or replaced.
    """
    try:
        named = os.stat(path)
    except OSError:
        raise ChangedError("it was removed while it was read") from None
    for now in (os.fstat(fd), named):
        if (now.st_size, now.st_mtime_ns, now.st_ino) != (before.st_size, before.st_mtime_ns, before.st_ino):
            raise ChangedError("it changed while it was read")


def _headers(key: str) -> dict[str, str]:
    found = content_type(key)
    return {"content-type": found} if found else {}


def _same(context: Context, operation: str, bucket: str, key: str, answer: Mapping[str, str], sent: str) -> None:
    """Check the checksum S3 answers against the one we sent, where it answers one."""
    if (got := answer.get(_HEADER, sent)) != sent:
        raise damaged(
            operation, bucket, key, f"S3 has checksum {got}, sent was {sent}", context.client.region_of(bucket)
        )


def upload_small(context: Context, path: Path, bucket: str, key: str) -> tuple[os.stat_result, str, str]:
    """Put a file of at most one part.

    Returns:
        The file's stat when it was read, the object's ETag, and its CRC64NVME.

    Raises:
        ChangedError: the file changed meanwhile.
        OSError: it cannot be read.
        CloudError: S3 did not take it.
    """
    fd, info = open_source(path)
    buffer = context.buffers.take(info.st_size)
    try:
        body = FileSlice(context, fd, 0, info.st_size, buffer)
        unchanged(fd, path, info)
        crc = checksums.encode(body.crc.digest())
        headers = {_HEADER: crc, **_headers(key)}
        for last in (False, True):  # an answer with another checksum: once more, then it is an error
            answer = operations.put(context.client, bucket, key, body, headers)
            try:
                _same(context, "PutObject", bucket, key, answer, crc)
                break
            except CloudError:
                if last:
                    raise
    finally:
        context.buffers.give(buffer, info.st_size)
        os.close(fd)
    return info, answer.get("etag", "").strip('"'), crc


class LargeUpload:
    """One file in parts. `start`, then every piece in any order and thread, then `finish` or `abandon`."""

    def __init__(self, context: Context, path: Path, bucket: str, key: str) -> None:
        self._context = context
        self._path = path
        self._bucket = bucket
        self._key = key
        self._fd = -1
        self._record: Record | None = None
        self.info: os.stat_result | None = None
        self.etag = ""
        self.crc = ""

    def start(self) -> None:
        """Open the file, find or create the upload, and see which parts are there already.

        Raises:
            ChangedError, OSError, CloudError: see `upload_small`.
        """
        context = self._context
        self._fd, self.info = open_source(self._path)
        size, part = self.info.st_size, context.tuning.part_for(self.info.st_size)
        version = version_of(self.info)
        ends = Ends("upload", context.endpoint, self._bucket, self._key, str(self._path), size, version, part)
        self._record = record = context.journal.open(ends)
        if record is None:
            raise ChangedError("another transfer is uploading it now")
        multipart.take_up(context, record, ends)
        if not record.upload_id:
            headers = {
                "x-amz-checksum-algorithm": UPLOAD_ALGORITHM,
                "x-amz-checksum-type": "FULL_OBJECT",
                **_headers(self._key),
            }
            multipart.create(context, record, headers)

    def pieces(self) -> Iterator[Callable[[], int]]:
        """What is left to send; each call sends one part and returns its bytes."""
        assert self._record is not None  # noqa: S101 - `start` was called
        for number in self._record.missing():
            yield partial(self._send, number)

    @property
    def already(self) -> int:
        """Bytes that an earlier run has sent."""
        return self._record.bytes_done if self._record is not None else 0

    def _send(self, number: int) -> int:
        record, context = self._record, self._context
        assert record is not None  # noqa: S101
        offset, length = record.ends.span(number)
        held = min(length, max(context.tuning.part, _PIECE))
        buffer = context.buffers.take(held)
        try:
            body = FileSlice(context, self._fd, offset, length, buffer)
            digest = body.crc.digest()
            crc = checksums.encode(digest)
            answer = operations.upload_part(
                context.client, self._bucket, self._key, record.upload_id, number, body, {_HEADER: crc}
            )
            _same(context, "UploadPart", self._bucket, self._key, answer, crc)
        finally:
            context.buffers.give(buffer, held)
        record.part_done(number, answer.get("etag", "").strip('"'), digest)
        return length

    def finish(self) -> None:
        """Join the parts into the object, with the checksum of the whole file.

        Raises:
            ChangedError: the file changed since it was opened.
            CloudError: S3 refuses.
        """
        record, info = self._record, self.info
        assert record is not None  # noqa: S101
        assert info is not None  # noqa: S101
        unchanged(self._fd, self._path, info)
        self.crc = checksums.encode(checksums.join_crcs(UPLOAD_ALGORITHM, record.digests()))
        rows = [(n, e, UPLOAD_ALGORITHM, checksums.encode(d)) for n, (e, d) in sorted(record.parts.items())]
        headers = {_HEADER: self.crc, "x-amz-checksum-type": "FULL_OBJECT"}
        client = self._context.client
        self.etag = operations.complete_upload(client, self._bucket, self._key, record.upload_id, rows, headers)
        self._close(done=True)

    def abandon(self, *, keep: bool) -> None:
        """Let go. `keep` leaves the parts for a later run (cancelled, network gone); else the upload is aborted."""
        record = self._record
        if record is not None and not keep and record.upload_id:
            operations.abort_upload(self._context.client, self._bucket, self._key, record.upload_id)
        self._close(done=not keep)

    def _close(self, *, done: bool) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._record is not None:
            self._record.close(done=done)
            self._record = None
