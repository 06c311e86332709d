"""Where it could run, in which order, at what price. Pure; what is unknown leaves no place out, but for a cap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from runctl.errors import InputError
from runctl.models.cost import HOURS_PER_MONTH, Price
from runctl.models.instance import Hardware, Instance, Market
from runctl.models.launch import Candidate, Image, LaunchRequest, Quota
from runctl.services.launch.images import disk_size, unfit
from runctl.services.prices import PriceBook

_QUARANTINED = "no capacity a moment ago"


@dataclass(frozen=True, slots=True)
class Subnet:
    """Where a machine of a zone is put; `public` says whether it gets a public address (which bills)."""

    id: str
    public: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """What AWS said; None means that it could not be read.

    Args:
        hardware: what each type is made of.
        spotless: types that spot does not sell.
        zones: the zones that offer each type.
        subnets: the subnet of each zone: the named one, or the defaults.
        spot: the spot price of (type, zone) now.
        image_of: the image that each type would start from.
        quotas: by (type, market).
        machines: every machine of the region, ours or not.
        running: our machines that run now, wherever they were counted.
        quarantined: until when (type, zone, market) is left alone.
        warnings: what could not be read, and what a person should hear.
    """

    hardware: Mapping[str, Hardware] = field(default_factory=dict)
    spotless: frozenset[str] = frozenset()
    zones: Mapping[str, tuple[str, ...]] | None = None
    subnets: Mapping[str, Subnet] | None = None
    spot: Mapping[tuple[str, str], Price] = field(default_factory=dict)
    image_of: Mapping[str, Image] = field(default_factory=dict)
    quotas: Mapping[tuple[str, Market], Quota] = field(default_factory=dict)
    machines: tuple[Instance, ...] | None = None
    running: int | None = None
    quarantined: Mapping[tuple[str, str, Market], datetime] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def candidates_of(request: LaunchRequest, facts: Facts, book: PriceBook) -> tuple[Candidate, ...]:
    """Every place, in the order in which it is tried: markets, then types as they were written, then zones by price.

    Raises:
        InputError: the disk is smaller than an image needs, or a zone was named that offers none of the types.
    """
    check_zones(request, facts)
    builder = _Builder(request, facts, book)
    found: list[Candidate] = []
    for market in request.market.markets:
        for kind in request.types:
            places = [builder.candidate(kind, zone, market) for zone in _zones(request, facts, kind)]
            places.sort(key=lambda c: (bool(c.excluded), c.price is None, c.price.usd if c.price else 0.0, c.zone))
            found += places
    return tuple(found)


def check_zones(request: LaunchRequest, facts: Facts) -> None:
    """Doubt zones that nobody offers any of the types in.

    Raises:
        InputError: one was named.
    """
    if facts.zones is None:
        return
    offered = sorted({z for kind in request.types for z in facts.zones.get(kind, ())})
    for zone in request.zones:
        if zone not in offered:
            raise InputError(
                f"--az {zone}: {' or '.join(request.types)} is not offered there",
                allowed=", ".join(offered) or f"no zone of {request.region} offers it",
                example=f"--az {offered[0]}" if offered else "",
            )


def _zones(request: LaunchRequest, facts: Facts, kind: str) -> tuple[str, ...]:
    """Zones to list for a type; ("",), where EC2 chooses, when nobody knows any."""
    if request.zones:
        return request.zones
    if facts.subnets is not None and request.subnet:
        return tuple(facts.subnets)
    offered = facts.zones.get(kind, ()) if facts.zones is not None else ("",)
    return offered or ("",)


@dataclass(frozen=True, slots=True)
class _Builder:
    """Makes the candidates of one request."""

    request: LaunchRequest
    facts: Facts
    book: PriceBook

    def candidate(self, kind: str, zone: str, market: Market) -> Candidate:
        """One place, priced, with the first reason not to try it."""
        facts, image = self.facts, self.facts.image_of.get(kind)
        made = Candidate(
            kind,
            zone,
            market,
            price=self._price(kind, zone, market),
            extra_usd_per_hour=self._extra(disk_size(image, self.request.disk_gib), (facts.subnets or {}).get(zone)),
            hardware=facts.hardware.get(kind) or self.book.hardware(kind) or Hardware(),
            image=image,
            quota=facts.quotas.get((kind, market)),
            subnet=self.request.subnet,
        )
        return replace(made, excluded=next((why for why in self._objections(made) if why), ""))

    def _price(self, kind: str, zone: str, market: Market) -> Price | None:
        """The live spot price of the zone, else the book's."""
        live = self.facts.spot.get((kind, zone)) if market is Market.SPOT else None
        return live or self.book.instance_rate(self.request.region, kind, market)

    def _extra(self, disk_gib: int, subnet: Subnet | None) -> float | None:
        """USD an hour of the disk, and of the public address unless the subnet gives none."""
        region = self.request.region
        month, _ = self.book.volume_usd_per_month(region, "gp3", disk_gib)
        address = 0.0 if subnet is not None and not subnet.public else self.book.address_usd_per_hour(region)
        return None if month is None or address is None else month / HOURS_PER_MONTH + address

    def _objections(self, made: Candidate) -> Iterator[str]:
        """Why it is not tried, "" for each reason that does not hold."""
        yield self._not_offered(made)
        if made.image is None:
            yield "no image for it is known; name one with --image"
        else:
            yield unfit(made.image, made.type, made.hardware)
        cap, price = self.request.max_usd_per_hour, made.price
        if cap is not None and price is not None and price.usd > cap:
            yield f"${price.usd:.4f}/h is above the cap of ${cap:g}"
        if cap is not None and price is None and made.market is not Market.SPOT:  # to spot, EC2 itself holds the cap
            yield f"its price is unknown, and may be above the cap of ${cap:g}"
        until = self.facts.quarantined.get((made.type, made.zone, made.market))
        if until is not None:
            yield f"{_QUARANTINED}; tried again from {until:%H:%M} UTC"

    def _not_offered(self, made: Candidate) -> str:
        facts, zone = self.facts, made.zone
        offered = None if facts.zones is None else facts.zones.get(made.type, ())
        if offered is not None and zone not in offered:
            return f"not offered in {zone or self.request.region}"
        if made.market is Market.SPOT and made.type in facts.spotless:
            return "not sold on spot"
        if facts.subnets is not None and zone and zone not in facts.subnets:
            return "no default subnet in this zone; name one with --subnet"
        return ""


def nothing_left(request: LaunchRequest, candidates: tuple[Candidate, ...]) -> InputError | None:
    """The error when a request leaves no candidate at all for a reason that the user can change, else None.

    Quarantine is not one: it ends by itself, and the grid says when.
    """
    if any(not c.excluded or c.excluded.startswith(_QUARANTINED) for c in candidates):
        return None
    reasons = list(dict.fromkeys(f"{c.type} {c.market}: {c.excluded}" for c in candidates))
    prices = sorted(c.price.usd for c in candidates if c.price is not None and "above the cap" in c.excluded)
    said = "; ".join(reasons[:4]) + (f"; and {len(reasons) - 4} more" if len(reasons) > 4 else "")
    if prices:
        return InputError(
            f"--max-price {request.max_usd_per_hour:g}: below the market everywhere ({said})",
            allowed=f"${prices[0]:.4f} or more, or no cap at all: spot is billed at the market price, never at the cap",
            example=f"--max-price {prices[0] * 1.2:.2f}",
        )
    return InputError(f"there is nowhere to launch it: {said}", allowed="another type, zone, market, image or region")
