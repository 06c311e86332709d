"""Listings and state changes of instances, through botocore."""

from __future__ import annotations

from typing import Any

import pytest

from runctl.demo.cloud import DemoCloud
from tests.demo.conftest import Aws, instances, launch, refused, state_of

REGIONS = ("us-east-1", "us-west-2", "eu-west-1")


def test_paging_counts_instances_and_loses_none(aws: Aws) -> None:
    ec2 = aws("ec2", "us-east-1")
    whole = {i["InstanceId"] for i in instances(ec2)}
    pages = list(ec2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 5}))
    sizes = [sum(len(r["Instances"]) for r in p["Reservations"]) for p in pages]
    assert sizes == [5, 5, 5, 5, 5, 3]
    assert {i["InstanceId"] for p in pages for r in p["Reservations"] for i in r["Instances"]} == whole


def test_paging_splits_a_reservation_of_many(empty: Aws) -> None:
    ec2 = empty("ec2")
    launch(ec2, MinCount=12, MaxCount=12)
    first = ec2.describe_instances(MaxResults=5)
    assert [len(r["Instances"]) for r in first["Reservations"]] == [5]
    rest = ec2.describe_instances(MaxResults=100, NextToken=first["NextToken"])
    assert [len(r["Instances"]) for r in rest["Reservations"]] == [7]
    assert "NextToken" not in rest


def test_a_listing_survives_a_machine_that_vanishes_between_pages(aws: Aws, cloud: DemoCloud) -> None:
    ec2 = aws("ec2", "us-west-2")
    first = ec2.describe_instances(MaxResults=5)
    last = first["Reservations"][-1]["Instances"][-1]["InstanceId"]
    ec2.terminate_instances(InstanceIds=[last])
    cloud.advance(2 * 3600)
    rest = ec2.describe_instances(MaxResults=1000, NextToken=first["NextToken"])
    seen = {i["InstanceId"] for page in (first, rest) for r in page["Reservations"] for i in r["Instances"]}
    assert seen >= {i["InstanceId"] for i in instances(ec2)}
    assert last not in {i["InstanceId"] for i in instances(ec2)}


@pytest.mark.parametrize("size", [4, 1001])
def test_page_sizes_outside_the_range_are_refused(aws: Aws, size: int) -> None:
    with refused("InvalidParameterValue"):
        aws("ec2").describe_instances(MaxResults=size)


def test_ids_and_a_page_size_exclude_each_other(aws: Aws) -> None:
    one = instances(aws("ec2"))[0]["InstanceId"]
    with refused("InvalidParameterCombination"):
        aws("ec2").describe_instances(InstanceIds=[one], MaxResults=5)


def test_a_made_up_page_token_is_refused(aws: Aws) -> None:
    with refused("InvalidNextToken"):
        aws("ec2").describe_instances(NextToken="bm9uZQ==")


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("instance-type", ["g5.*"], 9),
        ("instance-type", ["g?.xlarge"], 5),
        ("instance-type", ["G5.*"], 0),
        ("instance-lifecycle", ["spot"], 10),
        ("instance-state-name", ["running", "pending"], 22),
        ("tag:runctl:owner", ["ada"], 10),
        ("tag:runctl:owner", ["a*"], 14),
        ("tag-key", ["runctl:managed"], 20),
        ("availability-zone", ["us-east-1*"], 28),
        ("launch-time", ["19*"], 0),
        ("iam-instance-profile.arn", ["*runctl-instance"], 19),
        ("metadata-options.http-tokens", ["required"], 28),
        ("block-device-mapping.delete-on-termination", ["true"], 27),
        ("spot-instance-request-id", ["sir-*"], 10),
    ],
)
def test_filters_that_moto_lacks(aws: Aws, name: str, values: list[str], expected: int) -> None:
    assert len(instances(aws("ec2"), Filters=[{"Name": name, "Values": values}])) == expected


def test_filters_are_joined_by_and(aws: Aws) -> None:
    filters = [{"Name": "instance-type", "Values": ["g5.*"]}, {"Name": "instance-lifecycle", "Values": ["spot"]}]
    assert {i["InstanceType"] for i in instances(aws("ec2"), Filters=filters)} == {"g5.xlarge", "g5.12xlarge"}


def test_an_unknown_filter_is_refused_by_name(aws: Aws) -> None:
    with refused("InvalidParameterValue") as caught:
        instances(aws("ec2"), Filters=[{"Name": "colour", "Values": ["red"]}])
    assert "colour" in str(caught.value)


def test_ids_malformed_and_unknown_are_told_apart(aws: Aws) -> None:
    with refused("InvalidInstanceID.Malformed"):
        instances(aws("ec2"), InstanceIds=["i-xyz"])
    with refused("InvalidInstanceID.NotFound"):
        instances(aws("ec2"), InstanceIds=["i-0123456789abcdef0"])
    elsewhere = instances(aws("ec2", "eu-west-1"))[0]["InstanceId"]
    with refused("InvalidInstanceID.NotFound"):
        instances(aws("ec2", "us-east-1"), InstanceIds=[elsewhere])


def test_the_way_from_launch_to_oblivion_takes_time(empty: Aws, cloud_process: DemoCloud) -> None:
    ec2, cloud = empty("ec2"), cloud_process
    launched = launch(ec2)["Instances"][0]
    one = launched["InstanceId"]
    assert launched["State"]["Name"] == state_of(ec2, one) == "pending"
    cloud.advance(9)
    assert state_of(ec2, one) == "running"
    assert ec2.stop_instances(InstanceIds=[one])["StoppingInstances"][0]["CurrentState"]["Name"] == "stopping"
    assert state_of(ec2, one) == "stopping"
    with refused("IncorrectInstanceState"):
        ec2.start_instances(InstanceIds=[one])
    cloud.advance(13)
    stopped = instances(ec2, InstanceIds=[one])[0]
    assert stopped["State"]["Name"] == "stopped"
    assert stopped["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert stopped["StateTransitionReason"].startswith("User initiated (")
    ec2.start_instances(InstanceIds=[one])
    cloud.advance(9)
    restarted = instances(ec2, InstanceIds=[one])[0]
    assert restarted["State"]["Name"] == "running"
    assert restarted["LaunchTime"] > launched["LaunchTime"], "EC2 renews LaunchTime at each start"
    ec2.terminate_instances(InstanceIds=[one])
    assert state_of(ec2, one) == "shutting-down"
    cloud.advance(11)
    assert state_of(ec2, one) == "terminated"
    assert ec2.describe_volumes()["Volumes"] == []
    with refused("IncorrectInstanceState"):
        ec2.start_instances(InstanceIds=[one])
    cloud.advance(3600)
    with refused("InvalidInstanceID.NotFound"):
        state_of(ec2, one)


def test_waiters_wait(empty: Aws, cloud_process: DemoCloud) -> None:
    cloud_process.reset(fleet="empty", speed=200)
    ec2 = empty("ec2")
    one = launch(ec2)["Instances"][0]["InstanceId"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[one], WaiterConfig={"Delay": 0.02, "MaxAttempts": 200})
    ec2.get_waiter("instance_status_ok").wait(InstanceIds=[one], WaiterConfig={"Delay": 0.02, "MaxAttempts": 200})
    assert cloud_process.calls()["ec2", "DescribeInstanceStatus", "us-east-1"] > 1


def test_status_checks_initialize_first(empty: Aws, cloud_process: DemoCloud) -> None:
    ec2 = empty("ec2")
    one = launch(ec2)["Instances"][0]["InstanceId"]
    assert ec2.describe_instance_status(InstanceIds=[one])["InstanceStatuses"] == []
    shown = ec2.describe_instance_status(InstanceIds=[one], IncludeAllInstances=True)["InstanceStatuses"][0]
    assert shown["InstanceStatus"]["Status"] == "not-applicable"
    for seconds, expected in ((9, "initializing"), (60, "ok")):
        cloud_process.advance(seconds)
        assert ec2.describe_instance_status()["InstanceStatuses"][0]["SystemStatus"]["Status"] == expected


def test_status_pages(aws: Aws) -> None:
    pages = aws("ec2").get_paginator("describe_instance_status").paginate(PaginationConfig={"PageSize": 5})
    assert [len(p["InstanceStatuses"]) for p in pages] == [5, 5, 5, 5]


def _one(ec2: Any, **wanted: str) -> str:
    filters = [{"Name": k.replace("_", "-"), "Values": [v]} for k, v in wanted.items()]
    return str(instances(ec2, Filters=filters)[0]["InstanceId"])


def test_a_one_time_spot_machine_cannot_be_stopped(aws: Aws) -> None:
    ec2 = aws("ec2")
    with refused("UnsupportedOperation"):
        ec2.stop_instances(InstanceIds=[_one(ec2, instance_lifecycle="spot", instance_state_name="running")])


def test_a_pending_machine_cannot_be_stopped(aws: Aws) -> None:
    with refused("IncorrectInstanceState"):
        aws("ec2").stop_instances(InstanceIds=[_one(aws("ec2"), instance_state_name="pending")])


def test_only_running_machines_reboot(aws: Aws) -> None:
    ec2 = aws("ec2")
    ec2.reboot_instances(InstanceIds=[_one(ec2, instance_state_name="running")])
    with refused("IncorrectInstanceState"):
        ec2.reboot_instances(InstanceIds=[_one(ec2, instance_state_name="stopped")])


def test_termination_protection_saves_the_whole_request(aws: Aws) -> None:
    ec2 = aws("ec2")
    protected, free = _one(ec2, instance_type="p5.48xlarge"), _one(ec2, instance_type="g5.2xlarge")
    with refused("OperationNotPermitted"):
        ec2.terminate_instances(InstanceIds=[free, protected])
    assert state_of(ec2, free) == "running"
    ec2.modify_instance_attribute(InstanceId=protected, DisableApiTermination={"Value": False})
    ec2.terminate_instances(InstanceIds=[protected])
    assert state_of(ec2, protected) == "shutting-down"


def test_a_dry_run_changes_nothing(aws: Aws) -> None:
    ec2 = aws("ec2")
    one = _one(ec2, instance_type="g5.2xlarge")
    with refused("DryRunOperation", 412):
        ec2.terminate_instances(InstanceIds=[one], DryRun=True)
    assert state_of(ec2, one) == "running"


def test_hostile_tags_arrive_as_they_were_written(aws: Aws) -> None:
    found = [{t["Key"]: t["Value"] for t in i["Tags"]} for i in instances(aws("ec2", "eu-west-1"))]
    names = {t.get("Name", "") for t in found}
    assert "[bold red]not markup[/] [/x] <b>&amp;</b>" in names
    assert any("\u009b31m" in n and "\u202e" in n for n in names)
    assert any("\n" in t.get("note", "") for t in found)
