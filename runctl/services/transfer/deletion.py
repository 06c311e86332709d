"""Deleting what a sync's plan named, one answer for each file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import islice

from runctl.errors import CloudError, InputError
from runctl.models.plan import Verb
from runctl.models.s3 import TaggedBucket
from runctl.services.transfer import operations
from runctl.services.transfer.cache import SyncCache
from runctl.services.transfer.client import S3Client
from runctl.services.transfer.control import Control
from runctl.services.transfer.destination import Destination, RefusedError
from runctl.services.transfer.engine import failure_of
from runctl.services.transfer.progress import FileDone, FileFailed, Tally
from runctl.services.transfer.record import Record


def _written(
    record: Record | None, where: str, region: str, bucket: str, keys: list[str]
) -> AbstractContextManager[Callable[[str], None]]:
    if record is None:
        return nullcontext(lambda _: None)
    request = {"Bucket": bucket, "Keys": keys}
    return record.change(Verb.DELETE, "objects", where, region, "s3:DeleteObjects", request)


def delete_files(
    destination: Destination, names: Iterator[str], tally: Tally, cache: SyncCache, control: Control
) -> None:
    """Delete files below a directory.

    Raises:
        Cancelled: somebody cancelled; what is deleted is deleted.
    """
    for name in names:
        control.check()
        try:
            destination.remove(name)
        except (OSError, RefusedError) as error:
            tally.end(failure_of(name, error))
        else:
            cache.forget(name)
            tally.end(FileDone(name, 0, "deleted"))


def delete_keys(
    client: S3Client,
    bucket: str,
    prefix: str,
    names: Iterator[str],
    tally: Tally,
    cache: SyncCache,
    record: Record | None,
) -> None:
    """Delete keys below a prefix, a thousand a request, each request journalled before it is sent.

    Raises:
        Cancelled: somebody cancelled; what is deleted is deleted.
        JournalError: it cannot be written down, so nothing more is deleted.
        InputError: the policy engine refuses.
    """
    where = f"s3://{bucket}/{prefix}"
    if record is not None:
        whose = TaggedBucket(bucket, client.region_of(bucket), operations.bucket_tags(client, bucket))
        if reason := record.refusal(Verb.DELETE, client.clock.now(), whose):
            raise InputError(f"{where}: nothing is deleted: {reason}")
    while batch := list(islice(names, operations.DELETE_BATCH)):
        keys = [prefix + name for name in batch]
        try:
            with _written(record, where, client.region_of(bucket), bucket, keys) as problem:
                failed: dict[str, str] = dict(operations.delete(client, bucket, keys))
                problem("; ".join(f"{key}: {reason}" for key, reason in list(failed.items())[:3]))
        except CloudError as error:
            failed = dict.fromkeys(keys, error.message)
        for name in batch:
            if (problem_of := failed.get(prefix + name)) is not None:
                tally.end(FileFailed(name, problem_of, "NotDeleted"))
            else:
                cache.forget(name)
                tally.end(FileDone(name, 0, "deleted"))
