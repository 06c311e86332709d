"""What a person writes: each problem by its field, all of them at once, and none when there is none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runctl.errors import InputError
from runctl.models.launch import MarketChoice
from runctl.services.launch.form import LaunchForm, plain, read_form, required, type_choices
from runctl.services.prices import PriceBook

NOW = datetime(2026, 1, 31, 12, 0, 0, 500, tzinfo=UTC)
TYPES = PriceBook().types()
GOOD = LaunchForm(region="us-east-1", types=("g5.xlarge", "g6.xlarge", "g5.xlarge"), ttl="8h", tags=("team=v",))


def test_a_good_form_is_a_request() -> None:
    form = replace(GOOD, disk="1TiB", count="2", max_price="$1.50", market=MarketChoice.SPOT, image=" ami-01234567 ")
    reading = read_form(form, TYPES, NOW, "job-7.1")
    assert reading.problems == {}
    request = reading.request
    assert request is not None
    assert (request.id, request.types, request.tags) == ("job-7.1", ("g5.xlarge", "g6.xlarge"), {"team": "v"})
    assert (request.disk_gib, request.count, request.max_usd_per_hour) == (1024, 2, 1.5)
    assert request.expires_at == NOW.replace(microsecond=0) + timedelta(hours=8)
    assert request.image == "ami-01234567"


def test_every_problem_is_told_at_once_by_its_field() -> None:
    form = LaunchForm("us-east-1", ("g5_xlarge",), disk="big", ttl="8", count="0x", max_price="cheap", tags=("x",))
    reading = read_form(form, TYPES, NOW)
    assert reading.request is None
    assert set(reading.problems) == {"types", "disk", "ttl", "count", "max_price", "tags"}
    with pytest.raises(InputError):
        required(form, TYPES, NOW)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"types": ()}, "types"),
        ({"types": ("g5_xlarge",)}, "types"),
        ({"zones": ("eu-west-1a",)}, "zones"),
        ({"image": "ubuntu"}, "image"),
        ({"disk": "0"}, "disk"),
        ({"ttl": "10s"}, "ttl"),
        ({"name": "a\nb"}, "name"),
        ({"tags": ("aws:x=1",)}, "tags"),
        ({"count": "101"}, "count"),
        ({"subnet": "vpc-1"}, "subnet"),
        ({"security_groups": ("default",)}, "security_group"),
        ({"max_price": "0"}, "max_price"),
        ({"user_data": "hello"}, "user_data"),
    ],
)
def test_each_field_has_its_problem(change: dict[str, Any], name: str) -> None:
    problems = read_form(replace(GOOD, **change), TYPES, NOW).problems
    assert list(problems) == [name]
    told = plain(problems[name])
    assert not told.startswith("--")
    assert "allowed: " in told


def test_types_are_found_by_name_and_by_accelerator() -> None:
    book = PriceBook()
    by_gpu = type_choices(book, "us-east-1", "h100")
    assert by_gpu
    assert all(c.hardware.gpu_model == "H100" for c in by_gpu)
    g5 = type_choices(book, "us-east-1", "G5.")
    assert g5[0].name == "g5.xlarge"
    assert [c.on_demand for c in g5] == sorted(c.on_demand or 0.0 for c in g5)
    assert type_choices(book, "nowhere", "g5.xlarge")[0].on_demand is None
    assert type_choices(book, "us-east-1", "no such") == ()
    assert len(type_choices(book, "us-east-1", "", limit=7)) == 7
