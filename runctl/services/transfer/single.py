"""One file or object copied, with the same machinery as a whole tree."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from runctl.clock import Clock, SystemClock
from runctl.errors import CallSite, CloudError, InputError, RequestError
from runctl.services.transfer import operations
from runctl.services.transfer.cache import SyncCache
from runctl.services.transfer.changes import Change, Kind
from runctl.services.transfer.client import S3Client
from runctl.services.transfer.context import Context
from runctl.services.transfer.control import Bandwidth, Control
from runctl.services.transfer.destination import Destination
from runctl.services.transfer.engine import Engine, Mover
from runctl.services.transfer.journal import Journal
from runctl.services.transfer.listing import LocalFile
from runctl.services.transfer.movers import Copies, Downloads, Uploads
from runctl.services.transfer.paths import refusal
from runctl.services.transfer.plan import Outcome
from runctl.services.transfer.progress import Observer, Progress, Tally
from runctl.services.transfer.sides import Location
from runctl.services.transfer.sync import Options
from runctl.services.transfer.uri import S3Uri
from runctl.services.transfer.wire import RemoteFile


class Single:
    """Copies one file: up, down, or inside S3. Same face as `Sync`.

    Args:
        client: speaks S3.
        source: a file or a key.
        target: a file or a key; `into` completes it when it names a directory.
        options: see `Sync`.
        observers: told of the file.
        into: the target is a directory or prefix: the source's own name goes below it.

    Raises:
        InputError: both are local, the source is no file, or the key makes no safe file name.
    """

    def __init__(
        self,
        client: S3Client,
        source: Location,
        target: Location,
        options: Options,
        *,
        into: bool = False,
        observers: tuple[Observer, ...] = (),
        clock: Clock | None = None,
    ) -> None:
        if isinstance(source, Path) and isinstance(target, Path):
            raise InputError(f"{source} and {target} are both local", allowed="one of the two in S3")
        clock = clock or SystemClock()
        self.source = source
        self.target = target_of(source, target, into=into)
        self._client = client
        self.tally = Tally(clock, observers)
        endpoint = client.site.endpoint
        self._tries = options.tuning.file_tries
        self._workers = options.tuning.workers
        self._context = Context(
            client, client.control, Bandwidth(options.bandwidth, clock), options.tuning, Journal(options.state),
            f"{endpoint[1]}:{endpoint[2]}{endpoint[3]}" if endpoint else "", self.tally.moved,
        )  # fmt: skip

    @property
    def control(self) -> Control:
        """Pause, resume, cancel."""
        return self._client.control

    def progress(self) -> Progress:
        """How far it is."""
        return self.tally.progress(paused=self.control.paused)

    def change(self) -> Change:
        """What would be copied.

        Raises:
            InputError: no such file.
            CloudError: no such key, or it may not be read.
        """
        name = self.target.name if isinstance(self.target, Path) else self.target.key.rpartition("/")[2]
        if isinstance(self.source, Path):
            info = _stat(self.source)
            found: LocalFile | RemoteFile = LocalFile(name, info.st_size, info.st_mtime_ns, info.st_ino)
        else:
            found = _head(self._client, self.source)
        return Change(Kind.NEW, name, found.size, found, None, "asked for")

    def run(self) -> Outcome:
        """Copy it.

        Raises:
            InputError: no such file.
            CloudError: no such key.
            OSError: the target's directory cannot be made.
        """
        change = self.change()
        engine = Engine(self._mover(), self.control, self.tally, workers=self._workers, tries=self._tries)
        self.tally.compared(same=False, size=change.size)
        self.tally.planned = True
        try:
            engine.submit(change)
        except BaseException:
            self.control.cancel()
            raise
        finally:
            engine.close()
        tally = self.tally
        return Outcome(
            tally.done, tally.bytes_done, 0, 0, tuple(tally.failures), tally.failed, (), "",
            self.control.cancelled, engine.fatal, tally.progress().elapsed_s, self._client.retries,
        )  # fmt: skip

    def _mover(self) -> Mover:
        source, target = self.source, self.target
        cache = SyncCache(None, ())
        if isinstance(target, Path):
            assert isinstance(source, S3Uri)  # noqa: S101 - two paths were refused
            return Downloads(self._context, self.tally, cache, source.bucket, Destination(target.parent), target.parent)
        key_of: Callable[[str], str] = lambda _: target.key  # noqa: E731 - one name, one key
        if isinstance(source, Path):
            return Uploads(self._context, self.tally, cache, target.bucket, lambda _: source, key_of)
        return Copies(self._context, self.tally, source.bucket, target.bucket, key_of)


def target_of(source: Location, target: Location, *, into: bool) -> Location:
    """The target with the source's name, where it only names a directory.

    Raises:
        InputError: the source has no name, or none that may be a file's.
    """
    name = source.name if isinstance(source, Path) else source.key.rpartition("/")[2]
    if isinstance(source, S3Uri) and not name:
        raise InputError(f"{source} names no object", allowed="a key, or -r for everything below a prefix")
    if isinstance(target, S3Uri):
        whole = not target.key or target.key.endswith("/") or into
        return S3Uri(target.bucket, target.directory + name) if whole else target
    if into or target.is_dir():
        if reason := refusal(name):
            raise InputError(f"{source}: {reason}", allowed="give the file's name too")
        return target / name
    return target


def _stat(path: Path) -> os.stat_result:
    try:
        info = path.stat()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}", allowed="a file") from error
    if path.is_dir():
        raise InputError(f"{path} is a directory", allowed="a file, or -r for everything below it")
    return info


def _head(client: S3Client, where: S3Uri) -> RemoteFile:
    try:
        info = operations.head(client, where.bucket, where.key)
    except RequestError as error:
        if error.site.code not in ("NotFound", "NoSuchKey"):
            raise
        site = CallSite("s3", "HeadObject", error.site.region, "NoSuchKey")
        raise RequestError(f"{where}: no such object", site, hint="a prefix is copied with -r") from error
    except CloudError:
        raise
    return RemoteFile(where.key, info.size, info.modified, info.etag)
