"""Prices that AWS was asked for, on disk with their dates.

What no price can be is refused one by one; a broken file is no cache.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from runctl.models.cost import Confidence, Price
from runctl.paths import make_private

VERSION = 1
#: A spot price of a zone older than this says less than the usual one.
SPOT_KEPT = timedelta(days=2)
#: Up to this age a spot price that was asked for counts as the price of now: AWS changes them a few times a day.
SPOT_LIVE = timedelta(hours=1)
#: No machine costs more an hour (the dearest list price of 2026 is below 120 USD).
ABSURD_USD = 2000.0


@dataclass
class PriceCache:
    """Prices by (region, type) on demand and by (region, zone, type) on spot; `asked` is when the latter was."""

    on_demand: dict[tuple[str, str], Price] = field(default_factory=dict)
    spot: dict[tuple[str, str, str], Price] = field(default_factory=dict)
    asked: dict[tuple[str, str, str], datetime] = field(default_factory=dict)
    refused: int = 0


def believable(usd: object) -> float | None:
    """A price that a machine can have; None for text, nothing, negative, infinite or absurd."""
    if isinstance(usd, bool) or not isinstance(usd, int | float | str):
        return None
    try:
        value = float(usd)
    except ValueError:
        return None
    return value if math.isfinite(value) and 0 < value <= ABSURD_USD else None


def cache_path(directory: Path) -> Path:
    """The file in the cache directory."""
    return directory / "prices.json"


def load_prices(directory: Path, now: datetime) -> PriceCache:
    """What an earlier refresh found; empty when there is none that can be read."""
    try:
        document = json.loads(cache_path(directory).read_text(encoding="utf-8"))
        return _read(document, now) if document.get("version") == VERSION else PriceCache()
    except (OSError, ValueError, AttributeError, TypeError):
        return PriceCache()


def _read(document: Mapping[str, Any], now: datetime) -> PriceCache:
    found = PriceCache()
    for region, types in document.get("on_demand", {}).items():
        for kind, (usd, day) in types.items():
            if (price := believable(usd)) is None:
                found.refused += 1
            else:
                found.on_demand[region, kind] = on_demand_price(price, date.fromisoformat(day))
    for region, zones in document.get("spot", {}).items():
        for zone, types in zones.items():
            for kind, (usd, since, asked) in types.items():
                at = datetime.fromisoformat(asked)
                if (price := believable(usd)) is None:
                    found.refused += 1
                elif now - at <= SPOT_KEPT:
                    found.spot[region, zone, kind] = spot_price(price, datetime.fromisoformat(since), at, now)
                    found.asked[region, zone, kind] = at
    return found


def on_demand_price(usd: float, day: date) -> Price:
    """A list price as AWS answered it."""
    return Price(usd, "hour", "price-list", Confidence.LISTED, day)


def spot_price(usd: float, since: datetime, asked: datetime, now: datetime) -> Price:
    """A spot price as AWS answered it; live for an hour, dated afterwards."""
    sure = Confidence.LIVE if now - asked <= SPOT_LIVE else Confidence.DATED
    # Since when it holds is only known as long as it is the newest.
    return Price(usd, "hour", "spot-history", sure, asked.date(), since if sure is Confidence.LIVE else None)


def save_prices(directory: Path, cache: PriceCache) -> bool:
    """Write the cache; False when it cannot be written, which costs the cache and nothing else."""
    on_demand: dict[str, dict[str, list[Any]]] = {}
    for (region, kind), price in sorted(cache.on_demand.items()):
        if price.as_of is not None:
            on_demand.setdefault(region, {})[kind] = [price.usd, price.as_of.isoformat()]
    spot: dict[str, dict[str, dict[str, list[Any]]]] = {}
    for (region, zone, kind), price in sorted(cache.spot.items()):
        asked = cache.asked[region, zone, kind].isoformat()
        since = price.since.isoformat() if price.since is not None else asked
        spot.setdefault(region, {}).setdefault(zone, {})[kind] = [price.usd, since, asked]
    document = {"version": VERSION, "on_demand": on_demand, "spot": spot}
    import tempfile  # it loads half of the standard library, and reading prices does not need it

    try:
        make_private(directory)
        descriptor, name = tempfile.mkstemp(dir=directory)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(json.dumps(document, separators=(",", ":")))
            os.replace(name, cache_path(directory))
        except OSError:
            os.unlink(name)
            raise
    except OSError:
        return False
    return True
