"""What is asked for: every bad value named before AWS is asked, tokens that tell every try apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runctl.errors import InputError
from runctl.models.instance import Market
from runctl.models.launch import LaunchRequest
from runctl.services.launch.request import (
    check_request,
    new_request_id,
    parse_disk,
    parse_tag,
    parse_ttl,
    tags_of,
    token_of,
)
from runctl.services.prices import PriceBook

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
GOOD = LaunchRequest("launch-1", "us-east-1", ("g5.xlarge",))


def refused(change: dict[str, Any]) -> str:
    with pytest.raises(InputError) as caught:
        check_request(replace(GOOD, **change), PriceBook().types(), NOW)
    assert caught.value.exit_code == 1
    return f"{caught.value} | {caught.value.hint}"


def test_a_plain_request_passes() -> None:
    check_request(GOOD, (), NOW)
    full = replace(
        GOOD, zones=("us-east-1a", "us-east-1-bos-1a"), image="ami-0123456789abcdef0", disk_gib=65_536, count=100,
        expires_at=NOW + timedelta(hours=8), tags={"team": "vision"}, user_data="#!/bin/sh\n", subnet="subnet-01234567",
        max_usd_per_hour=1.5, security_groups=("sg-01234567",),
    )  # fmt: skip
    check_request(full, (), NOW)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"types": ()}, "--type"),
        ({"types": ("g5_xlarge",)}, "did you mean g5.xlarge?"),
        ({"types": ("G5.xlarge",)}, "did you mean g5.xlarge?"),
        ({"zones": ("us-east-1",)}, "not an availability zone"),
        ({"zones": ("eu-west-1a",)}, "--region eu-west-1"),
        ({"count": 0}, "--count 0"),
        ({"count": 101}, "1 to 100"),
        ({"disk_gib": 0}, "--disk 0"),
        ({"image": "ubuntu"}, "ami-0123456789abcdef0"),
        ({"subnet": "vpc-1"}, "--subnet"),
        ({"security_groups": ("default",)}, "--security-group"),
        ({"max_usd_per_hour": 0.0}, "--max-price"),
        ({"tags": {"aws:x": "1"}}, "reserved"),
        ({"tags": {"AWS:x": "1"}}, "reserved"),
        ({"tags": {"runctl:owner": "me"}}, "reserved"),
        ({"tags": {"Name": "x"}}, "--name"),
        ({"tags": {"k": "v" * 257}}, "too long"),
        ({"tags": {"k": "a\nb"}}, "printable"),
        ({"tags": {f"k{i}": "" for i in range(51)}}, "too many"),
        ({"name": "a\x1bb"}, "--name"),
        ({"user_data": "echo hello"}, "#!"),
        ({"expires_at": NOW}, "5 minutes"),
        ({"id": ""}, "cannot name a launch"),
    ],
)  # fmt: skip
def test_every_bad_value_says_what_is_allowed(change: dict[str, Any], said: str) -> None:
    told = refused(change)
    assert said in told
    assert "allowed: " in told


@pytest.mark.parametrize(("text", "seconds"), [("8h", 28800), ("45m", 2700), ("1d12h", 129600), ("5m", 300)])
def test_times_to_live(text: str, seconds: float) -> None:
    assert parse_ttl(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "8", "0.5", "-3h", "10s", "0h", "9999d", "8hours", "nan"])
def test_bad_times_to_live(text: str) -> None:
    with pytest.raises(InputError, match="--ttl"):
        parse_ttl(text)


@pytest.mark.parametrize(("text", "gib"), [("100", 100), ("100GiB", 100), ("1TiB", 1024), ("64t", 65536)])
def test_disk_sizes(text: str, gib: int) -> None:
    assert parse_disk(text) == gib


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "big", "65TiB", "100 MB"])
def test_bad_disk_sizes(text: str) -> None:
    with pytest.raises(InputError, match="--disk"):
        parse_disk(text)


def test_tags_of_the_command_line() -> None:
    assert parse_tag("team=vision=x") == ("team", "vision=x")
    for text in ("team", "=x", " =x"):
        with pytest.raises(InputError, match="--tag"):
            parse_tag(text)


def test_tokens_tell_every_try_apart_and_repeat() -> None:
    tries = {
        token_of(request, kind, zone, market)
        for request in (GOOD, replace(GOOD, id="launch-2"), replace(GOOD, region="eu-west-1"))
        for kind in ("g5.xlarge", "g6.xlarge")
        for zone in ("us-east-1a", "us-east-1b")
        for market in (Market.SPOT, Market.ON_DEMAND)
    }
    assert len(tries) == 3 * 2 * 2 * 2
    assert all(len(t) == 64 and t.isascii() for t in tries)
    again = token_of(replace(GOOD, name="other"), "g5.xlarge", "us-east-1a", Market.SPOT)
    assert again == token_of(GOOD, "g5.xlarge", "us-east-1a", Market.SPOT)
    assert new_request_id() != new_request_id()


def test_tags_say_whose_and_until_when() -> None:
    request = replace(GOOD, name="n", project="p", job="j", attempt=2, tags={"a": "b"}, expires_at=NOW)
    assert tags_of(request, "zoe") == {
        "a": "b", "Name": "n", "runctl:managed": "1", "runctl:owner": "zoe", "runctl:project": "p", "runctl:job": "j",
        "runctl:attempt": "2", "runctl:ttl": "2026-01-31T12:00:00+00:00",
    }  # fmt: skip
    assert tags_of(GOOD, "zoe") == {"runctl:managed": "1", "runctl:owner": "zoe"}
