"""Buckets and what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from runctl.models.tags import Ownership, parse_ownership


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket. `objects` and `bytes` are None until somebody asked for them: counting means listing every key."""

    name: str
    region: str
    created_at: datetime | None = None
    objects: int | None = None
    bytes: int | None = None
    usd_per_month: float | None = None


@dataclass(frozen=True, slots=True)
class S3Entry:
    """A key or a common prefix as ListObjectsV2 answers it; a prefix has no size."""

    key: str
    is_prefix: bool
    bytes: int | None = None
    modified_at: datetime | None = None
    storage_class: str = ""
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart upload that nobody finished; its parts bill until it is aborted.

    Args:
        bucket: where.
        key: what it would have become.
        upload_id: S3's id.
        region: the bucket's region.
        started_at: when.
        tags: the bucket's tags, which say whose it is (uploads have none); None when they could not be read.
        bytes: size of the parts, None when nobody counted.
        usd_per_month: what they bill, None when unpriced.
    """

    bucket: str
    key: str
    upload_id: str
    region: str
    started_at: datetime
    tags: Mapping[str, str] | None = None
    bytes: int | None = None
    usd_per_month: float | None = None

    @property
    def id(self) -> str:
        """One text that names it: bucket, key and upload id."""
        return f"s3://{self.bucket}/{self.key}?uploadId={self.upload_id}"

    @property
    def name(self) -> str:
        """Its key."""
        return self.key

    @property
    def ownership(self) -> Ownership:
        """What the bucket's tags say."""
        return parse_ownership(self.tags or {})
