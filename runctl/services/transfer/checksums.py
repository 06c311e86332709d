"""The checksums S3 keeps: computed while bytes pass, joined from parts, and read from an answer's headers.

Amazon S3 User Guide, "Checking object integrity": CRC64NVME, CRC32 and CRC32C may cover the full object even of a
multipart upload; SHA-1 and SHA-256 of a multipart upload are composite: the checksum of the parts' checksums, with `-N`
added. An ETag is never taken for a checksum of a multipart upload.

The CRCs come from anycrc, which uses the processor's carry-less multiplication: 10 GB/s here (pure Python does 5 MB/s),
loaded in 12 ms when first needed. awscrt has them too, at 20 GB/s, but botocore loads all of awscrt wherever it is
installed, and every start of every command would take 80 ms more.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

#: What uploads carry: the algorithm S3 itself falls back on, and one that covers a whole multipart object.
UPLOAD_ALGORITHM = "CRC64NVME"
_CRC_BYTES = {"CRC64NVME": 8, "CRC32": 4, "CRC32C": 4}
_POLYNOMIALS = {"CRC64NVME": 0xAD93D23594C93659, "CRC32": 0x04C11DB7, "CRC32C": 0x1EDC6F41}
#: Best first.
ALGORITHMS = ("CRC64NVME", "SHA256", "CRC32C", "CRC32", "SHA1")


class Running(Protocol):
    """A checksum being computed."""

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Add bytes."""
        ...

    def digest(self) -> bytes:
        """The checksum so far, big-endian as S3 writes it."""
        ...


class _Crc:
    __slots__ = ("_function", "_size", "_value")

    def __init__(self, function: Callable[..., int], size: int) -> None:
        self._function = function
        self._size = size
        self._value = 0

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


def _model(algorithm: str) -> Any:
    """The CRC by its parameters (all reflected, all ones at both ends; CRC RevEng catalogue)."""
    import anycrc

    width = _CRC_BYTES[algorithm] * 8
    ones = (1 << width) - 1
    return anycrc.CRC(width, _POLYNOMIALS[algorithm], ones, True, True, ones)


def running(algorithm: str) -> Running:
    """Start a checksum by its S3 name ("CRC64NVME", "CRC32", "CRC32C", "SHA256", "SHA1").

    Raises:
        KeyError: an algorithm this version does not know.
    """
    if algorithm == "CRC32":
        return _Crc(zlib.crc32, 4)
    if algorithm in _CRC_BYTES:
        return _Crc(_model(algorithm).calc, _CRC_BYTES[algorithm])
    if algorithm == "SHA256":
        return hashlib.sha256()
    if algorithm == "SHA1":
        return hashlib.sha1(usedforsecurity=False)
    raise KeyError(algorithm)


def digest_of(algorithm: str, data: bytes | bytearray | memoryview) -> bytes:
    """The checksum of one piece."""
    one = running(algorithm)
    one.update(data)
    return one.digest()


def encode(digest: bytes) -> str:
    """As S3 writes a checksum in headers and XML."""
    return base64.b64encode(digest).decode()


def join_crcs(algorithm: str, parts: Sequence[tuple[bytes, int]]) -> bytes:
    """The CRC of a whole object from the (digest, length in bytes) of its parts in order."""
    combine = _model(algorithm).combine
    value = 0
    for digest, length in parts:
        value = combine(value, int.from_bytes(digest, "big"), length)
    return int(value).to_bytes(_CRC_BYTES[algorithm], "big")


def composite(algorithm: str, digests: Sequence[bytes]) -> str:
    """A composite checksum as S3 writes it: base64 of the checksum of the parts' checksums, then the count."""
    return f"{encode(digest_of(algorithm, b''.join(digests)))}-{len(digests)}"


@dataclass(frozen=True, slots=True)
class Stored:
    """A checksum as S3 keeps it: `parts` > 0 means composite, made of that many parts."""

    algorithm: str
    value: str
    parts: int = 0

    @property
    def joins(self) -> bool:
        """Whether it can be computed from parts of any size: full-object CRCs can."""
        return self.parts == 0 and self.algorithm in _CRC_BYTES

    def of_parts(self, parts: Sequence[tuple[bytes, int]]) -> str:
        """What the object's checksum is, given its parts' (digest, length), to compare with `value`."""
        if self.parts:
            return composite(self.algorithm, [digest for digest, _ in parts])
        if len(parts) == 1:
            return encode(parts[0][0])
        return encode(join_crcs(self.algorithm, parts))


def stored_in(headers: Mapping[str, str]) -> Stored | None:
    """The checksum an answer carries in its headers (asked for by `x-amz-checksum-mode: ENABLED`), if any."""
    for algorithm in ALGORITHMS:
        value = headers.get(f"x-amz-checksum-{algorithm.lower()}")
        if value is None:
            continue
        _, dash, count = value.partition("-")
        if dash:
            return Stored(algorithm, value, int(count)) if count.isdigit() else None
        # Some servers leave the count out and only say the type: a value that cannot be recomputed is none at all.
        return None if headers.get("x-amz-checksum-type", "").upper() == "COMPOSITE" else Stored(algorithm, value)
    return None
