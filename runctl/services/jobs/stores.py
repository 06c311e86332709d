"""Where records lie, as the client sees it: a bucket, or the directory of jobs on this machine.

Both know conditional writes and how old an object is by the store's own clock. Errors of S3 pass through as they are;
what belongs to a store is `MissingError` and `ConflictError`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from runctl.agent import store as agent_store
from runctl.agent.directory import DirectoryStore
from runctl.clock import SystemClock
from runctl.errors import CloudError, RequestError, RunctlError
from runctl.paths import make_private
from runctl.services.transfer import operations
from runctl.services.transfer.client import Bytes, Request, S3Client
from runctl.services.transfer.single import Single
from runctl.services.transfer.sync import Options
from runctl.services.transfer.uri import S3Uri

#: S3's codes for an object that is not there, and for a condition that does not hold (S3 API reference, "PutObject").
_MISSING = frozenset({"NoSuchKey", "NotFound", "HTTP404"})
_CONFLICT = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "HTTP412", "HTTP409"})


class MissingError(RunctlError):
    """No such object."""


class ConflictError(RunctlError):
    """A conditional write lost: somebody else wrote first (412)."""


class Blob(NamedTuple):
    """An object: body, ETag, and its age in seconds by the store's clock."""

    body: bytes
    etag: str
    age_s: float


class Entry(NamedTuple):
    """One object of a listing."""

    key: str
    size: int


class Store(Protocol):
    """What both can do. Every method may raise RunctlError."""

    @property
    def where(self) -> str:
        """For people: `s3://bucket` or the directory."""
        ...

    def fetch(self, key: str) -> Blob:
        """One object.

        Raises:
            MissingError: there is none.
        """
        ...

    def fetch_part(self, key: str, start: int, length: int) -> bytes:
        """Some bytes of an object."""
        ...

    def put(self, key: str, body: bytes, *, absent: bool = False, match: str = "") -> str:
        """Write; with `absent` only where nothing is, with `match` only over that ETag. The new ETag.

        Raises:
            ConflictError: the condition does not hold.
        """
        ...

    def entries(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """Objects below a prefix in the order of their keys, those behind `after` only."""
        ...

    def children(self, prefix: str) -> Iterator[str]:
        """The names one level below a prefix that have something below them."""
        ...

    def delete(self, keys: list[str]) -> None:
        """Remove; no error where nothing is."""
        ...

    def download(self, key: str, path: Path) -> None:
        """Fetch into a file, which appears only when whole."""
        ...


def exists(store: Store, key: str) -> bool:
    """Whether there is an object."""
    return next((e.key == key for e in store.entries(key)), False)


class BucketStore:
    """A bucket.

    Args:
        client: speaks S3.
        bucket: its name.
        state: directory for what big downloads remember.
    """

    def __init__(self, client: S3Client, bucket: str, state: Path) -> None:
        self.client, self.bucket, self._state = client, bucket, state

    @property
    def where(self) -> str:
        """`s3://bucket`."""
        return f"s3://{self.bucket}"

    def fetch(self, key: str) -> Blob:
        """One object."""
        with _answers(key):
            reply = self.client.call(Request("GetObject", "GET", self.bucket, key))
        now = operations.http_seconds(reply.headers.get("date", "")) or self.client.clock.now().timestamp()
        modified = operations.http_seconds(reply.headers.get("last-modified", ""))
        return Blob(reply.body, reply.headers.get("etag", "").strip('"'), max(0.0, now - modified))

    def fetch_part(self, key: str, start: int, length: int) -> bytes:
        """Some bytes of an object."""
        wanted = {"range": f"bytes={start}-{start + length - 1}"}
        with _answers(key):
            return self.client.call(Request("GetObject", "GET", self.bucket, key, headers=wanted)).body

    def put(self, key: str, body: bytes, *, absent: bool = False, match: str = "") -> str:
        """Write. A condition lost to our own first try, whose answer never came, counts as won."""
        headers = {"if-none-match": "*"} if absent else {"if-match": f'"{match}"'} if match else {}
        try:
            with _answers(key):
                answer = operations.put(self.client, self.bucket, key, Bytes(body), headers)
        except MissingError as error:  # If-Match on what is gone is answered 404 (S3 User Guide, "Conditional writes")
            raise ConflictError(f"{key}: it is gone") from error
        except ConflictError:
            there = self._there(key)
            if there is None or there.body != body:
                raise
            return there.etag
        return answer.get("etag", "").strip('"')

    def _there(self, key: str) -> Blob | None:
        try:
            return self.fetch(key)
        except MissingError:
            return None

    def entries(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """Objects below a prefix."""
        token = ""
        while True:
            page = operations.list_page(self.client, self.bucket, prefix, token=token, after="" if token else after)
            yield from (Entry(f.key, f.size) for f in page.files)
            if not (token := page.token):
                return

    def children(self, prefix: str) -> Iterator[str]:
        """Names one level below."""
        token = ""
        while True:
            page = operations.list_page(self.client, self.bucket, prefix, token=token, delimiter="/")
            yield from (p[len(prefix) :].rstrip("/") for p in page.prefixes)
            if not (token := page.token):
                return

    def delete(self, keys: list[str]) -> None:
        """Remove.

        Raises:
            RunctlError: some could not be; the message names the first.
        """
        for start in range(0, len(keys), operations.DELETE_BATCH):
            failed = operations.delete(self.client, self.bucket, keys[start : start + operations.DELETE_BATCH])
            if failed:
                key, why = failed[0]
                raise RunctlError(f"{self.where}/{key}: not deleted: {why}")

    def download(self, key: str, path: Path) -> None:
        """Fetch into a file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        outcome = Single(self.client, S3Uri(self.bucket, key), path, Options(self._state)).run()
        if outcome.failed:
            raise RunctlError(f"{self.where}/{key}: {outcome.failed[0].reason}")


@contextmanager
def _answers(key: str) -> Iterator[None]:
    try:
        yield
    except RequestError as error:
        if error.site.code in _MISSING:
            raise MissingError(f"{key}: no such object") from error
        if error.site.code in _CONFLICT:
            raise ConflictError(f"{key}: somebody else wrote first") from error
        raise
    except CloudError as error:
        if error.site.code in _CONFLICT:
            raise ConflictError(f"{key}: somebody else wrote first") from error
        raise


class LocalStore:
    """The records of jobs on this machine, in the layout the supervisor writes.

    Args:
        root: the directory that stands for the bucket.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._inner = DirectoryStore(str(root))

    @property
    def where(self) -> str:
        """The directory."""
        return str(self.root)

    def fetch(self, key: str) -> Blob:
        """One object."""
        with _local_answers():
            body, etag = self._inner.get(key)
        try:
            modified = os.stat(self.root / key).st_mtime
        except OSError:
            return Blob(body, etag, 0.0)
        return Blob(body, etag, max(0.0, SystemClock().now().timestamp() - modified))

    def fetch_part(self, key: str, start: int, length: int) -> bytes:
        """Some bytes of an object."""
        try:
            with (self.root / key).open("rb") as file:
                file.seek(start)
                return file.read(length)
        except OSError as error:
            raise MissingError(f"{key}: {error.strerror or error}") from error

    def put(self, key: str, body: bytes, *, absent: bool = False, match: str = "") -> str:
        """Write."""
        make_private(self.root)
        with _local_answers():
            return self._inner.put(key, body, absent=absent, match=match)

    def entries(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """Objects below a prefix."""
        with _local_answers():
            yield from (Entry(f.key, f.size) for f in self._inner.list(prefix, after))

    def children(self, prefix: str) -> Iterator[str]:
        """Names one level below."""
        try:
            names = sorted(e.name for e in os.scandir(self.root / prefix) if e.is_dir())
        except OSError:
            return
        yield from (name for name in names if self._inner.holds(prefix + name))

    def delete(self, keys: list[str]) -> None:
        """Remove."""
        with _local_answers():
            for key in keys:
                self._inner.delete(key)

    def download(self, key: str, path: Path) -> None:
        """Copy into a file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        try:
            shutil.copyfile(self.root / key, part)
            os.replace(part, path)
        except FileNotFoundError as error:
            raise MissingError(f"{key}: no such object") from error
        except OSError as error:
            raise RunctlError(f"{path}: {error.strerror or error}") from error


@contextmanager
def _local_answers() -> Iterator[None]:
    try:
        yield
    except agent_store.MissingError as error:
        raise MissingError(str(error)) from error
    except agent_store.ConflictError as error:
        raise ConflictError(str(error)) from error
    except agent_store.StoreError as error:
        raise RunctlError(str(error)) from error
