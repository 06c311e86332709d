"""S3's objects where moto is wrong: their checksums, and the clock that they are dated by."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runctl.demo.world import World


def _checksum(body: bytes, algorithm: str, encode_base64: bool = True) -> bytes:  # moto calls it so
    from runctl.services.transfer.checksums import digest_of

    digest = digest_of(algorithm or "CRC64NVME", body)
    return b64encode(digest) if encode_base64 else digest


def install(world: World) -> None:
    """Put real ones in their place (Amazon S3 User Guide, "Checking object integrity").

    Without optional packages moto answers a CRC32 under the names of CRC64NVME and CRC32C. It dates objects by this
    computer's clock, while all else here follows the world's: after `World.advance` a heartbeat was born old.
    """
    from moto.s3 import models, responses

    for module in (models, responses):
        vars(module).update(compute_checksum=_checksum)
    vars(models).update(utcnow=lambda: world.now().replace(tzinfo=None))
