"""The checksums S3 keeps: computed while bytes pass, joined from parts, and read from an answer's headers.

Amazon S3 User Guide, "Checking object integrity": CRC64NVME, CRC32 and CRC32C may cover the full object even of a
multipart upload; SHA-1 and SHA-256 of a multipart upload are composite: the checksum of the parts' checksums, with `-N`
added. An ETag is never taken for the MD5 of a multipart upload. Where S3 keeps no checksum of one, its ETag is made of
the MD5s of the parts, in practice and unpromised: that two agree proves the content, that they differ proves nothing.

The CRCs come from anycrc, which uses the processor's carry-less multiplication: 10 GB/s here (pure Python does 5 MB/s),
loaded in 12 ms when first needed. awscrt has them too, at 20 GB/s, but botocore loads all of awscrt wherever it is
installed, and every start of every command would take 80 ms more.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

#: What uploads carry: the algorithm S3 itself falls back on, and one that covers a whole multipart object.
UPLOAD_ALGORITHM = "CRC64NVME"
_CRC_BYTES = {"CRC64NVME": 8, "CRC32": 4, "CRC32C": 4}
_BYTES = {**_CRC_BYTES, "SHA256": 32, "SHA1": 20}
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
    if algorithm == "MD5":
        return hashlib.md5(usedforsecurity=False)
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
    """A composite checksum as S3 writes it: the checksum of the parts' checksums, then the count."""
    return f"{_written(algorithm, digest_of(algorithm, b''.join(digests)))}-{len(digests)}"


def _written(algorithm: str, digest: bytes) -> str:
    """Checksums are written in base64, the MD5s of ETags in hex."""
    return digest.hex() if algorithm == "MD5" else encode(digest)


@dataclass(frozen=True, slots=True)
class Stored:
    """A checksum as S3 keeps it, or an ETag that is one: `parts` > 0 means composite, made of that many parts."""

    algorithm: str
    value: str
    parts: int = 0

    @property
    def promised(self) -> bool:
        """Whether S3 promises it: then another value proves other content. ETags made of parts are not promised."""
        return self.algorithm != "MD5" or not self.parts

    @property
    def joins(self) -> bool:
        """Whether it can be computed from parts of any size: full-object CRCs can."""
        return self.parts == 0 and self.algorithm in _CRC_BYTES

    def of_parts(self, parts: Sequence[tuple[bytes, int]]) -> str:
        """What the object's checksum is, given its parts' (digest, length), to compare with `value`."""
        if self.parts:
            return composite(self.algorithm, [digest for digest, _ in parts])
        if len(parts) == 1:
            return _written(self.algorithm, parts[0][0])
        return encode(join_crcs(self.algorithm, parts))

    def running(self, part: int) -> RunningSum:
        """Start computing it; a composite is cut in parts of `part` bytes."""
        return RunningSum(self, part if self.parts else 0)


class RunningSum:
    """A stored checksum being computed from the bytes in order."""

    def __init__(self, stored: Stored, part: int) -> None:
        self._stored = stored
        self._part = self._left = part
        self._now = running(stored.algorithm)
        self._digests: list[bytes] = []

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes."""
        view = memoryview(data)
        while self._part and len(view) >= self._left:
            self._now.update(view[: self._left])
            self._digests.append(self._now.digest())
            view, self._left, self._now = view[self._left :], self._part, running(self._stored.algorithm)
        if len(view):
            self._now.update(view)
            self._left -= len(view)

    def value(self) -> str:
        """The checksum as S3 would write it."""
        if not self._part:
            return _written(self._stored.algorithm, self._now.digest())
        rest = [self._now.digest()] if self._left < self._part or not self._digests else []
        return composite(self._stored.algorithm, [*self._digests, *rest])


_ETAG = re.compile(r"([0-9a-f]{32})(?:-([1-9]\d{0,4}))?")


def stored_in(headers: Mapping[str, str]) -> Stored | None:
    """The checksum an answer carries in its headers (asked for by `x-amz-checksum-mode: ENABLED`), else its ETag's."""
    return _checksum_in(headers) or _etag_in(headers)


def _etag_in(headers: Mapping[str, str]) -> Stored | None:
    """The MD5 that an ETag is, or the one of its parts' MD5s.

    Not for objects encrypted with KMS or a customer's key (API Reference, "Object": ETag).
    """
    encrypted = headers.get("x-amz-server-side-encryption", "AES256") != "AES256"
    if encrypted or "x-amz-server-side-encryption-customer-algorithm" in headers:
        return None
    found = _ETAG.fullmatch(headers.get("etag", "").strip('"').lower())
    return Stored("MD5", found.group(), int(found.group(2) or 0)) if found else None


def _checksum_in(headers: Mapping[str, str]) -> Stored | None:
    for algorithm in ALGORITHMS:
        value = headers.get(f"x-amz-checksum-{algorithm.lower()}")
        # Emulators without a CRC64NVME answer a CRC32 under its name: by its length no checksum at all.
        if value is None or len(value.partition("-")[0]) != -(-_BYTES[algorithm] // 3) * 4:
            continue
        _, dash, count = value.partition("-")
        if dash:
            return Stored(algorithm, value, int(count)) if count.isdigit() else None
        # Some servers leave the count out and only say the type: a value that cannot be recomputed is none at all.
        return None if headers.get("x-amz-checksum-type", "").upper() == "COMPOSITE" else Stored(algorithm, value)
    return None
