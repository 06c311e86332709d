"""What changes disks and snapshots: attach, detach, create, modify, delete; with the refusals that moto forgets."""

from __future__ import annotations

from typing import Any

from moto.ec2.responses.elastic_block_store import ElasticBlockStore

from runctl.demo.gateway.calls import AwsError, Call, operation
from runctl.demo.gateway.instances import find_instances
from runctl.demo.gateway.listing import Listing
from runctl.demo.gateway.snapshots import find_snapshot, snapshot_item
from runctl.demo.gateway.tokens import once
from runctl.demo.gateway.volumes import find_volume, volume_item

_moto_create_volume = ElasticBlockStore.create_volume
_moto_create_snapshot = ElasticBlockStore.create_snapshot
MODIFICATIONS = Listing(
    filters={
        "modification-state": "ModificationState",
        "original-iops": "OriginalIops",
        "original-size": "OriginalSize",
        "original-volume-type": "OriginalVolumeType",
        "start-time": "StartTime",
        "target-iops": "TargetIops",
        "target-size": "TargetSize",
        "target-volume-type": "TargetVolumeType",
        "volume-id": "VolumeId",
    },
    largest=500,
    clamp=True,
)
#: Smallest and largest size in GiB (EBS User Guide, "Amazon EBS volume types").
_SIZES = {"gp3": (1, 65536), "gp2": (1, 16384), "io1": (4, 16384), "io2": (4, 65536), "st1": (125, 16384),
          "sc1": (125, 16384), "standard": (1, 1024)}  # fmt: skip


def _check_attach(volume: Any, instance: Any, device: str) -> None:
    if volume.zone.name != instance.availability_zone:
        raise AwsError(
            "InvalidVolume.ZoneMismatch",
            f"The volume '{volume.id}' is not in the same availability zone as instance '{instance.id}'",
        )
    if volume.attachment:
        raise AwsError(
            "VolumeInUse", f"{volume.id} is already attached to an instance: {volume.attachment.instance.id}"
        )
    if volume.state != "available":
        raise AwsError("IncorrectState", f"The volume '{volume.id}' is not 'available'.")
    if instance.state not in ("running", "stopped", "stopping"):
        raise AwsError("IncorrectState", f"Instance '{instance.id}' is not 'running'.")
    if device in instance.block_device_mapping:
        raise AwsError(
            "InvalidParameterValue",
            f"Invalid value '{device}' for unixDevice. Attachment point {device} is already in use",
        )


@operation("ec2", "AttachVolume")
def attach_volume(call: Call) -> dict[str, Any]:
    """Same zone, free volume, free device, living machine."""
    volume = find_volume(call, str(call.params["VolumeId"]))
    _, instance = find_instances(call.ec2, [str(call.params["InstanceId"])])[0]
    device = str(call.params["Device"])
    _check_attach(volume, instance, device)
    call.check_dry_run()
    attachment = call.ec2.attach_volume(volume.id, instance.id, device)
    attachment.attach_time = call.world.now().replace(tzinfo=None, microsecond=0)
    return _attachment(volume.id, instance.id, device, "attaching", attachment.attach_time)


def _attachment(volume_id: str, instance_id: str, device: str, state: str, at: Any) -> dict[str, Any]:
    return {"VolumeId": volume_id, "InstanceId": instance_id, "Device": device, "State": state, "AttachTime": at}


@operation("ec2", "DetachVolume")
def detach_volume(call: Call) -> dict[str, Any]:
    """InstanceId and Device may be left out, as on AWS."""
    volume = find_volume(call, str(call.params["VolumeId"]))
    attachment, wanted = volume.attachment, call.params.get("InstanceId")
    if attachment is None:
        raise AwsError("IncorrectState", f"Volume '{volume.id}' is in the 'available' state.")
    instance, device = attachment.instance, attachment.device
    if wanted and wanted != instance.id:
        raise AwsError(
            "InvalidAttachment.NotFound", f"The volume '{volume.id}' is not attached to instance '{wanted}'."
        )
    if device == instance.root_device_name and instance.state != "stopped":
        raise AwsError(
            "OperationNotPermitted", f"Unable to detach root volume '{volume.id}' from instance '{instance.id}'"
        )
    call.check_dry_run()
    call.ec2.detach_volume(volume.id, instance.id, device)
    return _attachment(volume.id, instance.id, device, "detaching", attachment.attach_time)


def _check_size(kind: str, size: int) -> None:
    least, most = _SIZES.get(kind, (1, 65536))
    if not least <= size <= most:
        what, bound = (f"small for volume type {kind}; minimum", least) if size < least else (
            f"large for volume type {kind}; maximum", most)  # fmt: skip
        raise AwsError("InvalidParameterValue", f"Volume of {size}GiB is too {what} is {bound}GiB.")


@operation("ec2", "CreateVolume")
def create_volume(call: Call) -> dict[str, Any]:
    """Moto makes it; ready after a moment, once for each client token."""
    snapshot = call.params.get("SnapshotId")
    size = call.params.get("Size")
    if snapshot:
        of = find_snapshot(call, str(snapshot))
        size = size or of.size_gib
        if int(size) < of.size_gib:
            raise AwsError(
                "InvalidParameterValue", f"Volume of {size}GiB is smaller than snapshot '{snapshot}', expect size "
                f">= {of.size_gib}GiB"
            )  # fmt: skip
    if size is None:
        raise AwsError("MissingParameter", "The request must contain the parameter size/snapshot")
    _check_size(str(call.params.get("VolumeType", "gp2")), int(size))
    call.check_dry_run()

    def work() -> str:
        call.response.params["Size"] = int(size)
        volume = vars(_moto_create_volume(call.response))["_result"]
        volume.ready_at = call.world.elapsed + call.world.timings.volume_creating
        return str(volume.id)

    return volume_item(find_volume(call, once(call, "CreateVolume", work)))


@operation("ec2", "DeleteVolume")
def delete_volume(call: Call) -> dict[str, Any]:
    """Only a free volume."""
    volume = find_volume(call, str(call.params["VolumeId"]))
    if volume.attachment:
        raise AwsError("VolumeInUse", f"Volume {volume.id} is currently attached to {volume.attachment.instance.id}")
    call.check_dry_run()
    call.ec2.delete_volume(volume.id)
    call.ec2.tags.pop(volume.id, None)
    return {}


@operation("ec2", "ModifyVolume")
def modify_volume(call: Call) -> dict[str, Any]:
    """Bigger only, one change at a time; the new size counts at once, the work goes on for a while."""
    volume = find_volume(call, str(call.params["VolumeId"]))
    targets = {n: call.params.get(n) for n in ("Size", "VolumeType", "Iops", "Throughput")}
    if not any(v is not None for v in targets.values()):
        raise AwsError("InvalidParameterCombination", "Must specify at least one of: size, type, iops, throughput")
    size, kind = int(targets["Size"] or volume.size), str(targets["VolumeType"] or volume.volume_type)
    if size < volume.size:
        raise AwsError("InvalidParameterValue", f"New size cannot be smaller than existing size ({volume.size} GiB)")
    _check_size(kind, size)
    if volume.changes and modification_item(volume.changes[-1], call)["ModificationState"] != "completed":
        raise AwsError(
            "IncorrectModificationState", f"Volume {volume.id} is already being modified. Wait and try again."
        )
    call.check_dry_run()
    change = {
        "VolumeId": volume.id,
        "OriginalSize": volume.size,
        "OriginalVolumeType": volume.volume_type,
        "OriginalIops": volume.iops,
        "OriginalThroughput": volume.throughput,
        "StartTime": call.world.now().replace(microsecond=0),
        "_begun": call.world.elapsed,
    }
    volume.become(size, kind, targets["Iops"], targets["Throughput"])
    change |= {
        "TargetSize": volume.size,
        "TargetVolumeType": volume.volume_type,
        "TargetIops": volume.iops,
        "TargetThroughput": volume.throughput,
    }
    volume.changes.append(change)
    return {"VolumeModification": modification_item(change, call)}


def modification_item(change: dict[str, Any], call: Call) -> dict[str, Any]:
    """One modification with its state by the time that has passed: modifying, optimizing, completed."""
    past, timings = call.world.elapsed - change["_begun"], call.world.timings
    whole = timings.volume_modifying + timings.volume_optimizing
    state = "completed" if past >= whole else "modifying" if past < timings.volume_modifying else "optimizing"
    item = {k: v for k, v in change.items() if not k.startswith("_")}
    return item | {"ModificationState": state, "Progress": int(min(100, past / whole * 100)) if whole else 100}


@operation("ec2", "DescribeVolumesModifications")
def describe_volumes_modifications(call: Call) -> dict[str, Any]:
    """The last modification of each volume that had one."""
    ids = call.params.get("VolumeIds") or []
    found = [find_volume(call, i) for i in ids] if ids else list(call.ec2.volumes.values())
    items = [modification_item(v.changes[-1], call) for v in found if v.changes]
    chosen = MODIFICATIONS.select(items, call.params.get("Filters") or [])
    page, token = MODIFICATIONS.page(chosen, lambda m: str(m["VolumeId"]), call.params)
    return {"VolumesModifications": page, "NextToken": token}


@operation("ec2", "CreateSnapshot")
def create_snapshot(call: Call) -> dict[str, Any]:
    """Pending, then copied at a rate that depends on the size."""
    find_volume(call, str(call.params["VolumeId"]))
    call.check_dry_run()
    snapshot = vars(_moto_create_snapshot(call.response))["_result"]
    snapshot.begin()
    return snapshot_item(snapshot)


@operation("ec2", "DeleteSnapshot")
def delete_snapshot(call: Call) -> dict[str, Any]:
    """Not one that an image stands on."""
    snapshot = find_snapshot(call, str(call.params["SnapshotId"]))
    call.check_dry_run()
    call.ec2.delete_snapshot(snapshot.id)
    call.ec2.tags.pop(snapshot.id, None)
    return {}
