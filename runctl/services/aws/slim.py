"""botocore's service models, cut down to the operations runctl uses.

Building an EC2 client spends most of its time reading a model of 1.5 MB. A copy with only our operations and without
documentation, kept in the user's cache, makes the client about three times quicker to build. It is made from botocore's
own file, keyed by botocore's version and by the list of operations, and done without wherever the cache cannot be
written.
"""

from __future__ import annotations

import json
import os
import tempfile
import zlib
from pathlib import Path
from typing import Any

from runctl.paths import make_private

OPERATIONS: dict[str, tuple[str, frozenset[str]]] = {
    "ec2": (
        "2016-11-15",
        frozenset(
            "Describe" + noun
            for noun in (
                "AccountAttributes", "Addresses", "AvailabilityZones", "Images", "InstanceAttribute", "InstanceStatus",
                "InstanceTypeOfferings", "InstanceTypes", "Instances", "KeyPairs", "Regions", "SecurityGroups",
                "Snapshots", "SpotInstanceRequests", "SpotPriceHistory", "Subnets", "Tags", "Volumes",
                "VolumesModifications",
            )
        )
        | {
            "AttachVolume", "CancelSpotInstanceRequests", "CreateSnapshot", "CreateTags", "CreateVolume",
            "DeleteSnapshot", "DeleteTags", "DeleteVolume", "DetachVolume", "GetConsoleOutput",
            "ModifyInstanceAttribute", "ModifyVolume", "RebootInstances", "ReleaseAddress", "RunInstances",
            "StartInstances", "StopInstances", "TerminateInstances",
        },
    ),
    "s3": (
        "2006-03-01",
        frozenset({
            "ListBuckets", "ListObjectsV2", "HeadBucket", "HeadObject", "GetObject", "PutObject", "DeleteObject",
            "DeleteObjects", "GetBucketLocation", "ListMultipartUploads", "AbortMultipartUpload", "CreateSession",
            "CreateBucket", "PutPublicAccessBlock", "PutBucketLifecycleConfiguration", "PutBucketTagging",
        }),
    ),
}  # fmt: skip


def _reachable(model: dict[str, Any], operations: frozenset[str]) -> dict[str, Any]:
    """The shapes the operations refer to, directly or not."""
    shapes: dict[str, Any] = model["shapes"]
    todo: list[str] = []

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("shape"), str):
                todo.append(value["shape"])
            for inner in value.values():
                collect(inner)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)

    for name in operations & set(model["operations"]):
        collect(model["operations"][name])
    kept: dict[str, Any] = {}
    while todo:
        shape = todo.pop()
        if shape not in kept:
            kept[shape] = shapes[shape]
            collect(shapes[shape])
    return kept


def _undocumented(value: Any) -> Any:
    if isinstance(value, dict):
        # Emptied, not removed: botocore's handlers for S3 read the key.
        return {k: "" if k == "documentation" and isinstance(v, str) else _undocumented(v) for k, v in value.items()}
    return [_undocumented(v) for v in value] if isinstance(value, list) else value


def prune(model: dict[str, Any], operations: frozenset[str]) -> dict[str, Any]:
    """A service model with only `operations` and what they need."""
    kept = {k: v for k, v in model["operations"].items() if k in operations}
    return dict(_undocumented({**model, "operations": kept, "shapes": _reachable(model, operations)}))


def _fingerprint() -> str:
    """Short name of the list of operations: a runctl that asks more must not find an older one's models."""
    wanted = {service: (version, sorted(operations)) for service, (version, operations) in OPERATIONS.items()}
    return f"{zlib.crc32(json.dumps(wanted, sort_keys=True).encode()):08x}"


def ensure_models(directory: Path) -> str | None:
    """Directory with the pruned models for botocore's loader, made when it is not there; None when it cannot be."""
    import botocore

    home = directory / f"models-botocore-{botocore.__version__}-{_fingerprint()}"
    try:
        for service, (version, operations) in OPERATIONS.items():
            target = home / service / version / "service-2.json"
            if not target.exists():
                _write(target, prune(_original(Path(botocore.__file__).parent, service, version), operations))
    except (OSError, ValueError, KeyError):
        return None
    return str(home)


def _original(package: Path, service: str, version: str) -> dict[str, Any]:
    path = package / "data" / service / version / "service-2.json"
    if path.exists():
        return dict(json.loads(path.read_bytes()))
    import gzip

    return dict(json.loads(gzip.decompress(path.with_suffix(".json.gz").read_bytes())))


def _write(target: Path, model: dict[str, Any]) -> None:
    """Write beside and rename: two processes may do this at once."""
    make_private(target.parent)
    descriptor, name = tempfile.mkstemp(dir=target.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(model, file, separators=(",", ":"))
        os.replace(name, target)
    except OSError:
        os.unlink(name)
        raise
