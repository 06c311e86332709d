"""Candidates of a cleanup: only ours, only from what is known, the gentler verb first."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runctl.models.instance import Activity, ActivityState, BlockDevice, InstanceState
from runctl.models.plan import Verb
from runctl.models.tags import JOB, MANAGED, OWNER, TTL
from runctl.services.case import JobFacts, is_ours
from runctl.services.cleanup import CleanupRules, Seen, Step, candidates
from tests.services.acting import EAST, NOW, OURS, THEIRS, address, disk, machine, snapshot, upload


def seen(**more: Any) -> Seen:
    return Seen(NOW, "zoe", **more)


def told(steps: tuple[Step, ...]) -> list[tuple[str, str]]:
    return [(s.verb.value, s.rule) for s in steps]


IDLE = Activity(ActivityState.IDLE, "GPU 0 %, no GPU process", NOW - timedelta(hours=5))


def test_an_idle_machine_is_stopped_not_terminated_and_says_what_that_saves() -> None:
    (step,) = candidates(seen(instances=(machine(1, activity=IDLE),)))
    assert (step.verb, step.rule) == (Verb.STOP, "idle")
    assert step.reason == "idle for 5h00: GPU 0 %, no GPU process"
    assert step.saves_usd_per_month == pytest.approx(1.006 * 730)


@pytest.mark.parametrize(
    "activity",
    [
        Activity(),
        Activity(ActivityState.BUSY, "GPU 90 %", NOW - timedelta(days=1)),
        Activity(ActivityState.IDLE, "GPU 0 %"),
        Activity(ActivityState.IDLE, "GPU 0 %", NOW - timedelta(minutes=90)),
    ],
)
def test_silence_and_short_idleness_are_no_reason(activity: Activity) -> None:
    assert candidates(seen(instances=(machine(1, activity=activity),))) == ()


def test_a_running_job_protects_an_expired_machine_and_an_ended_one_is_a_reason() -> None:
    expired = machine(1, OURS | {TTL: (NOW - timedelta(hours=1)).isoformat(), JOB: "llama"})
    assert candidates(seen(instances=(expired,), jobs=lambda _: JobFacts("llama", running=True))) == ()
    (step,) = candidates(seen(instances=(expired,), jobs=lambda _: JobFacts("llama", running=False)))
    assert (step.rule, step.reason) == ("job-finished", "its job llama has ended")
    (step,) = candidates(seen(instances=(expired,)))
    assert (step.rule, step.reason) == ("ttl-expired", "its time ran out 1h00 ago")


@pytest.mark.parametrize("ttl", ["", "soon", "1h", (NOW + timedelta(hours=1)).isoformat()])
def test_a_time_that_has_not_come_or_is_none_is_no_reason(ttl: str) -> None:
    assert candidates(seen(instances=(machine(1, OURS | {TTL: ttl}),))) == ()


def test_a_machine_stopped_for_long_goes_after_its_dying_disks_are_kept() -> None:
    root, data = disk(1, on="i-x", usd_per_month=8.0), disk(2, on="i-x", usd_per_month=16.0)
    devices = (BlockDevice("/dev/xvda", root.id, True), BlockDevice("/dev/sdf", data.id, True))
    off = machine(7, state=InstanceState.STOPPED, stopped_at=NOW - timedelta(days=9), devices=devices)
    steps = candidates(seen(instances=(off,), volumes=(root, data)))
    assert told(steps) == [
        ("snapshot", "snapshot-first"),
        ("snapshot", "snapshot-first"),
        ("terminate", "stopped-long"),
    ]
    assert steps[1].after is steps[0]
    assert steps[2].after is steps[1]
    assert steps[2].saves_usd_per_month == pytest.approx(24.0)
    alone = candidates(seen(instances=(off,), volumes=(root, data)), CleanupRules(snapshot_first=False))
    assert told(alone) == [("terminate", "stopped-long")]


def test_a_machine_stays_whose_dying_disks_were_not_listed() -> None:
    """They could neither be kept first nor be priced: a listing of disks that failed is no list of none."""
    root = disk(1, on="i-x")
    devices = (BlockDevice("/dev/xvda", root.id, True), BlockDevice("/dev/sdf", "vol-00000000000000002", True))
    off = machine(7, state=InstanceState.STOPPED, stopped_at=NOW - timedelta(days=9), devices=devices)
    assert candidates(seen(instances=(off,), volumes=(root,))) == ()
    assert candidates(seen(instances=(off,))) == ()


def test_a_machine_of_which_nobody_knows_since_when_it_is_stopped_stays() -> None:
    assert candidates(seen(instances=(machine(1, state=InstanceState.STOPPED),))) == ()


def test_a_free_disk_is_kept_as_a_snapshot_before_it_is_deleted() -> None:
    free = disk(1, created_at=NOW - timedelta(days=41))
    steps = candidates(seen(volumes=(free,)))
    assert told(steps) == [("snapshot", "snapshot-first"), ("delete", "unattached")]
    assert steps[1].after is steps[0]
    fresh = snapshot(1, volume_id=free.id, created_at=NOW - timedelta(minutes=20))
    assert told(candidates(seen(volumes=(free,), snapshots=(fresh,)))) == [("delete", "unattached")]
    old = snapshot(1, volume_id=free.id, created_at=NOW - timedelta(days=2))
    assert len(candidates(seen(volumes=(free,), snapshots=(old,)))) == 2


def test_a_snapshot_is_an_orphan_only_where_the_list_of_disks_is_whole() -> None:
    old = snapshot(1, created_at=NOW - timedelta(days=60))
    assert candidates(seen(snapshots=(old,))) == ()
    assert told(candidates(seen(snapshots=(old,), complete=frozenset({EAST})))) == [("delete", "snapshot-orphan")]


def test_addresses_and_uploads() -> None:
    steps = candidates(
        seen(addresses=(address(1), address(2, instance_id="i-1")), uploads=(upload(1), upload(2, THEIRS)))
    )
    assert told(steps) == [("release", "address-unused"), ("abort", "upload-unfinished")]
    assert steps[0].saves_usd_per_month == pytest.approx(3.65)
    assert steps[1].saves_usd_per_month is None


OWNERS = st.sampled_from(
    [{}, OURS, THEIRS, {MANAGED: "1"}, {"owner": "zoe"}, {OWNER: "zoe"}, OURS | {"runctl:protected": "true"}]
)


@given(st.lists(st.tuples(OWNERS, st.integers(0, 90), st.sampled_from(list(InstanceState))), max_size=8))
def test_whatever_is_not_ours_or_is_protected_is_never_a_candidate(
    things: list[tuple[dict[str, str], int, InstanceState]],
) -> None:
    instances, volumes, snapshots, addresses, uploads = [], [], [], [], []
    for number, (tags, days, state) in enumerate(things):
        at = NOW - timedelta(days=days)
        instances.append(machine(number, tags, state=state, stopped_at=at, activity=IDLE))
        volumes.append(disk(number, tags, created_at=at))
        snapshots.append(snapshot(number, tags, created_at=at))
        addresses.append(address(number, tags))
        uploads.append(upload(number, tags, started_at=at))
    everything = Seen(
        NOW, "zoe", tuple(instances), tuple(volumes), tuple(snapshots), tuple(addresses), tuple(uploads),
        complete=frozenset({EAST}),
    )  # fmt: skip
    steps = candidates(everything)
    for step in steps:
        assert is_ours(step.resource.ownership, "zoe")
        if step.verb is not Verb.SNAPSHOT:
            assert not step.resource.ownership.protected
        assert step.after is None or steps.index(step.after) < steps.index(step)


def test_a_spot_machine_that_cannot_be_stopped_is_terminated_after_its_dying_disks_are_kept() -> None:
    root = disk(1, on="i-x", usd_per_month=8.0)
    idle = machine(1, activity=IDLE, devices=(BlockDevice("/dev/xvda", root.id, True),))
    steps = candidates(seen(instances=(idle,), volumes=(root,), one_time=frozenset({idle.id})))
    assert told(steps) == [("snapshot", "snapshot-first"), ("terminate", "idle")]
    assert steps[1].after is steps[0]
    assert steps[1].reason.startswith(
        "idle for 5h00: GPU 0 %, no GPU process; EC2 does not stop a one-time spot machine"
    )
    assert steps[1].saves_usd_per_month == pytest.approx(1.006 * 730 + 8)
    assert candidates(seen(instances=(idle,), one_time=frozenset({idle.id}))) == (), "a disk nobody listed is not kept"
    busy = machine(1, activity=Activity(), devices=idle.devices)
    assert candidates(seen(instances=(busy,), volumes=(root,), one_time=frozenset({busy.id}))) == ()
