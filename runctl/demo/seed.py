"""Puts a planned fleet into moto's backends directly: a hundredth of a second instead of hundreds of API calls."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from runctl.demo.disks import AddressPlan, BucketPlan, SnapshotPlan, VolumePlan
from runctl.demo.fleet import FleetPlan, MachinePlan
from runctl.demo.gateway.calls import ec2_of
from runctl.demo.gateway.images import add_images, image_for
from runctl.demo.gateway.spot import attach_request
from runctl.demo.world import ACCOUNT, World

ROLE = "runctl-instance"


def reset(world: World, plan: FleetPlan, seed: int, speed: float | None = None) -> list[Any]:
    """Forget everything and build `plan`; all ids follow from `seed`, later launches' too. The machines come back."""
    from moto.core.base_backend import BackendDict
    from moto.core.model_instances import reset_model_data
    from moto.moto_api._internal import mock_random

    with world.lock:
        BackendDict.reset()
        reset_model_data()
        world.restart(seed, speed)
        mock_random.seed(f"fleet {seed}")
        _prepare_account()
        return build(world, plan)


def _prepare_account() -> None:
    """The role that machines carry, so that Systems Manager and S3 are open to them."""
    from moto.iam.models import iam_backends

    iam = iam_backends[ACCOUNT]["global"]
    iam.create_account_alias("runctl-demo")
    for name in (ROLE, "runctl-job"):
        iam.create_instance_profile(name=name, path="/", tags=[], role_names=[])


def build(world: World, plan: FleetPlan) -> list[Any]:
    """Add everything of `plan` to what is there; returns its instances, in order."""
    with world.lock:
        # Sorted: making a region draws ids, and the order of a set differs from process to process.
        for region in sorted({m.region for m in plan.machines} | {v.region for v in plan.volumes}):
            add_images(ec2_of(region, ACCOUNT))
        machines = [add_machine(world, m) for m in plan.machines]
        disks = [_volume(world, v, machines) for v in plan.volumes]
        for snapshot in plan.snapshots:
            _snapshot(world, snapshot, disks)
        for address in plan.addresses:
            _address(address, machines)
        for bucket in plan.buckets:
            _bucket(world, bucket)
        return machines


def _ago(world: World, seconds: float) -> datetime:
    return (world.now() - timedelta(seconds=seconds)).replace(tzinfo=None, microsecond=0)


def add_machine(world: World, plan: MachinePlan) -> Any:
    """Launch one planned machine, with its tags, request and role, in its state."""
    backend = ec2_of(plan.region, ACCOUNT)
    tags = ({"Name": plan.name} if plan.name else {}) | plan.tags
    image = image_for(plan.region, plan.type)
    reservation = backend.run_instances(
        image, 1, None, [],
        # "default" spares two walks over all offerings: the plan names types and zones that exist.
        instance_type=plan.type, is_instance_type_default=True, region_name=plan.region,
        subnet_id=_default_subnet(backend, plan.az), associate_public_ip=True,
        key_name=None, security_group_ids=[], nics=[], tags={"instance": tags, "volume": tags},
        disable_api_termination=plan.termination_protected, client_token="",
        instance_market_options="spot" if plan.market == "spot" else {},
        block_device_mappings=[{"DeviceName": backend.amis[image].root_device_name, "Ebs": {
            "VolumeSize": plan.root_gib, "VolumeType": plan.root_type, "DeleteOnTermination": True}}],
        metadata_options={"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
    )  # fmt: skip
    instance = reservation.instances[0]
    launched = _ago(world, plan.age_s)
    for block in instance.block_device_mapping.values():
        block.attach_time = launched
        backend.volumes[block.volume_id].create_time = launched
        backend.volumes[block.volume_id].attachment.attach_time = launched
    if plan.agent:
        backend.associate_iam_instance_profile(instance_id=instance.id, iam_instance_profile_name=ROLE)
    if plan.market == "spot":
        attach_request(world, instance, created=launched)
    stopped = f"User initiated ({_ago(world, plan.age_s / 3):%Y-%m-%d %H:%M:%S} GMT)"
    instance.place(plan.state, launched, reason=stopped)
    return instance


def _default_subnet(backend: Any, az: str) -> str | None:
    return next((s.id for s in backend.subnets.get(az, {}).values() if s.default_for_az), None)


def _volume(world: World, plan: VolumePlan, machines: list[Any]) -> Any:
    backend = ec2_of(plan.region, ACCOUNT)
    volume = backend.create_volume(
        plan.size_gib, plan.az, volume_type=plan.type, iops=plan.iops, throughput=plan.throughput
    )
    volume.create_time = _ago(world, plan.age_s)
    backend.create_tags([volume.id], ({"Name": plan.name} if plan.name else {}) | plan.tags)
    if plan.machine is not None:
        machine = machines[plan.machine]
        device = _free_device(machine)
        attachment = backend.attach_volume(volume.id, machine.id, device)
        attachment.attach_time = max(volume.create_time, machine.launch_time)
        machine.block_device_mapping[device].attach_time = attachment.attach_time
    return volume


def _free_device(machine: Any) -> str:
    """A name that no disk of the machine has, as EC2 demands; moto would let the second one push out the first.

    Raises:
        ValueError: the machine has all the disks that names are for.
    """
    for letter in "fghijklmnop":
        if (device := f"/dev/sd{letter}") not in machine.block_device_mapping:
            return device
    raise ValueError(f"{machine.id} has a disk under every name from /dev/sdf to /dev/sdp")


def _snapshot(world: World, plan: SnapshotPlan, disks: list[Any]) -> None:
    backend = ec2_of(plan.region, ACCOUNT)
    if plan.volume is None:
        volume = backend.create_volume(plan.size_gib, plan.region + "a", volume_type="gp2")
    else:
        volume = disks[plan.volume]
    snapshot = backend.create_snapshot(volume.id, plan.description)
    if plan.volume is None:
        del backend.volumes[volume.id]
    snapshot.start_time = _ago(world, plan.age_s)
    if plan.progress < 100:
        snapshot.begin(plan.progress)
    backend.create_tags([snapshot.id], ({"Name": plan.name} if plan.name else {}) | plan.tags)


def _address(plan: AddressPlan, machines: list[Any]) -> None:
    backend = ec2_of(plan.region, ACCOUNT)
    address = backend.allocate_address("vpc", tags={"Name": plan.name} if plan.name else {})
    if plan.machine is not None:
        backend.associate_address(instance=machines[plan.machine], allocation_id=address.allocation_id)


def _body(name: str, size: int) -> bytes:
    """`size` bytes that depend on the name only, so that two runs hold the same objects."""
    block = hashlib.sha256(name.encode()).digest()
    return (block * (size // len(block) + 1))[:size]


def _bucket(world: World, plan: BucketPlan) -> None:
    from moto.s3.models import s3_backends

    s3 = s3_backends[ACCOUNT]["aws"]
    # Their notifications look for subscribers in other services, which would load those.
    with patch("moto.s3.models.events_send_notification"):
        bucket = s3.create_bucket(plan.name, plan.region)
    bucket.creation_date = world.now() - timedelta(seconds=plan.age_s)
    for name, size, age, storage in plan.objects:
        key = s3.put_object(plan.name, name, _body(name, size), storage=storage, disable_notification=True)
        key.last_modified = _ago(world, age)
