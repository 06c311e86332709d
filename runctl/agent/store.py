"""Where the record lies, as the supervisor sees it: S3, or a directory that behaves like S3."""

from __future__ import annotations

from typing import Any, Callable, Iterator, NamedTuple
from urllib.parse import urlsplit

MYPY = False
if MYPY:  # typing.Protocol costs nothing at run time this way, and every Python has it
    from typing import Protocol
else:
    Protocol = object


class StoreError(Exception):
    """The store could not do it; the message says what, where and the service's own code."""


class MissingError(StoreError):
    """No such object."""


class ConflictError(StoreError):
    """A conditional write lost: somebody else wrote first (412, 409)."""


class DeniedError(StoreError):
    """Not allowed; another try will not help."""


class Found(NamedTuple):
    """One object of a listing."""

    key: str
    size: int


class Store(Protocol):
    """What both do. Keys are the record's; every method may raise `StoreError`."""

    def get(self, key: str) -> tuple[bytes, str]:
        """Body and ETag. Raises `MissingError`."""

    def put(self, key: str, body: bytes, *, absent: bool = False, match: str = "") -> str:
        """Write; with `absent` only where nothing is, with `match` only over that ETag. The new ETag."""

    def size(self, key: str) -> int:
        """Bytes of an object. Raises `MissingError`."""

    def list(self, prefix: str, after: str = "") -> Iterator[Found]:
        """Objects below a prefix in the order of their keys."""

    def delete(self, key: str) -> None:
        """Remove; no error where nothing is."""

    def upload(self, key: str, path: str, moved: Callable[[int], None], wanted: Callable[[], bool]) -> str:
        """Send a file; its SHA-256. `moved` gets bytes as they leave; gives up with `StoreError` once not `wanted`."""

    def download(self, key: str, path: str, moved: Callable[[int], None]) -> None:
        """Fetch into a file, which appears only when whole."""


def open_store(url: str, **options: Any) -> Store:
    """The store behind `s3://BUCKET` or `file:///DIRECTORY`.

    Raises:
        ValueError: any other address.
    """
    from runctl.agent.directory import DirectoryStore
    from runctl.agent.s3 import S3Store

    at = urlsplit(url)
    if at.scheme == "s3" and at.netloc and at.path in ("", "/"):
        return S3Store(at.netloc, **options)
    if at.scheme == "file" and at.path.startswith("/"):
        return DirectoryStore(at.path)
    raise ValueError(f"--store {url!r}: expected s3://BUCKET or file:///DIRECTORY")
