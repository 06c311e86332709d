"""Offers and results as rows, sums and sentences: the command line prints them and the wizard draws them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from runctl.format import format_duration, format_usd
from runctl.models.instance import Market
from runctl.models.launch import AttemptClass, Candidate, LaunchRequest, LaunchResult, Offer
from runctl.services.launch.images import disk_size
from runctl.services.launch.quotas import console_url

NOWHERE = "no place is left to try: each has refused within the last 10 minutes, or is left out"


@dataclass(frozen=True, slots=True)
class OfferRow:
    """One candidate as it is shown; money of all machines asked for, None when unknown.

    Args:
        candidate: the place.
        machine_usd_per_hour: the machines alone.
        usd_per_hour: with their disks and addresses.
        usd_per_day: the same over 24 hours.
        usd_total: the same until they end themselves; None also when they never do.
        price_source: where the price is from, "" when there is none.
        vcpus_left: what the quota leaves now, None when unknown.
        vcpus_needed: what this takes, None when unknown.
        ends: whether it ends itself at all.
    """

    candidate: Candidate
    machine_usd_per_hour: float | None
    usd_per_hour: float | None
    usd_per_day: float | None
    usd_total: float | None
    price_source: str
    vcpus_left: float | None
    vcpus_needed: int | None
    ends: bool

    @property
    def tight(self) -> bool:
        """Whether the quota is known to leave too little."""
        return None not in (self.vcpus_left, self.vcpus_needed) and (self.vcpus_left or 0) < (self.vcpus_needed or 0)


def offer_rows(offer: Offer, now: datetime) -> tuple[OfferRow, ...]:
    """Every candidate in the order in which it is tried, those left out at their place."""
    return tuple(_row(c, offer.request, now) for c in offer.candidates)


def _row(candidate: Candidate, request: LaunchRequest, now: datetime) -> OfferRow:
    count, hours = request.count, hours_left(request, now)
    hourly = candidate.usd_per_hour
    each = candidate.hardware.vcpus
    return OfferRow(
        candidate,
        None if candidate.price is None else candidate.price.usd * count,
        None if hourly is None else hourly * count,
        None if hourly is None else hourly * count * 24,
        None if hourly is None or hours is None else hourly * count * hours,
        candidate.price.source if candidate.price else "",
        candidate.quota.left if candidate.quota else None,
        None if each is None else each * count,
        hours is not None,
    )


def hours_left(request: LaunchRequest, now: datetime) -> float | None:
    """Hours until it ends itself, None when it never does."""
    if request.expires_at is None:
        return None
    return max(0.0, (request.expires_at - now).total_seconds() / 3600)


@dataclass(frozen=True, slots=True)
class Totals:
    """What all of it costs: from the first place that is tried to the dearest; None when a price is unknown.

    Args:
        first: USD an hour of the first candidate.
        dearest: USD an hour of the dearest.
        unpriced: candidates without a price.
    """

    first: float | None
    dearest: float | None
    unpriced: int


def totals(rows: tuple[OfferRow, ...]) -> Totals:
    """The span of the candidates that will be tried."""
    hourly = [r.usd_per_hour for r in rows if not r.candidate.excluded]
    known = [usd for usd in hourly if usd is not None]
    return Totals(hourly[0] if hourly else None, max(known, default=None), len(hourly) - len(known))


def summary_lines(offer: Offer, now: datetime) -> Iterator[str]:
    """What would be launched and what it costs, in a few sentences."""
    request = offer.request
    what = f"{request.count} × {' or '.join(request.types)}, {request.market}, in {request.region}"
    yield what + (f", as {request.name}" if request.name else "")
    images = {c.image.id: c.image for c in offer.candidates if c.image}
    for image in images.values():
        login = f", log in as {image.user}" if image.user else ""
        size = disk_size(image, request.disk_gib)
        yield f"image {image.id} {image.name} ({image.architecture or '?'}), disk {size} GiB{login}"
    total, hours = totals(offer_rows(offer, now)), hours_left(request, now)
    if offer.open_candidates:
        yield _money(total, hours)
    if request.expires_at is not None:
        rest = format_duration(round((hours or 0) * 60) * 60)
        yield f"it ends itself at {request.expires_at:%Y-%m-%d %H:%M} UTC ({rest} from now)"


def _money(total: Totals, hours: float | None) -> str:
    if total.dearest is None:
        said = "its price is unknown"
    else:
        rates = {format_usd(total.first, 4), format_usd(total.dearest, 4)}
        spread = " to $".join(sorted(rates, key=lambda r: float(r.replace(",", "")) if r != "?" else -1.0))
        said = f"${spread}/h with disk and address, ${format_usd(total.dearest * 24)} a day at most"
        if hours is not None:
            said += f", ${format_usd(total.dearest * hours)} at most until it ends itself"
    return said + (f" (+{total.unpriced} unpriced)" if total.unpriced and total.dearest is not None else "")


def outcome_line(result: LaunchResult) -> str:
    """What came of it, in one sentence."""
    if result.launched:
        ids = ", ".join(result.instances)
        place = result.candidate
        where = f" in {place.zone or result.request.region}, {place.type} {place.market}" if place else ""
        return f"{'found again' if result.adopted else 'launched'}: {ids}{where}"
    if result.refusals:
        return "not launched: " + "; ".join(f"{r.reason} [{r.rule}]" for r in result.refusals)
    if result.pending:
        return "not launched: an earlier try of the same request may still bring a machine; try again in 10 minutes"
    if not result.attempts:
        return "not launched: " + NOWHERE
    return f"not launched: {len(result.attempts)} {'places' if len(result.attempts) != 1 else 'place'} refused it"


def advice(result: LaunchResult) -> tuple[str, ...]:
    """What to do about a launch that failed, one sentence for each kind of refusal."""
    request, said = result.request, []
    for came_to in dict.fromkeys(a.came_to for a in result.attempts):
        held = [a for a in result.attempts if a.came_to is came_to]
        line = _ADVICE.get(came_to, "")
        if came_to is AttemptClass.CAPACITY and request.market.markets == (Market.SPOT,):
            line += ", or allow --spot-or-on-demand"
        if came_to is AttemptClass.QUOTA:
            codes = dict.fromkeys(a.candidate.quota.code for a in held if a.candidate.quota)
            urls = ", ".join(console_url(request.region, code) for code in codes)
            line += f" (in Service Quotas: {urls})" if urls else ""
        said += [line] if line else []
    return tuple(said)


_ADVICE = {
    AttemptClass.CAPACITY: "capacity: AWS has none there now; wait, or name more types or zones; what was refused is "
    "left alone for 10 minutes",
    AttemptClass.NOT_OFFERED: "not offered: name another type or zone",
    AttemptClass.PRICE: "price: the cap is below the market; raise --max-price, or leave it out",
    AttemptClass.QUOTA: "quota: it is this account's limit and not AWS's capacity; ask for more, or end something",
    AttemptClass.DENIED: "denied: these credentials may not do it; ask for ec2:RunInstances, ec2:CreateTags and, with "
    "--profile-name, iam:PassRole",
    AttemptClass.CREDENTIALS: "credentials: log in again, then launch anew",
    AttemptClass.REQUEST: "bad request: mend what the message names; nothing was launched and nothing is tried again",
    AttemptClass.THROTTLED: "throttled: EC2 was asked too often; wait a minute",
    AttemptClass.UNKNOWN: "unknown: no answer came, and there may be a machine; runctl looks for it before its next "
    "change and says what it found",
}
