"""Buckets and what is in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


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
