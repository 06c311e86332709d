"""The tables of fields are the contract of the JSON items."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from runctl.models.instance import Instance, InstanceState, Market
from runctl.store.fields import (
    BUCKET_FIELDS,
    COST_FIELDS,
    INSTANCE_FIELDS,
    JOB_FIELDS,
    VOLUME_FIELDS,
    Context,
    Fields,
    json_value,
)

NOW = datetime(2026, 1, 2, tzinfo=UTC)
TABLES: tuple[Fields[Any], ...] = (INSTANCE_FIELDS, VOLUME_FIELDS, BUCKET_FIELDS, JOB_FIELDS, COST_FIELDS)
CONTRACT = {
    "instances": "id name type state market region az launched_at uptime_s usd_per_hour usd_since_launch price_source "
    "vcpus memory_gib gpu_model gpu_count private_ip public_ip owner project job managed protected activity tags",
    "volumes": "id name type size_gib iops throughput state region az attached_to attached_state created_at "
    "usd_per_month owner managed protected waste tags",
    "s3": "bucket region created_at objects bytes usd_per_month",
    "jobs": "id name state resource_state last_seen provider instance_id attempt step total_steps metrics eta_s "
    "usd_so_far usd_to_finish budget_usd checkpoint_age_s exit_code reason knowledge at_risk_s steps_per_s "
    "submitted_at",
    "cost": "kind id name region usd_per_hour usd_per_month since reason owner project",
}


@pytest.mark.parametrize("fields", TABLES, ids=lambda f: f.noun)
def test_json_items_have_the_names_and_the_order_that_were_promised(fields: Fields[Any]) -> None:
    assert [f.name for f in fields.columns if f.in_json] == CONTRACT[fields.noun].split()


@pytest.mark.parametrize("fields", TABLES, ids=lambda f: f.noun)
def test_no_name_means_two_fields(fields: Fields[Any]) -> None:
    names = [n for f in fields.columns for n in (f.name, *f.aliases)]
    assert len(names) == len(set(names))


def test_what_is_unknown_of_a_machine_is_null_and_never_zero() -> None:
    machine = Instance(
        id="i-1", region="us-east-1", name="", type="z9.huge", state=InstanceState.RUNNING, market=Market.ON_DEMAND,
        az="us-east-1a", launched_at=NOW,
    )  # fmt: skip
    item = INSTANCE_FIELDS.to_json(machine, Context(NOW))
    for name in ("usd_per_hour", "usd_since_launch", "price_source", "vcpus", "memory_gib", "gpu_count", "owner"):
        assert item[name] is None
    assert item["launched_at"] == "2026-01-02T00:00:00Z"
    assert item["activity"] == {"state": "unknown", "evidence": None}


def test_times_inside_values_are_utc() -> None:
    assert json_value({"at": NOW}) == {"at": "2026-01-02T00:00:00Z"}
