"""Unfinished uploads of many buckets, within a time: what waste and cleanup add to what the listings show.

Three kinds of requests and no more: ListMultipartUploads of each bucket, and where it has old ones its tags, which say
whose they are, and ListParts of each. What was not asked in time, or may not be asked, is said by name; what nobody
counted has no size and no price, and tags that cannot be read name nobody.
"""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from runctl.errors import DeniedError, RunctlError
from runctl.models.s3 import Bucket, Upload
from runctl.services.transfer import operations
from runctl.services.transfer.client import S3Client
from runctl.services.transfer.wire import Unfinished

#: Buckets asked at once; uploads listed and uploads counted of one bucket at most.
_LANES: Final = 8
MOST_LISTED: Final = 1000
MOST_COUNTED: Final = 50
#: Parts of other classes have other prices.
_STANDARD: Final = ("", "STANDARD")

#: USD a month of so many bytes in a region, None where nobody knows.
Price = Callable[[str, int], float | None]


@dataclass(frozen=True, slots=True)
class Abandoned:
    """What was found.

    Args:
        uploads: all of them; those begun after `before` have no size and, where a bucket has no others, no tags.
        unknown: bucket and why it is not known, or not wholly.
    """

    uploads: tuple[Upload, ...]
    unknown: tuple[tuple[str, str], ...]


def find_abandoned(
    client: S3Client, buckets: Iterable[Bucket], price: Price, *, before: datetime, timeout_s: float
) -> Abandoned:
    """Ask every bucket.

    Args:
        client: of S3.
        buckets: whom.
        price: what bytes cost.
        before: only uploads begun before this are counted.
        timeout_s: seconds after which no more answers are waited for.
    """
    todo: queue.SimpleQueue[Bucket] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[str, tuple[Upload, ...], str]] = queue.SimpleQueue()
    waiting: dict[str, None] = {}
    for bucket in buckets:
        todo.put(bucket)
        waiting[bucket.name] = None

    def lane() -> None:
        while True:
            try:
                bucket = todo.get_nowait()
            except queue.Empty:
                return
            done.put((bucket.name, *_of(client, bucket, price, before)))

    for number in range(min(_LANES, len(waiting))):
        threading.Thread(target=lane, name=f"abandoned-{number}", daemon=True).start()
    uploads: list[Upload] = []
    unknown: list[tuple[str, str]] = []
    deadline = client.clock.monotonic() + timeout_s
    while waiting:
        try:
            name, found, why = done.get(timeout=max(0.0, deadline - client.clock.monotonic()))
        except queue.Empty:
            break
        del waiting[name]
        uploads += found
        unknown += [(name, why)] if why else []
    unknown += [(name, f"no answer within {timeout_s:g} s") for name in waiting]
    return Abandoned(tuple(sorted(uploads, key=lambda u: u.id)), tuple(sorted(unknown)))


def _of(client: S3Client, bucket: Bucket, price: Price, before: datetime) -> tuple[tuple[Upload, ...], str]:
    """The uploads of one bucket, and what is not known of them."""
    found: list[Upload] = []
    counted = 0
    try:
        listed = list(itertools.islice(operations.list_uploads(client, bucket.name, ""), MOST_LISTED + 1))
        old_ones = any(one.initiated < before.timestamp() for one in listed)
        tags = operations.bucket_tags(client, bucket.name) if old_ones else None
        home = bucket if bucket.region else replace(bucket, region=client.region_of(bucket.name))
        for one in listed[:MOST_LISTED]:
            old = one.initiated < before.timestamp()
            size = _size(client, bucket.name, one) if old and counted < MOST_COUNTED else None
            counted += old
            found.append(replace(_upload(home, one, size, price), tags=tags))
    except DeniedError:
        return tuple(found), "not allowed: s3:ListBucketMultipartUploads"
    except RunctlError as error:
        return tuple(found), error.message
    if len(listed) > MOST_LISTED:
        return tuple(found), f"more than {MOST_LISTED:,} uploads"
    more = counted - MOST_COUNTED
    return tuple(found), f"{more} more uploads not counted" if more > 0 else ""


def _size(client: S3Client, bucket: str, upload: Unfinished) -> int | None:
    try:
        return sum(part.size for part in operations.list_parts(client, bucket, upload.key, upload.upload_id))
    except RunctlError:
        return None


def _upload(bucket: Bucket, one: Unfinished, size: int | None, price: Price) -> Upload:
    usd = price(bucket.region, size) if size is not None and one.storage_class in _STANDARD else None
    started = datetime.fromtimestamp(one.initiated, UTC)
    return Upload(bucket.name, one.key, one.upload_id, bucket.region, started, bytes=size, usd_per_month=usd)
