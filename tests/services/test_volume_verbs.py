"""Verbs on disks, snapshots and addresses through the door, against the embedded cloud."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from runctl.demo.cloud import DemoCloud
from runctl.errors import InputError
from runctl.models.plan import ItemResult, Kind, Outcome, Rule, Verb
from runctl.models.volume import Volume
from runctl.services.actions import Actions
from runctl.services.verbs.storage import plan_volume
from tests.services.doors import EAST, OURS, disk, fleet_of, machine, open_door

THEIRS = {"runctl:managed": "1", "runctl:owner": "mallory"}


def disks(door: Actions) -> list[Volume]:
    return [v for page in door.ground.cloud.ask("ec2", "DescribeVolumes", EAST)["Volumes"] for v in
            door.ground.cloud.find_volumes(EAST, ids=[page["VolumeId"]])]  # fmt: skip


def data_disk(door: Actions, size: int = 10) -> Volume:
    return next(v for v in disks(door) if v.size_gib == size)


def do(
    door: Actions,
    verb: Verb,
    reference: str,
    parameters: Mapping[str, Any] | None = None,
    *overrides: Rule,
    kind: Kind = Kind.VOLUME,
) -> ItemResult:
    plan = door.draft(verb, [reference], parameters, frozenset(overrides), kind=kind)
    (result,) = door.apply(plan).results.values()
    return result


def test_a_disk_is_made_once_however_often_its_plan_is_applied(cloud: DemoCloud) -> None:
    fleet_of(cloud)
    door = open_door()
    wanted = {"size_gib": 200, "az": f"{EAST}b", "iops": 6_000, "name": "data", "project": "lm"}
    plan = door.plan_of([plan_volume(EAST, "token-1", wanted)], title="create")
    (first,) = door.apply(plan).results.values()
    (again,) = door.apply(replace(plan, results={})).results.values()
    assert first.outcome is Outcome.DONE
    assert first.made == again.made
    (made,) = disks(door)
    assert (made.id, made.size_gib, made.iops, made.az) == (first.made[0], 200, 6_000, f"{EAST}b")
    assert made.tags == {"runctl:managed": "1", "runctl:owner": "zoe", "runctl:project": "lm", "Name": "data"}


def test_attach_finds_a_free_name_and_detach_gives_the_command_back(cloud: DemoCloud) -> None:
    (one,) = fleet_of(cloud, machine("trainer", agent=True), disks=(disk(), disk(0, size_gib=11)))
    door = open_door()
    free = data_disk(door)
    done = do(door, Verb.ATTACH, free.id, {"instance_id": one})
    assert done.outcome is Outcome.DONE
    assert "(as /dev/sdg)" in done.reason  # /dev/sdf carries the other disk
    assert done.inverse == f"runctl volumes detach {free.id} --region {EAST}"
    assert do(door, Verb.ATTACH, free.id, {"instance_id": one}).reason == f"already attached to {one}"
    off = do(door, Verb.DETACH, free.id)
    assert off.outcome is Outcome.DONE, off
    assert off.inverse == f"runctl volumes attach {free.id} --instance {one} --device /dev/sdg --region {EAST}"
    assert data_disk(door).attached_to is None


def test_a_disk_of_another_zone_is_refused_before_the_call(cloud: DemoCloud) -> None:
    (one,) = fleet_of(cloud, machine("trainer"), disks=(disk(az=f"{EAST}b"),))
    door = open_door()
    done = do(door, Verb.ATTACH, data_disk(door).id, {"instance_id": one})
    assert (done.outcome, done.rule) == (Outcome.REFUSED, Rule.STATE)
    assert f"it is in {EAST}b and the machine in {EAST}a" in done.reason
    assert cloud.changes() == []
    with pytest.raises(InputError, match="no such instance"):
        door.draft(Verb.ATTACH, [data_disk(door).id], {"instance_id": "i-0123456789abcdef0"}, kind=Kind.VOLUME)


def test_a_running_machine_nobody_reaches_keeps_its_disk_unless_told(cloud: DemoCloud) -> None:
    fleet_of(cloud, machine("trainer"), disks=(disk(0),))
    door = open_door()
    data = data_disk(door)
    kept = do(door, Verb.DETACH, data.id)
    assert kept.outcome is Outcome.FAILED
    assert "not detached" in kept.reason
    assert "no instance profile" in kept.reason
    assert cloud.changes() == []
    assert do(door, Verb.DETACH, data.id, {"no_unmount": True}).outcome is Outcome.DONE


def test_a_disk_in_use_is_unmounted_taken_off_and_deleted_where_the_rule_is_named(cloud: DemoCloud) -> None:
    fleet_of(cloud, machine("trainer", agent=True), disks=(disk(0),))
    door = open_door()
    gone = do(door, Verb.DELETE, data_disk(door).id, None, Rule.ATTACHED)
    assert gone.outcome is Outcome.DONE, gone.reason
    assert [v.size_gib for v in disks(door)] == [8], "its root disk stays"
    assert [e.operation for e in door.ground.journal.entries()] == [
        "ssm:SendCommand",
        "ec2:DetachVolume",
        "ec2:DeleteVolume",
    ]


def test_a_disk_on_somebody_elses_machine_stays_there(cloud: DemoCloud) -> None:
    fleet_of(cloud, machine("theirs", THEIRS), disks=(disk(0),))
    door = open_door()
    data = data_disk(door)
    for verb, overrides in ((Verb.DETACH, ()), (Verb.DELETE, (Rule.ATTACHED,))):
        done = do(door, verb, data.id, {"no_unmount": True}, *overrides)
        assert (done.outcome, done.rule) == (Outcome.REFUSED, Rule.OTHER_OWNER)
    assert cloud.changes() == []


def test_modify_grows_only_changes_what_differs_and_waits_its_turn(cloud: DemoCloud) -> None:
    fleet_of(cloud, disks=(disk(type="gp2"),))
    door = open_door()
    data = data_disk(door)
    with pytest.raises(InputError, match="never shrinks"):
        door.draft(Verb.MODIFY, [data.id], {"size_gib": 5}, kind=Kind.VOLUME)
    plan = door.draft(Verb.MODIFY, [data.id], {"type": "gp3"}, kind=Kind.VOLUME)
    assert plan.items[0].saves_usd_per_month == pytest.approx(0.2)
    (done,) = door.apply(plan).results.values()
    assert done.outcome is Outcome.DONE
    assert done.inverse == f"runctl volumes modify {data.id} --type gp2 --region {EAST}"
    assert data_disk(door).type == "gp3"
    with pytest.raises(InputError, match="is being modified"):
        door.draft(Verb.MODIFY, [data.id], {"size_gib": 20}, kind=Kind.VOLUME)


def test_a_change_can_be_waited_for_and_says_how_far_it_is(cloud: DemoCloud) -> None:
    fleet_of(cloud, disks=(disk(),))
    cloud.set_timings(volume_modifying=0.3, volume_optimizing=0.3)
    told: list[str] = []
    door = open_door()
    door = replace(door, ground=replace(door.ground, tell=told.append))
    data = data_disk(door)
    assert do(door, Verb.MODIFY, data.id, {"size_gib": 20, "wait": True}).outcome is Outcome.DONE
    assert told[-1] == f"{data.id}: completed, 100 %"
    quick = do(door, Verb.MODIFY, data.id, {"size_gib": 30, "grow": True})
    assert quick.reason == "the file system has to be grown once it is on a running machine"


def test_a_snapshot_is_made_once_for_one_request_and_a_disk_goes_after_it(cloud: DemoCloud) -> None:
    fleet_of(cloud, disks=(disk(name="data"),))
    door = open_door()
    data = data_disk(door)
    keep = door.draft(Verb.SNAPSHOT, [data.id], {"wait": True}, kind=Kind.VOLUME).items[0]
    gone = door.draft(Verb.DELETE, [data.id], kind=Kind.VOLUME).items[0]
    plan = door.plan_of([keep, replace(gone, after=keep.key)], title="clean up")
    cloud.advance(3600)
    results = door.apply(plan).results
    assert [r.outcome for r in results.values()] == [Outcome.DONE, Outcome.DONE]
    (snapshot,) = results[keep.key].made
    assert f"runctl volumes restore {snapshot}" in results[gone.key].reason
    assert disks(door) == []
    again = door.apply(door.plan_of([keep], title="x"))
    assert [r.outcome for r in again.results.values()] == [Outcome.REFUSED]
    back = do(door, Verb.RESTORE, snapshot, {"az": f"{EAST}a"}, kind=Kind.SNAPSHOT)
    assert back.outcome is Outcome.DONE
    assert [(v.name, v.snapshot_id, v.size_gib) for v in disks(door)] == [("data", snapshot, 10)]


def test_a_snapshot_is_not_repeated_after_a_kill(cloud: DemoCloud) -> None:
    fleet_of(cloud, disks=(disk(),))
    door = open_door()
    plan = door.draft(Verb.SNAPSHOT, [data_disk(door).id], kind=Kind.VOLUME)
    (first,) = door.apply(plan).results.values()
    (again,) = door.apply(replace(plan, results={})).results.values()  # as if the outcome had never been written
    assert first.made == again.made
    assert len([c for c in cloud.changes() if "CreateSnapshot" in c]) == 1


def test_a_snapshot_in_use_stays_until_the_rule_is_named(cloud: DemoCloud) -> None:
    fleet_of(cloud, disks=(disk(),))
    door = open_door()
    (snapshot,) = do(door, Verb.SNAPSHOT, data_disk(door).id, {"wait": True}).made
    do(door, Verb.RESTORE, snapshot, {"az": f"{EAST}a"}, kind=Kind.SNAPSHOT)
    aged = frozenset({Rule.YOUNGER_THAN})
    held = do(door, Verb.DELETE, snapshot, None, *aged, kind=Kind.SNAPSHOT)
    assert (held.outcome, held.rule) == (Outcome.REFUSED, Rule.SNAPSHOT_IN_USE)
    gone = do(door, Verb.DELETE, snapshot, None, *aged, Rule.SNAPSHOT_IN_USE, kind=Kind.SNAPSHOT)
    assert gone.outcome is Outcome.DONE


def test_a_snapshot_of_which_nobody_can_say_what_stands_on_it_stays(cloud: DemoCloud) -> None:
    fleet_of(cloud, disks=(disk(),))
    door = open_door()
    (made,) = do(door, Verb.SNAPSHOT, data_disk(door).id, {"wait": True}).made
    with cloud.faults.active("denied", service="ec2", operation="DescribeVolumes"):
        held = do(door, Verb.DELETE, made, None, Rule.YOUNGER_THAN, kind=Kind.SNAPSHOT)
    assert (held.outcome, held.rule) == (Outcome.REFUSED, Rule.SNAPSHOT_IN_USE)


def test_not_ours_is_never_deleted(cloud: DemoCloud) -> None:
    for tags in ({}, THEIRS, OURS | {"runctl:protected": "true"}):
        fleet_of(cloud, disks=(disk(tags=tags),))
        door = open_door()
        done = do(door, Verb.DELETE, data_disk(door).id)
        assert done.outcome is Outcome.REFUSED
        assert done.rule in (Rule.NOT_OURS, Rule.OTHER_OWNER, Rule.PROTECTED)
        assert cloud.changes() == []
