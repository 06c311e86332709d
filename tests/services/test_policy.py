"""Every rule, once refusing and once letting through; nothing that is unknown counts as allowed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runctl.errors import InputError
from runctl.models.instance import BlockDevice, InstanceState
from runctl.models.plan import OVERRIDABLE, Rule, Verb
from runctl.services.case import Actor, Around, Case, JobFacts, Resource, facts_of, settled
from runctl.services.policy import ALLOWED_WHEN_PROTECTED, DESTRUCTIVE, brake, judge, parse_overrides, standing
from tests.services.acting import NOW, OURS, THEIRS, address, checkpoint, disk, machine, snapshot, upload

ZOE = Actor("zoe")


def rules(verb: Verb, resource: Resource | None, around: Around | None = None, **more: Any) -> set[Rule]:
    actor = more.pop("actor", ZOE)
    return {r.rule for r in judge(Case(verb, resource, actor, NOW, around or Around(), **more))}


def test_what_is_ours_old_idle_and_free_may_be_ended() -> None:
    assert rules(Verb.TERMINATE, machine()) == set()
    assert rules(Verb.STOP, machine()) == set()
    assert rules(Verb.DELETE, disk()) == set()
    assert rules(Verb.DELETE, snapshot()) == set()
    assert rules(Verb.RELEASE, address()) == set()
    assert rules(Verb.ABORT, upload()) == set()


@pytest.mark.parametrize("resource", [machine(tags={}), disk(tags={}), snapshot(tags={}), address(tags={})])
def test_untagged_is_not_ours_and_only_adopting_is_allowed(resource: Resource) -> None:
    for verb in set(Verb) - {Verb.LAUNCH, Verb.CREATE, Verb.SHELL, Verb.ADOPT}:
        assert Rule.NOT_OURS in rules(verb, resource)
    assert rules(Verb.ADOPT, resource) == set()


@pytest.mark.parametrize("value", ["", "0", "false", "no"])
def test_a_managed_tag_that_says_no_is_no(value: str) -> None:
    assert Rule.NOT_OURS in rules(Verb.STOP, machine(tags={"runctl:managed": value}))


def test_an_owner_tag_alone_does_not_make_it_ours() -> None:
    assert Rule.NOT_OURS in rules(Verb.STOP, machine(tags={"runctl:owner": "zoe"}))
    assert Rule.NOT_OURS in rules(Verb.STOP, machine(tags={"Owner": "zoe"}))


def test_managed_without_an_owner_is_ours() -> None:
    assert rules(Verb.STOP, machine(tags={"runctl:managed": "1"})) == set()


def test_another_owners_is_refused_also_for_adopting() -> None:
    assert Rule.OTHER_OWNER in rules(Verb.STOP, machine(tags=THEIRS))
    assert Rule.OTHER_OWNER in rules(Verb.ADOPT, machine(tags=THEIRS))
    assert Rule.OTHER_OWNER in rules(Verb.ADOPT, machine(tags={"runctl:owner": "mallory"}))


def test_unreadable_tags_are_a_refusal_of_their_own() -> None:
    assert rules(Verb.ADOPT, machine(), Around(tags_readable=False)) == {Rule.TAGS_UNREADABLE}
    assert Rule.TAGS_UNREADABLE in rules(Verb.TERMINATE, machine(), Around(tags_readable=False))
    assert Rule.TAGS_UNREADABLE in rules(Verb.ABORT, replace(upload(), tags=None))


def test_a_place_that_a_person_names_need_not_be_tagged_and_what_its_tags_say_counts() -> None:
    named = Around(named=True)
    for one in (upload, checkpoint):
        verb = Verb.ABORT if one is upload else Verb.PRUNE
        assert rules(verb, one(tags={})) == {Rule.NOT_OURS}
        assert rules(verb, one(tags={}), named) == set()
        assert rules(verb, one(tags=THEIRS), named) == {Rule.OTHER_OWNER}
        assert rules(verb, one(tags={"runctl:important": "1"}), named) == {Rule.PROTECTED}
        assert rules(verb, replace(one(), tags=None), named) == {Rule.TAGS_UNREADABLE}


def test_a_checkpoint_that_has_to_stay_stays_whether_it_was_planned_or_not() -> None:
    best = checkpoint(stays="best: loss 0.2 is the lowest")
    assert rules(Verb.PRUNE, best) == {Rule.PROTECTED}
    assert rules(Verb.PRUNE, best, planned=facts_of(best)) == {Rule.PROTECTED}
    assert rules(Verb.PRUNE, best, planned=facts_of(checkpoint())) == {Rule.CHANGED}
    assert rules(Verb.PRUNE, checkpoint(newest_at=NOW)) == {Rule.YOUNGER_THAN}


@pytest.mark.parametrize("tag", ["runctl:protected", "runctl:important", "runctl:persistent"])
def test_protection_tags_refuse_everything_that_takes_away(tag: str) -> None:
    guarded = {**OURS, tag: "true"}
    for verb in DESTRUCTIVE | {Verb.TAG}:
        assert Rule.PROTECTED in rules(verb, machine(tags=guarded)), verb
    assert rules(Verb.EXTEND, machine(tags=guarded)) == set()
    assert rules(Verb.SNAPSHOT, disk(tags=guarded)) == set()


def test_a_protected_disk_protects_the_machine_that_would_take_it_along() -> None:
    data = BlockDevice("/dev/sdf", disk(7).id, True)
    host = machine(devices=(data,), root_device="/dev/xvda")
    kept = disk(7, {**OURS, "runctl:persistent": "true"}, on=host.id)
    assert rules(Verb.TERMINATE, host, Around(disks=(kept,))) == {Rule.PROTECTED, Rule.ATTACHED}
    assert rules(Verb.TERMINATE, host, Around(disks=(disk(7, THEIRS, on=host.id),))) == {
        Rule.OTHER_OWNER,
        Rule.ATTACHED,
    }
    stays = replace(host, devices=(replace(data, delete_on_termination=False),))
    assert rules(Verb.TERMINATE, stays, Around(disks=(kept,))) == set()
    unsaid = replace(host, devices=(replace(data, delete_on_termination=None),))
    assert rules(Verb.TERMINATE, unsaid, Around(disks=(kept,))) == {Rule.PROTECTED, Rule.ATTACHED}


def test_disks_that_cannot_be_read_are_not_deleted_unseen() -> None:
    assert rules(Verb.TERMINATE, machine(), Around(disks=None)) == {Rule.TAGS_UNREADABLE}
    assert rules(Verb.STOP, machine(), Around(disks=None)) == set()


def test_termination_protection() -> None:
    assert rules(Verb.TERMINATE, machine(), Around(termination_protected=True)) == {Rule.TERMINATION_PROTECTED}
    assert rules(Verb.STOP, machine(), Around(termination_protected=True)) == set()


def test_read_only_refuses_every_verb() -> None:
    for verb in Verb:
        assert Rule.READ_ONLY in rules(verb, machine(), actor=Actor("zoe", read_only=True)), verb


def test_a_protected_profile_allows_to_add_and_never_to_take_away() -> None:
    guarded = Actor("zoe", protected=True, profile="prod")
    assert not ALLOWED_WHEN_PROTECTED & DESTRUCTIVE
    for verb in DESTRUCTIVE:
        assert Rule.PROTECTED_PROFILE in rules(verb, machine(), actor=guarded)
    assert rules(Verb.EXTEND, machine(), actor=guarded) == set()


def test_age_is_awss_and_an_unknown_age_is_too_young() -> None:
    young = machine(launched_at=NOW - timedelta(seconds=299))
    assert rules(Verb.TERMINATE, young) == {Rule.YOUNGER_THAN}
    assert rules(Verb.TERMINATE, machine(launched_at=NOW - timedelta(seconds=300))) == set()
    assert rules(Verb.TERMINATE, machine(launched_at=None)) == {Rule.YOUNGER_THAN}
    assert rules(Verb.DELETE, disk(created_at=NOW + timedelta(days=1))) == {Rule.YOUNGER_THAN}
    assert rules(Verb.RELEASE, address()) == set()


def test_a_job_tag_counts_as_running_until_somebody_saw_it_end() -> None:
    worker = machine(tags={**OURS, "runctl:job": "llama"})
    assert rules(Verb.STOP, worker) == {Rule.RUNNING_JOB, Rule.UNSAVED_CHECKPOINT}
    assert rules(Verb.STOP, worker, Around(job=JobFacts("llama", running=False))) == set()
    assert rules(Verb.START, replace(worker, state=InstanceState.STOPPED)) == set()
    assert rules(Verb.TERMINATE, replace(worker, state=InstanceState.STOPPED)) == set()


@pytest.mark.parametrize(
    ("age", "unsaved", "refused"),
    [(60.0, None, False), (601.0, None, True), (None, None, True), (60.0, True, True), (9e9, False, False)],
)
def test_work_since_the_last_checkpoint(age: float | None, unsaved: bool | None, refused: bool) -> None:
    facts = JobFacts("llama", running=True, checkpoint_age_s=age, unsaved=unsaved)
    assert (Rule.UNSAVED_CHECKPOINT in rules(Verb.STOP, machine(), Around(job=facts))) is refused


def test_attached_things() -> None:
    assert rules(Verb.DELETE, disk(on="i-1")) == {Rule.ATTACHED}
    assert rules(Verb.RELEASE, address(instance_id="i-1")) == {Rule.ATTACHED}
    assert rules(Verb.RELEASE, address(network_interface_id="eni-1")) == {Rule.ATTACHED}


def test_snapshots_in_use_or_not_known_to_be_free() -> None:
    assert rules(Verb.DELETE, snapshot(), Around(images=("ami-1",))) == {Rule.SNAPSHOT_IN_USE}
    assert rules(Verb.DELETE, snapshot(), Around(images=None)) == {Rule.SNAPSHOT_IN_USE}
    assert rules(Verb.DELETE, snapshot(), Around(children=("vol-1",))) == {Rule.SNAPSHOT_IN_USE}
    assert rules(Verb.DELETE, snapshot(), Around(children=None)) == {Rule.SNAPSHOT_IN_USE}


def test_attach_and_detach_ask_for_the_machine_too() -> None:
    foreign = machine(2, {})
    assert rules(Verb.ATTACH, disk(), Around(machine=foreign)) == {Rule.NOT_OURS}
    assert rules(Verb.DETACH, disk(on=foreign.id), Around(machine=foreign)) == {Rule.NOT_OURS}
    guarded = machine(2, {**OURS, "runctl:protected": "true"})
    assert rules(Verb.DETACH, disk(on=guarded.id), Around(machine=guarded)) == {Rule.PROTECTED}
    at_work = machine(2, {**OURS, "runctl:job": "llama"})
    assert Rule.RUNNING_JOB in rules(Verb.DETACH, disk(on=at_work.id), Around(machine=at_work))


def test_zones_and_states_are_told_before_the_call() -> None:
    assert rules(Verb.ATTACH, disk(az="us-east-1b"), Around(machine=machine())) == {Rule.STATE}
    assert rules(Verb.STOP, machine(state=InstanceState.PENDING)) == {Rule.STATE}
    assert rules(Verb.START, machine(state=InstanceState.TERMINATED)) == {Rule.STATE}
    assert rules(Verb.DETACH, disk()) == {Rule.STATE}


def test_nothing_left_to_do() -> None:
    assert settled(Verb.STOP, machine(state=InstanceState.STOPPING), {}) == "already stopping"
    assert settled(Verb.TERMINATE, machine(state=InstanceState.TERMINATED), {}) == "already terminated"
    assert settled(Verb.ATTACH, disk(on="i-1"), {"instance_id": "i-1"}) == "already attached to i-1"
    assert settled(Verb.ATTACH, disk(on="i-1"), {"instance_id": "i-2"}) == ""
    assert settled(Verb.ATTACH, disk(), {}) == ""
    assert settled(Verb.STOP, machine(), {}) == ""


def test_what_changed_since_the_plan_is_refused_and_named() -> None:
    planned = facts_of(machine())
    assert rules(Verb.STOP, machine(), planned=planned) == set()
    other = machine(type="p4d.24xlarge", tags={**OURS, "runctl:ttl": "2026-02-01T00:00:00+00:00"})
    (refusal,) = judge(Case(Verb.STOP, other, ZOE, NOW, planned=planned))
    assert refusal.rule is Rule.CHANGED
    assert "type: g5.xlarge → p4d.24xlarge" in refusal.reason
    assert "ttl: none → 2026-02-01" in refusal.reason
    pending = machine(state=InstanceState.PENDING)
    assert Rule.CHANGED not in rules(Verb.TERMINATE, machine(), planned=facts_of(pending))


def test_overrides_are_by_name_and_never_all_at_once() -> None:
    assert parse_overrides(["younger-than", "attached"]) == {Rule.YOUNGER_THAN, Rule.ATTACHED}
    for name in ("not-ours", "protected", "all", "", "*", "changed", "read-only"):
        with pytest.raises(InputError) as error:
            parse_overrides([name])
        assert "younger-than" in str(error.value.allowed)
    young = machine(launched_at=NOW, tags={**OURS, "runctl:job": "x"})
    refusals = judge(Case(Verb.TERMINATE, young, ZOE, NOW))
    left = {r.rule for r in standing(refusals, frozenset({Rule.YOUNGER_THAN}))}
    assert left == {Rule.RUNNING_JOB, Rule.UNSAVED_CHECKPOINT}


@given(st.sampled_from(Verb), st.sets(st.sampled_from(Rule)))
def test_no_set_of_overrides_lifts_what_cannot_be_overridden(verb: Verb, wanted: set[Rule]) -> None:
    cases = [
        Case(verb, machine(tags={}), ZOE, NOW),
        Case(verb, machine(tags=THEIRS), ZOE, NOW),
        Case(verb, disk(tags={**OURS, "runctl:protected": "1"}), ZOE, NOW),
    ]
    for case in cases:
        refusals = judge(case)
        hard = {r.rule for r in refusals} - OVERRIDABLE
        assert hard <= {r.rule for r in standing(refusals, frozenset(wanted))}


def test_brakes_on_launches() -> None:
    assert brake(0, 1, 10, 50) == (None, "")
    refusal, word = brake(10, 1, 10, 50)
    assert refusal is None
    assert "this makes 11" in word
    refusal, _ = brake(45, 6, 10, 50)
    assert refusal is not None
    assert refusal.rule is Rule.TOO_MANY_RUNNING
    assert brake(45, 5, 10, 50)[0] is None
    assert brake(None, 1, 10, 50)[0] is None
