"""Checksums: known values, parts joined in any cut, and what an answer's headers say."""

from __future__ import annotations

import base64
import hashlib
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runctl.services.transfer import checksums
from runctl.services.transfer.checksums import Stored, digest_of, running, stored_in

#: The catalogue's check values: the checksum of the digits 1 to 9.
CHECKS = {"CRC64NVME": "ae8b14860a799888", "CRC32": "cbf43926", "CRC32C": "e3069283"}


@pytest.mark.parametrize("algorithm", CHECKS)
def test_check_values(algorithm: str) -> None:
    assert digest_of(algorithm, b"123456789").hex() == CHECKS[algorithm]
    assert digest_of(algorithm, b"") == bytes(len(CHECKS[algorithm]) // 2)


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5), st.sampled_from(sorted(CHECKS)))
def test_parts_join_whatever_the_cut(data: bytes, cuts: list[int], algorithm: str) -> None:
    edges = sorted({0, len(data), *(c for c in cuts if c < len(data))})
    parts = [data[a:b] for a, b in pairwise(edges)] or [b""]
    whole = digest_of(algorithm, data)
    assert checksums.join_crcs(algorithm, [(digest_of(algorithm, p), len(p)) for p in parts]) == whole
    one = running(algorithm)
    for part in parts:
        one.update(memoryview(part))
    assert one.digest() == whole
    stored = Stored(algorithm, checksums.encode(whole))
    assert stored.joins
    assert stored.of_parts([(digest_of(algorithm, p), len(p)) for p in parts]) == stored.value


def test_crc32_is_zlibs() -> None:
    assert int.from_bytes(digest_of("CRC32", b"abc" * 1000), "big") == zlib.crc32(b"abc" * 1000)


def test_composite() -> None:
    parts = [hashlib.sha256(p).digest() for p in (b"one", b"two")]
    value = base64.b64encode(hashlib.sha256(b"".join(parts)).digest()).decode() + "-2"
    found = stored_in({"x-amz-checksum-sha256": value})
    assert found == Stored("SHA256", value, 2)
    assert not found.joins
    assert found.of_parts([(d, 3) for d in parts]) == value


def test_what_headers_say() -> None:
    crc, nvme, plain, parts = "AAAAAA==", "AAAAAAAAAAA=", "0123456789abcdef" * 2, "0123456789abcdef" * 2 + "-3"
    assert stored_in({}) is None
    assert stored_in({"etag": '"0123"'}) is None
    assert stored_in({"x-amz-checksum-crc32": crc, "x-amz-checksum-crc64nvme": nvme}) == Stored("CRC64NVME", nvme)
    sha = "A" * 27 + "="
    assert stored_in({"x-amz-checksum-sha1": sha, "x-amz-checksum-type": "COMPOSITE"}) is None
    assert stored_in({"x-amz-checksum-crc64nvme": crc, "etag": f'"{plain}"'}) == Stored("MD5", plain)
    assert stored_in({"etag": f'"{parts}"'}) == Stored("MD5", parts, 3)
    assert stored_in({"etag": f'"{plain}"', "x-amz-server-side-encryption": "aws:kms"}) is None
    assert not Stored("MD5", parts, 3).promised
    assert Stored("MD5", plain).promised


@given(st.binary(max_size=300), st.integers(1, 90), st.sampled_from(["SHA256", "MD5"]), st.integers(1, 400))
def test_composites_are_cut_where_the_parts_were(data: bytes, part: int, algorithm: str, step: int) -> None:
    digests = [digest_of(algorithm, data[n : n + part]) for n in range(0, len(data), part)] or [
        digest_of(algorithm, b"")
    ]
    value = checksums.composite(algorithm, digests)
    one = Stored(algorithm, value, len(digests)).running(part)
    for start in range(0, len(data), step):
        one.update(data[start : start + step])
    assert one.value() == value
