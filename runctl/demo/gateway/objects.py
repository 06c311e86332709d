"""Checksums of objects: without optional packages moto answers a CRC32 under the names of CRC64NVME and CRC32C."""

from __future__ import annotations

from base64 import b64encode


def _checksum(body: bytes, algorithm: str, encode_base64: bool = True) -> bytes:  # moto calls it so
    from runctl.services.transfer.checksums import digest_of

    digest = digest_of(algorithm or "CRC64NVME", body)
    return b64encode(digest) if encode_base64 else digest


def install() -> None:
    """Put real checksums in their place (Amazon S3 User Guide, "Checking object integrity")."""
    from moto.s3 import models, responses

    for module in (models, responses):
        vars(module).update(compute_checksum=_checksum)
