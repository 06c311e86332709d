"""The ledger against an independent minute-by-minute simulation, kill -9, damage and two writers."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runctl.models.cost import CostKind
from runctl.models.ledger import Basis, ResourceKey, Sighting
from runctl.services.ledger import GROUPS, Ledger, LedgerError, open_ledger
from runctl.services.ledger_fold import WATCHED

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ACCOUNT = "123456789012"
KEY = ResourceKey(ACCOUNT, "us-east-1", CostKind.INSTANCE, "i-1")


def at(minutes: float) -> datetime:
    return START + minutes * MINUTE


def running(minutes: float, rate: float | None = 1.0, *, market: str = "on-demand", since: float = 0) -> Sighting:
    return Sighting(KEY, bills=True, rate=rate, run_started=at(since), market=market)


def observe(ledger: Ledger, minute: float, *seen: Sighting) -> None:
    ledger.observe(ACCOUNT, "us-east-1", CostKind.INSTANCE, seen, at(minute))


def usd(ledger: Ledger, since: float = 0, until: float = 1e6) -> float:
    return sum(t.usd for t in ledger.totals(ACCOUNT, at(since), at(until)))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.sqlite3")


def test_a_watched_hour_costs_an_hour(ledger: Ledger) -> None:
    for minute in range(61):
        observe(ledger, minute, running(minute, 3.6))
    assert usd(ledger) == pytest.approx(3.6)
    assert usd(ledger, 30, 40) == pytest.approx(0.6)
    assert ledger.observed_since(ACCOUNT) == START


def test_a_short_run_bills_sixty_seconds(ledger: Ledger) -> None:
    observe(ledger, 0.2, running(0.2, 36.0))
    observe(ledger, 0.5, Sighting(KEY, bills=False, rate=None))
    assert usd(ledger) == pytest.approx(36.0 / 60)


def test_the_first_sight_is_backfilled_and_says_so(ledger: Ledger) -> None:
    observe(ledger, 120, running(120, 2.0))
    (total,) = ledger.totals(ACCOUNT, START, at(1000))
    assert total.usd_by_basis[Basis.BACKFILLED] == pytest.approx(4.0)


def test_the_same_run_at_a_list_price_goes_on_through_a_night_off(ledger: Ledger) -> None:
    observe(ledger, 0, running(0))
    observe(ledger, 600, running(600))
    assert usd(ledger) == pytest.approx(10.0)
    assert ledger.gaps(ACCOUNT, START, at(1000)) == []


def test_a_spot_price_nobody_watched_is_a_gap_not_a_guess(ledger: Ledger) -> None:
    observe(ledger, 0, running(0, market="spot"))
    observe(ledger, 600, running(600, market="spot"))
    ((key, gap),) = ledger.gaps(ACCOUNT, START, at(1000))
    assert (key, gap.started, gap.until) == (KEY, at(0), at(600))
    (total,) = ledger.totals(ACCOUNT, START, at(1000))
    assert (total.usd, total.gap_s) == (0.0, 36_000.0)


def test_an_unknown_or_absurd_price_counts_seconds_not_dollars(ledger: Ledger) -> None:
    for minute, rate in enumerate((None, -5.0, 1e9, float("nan"))):
        observe(ledger, minute, running(minute, rate))
    (total,) = ledger.totals(ACCOUNT, START, at(1000))
    assert (total.usd, total.unpriced_s) == (0.0, 180.0)


def test_a_machine_seen_only_after_its_end_is_a_gap(ledger: Ledger) -> None:
    observe(ledger, 90, Sighting(KEY, bills=False, rate=1.0, run_started=at(10)))
    ((_, gap),) = ledger.gaps(ACCOUNT, START, at(1000))
    assert (gap.started, gap.until) == (at(10), at(90))
    observe(ledger, 91, Sighting(KEY, bills=False, rate=1.0, run_started=at(10)))


def test_what_a_complete_listing_no_longer_names_has_ended(ledger: Ledger) -> None:
    observe(ledger, 0, running(0))
    observe(ledger, 1, running(1))
    observe(ledger, 2)
    observe(ledger, 500)
    assert usd(ledger) == pytest.approx(2 / 60)


def test_a_clock_that_runs_backwards_never_bills_twice(ledger: Ledger) -> None:
    for minute in (0, 1, 2, 60 * 24, 60 * 24 + 1, 3, 4, 5):
        observe(ledger, minute, running(minute))
    assert usd(ledger) <= (60 * 24 + 2) / 60
    observe(ledger, 6, running(6))
    assert usd(ledger) >= 0


def test_the_same_id_in_two_regions_is_two_things(ledger: Ledger) -> None:
    for region in ("us-east-1", "us-west-2"):
        for minute in (0, 1):
            seen = Sighting(KEY._replace(region=region), bills=True, rate=60.0, run_started=START)
            ledger.observe(ACCOUNT, region, CostKind.INSTANCE, [seen], at(minute))
    assert [t.usd for t in ledger.totals(ACCOUNT, START, at(9), by="region")] == [pytest.approx(1.0)] * 2


# -- the property: random fleets against a simulation that knows nothing of intervals ----------------------------


@dataclass
class Machine:
    """A machine that lives minute by minute; `cents` is what AWS would bill in minutes somebody could know about."""

    id: str
    market: str
    rate: float
    kind: CostKind = CostKind.INSTANCE
    started: int | None = None
    history: list[tuple[int, int, float]] = field(default_factory=list)  # minute, start of run, rate


def _simulate(rng: random.Random, machine: Machine, minutes: int) -> None:
    for minute in range(minutes):
        if machine.started is None and rng.random() < 0.01:
            machine.started = minute
            if rng.random() < 0.3:
                machine.rate = rng.choice((0.5, 1.006, 3.06, 32.77))  # resized while stopped
        elif machine.started is not None and rng.random() < 0.003:
            machine.started = None
        if machine.market == "spot" and rng.random() < 0.01:
            machine.rate = round(rng.uniform(0.1, 3.0), 4)
        if machine.started is not None:
            machine.history.append((minute, machine.started, machine.rate))


def _simulate_disk(rng: random.Random, disk: Machine, minutes: int) -> None:
    """A disk is made once, is resized now and then while it is in use, and may be deleted."""
    disk.started = rng.randrange(minutes // 2)
    end = rng.randrange(disk.started + 1, 2 * minutes)
    for minute in range(disk.started, min(minutes, end)):
        if rng.random() < 0.002:
            disk.rate = round(rng.uniform(0.005, 1.5), 6)
        disk.history.append((minute, disk.started, disk.rate))


def _known_usd(machine: Machine, watched: list[bool]) -> float:
    """Dollars by looking at every minute alone: is it between two sightings that settle its price?"""
    alive = {minute: (run, rate) for minute, run, rate in machine.history}
    seen = [m for m, on in enumerate(watched) if on]
    total = 0.0
    for minute, (run, _) in alive.items():
        place = bisect_right(seen, minute)
        before, after = seen[place - 1] if place else None, seen[place] if place < len(seen) else None
        if before is None and after is None:
            continue
        short = minute == before == run and after is not None and alive.get(after, (-1, 0))[0] != run
        if short and machine.kind is CostKind.INSTANCE:
            total += alive[minute][1] / 60  # seen at its very start and never again: the 60 s minimum is known
        else:
            total += _minute_usd(machine, alive, run, before, after)
    return total


def _minute_usd(
    machine: Machine, alive: dict[int, tuple[int, float]], run: int, before: int | None, after: int | None
) -> float:
    limit = int(WATCHED / MINUTE)
    at_before = alive.get(before) if before is not None else None
    at_after = alive.get(after) if after is not None else None
    seen_before = at_before is not None and at_before[0] == run
    seen_after = at_after is not None and at_after[0] == run
    if seen_before and after is not None and before is not None and after - before <= limit:
        return at_before[1] / 60 if at_before else 0.0
    if seen_before and seen_after and at_before and at_after:
        settled = machine.market != "spot" and at_before[1] == at_after[1]
        return at_before[1] / 60 if settled else 0.0
    if not seen_before and seen_after and at_after:
        return at_after[1] / 60  # back-filled from the start of the run
    return 0.0


#: Minutes of a long history, and how many of them: LEDGER_DAYS=90 is the long form.
LONGEST = int(float(os.environ.get("LEDGER_DAYS", "0.5")) * 1440) + 60
EXAMPLES = int(os.environ.get("LEDGER_FLEETS", "15"))


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, 2**32))
def test_ledger_equals_the_minute_by_minute_simulation(seed: int) -> None:
    """Machines that stop, start, resize and move in price, disks that grow and go, pauses, restarts of runctl."""
    rng = random.Random(seed)
    minutes = rng.randrange(max(200, LONGEST // 2), LONGEST)
    fleet = [Machine(f"i-{n}", rng.choice(("spot", "on-demand")), 1.006) for n in range(4)]
    for machine in fleet:
        _simulate(rng, machine, minutes)
    disks = [Machine(f"vol-{n}", "", 0.011, CostKind.VOLUME) for n in range(2)]
    for disk in disks:
        _simulate_disk(rng, disk, minutes)
    watched: list[bool] = []
    while len(watched) < minutes:  # pauses longer than what still counts as watched, so that a minute is settled or not
        watched += [True] * rng.randrange(1, 120) + [False] * rng.randrange(4, 60)
    watched = watched[:minutes]
    with tempfile.TemporaryDirectory() as directory:
        totals = _recorded(Path(directory) / "ledger", fleet, disks, watched)
    for thing in (*fleet, *disks):
        expected = _known_usd(thing, watched)
        assert totals.get(thing.id, 0.0) == pytest.approx(expected, abs=0.005), thing.id


def _recorded(path: Path, fleet: list[Machine], disks: list[Machine], watched: list[bool]) -> dict[str, float]:
    """What the ledger makes of it; the file is opened anew after each pause, as another run of runctl does."""
    ledger, by_minute = Ledger(path), {m.id: {h[0]: h[1:] for h in m.history} for m in (*fleet, *disks)}
    ledger._db.execute("PRAGMA synchronous = OFF")
    for minute, on in enumerate(watched):
        if on and minute and not watched[minute - 1]:
            ledger.close()
            ledger = Ledger(path)
            ledger._db.execute("PRAGMA synchronous = OFF")
        if on:
            for kind, things in ((CostKind.INSTANCE, fleet), (CostKind.VOLUME, disks)):
                seen = [_sighting(thing, by_minute[thing.id].get(minute)) for thing in things]
                listed = [s for s in seen if s.bills or kind is CostKind.INSTANCE]  # a deleted disk is not listed
                ledger.observe(ACCOUNT, "us-east-1", kind, listed, at(minute))
    found = {t.group: t.usd for t in ledger.totals(ACCOUNT, START, at(len(watched)), by="id")}
    ledger.close()
    return found


def _sighting(machine: Machine, now: tuple[int, float] | None) -> Sighting:
    key = KEY._replace(id=machine.id, kind=machine.kind)
    if now is None:
        return Sighting(key, bills=False, rate=None)
    return Sighting(key, bills=True, rate=now[1], run_started=at(now[0]), market=machine.market)


# -- bad days ---------------------------------------------------------------------------------------------------

_WRITER = """
import sys
from datetime import UTC, datetime, timedelta
from runctl.models.cost import CostKind
from runctl.models.ledger import ResourceKey, Sighting
from runctl.services.ledger import Ledger
ledger, at = Ledger(sys.argv[1]), datetime(2026, 1, 1, tzinfo=UTC)
print("ready", flush=True)
for n in range(10**9):
    key = ResourceKey("1", "r", CostKind.INSTANCE, f"i-{n // 3}")
    at += timedelta(seconds=60)
    seen = Sighting(key, bills=n % 3 < 2, rate=1.0, run_started=at)
    ledger.observe("1", "r", CostKind.INSTANCE, [seen], at, complete=False)
    if n % 3 == 2:
        print(n // 3, flush=True)
"""


@pytest.mark.parametrize("seed", range(int(os.environ.get("LEDGER_KILLS", "8"))))
def test_kill_9_while_writing_loses_no_closed_interval(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "ledger.sqlite3"
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    time.sleep(random.Random(seed).uniform(0.01, 0.15))  # the moment of the kill is what is drawn by chance
    writer.send_signal(signal.SIGKILL)
    reported = [int(line) for line in writer.stdout.read().split("\n")[:-1]]
    writer.wait()
    ledger, notice = open_ledger(path, START)
    closed = {r.key.id for r in ledger.records("1", START, at(1e6)) if not r.interval.open}
    assert notice == ""
    assert {f"i-{n}" for n in reported} <= closed


def test_two_processes_may_write_the_same_ledger(tmp_path: Path) -> None:
    first, second = Ledger(tmp_path / "l"), Ledger(tmp_path / "l")
    for minute in range(30):
        observe(first, minute, running(minute, 60.0))
        observe(second, minute + 0.01, running(minute, 60.0))
    assert usd(first) == pytest.approx(29.01, abs=0.001)


def test_a_damaged_ledger_is_set_aside_never_deleted(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    path.write_bytes(b"this is not a database" * 100)
    ledger, notice = open_ledger(path, START)
    observe(ledger, 0, running(0))
    (aside,) = tmp_path.glob("*.damaged-*")
    assert str(aside) in notice
    assert aside.read_bytes().startswith(b"this is not")


def test_a_newer_ledger_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    Ledger(path)._db.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    ledger, notice = open_ledger(path, START)
    observe(ledger, 0, running(0))
    assert "newer runctl" in notice
    assert path.read_bytes() == before


def test_a_locked_ledger_is_a_clear_error(tmp_path: Path) -> None:
    holder, waiting = Ledger(tmp_path / "l"), Ledger(tmp_path / "l")
    holder._db.execute("BEGIN IMMEDIATE")
    waiting._db.execute("PRAGMA busy_timeout = 1")
    with pytest.raises(LedgerError, match="locked"):
        observe(waiting, 0, running(0))


@pytest.mark.parametrize("group", GROUPS)
def test_every_grouping_adds_up_to_the_whole(ledger: Ledger, group: str) -> None:
    for minute in range(5):
        observe(ledger, minute, running(minute, 6.0), running(minute, 3.0, market="spot"))
    assert sum(t.usd for t in ledger.totals(ACCOUNT, START, at(9), by=group)) == pytest.approx(usd(ledger))


def test_what_was_spent_is_for_our_eyes(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        ledger, notice = open_ledger(tmp_path / "state/runctl/ledger.sqlite3", START)
        assert notice == ""
        ledger.close()
    finally:
        os.umask(old)
    assert (tmp_path / "state/runctl/ledger.sqlite3").stat().st_mode & 0o077 == 0
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0
