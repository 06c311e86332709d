"""Plans: what a file keeps, what a resumed apply does, and what a batch's exit code is."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from runctl.errors import CallSite, CredentialsError, InputError, ThrottledError
from runctl.models.plan import ItemResult, Kind, Outcome, Plan, PlanItem, Refusal, Rule, Verb
from runctl.services.plan import PlanStore, apply, exit_code, from_json, new_id, summary_line, to_json
from tests.services.acting import EAST, NOW


def item(number: int, verb: Verb = Verb.STOP, **more: object) -> PlanItem:
    return PlanItem(verb, Kind.INSTANCE, f"i-{number:017x}", EAST, **more)  # type: ignore[arg-type]  # fields by name


def plan(*items: PlanItem) -> Plan:
    return Plan(new_id(NOW), NOW, "stop", "123456789012", "lab", items)


def done(it: PlanItem, _: Plan) -> ItemResult:
    return ItemResult(it, Outcome.DONE)


def test_a_plan_survives_its_file(tmp_path: Path) -> None:
    store = PlanStore(tmp_path / "plans")
    rich = item(
        1, parameters={"size": 3, "tags": {"a": "[/x]"}}, facts={"state": "running"}, about={"type": "g5.xlarge"},
        usd_per_hour=1.0, saves_usd_per_month=None, lost=("a disk",), reason="idle",
        refusals=(Refusal(Rule.YOUNGER_THAN, "2m old"),), after=item(2).key,
    )  # fmt: skip
    made = replace(plan(item(2), rich), overrides=frozenset({Rule.YOUNGER_THAN}))
    made = made.with_result(ItemResult(made.items[0], Outcome.REFUSED, Rule.PROTECTED, "no", made=("snap-1",)))
    store.save(made)
    assert store.load(made.id) == made
    assert from_json(to_json(made)) == made
    (file,) = (tmp_path / "plans").glob("plan-*.json")
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600


@pytest.mark.parametrize("name", ["", "nope", "../../etc/passwd", "plan-20260131-120000-zzzz"])
def test_unknown_plans_are_named_with_those_there_are(tmp_path: Path, name: str) -> None:
    store = PlanStore(tmp_path)
    made = plan(item(1))
    store.save(made)
    with pytest.raises(InputError) as error:
        store.load(name)
    assert made.id in error.value.allowed


def test_old_plans_are_forgotten_and_young_ones_kept(tmp_path: Path) -> None:
    store = PlanStore(tmp_path)
    old, young = (replace(plan(item(1)), id=new_id(NOW - timedelta(days=d))) for d in (31, 29))
    for made in (old, young):
        store.save(made)
        with store.held(made.id):
            pass
    store.forget(NOW)
    assert store.ids() == [young.id]
    assert not [p for p in tmp_path.iterdir() if old.id in p.name]


def test_a_broken_file_is_an_input_error(tmp_path: Path) -> None:
    store = PlanStore(tmp_path)
    made = plan(item(1))
    for text in ("{", "[]", '{"v": 99}', '{"v": 1}'):
        (tmp_path / f"{made.id}.json").write_text(text)
        with pytest.raises(InputError, match="cannot be read"):
            store.load(made.id)


def test_two_processes_do_not_apply_one_plan(tmp_path: Path) -> None:
    store = PlanStore(tmp_path)
    with store.held("plan-20260131-120000-0000"):
        with pytest.raises(InputError, match="another runctl"), store.held("plan-20260131-120000-0000"):
            pass
        with store.held("plan-20260131-120000-0001"):
            pass
    with store.held("plan-20260131-120000-0000"):
        pass


def test_each_item_is_saved_as_begun_before_it_is_done() -> None:
    saved: list[Plan] = []

    def perform(it: PlanItem, _: Plan) -> ItemResult:
        assert saved[-1].results[it.key].outcome is Outcome.STARTED
        return ItemResult(it, Outcome.DONE)

    made = apply(plan(item(1), item(2)), perform, saved.append)
    assert made.count(Outcome.DONE) == 2
    assert len(saved) == 4


def test_a_batch_that_was_cut_off_goes_on_where_it_was() -> None:
    whole = plan(*(item(n) for n in range(5)))
    cut = whole.with_result(ItemResult(whole.items[0], Outcome.DONE))
    cut = cut.with_result(ItemResult(whole.items[1], Outcome.STARTED))
    cut = cut.with_result(ItemResult(whole.items[2], Outcome.FAILED))
    cut = cut.with_result(ItemResult(whole.items[3], Outcome.REFUSED, Rule.NOT_OURS))
    asked: list[str] = []

    def perform(it: PlanItem, _: Plan) -> ItemResult:
        asked.append(it.id)
        return ItemResult(it, Outcome.DONE)

    apply(cut, perform, lambda _: None)
    assert asked == [whole.items[n].id for n in (1, 2, 4)]


def test_a_failed_item_does_not_stop_the_rest() -> None:
    def perform(it: PlanItem, _: Plan) -> ItemResult:
        if it.id.endswith("0003"):
            raise ThrottledError("slow down", CallSite("ec2", "StopInstances", EAST, "RequestLimitExceeded"))
        return ItemResult(it, Outcome.DONE)

    made = apply(plan(*(item(n) for n in range(20))), perform, lambda _: None)
    assert (made.count(Outcome.DONE), made.count(Outcome.FAILED)) == (19, 1)
    assert summary_line(made) == "19 done, 1 failed"
    assert exit_code(made.results.values()) == 4


def test_expired_credentials_end_the_batch_and_leave_it_resumable() -> None:
    def perform(it: PlanItem, _: Plan) -> ItemResult:
        if it.id.endswith("2"):
            raise CredentialsError("expired", CallSite("ec2", "StopInstances", EAST, "ExpiredToken"))
        return ItemResult(it, Outcome.DONE)

    made = apply(plan(*(item(n) for n in range(5))), perform, lambda _: None)
    assert [made.results[i.key].outcome for i in made.items] == [
        Outcome.DONE, Outcome.DONE, Outcome.FAILED, Outcome.CANCELLED, Outcome.CANCELLED,
    ]  # fmt: skip
    assert len(made.open_items) == 3
    assert exit_code(made.results.values()) == 4


def test_cancelling_happens_between_items() -> None:
    asked: list[str] = []

    def perform(it: PlanItem, _: Plan) -> ItemResult:
        asked.append(it.id)
        return ItemResult(it, Outcome.DONE)

    made = apply(plan(item(1), item(2), item(3)), perform, lambda _: None, cancelled=lambda: len(asked) == 1)
    assert len(asked) == 1
    assert summary_line(made) == "1 done, 2 cancelled"
    again = apply(made, perform, lambda _: None)
    assert again.count(Outcome.DONE) == 3


def test_ctrl_c_leaves_the_item_marked_as_begun() -> None:
    saved: list[Plan] = []

    def perform(it: PlanItem, _: Plan) -> ItemResult:
        raise KeyboardInterrupt

    made = plan(item(1), item(2))
    with pytest.raises(KeyboardInterrupt):
        apply(made, perform, saved.append)
    assert saved[-1].results[made.items[0].key].outcome is Outcome.STARTED
    assert len(saved[-1].open_items) == 2


def test_an_item_waits_for_the_one_before_it() -> None:
    first = item(1, Verb.SNAPSHOT)
    second = item(1, Verb.DELETE, after=first.key)

    def refuse_first(it: PlanItem, _: Plan) -> ItemResult:
        return ItemResult(it, Outcome.FAILED if it is first else Outcome.DONE)

    made = apply(plan(first, second), refuse_first, lambda _: None)
    assert made.results[second.key].outcome is Outcome.FAILED
    assert "not begun" in made.results[second.key].reason
    assert apply(plan(first, second), done, lambda _: None).count(Outcome.DONE) == 2


def test_exit_codes() -> None:
    def result(outcome: Outcome, exit_class: int = 0) -> ItemResult:
        return ItemResult(item(1), outcome, exit_class=exit_class)

    assert exit_code([]) == 0
    assert exit_code([result(Outcome.DONE), result(Outcome.PLANNED)]) == 0
    assert exit_code([result(Outcome.DONE), result(Outcome.REFUSED)]) == 4
    assert exit_code([result(Outcome.REFUSED)]) == 1
    assert exit_code([result(Outcome.FAILED, 2), result(Outcome.REFUSED)]) == 2
    assert exit_code([result(Outcome.FAILED, 3)]) == 3
    assert exit_code([result(Outcome.FAILED, 1)]) == 1


def test_savings_count_what_nothing_refuses_and_admit_the_unknown() -> None:
    refused = item(3, saves_usd_per_month=100.0, refusals=(Refusal(Rule.NOT_OURS, ""),))
    young = item(4, saves_usd_per_month=5.0, refusals=(Refusal(Rule.YOUNGER_THAN, ""),))
    made = plan(item(1, saves_usd_per_month=8.0), item(2), refused, young)
    assert made.saves_usd_per_month == (8.0, 1)
    assert replace(made, overrides=frozenset({Rule.YOUNGER_THAN})).saves_usd_per_month == (13.0, 1)
