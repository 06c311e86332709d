"""A look that says what the last one said gives the very things of the last one, and the rest of the way uses that."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from runctl.clock import FrozenClock
from runctl.events import Event, IdentityResolved, ListingCompleted, PageArrived
from runctl.models.identity import Identity
from runctl.models.instance import Instance, InstanceState
from runctl.models.s3 import Bucket
from runctl.models.snapshot import Source, SourceKey
from runctl.services.poll_same import MANY, SameThings
from runctl.services.recorder import Recorder
from runctl.services.sightings import sightings
from runctl.store.store import Store
from tests.screens.fleet import NOW, machine

KEY = SourceKey(Source.INSTANCES, "us-east-1")
BUCKETS = SourceKey(Source.BUCKETS, "")


def fleet(*changed: int) -> tuple[Instance, ...]:
    """Five machines, read anew; some of them stopped."""
    return tuple(machine(n, f"m-{n}", state="stopped" if n in changed else "running") for n in range(5))


def page(items: tuple[Instance, ...] | tuple[Bucket, ...], key: SourceKey = KEY) -> PageArrived:
    return PageArrived(0, key, 1, items)


def done(items: tuple[Instance, ...], listing: int = 1) -> ListingCompleted:
    return ListingCompleted(0, KEY, listing, frozenset(i.id for i in items), NOW)


def items_of(event: Event) -> tuple[object, ...]:
    assert isinstance(event, PageArrived)
    return event.items


def test_what_is_as_it_was_is_the_object_it_was() -> None:
    same, first = SameThings(), fleet()
    assert items_of(same.fill(page(first))) == first
    again = items_of(same.fill(page(fleet(2))))
    assert again == fleet(2)
    assert [a is b for a, b in zip(again, first, strict=True)] == [True, True, False, True, True]
    assert items_of(same.fill(page(fleet(2))))[2] is again[2]


def test_what_is_gone_is_forgotten_and_names_of_other_places_are_others() -> None:
    same, first = SameThings(), fleet()
    same.fill(page(first))
    same.fill(done(first[:3]))
    again = items_of(same.fill(page(fleet())))
    assert [a is b for a, b in zip(again, first, strict=True)] == [True, True, True, False, False]
    elsewhere = SourceKey(Source.INSTANCES, "eu-west-1")
    assert items_of(same.fill(page(fleet(), elsewhere)))[0] is not first[0]
    bucket = Bucket("b", "us-east-1", NOW)
    same.fill(page((bucket,), BUCKETS))
    assert items_of(same.fill(page((replace(bucket),), BUCKETS)))[0] is bucket


def test_a_page_that_changes_nothing_is_no_news_and_a_refresh_keeps_the_rows() -> None:
    same, store = SameThings(), Store()
    for event in (page(fleet()), done(fleet())):
        before = store.apply(same.fill(event))
    assert store.apply(same.fill(page(fleet()))) is before
    after = store.apply(same.fill(done(fleet())))
    assert after is not before
    assert after.instances is before.instances
    changed = store.apply(same.fill(page(fleet(3))))
    assert [i.state for i in changed.instances].count(InstanceState.STOPPED) == 1
    assert len(store.apply(same.fill(done(fleet()[:4]))).instances) == 4


def test_the_ledger_hears_only_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []

    def spy(account: str, items: tuple[Instance, ...]) -> object:
        heard.extend(i.id for i in items)
        return sightings(account, items)

    monkeypatch.setattr("runctl.services.recorder.sightings", spy)
    same, recorder = SameThings(), Recorder(tmp_path / "l", FrozenClock(NOW))
    recorder.take(IdentityResolved(0, Identity("123456789012", "arn", "")))
    for poll, machines in enumerate((fleet(), fleet(), fleet(2))):
        heard.clear()
        recorder.take(same.fill(page(machines)))
        recorder.take(replace(done(machines), as_of=NOW + timedelta(seconds=10 * poll)))
        assert len(heard) == (5, 0, 1)[poll]
    intervals = [r.interval for r in recorder.ledger.records("123456789012", NOW - timedelta(1), NOW + timedelta(1))]
    ends = [i.until for i in intervals if i.open]
    assert ends == [NOW + timedelta(seconds=20)] * 4, "what was not heard anew goes on all the same"


def test_the_collector_is_told_once_of_many_new_things_and_not_of_few() -> None:
    told: list[int] = []
    same = SameThings(lambda: told.append(1))
    many = tuple(replace(fleet()[0], id=f"i-{n}") for n in range(MANY))
    for machines in (many, tuple(map(replace, many)), (*many[:-5], *fleet())):
        same.fill(page(machines))
        same.fill(done(machines))
    assert told == [1]
