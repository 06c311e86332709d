"""Buckets and what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from runctl.models.tags import Ownership, parse_ownership

_UPLOAD_ID = "?uploadId="


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
        return upload_name(self.bucket, self.key, self.upload_id)

    @property
    def name(self) -> str:
        """Its key."""
        return self.key

    @property
    def ownership(self) -> Ownership:
        """What the bucket's tags say."""
        return parse_ownership(self.tags or {})


def upload_name(bucket: str, key: str, upload_id: str) -> str:
    """What an unfinished upload is called."""
    return f"s3://{bucket}/{key}{_UPLOAD_ID}{upload_id}"


def parse_upload_id(text: str) -> tuple[str, str, str] | None:
    """(bucket, key, S3's upload id) of an `Upload.id`, None for anything else."""
    place, sign, upload_id = text.rpartition(_UPLOAD_ID)
    bucket, _, key = place.removeprefix("s3://").partition("/")
    return (bucket, key, upload_id) if sign and place.startswith("s3://") and bucket and key and upload_id else None


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """One checkpoint in a bucket, with all its objects: what may be pruned, or must stay.

    Args:
        bucket: where.
        base: the key of its file, or of its "directory" without the slash at its end.
        region: the bucket's region.
        name: what people call it.
        keys: every object of it.
        bytes: of all of them.
        newest_at: when the last of them was written.
        seal: digest of names, sizes and times of all of them: whether anybody wrote to it since.
        stays: why it has to stay, as rule and reason ("best: loss 0.2 is the lowest"); "" when it may go.
        tags: what says whose it is: the bucket's tags, or the job's record; None when they could not be read.
        usd_per_month: what it bills, None when unpriced.
    """

    bucket: str
    base: str
    region: str
    name: str
    keys: tuple[str, ...] = ()
    bytes: int = 0
    newest_at: datetime | None = None
    seal: str = ""
    stays: str = ""
    tags: Mapping[str, str] | None = None
    usd_per_month: float | None = None

    @property
    def id(self) -> str:
        """One text that names it: bucket and key."""
        return f"s3://{self.bucket}/{self.base}"

    @property
    def ownership(self) -> Ownership:
        """What the tags say."""
        return parse_ownership(self.tags or {})


@dataclass(frozen=True, slots=True)
class TaggedBucket:
    """A bucket with its tags, which say whose everything in it is; None when they could not be read."""

    name: str
    region: str
    tags: Mapping[str, str] | None = None

    @property
    def id(self) -> str:
        """One text that names it."""
        return f"s3://{self.name}"

    @property
    def ownership(self) -> Ownership:
        """What the tags say."""
        return parse_ownership(self.tags or {})
