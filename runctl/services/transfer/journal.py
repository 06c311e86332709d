"""What survives a kill: one small file for each big transfer under way, appended to after each part.

A record names the two ends, the part size and, for uploads, S3's upload id. It is locked while in use, so that a record
without a lock belongs to a process that is gone. The server's own list of parts is asked before any of it is believed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from runctl.paths import make_private


@dataclass(frozen=True, slots=True)
class Ends:
    """What a record is about; a rerun must match all of it.

    Args:
        kind: "upload", "download" or "copy".
        endpoint: where S3 is, "" for AWS.
        bucket: bucket of the object (of the target, for a copy).
        key: its key.
        path: the local file, or the source as s3://bucket/key.
        size: bytes.
        version: what tells this content from another: "mtime_ns-inode" or an ETag.
        part: part size in bytes.
    """

    kind: str
    endpoint: str
    bucket: str
    key: str
    path: str
    size: int
    version: str
    part: int

    def span(self, number: int) -> tuple[int, int]:
        """(first byte, length) of a part; the first part is 1."""
        first = (number - 1) * self.part
        return first, min(self.part, self.size - first)

    @property
    def file_name(self) -> str:
        """Name of the record: by the two ends, not by content, so that a changed file finds its old record."""
        text = "\0".join((self.kind, self.endpoint, self.bucket, self.key, self.path))
        return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest() + ".jsonl"


@dataclass(slots=True)
class Record:
    """One record, open and locked. `upload_id` "" with `intended` > 0: the upload may or may not have been created."""

    path: Path
    ends: Ends
    fd: int
    upload_id: str = ""
    intended: float = 0.0
    parts: dict[int, tuple[str, bytes]] = field(default_factory=dict)

    def missing(self) -> Iterator[int]:
        """Numbers of the parts still to be moved."""
        done = frozenset(self.parts)
        return (n for n in range(1, -(-self.ends.size // self.ends.part) + 1) if n not in done)

    def digests(self) -> list[tuple[bytes, int]]:
        """(digest, length in bytes) of the parts done, in order."""
        return [(digest, self.ends.span(n)[1]) for n, (_, digest) in sorted(self.parts.items())]

    @property
    def bytes_done(self) -> int:
        """Bytes of the parts done."""
        return sum(self.ends.span(n)[1] for n in self.parts)

    def _write(self, line: dict[str, Any]) -> None:
        os.write(self.fd, (json.dumps(line) + "\n").encode())

    def intend(self, at: float) -> None:
        """An upload is about to be created, at `at` seconds since the epoch on S3's clock."""
        self.intended = at
        self._write({"intent": at})

    def created(self, upload_id: str) -> None:
        """It has been created."""
        self.upload_id = upload_id
        self._write({"id": upload_id})

    def part_done(self, number: int, etag: str, digest: bytes) -> None:
        """A part is where it belongs."""
        self.parts[number] = (etag, digest)
        self._write({"n": number, "etag": etag, "sum": digest.hex()})

    def restart(self, ends: Ends) -> None:
        """Forget what was done: the content is another one, or the server knows nothing of it."""
        self.ends = ends
        self.upload_id, self.intended = "", 0.0
        self.parts.clear()
        os.ftruncate(self.fd, 0)
        self._write(asdict(ends))

    def close(self, *, done: bool) -> None:
        """Let go; the record is removed when `done`."""
        if done:
            with contextlib.suppress(OSError):
                self.path.unlink()
        os.close(self.fd)


class Journal:
    """The records of one user.

    Args:
        directory: where they are; made when the first is written.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def open(self, ends: Ends) -> Record | None:
        """The record of a transfer, new or left by a killed one; None when another process holds it."""
        make_private(self._directory)
        path = self._directory / ends.file_name
        fd = _locked(path, os.O_CREAT)
        if fd is None:
            return None
        record = _load(path, fd)
        if record is None:
            record = Record(path, ends, fd)
            record.restart(ends)
        return record

    def left_over(self) -> Iterator[Record]:
        """Records nobody holds: what killed transfers left. Each is locked; close it."""
        with contextlib.suppress(OSError):
            for path in sorted(self._directory.glob("*.jsonl")):
                fd = _locked(path, 0)
                if fd is None:
                    continue
                record = _load(path, fd)
                if record is None:  # killed before the first line was written: nothing was started
                    Record(path, Ends("", "", "", "", "", 0, "", 0), fd).close(done=True)
                else:
                    yield record

    def held(self) -> frozenset[str]:
        """Ids of the uploads that transfers of this computer write at this moment."""
        found: set[str] = set()
        with contextlib.suppress(OSError):
            for path in self._directory.glob("*.jsonl"):
                fd = _locked(path, 0)
                if fd is not None:
                    os.close(fd)
                    continue
                with contextlib.suppress(OSError):
                    found |= set(_upload_ids(path.read_bytes()))
        return frozenset(found)


def _upload_ids(lines: bytes) -> Iterator[str]:
    for text in lines.splitlines():
        with contextlib.suppress(ValueError, TypeError, KeyError):  # the last line may be half written
            yield str(json.loads(text)["id"])


def _locked(path: Path, flag: int) -> int | None:
    while True:
        try:
            fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | flag, 0o600)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(fd).st_nlink:  # 0: its holder finished and removed it between our open and our lock
                return fd
        except BlockingIOError:
            os.close(fd)
            return None
        os.close(fd)


def _load(path: Path, fd: int) -> Record | None:
    """Read a record; a last line cut by a kill is ignored, None when not even the first is whole."""
    lines: list[dict[str, Any]] = []
    good = 0
    for written in path.read_bytes().splitlines(keepends=True):
        try:
            lines.append(json.loads(written))
        except ValueError:
            break
        if not written.endswith(b"\n"):
            break
        good += len(written)
    os.ftruncate(fd, good)  # what is appended next must not continue a cut line
    try:
        record = Record(path, Ends(**lines[0]), fd)
        for line in lines[1:]:
            if "n" in line:
                record.parts[int(line["n"])] = (str(line["etag"]), bytes.fromhex(line["sum"]))
            elif "id" in line:
                record.upload_id = str(line["id"])
            else:
                record.intended = float(line["intent"])
    except (IndexError, TypeError, ValueError, KeyError):
        return None
    return record
