"""From what the pollers say to what the ledger knows, on good days and bad."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from runctl.clock import FrozenClock
from runctl.events import (
    Event,
    IdentityResolved,
    Item,
    ListingCompleted,
    ListingFailed,
    PageArrived,
    RegionsResolved,
    SpentCounted,
)
from runctl.models.cost import CostKind
from runctl.models.identity import Identity
from runctl.models.instance import Market
from runctl.models.ledger import Basis
from runctl.models.s3 import Bucket
from runctl.models.snapshot import ErrorRecord, Health, Source, SourceKey
from runctl.services.bookkeeper import COUNT_EVERY_S, COUNT_FIRST_S, Bookkeeper, rest_s
from runctl.services.ledger import Ledger
from runctl.services.recorder import Recorder
from tests.screens.fleet import NOW, machine, price

ACCOUNT = "123456789012"
WHO = Identity(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/ana", "")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite3"


def begin(scope: int = 1, *regions: str) -> tuple[Event, ...]:
    return (IdentityResolved(scope, WHO), RegionsResolved(scope, regions or ("us-east-1",)))


def listing(
    items: Iterable[Item],
    at: datetime,
    source: Source = Source.INSTANCES,
    *,
    region: str = "us-east-1",
    scope: int = 1,
    number: int = 1,
) -> tuple[Event, ...]:
    key, page = SourceKey(source, region), tuple(items)
    return (PageArrived(scope, key, number, page), ListingCompleted(scope, key, number, frozenset(), at))


def failure(at: datetime, *, partial: bool, number: int = 1) -> ListingFailed:
    error = ErrorRecord(at, "ec2", "DescribeInstances", "us-east-1", "Throttling", "slow down")
    return ListingFailed(1, SourceKey(Source.INSTANCES, "us-east-1"), number, error, Health.PARTIAL, partial=partial)


def feed(recorder: Recorder, *events: Event) -> None:
    for event in events:
        recorder.take(event)


def test_what_was_listed_before_the_account_was_known_is_not_lost(path: Path) -> None:
    recorder = Recorder(path, FrozenClock(NOW))
    feed(recorder, *listing([machine(1, "a", up_h=2)], NOW), *begin())
    spent = recorder.spent(NOW)
    assert spent is not None
    assert spent.since == NOW
    assert spent.today.usd == pytest.approx(2 * 1.006)
    assert spent.today.backfilled_usd == pytest.approx(2 * 1.006)
    assert not spent.today.watched


def test_an_hour_of_polls_is_an_hour_of_money_in_every_figure(path: Path) -> None:
    clock = FrozenClock(NOW)
    recorder = Recorder(path, clock)
    feed(recorder, *begin())
    first = machine(1, "a", up_h=0, rate=price(6.0), tags={"runctl:project": "vision", "runctl:job": "j1"})
    for minute in range(61):
        feed(recorder, *listing([first], NOW + minute * MINUTE, number=minute))
    spent = recorder.spent(NOW + 60 * MINUTE)
    assert spent is not None
    assert [w.usd for w in (spent.today, spent.month, *spent.recent)] == [pytest.approx(6.0)] * 4
    assert spent.groups["project"]["vision"].usd == pytest.approx(6.0)
    assert spent.groups["job"]["j1"].usd == pytest.approx(6.0)
    run = spent.runs["instance", "us-east-1", first.id]
    assert run.usd == pytest.approx(6.0)
    assert run.whole
    assert sum((p.on_demand or 0) / 4 for p in spent.day) == pytest.approx(6.0, rel=0.05)
    assert spent.day[0].on_demand is None  # nobody knows about yesterday


def test_a_broken_listing_ends_nothing_but_counts_for_what_it_named(path: Path) -> None:
    recorder = Recorder(path, FrozenClock(NOW + MINUTE))
    a, b = machine(1, "a", up_h=0, rate=price(60.0)), machine(2, "b", up_h=0, rate=price(60.0))
    feed(recorder, *begin(), *listing([a, b], NOW))
    feed(
        recorder,
        PageArrived(1, SourceKey(Source.INSTANCES, "us-east-1"), 2, (a,)),
        failure(NOW, partial=True, number=2),
    )
    feed(recorder, *listing([a, b], NOW + 2 * MINUTE, number=3))
    spent = recorder.spent(NOW + 2 * MINUTE)
    assert spent is not None
    assert spent.today.usd == pytest.approx(4.0)
    assert not spent.today.gap_s


def test_a_denied_listing_ends_nothing(path: Path) -> None:
    recorder = Recorder(path, FrozenClock(NOW))
    feed(recorder, *begin(), *listing([machine(1, "a", up_h=0)], NOW), failure(NOW + MINUTE, partial=False))
    assert [r.interval.open for r in recorder.ledger.records(ACCOUNT, NOW, NOW + MINUTE)] == [True]


def test_an_answer_of_another_scope_or_account_is_not_mixed_in(path: Path) -> None:
    recorder = Recorder(path, FrozenClock(NOW))
    feed(recorder, *begin(), *listing([machine(1, "a")], NOW))
    other = Identity("999999999999", "arn", "")
    feed(recorder, IdentityResolved(2, other), *listing([machine(2, "b")], NOW, scope=2))
    assert {r.key.id for r in recorder.ledger.records(ACCOUNT, NOW - timedelta(9), NOW)} == {machine(1, "a").id}
    assert {r.key.id for r in recorder.ledger.records(other.account, NOW - timedelta(9), NOW)} == {machine(2, "b").id}


def test_a_region_seen_later_moves_the_date_of_observation(path: Path) -> None:
    recorder = Recorder(path, FrozenClock(NOW))
    feed(recorder, *begin(1, "us-east-1", "eu-west-1"), *listing([], NOW))
    spent = recorder.spent(NOW)
    assert spent is not None
    assert spent.since is None
    feed(recorder, *listing([], NOW + MINUTE, region="eu-west-1"))
    assert (again := recorder.spent(NOW + MINUTE)) is not None
    assert again.since == NOW + MINUTE


def test_a_machine_that_stopped_unseen_ends_when_aws_says_it_did(path: Path) -> None:
    recorder = Recorder(path, FrozenClock(NOW))
    ran = machine(1, "a", up_h=0, rate=price(6.0))
    stopped = replace(machine(1, "a", state="stopped", up_h=0, rate=price(6.0)), stopped_at=NOW + 30 * MINUTE)
    feed(recorder, *begin(), *listing([ran], NOW), *listing([stopped], NOW + 600 * MINUTE, number=2))
    spent = recorder.spent(NOW + 600 * MINUTE)
    assert spent is not None
    assert spent.recent[0].usd == pytest.approx(3.0)
    assert not spent.recent[0].gap_s


def test_a_run_that_was_over_before_the_first_look_counts_where_aws_says_when_it_ended(path: Path) -> None:
    recorder = Recorder(path, FrozenClock(NOW))
    over = replace(machine(1, "a", state="terminated", up_h=5, rate=price(6.0)), stopped_at=NOW - timedelta(hours=3))
    feed(recorder, *begin(), *listing([over], NOW))
    spent = recorder.spent(NOW)
    assert spent is not None
    assert spent.today.usd == pytest.approx(12.0)
    assert not spent.today.unpriced_s


def test_a_state_nobody_knows_may_bill_at_a_price_nobody_knows(path: Path) -> None:
    recorder = Recorder(path, FrozenClock(NOW))
    odd = machine(1, "a", state="hibernating-deeply", up_h=5, rate=price(6.0))
    feed(recorder, *begin(), *listing([odd], NOW))
    spent = recorder.spent(NOW)
    assert spent is not None
    assert not spent.today.usd
    assert spent.today.unpriced_s == pytest.approx(5 * 3600)


def test_looking_now_and_then_leaves_one_row_not_one_a_look(path: Path) -> None:
    recorder = Recorder(path, FrozenClock(NOW))
    feed(recorder, *begin())
    for hour in range(100):
        feed(recorder, *listing([machine(1, "a", up_h=0)], NOW + hour * 60 * MINUTE, number=hour))
    rows = list(recorder.ledger.records(ACCOUNT, NOW, NOW + timedelta(days=9)))
    assert len(rows) <= 2
    assert rows[-1].interval.basis is Basis.CONTINUED
    assert (spent := recorder.spent(NOW + 99 * 60 * MINUTE)) is not None
    assert spent.month.usd == pytest.approx(99 * 1.006)


def test_a_spot_price_whose_date_is_older_than_the_pause_is_no_gap(path: Path) -> None:
    recorder = Recorder(path, FrozenClock(NOW))
    known = replace(price(0.5), since=NOW - timedelta(hours=3))
    spot = machine(1, "a", up_h=0, market=Market.SPOT, rate=known)
    feed(recorder, *begin(), *listing([spot], NOW), *listing([spot], NOW + 60 * MINUTE, number=2))
    spent = recorder.spent(NOW + 60 * MINUTE)
    assert spent is not None
    assert spent.today.usd == pytest.approx(0.5)
    assert not spent.today.gap_s


def test_a_bucket_counts_where_its_bytes_are_known(path: Path) -> None:
    recorder = Recorder(path, FrozenClock(NOW))
    buckets = (Bucket("known", "eu-west-1", NOW - timedelta(days=1), 1, 1, 730.0), Bucket("unknown", "eu-west-1"))
    feed(recorder, *begin(), *listing(buckets, NOW, Source.BUCKETS, region=""))
    (row,) = {r.key.id for r in recorder.ledger.records(ACCOUNT, NOW - timedelta(2), NOW + MINUTE)}
    assert row == "known"


# -- bad days -----------------------------------------------------------------------------------------------------


def test_a_locked_ledger_costs_an_observation_and_is_said_until_it_works_again(path: Path) -> None:
    recorder = Recorder(path, FrozenClock(NOW), patience_s=0.01)
    feed(recorder, *begin(), *listing([machine(1, "a", up_h=0)], NOW))
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    feed(recorder, *listing([machine(1, "a", up_h=0)], NOW + MINUTE, number=2))
    assert "locked" in recorder.notice
    assert (spent := recorder.spent(NOW + MINUTE)) is not None
    assert "locked" in spent.notice
    holder.execute("ROLLBACK")
    feed(recorder, *listing([machine(1, "a", up_h=0)], NOW + 2 * MINUTE, number=3))
    assert recorder.notice == ""
    assert (spent := recorder.spent(NOW + 2 * MINUTE)) is not None
    assert spent.today.usd == pytest.approx(1.006 / 30)


def test_a_full_disk_costs_an_observation_and_nothing_that_was_written(path: Path) -> None:
    recorder = Recorder(path, FrozenClock(NOW))
    feed(recorder, *begin(), *listing([machine(1, "a", up_h=0)], NOW))
    pages = recorder.ledger._db.execute("PRAGMA page_count").fetchone()[0]
    recorder.ledger._db.execute(f"PRAGMA max_page_count = {pages}")
    many = [machine(n, "b" * 200) for n in range(2, 400)]
    feed(recorder, *listing(many, NOW + MINUTE, number=2))
    assert "full" in recorder.notice
    assert [r.name for r in recorder.ledger.records(ACCOUNT, NOW, NOW + MINUTE)] == ["a"]


def test_a_ledger_that_breaks_while_in_use_is_set_aside_and_the_next_listing_counts(path: Path) -> None:
    recorder = Recorder(path, FrozenClock(NOW))
    feed(recorder, *begin(), *listing([machine(n, "a") for n in range(200)], NOW))
    recorder.close()
    with path.open("r+b") as file:  # leave the head, break every page behind it
        size = file.seek(0, 2)
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    feed(recorder, *listing([machine(1, "a")], NOW + MINUTE, number=2))
    aside = [p for p in path.parent.glob("*.damaged-*") if not p.name.endswith(("-wal", "-shm"))]
    assert len(aside) == 1
    assert aside[0].stat().st_size == size
    assert str(aside[0]) in recorder.notice
    feed(recorder, *listing([machine(1, "a")], NOW + 2 * MINUTE, number=3))
    assert len(list(recorder.ledger.records(ACCOUNT, NOW, NOW + timedelta(1)))) >= 1
    assert str(aside[0]) in recorder.notice, "said for as long as the program runs"


def test_a_newer_ledger_is_left_alone_and_said(path: Path) -> None:
    Ledger(path)._db.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    recorder = Recorder(path, FrozenClock(NOW))
    feed(recorder, *begin(), *listing([machine(1, "a", up_h=1)], NOW))
    assert (spent := recorder.spent(NOW)) is not None
    assert "newer runctl" in spent.notice
    assert spent.today.usd > 0
    assert path.read_bytes() == before


def test_an_older_ledger_is_brought_up_to_date(path: Path) -> None:
    from runctl.services.ledger_file import MIGRATIONS

    old = sqlite3.connect(path)
    for statement in MIGRATIONS[0]:
        old.execute(statement)
    old.execute("PRAGMA user_version = 1")
    old.execute("INSERT INTO resource VALUES (1, ?, 'us-east-1', 'instance', 'i-old', 'old', NULL, NULL)", (ACCOUNT,))
    old.execute(
        "INSERT INTO interval VALUES (1, 1, ?, ?, 1.0, 'observed', '', 'on-demand', 't', NULL, 0, 0)",
        (int(NOW.timestamp() * 1000), int((NOW + 60 * MINUTE).timestamp() * 1000)),
    )
    old.commit()
    old.close()
    ledger = Ledger(path)
    assert sum(t.usd for t in ledger.totals(ACCOUNT, NOW, NOW + timedelta(1))) == pytest.approx(1.0)


def test_a_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    recorder = Recorder(tmp_path / "file" / "ledger.sqlite3", FrozenClock(NOW))
    feed(recorder, *begin(), *listing([machine(1, "a")], NOW))
    assert "cannot be opened" in recorder.notice


def test_daylight_saving_changes_no_day(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        recorder = Recorder(path, FrozenClock(NOW))
        change = datetime(2026, 3, 8, 0, tzinfo=NOW.tzinfo)  # New York has 23 hours on this day
        always = replace(machine(1, "a", rate=price(1.0)), launched_at=change - timedelta(days=1))
        feed(recorder, *begin(), *listing([always], change + timedelta(days=1)))
        totals = recorder.ledger.totals(ACCOUNT, change, change + timedelta(days=1))
        assert sum(t.usd for t in totals) == pytest.approx(24.0)
    finally:
        monkeypatch.undo()
        time.tzset()


# -- the thread -----------------------------------------------------------------------------------------------------


def test_the_bookkeeper_counts_without_holding_anybody_up(path: Path) -> None:
    told: list[Event] = []
    heard = threading.Event()

    def publish(event: Event) -> None:
        told.append(event)
        heard.set()

    books = Bookkeeper(path, publish, FrozenClock(NOW))
    holder = Ledger(path)
    holder._db.execute("BEGIN IMMEDIATE")
    for event in (*begin(), *listing([machine(1, "a", up_h=1)], NOW)):
        books.offer(event)  # returns at once although the ledger is locked
    holder._db.execute("ROLLBACK")
    assert heard.wait(20)
    (counted,) = told[:1]
    assert isinstance(counted, SpentCounted)
    assert (counted.scope, counted.account) == (1, ACCOUNT)
    assert counted.spent.today.usd == pytest.approx(1.006)
    books.close()
    assert {r.key.kind for r in holder.records(ACCOUNT, NOW - timedelta(1), NOW)} == {CostKind.INSTANCE}


def test_counting_a_large_ledger_leaves_the_time_to_others() -> None:
    assert rest_s(0.002, whole=True) == COUNT_EVERY_S
    assert rest_s(0.002, whole=False) == COUNT_FIRST_S
    for took in (1.0, 3.5):
        assert took / (took + rest_s(took, whole=True)) <= 0.05
        assert took / (took + rest_s(took, whole=False)) <= 0.2
