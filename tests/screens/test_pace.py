"""How soon what arrived is shown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runctl.events import ListingCompleted, PageArrived
from runctl.models.snapshot import EMPTY, Health, Snapshot, Source, SourceKey, SourceStatus
from runctl.screens.pace import IDLE_FACTOR, KNOWN_EVERY_S, PAINT_EVERY_S, Pace
from tests.screens.fleet import NOW, machine

KEY = SourceKey(Source.INSTANCES, "us-east-1")
ONE = (machine(1, "a"),)
PAGE = PageArrived(1, KEY, 1, ONE)


def snapshot(*, complete: bool, rows: bool = True) -> Snapshot:
    status = {KEY: SourceStatus(Health.LIVE, NOW, complete=complete)}
    return replace(EMPTY, scope=1, instances=ONE if rows else (), status=status)


def pace(cost_s: float = 0.01) -> Pace:
    made = Pace()
    made.painted(100.0 - cost_s, 100.0)
    return made


def test_nothing_new_is_not_shown() -> None:
    same = snapshot(complete=True)
    assert pace().due(PAGE, same, same) is None


def test_the_first_machines_wait_for_nobody() -> None:
    assert pace().due(PAGE, snapshot(complete=False, rows=False), snapshot(complete=False)) == 100.0


def test_pages_of_a_first_listing_come_as_one_picture_each_tenth_of_a_second() -> None:
    due = pace().due(PAGE, snapshot(complete=False), snapshot(complete=False))
    assert due == 100.0 + PAINT_EVERY_S


def test_pages_of_what_is_known_wait_for_the_rest_and_its_end_does_not() -> None:
    before, after = snapshot(complete=True), snapshot(complete=True)
    assert pace().due(PAGE, before, after) == 100.0 + KNOWN_EVERY_S
    done = ListingCompleted(1, KEY, 1, frozenset({"i-1"}), NOW)
    assert pace().due(done, before, after) == 100.0 + PAINT_EVERY_S


def test_dear_pictures_leave_time_for_keys() -> None:
    due = pace(cost_s=0.2).due(PAGE, snapshot(complete=False), snapshot(complete=False))
    assert due == pytest.approx(100.0 + 0.2 * IDLE_FACTOR)


def test_the_first_picture_of_all_is_due_at_once() -> None:
    due = Pace().due(PAGE, snapshot(complete=False), snapshot(complete=False))
    assert due is not None
    assert due < 0
