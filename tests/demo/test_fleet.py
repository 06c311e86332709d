"""The seeded fleet: what is in it, that it is always the same, and that it moves."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from runctl.demo import fleet
from runctl.demo.cloud import DemoCloud
from runctl.services.prices import PriceBook
from tests.demo.conftest import Aws, instances

REGIONS = ("us-east-1", "us-west-2", "eu-west-1")


def everything(aws: Aws) -> dict[str, Any]:
    """All listings of all regions, without what depends on the moment."""
    found: dict[str, Any] = {}
    for region in REGIONS:
        ec2 = aws("ec2", region)
        found[region] = (
            [(i["InstanceId"], i["InstanceType"], i.get("PrivateIpAddress"), i.get("Tags")) for i in instances(ec2)],
            [(v["VolumeId"], v["Size"], v["State"]) for v in ec2.describe_volumes()["Volumes"]],
            [s["SnapshotId"] for s in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]],
            [(a["AllocationId"], a["PublicIp"]) for a in ec2.describe_addresses()["Addresses"]],
        )
    return found


def test_the_plan_holds_what_every_screen_needs() -> None:
    plan = fleet.lively(7)
    assert len(plan.machines) == 60
    assert len(plan.volumes) == 40
    assert {m.region for m in plan.machines} == set(REGIONS)
    states = Counter(m.state for m in plan.machines)
    assert set(states) == {"running", "pending", "stopped", "terminated"}
    assert {m.market for m in plan.machines} == {"spot", "on-demand"}
    owners = {m.tags.get("runctl:owner") or m.tags.get("Owner") for m in plan.machines}
    assert len(owners - {None}) >= 4
    assert any(not m.tags for m in plan.machines)
    assert any(m.termination_protected for m in plan.machines)
    assert sum(v.machine is None for v in plan.volumes) == 16
    assert any(v.type == "gp3" and v.iops == 16000 for v in plan.volumes)
    assert any(s.volume is None for s in plan.snapshots)
    assert any(a.machine is None for a in plan.addresses)


def test_exactly_one_running_machine_has_no_known_price() -> None:
    book = PriceBook()
    unpriced = [
        m.type
        for m in fleet.lively(7).machines
        if m.state in ("running", "pending") and book.instance_rate(m.region, m.type, m.market) is None
    ]
    assert unpriced == ["p5e.48xlarge"]


def test_the_same_seed_gives_the_same_fleet_ids_too(aws: Aws, cloud: DemoCloud) -> None:
    first = everything(aws)
    cloud.reset(seed=8, story=False)
    other = everything(aws)
    cloud.reset(seed=7, story=False)
    assert everything(aws) == first
    assert first != other


def test_an_empty_fleet_is_empty(aws: Aws, cloud: DemoCloud) -> None:
    cloud.reset(fleet="empty")
    assert all(listing == [] for region in everything(aws).values() for listing in region)
    assert aws("s3").list_buckets()["Buckets"] == []


def test_an_unknown_fleet_is_refused_and_nothing_lost(aws: Aws, cloud: DemoCloud) -> None:
    with pytest.raises(ValueError, match="lively"):
        cloud.reset(fleet="imaginary")
    assert instances(aws("ec2"))


def test_many_machines_come_quickly_and_are_paged(aws: Aws, cloud: DemoCloud) -> None:
    cloud.reset(fleet="empty")
    ids = cloud.bulk(1200, "eu-west-1")
    pages = list(aws("ec2", "eu-west-1").get_paginator("describe_instances").paginate())
    assert [sum(len(r["Instances"]) for r in p["Reservations"]) for p in pages] == [1000, 200]
    assert len(set(ids)) == 1200


def test_the_fleet_moves_while_one_watches_and_the_same_way_each_time(aws: Aws, cloud: DemoCloud) -> None:
    def watched() -> list[Counter[str]]:
        cloud.reset(speed=1e-6)  # time passes where we advance it, however long the listings take
        found = []
        for _ in range(6):
            cloud.advance(120)
            found.append(Counter(i["State"]["Name"] for r in REGIONS for i in instances(aws("ec2", r))))
        return found

    first = watched()
    assert len({tuple(sorted(c.items())) for c in first}) > 3
    assert watched() == first
    assert all(c["running"] > 15 for c in first)


def test_machines_that_somebody_protects_are_left_alone(aws: Aws, cloud: DemoCloud) -> None:
    cloud.reset()
    cloud.advance(4 * 3600)
    for region in REGIONS:
        for one in instances(aws("ec2", region)):
            tags = {t["Key"]: t["Value"] for t in one.get("Tags", [])}
            if tags.get("runctl:protected"):
                assert one["State"]["Name"] == "running"


def test_checkpoints_lie_in_their_bucket(aws: Aws, cloud: DemoCloud) -> None:
    s3 = aws("s3")
    names = [b["Name"] for b in s3.list_buckets()["Buckets"]]
    assert "runctl-demo-empty" in names
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket="runctl-demo-checkpoints", PaginationConfig={"PageSize": 20}
    )
    keys = [o["Key"] for p in pages for o in p["Contents"]]
    assert any(k.endswith("COMPLETE.json") for k in keys)
    assert len(s3.get_object(Bucket="runctl-demo-checkpoints", Key=keys[0])["Body"].read()) > 0
    odd = [o["Key"] for o in s3.list_objects_v2(Bucket="runctl-demo-odd-keys")["Contents"]]
    assert {"../escape.txt", "/absolute", "Case.txt", "case.txt"} <= set(odd)
    assert s3.get_bucket_location(Bucket="runctl-demo-archive")["LocationConstraint"] == "eu-west-1"
