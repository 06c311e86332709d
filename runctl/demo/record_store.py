"""The record's store inside the cloud's own process: moto's S3 without HTTP, with times as they would have been."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from runctl.agent.checkpoints import file_digest
from runctl.agent.store import ConflictError, Found, MissingError
from runctl.demo.world import ACCOUNT


class InsideStore:
    """What `runctl.agent.store.Store` asks for, on one bucket.

    Args:
        bucket: made where missing.
        region: of the bucket.
        clock: seconds since 1970; S3's LastModified follows it.
    """

    def __init__(self, bucket: str, region: str, clock: Callable[[], float]) -> None:
        from moto.s3.models import s3_backends

        self.clock = clock
        self._bucket = bucket
        self._s3: Any = s3_backends[ACCOUNT]["aws"]
        if bucket not in self._s3.buckets:
            with patch("moto.s3.models.events_send_notification"):
                self._s3.create_bucket(bucket, region)

    def _find(self, key: str) -> Any:
        return self._s3.buckets[self._bucket].keys.get(key)

    def get(self, key: str) -> tuple[bytes, str]:
        """Body and ETag."""
        found = self._find(key)
        if found is None:
            raise MissingError(key)
        return found.value, found.etag.strip('"')

    def put(self, key: str, body: bytes, *, absent: bool = False, match: str = "") -> str:
        """Write, conditionally where asked."""
        found = self._find(key)
        if (absent and found is not None) or (match and (found is None or found.etag.strip('"') != match)):
            raise ConflictError(key)
        made = self._s3.put_object(self._bucket, key, body, disable_notification=True)
        made.last_modified = datetime.fromtimestamp(self.clock(), UTC).replace(tzinfo=None)
        return str(made.etag.strip('"'))

    def size(self, key: str) -> int:
        """Bytes of an object."""
        return len(self.get(key)[0])

    def list(self, prefix: str, after: str = "") -> Iterator[Found]:
        """Objects below a prefix in order."""
        for key in sorted(k for k in self._s3.buckets[self._bucket].keys if k.startswith(prefix) and k > after):
            yield Found(key, self.size(key))

    def delete(self, key: str) -> None:
        """Remove."""
        if self._find(key) is not None:
            self._s3.delete_object(self._bucket, key)

    def upload(self, key: str, path: str, moved: Callable[[int], None], wanted: Callable[[], bool]) -> str:
        """Take a file in."""
        del wanted
        body = Path(path).read_bytes()
        self.put(key, body)
        moved(len(body))
        return file_digest(path)

    def download(self, key: str, path: str, moved: Callable[[int], None]) -> None:
        """Write to a file."""
        body = self.get(key)[0]
        Path(path).write_bytes(body)
        moved(len(body))
