"""RunInstances: idempotency, counts, markets, capacity, quotas, refusals."""

from __future__ import annotations

from typing import Any

import pytest

from runctl.demo.cloud import DemoCloud
from tests.demo.conftest import AMI, Aws, instances, launch, refused

SPOT = {"MarketType": "spot"}


def test_the_same_token_launches_once(empty: Aws) -> None:
    ec2 = empty("ec2")
    first = launch(ec2, ClientToken="abc", MinCount=2, MaxCount=2)
    again = launch(ec2, ClientToken="abc", MinCount=2, MaxCount=2)
    assert first["ReservationId"] == again["ReservationId"]
    assert [i["InstanceId"] for i in first["Instances"]] == [i["InstanceId"] for i in again["Instances"]]
    assert len(instances(ec2)) == 2
    assert {i["ClientToken"] for i in instances(ec2)} == {"abc"}


def test_the_same_token_with_other_parameters_is_refused(empty: Aws) -> None:
    launch(empty("ec2"), ClientToken="abc")
    with refused("IdempotentParameterMismatch"):
        launch(empty("ec2"), ClientToken="abc", InstanceType="g5.2xlarge")
    assert len(instances(empty("ec2"))) == 1


def test_a_dry_run_does_not_use_up_its_token(empty: Aws) -> None:
    with refused("DryRunOperation", 412):
        launch(empty("ec2"), ClientToken="abc", DryRun=True)
    launch(empty("ec2"), ClientToken="abc")
    assert len(instances(empty("ec2"))) == 1


def test_up_to_max_count_is_launched(empty: Aws) -> None:
    assert len(launch(empty("ec2"), MinCount=1, MaxCount=3)["Instances"]) == 3
    with refused("InvalidParameterValue"):
        launch(empty("ec2"), MinCount=3, MaxCount=1)


def test_everything_asked_for_arrives(empty: Aws) -> None:
    ec2 = empty("ec2")
    disks = [
        {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 60, "VolumeType": "gp3", "Iops": 6000, "Throughput": 400}},
        {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 100, "VolumeType": "io2", "Iops": 5000}},
    ]
    tags = [{"ResourceType": kind, "Tags": [{"Key": "runctl:job", "Value": "j1"}]} for kind in ("instance", "volume")]
    made = launch(
        ec2, MinCount=2, MaxCount=2, BlockDeviceMappings=disks, TagSpecifications=tags,
        IamInstanceProfile={"Name": "runctl-instance"}, Placement={"AvailabilityZone": "us-east-1b"},
        InstanceInitiatedShutdownBehavior="terminate", MetadataOptions={"HttpTokens": "required"},
    )["Instances"]  # fmt: skip
    for one in made:
        assert one["IamInstanceProfile"]["Arn"].endswith("/runctl-instance")
        assert one["Placement"]["AvailabilityZone"] == "us-east-1b"
        assert one["Tags"] == [{"Key": "runctl:job", "Value": "j1"}]
        assert one["MetadataOptions"]["HttpTokens"] == "required"
        ids = {m["DeviceName"]: m["Ebs"] for m in one["BlockDeviceMappings"]}
        assert ids["/dev/xvda"]["DeleteOnTermination"] is True
        assert ids["/dev/sdf"]["DeleteOnTermination"] is False
        volumes = {v["VolumeId"]: v for v in ec2.describe_volumes()["Volumes"]}
        root, data = volumes[ids["/dev/xvda"]["VolumeId"]], volumes[ids["/dev/sdf"]["VolumeId"]]
        assert (root["Size"], root["Iops"], root["Throughput"]) == (60, 6000, 400)
        assert (data["VolumeType"], data["Iops"]) == ("io2", 5000)
        assert data["Tags"] == [{"Key": "runctl:job", "Value": "j1"}]


def test_spot_brings_a_request(empty: Aws) -> None:
    ec2 = empty("ec2")
    one = launch(ec2, InstanceMarketOptions=SPOT)["Instances"][0]
    assert one["InstanceLifecycle"] == "spot"
    request = ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[one["SpotInstanceRequestId"]])
    (found,) = request["SpotInstanceRequests"]
    assert (found["InstanceId"], found["State"], found["Status"]["Code"]) == (one["InstanceId"], "active", "fulfilled")
    assert "InstanceLifecycle" not in launch(ec2)["Instances"][0]


def test_a_spot_price_limit_below_the_market_is_refused(empty: Aws) -> None:
    with refused("SpotMaxPriceTooLow"):
        launch(empty("ec2"), InstanceMarketOptions=SPOT | {"SpotOptions": {"MaxPrice": "0.01"}})


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ImageId": "ami-nonsense"}, "InvalidAMIID.Malformed"),
        ({"ImageId": AMI}, "InvalidAMIID.NotFound"),
        ({"InstanceType": "g99.huge"}, "InvalidParameterValue"),
        ({"KeyName": "nobody"}, "InvalidKeyPair.NotFound"),
        ({"IamInstanceProfile": {"Name": "nobody"}}, "InvalidParameterValue"),
        ({"Placement": {"AvailabilityZone": "eu-west-1a"}}, "InvalidParameterValue"),
        ({"InstanceType": "p5e.48xlarge"}, "Unsupported"),
        ({"ImageId": "resolve:ssm:/no/such"}, "InvalidParameterValue"),
    ],
)
def test_bad_launches_are_refused_and_start_nothing(empty: Aws, change: dict[str, Any], code: str) -> None:
    with refused(code):
        launch(empty("ec2"), **change)
    assert instances(empty("ec2")) == []


def test_missing_capacity_is_a_500_and_can_be_limited_to_a_zone(empty: Aws, cloud_process: DemoCloud) -> None:
    ec2 = empty("ec2")
    cloud_process.faults.add("capacity", types=["g5.*"], azs=["us-east-1a"])
    with refused("InsufficientInstanceCapacity", 500):
        launch(ec2, Placement={"AvailabilityZone": "us-east-1a"})
    assert launch(ec2)["Instances"][0]["Placement"]["AvailabilityZone"] != "us-east-1a"
    launch(ec2, InstanceType="g6.xlarge", Placement={"AvailabilityZone": "us-east-1a"})
    cloud_process.faults.add("capacity")
    with refused("InsufficientInstanceCapacity", 500):
        launch(ec2, ClientToken="again")
    cloud_process.faults.clear()
    launch(ec2, ClientToken="again")
    assert len(instances(ec2)) == 3


def test_a_launch_template_fills_in_what_is_not_said(empty: Aws) -> None:
    ec2 = empty("ec2")
    (image,) = ec2.describe_images(Filters=[{"Name": "name", "Values": ["*arm64*"]}])["Images"]
    data = {"InstanceType": "g5g.xlarge", "ImageId": image["ImageId"]}
    ec2.create_launch_template(LaunchTemplateName="mine", LaunchTemplateData=data)
    made = ec2.run_instances(LaunchTemplate={"LaunchTemplateName": "mine"}, MinCount=1, MaxCount=1)["Instances"][0]
    assert (made["InstanceType"], made["Architecture"]) == ("g5g.xlarge", "arm64")


def test_quotas_hold(empty: Aws, cloud_process: DemoCloud) -> None:
    ec2 = empty("ec2")
    cloud_process.set_quota("L-DB2E81BA", 8)
    cloud_process.set_quota("L-3819A6DF", 4)
    launch(ec2, MinCount=2, MaxCount=2)
    with refused("VcpuLimitExceeded"):
        launch(ec2)
    launch(ec2, InstanceMarketOptions=SPOT)
    with refused("MaxSpotInstanceCountExceeded"):
        launch(ec2, InstanceMarketOptions=SPOT)
    ec2.terminate_instances(InstanceIds=[i["InstanceId"] for i in instances(ec2)])
    launch(ec2)
