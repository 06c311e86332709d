"""Another attempt, or none, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from runctl.models.record import Exit, Index
from runctl.services.jobs.look import Look
from runctl.services.jobs.retry import decide, resume_verified
from runctl.services.jobs.verdict import Machine, Seen, judge

AT = datetime(2026, 1, 1, tzinfo=UTC)
SPOT = Machine("terminated", "Server.SpotInstanceTermination")
INDEX: Index = {
    "checkpoints": [
        {"id": "1/a", "step": 100, "complete": True},
        {"id": "1/b", "step": 200, "complete": True},
        {"id": "1/c", "step": 300, "complete": False},
    ]
}


def _look(seen: Seen, **spec: Any) -> Look:
    whole: Any = {"retry": {"max_attempts": 3, "on_interruption": True, "on_exit": [75]}, **spec}
    return Look("J", whole, seen, judge(seen), None, AT)


def _interrupted(attempt: int = 1, age: float = 3600.0, **limits: float) -> Seen:
    return Seen(attempt=attempt, launch={}, state={"limits": limits}, heartbeat_age_s=age, machine=SPOT)


def test_an_interruption_goes_on_from_the_newest_complete_checkpoint() -> None:
    found = decide(_look(_interrupted()), INDEX)
    assert (found.attempt, found.resume_from, found.resume_step, found.wait_s) == (2, "1/b", 200, 0.0)


def test_without_a_checkpoint_it_begins_anew() -> None:
    assert decide(_look(_interrupted()), {}).resume_from is None


@pytest.mark.parametrize(("attempt", "age", "wait"), [(1, 1.0, 0.0), (2, 10.0, 50.0), (2, 61.0, 0.0)])
def test_attempts_keep_growing_distances(attempt: int, age: float, wait: float) -> None:
    found = decide(_look(_interrupted(attempt, age)), INDEX)
    assert (found.attempt, found.wait_s) == (attempt + 1, wait)


def test_an_attempt_that_never_spoke_is_followed_by_another_in_the_end() -> None:
    silent = replace(_interrupted(2), state=None, heartbeat_age_s=None)
    assert decide(_look(replace(silent, launch_age_s=10.0)), INDEX).wait_s == 50.0
    assert decide(_look(replace(silent, launch_age_s=61.0)), INDEX).wait_s == 0.0


def test_attempts_and_budget_end_it_for_good() -> None:
    used = decide(_look(_interrupted(3)), INDEX)
    assert (used.attempt, used.exhausted) == (None, True)
    assert "all 3 attempts" in used.reason
    poor = decide(_look(_interrupted(1, budget_usd=10.0, spent_usd=10.5)), INDEX)
    assert (poor.attempt, poor.exhausted) == (None, True)
    assert "$10.00 is spent ($10.50)" in poor.reason
    assert decide(_look(_interrupted(1, budget_usd=10.0, spent_usd=9.0)), INDEX).attempt == 2


def test_the_spec_may_forbid_it() -> None:
    found = decide(_look(_interrupted(), retry={"max_attempts": 3, "on_interruption": False}), INDEX)
    assert (found.attempt, found.exhausted) == (None, True)


def test_what_cannot_be_seen_is_left_alone() -> None:
    for seen in (replace(_interrupted(), readable=False), replace(_interrupted(), machine=Machine(None))):
        assert decide(_look(seen), INDEX).attempt is None


def _failed(rc: int, **words: Any) -> tuple[Seen, Exit]:
    end: Any = {"rc": rc, "cause": "exit", "stop_reason": None, "verified": True, **words}
    return Seen(attempt=1, launch={}, exit=end, machine=Machine("terminated")), end


@pytest.mark.parametrize(
    ("rc", "words", "attempt"),
    [
        (75, {}, 2),
        (1, {}, None),
        (75, {"cause": "oom"}, None),
        (75, {"cause": "disk"}, None),
        (75, {"stop_reason": "cancel"}, None),
        (0, {}, None),
    ],
)
def test_only_the_exit_codes_of_the_spec_are_worth_another(rc: int, words: dict[str, Any], attempt: int | None) -> None:
    assert decide(_look(_failed(rc, **words)[0]), INDEX).attempt == attempt


def test_a_crash_loop_is_left_alone() -> None:
    seen, end = _failed(75, started_at=0.0, ended_at=20.0)
    assert decide(_look(seen), INDEX, (end,)).attempt == 2
    looped = decide(_look(replace(seen, attempt=2)), INDEX, (end, end))
    assert (looped.attempt, looped.exhausted) == (None, True)
    assert "crash loop" in looped.reason
    slow: Any = {**end, "ended_at": 500.0}
    assert decide(_look(replace(seen, attempt=2)), INDEX, (slow, end)).attempt == 3


def test_resume_is_verified_by_the_first_step() -> None:
    assert resume_verified(200, 201) is True
    assert resume_verified(200, 0) is False
    assert resume_verified(200, None) is None
    assert resume_verified(None, 5) is None
