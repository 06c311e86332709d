"""One class for each direction: which request a file becomes, and what is remembered once it is through."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from runctl.services.transfer import operations
from runctl.services.transfer.cache import SyncCache
from runctl.services.transfer.changes import Change, Kind
from runctl.services.transfer.compare import known_of
from runctl.services.transfer.content import same_content
from runctl.services.transfer.context import MAX_OBJECT, Context
from runctl.services.transfer.copy import LargeCopy, copy_small
from runctl.services.transfer.destination import Destination, RefusedError, Settler
from runctl.services.transfer.download import Fetched, LargeDownload, fetch_whole
from runctl.services.transfer.engine import Large, failure_of
from runctl.services.transfer.listing import LocalFile
from runctl.services.transfer.progress import FileDone, Tally
from runctl.services.transfer.upload import LargeUpload, upload_small
from runctl.services.transfer.wire import RemoteFile


class Uploads:
    """Files to keys of a bucket; `path_of` and `key_of` say which file and key a name means."""

    def __init__(
        self,
        context: Context,
        tally: Tally,
        cache: SyncCache,
        bucket: str,
        path_of: Callable[[str], Path],
        key_of: Callable[[str], str],
    ) -> None:
        self._context = context
        self._tally = tally
        self._cache = cache
        self._bucket = bucket
        self._path_of = path_of
        self._key_of = key_of

    def large(self, change: Change) -> Large | None:
        """In pieces above one part."""
        if change.kind is Kind.UNSURE and self._same(change):
            return _Nothing()
        if change.size <= self._context.tuning.part:
            return None
        if change.size > MAX_OBJECT:
            raise RefusedError("larger than the largest object S3 takes")
        path = self._path_of(change.name)
        return _LargeUpload(self, change, self._context, path, self._bucket, self._key_of(change.name))

    def _same(self, change: Change) -> bool:
        assert isinstance(change.source, LocalFile)  # noqa: S101 - the direction says so
        assert isinstance(change.target, RemoteFile)  # noqa: S101
        path = self._path_of(change.name)
        info = os.stat(path)
        if not same_content(self._context, path, self._bucket, change.target):
            return False
        self._cache.keep(known_of(change.name, info, change.target.etag))
        self._tally.found_same(change.size)
        self._tally.active.pop(change.name, None)
        return True

    def whole(self, change: Change) -> None:
        """In one request."""
        path, key = self._path_of(change.name), self._key_of(change.name)
        info, etag, _ = upload_small(self._context, path, self._bucket, key)
        self._tally.part(info.st_size)
        self.done(change, info, etag)

    def done(self, change: Change, info: os.stat_result, etag: str) -> None:
        """The object is there."""
        self._cache.keep(known_of(change.name, info, etag))
        self._tally.end(FileDone(change.name, info.st_size, "uploaded"))

    def flush(self) -> None:
        """Nothing is collected."""


class _LargeUpload(LargeUpload):
    def __init__(self, mover: Uploads, change: Change, context: Context, path: Path, bucket: str, key: str) -> None:
        super().__init__(context, path, bucket, key)
        self._mover = mover
        self._moving = change

    def finish(self) -> None:
        super().finish()
        assert self.info is not None  # noqa: S101 - it was started
        self._mover.done(self._moving, self.info, self.etag)


class _Nothing:
    """A file that turned out to be the same: no pieces."""

    already = 0

    def start(self) -> None:
        return

    def pieces(self) -> Iterator[Callable[[], int]]:
        return iter(())

    def finish(self) -> None:
        return

    def abandon(self, *, keep: bool) -> None:
        return


class Downloads:
    """Keys below a prefix to files below a directory."""

    def __init__(
        self, context: Context, tally: Tally, cache: SyncCache, bucket: str, destination: Destination, root: Path
    ) -> None:
        self._context = context
        self._tally = tally
        self._cache = cache
        self._bucket = bucket
        self._destination = destination
        self._root = root
        self._settler = Settler(destination)

    def large(self, change: Change) -> Large | None:
        """In pieces above one part."""
        assert isinstance(change.source, RemoteFile)  # noqa: S101 - the direction says so
        if change.kind is Kind.UNSURE and self._same(change, change.source):
            return _Nothing()
        if change.size <= self._context.tuning.part:
            return None
        return _LargeDownload(
            self, change, self._context, self._bucket, change.source, self._destination, change.name, str(self._root)
        )

    def _same(self, change: Change, remote: RemoteFile) -> bool:
        path = self._root / change.name
        info = os.stat(path, follow_symlinks=False)
        if not same_content(self._context, path, self._bucket, remote):
            return False
        self._cache.keep(known_of(change.name, info, remote.etag))
        self._tally.found_same(change.size)
        self._tally.active.pop(change.name, None)
        return True

    def whole(self, change: Change) -> None:
        """In one request."""
        assert isinstance(change.source, RemoteFile)  # noqa: S101 - the direction says so
        fetched = fetch_whole(self._context, self._bucket, change.source, self._destination, change.name)
        self._tally.part(fetched.size)
        self.settle(change, fetched)

    def settle(self, change: Change, fetched: Fetched) -> None:
        """The file is whole: make it durable, name it, and remember it."""
        info = os.fstat(fetched.incoming.fd)

        def done(error: OSError | None) -> None:
            if error is not None:
                self._tally.part(-fetched.size)
                self._tally.end(failure_of(change.name, error))
                return
            self._cache.keep(known_of(change.name, info, fetched.etag))
            self._tally.end(FileDone(change.name, fetched.size, "downloaded"))

        self._settler.add(fetched.incoming, change.name, fetched.size, done)

    def flush(self) -> None:
        """Name what is collected."""
        self._settler.flush()
        self._destination.sync()


class _LargeDownload(LargeDownload):
    def __init__(
        self,
        mover: Downloads,
        change: Change,
        context: Context,
        bucket: str,
        remote: RemoteFile,
        destination: Destination,
        name: str,
        root: str,
    ) -> None:
        super().__init__(context, bucket, remote, destination, name, root)
        self._mover = mover
        self._moving = change

    def finish(self) -> None:
        self._mover.settle(self._moving, self.fetched())


class Copies:
    """Keys to keys, inside S3."""

    def __init__(self, context: Context, tally: Tally, source: str, bucket: str, key_of: Callable[[str], str]) -> None:
        self._context = context
        self._tally = tally
        self._source = source
        self._bucket = bucket
        self._key_of = key_of

    def large(self, change: Change) -> Large | None:
        """In pieces above what S3 copies in one request."""
        assert isinstance(change.source, RemoteFile)  # noqa: S101 - the direction says so
        if change.kind is Kind.UNSURE and self._same(change.source, change.target):
            self._tally.found_same(change.size)
            self._tally.active.pop(change.name, None)
            return _Nothing()
        if change.size <= self._context.tuning.copy_threshold:
            return None
        return _LargeCopy(
            self, change, self._context, self._source, change.source, self._bucket, self._key_of(change.name)
        )

    def _same(self, source: RemoteFile, target: object) -> bool:
        assert isinstance(target, RemoteFile)  # noqa: S101 - the direction says so
        if source.etag == target.etag and "-" not in source.etag:
            return True
        client = self._context.client
        one = operations.head(client, self._source, source.key).checksum
        other = operations.head(client, self._bucket, target.key).checksum
        return one is not None and one == other

    def whole(self, change: Change) -> None:
        """In one request."""
        assert isinstance(change.source, RemoteFile)  # noqa: S101 - the direction says so
        copy_small(self._context, self._source, change.source, self._bucket, self._key_of(change.name))
        self._tally.part(change.size)
        self.done(change)

    def done(self, change: Change) -> None:
        """The object is there."""
        self._tally.end(FileDone(change.name, change.size, "copied"))

    def flush(self) -> None:
        """Nothing is collected."""


class _LargeCopy(LargeCopy):
    def __init__(
        self, mover: Copies, change: Change, context: Context, source: str, remote: RemoteFile, bucket: str, key: str
    ) -> None:
        super().__init__(context, source, remote, bucket, key)
        self._mover = mover
        self._moving = change

    def finish(self) -> None:
        super().finish()
        self._mover.done(self._moving)
