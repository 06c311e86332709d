"""Ending spot machines: a persistent request would start them again."""

from __future__ import annotations

from dataclasses import replace

import boto3
import pytest

from runctl.demo.cloud import DemoCloud
from runctl.models.instance import BlockDevice
from runctl.models.plan import Outcome, Rule, Verb
from runctl.services.actions import Actions
from runctl.services.case import Around
from runctl.services.instance_store import has_instance_store
from runctl.services.verbs.machines import ROWS
from runctl.services.verbs.row import Live
from tests.demo.conftest import launch
from tests.screens.fleet import NOW, machine
from tests.services.doors import EAST, OURS, open_door

YOUNG = frozenset({Rule.YOUNGER_THAN})


def spot_machine(cloud: DemoCloud, kind: str) -> str:
    options = {"SpotInstanceType": kind, "InstanceInterruptionBehavior": "stop"} if kind == "persistent" else {}
    tags = [{"Key": k, "Value": v} for k, v in OURS.items()]
    made = launch(
        boto3.client("ec2"),
        InstanceMarketOptions={"MarketType": "spot", "SpotOptions": options},
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )["Instances"][0]["InstanceId"]
    cloud.advance(30)
    cloud.forget_calls()
    return str(made)


def ended(door: Actions, verb: Verb, identifier: str) -> Outcome:
    (result,) = door.apply(door.draft(verb, [identifier], overrides=YOUNG)).results.values()
    return result.outcome


@pytest.mark.parametrize(
    ("kind", "calls"),
    [("one-time", ["TerminateInstances"]), ("persistent", ["CancelSpotInstanceRequests", "TerminateInstances"])],
)
def test_a_persistent_request_is_cancelled_before_its_machine_ends(
    cloud: DemoCloud, kind: str, calls: list[str]
) -> None:
    cloud.reset(fleet="empty")
    one = spot_machine(cloud, kind)
    door = open_door()
    assert ended(door, Verb.TERMINATE, one) is Outcome.DONE
    assert [operation for operation, _, _ in cloud.changes()] == calls
    cloud.advance(60)
    (gone,) = door.ground.cloud.find_instances(EAST, ids=[one])
    assert gone.state == "terminated"


def test_a_one_time_spot_machine_cannot_be_stopped_and_says_so(cloud: DemoCloud) -> None:
    cloud.reset(fleet="empty")
    one = spot_machine(cloud, "one-time")
    door = open_door()
    cloud.forget_calls()
    (result,) = door.apply(door.draft(Verb.STOP, [one], overrides=YOUNG)).results.values()
    assert (result.outcome, result.rule) == (Outcome.REFUSED, Rule.STATE)
    assert "one-time spot machine" in result.reason
    assert cloud.changes() == []


@pytest.mark.parametrize(
    ("kind", "known"),
    [("g5.xlarge", True), ("p4d.24xlarge", True), ("g4dn.xlarge", True), ("i4i.large", True), ("m5d.large", True),
     ("t3.micro", False), ("p3.2xlarge", False), ("m7i-flex.large", False), ("zz9.large", None), ("", None)],
)  # fmt: skip
def test_who_has_disks_of_its_own(kind: str, known: bool | None) -> None:
    assert has_instance_store(kind) is known


def test_a_disk_of_which_ec2_does_not_say_may_be_lost() -> None:
    disks = [
        BlockDevice(f"/dev/sd{letter}", f"vol-{letter}", goes)
        for letter, goes in zip("abc", (True, False, None), strict=True)
    ]
    host = machine(1, "host")
    (row,) = (row for row in ROWS if row.verb is Verb.TERMINATE)
    told = row.tell(Live(replace(host, devices=tuple(disks)), Around(disks=())), {}, NOW)
    lost = " / ".join(told.lost)
    assert "disk vol-a" in lost
    assert "maybe disk vol-c" in lost
    assert "vol-b" not in lost
    assert "vol-b" in told.recoverable
    assert told.saves_usd_per_month is None
