"""A record and its machine as one look, and as the row that people see."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runctl.models import record
from runctl.services.jobs.look import at_risk, look, row_of, steps_per_second
from runctl.services.jobs.record import JobRecord
from runctl.services.jobs.seen import Action, Outcome
from tests.services.acting import machine
from tests.services.jobs.conftest import JOB, Open


def _write(job: JobRecord, attempt: int, *, end: dict[str, Any] | None = None, **spec: Any) -> None:
    """A job in its n-th attempt that trains, or has ended."""
    now = job.now()
    job.create({"v": 1, "id": JOB, "name": "vit", "provider": "ec2", "region": "us-east-1", **spec})  # type: ignore[typeddict-item]
    job.take_lease(fence=attempt)
    job.write_launch({"v": 1, "job": JOB, "attempt": attempt, "at": now - 100, "spent_usd": 1.5})
    state: dict[str, Any] = {
        "v": 1, "at": now, "phase": "RUNNING", "heartbeat_s": 15.0, "step": 300, "total_steps": 500,
        "running_since": now - 50, "progress_at": now, "metrics": {"loss": 0.5},
        "resume": {"step": 200, "first_step": 201}, "machine": {"instance_id": "i-1"},
        "uploads": {"pending_bytes": 0, "newest_complete": {"id": "1/a", "step": 290, "at": now - 20}},
        "limits": {"spent_usd": 2.0, "usd_per_hour": 36.0, "budget_usd": 10.0},
    }  # fmt: skip
    job.store.put(record.attempt_key(JOB, attempt, "state.json"), record.dump(state))
    if end is not None:
        job.store.put(record.attempt_key(JOB, attempt, "exit.json"), record.dump({"v": 1, "at": now, **end}))


def test_a_row_says_what_is_known_and_nothing_more(client_of: Open) -> None:
    job = client_of("ana")
    _write(job, 2)
    row = row_of(look(job, ()))
    assert (row.state, row.step, row.total_steps, row.attempt, row.instance_id) == ("RUNNING", 300, 500, 2, "i-1")
    assert (row.usd_so_far, row.budget_usd, row.usd_per_hour) == (2.0, 10.0, 36.0)
    assert row.steps_per_s == pytest.approx(99 / 50)
    assert row.eta_s == pytest.approx(200 / (99 / 50))
    assert row.usd_to_finish == pytest.approx((row.eta_s or 0) / 100)
    assert row.checkpoint_age_s == pytest.approx(20, abs=5)
    assert row.at_risk_s == pytest.approx(20, abs=5)


def test_nothing_is_made_up_where_nothing_is_known(client_of: Open) -> None:
    job = client_of("ana")
    job.create({"v": 1, "id": JOB, "name": "vit", "provider": "ec2"})
    row = row_of(look(job, None))
    assert row.state == "PENDING"
    assert (row.step, row.eta_s, row.usd_so_far, row.usd_to_finish, row.checkpoint_age_s, row.at_risk_s) == (None,) * 6
    assert steps_per_second({"step": 5}) is None


def test_a_machine_that_came_after_a_long_wait_for_capacity_has_its_own_time_to_boot(client_of: Open) -> None:
    job = client_of("ana")
    job.create({"v": 1, "id": JOB, "name": "vit", "provider": "ec2", "region": "us-east-1"})
    job.take_lease(fence=1)
    job.write_launch({"v": 1, "job": JOB, "attempt": 1, "at": job.now() - 7200, "spent_usd": 0.0})
    tags = {"runctl:managed": "1", "runctl:job": JOB, "runctl:attempt": "1"}
    for age, outcome, action in ((60, Outcome.BOOTSTRAPPING, Action.NONE), (601, Outcome.FAILED, Action.CLEAN_UP)):
        own = machine(tags=tags, launched_at=job.clock.now() - timedelta(seconds=age))
        verdict = look(job, [own]).verdict
        assert (verdict.outcome, verdict.action) == (outcome, action), verdict.reason


@pytest.mark.parametrize(("age", "action"), [(10, Action.NONE), (3600, Action.RELAUNCH)])
def test_a_client_cut_off_before_it_wrote_what_is_to_start_is_not_waited_for(
    client_of: Open, age: int, action: Action
) -> None:
    job = client_of("ana")
    job.create({"v": 1, "id": JOB, "name": "vit", "provider": "ec2", "created_at": job.now() - age})
    job.take_lease(fence=1)
    found = look(job, ()).verdict
    assert (found.outcome, found.action) == (Outcome.PENDING, action)


def test_an_earlier_attempt_that_still_speaks_is_named_until_it_has_ended(client_of: Open) -> None:
    """Row 12: its machine was given up, and came back after the next attempt had begun."""
    job = client_of("ana")
    _write(job, 1)
    job.take_lease(fence=2)
    job.write_launch({"v": 1, "job": JOB, "attempt": 2, "at": job.now() - 100, "spent_usd": 1.5})
    before, after = (record.attempt_key(JOB, n, "state.json") for n in (1, 2))
    job.store.put(after, job.store.fetch(before).body)
    found = look(job, ())
    assert (found.seen.attempt, found.verdict.outcome, found.verdict.zombies) == (2, Outcome.RUNNING, (1,))
    assert "attempt 1 still runs" in found.verdict.reason
    job.store.put(record.attempt_key(JOB, 1, "exit.json"), record.dump({"v": 1, "at": job.now(), "rc": 0}))
    assert look(job, ()).verdict.zombies == ()


def test_work_that_cannot_be_uploaded_in_time_is_at_risk(client_of: Open) -> None:
    job = client_of("ana")
    _write(job, 1)
    seen = look(job, ())
    state = dict(seen.seen.state or {})
    assert at_risk(seen) == pytest.approx(20, abs=5)
    state["uploads"] = {**state["uploads"], "pending_bytes": 10**9, "bytes_per_s": 10**6}  # type: ignore[dict-item]
    from dataclasses import replace

    slow = replace(seen, seen=replace(seen.seen, state=state))  # type: ignore[arg-type]
    assert at_risk(slow) == pytest.approx(50, abs=5)  # all of it: its upload takes longer than the notice


@pytest.mark.parametrize(
    ("attempt", "retry", "outcome", "said"),
    [
        (1, {"max_attempts": 3}, Outcome.INTERRUPTED, "spot"),
        (3, {"max_attempts": 3}, Outcome.FAILED, "all 3 attempts are used"),
        (1, {"max_attempts": 3, "on_interruption": False}, Outcome.FAILED, "does not want another"),
    ],
)
def test_an_interruption_without_another_attempt_is_the_end(
    client_of: Open, attempt: int, retry: dict[str, Any], outcome: Outcome, said: str
) -> None:
    job = client_of("ana")
    _write(job, attempt, end={"rc": 0, "stop_reason": "spot-notice", "verified": True}, retry=retry)
    seen = look(job, ())
    assert seen.verdict.outcome is outcome
    assert said in seen.verdict.reason
    assert seen.verdict.action is (Action.RECOVER if outcome is Outcome.INTERRUPTED else Action.NONE)


def test_what_cannot_be_read_keeps_the_last_known_outcome(client_of: Open) -> None:
    job = client_of("ana")
    _write(job, 1)
    job.store.put(record.lease_key(JOB), b"{broken")
    seen = look(job, None, last_known="RUNNING")
    assert (seen.verdict.outcome, seen.verdict.action) == (Outcome.UNKNOWN, Action.NONE)
    assert "last known RUNNING" in seen.verdict.reason
    assert row_of(seen).name == "vit"
    assert datetime.now(UTC) >= seen.at
