"""A cleanup from looking to done, against the embedded cloud: only ours, kept before deleted, resumable."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from runctl.demo.cloud import DemoCloud
from runctl.models.plan import Outcome, Plan, Rule, Verb
from runctl.models.s3 import Bucket
from runctl.models.volume import Volume
from runctl.services.actions import Actions
from runctl.services.aws.backend import AwsBackend, open_backend
from runctl.services.cleanup import CleanupRules, Seen, candidates
from runctl.services.cleanup_plan import draft_cleanup, look_further
from tests.services.buckets import begin_upload, make_bucket, tag, uploads
from tests.services.doors import EAST, OURS, ZOE, disk, fleet_of, machine, open_door
from tests.services.test_never_touched import client_of
from tests.services.verbs.test_machines import spot_machine

THEIRS = {"runctl:managed": "1", "runctl:owner": "mallory"}
RULES = CleanupRules()


def look(door: Actions, backend: AwsBackend) -> Seen:
    return Seen(
        door.ground.clock.now(), "zoe",
        tuple(i for page in backend.list_instances(EAST) for i in page),
        tuple(v for page in backend.list_volumes(EAST) for v in page),
        tuple(s for page in backend.list_snapshots(EAST) for s in page),
        tuple(a for page in backend.list_addresses(EAST) for a in page),
    )  # fmt: skip


def draft(door: Actions, rules: CleanupRules = RULES) -> Plan:
    return draft_cleanup(door, candidates(look(door, open_backend(ZOE)), rules))


def volumes() -> list[Volume]:
    return [v for page in open_backend(ZOE).list_volumes(EAST) for v in page]


def test_free_disks_of_ours_are_kept_and_deleted_and_nothing_else_is_touched(cloud: DemoCloud) -> None:
    old = 41 * 86_400.0
    fleet_of(
        cloud, machine("busy"), disks=(
            disk(age_s=old), disk(0, age_s=old, size_gib=11), disk(tags=THEIRS, age_s=old, size_gib=12),
            disk(tags={}, age_s=old, size_gib=13), disk(size_gib=14),
        ),
    )  # fmt: skip
    door = open_door()
    plan = draft(door)
    assert [(i.verb, i.reason) for i in plan.items] == [
        (Verb.SNAPSHOT, "kept before it is deleted"),
        (Verb.DELETE, "attached to nothing, 41d old"),
    ]
    assert plan.items[1].recoverable == "the snapshot made before brings it back"
    assert plan.saves_usd_per_month == (0.8, 0)
    assert cloud.changes() == []
    done = door.apply(plan)
    assert [r.outcome for r in done.results.values()] == [Outcome.DONE, Outcome.DONE]
    assert sorted(v.size_gib or 0 for v in volumes() if v.size_gib != 8) == [11, 12, 13, 14]


def test_a_machine_whose_time_ran_out_is_stopped_and_its_running_job_stops_that(cloud: DemoCloud) -> None:
    past = (open_door().ground.clock.now() - timedelta(hours=3)).isoformat()
    ended, training = OURS | {"runctl:ttl": past}, OURS | {"runctl:ttl": past, "runctl:job": "llama"}
    fleet_of(cloud, machine("ended", ended), machine("training", training))
    door = open_door()
    plan = draft(door)
    assert {(i.verb, i.name) for i in plan.items} == {(Verb.STOP, "ended"), (Verb.STOP, "training")}
    results = {(r.item.name, r.outcome, r.rule) for r in door.apply(plan).results.values()}
    assert results == {
        ("ended", Outcome.DONE, None),
        ("training", Outcome.REFUSED, Rule.RUNNING_JOB),
    }


def test_a_cleanup_that_was_cut_off_goes_on_where_it_was(cloud: DemoCloud) -> None:
    fleet_of(cloud, disks=tuple(disk(age_s=41 * 86_400.0, size_gib=10 + n) for n in range(3)))
    door = open_door()
    plan = draft(door, CleanupRules(snapshot_first=False))
    asked = iter([False, True])
    half = door.apply(plan, cancelled=lambda: next(asked))
    assert [r.outcome for r in half.results.values()] == [Outcome.DONE, Outcome.CANCELLED, Outcome.CANCELLED]
    whole = open_door().apply(door.plans.load(half.id))
    assert [r.outcome for r in whole.results.values()] == [Outcome.DONE] * 3
    assert volumes() == []
    deleted = [i for change in cloud.changes() if "DeleteVolume" in change for i in change[2]]
    assert len(deleted) == len(set(deleted)) == 3


def test_a_disk_whose_snapshot_failed_is_not_deleted(cloud: DemoCloud) -> None:
    fleet_of(cloud, disks=(disk(age_s=41 * 86_400.0),))
    door = open_door()
    plan = draft(door)
    cloud.faults.add("error", code="SnapshotCreationPerVolumeRateExceeded", service="ec2", operation="CreateSnapshot")
    done = door.apply(replace(plan, results={}))
    assert [r.outcome for r in done.results.values()] == [Outcome.FAILED, Outcome.FAILED]
    assert len(volumes()) == 1


def test_unfinished_uploads_of_our_buckets_only_with_what_they_cost(cloud: DemoCloud) -> None:
    cloud.reset(fleet="empty")
    kept = OURS | {"runctl:protected": "true"}
    for name, tags in (("ours", OURS), ("theirs", THEIRS), ("nobodys", {}), ("kept", kept), ("mute", OURS)):
        make_bucket(cloud, f"half-{name}", tags)
        begin_upload(cloud, f"half-{name}", "run/model.pt", b"x" * 2**20)
    cloud.forget_calls()
    door, backend = open_door(), open_backend(ZOE)
    buckets = [b for page in backend.list_buckets() for b in page if b.name.startswith("half-")]
    missing = Bucket("half-gone", EAST)
    seen, notes = look_further(door.ground, look(door, backend), [*buckets, missing], RULES, timeout_s=60)
    assert len(notes) == 1
    assert notes[0].startswith("unfinished uploads of half-gone: ")
    young, _ = look_further(door.ground, look(door, backend), buckets, CleanupRules(upload_s=1e10), timeout_s=60)
    assert [s.resource.region for s in candidates(young, CleanupRules(upload_s=1e10))] == []
    plan = draft_cleanup(door, candidates(seen, RULES), frozenset({Rule.YOUNGER_THAN}), notes)
    assert [(i.verb, i.id.partition("?")[0]) for i in plan.items] == [
        (Verb.ABORT, "s3://half-mute/run/model.pt"), (Verb.ABORT, "s3://half-ours/run/model.pt"),
    ]  # fmt: skip
    assert plan.items[0].reason.endswith(" and never finished")
    usd, unpriced = plan.saves_usd_per_month
    assert usd == pytest.approx(2 * 0.023 / 1024)
    assert unpriced == 0
    assert plan.notes == notes
    tag(cloud, "half-mute", THEIRS)
    done = door.apply(plan)
    assert [(r.outcome, r.rule) for r in done.results.values()] == [
        (Outcome.REFUSED, Rule.OTHER_OWNER), (Outcome.DONE, None),
    ]  # fmt: skip
    assert uploads(cloud, "half-ours") == set()
    assert cloud.mutating_calls() == {("s3", "AbortMultipartUpload", EAST): 1, ("s3", "PutBucketTagging", EAST): 1}


def test_an_expired_one_time_spot_machine_is_kept_as_a_snapshot_and_terminated(cloud: DemoCloud) -> None:
    cloud.reset(fleet="empty")
    cloud.set_timings(snapshot_per_gib=0.001)
    once, again = spot_machine(cloud, "one-time"), spot_machine(cloud, "persistent")
    door, backend = open_door(), open_backend(ZOE)
    past = (door.ground.clock.now() - timedelta(hours=3)).isoformat()
    ec2 = client_of(cloud)
    ec2.create_tags(Resources=[once, again], Tags=[{"Key": "runctl:ttl", "Value": past}])
    ec2.create_tags(Resources=[v.id for v in volumes()], Tags=[{"Key": k, "Value": v} for k, v in OURS.items()])
    with cloud.faults.active("denied", operation="DescribeSpotInstanceRequests"):
        blind, notes = look_further(door.ground, look(door, backend), (), RULES, timeout_s=60)
    assert (blind.one_time, [n.partition(":")[0] for n in notes]) == (frozenset(), [f"spot requests in {EAST}"])
    seen, notes = look_further(door.ground, look(door, backend), (), RULES, timeout_s=60)
    assert (seen.one_time, notes) == (frozenset({once}), ())
    plan = draft_cleanup(door, candidates(seen, RULES), frozenset({Rule.YOUNGER_THAN}))
    ends = {i.id: (i.verb, i.reason) for i in plan.items if i.verb is not Verb.SNAPSHOT}
    assert ends[again] == (Verb.STOP, "its time ran out 3h00 ago")
    assert ends[once][0] is Verb.TERMINATE
    assert "EC2 does not stop a one-time spot machine" in ends[once][1]
    done = door.apply(plan)
    assert {r.outcome for r in done.results.values()} == {Outcome.DONE}, [r.reason for r in done.results.values()]
    assert [o for o, _, ids in cloud.changes() if once in ids] == ["CreateTags", "TerminateInstances"]
    assert any("CreateSnapshot" in change for change in cloud.changes())


def test_nothing_is_kept_first_for_what_is_refused_anyway(cloud: DemoCloud) -> None:
    """A machine whose data disk would die with it is refused, and its disks are not copied for nothing."""
    stopped = machine("old", state="stopped", age_s=90 * 86_400.0)
    fleet_of(cloud, stopped, disks=(disk(0, age_s=90 * 86_400.0),))
    cloud.set_timings(snapshot_per_gib=0.001)
    ec2 = client_of(cloud)
    (box,) = [i["InstanceId"] for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]]
    dies = [{"DeviceName": "/dev/sdf", "Ebs": {"DeleteOnTermination": True}}]
    ec2.modify_instance_attribute(InstanceId=box, BlockDeviceMappings=dies)
    cloud.forget_calls()
    door = open_door()
    plan = draft(door)
    assert [i.verb for i in plan.items] == [Verb.SNAPSHOT, Verb.SNAPSHOT, Verb.TERMINATE]
    assert all(door.refused(i, frozenset()) for i in plan.items)
    assert "it only prepares terminate old: its data disk" in plan.items[0].refusals[-1].reason
    done = door.apply(plan)
    assert [(r.outcome, r.rule) for r in done.results.values()] == [(Outcome.REFUSED, Rule.ATTACHED)] * 3
    assert cloud.changes() == []
    again = door.apply(replace(plan, results={}, overrides=frozenset({Rule.ATTACHED})))
    assert [r.outcome for r in again.results.values()] == [Outcome.DONE] * 3
    assert [o for o, _, _ in cloud.changes()] == ["CreateSnapshot", "CreateSnapshot", "TerminateInstances"]
