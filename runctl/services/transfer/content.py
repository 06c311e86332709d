"""Whether a file and an object hold the same bytes, by the checksum S3 keeps: the object is never fetched for it."""

from __future__ import annotations

from pathlib import Path

from runctl.services.transfer import operations
from runctl.services.transfer.context import Context
from runctl.services.transfer.wire import RemoteFile


def same_content(context: Context, path: Path, bucket: str, remote: RemoteFile) -> bool:
    """Whether a file equals an object of the same size; False also when S3 keeps nothing that could tell.

    Raises:
        OSError: the file cannot be read.
        CloudError: the object cannot be asked for.
    """
    stored = operations.head(context.client, bucket, remote.key).checksum
    if stored is None:
        return False
    part = operations.part_size(context.client, bucket, remote.key, remote.size, stored)
    if stored.parts and not part:
        return False
    running = stored.running(part)
    view = memoryview(bytearray(1 << 20))
    with path.open("rb", buffering=0) as file:
        while got := file.readinto(view):
            context.control.check()
            running.update(view[:got])
    return running.value() == stored.value
