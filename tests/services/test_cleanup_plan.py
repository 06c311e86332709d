"""A cleanup from looking to done, against the embedded cloud: only ours, kept before deleted, resumable."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from runctl.demo.cloud import DemoCloud
from runctl.models.plan import Outcome, Plan, Rule, Verb
from runctl.models.volume import Volume
from runctl.services.actions import Actions
from runctl.services.aws.backend import AwsBackend, open_backend
from runctl.services.cleanup import CleanupRules, Seen, candidates
from runctl.services.cleanup_plan import draft_cleanup
from tests.services.doors import EAST, OURS, ZOE, disk, fleet_of, machine, open_door

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
