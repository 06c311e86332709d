"""Launches on the embedded cloud: what comes back, what each refusal leads to, and that nothing is there twice."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from runctl.clock import FrozenClock
from runctl.demo.cloud import DemoCloud
from runctl.errors import InputError
from runctl.models.instance import Market
from runctl.models.launch import Attempt, AttemptClass, MarketChoice
from runctl.models.plan import Rule
from runctl.services.launch.attempts import Launcher
from runctl.services.launch.earlier import open_launches, reconcile
from tests.services.doors import EAST, ZOE
from tests.services.launch.launching import (
    asked,
    braked,
    ground_of,
    launched,
    machines,
    offered,
    quarantine_of,
    untagged,
)

SPOT = MarketChoice.SPOT
LATER = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=8)


@pytest.fixture(autouse=True)
def _empty(cloud: DemoCloud) -> None:
    cloud.reset(fleet="empty")


def classes(attempts: tuple[Attempt, ...]) -> list[tuple[str, AttemptClass]]:
    return [(a.candidate.zone, a.came_to) for a in attempts]


def test_a_spot_launch_returns_the_spot_machine_and_everything_is_tagged() -> None:
    ground = ground_of()
    request = asked(
        market=SPOT, name="n1", project="p", job="j", attempt=2, expires_at=LATER, tags={"team": "vision"}, disk_gib=60
    )
    result = launched(ground, request)
    assert (result.launched, result.exit_code, result.adopted) == (True, 0, False)
    (one,) = machines(ground)
    assert (one["InstanceId"],) == result.instances
    assert (one["SpotInstanceRequestId"],) == result.spot_requests
    assert one["InstanceLifecycle"] == "spot"
    assert result.candidate is not None
    assert one["Placement"]["AvailabilityZone"] == result.candidate.zone
    assert one["MetadataOptions"]["HttpTokens"] == "required"
    tags = {t["Key"]: t["Value"] for t in one["Tags"]}
    assert tags == {
        "Name": "n1", "team": "vision", "runctl:managed": "1", "runctl:owner": "zoe", "runctl:project": "p",
        "runctl:job": "j", "runctl:attempt": "2", "runctl:ttl": LATER.isoformat(),
    }  # fmt: skip
    (disk,) = ground.cloud.find_volumes(EAST, attached_to=result.instances)
    assert (disk.size_gib, disk.type, disk.tags["runctl:owner"]) == (60, "gp3", "zoe")
    assert untagged(ground) == []
    entry = ground.journal.entries()[-1]
    assert (entry.outcome, entry.made, entry.operation) == ("done", result.instances, "ec2:RunInstances")
    assert (entry.resource, entry.plan) == (one["ClientToken"], request.id)
    assert set(entry.request["UserData"]) == {"sha256", "bytes"}


def test_no_price_cap_unless_one_is_asked_for(cloud: DemoCloud) -> None:
    ground = ground_of()
    launched(ground, asked(market=SPOT))
    launched(ground, asked(market=SPOT, max_usd_per_hour=9.0))
    prices = [
        s.get("SpotPrice")
        for s in ground.cloud.ask("ec2", "DescribeSpotInstanceRequests", EAST)["SpotInstanceRequests"]
    ]
    assert sorted(p or "" for p in prices) == ["", "9.000000"]


def test_the_cheapest_zone_is_first_and_prices_are_live() -> None:
    offer = offered(ground_of(), asked(market=SPOT))
    prices = [c.price.usd for c in offer.open_candidates if c.price]
    assert prices == sorted(prices)
    assert len(prices) == len(offer.open_candidates) >= 3
    assert {c.price.source for c in offer.candidates if c.price} == {"spot-history"}
    assert all(c.usd_per_hour and c.price and c.usd_per_hour > c.price.usd for c in offer.open_candidates)


def test_capacity_in_two_zones_leads_to_the_third(cloud: DemoCloud) -> None:
    ground = ground_of()
    request = asked(market=SPOT)
    order = [c.zone for c in offered(ground, request).open_candidates]
    cloud.faults.add("capacity", azs=order[:2])
    told: list[Attempt] = []
    result = launched(ground, request, told.append)
    assert classes(result.attempts) == [
        (order[0], AttemptClass.CAPACITY), (order[1], AttemptClass.CAPACITY), (order[2], AttemptClass.LAUNCHED),
    ]  # fmt: skip
    assert told == list(result.attempts)
    assert "no Spot capacity" in result.attempts[0].message
    assert [m["Placement"]["AvailabilityZone"] for m in machines(ground)] == [order[2]]
    assert [c.zone for c in offered(ground, asked(market=SPOT)).open_candidates][:1] == [order[2]]


def test_the_next_type_follows_when_the_first_has_no_zone_left(cloud: DemoCloud) -> None:
    ground = ground_of()
    cloud.faults.add("capacity", types=["g5.*"])
    result = launched(ground, asked("g5.xlarge", "g6.xlarge"))
    assert result.candidate is not None
    assert result.candidate.type == "g6.xlarge"
    assert {a.candidate.type for a in result.attempts[:-1]} == {"g5.xlarge"}


def test_everything_refused_leaves_nothing_and_is_remembered(cloud: DemoCloud) -> None:
    ground = ground_of()
    cloud.faults.add("capacity")
    result = launched(ground, asked(market=SPOT))
    assert (result.launched, result.exit_code) == (False, 2)
    assert {a.came_to for a in result.attempts} == {AttemptClass.CAPACITY}
    assert machines(ground) == []
    assert {a.candidate.market for a in result.attempts} == {Market.SPOT}
    cloud.faults.clear()
    again = launched(ground_of(), asked(market=SPOT))
    assert (again.attempts, again.exit_code) == ((), 2)
    assert all("no capacity a moment ago" in c.excluded for c in offered(ground, asked(market=SPOT)).candidates)
    assert launched(ground, asked()).launched  # on-demand has a quarantine of its own


def test_the_quarantine_ends_after_ten_minutes(cloud: DemoCloud) -> None:
    ground = ground_of()
    clock = FrozenClock(datetime.now(UTC))
    later = dataclasses.replace(ground, clock=clock)
    with cloud.faults.active("capacity"):
        launched(later, asked())
    assert offered(later, asked()).open_candidates == ()
    clock.advance(601)
    assert launched(later, asked()).launched


def test_spot_turns_to_on_demand_only_when_told(cloud: DemoCloud) -> None:
    ground = ground_of()
    cloud.set_quota("L-3819A6DF", 0)
    refused = launched(ground, asked(market=SPOT))
    assert machines(ground) == []
    assert classes(refused.attempts) == [(refused.attempts[0].candidate.zone, AttemptClass.QUOTA)]
    result = launched(ground, asked(market=MarketChoice.SPOT_OR_ON_DEMAND))
    assert result.candidate is not None
    assert result.candidate.market is Market.ON_DEMAND
    assert [a.came_to for a in result.attempts] == [AttemptClass.QUOTA, AttemptClass.LAUNCHED]
    assert "InstanceLifecycle" not in machines(ground)[0]


def test_a_quota_is_no_lack_of_capacity_and_another_quota_is_tried(cloud: DemoCloud) -> None:
    ground = ground_of()
    cloud.set_quota("L-DB2E81BA", 2)
    request = asked("g5.xlarge", "g6.xlarge", "c6i.large")
    offer = offered(ground, request)
    assert any("L-DB2E81BA has 2 of 2 vCPUs left" in w for w in offer.warnings)
    result = launched(ground, request)
    assert [(a.candidate.type, a.came_to) for a in result.attempts] == [
        ("g5.xlarge", AttemptClass.QUOTA), ("c6i.large", AttemptClass.LAUNCHED),
    ]  # fmt: skip
    assert result.attempts[0].code == "VcpuLimitExceeded"
    assert offered(ground, asked()).open_candidates  # a quota is no reason to leave a zone alone


@pytest.mark.parametrize(
    ("fault", "came_to", "code"),
    [
        ({"kind": "denied"}, AttemptClass.DENIED, 2),
        ({"kind": "expired"}, AttemptClass.CREDENTIALS, 3),
        ({"kind": "error", "code": "InvalidParameterValue", "message": "nonsense"}, AttemptClass.REQUEST, 1),
        ({"kind": "error", "code": "PendingVerification"}, AttemptClass.REQUEST, 1),
    ],
)
def test_what_would_fail_everywhere_is_tried_once(
    cloud: DemoCloud, fault: dict[str, str], came_to: AttemptClass, code: int
) -> None:
    ground = ground_of()
    offer = offered(ground, asked())
    cloud.faults.add(service="ec2", operation="RunInstances", **fault)
    result = Launcher(ground, quarantine_of(ground)).launch(offer)
    assert [a.came_to for a in result.attempts] == [came_to]
    assert (result.exit_code, machines(ground)) == (code, [])
    assert ground.journal.entries()[-1].outcome == "failed"


def test_silence_after_the_deed_finds_the_machine(cloud: DemoCloud) -> None:
    """The answer is lost after EC2 did it: found by its token, once, and the journal says so."""
    ground = ground_of(dataclasses.replace(ZOE, aws=dataclasses.replace(ZOE.aws, read_timeout_s=0.5)))
    offer = offered(ground, asked(market=SPOT))
    cloud.faults.add("stall", service="ec2", operation="RunInstances", times=1, seconds=3)
    result = Launcher(ground, quarantine_of(ground)).launch(offer)
    assert result.launched
    assert len(machines(ground)) == 1
    assert [a.came_to for a in result.attempts] == [AttemptClass.LAUNCHED]
    assert {e.outcome for e in ground.journal.entries()} <= {"done", "adopted"}


def test_silence_without_a_deed_stops_and_is_looked_for_again(cloud: DemoCloud) -> None:
    ground = ground_of(dataclasses.replace(ZOE, aws=dataclasses.replace(ZOE.aws, read_timeout_s=0.3)))
    request = asked()
    offer = offered(ground, request)
    cloud.faults.add("hang", service="ec2", operation="RunInstances", seconds=2)
    result = Launcher(ground, quarantine_of(ground)).launch(offer)
    assert [a.came_to for a in result.attempts] == [AttemptClass.UNKNOWN]
    assert (result.exit_code, machines(ground)) == (2, [])
    cloud.faults.clear()
    assert {s.outcome for s in reconcile(ground)} == {"unknown"}
    late = dataclasses.replace(ground, clock=FrozenClock(datetime.now(UTC) + timedelta(minutes=11)))
    assert {s.outcome for s in reconcile(late)} == {"none"}
    assert open_launches(ground) == []
    assert launched(ground, request).launched


def test_the_same_request_never_runs_twice(cloud: DemoCloud) -> None:
    ground = ground_of()
    request = asked(market=SPOT)
    first = launched(ground, request)
    again = launched(ground_of(), request)
    assert (again.instances, again.adopted, again.exit_code) == (first.instances, True, 0)
    assert len(machines(ground)) == 1


def test_an_open_try_of_the_same_request_goes_first(cloud: DemoCloud) -> None:
    """Cut off before an answer in one zone: the next run asks for that very machine, whatever is cheapest now."""
    ground = ground_of(dataclasses.replace(ZOE, aws=dataclasses.replace(ZOE.aws, read_timeout_s=0.3)))
    request = asked()
    offer = offered(ground, request)
    last = dataclasses.replace(offer, candidates=offer.open_candidates[-1:])
    with cloud.faults.active("hang", service="ec2", operation="RunInstances", seconds=1):
        Launcher(ground, quarantine_of(ground)).launch(last)
    result = Launcher(ground, quarantine_of(ground)).launch(offer)
    assert result.candidate == last.candidates[0]
    other = dataclasses.replace(offer, request=dataclasses.replace(request, id="another"))
    with cloud.faults.active("hang", service="ec2", operation="RunInstances", seconds=1):
        Launcher(ground, quarantine_of(ground)).launch(other)
    moved = dataclasses.replace(other, candidates=other.candidates[1:])
    assert Launcher(ground, quarantine_of(ground)).launch(moved).pending
    assert len(machines(ground)) == 1


def test_the_brakes_hold(cloud: DemoCloud) -> None:
    launched(ground_of(), asked("c6i.large", count=2))
    warned = offered(ground_of(braked(2, 3)), asked("c6i.large"))
    assert warned.running == 2
    assert warned.refusals == ()
    assert any("this makes 3" in w for w in warned.warnings)
    stopped = launched(ground_of(braked(2, 3)), asked("c6i.large", count=2))
    assert [r.rule for r in stopped.refusals] == [Rule.TOO_MANY_RUNNING]
    assert (stopped.exit_code, stopped.attempts) == (1, ())
    assert len(machines(ground_of())) == 2


def test_read_only_launches_nothing(cloud: DemoCloud) -> None:
    ground = ground_of(dataclasses.replace(ZOE, read_only=True))
    result = launched(ground, asked())
    assert [r.rule for r in result.refusals] == [Rule.READ_ONLY]
    assert cloud.mutating_calls() == {}


def test_several_are_launched_together_or_not_at_all(cloud: DemoCloud) -> None:
    ground = ground_of()
    cloud.set_quota("L-DB2E81BA", 8)
    assert len(launched(ground, asked(count=2)).instances) == 2
    cloud.set_quota("L-DB2E81BA", 12)
    assert launched(ground, asked(count=2)).instances == ()
    assert len(machines(ground)) == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"types": ("g5.xlarg",)}, "did you mean g5.xlarge"),
        ({"zones": ("us-east-1z",)}, "not offered there"),
        ({"image": "ami-0123456789abcdef0"}, "no such image"),
        ({"image": "/no/such/parameter"}, "no such parameter"),
        ({"subnet": "subnet-0123456789abcdef0"}, "no such subnet"),
        ({"disk_gib": 5}, "allowed: 15 GiB or more"),
        ({"max_usd_per_hour": 0.01}, "below the market"),
        ({"max_usd_per_hour": 0.01, "market": SPOT}, "below the market"),
        ({"types": ("t4g.micro",), "image": "arm-as-x86"}, "x86_64"),
        ({"types": ("p5e.48xlarge",)}, "not offered in us-east-1"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(cloud: DemoCloud, change: dict[str, object], said: str) -> None:
    ground = ground_of()
    if change.get("image") == "arm-as-x86":
        image = next(c.image for c in offered(ground, asked()).candidates)
        assert image is not None
        change = {**change, "image": image.id}
    with pytest.raises(InputError) as caught:
        launched(ground, dataclasses.replace(asked(), **change))  # type: ignore[arg-type]
    assert said in f"{caught.value} {caught.value.hint}"
    assert cloud.mutating_calls() == {}


def test_images_fit_the_machine() -> None:
    offer = offered(ground_of(), asked("g5.xlarge", "g5g.xlarge", "c6i.large", "t4g.micro", "trn1.2xlarge"))
    images = {c.type: c.image for c in offer.candidates if c.image}
    told = {kind: (i.architecture, i.root_device, i.user) for kind, i in images.items()}
    assert told == {
        "g5.xlarge": ("x86_64", "/dev/sda1", "ubuntu"),
        "g5g.xlarge": ("arm64", "/dev/sda1", "ubuntu"),
        "c6i.large": ("x86_64", "/dev/xvda", "ec2-user"),
        "t4g.micro": ("arm64", "/dev/xvda", "ec2-user"),
        "trn1.2xlarge": ("x86_64", "/dev/sda1", "ubuntu"),
    }
    assert all(i.minimum_gib == 15 for i in images.values())


def test_without_a_default_network_the_way_out_is_said(cloud: DemoCloud) -> None:
    import boto3

    ec2 = boto3.client("ec2", region_name=EAST)
    subnets = ec2.describe_subnets()["Subnets"]
    for subnet in subnets[1:]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    offer = offered(ground_of(), asked())
    assert {c.zone for c in offer.open_candidates} == {subnets[0]["AvailabilityZone"]}
    assert any("no default subnet" in c.excluded for c in offer.candidates)
    named = launched(ground_of(), asked(subnet=subnets[0]["SubnetId"]))
    assert [m["SubnetId"] for m in machines(ground_of())] == [subnets[0]["SubnetId"]]
    assert named.launched
    ec2.terminate_instances(InstanceIds=list(named.instances))
    ec2.delete_subnet(SubnetId=subnets[0]["SubnetId"])
    with pytest.raises(InputError, match="no default VPC") as caught:
        offered(ground_of(), asked())
    assert "--subnet" in caught.value.hint


def test_what_may_not_be_read_is_unknown_and_stops_nothing(cloud: DemoCloud) -> None:
    ground = ground_of()
    for service, operation in (
        ("ec2", "DescribeSpotPriceHistory"), ("ec2", "DescribeSubnets"), ("ec2", "DescribeInstanceTypeOfferings"),
        ("servicequotas", "GetServiceQuota"), ("ec2", "DescribeInstanceTypes"),
    ):  # fmt: skip
        cloud.faults.add("denied", service=service, operation=operation)
    offer = offered(ground, asked(market=SPOT))
    assert [c.zone for c in offer.candidates] == [""]
    (candidate,) = offer.open_candidates
    assert candidate.quota is not None
    assert (candidate.quota.limit, candidate.quota.left) == (None, None)
    assert candidate.price is not None
    assert candidate.price.source != "spot-history"
    told = "\n".join(offer.warnings)
    assert "not allowed: ec2:DescribeSpotPriceHistory" in told
    assert "GetServiceQuota" in told
    assert launched(ground, asked(market=SPOT)).launched
