"""Refreshing prices: ask, believe what can be believed, keep it on disk with its date, hand it to the book in use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from runctl import paths
from runctl.models.instance import Market
from runctl.services.price_cache import PriceCache, load_prices, on_demand_price, save_prices, spot_price
from runctl.services.prices import PriceBook

if TYPE_CHECKING:  # whoever only reads the cache does not load the library behind it
    from runctl.services.aws.session import AwsSession


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What one region's refresh brought; `changed` prices differ from what was known before."""

    region: str
    on_demand: int
    spot: int
    changed: int
    saved: bool


def book_with_cache(now: datetime) -> PriceBook:
    """The shipped book under what earlier refreshes found."""
    return _book_of(load_prices(paths.cache_dir(), now))


def _book_of(cache: PriceCache) -> PriceBook:
    cached = {(region, kind, str(Market.ON_DEMAND)): price for (region, kind), price in cache.on_demand.items()}
    return PriceBook(spot=cache.spot, cached=cached)


def learn_spot(session: AwsSession, book: PriceBook, region: str, types: tuple[str, ...], now: datetime) -> int:
    """Ask for the spot prices of some types, give them to the book and to the cache; how many there are.

    Raises:
        CloudError: what AWS said.
    """
    from runctl.services.aws.pricing import spot_prices

    found = spot_prices(session, region, types, now)
    cache = load_prices(paths.cache_dir(), now)
    for (zone, kind), (usd, since) in found.items():
        cache.spot[region, zone, kind] = spot_price(usd, since, now, now)
        cache.asked[region, zone, kind] = now
    # One assignment: listings in other threads see the old prices or the new ones, never half of them.
    book.spot = {**book.spot, **{k: p for k, p in cache.spot.items() if k[0] == region}}
    save_prices(paths.cache_dir(), cache)
    return len(found)


def refresh_region(session: AwsSession, region: str, now: datetime) -> Refreshed:
    """Ask for every list price and every spot price of a region.

    Raises:
        CloudError: what AWS said.
    """
    from runctl.services.aws.pricing import list_prices

    before = book_with_cache(now)
    listed = dict(list_prices(session, region))
    spot = learn_spot(session, before, region, (), now)
    cache = load_prices(paths.cache_dir(), now)
    changed = 0
    for kind, usd in listed.items():
        known = before.instance_rate(region, kind, Market.ON_DEMAND)
        changed += known is not None and abs(known.usd - usd) > 1e-9
        cache.on_demand[region, kind] = on_demand_price(usd, now.date())
    return Refreshed(region, len(listed), spot, changed, save_prices(paths.cache_dir(), cache))
