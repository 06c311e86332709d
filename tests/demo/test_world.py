"""Clock and agenda: what is due happens in order, at its own moment, and never twice."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runctl.clock import FrozenClock
from runctl.demo.world import World

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_due_things_happen_in_order_at_their_moment() -> None:
    world = World(clock=FrozenClock(NOON))
    seen: list[tuple[str, float]] = []

    def later() -> None:
        seen.append(("b", world.elapsed))
        world.schedule(3, lambda: seen.append(("c", world.elapsed)))

    world.schedule(9, lambda: seen.append(("d", world.elapsed)))
    world.schedule(5, later)
    world.schedule(1, lambda: seen.append(("a", world.elapsed)))
    world.settle()
    assert seen == []
    world.advance(10)
    assert seen == [("a", 1), ("b", 5), ("c", 8), ("d", 9)]
    world.advance(100)
    assert len(seen) == 4


def test_speed_makes_things_happen_sooner_but_not_the_day_pass() -> None:
    clock = FrozenClock(NOON)
    world = World(speed=10, clock=clock)
    clock.advance(2)
    assert world.elapsed == 20
    assert (world.now() - NOON).total_seconds() == 2


def test_a_restart_forgets_the_agenda() -> None:
    world = World(clock=FrozenClock(NOON))
    seen: list[int] = []
    world.schedule(1, lambda: seen.append(1))
    world.restart(8)
    world.advance(5)
    assert seen == []
    assert world.seed == 8


def test_time_runs_forwards_only() -> None:
    with pytest.raises(ValueError, match="forwards"):
        World().advance(-1)
