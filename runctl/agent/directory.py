"""A directory that keeps the record as S3 would, conditional writes included; for jobs that run on this machine."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from typing import Callable, Iterator

from runctl.agent.store import ConflictError, Found, MissingError, StoreError

_LOCK = ".lock"
_PART = ".part-"


class DirectoryStore:
    """Objects as files below a root, readable by their owner only. The ETag is the body's SHA-256.

    A write is a rename, so a reader never sees half of one; conditional writes of all processes go through one lock.

    Args:
        root: the directory that stands for the bucket; made where missing.
    """

    def __init__(self, root: str) -> None:
        self._root = os.path.abspath(root)

    def _path(self, key: str) -> str:
        path = os.path.normpath(os.path.join(self._root, key))
        if not key or key.startswith("/") or not path.startswith(self._root + os.sep) or _PART in key:
            raise StoreError(f"no key of the record: {key!r}")
        return path

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        os.makedirs(self._root, mode=0o700, exist_ok=True)
        with open(os.path.join(self._root, _LOCK), "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def _failures(self, verb: str, key: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise MissingError(f"{verb} {key}: no such object") from error
        except OSError as error:
            raise StoreError(f"{verb} {key}: {error.strerror or error}") from error

    def get(self, key: str) -> tuple[bytes, str]:
        """Body and ETag."""
        with self._failures("read", key), open(self._path(key), "rb") as file:
            body = file.read()
        return body, hashlib.sha256(body).hexdigest()

    def put(self, key: str, body: bytes, *, absent: bool = False, match: str = "") -> str:
        """Write, conditionally where asked."""
        with self._failures("write", key), self._locked():
            path = self._path(key)
            if absent and os.path.exists(path):
                raise ConflictError(f"write {key}: it exists already")
            if match:
                try:
                    current = self.get(key)[1]
                except MissingError as error:
                    raise ConflictError(f"write {key}: it is gone") from error
                if current != match:
                    raise ConflictError(f"write {key}: it has changed")
            self._replace(path, body)
        return hashlib.sha256(body).hexdigest()

    def _replace(self, path: str, body: bytes) -> None:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        handle, part = tempfile.mkstemp(prefix=_PART, dir=os.path.dirname(path))
        try:
            with open(handle, "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(part)
            raise

    def size(self, key: str) -> int:
        """Bytes of an object."""
        with self._failures("read", key):
            return os.stat(self._path(key)).st_size

    def list(self, prefix: str, after: str = "") -> Iterator[Found]:
        """Objects below a prefix, in the order S3 gives: by key."""
        below = os.path.join(self._root, os.path.dirname(prefix))
        keys = []
        for folder, _, names in os.walk(below):
            base = os.path.relpath(folder, self._root)
            keys += [os.path.normpath(os.path.join(base, n)).replace(os.sep, "/") for n in names if _PART not in n]
        for key in sorted(k for k in keys if k.startswith(prefix) and k > after and k != _LOCK):
            with contextlib.suppress(MissingError):
                yield Found(key, self.size(key))

    def holds(self, folder: str) -> bool:
        """Whether any object lies in a folder: what a killed writer left of itself is none, as in S3."""
        walked = os.walk(os.path.join(self._root, folder))
        return any(_PART not in name for _, _, names in walked for name in names)

    def delete(self, key: str) -> None:
        """Remove; no error where nothing is."""
        with contextlib.suppress(MissingError), self._failures("delete", key):
            os.unlink(self._path(key))

    def upload(self, key: str, path: str, moved: Callable[[int], None], wanted: Callable[[], bool]) -> str:
        """Copy a file in; its SHA-256."""
        target = self._path(key)
        with self._failures("write", key):
            os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
            handle, part = tempfile.mkstemp(prefix=_PART, dir=os.path.dirname(target))
            digest = hashlib.sha256()
            try:
                with open(path, "rb") as source, open(handle, "wb") as sink:
                    for block in iter(lambda: source.read(1 << 20), b""):
                        if not wanted():
                            raise StoreError(f"write {key}: given up")
                        digest.update(block)
                        sink.write(block)
                        moved(len(block))
                os.replace(part, target)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(part)
                raise
        return digest.hexdigest()

    def download(self, key: str, path: str, moved: Callable[[int], None]) -> None:
        """Copy a file out."""
        with self._failures("read", key):
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            shutil.copyfile(self._path(key), path + _PART)
            moved(os.stat(path + _PART).st_size)
            os.replace(path + _PART, path)
