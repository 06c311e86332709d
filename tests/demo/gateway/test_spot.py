"""Spot prices and interruptions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from runctl.demo.cloud import DemoCloud
from runctl.services.prices import PriceBook
from tests.demo.conftest import Aws, instances, launch, refused, state_of

SPOT = {"MarketType": "spot"}


def test_prices_walk_around_the_book_and_stay_the_same(aws: Aws) -> None:
    ec2 = aws("ec2")
    start = datetime.now(UTC) - timedelta(days=1)
    rows = ec2.describe_spot_price_history(InstanceTypes=["g5.xlarge"], StartTime=start)["SpotPriceHistory"]
    book = PriceBook().instance_rate("us-east-1", "g5.xlarge", "spot")
    assert book is not None
    assert len({r["SpotPrice"] for r in rows}) > 5
    assert all(0.75 * book.usd < float(r["SpotPrice"]) < 1.25 * book.usd for r in rows)
    assert [r["Timestamp"] for r in rows] == sorted((r["Timestamp"] for r in rows), reverse=True)
    assert len({r["AvailabilityZone"] for r in rows}) > 2
    again = ec2.describe_spot_price_history(InstanceTypes=["g5.xlarge"], StartTime=start)["SpotPriceHistory"]
    assert again == rows


def test_asking_from_now_on_gives_the_price_in_force(aws: Aws) -> None:
    rows = aws("ec2").describe_spot_price_history(
        InstanceTypes=["g5.xlarge"], StartTime=datetime.now(UTC), ProductDescriptions=["Linux/UNIX"],
        Filters=[{"Name": "availability-zone", "Values": ["us-east-1a"]}],
    )["SpotPriceHistory"]  # fmt: skip
    assert len(rows) == 1


def test_history_pages_and_knows_no_windows(aws: Aws) -> None:
    ec2 = aws("ec2")
    pages = ec2.get_paginator("describe_spot_price_history").paginate(
        InstanceTypes=["g5.xlarge"], PaginationConfig={"PageSize": 10}
    )
    found = [(r["Timestamp"], r["AvailabilityZone"]) for p in pages for r in p["SpotPriceHistory"]]
    assert len(set(found)) == len(found) > 100
    assert ec2.describe_spot_price_history(ProductDescriptions=["Windows"])["SpotPriceHistory"] == []


@pytest.mark.parametrize(("behaviour", "end"), [("terminate", "terminated"), ("stop", "stopped")])
def test_an_interruption_is_announced_and_comes(empty: Aws, cloud_process: DemoCloud, behaviour: str, end: str) -> None:
    ec2, cloud = empty("ec2"), cloud_process
    options = {"SpotOptions": {"SpotInstanceType": "persistent", "InstanceInterruptionBehavior": behaviour}}
    one = launch(ec2, InstanceMarketOptions=SPOT | options)["Instances"][0]["InstanceId"]
    cloud.advance(10)
    cloud.interrupt(one)
    (request,) = ec2.describe_spot_instance_requests()["SpotInstanceRequests"]
    assert request["Status"]["Code"] == "marked-for-termination"
    cloud.advance(119)
    assert state_of(ec2, one) == "running"
    cloud.advance(20)
    shown = instances(ec2, InstanceIds=[one])[0]
    assert shown["State"]["Name"] == end
    assert shown["StateReason"]["Code"] == "Server.SpotInstanceTermination"


def test_a_user_ended_machine_closes_its_request(empty: Aws, cloud_process: DemoCloud) -> None:
    ec2 = empty("ec2")
    one = launch(ec2, InstanceMarketOptions=SPOT)["Instances"][0]["InstanceId"]
    ec2.terminate_instances(InstanceIds=[one])
    (request,) = ec2.describe_spot_instance_requests()["SpotInstanceRequests"]
    assert (request["State"], request["Status"]["Code"]) == ("closed", "instance-terminated-by-user")


def test_a_cancelled_request_leaves_its_machine(empty: Aws, cloud_process: DemoCloud) -> None:
    ec2 = empty("ec2")
    made = launch(ec2, InstanceMarketOptions=SPOT)["Instances"][0]
    ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[made["SpotInstanceRequestId"]])
    (request,) = ec2.describe_spot_instance_requests(Filters=[{"Name": "state", "Values": ["cancelled"]}])[
        "SpotInstanceRequests"
    ]
    assert request["Status"]["Code"] == "request-canceled-and-instance-running"
    cloud_process.advance(10)
    assert state_of(ec2, made["InstanceId"]) == "running"
    with refused("InvalidSpotInstanceRequestID.NotFound"):
        ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=["sir-0123456789abcdef0"])


def test_placement_scores_differ_by_zone_and_stay(aws: Aws) -> None:
    ask = {"InstanceTypes": ["g5.xlarge"], "TargetCapacity": 1, "SingleAvailabilityZone": True,
           "RegionNames": ["us-east-1", "us-west-2"]}  # fmt: skip
    scores = aws("ec2").get_spot_placement_scores(**ask)["SpotPlacementScores"]
    assert len({s["AvailabilityZoneId"] for s in scores}) == len(scores) > 4
    assert all(1 <= s["Score"] <= 9 for s in scores)
    assert aws("ec2").get_spot_placement_scores(**ask)["SpotPlacementScores"] == scores


def test_only_spot_machines_can_be_interrupted(aws: Aws, cloud: DemoCloud) -> None:
    on_demand = next(i for i in instances(aws("ec2")) if "InstanceLifecycle" not in i)
    with pytest.raises(ValueError, match="not a spot machine"):
        cloud.interrupt(on_demand["InstanceId"])
