"""What every worker of one transfer shares, and how a file says what became of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from runctl.errors import CallSite, ServiceError
from runctl.services.transfer.client import S3Client
from runctl.services.transfer.control import Bandwidth, ByteBudget, Control
from runctl.services.transfer.journal import Journal

MIB = 1 << 20
#: S3's limits (Amazon S3 User Guide, "Amazon S3 multipart upload limits").
MAX_PARTS = 10_000
MIN_PART = 5 * MIB
MAX_COPY = 5 << 30
MAX_OBJECT = 48_828 * (1 << 30)


class ChangedError(Exception):
    """The source changed while it was being read; the file is started again."""


class RangesIgnoredError(Exception):
    """The server answers a range with the whole object; the file is fetched in one piece."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """Sizes and numbers; bytes unless said otherwise.

    Args:
        part: part size of big files; grows where 10,000 parts would not do.
        workers: requests under way at once.
        buffers: bytes held in buffers by all workers together.
        copy_part: part size of server-side copies.
        copy_threshold: objects above it are copied in parts; S3 copies at most 5 GiB in one.
        file_tries: how often a file that changes under our hands is started anew.
    """

    part: int = 8 * MIB
    workers: int = 16
    buffers: int = 64 * MIB
    copy_part: int = 512 * MIB
    copy_threshold: int = MAX_COPY
    file_tries: int = 3

    def part_for(self, size: int) -> int:
        """The part size for an object of `size` bytes: at most 10,000 parts, rounded to a MiB."""
        least = -(-size // MAX_PARTS)
        return max(self.part, -(-least // MIB) * MIB)


@dataclass(slots=True)
class Buffers:
    """Byte arrays used again and again, within a budget."""

    budget: ByteBudget
    control: Control
    _free: list[bytearray] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, size: int) -> bytearray:
        """A buffer of at least `size` bytes.

        Raises:
            Cancelled: somebody cancelled while waiting for one.
        """
        self.budget.acquire(size, self.control)
        with self._lock:
            for index, buffer in enumerate(self._free):
                if len(buffer) >= size:
                    return self._free.pop(index)
            self._free.clear()  # too small for what comes now: let them go, so that the budget is the truth
        return bytearray(size)

    def give(self, buffer: bytearray, size: int) -> None:
        """Give a buffer back, as taken."""
        with self._lock:
            self._free.append(buffer)
        self.budget.release(size)


@dataclass(slots=True)
class Context:
    """Shared by every file of one transfer.

    Args:
        client: speaks S3; for a copy, with the target's region found by itself.
        control: pause and cancel.
        bandwidth: how fast.
        tuning: how big, how many.
        journal: what survives a kill.
        endpoint: names the S3 in journal records, "" for AWS.
        moved: told each number of bytes that went over the wire.
        doubts: by object, the checksum computed of a fetch that an unpromised ETag did not confirm.
    """

    client: S3Client
    control: Control
    bandwidth: Bandwidth
    tuning: Tuning
    journal: Journal
    endpoint: str
    moved: Callable[[int], None]
    doubts: dict[str, str] = field(default_factory=dict)
    buffers: Buffers = field(init=False)

    def __post_init__(self) -> None:
        self.buffers = Buffers(ByteBudget(self.tuning.buffers), self.control)


def damaged(operation: str, bucket: str, key: str, detail: str, region: str) -> ServiceError:
    """A body that did not arrive as it was sent: tried again like any fault of the way between."""
    site = CallSite("s3", operation, region, "ChecksumMismatch")
    return ServiceError(f"s3://{bucket}/{key}: {detail}", site, hint="the bytes changed on the way; run it again")


_TYPES: list[dict[str, str]] = []


def content_type(name: str) -> str:
    """The MIME type by a name's last suffix, "" when unknown; Python's own table, no file of the system is read."""
    if not _TYPES:
        import mimetypes

        _TYPES.append(dict(mimetypes.MimeTypes().types_map[1]))
    stem, dot, suffix = name.rpartition(".")
    return _TYPES[0].get(f".{suffix.lower()}", "") if dot and stem else ""
