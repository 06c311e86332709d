"""What somebody asks for: texts made values, and everything doubted that can be doubted without asking AWS."""

from __future__ import annotations

import difflib
import hashlib
import re
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from runctl.errors import InputError
from runctl.format import format_duration, parse_duration
from runctl.models.instance import Market
from runctl.models.launch import LaunchRequest
from runctl.models.tags import ATTEMPT, JOB, MANAGED, OWNER, PROJECT, TTL

#: Shorter, the machine would be gone before anybody could use it; longer is no limit at all.
SHORTEST_TTL_S, LONGEST_TTL_S = 300.0, 366 * 86400.0
#: EC2 API reference, "CreateVolume": a gp3 volume is at most 64 TiB.
LARGEST_DISK_GIB = 65_536
#: One launch asks for at most so many machines; the brake on all our machines comes on top.
MOST_AT_ONCE = 100
#: EC2 User Guide, "Tag restrictions": 50 tags, keys to 128 and values to 256 characters.
_MOST_TAGS, _LONGEST_KEY, _LONGEST_VALUE = 50, 128, 256
_TYPE = re.compile(r"[a-z][a-z0-9-]*\.[a-z0-9-]+")
_ZONE = re.compile(r"(?P<region>[a-z]{2,4}(?:-[a-z]+)+-\d+)(?:-[a-z0-9]+-\d+)?[a-z]")
_AMI = re.compile(r"ami-(?:[0-9a-f]{8}|[0-9a-f]{17})")
_SUBNET = re.compile(r"subnet-(?:[0-9a-f]{8}|[0-9a-f]{17})")
_GROUP = re.compile(r"sg-(?:[0-9a-f]{8}|[0-9a-f]{17})")
_SIZE = re.compile(r"(\d+)\s*(?:(g|gi|gib|gb)|(t|ti|tib|tb))?")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def new_request_id() -> str:
    """An id that nobody has used."""
    return f"launch-{uuid.uuid4().hex}"


def token_of(request: LaunchRequest, instance_type: str, zone: str, market: Market) -> str:
    """The client token of one try: the same triple of the same request always has the same, 64 characters."""
    told = "\n".join((request.id, request.region, instance_type, zone, market))
    return hashlib.sha256(told.encode()).hexdigest()


def parse_ttl(text: str) -> float:
    """Seconds of "8h", "45m" or "2d"; a number without its unit is refused, since nobody means seconds.

    Raises:
        InputError: not a duration, too short, or too long.
    """
    allowed = f"{format_duration(SHORTEST_TTL_S)} to {format_duration(LONGEST_TTL_S)}, with its unit"
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise InputError(f"--ttl {text}: not a duration", allowed=allowed, example="--ttl 8h") from error
    if text.strip().replace(".", "", 1).isdecimal():
        raise InputError(f"--ttl {text}: {text} what?", allowed=allowed, example=f"--ttl {text.strip()}h")
    if not SHORTEST_TTL_S <= seconds <= LONGEST_TTL_S:
        what = "too short" if seconds < SHORTEST_TTL_S else "too long"
        raise InputError(f"--ttl {text}: {what}", allowed=allowed, example="--ttl 8h")
    return seconds


def parse_disk(text: str) -> int:
    """GiB of "100", "100GiB" or "1TiB".

    Raises:
        InputError: not a size, or none that a disk can have.
    """
    match = _SIZE.fullmatch(text.strip().lower())
    size = int(match[1]) * (1024 if match[3] else 1) if match else 0
    if not 1 <= size <= LARGEST_DISK_GIB:
        raise InputError(
            f"--disk {text}: not a size that a disk can have", allowed="1 GiB to 64 TiB", example="--disk 100"
        )
    return size


def parse_tag(text: str) -> tuple[str, str]:
    """(key, value) of "K=V".

    Raises:
        InputError: no "=" in it, or no key before it.
    """
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise InputError(f"--tag {text}: not a tag", allowed="KEY=VALUE", example="--tag team=vision")
    return key.strip(), value.strip()


def check_request(request: LaunchRequest, known_types: Iterable[str], now: datetime) -> None:
    """Doubt a request before AWS is asked.

    Args:
        request: what was asked for.
        known_types: types of the price book, only to name the nearest: AWS has more.
        now: the present.

    Raises:
        InputError: the first thing wrong with it.
    """
    if not _ID.fullmatch(request.id):
        raise InputError(f"{request.id!r} cannot name a launch", allowed="letters, digits, '.', '_', '-', at most 100")
    _check_types(request, tuple(known_types))
    _check_zones(request)
    _check_numbers(request, now)
    _check_names(request)
    check_tags(request.tags, room=_MOST_TAGS - 8)
    _check_user_data(request.user_data)


def _check_types(request: LaunchRequest, known: tuple[str, ...]) -> None:
    if not request.types:
        raise InputError("--type: none is named", allowed="--type TYPE[,TYPE]", example="--type g5.xlarge,g6.xlarge")
    for name in request.types:
        if not _TYPE.fullmatch(name):
            raise unknown_type(name, known)


def unknown_type(name: str, known: Iterable[str]) -> InputError:
    """The error for a type that does not exist, with the nearest that do."""
    near = difflib.get_close_matches(name.lower(), list(known), n=3, cutoff=0.6)
    return InputError(
        f"--type {name}: there is no such instance type" + (f"; did you mean {near[0]}?" if near else ""),
        allowed=", ".join(near) or "as AWS writes them",
        example=f"--type {near[0] if near else 'g5.xlarge'}",
    )


def _check_zones(request: LaunchRequest) -> None:
    for zone in request.zones:
        match = _ZONE.fullmatch(zone)
        if match is None:
            raise InputError(
                f"--az {zone}: not an availability zone", allowed=f"zones of {request.region}",
                example=f"--az {request.region}a",
            )  # fmt: skip
        if match["region"] != request.region:
            raise InputError(
                f"--az {zone}: a zone of {match['region']}, and the launch is in {request.region}",
                allowed=f"zones of {request.region}, or --region {match['region']}", example=f"--az {request.region}a",
            )  # fmt: skip


def _check_numbers(request: LaunchRequest, now: datetime) -> None:
    if not 1 <= request.count <= MOST_AT_ONCE:
        raise InputError(f"--count {request.count}: not a number of machines", allowed=f"1 to {MOST_AT_ONCE}",
                         example="--count 1")  # fmt: skip
    if request.disk_gib is not None and not 1 <= request.disk_gib <= LARGEST_DISK_GIB:
        raise InputError(f"--disk {request.disk_gib}: not a size that a disk can have", allowed="1 GiB to 64 TiB",
                         example="--disk 100")  # fmt: skip
    cap = request.max_usd_per_hour
    if cap is not None and not 0.001 < cap < 10_000:  # EC2 API reference, "SpotMarketOptions": more than $0.001
        raise InputError(f"--max-price {cap:g}: not a price", allowed="USD an hour of one machine, more than 0.001",
                         example="--max-price 1.20")  # fmt: skip
    if request.expires_at is not None:
        rest = request.expires_at - now
        if not timedelta(seconds=SHORTEST_TTL_S - 60) <= rest <= timedelta(seconds=LONGEST_TTL_S):
            raise InputError(f"--ttl: it would end itself at {request.expires_at.isoformat()}",
                             allowed="5 minutes to 366 days from now", example="--ttl 8h")  # fmt: skip


def _check_names(request: LaunchRequest) -> None:
    checks = (
        ("--image", request.image, _AMI.fullmatch(request.image) or request.image.startswith("/"),
         "ami-… or the path of a Systems Manager parameter", "--image ami-0123456789abcdef0"),
        ("--subnet", request.subnet, _SUBNET.fullmatch(request.subnet), "subnet-…",
         "--subnet subnet-0123456789abcdef0"),
        *(("--security-group", g, _GROUP.fullmatch(g), "sg-…", "--security-group sg-0123456789abcdef0")
          for g in request.security_groups),
    )  # fmt: skip
    for option, value, good, allowed, example in checks:
        if value and not good:
            raise InputError(f"{option} {value}: not an id", allowed=allowed, example=example)
    for option, value in (("--name", request.name), ("--project", request.project), ("--key", request.key_name)):
        if len(value) > _LONGEST_VALUE or not (value == "" or value.isprintable()):
            raise InputError(
                f"{option}: longer than {_LONGEST_VALUE} characters or not printable", allowed="one line of text"
            )


def check_tags(tags: Mapping[str, str], *, room: int = _MOST_TAGS) -> None:
    """Doubt tags that a user gives.

    Raises:
        InputError: a reserved key, a key or value that EC2 would refuse, or too many.
    """
    example = "--tag team=vision"
    if len(tags) > room:
        raise InputError(f"--tag: {len(tags)} are too many", allowed=f"{room} beside runctl's own", example=example)
    for key, value in tags.items():
        if key.lower().startswith(("aws:", "runctl:")):
            raise InputError(
                f"--tag {key}: the prefix {key.partition(':')[0]}: is reserved",
                allowed="any other key (--project and --ttl set runctl's own)", example=example,
            )  # fmt: skip
        if key == "Name":
            raise InputError("--tag Name: the name has an option of its own", allowed="--name", example="--name run-7")
        if not 1 <= len(key) <= _LONGEST_KEY or len(value) > _LONGEST_VALUE or not (key + value).isprintable():
            raise InputError(
                f"--tag {key[:40]}: too long or not printable",
                allowed=f"keys to {_LONGEST_KEY} and values to {_LONGEST_VALUE} characters on one line",
                example=example,
            )  # fmt: skip


def _check_user_data(script: str) -> None:
    if script and not script.startswith("#!"):
        raise InputError(
            "--user-data: no script, it does not begin with #!", allowed="a script of any language",
            example="#!/bin/sh",
        )  # fmt: skip


def tags_of(request: LaunchRequest, owner: str) -> dict[str, str]:
    """Every tag of the machine, its disk, its network interface and its spot request."""
    own = {
        "Name": request.name,
        MANAGED: "1",
        OWNER: owner,
        PROJECT: request.project,
        JOB: request.job,
        ATTEMPT: "" if request.attempt is None else str(request.attempt),
        TTL: "" if request.expires_at is None else request.expires_at.isoformat(timespec="seconds"),
    }
    return {**request.tags, **{k: v for k, v in own.items() if v}}
