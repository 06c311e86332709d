"""How soon what arrived is shown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runctl.events import Event, IdentityResolved, ListingCompleted, PageArrived, RegionsResolved, SpentCounted
from runctl.models.identity import Identity
from runctl.models.snapshot import EMPTY, Health, Snapshot, Source, SourceKey, SourceStatus
from runctl.models.spent import Spent, Window
from runctl.screens.pace import GATHER_S, IDLE_FACTOR, KNOWN_EVERY_S, PAINT_EVERY_S, Pace
from tests.screens.fleet import NOW, machine

KEY = SourceKey(Source.INSTANCES, "us-east-1")
ONE = (machine(1, "a"),)
SPENT = Spent(NOW, NOW, Window(NOW, NOW), Window(NOW, NOW))
PAGE = PageArrived(1, KEY, 1, ONE)
DONE = ListingCompleted(1, KEY, 1, frozenset({"i-1"}), NOW)
#: The moment of the last picture.
NOW_S = 100.0


def snapshot(*, complete: bool, rows: bool = True) -> Snapshot:
    status = {KEY: SourceStatus(Health.LIVE, NOW, complete=complete)}
    return replace(EMPTY, scope=1, instances=ONE if rows else (), status=status)


def pace(cost_s: float = 0.01) -> Pace:
    made = Pace()
    made.painted(100.0 - cost_s, 100.0)
    return made


def test_nothing_new_is_not_shown() -> None:
    same = snapshot(complete=True)
    assert pace().due(PAGE, same, same, NOW_S) is None


def test_the_first_machines_wait_for_nobody() -> None:
    assert pace().due(PAGE, snapshot(complete=False, rows=False), snapshot(complete=False), NOW_S) == 100.0


def test_pages_of_a_first_listing_come_as_one_picture_each_tenth_of_a_second() -> None:
    due = pace().due(PAGE, snapshot(complete=False), snapshot(complete=False), NOW_S)
    assert due == 100.0 + PAINT_EVERY_S


def test_pages_of_what_is_known_wait_for_the_rest_and_its_end_does_not() -> None:
    before, after = snapshot(complete=True), snapshot(complete=True)
    assert pace().due(PAGE, before, after, NOW_S) == 100.0 + KNOWN_EVERY_S
    assert pace().due(DONE, before, after, NOW_S) == 100.0 + GATHER_S
    assert pace().due(DONE, snapshot(complete=False), after, NOW_S) == 100.0 + PAINT_EVERY_S
    told = SpentCounted(1, "123456789012", SPENT)
    assert pace().due(told, before, after, NOW_S) == 100.0 + PAINT_EVERY_S, "somebody waits for the first figure"


def test_whose_account_it_is_is_drawn_with_the_first_machines() -> None:
    bare = snapshot(complete=False, rows=False)
    who = Identity("123456789012", "arn:aws:iam::123456789012:user/ana")
    named = replace(bare, identity=who)
    told = IdentityResolved(1, who)
    assert pace().due(told, bare, named, NOW_S + 5) == NOW_S + 5 + GATHER_S
    assert pace().due(PAGE, named, replace(named, instances=ONE), NOW_S + 5) == NOW_S
    regions = RegionsResolved(1, ("us-east-1",))
    assert pace().due(regions, bare, replace(bare, regions=("us-east-1",)), NOW_S + 5) == NOW_S + 5 + GATHER_S


def test_a_refresh_that_changes_little_is_one_picture() -> None:
    """The page, the end of the listing and the sums come within a moment, long after the picture before."""
    before = replace(snapshot(complete=True), spent=SPENT)
    after = replace(snapshot(complete=True), spent=SPENT)
    events: tuple[Event, ...] = (PAGE, DONE, SpentCounted(1, "123456789012", SPENT))
    at = 110.0
    dues = [pace().due(event, before, after, at + n / 100) for n, event in enumerate(events)]
    assert dues == [pytest.approx(at + n / 100 + GATHER_S) for n in range(3)], "none before the last has arrived"


def test_dear_pictures_leave_time_for_keys() -> None:
    due = pace(cost_s=0.2).due(PAGE, snapshot(complete=False), snapshot(complete=False), NOW_S)
    assert due == pytest.approx(100.0 + 0.2 * IDLE_FACTOR)


def test_the_first_picture_of_all_is_due_at_once() -> None:
    due = Pace().due(PAGE, snapshot(complete=False), snapshot(complete=False), NOW_S)
    assert due is not None
    assert due < 0
