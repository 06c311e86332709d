"""What a person writes, in flags or in the wizard's fields, made into one request; every problem by its field."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from runctl.errors import InputError
from runctl.models.instance import Hardware, Market
from runctl.models.launch import LaunchRequest, MarketChoice
from runctl.services.launch.request import check_request, new_request_id, parse_disk, parse_tag, parse_ttl
from runctl.services.prices import PriceBook

T = TypeVar("T")
_OPTION = re.compile(r"--(?P<option>[a-z-]+)")
#: The field that an option's complaint belongs to, where the two have different names.
_FIELD_OF = {"type": "types", "az": "zones", "tag": "tags", "profile-name": "instance_profile"}


@dataclass(frozen=True, slots=True)
class LaunchForm:
    """What was written, as it was written; "" and () mean that nothing was.

    Args:
        region: "us-east-1".
        types, zones, security_groups: names.
        market: which markets may be tried.
        image, disk, ttl, name, project, key, instance_profile, count, subnet, max_price: as their options take them.
        tags: "KEY=VALUE".
        user_data: the script itself.
    """

    region: str = ""
    types: tuple[str, ...] = ()
    market: MarketChoice = MarketChoice.ON_DEMAND
    zones: tuple[str, ...] = ()
    image: str = ""
    disk: str = ""
    ttl: str = ""
    name: str = ""
    project: str = ""
    tags: tuple[str, ...] = ()
    key: str = ""
    instance_profile: str = ""
    count: str = "1"
    subnet: str = ""
    security_groups: tuple[str, ...] = ()
    max_price: str = ""
    user_data: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a form comes to.

    Args:
        request: the request, None while something is wrong.
        problems: what is wrong, by the field's name.
    """

    request: LaunchRequest | None = None
    problems: Mapping[str, InputError] = field(default_factory=dict)


def read_form(form: LaunchForm, known_types: Iterable[str], now: datetime, request_id: str = "") -> Reading:
    """Read a form without asking AWS.

    Args:
        form: what was written.
        known_types: types of the price book, to name the nearest.
        now: the present; a time to live counts from it.
        request_id: names the launch, "" for a new one.
    """
    problems: dict[str, InputError] = {}

    def read(name: str, parse: Callable[[], T], otherwise: T) -> T:
        try:
            return parse()
        except InputError as error:
            problems[name] = error
            return otherwise

    ttl_s = read("ttl", lambda: parse_ttl(form.ttl) if form.ttl else None, None)
    at = now.replace(microsecond=0)
    request = LaunchRequest(
        request_id or new_request_id(),
        form.region,
        tuple(dict.fromkeys(form.types)),
        form.market,
        zones=tuple(dict.fromkeys(form.zones)),
        image=form.image.strip(),
        disk_gib=read("disk", lambda: parse_disk(form.disk) if form.disk else None, None),
        expires_at=None if ttl_s is None else at + timedelta(seconds=ttl_s),
        name=form.name,
        project=form.project,
        tags=read("tags", lambda: dict(map(parse_tag, form.tags)), {}),
        key_name=form.key,
        instance_profile=form.instance_profile.strip(),
        count=read("count", lambda: _parse_count(form.count), 1),
        subnet=form.subnet.strip(),
        security_groups=form.security_groups,
        max_usd_per_hour=read("max_price", lambda: _parse_price(form.max_price), None),
        user_data=form.user_data,
    )
    read("", lambda: check_request(request, known_types, now), None)
    if (more := problems.pop("", None)) is not None:
        problems.setdefault(_field_of(more), more)
    return Reading(None if problems else request, problems)


def required(form: LaunchForm, known_types: Iterable[str], now: datetime) -> LaunchRequest:
    """The request that a form makes, where nobody can be asked to mend it.

    Raises:
        InputError: the first thing wrong with it.
    """
    reading = read_form(form, known_types, now)
    if reading.request is None:
        raise next(iter(reading.problems.values()))
    return reading.request


def _field_of(error: InputError) -> str:
    """The field that a complaint is about, by the option that its sentence begins with."""
    match = _OPTION.match(error.message)
    option = match["option"] if match else ""
    return _FIELD_OF.get(option, option.replace("-", "_"))


def plain(error: InputError) -> str:
    """A complaint as a field shows it: without the option in front, with what is allowed behind."""
    said = _OPTION.sub("", error.message, count=1).strip(": ")
    return f"{said} (allowed: {error.allowed})" if error.allowed else said


def _parse_count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise InputError(f"--count {text}: not a number of machines", allowed="1 to 100", example="--count 2")
    return int(text)


def _parse_price(text: str) -> float | None:
    if not text:
        return None
    try:
        return float(text.removeprefix("$"))
    except ValueError:
        raise InputError(
            f"--max-price {text}: not a price", allowed="USD an hour of one machine", example="--max-price 1.20"
        ) from None


@dataclass(frozen=True, slots=True)
class TypeChoice:
    """A type to choose from: what it is made of, and the book's prices (USD an hour, None when unknown)."""

    name: str
    hardware: Hardware
    on_demand: float | None
    spot: float | None


def type_choices(book: PriceBook, region: str, text: str, limit: int = 50) -> tuple[TypeChoice, ...]:
    """The types whose name, or whose accelerator's, holds a text, the cheapest first; unknown prices last."""
    wanted = text.strip().lower()
    found = []
    for name in book.types():
        hardware = book.hardware(name) or Hardware()
        if wanted in name or wanted in (hardware.gpu_model or "").lower():
            rates = [book.instance_rate(region, name, m) for m in (Market.ON_DEMAND, Market.SPOT)]
            found.append(TypeChoice(name, hardware, *(None if r is None else r.usd for r in rates)))
    found.sort(key=lambda c: (c.on_demand is None, c.on_demand or 0.0, c.name))
    return tuple(found[:limit])
