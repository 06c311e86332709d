"""Snapshots: only the account's own by default, paged, with progress."""

from __future__ import annotations

import re
from typing import Any

from runctl.demo.gateway.calls import AwsError, Call, operation
from runctl.demo.gateway.listing import Listing
from runctl.demo.gateway.tags import tag_list

_ID = re.compile(r"snap-(?:[0-9a-f]{8}|[0-9a-f]{17})")

SNAPSHOTS = Listing(
    filters={
        "description": "Description",
        "encrypted": "Encrypted",
        "owner-alias": "OwnerAlias",
        "owner-id": "OwnerId",
        "progress": "Progress",
        "snapshot-id": "SnapshotId",
        "start-time": "StartTime",
        "status": "State",
        "storage-tier": "StorageTier",
        "volume-id": "VolumeId",
        "volume-size": "VolumeSize",
    }
)


def snapshot_item(snapshot: Any) -> dict[str, Any]:
    """One snapshot in DescribeSnapshots' fields."""
    percent = snapshot.percent
    return {
        "SnapshotId": snapshot.id,
        "VolumeId": snapshot.volume.id,
        "State": "completed" if percent == 100 else "pending",
        "StartTime": snapshot.start_time,
        "Progress": f"{percent}%",
        "OwnerId": snapshot.owner_id,
        "Description": snapshot.description or "",
        "VolumeSize": snapshot.size_gib,
        "Encrypted": snapshot.encrypted,
        "StorageTier": snapshot.storage_tier or "standard",
        "Tags": tag_list(snapshot.ec2_backend, snapshot.id) or None,
    }


def find_snapshot(call: Call, identifier: str) -> Any:
    """One snapshot by id.

    Raises:
        AwsError: the id is malformed or nobody has it.
    """
    if not _ID.fullmatch(identifier):
        raise AwsError("InvalidParameterValue", f"Value ({identifier}) for parameter snapshotId is invalid.")
    if identifier not in call.ec2.snapshots:
        raise AwsError("InvalidSnapshot.NotFound", f"The snapshot '{identifier}' does not exist.")
    return call.ec2.snapshots[identifier]


@operation("ec2", "DescribeSnapshots")
def describe_snapshots(call: Call) -> dict[str, Any]:
    """Filtered and paged; `self` is this account."""
    call.check_dry_run()
    ids = call.params.get("SnapshotIds") or []
    found = [find_snapshot(call, i) for i in dict.fromkeys(ids)] if ids else list(call.ec2.snapshots.values())
    if owners := call.params.get("OwnerIds"):
        accounts = {call.account if o == "self" else o for o in owners}
        found = [s for s in found if s.owner_id in accounts]
    items = SNAPSHOTS.select([snapshot_item(s) for s in found], call.params.get("Filters") or [])
    page, token = SNAPSHOTS.page(items, lambda s: str(s["SnapshotId"]), call.params)
    return {"Snapshots": page, "NextToken": token}
