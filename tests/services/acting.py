"""Machines, disks and the rest to act on, made small; ages are reckoned from `NOW`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from runctl.models.cost import Confidence, Price
from runctl.models.instance import BlockDevice, Hardware, Instance, InstanceState, Market
from runctl.models.s3 import StoredCheckpoint, Upload
from runctl.models.tags import MANAGED, OWNER, parse_ownership
from runctl.models.volume import Address, Attachment, Volume, VolumeSnapshot

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
EAST = "us-east-1"
OURS = {MANAGED: "1", OWNER: "zoe"}
THEIRS = {MANAGED: "1", OWNER: "mallory"}


def machine(number: int = 1, tags: dict[str, str] | None = None, **more: Any) -> Instance:
    held = OURS if tags is None else tags
    facts: dict[str, Any] = {
        "type": "g5.xlarge",
        "state": InstanceState.RUNNING,
        "market": Market.ON_DEMAND,
        "az": f"{EAST}a",
        "launched_at": NOW - timedelta(hours=2),
        "rate": Price(1.006, "hour", "kp2607", Confidence.LISTED),
        "hardware": Hardware(4, 16.0, "A10G", 1, 24.0, "x86_64"),
        "root_device": "/dev/xvda",
        "devices": (BlockDevice("/dev/xvda", f"vol-{number:017x}", True),),
        "profile_arn": "arn:aws:iam::123456789012:instance-profile/lab",
    }
    return Instance(
        id=f"i-{number:017x}",
        region=EAST,
        name=held.get("Name", f"m{number}"),
        tags=held,
        ownership=parse_ownership(held),
        **facts | more,
    )


def disk(number: int = 1, tags: dict[str, str] | None = None, *, on: str = "", **more: Any) -> Volume:
    held = OURS if tags is None else tags
    facts: dict[str, Any] = {
        "name": "", "size_gib": 100, "type": "gp3", "state": "in-use" if on else "available", "az": f"{EAST}a",
        "created_at": NOW - timedelta(days=3), "iops": 3000, "throughput": 125, "usd_per_month": 8.0,
        "attachments": (Attachment(on, "/dev/sdf", "attached"),) if on else (),
    }  # fmt: skip
    return Volume(id=f"vol-{number:017x}", region=EAST, tags=held, ownership=parse_ownership(held), **facts | more)


def snapshot(number: int = 1, tags: dict[str, str] | None = None, **more: Any) -> VolumeSnapshot:
    held = OURS if tags is None else tags
    facts: dict[str, Any] = {
        "name": "", "volume_id": "vol-0fff", "size_gib": 100, "state": "completed", "progress": "100%",
        "created_at": NOW - timedelta(days=3), "usd_per_month": 5.0,
    }  # fmt: skip
    return VolumeSnapshot(
        id=f"snap-{number:017x}", region=EAST, tags=held, ownership=parse_ownership(held), **facts | more
    )


def address(number: int = 1, tags: dict[str, str] | None = None, **more: Any) -> Address:
    held = OURS if tags is None else tags
    facts: dict[str, Any] = {"public_ip": "198.51.100.7", "usd_per_hour": 0.005}
    return Address(
        id=f"eipalloc-{number:017x}", region=EAST, tags=held, ownership=parse_ownership(held), **facts | more
    )


def upload(number: int = 1, tags: dict[str, str] | None = None, **more: Any) -> Upload:
    facts: dict[str, Any] = {"started_at": NOW - timedelta(days=9), "tags": OURS if tags is None else tags}
    return Upload("ckpt-lab", f"run/{number}.pt", f"upload{number}", EAST, **facts | more)


def checkpoint(number: int = 1, tags: dict[str, str] | None = None, **more: Any) -> StoredCheckpoint:
    key = f"run/ck/step-{number}"
    facts: dict[str, Any] = {
        "keys": (f"{key}/model.pt",), "bytes": 10, "newest_at": NOW - timedelta(days=3), "seal": "0a",
        "tags": OURS if tags is None else tags,
    }  # fmt: skip
    return StoredCheckpoint("ckpt-lab", key, EAST, f"step-{number}", **facts | more)
