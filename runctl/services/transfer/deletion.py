"""Deleting what a sync's plan named, one answer for each file."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from runctl.errors import CloudError
from runctl.services.transfer import operations
from runctl.services.transfer.cache import SyncCache
from runctl.services.transfer.client import S3Client
from runctl.services.transfer.control import Control
from runctl.services.transfer.destination import Destination, RefusedError
from runctl.services.transfer.engine import failure_of
from runctl.services.transfer.progress import FileDone, FileFailed, Tally


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
    client: S3Client, bucket: str, prefix: str, names: Iterator[str], tally: Tally, cache: SyncCache
) -> None:
    """Delete keys below a prefix, a thousand a request.

    Raises:
        Cancelled: somebody cancelled; what is deleted is deleted.
    """
    while batch := list(islice(names, operations.DELETE_BATCH)):
        try:
            failed = dict(operations.delete(client, bucket, [prefix + name for name in batch]))
        except CloudError as error:
            failed = {prefix + name: error.message for name in batch}
        for name in batch:
            if (reason := failed.get(prefix + name)) is not None:
                tally.end(FileFailed(name, reason, "NotDeleted"))
            else:
                cache.forget(name)
                tally.end(FileDone(name, 0, "deleted"))
