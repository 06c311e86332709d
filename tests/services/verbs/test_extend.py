"""More time for a machine: its own timer and its tag say the same, or nothing is promised."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from runctl.clock import SystemClock
from runctl.demo.cloud import DemoCloud
from runctl.errors import InputError
from runctl.models.plan import ItemResult, Outcome, Verb
from runctl.models.tags import TTL, ends_at
from runctl.services.actions import Actions
from tests.services.doors import EAST, OURS, fleet_of, machine, open_door


def at(hours: float) -> str:
    return (SystemClock().now() + timedelta(hours=hours)).isoformat(timespec="seconds")


def extended(door: Actions, reference: str, by_s: float = 7200.0) -> ItemResult:
    return next(iter(door.apply(door.draft(Verb.EXTEND, [reference], {"by_s": by_s})).results.values()))


def ends(door: Actions, identifier: str) -> datetime | None:
    (found,) = door.ground.cloud.find_instances(EAST, ids=[identifier])
    return ends_at(found.ownership.ttl)


def test_the_timer_is_moved_and_the_tag_says_so(cloud: DemoCloud) -> None:
    before = at(1)
    (one,) = fleet_of(cloud, machine("m", OURS | {TTL: before}, agent=True))
    door = open_door()
    result = extended(door, one)
    assert (result.outcome, result.reason) == (Outcome.DONE, "")
    assert ends(door, one) == datetime.fromisoformat(before) + timedelta(hours=2), "from its end on, not from now"
    assert [o for o, _, _ in cloud.changes()] == ["SendCommand", "CreateTags"], "the timer first"
    assert [e.operation for e in door.ground.journal.entries()] == ["ssm:SendCommand", "ec2:CreateTags"]


def test_a_timer_out_of_reach_promises_nothing(cloud: DemoCloud) -> None:
    before = at(1)
    asleep, deaf, plain = fleet_of(
        cloud, machine("asleep", OURS | {TTL: before}, state="stopped"), machine("deaf", OURS | {TTL: before}),
        machine("plain"),
    )  # fmt: skip
    door = open_door()
    for reference, said in ((asleep, "moves only while it runs"), (deaf, "could not be moved and still says")):
        result = extended(door, reference)
        assert result.outcome is Outcome.FAILED
        assert said in result.reason
        assert ends(door, reference) == datetime.fromisoformat(before)
    result = extended(door, plain)
    assert result.outcome is Outcome.DONE
    assert "only the tag says it" in result.reason
    assert ends(door, plain) is not None


@pytest.mark.parametrize("by_s", [1.0, 400 * 86400.0])
def test_a_time_nobody_could_mean_is_refused_before_anything_is_sent(cloud: DemoCloud, by_s: float) -> None:
    (one,) = fleet_of(cloud, machine())
    with pytest.raises(InputError, match="it would end itself"):
        extended(open_door(), one, by_s)
    assert cloud.changes() == []


def test_a_resumed_plan_adds_its_hours_once(cloud: DemoCloud) -> None:
    (one,) = fleet_of(cloud, machine(agent=True))
    door = open_door()
    plan = door.draft(Verb.EXTEND, [one], {"by_s": 7200.0})
    with cloud.faults.active("error", service="ec2", operation="CreateTags", code="InternalError", status=500):
        cut = door.apply(plan)
    assert cut.count(Outcome.FAILED) == 1
    done = door.apply(door.plans.load(plan.id))
    assert done.count(Outcome.DONE) == 1
    assert ends(door, one) == ends_at(str(plan.items[0].parameters["until"]))


@pytest.mark.parametrize(
    ("text", "time"),
    [(None, None), ("", None), ("soon", None), ("2026-01-31T12:00:00", datetime(2026, 1, 31, 12, tzinfo=UTC))],
)
def test_what_a_tag_says(text: str | None, time: datetime | None) -> None:
    assert ends_at(text) == time
