"""The filter language: what it accepts, what it means, and that nothing else than InputError ever leaves it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runctl.errors import InputError
from runctl.models.cost import Confidence, Price
from runctl.models.instance import Activity, Hardware, Instance, InstanceState, Market
from runctl.models.tags import parse_ownership
from runctl.store.fields import INSTANCE_FIELDS, Context
from runctl.store.filter import MAX_LENGTH, parse_filter

NOW = datetime(2026, 1, 2, tzinfo=UTC)
CONTEXT = Context(NOW)


def machine(name: str, kind: str, usd: float | None, hours: float, tags: dict[str, str]) -> Instance:
    return Instance(
        id=f"i-{name}",
        region="us-east-1",
        name=name,
        type=kind,
        state=InstanceState.RUNNING,
        market=Market.SPOT,
        az="us-east-1a",
        launched_at=NOW - timedelta(hours=hours),
        rate=None if usd is None else Price(usd, "hour", "kp2607", Confidence.LISTED),
        hardware=Hardware(
            memory_gib=1152 if kind.startswith("p4") else 16 if kind.startswith("g") else None,
            gpu_count=8 if kind.startswith("p") else 0,
        ),
        ownership=parse_ownership(tags),
        tags=tags,
    )


def test_use_compares_where_it_is_known_and_never_where_it_is_not() -> None:
    at = {"hard": 93.0, "lazy": 4.0, "silent": None}
    fleet = [
        replace(machine(n, "g5.xlarge", 1, 1, {}), activity=Activity(gpu_percent=p, cpu_percent=p))
        for n, p in at.items()
    ]

    def found(text: str) -> list[str]:
        parsed = parse_filter(text, INSTANCE_FIELDS)
        return [i.name for i in fleet if parsed.matches(i, CONTEXT)]

    for name in ("cpu", "cpu_util", "cpu_percent", "gpu_util", "gpu_percent"):
        assert found(f"{name}>50") == ["hard"]
        assert found(f"{name}<50%") == ["lazy"]
        assert found(f"!{name}>50") == ["lazy"]
        assert found(f"{name}=?") == ["silent"]


FLEET = (
    machine("llama", "p4d.24xlarge", 21.96, 76, {"owner": "ana", "team": "vision", "runctl:managed": "1"}),
    machine("eval box", "g5.xlarge", 0.41, 26, {"owner": "ben"}),
    machine("mystery", "p5e.48xlarge", None, 1, {}),
)


def names(text: str) -> list[str]:
    found = parse_filter(text, INSTANCE_FIELDS)
    return [i.name for i in FLEET if found.matches(i, CONTEXT)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["llama", "eval box", "mystery"]),
        ("LLAMA", ["llama"]),
        ("type:g5*", ["eval box"]),
        ("state:running owner:ana", ["llama"]),
        ("cost>1.5", ["llama"]),
        ("!cost>1.5", ["eval box"]),
        ("cost<=0.41", ["eval box"]),
        ("age>24h", ["llama", "eval box"]),
        ("gpu>0", ["llama", "mystery"]),
        ("tag:team", ["llama"]),
        ("tag:team=vis*", ["llama"]),
        ("!tag:team", ["eval box", "mystery"]),
        ("re:^eval", ["eval box"]),
        ('"eval box"', ["eval box"]),
        ("name:llama|name:mystery", ["llama", "mystery"]),
        ("g5 | p5e", ["eval box", "mystery"]),
        ("p4d owner:ben | mystery", ["mystery"]),
        ("activity:unknown llama", ["llama"]),
        ("zone:us-east-1a", ["llama", "eval box", "mystery"]),
        ("UNKNOWN", ["llama", "eval box", "mystery"]),
        ("us-east-1a", ["llama", "eval box", "mystery"]),
        ("owner:ana|owner:ben", ["llama", "eval box"]),
        ("!owner:ana", ["eval box", "mystery"]),
        ("owner=ana", ["llama"]),
        ("owner!=ana", ["eval box"]),
        ("owner=?", ["mystery"]),
        ("cost=?", ["mystery"]),
        ("!cost=?", ["llama", "eval box"]),
        ("cost!=?", ["llama", "eval box"]),
        ("cost:*", ["llama", "eval box"]),
        ("!!cost>1.5", ["llama"]),
        ("cost:0.41", ["eval box"]),
        ("cost>$1,000", []),
        ("cost<1k", ["llama", "eval box"]),
        ("memory>=1TB", ["llama"]),
        ("memory>=1152GiB", ["llama"]),
        ("memory<100", ["eval box"]),
        ("uptime<1d2h30m", ["eval box", "mystery"]),
        ("launched_at<2026-01-01", ["llama", "eval box"]),
        ("launched_at:2025-12-31*", ["eval box"]),
        ("launched_at>=2026-01-01T23:00", ["mystery"]),
        ("managed:yes", ["llama"]),
        ("!managed=true", ["eval box", "mystery"]),
        ('"state:running"', []),
        ('"eval b"', ["eval box"]),
        ("type:G5.XLARGE", ["eval box"]),
        ("type:g5", []),
        ("type:[gp]?*.xlarge", ["eval box"]),
        ('re:"^(eval|mys)"', ["eval box", "mystery"]),
    ],
)
def test_a_filter_means_what_the_manual_says(text: str, expected: list[str]) -> None:
    assert names(text) == expected


def test_an_unknown_price_satisfies_neither_a_comparison_nor_its_opposite() -> None:
    assert "mystery" not in names("cost>1") + names("!cost>1")


@pytest.mark.parametrize(
    "text",
    [
        "bogus:1",
        "cost>cheap",
        "age>soon",
        "re:(",
        "re:(a+)+$",
        "| a",
        "a |",
        "!",
        'name:"x',
        "tag:=x",
        "cost>",
        "type:",
        "cost>1GiB",
        "memory>1h",
        "age>1e9999",
        "gpu>",
        "managed:maybe",
        "managed>yes",
        "name>m",
        "tags:team",
        "tags>1",
        "launched_at>yesterday",
        "cost>-1",
        "x" * 501,
    ],
)
def test_a_wrong_filter_says_where_and_gives_an_example(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_filter(text, INSTANCE_FIELDS)
    assert "filter" in caught.value.message
    assert caught.value.example


@given(st.text(max_size=MAX_LENGTH + 5))
def test_whatever_is_typed_is_a_filter_or_an_input_error(text: str) -> None:
    try:
        found = parse_filter(text, INSTANCE_FIELDS)
    except InputError:
        return
    assert all(isinstance(found.matches(i, CONTEXT), bool) for i in FLEET)


@given(st.text(alphabet='abc:*!|"<>=re 1tag', max_size=40))
def test_text_near_the_grammar_never_breaks_the_parser(text: str) -> None:
    test_whatever_is_typed_is_a_filter_or_an_input_error.hypothesis.inner_test(text)  # type: ignore[attr-defined]  # hypothesis adds it
