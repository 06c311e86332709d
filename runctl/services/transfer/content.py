"""Whether a file and an object hold the same bytes, by the checksum S3 keeps: the object is never fetched for it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from runctl.services.transfer import checksums, operations
from runctl.services.transfer.checksums import Running, Stored
from runctl.services.transfer.context import Context
from runctl.services.transfer.download import plain_md5
from runctl.services.transfer.wire import RemoteFile


def same_content(context: Context, path: Path, bucket: str, remote: RemoteFile) -> bool:
    """Whether a file equals an object of the same size; False also when S3 keeps nothing that could tell.

    Raises:
        OSError: the file cannot be read.
        CloudError: the object cannot be asked for.
    """
    info = operations.head(context.client, bucket, remote.key)
    stored = info.checksum
    if stored is not None and not stored.parts:
        running = checksums.running(stored.algorithm)
        _read(context, path, running)
        return checksums.encode(running.digest()) == stored.value
    if stored is not None:
        part = operations.head(context.client, bucket, remote.key, part=1).size
        return _composite(context, path, stored, part) == stored.value
    if md5 := plain_md5(info.headers):
        digest = hashlib.md5(usedforsecurity=False)
        _read(context, path, digest)
        return digest.hexdigest() == md5
    return False


def _read(context: Context, path: Path, running: Running) -> None:
    view = memoryview(bytearray(1 << 20))
    with path.open("rb", buffering=0) as file:
        while got := file.readinto(view):
            context.control.check()
            running.update(view[:got])


def _composite(context: Context, path: Path, stored: Stored, part: int) -> str:
    """The composite checksum of a file cut in parts of `part` bytes."""
    digests = []
    view = memoryview(bytearray(1 << 20))
    with path.open("rb", buffering=0) as file:
        left, running = part, checksums.running(stored.algorithm)
        while got := file.readinto(view[: min(left, len(view))]):
            context.control.check()
            running.update(view[:got])
            left -= got
            if not left:
                digests.append(running.digest())
                left, running = part, checksums.running(stored.algorithm)
        if left < part:
            digests.append(running.digest())
    return checksums.composite(stored.algorithm, digests)
