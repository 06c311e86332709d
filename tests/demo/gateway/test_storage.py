"""Volumes, snapshots and addresses: states, pages, refusals."""

from __future__ import annotations

from typing import Any

import pytest

from runctl.demo.cloud import DemoCloud
from tests.demo.conftest import Aws, instances, launch, refused
from tests.services.doors import disk, machine


def _volume(ec2: Any, **parameters: Any) -> dict[str, Any]:
    made: dict[str, Any] = ec2.create_volume(**{"AvailabilityZone": "us-east-1a", "Size": 100} | parameters)
    return made


def _machine(ec2: Any, cloud: DemoCloud, zone: str = "us-east-1a") -> str:
    one = launch(ec2, Placement={"AvailabilityZone": zone})["Instances"][0]["InstanceId"]
    cloud.advance(10)
    return str(one)


def test_volumes_page_and_filter(aws: Aws) -> None:
    ec2 = aws("ec2")
    whole = ec2.describe_volumes()["Volumes"]
    pages = ec2.get_paginator("describe_volumes").paginate(PaginationConfig={"PageSize": 20})
    assert [len(p["Volumes"]) for p in pages] == [20, 20, 6]
    free = ec2.describe_volumes(Filters=[{"Name": "status", "Values": ["available"]}])["Volumes"]
    assert {v["VolumeId"] for v in free} == {v["VolumeId"] for v in whole if v["State"] == "available"} != set()
    with refused("InvalidParameterValue"):
        ec2.describe_volumes(Filters=[{"Name": "colour", "Values": ["red"]}])
    with refused("InvalidVolume.NotFound"):
        ec2.describe_volumes(VolumeIds=["vol-0123456789abcdef0"])
    with refused("InvalidParameterValue"):
        ec2.describe_volumes(VolumeIds=["vol-x"])


def test_attachments_say_whether_the_disk_goes_with_the_machine(aws: Aws) -> None:
    volumes = aws("ec2").describe_volumes(Filters=[{"Name": "attachment.device", "Values": ["/dev/sd*"]}])["Volumes"]
    flags = {a["Device"]: a["DeleteOnTermination"] for v in volumes for a in v["Attachments"]}
    assert flags == {"/dev/sda1": True, "/dev/sdf": False}


def test_two_disks_that_are_built_on_one_machine_have_names_of_their_own(empty: Aws, cloud_process: DemoCloud) -> None:
    (host,) = cloud_process.build([machine()], [disk(0, name="a"), disk(0, name="b")])
    ec2 = empty("ec2")
    (found,) = instances(ec2, InstanceIds=[host])
    data = {m["Ebs"]["VolumeId"]: m["DeviceName"] for m in found["BlockDeviceMappings"][1:]}
    assert sorted(data.values()) == ["/dev/sdf", "/dev/sdg"]
    for volume, device in data.items():
        assert ec2.detach_volume(VolumeId=volume)["Device"] == device
    with pytest.raises(ValueError, match="under every name"):
        cloud_process.build([machine()], [disk(0) for _ in range(12)])


def test_a_volume_is_created_once_and_after_a_moment(empty: Aws, cloud_process: DemoCloud) -> None:
    ec2 = empty("ec2")
    parameters = {"VolumeType": "gp3", "Iops": 4000, "Throughput": 300, "ClientToken": "t1"}
    made = _volume(ec2, **parameters)
    assert made["State"] == "creating"
    assert _volume(ec2, **parameters)["VolumeId"] == made["VolumeId"]
    with refused("IdempotentParameterMismatch"):
        _volume(ec2, Size=200, **{**parameters, "ClientToken": "t1"})
    cloud_process.advance(3)
    (found,) = ec2.describe_volumes()["Volumes"]
    assert (found["State"], found["Iops"], found["Throughput"]) == ("available", 4000, 300)


@pytest.mark.parametrize(
    "bad", [{"Size": 0}, {"Size": 20000, "VolumeType": "gp2"}, {"Size": 10, "VolumeType": "st1"}], ids=str
)
def test_sizes_outside_the_type_are_refused(empty: Aws, bad: dict[str, Any]) -> None:
    with refused("InvalidParameterValue"):
        _volume(empty("ec2"), **bad)


def test_attach_and_detach(empty: Aws, cloud_process: DemoCloud) -> None:
    ec2, cloud = empty("ec2"), cloud_process
    machine = _machine(ec2, cloud)
    here, there = _volume(ec2)["VolumeId"], _volume(ec2, AvailabilityZone="us-east-1b")["VolumeId"]
    with refused("IncorrectState"):
        ec2.attach_volume(VolumeId=here, InstanceId=machine, Device="/dev/sdf")
    cloud.advance(3)
    with refused("InvalidVolume.ZoneMismatch"):
        ec2.attach_volume(VolumeId=there, InstanceId=machine, Device="/dev/sdf")
    with refused("InvalidParameterValue"):
        ec2.attach_volume(VolumeId=here, InstanceId=machine, Device="/dev/xvda")
    ec2.attach_volume(VolumeId=here, InstanceId=machine, Device="/dev/sdf")
    with refused("VolumeInUse"):
        ec2.attach_volume(VolumeId=here, InstanceId=machine, Device="/dev/sdg")
    with refused("VolumeInUse"):
        ec2.delete_volume(VolumeId=here)
    assert ec2.detach_volume(VolumeId=here)["State"] == "detaching"
    with refused("IncorrectState"):
        ec2.detach_volume(VolumeId=here)
    ec2.delete_volume(VolumeId=here)
    with refused("InvalidVolume.NotFound"):
        ec2.delete_volume(VolumeId=here)


def test_the_root_disk_of_a_running_machine_stays(empty: Aws, cloud_process: DemoCloud) -> None:
    ec2 = empty("ec2")
    _machine(ec2, cloud_process)
    root = instances(ec2)[0]["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    with refused("OperationNotPermitted"):
        ec2.detach_volume(VolumeId=root)


def test_a_modification_takes_time_and_never_shrinks(empty: Aws, cloud_process: DemoCloud) -> None:
    ec2, cloud = empty("ec2"), cloud_process
    one = _volume(ec2, VolumeType="gp2")["VolumeId"]
    with refused("InvalidParameterValue"):
        ec2.modify_volume(VolumeId=one, Size=50)
    begun = ec2.modify_volume(VolumeId=one, Size=150, VolumeType="gp3")["VolumeModification"]
    assert (begun["ModificationState"], begun["Progress"]) == ("modifying", 0)
    assert (begun["OriginalSize"], begun["TargetSize"], begun["TargetVolumeType"]) == (100, 150, "gp3")
    assert (begun["TargetIops"], begun["TargetThroughput"]) == (3000, 125)
    with refused("IncorrectModificationState"):
        ec2.modify_volume(VolumeId=one, Size=200)
    for seconds, expected in ((30, "optimizing"), (60, "completed")):
        cloud.advance(seconds)
        (shown,) = ec2.describe_volumes_modifications(VolumeIds=[one])["VolumesModifications"]
        assert shown["ModificationState"] == expected
    assert shown["Progress"] == 100
    (found,) = ec2.describe_volumes()["Volumes"]
    assert (found["Size"], found["VolumeType"]) == (150, "gp3")


def test_a_snapshot_makes_progress(empty: Aws, cloud_process: DemoCloud) -> None:
    ec2, cloud = empty("ec2"), cloud_process
    one = _volume(ec2)["VolumeId"]
    made = ec2.create_snapshot(VolumeId=one, Description="now")
    assert (made["State"], made["Progress"]) == ("pending", "0%")
    cloud.advance(25)
    (half,) = ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    assert (half["State"], half["Progress"]) == ("pending", "50%")
    cloud.advance(25)
    (done,) = ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    assert (done["State"], done["Progress"], done["VolumeSize"]) == ("completed", "100%", 100)
    ec2.delete_volume(VolumeId=one)
    with refused("InvalidParameterValue"):
        _volume(ec2, SnapshotId=done["SnapshotId"], Size=50)
    bigger = {"SnapshotId": done["SnapshotId"]}
    restored = ec2.create_volume(AvailabilityZone="us-east-1c", **bigger)
    assert (restored["Size"], restored["SnapshotId"]) == (100, done["SnapshotId"])
    ec2.delete_snapshot(SnapshotId=done["SnapshotId"])
    with refused("InvalidSnapshot.NotFound"):
        ec2.delete_snapshot(SnapshotId=done["SnapshotId"])


def test_only_our_snapshots_are_listed_and_some_are_orphans(aws: Aws) -> None:
    ec2 = aws("ec2")
    pages = ec2.get_paginator("describe_snapshots").paginate(OwnerIds=["self"], PaginationConfig={"PageSize": 5})
    found = [s for p in pages for s in p["Snapshots"]]
    volumes = {v["VolumeId"] for v in ec2.describe_volumes()["Volumes"]}
    assert {s["OwnerId"] for s in found} == {"123456789012"}
    assert 0 < sum(s["VolumeId"] not in volumes for s in found) < len(found)


def test_addresses_say_what_uses_them(aws: Aws) -> None:
    ec2 = aws("ec2")
    found = ec2.describe_addresses()["Addresses"]
    running = {i["InstanceId"]: i for i in instances(ec2)}
    used = [a for a in found if "InstanceId" in a]
    assert used
    assert any("AssociationId" not in a for a in found)
    for address in used:
        assert address["InstanceId"] in running
    mine = ec2.describe_addresses(Filters=[{"Name": "public-ip", "Values": [found[0]["PublicIp"]]}])["Addresses"]
    assert [a["AllocationId"] for a in mine] == [found[0]["AllocationId"]]
