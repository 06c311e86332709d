"""Volumes: listing with pages, states that take time, and the refusals that moto forgets."""

from __future__ import annotations

import re
from typing import Any

from runctl.demo.gateway.calls import AwsError, Call, operation
from runctl.demo.gateway.listing import Listing
from runctl.demo.gateway.tags import tag_list

_ID = re.compile(r"vol-(?:[0-9a-f]{8}|[0-9a-f]{17})")

VOLUMES = Listing(
    filters={
        "attachment.attach-time": "Attachments.AttachTime",
        "attachment.delete-on-termination": "Attachments.DeleteOnTermination",
        "attachment.device": "Attachments.Device",
        "attachment.instance-id": "Attachments.InstanceId",
        "attachment.status": "Attachments.State",
        "availability-zone": "AvailabilityZone",
        "create-time": "CreateTime",
        "encrypted": "Encrypted",
        "multi-attach-enabled": "MultiAttachEnabled",
        "size": "Size",
        "snapshot-id": "SnapshotId",
        "status": "State",
        "volume-id": "VolumeId",
        "volume-type": "VolumeType",
    },
    largest=500,
    clamp=True,
)


def gp2_iops(size_gib: int) -> int:
    """gp2's baseline: 3 IOPS a GiB, at least 100, at most 16,000 (EBS User Guide, "General Purpose SSD volumes")."""
    return min(16000, max(100, 3 * size_gib))


def _attachments(volume: Any) -> list[dict[str, Any]]:
    attachment = volume.attachment
    if attachment is None:
        return []
    block = attachment.instance.block_device_mapping.get(attachment.device)
    return [
        {
            "VolumeId": volume.id,
            "InstanceId": attachment.instance.id,
            "Device": attachment.device,
            "State": "attached",
            "AttachTime": attachment.attach_time,
            "DeleteOnTermination": bool(block and block.delete_on_termination),
        }
    ]


def volume_item(volume: Any) -> dict[str, Any]:
    """One volume in DescribeVolumes' fields."""
    iops = gp2_iops(volume.size) if volume.volume_type == "gp2" else volume.iops
    return {
        "VolumeId": volume.id,
        "Size": volume.size,
        "SnapshotId": volume.snapshot_id or "",
        "AvailabilityZone": volume.zone.name,
        "State": volume.state,
        "CreateTime": volume.create_time,
        "Attachments": _attachments(volume),
        "Encrypted": volume.encrypted,
        "KmsKeyId": volume.kms_key_id or None,
        "VolumeType": volume.volume_type,
        "Iops": iops,
        "Throughput": volume.throughput,
        "MultiAttachEnabled": bool(volume.multi_attach_enabled),
        "Tags": tag_list(volume.ec2_backend, volume.id) or None,
    }


def find_volume(call: Call, identifier: str) -> Any:
    """One volume by id.

    Raises:
        AwsError: the id is malformed or nobody has it.
    """
    if not _ID.fullmatch(identifier):
        raise AwsError("InvalidParameterValue", f"Value ({identifier}) for parameter volumeId is invalid.")
    if identifier not in call.ec2.volumes:
        raise AwsError("InvalidVolume.NotFound", f"The volume '{identifier}' does not exist.")
    return call.ec2.volumes[identifier]


@operation("ec2", "DescribeVolumes")
def describe_volumes(call: Call) -> dict[str, Any]:
    """Filtered and paged."""
    call.check_dry_run()
    ids = call.params.get("VolumeIds") or []
    found = [find_volume(call, i) for i in dict.fromkeys(ids)] if ids else list(call.ec2.volumes.values())
    items = VOLUMES.select([volume_item(v) for v in found], call.params.get("Filters") or [])
    page, token = VOLUMES.page(items, lambda v: str(v["VolumeId"]), call.params)
    return {"Volumes": page, "NextToken": token}
