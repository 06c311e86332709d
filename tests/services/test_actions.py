"""The door against the embedded cloud: what is read, judged, sent, written down and resumed."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from runctl import paths
from runctl.clock import SystemClock
from runctl.config import DEFAULTS
from runctl.config.settings import ProfileRules
from runctl.demo.cloud import DemoCloud
from runctl.errors import InputError
from runctl.models.plan import Kind, Outcome, Rule, Verb
from runctl.services.case import JobFacts
from runctl.services.journal import Journal
from runctl.services.plan import exit_code
from tests.services.doors import EAST, OURS, ZOE, disk, fleet_of, machine, open_door, states, touched


def journal() -> Journal:
    return Journal(paths.journal_file(), SystemClock())


def test_stop_start_reboot_and_terminate_do_what_they_say(cloud: DemoCloud) -> None:
    (one,) = fleet_of(cloud, machine("trainer"))
    door = open_door()
    for verb, after, inverse in (
        (Verb.REBOOT, "running", ""),
        (Verb.STOP, "stopped", f"runctl instances start {one} --region {EAST}"),
        (Verb.START, "running", f"runctl instances stop {one} --region {EAST}"),
        (Verb.TERMINATE, "terminated", ""),
    ):
        plan = door.draft(verb, ["trainer"], overrides=frozenset({Rule.YOUNGER_THAN}))
        assert plan.items[0].about["type"] == "t3.micro"
        (result,) = door.apply(plan).results.values()
        assert (result.outcome, result.inverse, result.reason) == (Outcome.DONE, inverse, "")
        cloud.advance(60)
        assert states(door, [one]) == [after]
    told = journal().entries()
    assert [e.operation for e in told] == [
        "ec2:RebootInstances", "ec2:StopInstances", "ec2:StartInstances", "ec2:TerminateInstances",
    ]  # fmt: skip
    assert {e.outcome for e in told} == {"done"}
    assert {e.resource for e in told} == {one}


def test_a_draft_changes_nothing_and_says_what_is_lost(cloud: DemoCloud) -> None:
    (one,) = fleet_of(cloud, machine("gpu", OURS | {"runctl:job": "llama"}, type="g5.xlarge"), disks=(disk(0),))
    (item,) = open_door().draft(Verb.TERMINATE, [one]).items
    assert cloud.changes() == []
    lost = " / ".join(item.lost)
    assert "the run of job llama" in lost
    assert "(8 GiB gp3, /dev/sda1)" in lost
    assert "instance store" in lost
    assert "10 GiB gp3, /dev/sdf" in item.recoverable
    assert item.usd_per_hour == pytest.approx(1.006)
    assert item.saves_usd_per_month is not None
    assert [r.rule for r in item.refusals] == [Rule.RUNNING_JOB, Rule.UNSAVED_CHECKPOINT]


def test_what_is_known_of_the_job_counts(cloud: DemoCloud) -> None:
    (one,) = fleet_of(cloud, machine(tags=OURS | {"runctl:job": "llama"}))
    ended = open_door(jobs=lambda _: JobFacts("llama", running=False))
    assert ended.draft(Verb.STOP, [one]).items[0].refusals == ()
    saved = open_door(jobs=lambda _: JobFacts("llama", running=True, checkpoint_age_s=30))
    assert [r.rule for r in saved.draft(Verb.STOP, [one]).items[0].refusals] == [Rule.RUNNING_JOB]


def test_one_protected_machine_among_twenty_in_a_zone(cloud: DemoCloud) -> None:
    kept = machine(tags=OURS | {"runctl:protected": "true"})
    ids = fleet_of(cloud, *(kept if n == 7 else machine(f"m{n}") for n in range(20)))
    door = open_door()
    plan = door.apply(door.draft(Verb.TERMINATE, ids))
    assert plan.count(Outcome.DONE) == 19
    (refused,) = [r for r in plan.results.values() if r.outcome is not Outcome.DONE]
    assert (refused.item.id, refused.rule) == (ids[7], Rule.PROTECTED)
    assert exit_code(plan.results.values()) == 4
    assert touched(cloud) == {*ids} - {ids[7]}
    assert cloud.mutating_calls() == {("ec2", "TerminateInstances", EAST): 19}


@pytest.mark.parametrize(
    ("tags", "more", "rule"),
    [
        ({}, {}, Rule.NOT_OURS),
        (OURS | {"runctl:owner": "mallory"}, {}, Rule.OTHER_OWNER),
        (OURS | {"runctl:persistent": "true"}, {}, Rule.PROTECTED),
        (OURS, {"termination_protected": True}, Rule.TERMINATION_PROTECTED),
        (OURS, {"age_s": 60.0}, Rule.YOUNGER_THAN),
        (OURS | {"runctl:job": "x"}, {}, Rule.RUNNING_JOB),
        (OURS, {"state": "terminated"}, Rule.STATE),
    ],
)
def test_each_refusal_has_its_rule(cloud: DemoCloud, tags: dict[str, str], more: dict[str, Any], rule: Rule) -> None:
    ids = fleet_of(cloud, machine(tags=tags, **more))
    door = open_door()
    drafted = door.draft(Verb.TERMINATE, ids)
    assert drafted.items[0].refusals[0].rule is rule
    if rule is not Rule.STATE:  # a terminated one counts as done
        (result,) = door.apply(drafted).results.values()
        assert (result.outcome, result.rule, result.exit_class) == (Outcome.REFUSED, rule, 1)
    assert cloud.changes() == []


def test_a_disk_of_somebody_else_keeps_the_machine_alive(cloud: DemoCloud) -> None:
    ids = fleet_of(cloud, machine(), disks=(disk(0, OURS | {"runctl:owner": "mallory"}),))
    door = open_door()
    assert door.draft(Verb.TERMINATE, ids).items[0].refusals == (), "that disk stays, so it is nobody's loss"
    with cloud.faults.active("denied", service="ec2", operation="DescribeVolumes"):
        (refusal,) = door.draft(Verb.TERMINATE, ids).items[0].refusals
    assert refusal.rule is Rule.TAGS_UNREADABLE


def test_what_changed_since_the_plan_is_refused(cloud: DemoCloud) -> None:
    ids = fleet_of(cloud, machine("a"), machine("b"))
    door = open_door()
    plan = door.draft(Verb.REBOOT, ids)
    door.apply(door.draft(Verb.STOP, ids[:1]))
    cloud.advance(60)
    first, second = door.apply(plan).results.values()
    assert (first.outcome, first.rule) == (Outcome.REFUSED, Rule.CHANGED)
    assert "state: running → stopped" in first.reason
    assert second.outcome is Outcome.DONE


def test_tags_that_become_unreadable_are_a_refusal(cloud: DemoCloud) -> None:
    ids = fleet_of(cloud, machine())
    door = open_door()
    plan = door.draft(Verb.STOP, ids)
    with cloud.faults.active("denied", service="ec2", operation="DescribeInstances"):
        (result,) = door.apply(plan).results.values()
    assert (result.outcome, result.rule) == (Outcome.REFUSED, Rule.TAGS_UNREADABLE)
    assert cloud.changes() == []


@pytest.mark.parametrize(
    "settings", [replace(ZOE, read_only=True), replace(ZOE, profiles={"default": ProfileRules(protected=True)})]
)
def test_read_only_and_protected_profiles_send_nothing(cloud: DemoCloud, settings: object) -> None:
    ids = fleet_of(cloud, machine())
    door = open_door(settings)  # type: ignore[arg-type]  # a list of settings
    for verb in (Verb.STOP, Verb.REBOOT, Verb.TERMINATE):
        (result,) = door.apply(door.draft(verb, ids)).results.values()
        assert result.rule in (Rule.READ_ONLY, Rule.PROTECTED_PROFILE)
    assert cloud.changes() == []


def test_done_already_is_done_and_sends_nothing(cloud: DemoCloud) -> None:
    ids = fleet_of(cloud, machine(state="stopped"), machine(state="terminated"), machine())
    door = open_door()
    stopped, terminated, running = (
        next(iter(door.apply(door.draft(verb, [i])).results.values()))
        for verb, i in zip((Verb.STOP, Verb.TERMINATE, Verb.START), ids, strict=True)
    )
    assert [r.reason for r in (stopped, terminated, running)] == [
        "already stopped",
        "already terminated",
        "already running",
    ]
    assert {r.outcome for r in (stopped, terminated, running)} == {Outcome.DONE}
    assert cloud.changes() == []


def test_throttling_in_the_middle_of_twenty(cloud: DemoCloud) -> None:
    ids = fleet_of(cloud, *(machine(f"m{n}") for n in range(20)))
    door = open_door()
    plan = door.draft(Verb.TERMINATE, ids)
    cloud.faults.add("throttle", service="ec2", operation="TerminateInstances", times=3)
    assert door.apply(plan).count(Outcome.DONE) == 20
    assert touched(cloud) == set(ids)


def test_credentials_that_expire_half_way_leave_the_rest_to_be_resumed(cloud: DemoCloud) -> None:
    ids = fleet_of(cloud, *(machine(f"m{n}") for n in range(5)))
    door = open_door()
    plan = door.draft(Verb.STOP, ids)
    seen: list[str] = []

    def watch(result: object) -> None:
        seen.append(str(result))
        if len(seen) == 2:
            cloud.faults.add("expired", service="ec2")

    cut = door.apply(plan, progress=watch)
    assert (cut.count(Outcome.DONE), cut.count(Outcome.FAILED), cut.count(Outcome.CANCELLED)) == (2, 1, 2)
    assert exit_code(cut.results.values()) == 4
    cloud.faults.clear()
    again = open_door()
    assert again.apply(again.plans.load(plan.id)).count(Outcome.DONE) == 5
    assert cloud.mutating_calls() == {("ec2", "StopInstances", EAST): 5}


def test_an_answer_that_never_came_is_looked_for(cloud: DemoCloud) -> None:
    (one,) = fleet_of(cloud, machine())
    door = open_door()
    plan = door.draft(Verb.STOP, [one])
    with cloud.faults.active("truncate", service="ec2", operation="StopInstances"):
        (result,) = door.apply(plan).results.values()
    assert result.outcome is Outcome.DONE
    cloud.faults.add("reset", service="ec2", operation="RebootInstances")
    (two,) = fleet_of(cloud, machine())
    plan = door.draft(Verb.REBOOT, [two])
    cloud.faults.add("truncate", service="ec2", operation="RebootInstances")
    (result,) = door.apply(plan).results.values()
    assert (result.outcome, result.exit_class) == (Outcome.FAILED, 2)
    assert journal().entries()[-1].outcome == "unknown"
    cloud.faults.clear()
    (result,) = door.apply(door.plans.load(plan.id)).results.values()
    assert "may have been done already" in result.reason
    assert cloud.mutating_calls() == {("ec2", "RebootInstances", EAST): 1}, "nothing is done twice"


def test_cancelled_between_items_is_resumable(cloud: DemoCloud) -> None:
    ids = fleet_of(cloud, *(machine() for _ in range(3)))
    door = open_door()
    seen: list[object] = []
    plan = door.apply(door.draft(Verb.STOP, ids), progress=seen.append, cancelled=lambda: len(seen) == 1)
    assert [r.outcome for r in plan.results.values()] == [Outcome.DONE, Outcome.CANCELLED, Outcome.CANCELLED]
    assert door.apply(door.plans.load(plan.id)).count(Outcome.DONE) == 3
    assert cloud.mutating_calls() == {("ec2", "StopInstances", EAST): 3}


def test_what_is_done_is_not_planned_again(cloud: DemoCloud) -> None:
    ids = fleet_of(cloud, *(machine() for _ in range(2)))
    door = open_door()
    seen: list[object] = []
    half = door.apply(door.draft(Verb.STOP, ids), progress=seen.append, cancelled=lambda: len(seen) == 1)
    again = door.planned(door.plans.load(half.id))
    assert [r.outcome for r in again.results.values()] == [Outcome.DONE, Outcome.PLANNED]


def test_a_call_that_was_given_up_while_it_waited_may_have_been_sent(cloud: DemoCloud) -> None:
    (one,) = fleet_of(cloud, machine())
    door = open_door()
    plan = door.draft(Verb.STOP, [one])
    backend = door.ground.cloud._session  # type: ignore[attr-defined]  # the session that the door is open on

    def give_up() -> None:
        while not cloud.changes():
            time.sleep(0.01)
        backend.close()

    quitting = threading.Thread(target=give_up)
    quitting.start()
    with cloud.faults.active("unavailable", service="ec2", operation="StopInstances"):
        door.apply(plan)
    quitting.join()
    assert journal().entries()[-1].outcome == "unknown"


def test_a_plan_of_another_account_is_not_applied(cloud: DemoCloud) -> None:
    ids = fleet_of(cloud, machine())
    door = open_door()
    with pytest.raises(InputError, match="account 999999999999"):
        door.apply(replace(door.draft(Verb.STOP, ids), account="999999999999"))
    assert cloud.changes() == []


def test_without_a_journal_nothing_is_sent(cloud: DemoCloud) -> None:
    ids = fleet_of(cloud, machine())
    paths.journal_file().mkdir(parents=True)
    door = open_door()
    (result,) = door.apply(door.draft(Verb.STOP, ids)).results.values()
    assert result.outcome is Outcome.FAILED
    assert "journal" in result.reason
    assert cloud.changes() == []


def test_our_name_is_the_callers_own_when_the_settings_name_none(cloud: DemoCloud) -> None:
    assert open_door(DEFAULTS).ground.actor.owner == open_door(DEFAULTS).ground.stamp.arn.rpartition("/")[2]


def test_a_verb_that_a_kind_does_not_have_is_an_input_error(cloud: DemoCloud) -> None:
    with pytest.raises(InputError, match="reboot is nothing that can be done to a volume"):
        open_door().draft(Verb.REBOOT, ["vol-0123456789abcdef0"], kind=Kind.VOLUME)
