"""Objects to objects, inside S3: no byte comes through this machine."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterator
from functools import partial

from runctl.errors import RequestError
from runctl.services.transfer import multipart, operations
from runctl.services.transfer.checksums import Stored, encode
from runctl.services.transfer.context import MIB, ChangedError, Context, damaged
from runctl.services.transfer.journal import Ends, Record
from runctl.services.transfer.wire import RemoteFile

# What a copy in one request keeps by itself and a copy in parts must repeat. Tags need permissions of their own and are
# not kept by copies in parts.
_KEPT = ("content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "expires")


def copy_small(context: Context, source: str, remote: RemoteFile, bucket: str, key: str) -> str:
    """Copy an object of at most 5 GiB; the ETag of the copy.

    Raises:
        ChangedError: it is another object now.
        CloudError: S3 refuses.
    """
    with _noticing_change():
        return operations.copy(context.client, (source, remote.key, remote.etag), bucket, key, {})


class _noticing_change:  # noqa: N801 - reads as the statement it is used as
    """Turn S3's "precondition failed" into what it means here."""

    def __enter__(self) -> None:
        return

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, RequestError) and error.site.code == "PreconditionFailed":
            raise ChangedError("the source object changed") from error


class LargeCopy:
    """One object in parts. `start`, then every piece in any order and thread, then `finish` or `abandon`."""

    def __init__(self, context: Context, source: str, remote: RemoteFile, bucket: str, key: str) -> None:
        self._context = context
        self._source = source
        self._remote = remote
        self._bucket = bucket
        self._key = key
        self._record: Record | None = None
        self._checksum: Stored | None = None
        self.etag = ""

    def start(self) -> None:
        """Find or create the upload, with the source's own headers and metadata.

        Raises:
            ChangedError: another transfer copies it now.
            CloudError: S3 refuses.
        """
        context, remote = self._context, self._remote
        info = operations.head(context.client, self._source, remote.key)
        if info.checksum is not None and info.checksum.joins:
            self._checksum = info.checksum
        least = -(-info.size // 10_000)
        part = max(context.tuning.copy_part, -(-least // MIB) * MIB)
        path = f"s3://{self._source}/{remote.key}"
        ends = Ends("copy", context.endpoint, self._bucket, self._key, path, info.size, info.etag, part)
        self._record = record = context.journal.open(ends)
        if record is None:
            raise ChangedError("another transfer is copying it now")
        multipart.take_up(context, record, ends)
        if not record.upload_id:
            kept = {n: v for n, v in info.headers.items() if n in _KEPT or n.startswith("x-amz-meta-")}
            if self._checksum is not None:
                kept |= {
                    "x-amz-checksum-algorithm": self._checksum.algorithm,
                    "x-amz-checksum-type": "FULL_OBJECT",
                }
            multipart.create(context, record, kept)

    @property
    def already(self) -> int:
        """Bytes that an earlier run has copied."""
        return self._record.bytes_done if self._record is not None else 0

    def pieces(self) -> Iterator[Callable[[], int]]:
        """What is left to copy; each call copies one part and returns its bytes."""
        assert self._record is not None  # noqa: S101 - `start` was called
        for number in self._record.missing():
            yield partial(self._copy, number)

    def _copy(self, number: int) -> int:
        record = self._record
        assert record is not None  # noqa: S101
        first, length = record.ends.span(number)
        source = (self._source, self._remote.key, record.ends.version)
        span = f"{first}-{first + length - 1}"
        algorithm = self._checksum.algorithm if self._checksum is not None else ""
        with _noticing_change():
            etag, sum_ = operations.copy_part(
                self._context.client, source, self._bucket, self._key, record.upload_id, number, span, algorithm
            )
        record.part_done(number, etag, b64decode(sum_) if algorithm else b"")
        return length

    def finish(self) -> None:
        """Join the parts into the object, with the checksum of the source where the parts came with theirs.

        Raises:
            CloudError: S3 refuses, or the parts' checksums do not make the source's.
        """
        record = self._record
        assert record is not None  # noqa: S101
        client = self._context.client
        stored, headers = self._checksum, dict[str, str]()
        checked = stored if stored is not None and all(digest for _, digest in record.parts.values()) else None
        name = checked.algorithm if checked is not None else ""
        if checked is not None:
            if (got := checked.of_parts(record.digests())) != checked.value:
                what = f"the copy's {name} would be {got}, the source has {checked.value}"
                raise damaged("UploadPartCopy", self._bucket, self._key, what, client.region_of(self._bucket))
            headers = {f"x-amz-checksum-{name.lower()}": checked.value, "x-amz-checksum-type": "FULL_OBJECT"}
        rows = [(n, etag, name, encode(d) if name else "") for n, (etag, d) in sorted(record.parts.items())]
        self.etag = operations.complete_upload(client, self._bucket, self._key, record.upload_id, rows, headers)
        record.close(done=True)
        self._record = None

    def abandon(self, *, keep: bool) -> None:
        """Let go. `keep` leaves the parts for a later run; else the upload is aborted."""
        if self._record is not None:
            if not keep:
                multipart.give_up(self._context, self._record)
            self._record.close(done=not keep)
            self._record = None
