"""Which price: live spot of the zone, then what an earlier look found, then the dated book, then unknown.

The book ships with the package (`make price-book`). No price is ever scaled from another region; unknown stays unknown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from runctl.models.cost import Confidence, Price
from runctl.models.instance import Hardware, Market

_BOOK = Path(__file__).parents[1] / "data" / "price_book"
#: What gp3 includes (Amazon EBS pricing page).
GP3_FREE_IOPS = 3000
GP3_FREE_THROUGHPUT = 125
#: io2's tiers end here (Amazon EBS pricing page).
_IO2_TIERS = (
    ("ebs.io2-iops-tier1", 0, 32_000),
    ("ebs.io2-iops-tier2", 32_000, 64_000),
    ("ebs.io2-iops-tier3", 64_000, None),
)


#: The region of prices that AWS announced for all commercial regions at once, and where they do not hold.
_EVERYWHERE = "*"
_APART = ("cn-", "us-gov-", "us-iso")


@lru_cache(maxsize=1)
def _shipped() -> dict[str, Any]:
    return dict(json.loads((_BOOK / "book.json").read_text(encoding="utf-8")))


@cache
def _machines(region: str) -> dict[str, Sequence[Any]]:
    """Prices by type; a file of its own for each region, because all of them are ten times what a start needs."""
    if region not in _shipped()["regions"]:  # a region's name comes from outside and is never a path by itself
        return {}
    return dict(json.loads((_BOOK / f"{region}.json").read_text(encoding="utf-8")))


def _believable(usd: float | None) -> float | None:
    """A price from a cache that no machine can have counts as unknown."""
    return usd if usd is not None and 0 <= usd < 10_000 else None


@dataclass
class PriceBook:
    """Prices and hardware of instance types, storage and addresses.

    Args:
        spot: spot prices by (region, zone, type) that AWS was asked for, now or lately.
        cached: prices of an earlier refresh by (region, type, market).
    """

    spot: Mapping[tuple[str, str, str], Price] = field(default_factory=dict)
    cached: Mapping[tuple[str, str, str], Price] = field(default_factory=dict)

    def instance_rate(self, region: str, instance_type: str, market: str, az: str | None = None) -> Price | None:
        """USD per hour of a Linux machine, None when no source knows it."""
        live = self.spot.get((region, az, instance_type)) if market == Market.SPOT and az else None
        listed = _machines(region).get(instance_type)
        for found in (live, self.cached.get((region, instance_type, market))):
            if found is not None and _believable(found.usd) is not None and not _is_older(found, listed, market):
                return found
        if listed is None:
            return None
        usd, source = (listed[2], listed[3]) if market == Market.SPOT else (listed[0], listed[1])
        return None if usd is None else _price(float(usd), "hour", str(source))

    def hardware(self, instance_type: str) -> Hardware | None:
        """What a type is made of, None when the book does not know it."""
        row = _shipped()["hardware"].get(instance_type)
        return None if row is None else Hardware(row[0], row[1], row[2], row[3], row[4], row[5])

    def types(self) -> tuple[str, ...]:
        """Every type the book knows."""
        return tuple(_shipped()["hardware"])

    def regions_of(self, instance_type: str) -> tuple[str, ...]:
        """The regions in which the book has a price for a type."""
        return tuple(r for r in _shipped()["regions"] if instance_type in _machines(r))

    def volume_usd_per_month(
        self,
        region: str,
        volume_type: str,
        size_gib: int | None,
        iops: int | None = None,
        throughput: int | None = None,
    ) -> tuple[float | None, str]:
        """USD per month of a volume with what is provisioned beyond the baseline, and the source.

        One unknown component makes the whole unknown: half a price is a wrong price.
        """
        if size_gib is None:
            return None, ""
        parts = [self._times(region, f"ebs.{volume_type}", size_gib)]
        if volume_type == "gp3":
            parts.append(self._times(region, "ebs.gp3-iops", (iops or GP3_FREE_IOPS) - GP3_FREE_IOPS))
            extra = (throughput or GP3_FREE_THROUGHPUT) - GP3_FREE_THROUGHPUT
            parts.append(self._times(region, "ebs.gp3-throughput", extra))
        elif volume_type == "io1":
            parts.append(None if iops is None else self._times(region, "ebs.io1-iops", iops))
        elif volume_type == "io2":
            parts += [None] if iops is None else [
                self._times(region, item, min(iops, top or iops) - base) for item, base, top in _IO2_TIERS
            ]  # fmt: skip
        elif volume_type == "standard":
            return None, ""  # magnetic volumes also bill each request, which nobody counts
        return (None, "") if None in parts else (sum(p for p in parts if p is not None), "storage")

    def snapshot_usd_per_month(self, region: str, size_gib: int | None, tier: str = "standard") -> float | None:
        """The most a snapshot can bill a month: its volume's full size (blocks shared with others bill once)."""
        return None if size_gib is None else self._times(region, f"ebs-snapshot.{tier}", size_gib)

    def address_usd_per_hour(self, region: str) -> float | None:
        """USD per hour of one public IPv4 address: AWS announced one price for all its commercial regions."""
        own = self._times(region, "network.public-ipv4", 1)
        apart = not region or region.startswith(_APART)
        return own if own is not None or apart else self._times(_EVERYWHERE, "network.public-ipv4", 1)

    def s3_usd_per_month(self, region: str, size_bytes: int) -> float | None:
        """USD per month of so many bytes in S3 Standard, at the price of the first 50 TB; S3 bills units of 2**30."""
        for item in ("s3.standard first 50 TB", "s3.standard"):
            usd = self._times(region, item, size_bytes / 2**30)
            if usd is not None:
                return usd
        return None

    def _times(self, region: str, item: str, amount: float) -> float | None:
        if amount <= 0:
            return 0.0
        usd = _shipped()["storage"].get(region, {}).get(item)
        return None if usd is None else float(usd) * amount


def _is_older(found: Price, listed: Sequence[Any] | None, market: str) -> bool:
    """Whether the book has a newer list price than an old refresh."""
    if market == Market.SPOT or listed is None or listed[0] is None or found.as_of is None:
        return False
    as_of = _shipped()["sources"][listed[1]]["as_of"]
    return bool(as_of) and date.fromisoformat(as_of) > found.as_of


def _price(usd: float, unit: str, source: str) -> Price:
    facts = _shipped()["sources"][source]
    as_of = date.fromisoformat(facts["as_of"]) if facts["as_of"] else None
    return Price(usd, unit, source, Confidence(facts["confidence"]), as_of)


def source_name(code: str) -> str:
    """What a source code stands for, the code itself when it is not of the book."""
    return _ASKED.get(code) or str(_shipped()["sources"].get(code, {}).get("what", code))


_ASKED = {
    "price-list": "AWS Price List, asked by runctl prices refresh",
    "spot-history": "EC2's spot price history of the zone, asked on that day",
}
