"""The answer of `--once`: sums that add up, unknown that stays unknown, and an exit code that says how good it is."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runctl.cli.envelope import condition_sources, envelope, exit_code, section_of, summary_of
from runctl.cli.fleet import Fleet, sources_of
from runctl.cli.listing import Shape
from runctl.cli.registry import SECTIONS
from runctl.cli.schema import once_schema
from runctl.models.instance import InstanceState
from runctl.models.snapshot import Health, Snapshot, Source
from tests.cli.fleets import ALL, EAST, MACHINES, SNAPSHOT, broken, fleet, live, machine, price

ROOT = Path(__file__).parents[2]


def answer(seen: Fleet, nouns: tuple[str, ...] = SECTIONS, shape: Shape | None = None) -> dict[str, Any]:
    shape = shape or Shape()
    document = envelope([section_of(n, seen, shape) for n in nouns], seen, shape, duration_ms=5)
    return dict(json.loads(json.dumps(document, allow_nan=False)))


def code(seen: Fleet, nouns: tuple[str, ...] = SECTIONS, fail_on: tuple[str, ...] = ()) -> int:
    return exit_code([section_of(n, seen, Shape()) for n in nouns], seen, fail_on)


def validate(document: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(once_schema(), format_checker=jsonschema.FormatChecker()).validate(document)


def test_the_shipped_schema_is_the_one_of_the_code_and_is_a_schema() -> None:
    assert json.loads((ROOT / "docs/once.schema.json").read_text()) == once_schema()
    jsonschema.Draft202012Validator.check_schema(once_schema())


@pytest.mark.parametrize(
    "seen",
    [fleet(), broken(Source.VOLUMES, error_class="DeniedError"), broken(*ALL), fleet(Snapshot(), ())],
    ids=["whole", "denied", "nothing", "empty"],
)
def test_every_answer_obeys_the_schema(seen: Fleet) -> None:
    validate(answer(seen))
    validate(answer(seen, ("instances",)))


def test_the_schema_refuses_what_is_not_an_answer() -> None:
    wrong = answer(fleet())
    wrong["sections"]["instances"]["items"][0]["usd_per_hour"] = "?"
    with pytest.raises(jsonschema.ValidationError):
        validate(wrong)
    extra = answer(fleet())
    extra["summary"]["surprise"] = 1
    with pytest.raises(jsonschema.ValidationError):
        validate(extra)


def test_figures_of_the_summary() -> None:
    document = answer(fleet())
    summary = document["summary"]
    rates = [i["usd_per_hour"] for i in document["sections"]["cost"]["items"]]
    assert summary["burn_usd_per_hour"] == math.fsum(r for r in rates if r is not None)
    assert summary["burn_usd_per_hour"] == pytest.approx(1.006 + 0.5 + (8 + 1 + 5) / 730 + 0.005)
    assert summary["burn_unpriced"] == 1
    assert summary["burn_covers"] == ["instance", "volume", "snapshot", "address", "s3"]
    assert (summary["instances_running"], summary["instances_stopped"], summary["jobs_running"]) == (3, 1, 1)
    assert summary["volumes_unattached"] == 1
    assert summary["storage_usd_per_month"] == 14.0
    assert document["identity"] == {
        "account": "123456789012",
        "arn": "arn:aws:iam::123456789012:user/zoe",
        "profile": "lab",
    }
    assert document["generated_at"] == "2026-01-31T12:00:00Z"
    assert document["sections"]["instances"]["as_of"] == "2026-01-31T11:59:59Z"


def test_what_was_not_asked_is_skipped_and_null() -> None:
    only = fleet(
        replace(SNAPSHOT, volumes=(), snapshots=(), addresses=(), buckets=(), status=live(Source.INSTANCES)),
        (Source.INSTANCES,),
    )
    document = answer(only, ("instances",))
    assert document["sections"]["volumes"] == {"status": "skipped", "as_of": None, "complete": False, "items": []}
    assert document["summary"]["volumes_unattached"] is None
    assert document["summary"]["storage_usd_per_month"] is None
    assert document["summary"]["burn_covers"] == ["instance"]
    assert document["summary"]["burn_usd_per_hour"] == pytest.approx(1.506)


def test_not_allowed_is_an_error_with_nothing_in_it_and_the_rest_is_there() -> None:
    seen = broken(Source.VOLUMES, error_class="DeniedError", health=Health.DENIED)
    document = answer(seen)
    assert document["sections"]["volumes"]["status"] == "error"
    assert document["sections"]["instances"]["status"] == "ok"
    assert document["sections"]["cost"]["status"] == "partial"
    assert document["summary"]["volumes_unattached"] is None
    assert "volume" not in document["summary"]["burn_covers"]
    assert document["errors"] == [
        {
            "service": "ec2",
            "operation": "DescribeVolumes",
            "region": EAST,
            "code": "Code",
            "message": "it failed",
            "retryable": False,
        }
    ]


@pytest.mark.parametrize(
    ("seen", "nouns", "fail_on", "expected"),
    [
        (fleet(), SECTIONS, (), 0),
        (broken(Source.VOLUMES), SECTIONS, (), 4),
        (broken(Source.VOLUMES), ("volumes",), (), 2),
        (broken(*ALL), SECTIONS, (), 2),
        (broken(*ALL, error_class="CredentialsError"), SECTIONS, ("partial",), 3),
        (fleet(), SECTIONS, ("idle",), 5),
        (fleet(), SECTIONS, ("unattached",), 5),
        (fleet(), SECTIONS, ("budget", "interrupted", "partial"), 0),
        (broken(Source.VOLUMES), SECTIONS, ("partial",), 5),
        (broken(Source.VOLUMES), SECTIONS, ("unattached",), 4),
        (broken(Source.INSTANCES, Source.ADDRESSES), ("instances",), ("unattached",), 2),
    ],
)
def test_exit_codes(seen: Fleet, nouns: tuple[str, ...], fail_on: tuple[str, ...], expected: int) -> None:
    assert code(seen, nouns, fail_on) == expected


def test_a_spot_machine_taken_away_holds_interrupted_and_an_overspent_job_budget() -> None:
    taken = machine(7, "x", state=InstanceState.TERMINATED, state_reason="Server.SpotInstanceTermination: Spot")
    assert code(fleet(replace(SNAPSHOT, instances=(taken,))), fail_on=("interrupted",)) == 5
    from runctl.models.job import Job

    rich = Job("j", "j", "RUNNING", "running", usd_so_far=9.0, budget_usd=8.0)
    assert code(fleet(replace(SNAPSHOT, jobs=(rich,))), fail_on=("budget",)) == 5
    unknown = replace(rich, budget_usd=None)
    assert code(fleet(replace(SNAPSHOT, jobs=(unknown,))), fail_on=("budget",)) == 0


def test_a_stopped_machine_is_not_idle() -> None:
    parked = replace(MACHINES[3], state=InstanceState.STOPPED)
    assert code(fleet(replace(SNAPSHOT, instances=(parked,))), fail_on=("idle",)) == 0


def test_conditions_ask_for_what_they_need() -> None:
    assert Source.VOLUMES in sources_of(("instances", *condition_sources(("unattached", "partial"))))
    assert sources_of(("instances",)) == (Source.INSTANCES,)
    assert sources_of(("volumes",)) == (Source.INSTANCES, Source.VOLUMES)


def test_what_the_cache_says_is_complete_and_old() -> None:
    old = {k: replace(s, cached=True, health=Health.STALE) for k, s in SNAPSHOT.status.items()}
    seen = fleet(replace(SNAPSHOT, status=old), tuple(Source), cached=True)
    assert code(seen) == 0
    assert answer(seen)["sections"]["volumes"]["status"] == "ok"


def test_a_filter_only_some_sections_know_skips_the_others() -> None:
    document = answer(fleet(), shape=Shape(filter="attached_to:i-*"))
    statuses = {noun: section["status"] for noun, section in document["sections"].items()}
    assert statuses == {"instances": "skipped", "jobs": "skipped", "s3": "skipped", "volumes": "ok", "cost": "skipped"}
    assert [v["id"] for v in document["sections"]["volumes"]["items"]] == ["vol-01"]


@given(st.lists(st.one_of(st.none(), st.floats(0, 500, allow_nan=False)), max_size=40))
def test_rows_add_up_to_the_header_with_the_unknown_counted(rates: list[float | None]) -> None:
    machines = tuple(
        machine(n, f"m{n}", rate=None if rate is None else price(rate)) for n, rate in enumerate(rates, start=10)
    )
    document = answer(fleet(replace(SNAPSHOT, instances=machines)))
    items = document["sections"]["cost"]["items"]
    known = [i["usd_per_hour"] for i in items if i["usd_per_hour"] is not None]
    assert document["summary"]["burn_usd_per_hour"] == math.fsum(known)
    assert document["summary"]["burn_unpriced"] == len(items) - len(known) == rates.count(None)
    assert summary_of(fleet(replace(SNAPSHOT, instances=machines)))["instances_running"] == len(rates)
