"""Events fold into snapshots: nothing is lost on a failure, nothing of another scope comes in."""

from __future__ import annotations

from datetime import UTC, datetime

from runctl.events import (
    IdentityResolved,
    ItemsUpdated,
    ListingCompleted,
    ListingFailed,
    PageArrived,
    RegionsResolved,
    ScopeChanged,
)
from runctl.models.identity import Identity
from runctl.models.instance import Instance, InstanceState, Market
from runctl.models.snapshot import ErrorRecord, Health, Source, SourceKey
from runctl.store.store import MAX_ERRORS, Store

NOW = datetime(2026, 1, 2, tzinfo=UTC)
KEY = SourceKey(Source.INSTANCES, "us-east-1")


def box(name: str, kind: str = "g5.xlarge", region: str = "us-east-1") -> Instance:
    return Instance(name, region, name, kind, InstanceState.RUNNING, Market.SPOT, f"{region}a", NOW)


def page(*names: str, key: SourceKey = KEY, scope: int = 0) -> PageArrived:
    return PageArrived(scope, key, 1, tuple(box(n, region=key.region) for n in names))


def failure(code: str = "Throttling") -> ListingFailed:
    error = ErrorRecord(NOW, "ec2", "DescribeInstances", "us-east-1", code, "slow down")
    return ListingFailed(0, KEY, 2, error, Health.ERROR)


def ids(store: Store) -> list[str]:
    return [i.id for i in store.snapshot.instances]


def test_pages_add_up_and_a_complete_listing_removes_what_is_gone() -> None:
    store = Store()
    store.apply(page("i-2", "i-1"))
    store.apply(page("i-3"))
    assert ids(store) == ["i-1", "i-2", "i-3"]
    store.apply(ListingCompleted(0, KEY, 1, frozenset({"i-1", "i-3"}), NOW))
    assert ids(store) == ["i-1", "i-3"]
    assert store.snapshot.status[KEY].health is Health.LIVE


def test_a_failure_keeps_the_last_good_rows_and_is_remembered_once() -> None:
    store = Store()
    store.apply(page("i-1"))
    store.apply(ListingCompleted(0, KEY, 1, frozenset({"i-1"}), NOW))
    for _ in range(3):
        store.apply(failure())
    assert ids(store) == ["i-1"]
    assert store.snapshot.status[KEY].as_of == NOW
    assert [(e.code, e.count) for e in store.snapshot.errors] == [("Throttling", 3)]


def test_errors_are_bounded() -> None:
    store = Store()
    for n in range(MAX_ERRORS + 50):
        store.apply(failure(f"Code{n}"))
    assert len(store.snapshot.errors) == MAX_ERRORS
    assert store.snapshot.errors[0].code == f"Code{MAX_ERRORS + 49}"


def test_a_late_answer_of_another_scope_is_dropped() -> None:
    store = Store()
    store.apply(page("i-1"))
    store.apply(ScopeChanged(1, "prod", ("us-east-1",)))
    before = store.snapshot
    assert store.apply(page("i-2")) is before
    assert ids(store) == []
    store.apply(page("i-3", scope=1))
    assert ids(store) == ["i-3"]


def test_another_account_takes_the_rows_of_the_first_with_it() -> None:
    store = Store()
    store.apply(IdentityResolved(0, Identity("111111111111", "arn:aws:iam::111111111111:user/ana")))
    store.apply(page("i-1"))
    store.apply(IdentityResolved(0, Identity("222222222222", "arn:aws:iam::222222222222:user/ana")))
    assert ids(store) == []


def test_one_region_never_touches_another() -> None:
    store = Store()
    west = SourceKey(Source.INSTANCES, "us-west-2")
    store.apply(page("i-9", key=west))
    store.apply(page("i-1"))
    store.apply(ListingCompleted(0, KEY, 1, frozenset(), NOW))
    assert ids(store) == ["i-9"]


def test_an_update_replaces_and_never_adds() -> None:
    store = Store()
    store.apply(page("i-1"))
    store.apply(ItemsUpdated(0, KEY, (box("i-1", "p5.48xlarge"), box("i-7"))))
    assert [(i.id, i.type) for i in store.snapshot.instances] == [("i-1", "p5.48xlarge")]


def test_a_store_goes_on_from_a_snapshot() -> None:
    first = Store()
    first.apply(page("i-1"))
    second = Store(first.snapshot)
    second.apply(page("i-2"))
    assert ids(second) == ["i-1", "i-2"]


def test_regions_that_are_not_asked_any_more_take_their_rows_and_state_along() -> None:
    store = Store()
    west = SourceKey(Source.INSTANCES, "us-west-2")
    for key, name in ((KEY, "i-1"), (west, "i-9")):
        store.apply(page(name, key=key))
        store.apply(ListingCompleted(0, key, 1, frozenset({name}), NOW))
    snapshot = store.apply(RegionsResolved(0, ("us-east-1",)))
    assert (ids(store), set(snapshot.status), snapshot.regions) == (["i-1"], {KEY}, ("us-east-1",))
