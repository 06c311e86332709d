"""Prices on disk: their order, their age, and what is refused."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from runctl.clock import FrozenClock, SystemClock
from runctl.config import DEFAULTS
from runctl.demo.cloud import DemoCloud
from runctl.errors import CloudError
from runctl.events import PageArrived
from runctl.models.cost import Confidence, CostKind
from runctl.models.instance import Instance, Market
from runctl.models.snapshot import Source, SourceKey
from runctl.services.aws.backend import AwsBackend, open_backend
from runctl.services.aws.refresh import book_with_cache, refresh_region
from runctl.services.poll_spot import SpotScout
from runctl.services.price_cache import SPOT_KEPT, SPOT_LIVE, believable, cache_path, load_prices
from runctl.services.prices import PriceBook
from runctl.services.recorder import Recorder
from tests.screens.fleet import NOW
from tests.services.test_recorder import begin, feed, listing

EAST = "us-east-1"


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("RUNCTL_HOME", str(tmp_path))
    directory = tmp_path / "cache"
    directory.mkdir()
    return directory


def write(directory: Path, usd: Any, *, day: str = "2026-03-10", spot: Any = 0.5, age_h: float = 0.0) -> None:
    at = (NOW - timedelta(hours=age_h)).isoformat()
    document = {
        "version": 1,
        "on_demand": {EAST: {"g5.xlarge": [usd, day]}},
        "spot": {EAST: {"us-east-1a": {"g5.xlarge": [spot, at, at]}}},
    }
    cache_path(directory).write_text(json.dumps(document))


@pytest.mark.parametrize("usd", [-1, 0, 1e9, "NaN", "-Infinity", None, True, [], "much"])
def test_what_no_price_can_be_is_refused_and_the_book_counts(cache: Path, usd: Any) -> None:
    assert believable(usd) is None
    write(cache, usd, spot=usd)
    assert load_prices(cache, NOW).refused == 2
    price = book_with_cache(NOW).instance_rate(EAST, "g5.xlarge", "on-demand")
    assert price is not None
    assert (price.usd, price.source) == (1.006, "kp2607")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 99}', '{"version": 1, "spot": {"a": 5}}', "\x00"])
def test_a_broken_cache_is_no_cache(cache: Path, text: str) -> None:
    cache_path(cache).write_text(text)
    assert load_prices(cache, NOW).on_demand == {}
    assert book_with_cache(NOW).instance_rate(EAST, "g5.xlarge", "on-demand") is not None


def test_the_order_is_spot_of_the_zone_then_cache_then_book(cache: Path) -> None:
    write(cache, 1.5, day="2027-01-01")
    book = book_with_cache(NOW)
    listed = book.instance_rate(EAST, "g5.xlarge", "on-demand")
    assert listed is not None
    assert (listed.usd, listed.source, listed.confidence) == (1.5, "price-list", Confidence.LISTED)
    live = book.instance_rate(EAST, "g5.xlarge", "spot", "us-east-1a")
    assert live is not None
    assert (live.usd, live.confidence, live.since) == (0.5, Confidence.LIVE, NOW)
    usual = book.instance_rate(EAST, "g5.xlarge", "spot", "us-east-1b")
    assert usual is not None
    assert usual.confidence is Confidence.TYPICAL
    assert book.instance_rate(EAST, "no.such", "spot", "us-east-1a") is None


def test_an_old_refresh_does_not_overrule_a_newer_book(cache: Path) -> None:
    write(cache, 1.5, day="2020-01-01")
    price = book_with_cache(NOW).instance_rate(EAST, "g5.xlarge", "on-demand")
    assert price is not None
    assert price.usd == 1.006


def test_a_spot_price_ages(cache: Path) -> None:
    write(cache, 1.0, age_h=SPOT_LIVE / timedelta(hours=1) + 1)
    dated = book_with_cache(NOW).instance_rate(EAST, "g5.xlarge", "spot", "us-east-1a")
    assert dated is not None
    assert (dated.confidence, dated.since) == (Confidence.DATED, None)
    write(cache, 1.0, age_h=SPOT_KEPT / timedelta(hours=1) + 1)
    gone = book_with_cache(NOW).instance_rate(EAST, "g5.xlarge", "spot", "us-east-1a")
    assert gone is not None
    assert gone.confidence is Confidence.TYPICAL


def backend() -> AwsBackend:
    return open_backend(DEFAULTS)


def test_a_refresh_asks_by_pages_and_keeps_what_it_found(cloud: DemoCloud, cache: Path) -> None:
    session = backend().session
    now = SystemClock().now()  # the embedded cloud keeps the history of the last days
    done = refresh_region(session, EAST, now)
    assert done.on_demand > 300
    assert done.spot > 300
    assert done.saved
    pages = cloud.calls()["pricing", "GetProducts", EAST]
    assert pages == -(-done.on_demand // 100)
    assert not cloud.paid_calls()
    again = book_with_cache(now).instance_rate(EAST, "g5.xlarge", "on-demand")
    assert again is not None
    assert (again.source, again.as_of) == ("price-list", now.date())


def test_a_refresh_that_is_refused_changes_nothing(cloud: DemoCloud, cache: Path) -> None:
    with cloud.faults.active("denied", service="pricing"), pytest.raises(CloudError):
        refresh_region(backend().session, EAST, SystemClock().now())
    assert not cache_path(cache).exists()


def test_spot_machines_are_priced_by_their_zone_and_the_ledger_knows_since_when(cloud: DemoCloud, cache: Path) -> None:
    asked = backend()
    scout = SpotScout(asked)
    first = [i for page in asked.list_instances(EAST) for i in page]
    scout.hear(PageArrived(1, SourceKey(Source.INSTANCES, EAST), 1, tuple(first)))
    spot: list[Instance] = []
    for _ in range(400):
        now = [i for page in asked.list_instances(EAST) for i in page]
        spot = [i for i in now if i.market == Market.SPOT and i.bills]
        if all(i.rate and i.rate.confidence is Confidence.LIVE for i in spot):
            break
    assert spot
    assert all(i.rate is not None and i.rate.since is not None for i in spot)
    assert cloud.calls()["ec2", "DescribeSpotPriceHistory", EAST] == 1
    scout.hear(PageArrived(1, SourceKey(Source.INSTANCES, EAST), 2, tuple(now)))
    assert cloud.calls()["ec2", "DescribeSpotPriceHistory", EAST] == 1, "once in ten minutes"
    recorder = Recorder(cache / "ledger", FrozenClock(SystemClock().now()))
    feed(recorder, *begin(), *listing(spot, SystemClock().now()))
    records = recorder.ledger.records("123456789012", NOW - timedelta(900), NOW + timedelta(900))
    kept = {(str(r.key.kind), r.interval.source) for r in records}
    # Beside the machines stand the addresses that EC2 lends them, which have a price of the book and no market.
    assert kept == {(str(CostKind.INSTANCE), "spot-history"), (str(CostKind.LENT_ADDRESS), "storage")}


def test_the_cache_that_cannot_be_written_costs_the_cache_only(cloud: DemoCloud, cache: Path) -> None:
    cache_path(cache).mkdir()
    assert not refresh_region(backend().session, EAST, SystemClock().now()).saved


def test_without_a_cache_the_book_is_the_shipped_one(cache: Path) -> None:
    assert book_with_cache(NOW) == PriceBook()
