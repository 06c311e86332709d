"""Unfinished multipart uploads: they bill and no listing shows them. Found, and resumed where we know how."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from runctl.models.s3 import upload_name
from runctl.services.transfer import operations
from runctl.services.transfer.client import S3Client
from runctl.services.transfer.journal import Journal
from runctl.services.transfer.uri import S3Uri


@dataclass(frozen=True, slots=True)
class UnfinishedUpload:
    """An upload that was begun and never completed.

    Args:
        bucket: bucket.
        key: key.
        upload_id: S3's id.
        initiated: seconds since the epoch.
        parts: parts S3 has.
        bytes: of those.
        path: the local file, when a transfer of this machine began it; "" otherwise.
        total: bytes of that file; None when unknown.
        region: the bucket's.
    """

    bucket: str
    key: str
    upload_id: str
    initiated: float
    parts: int
    bytes: int
    path: str = ""
    total: int | None = None
    region: str = ""

    @property
    def id(self) -> str:
        """As `runctl.models.s3.Upload` has it."""
        return upload_name(self.bucket, self.key, self.upload_id)


def find(client: S3Client, where: S3Uri, journal: Journal) -> Iterator[UnfinishedUpload]:
    """Unfinished uploads below a prefix, with what our journal knows of them.

    Raises:
        CloudError: they could not be listed.
    """
    ours: dict[str, tuple[str, int]] = {}
    for record in journal.left_over():
        if record.upload_id and record.ends.kind == "upload":
            ours[record.upload_id] = (record.ends.path, record.ends.size)
        record.close(done=False)
    for upload in operations.list_uploads(client, where.bucket, where.key):
        parts = list(operations.list_parts(client, where.bucket, upload.key, upload.upload_id))
        path, total = ours.get(upload.upload_id, ("", None))
        size = sum(part.size for part in parts)
        yield UnfinishedUpload(
            where.bucket, upload.key, upload.upload_id, upload.initiated, len(parts), size, path, total,
            client.region_of(where.bucket),
        )  # fmt: skip
