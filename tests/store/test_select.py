"""Costs, sums, sorting and panel states, as properties over random fleets."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runctl.errors import CallSite
from runctl.models.cost import Confidence, Price
from runctl.models.instance import BILLING_STATES, Instance, InstanceState, Market
from runctl.models.snapshot import ErrorRecord, Health, Snapshot, Source, SourceKey, SourceStatus
from runctl.models.tags import parse_ownership
from runctl.models.volume import Attachment, Volume, VolumeSnapshot
from runctl.store.costs import burn, cost_items, is_waste, waste
from runctl.store.fields import COST_FIELDS, INSTANCE_FIELDS, VOLUME_FIELDS, Context
from runctl.store.select import jobs, panel_status, sort_items, summary

NOW = datetime(2026, 1, 2, tzinfo=UTC)

instances = st.builds(
    lambda n, state, usd, market: Instance(
        id=f"i-{n}",
        region="us-east-1",
        name="",
        type="g5.xlarge",
        state=state,
        market=market,
        az="us-east-1a",
        launched_at=NOW - timedelta(hours=n % 99),
        rate=None if usd is None else Price(usd, "hour", "x", Confidence.LISTED),
    ),
    st.integers(0, 10**6),
    st.sampled_from([*InstanceState, InstanceState("resting")]),
    st.none() | st.floats(0, 200),
    st.sampled_from(Market),
)
volumes = st.builds(
    lambda n, usd: Volume(
        id=f"vol-{n}", region="us-east-1", name="", size_gib=8, type="gp3", state="available", az="us-east-1a",
        created_at=NOW, usd_per_month=usd,
    ),
    st.integers(0, 10**6),
    st.none() | st.floats(0, 5000),
)  # fmt: skip
fleets = st.builds(
    lambda i, v: Snapshot(instances=tuple(i), volumes=tuple(v), regions=("us-east-1",)),
    st.lists(instances, max_size=30, unique_by=lambda i: i.id),
    st.lists(volumes, max_size=20, unique_by=lambda v: v.id),
)


@given(fleets)
def test_an_address_lent_to_a_running_machine_bills_once_addresses_are_asked_for(snapshot: Snapshot) -> None:
    lent = tuple(replace(i, public_ip="192.0.2.1", has_lent_address=True, lent_address_usd_per_hour=0.005)
                 for i in snapshot.instances)  # fmt: skip
    machines = replace(snapshot, instances=lent)
    before = summary(Context(NOW, machines)).burn_usd_per_hour
    asked = {SourceKey(Source.ADDRESSES, "us-east-1"): SourceStatus(Health.LIVE, NOW)}
    context = Context(NOW, replace(machines, status=asked))
    items = [i for i in cost_items(context) if i.kind == "address"]
    running = [i for i in lent if i.may_bill]
    assert before == summary(Context(NOW, snapshot)).burn_usd_per_hour
    assert {i.id.partition("/")[0] for i in items} == {i.id for i in running}
    assert summary(context).burn_usd_per_hour == pytest.approx(before + 0.005 * len(running))


@settings(max_examples=150)
@given(fleets)
def test_the_header_is_the_sum_of_the_rows_and_of_the_json(snapshot: Snapshot) -> None:
    context = Context(NOW, snapshot)
    items = cost_items(context)
    shown = summary(context)
    rows = [COST_FIELDS.by_name["usd_per_hour"].get(i, context) for i in items]
    in_json = [COST_FIELDS.to_json(i, context)["usd_per_hour"] for i in items]
    priced = [r for r in rows if r is not None]
    machines = [INSTANCE_FIELDS.to_json(i, context)["usd_per_hour"] for i in snapshot.instances]
    disks = [VOLUME_FIELDS.to_json(v, context)["usd_per_month"] for v in snapshot.volumes]
    assert rows == in_json
    assert shown.burn_usd_per_hour == math.fsum(priced)
    assert shown.burn_unpriced == rows.count(None) == machines.count(None) + disks.count(None)
    whole = math.fsum([m for m in machines if m is not None] + [d / 730 for d in disks if d is not None])
    assert shown.burn_usd_per_hour == pytest.approx(whole)


@given(fleets)
def test_only_what_bills_is_in_the_burn(snapshot: Snapshot) -> None:
    billing = {i.id for i in snapshot.instances if i.state in BILLING_STATES or i.state == "resting"}
    assert {i.id for i in cost_items(Context(NOW, snapshot)) if i.kind == "instance"} == billing


@given(fleets, st.booleans())
def test_unknown_sorts_last_in_both_directions(snapshot: Snapshot, descending: bool) -> None:
    context = Context(NOW, snapshot)
    ordered = sort_items(snapshot.instances, INSTANCE_FIELDS, "usd_per_hour", context, descending=descending)
    values = [i.usd_per_hour for i in ordered]
    known = [v for v in values if v is not None]
    assert values == sorted(known, reverse=descending) + [None] * (len(values) - len(known))


@pytest.mark.parametrize(
    ("refused", "listed", "said"),
    [
        ([], ["us-east-1", "eu-west-1"], ()),
        (["us-east-1", "eu-west-1"], [], ("volumes",)),
        (["eu-west-1"], ["us-east-1"], ("some volumes",)),
    ],
)
def test_a_burn_says_what_was_never_listed(refused: list[str], listed: list[str], said: tuple[str, ...]) -> None:
    denied = replace(_status(Health.DENIED, 0, "UnauthorizedOperation"), as_of=None)
    status = {SourceKey(Source.VOLUMES, r): denied for r in refused}
    status |= {SourceKey(Source.VOLUMES, r): _status(Health.LIVE, 4) for r in listed}
    shown = summary(Context(NOW, Snapshot(regions=("us-east-1", "eu-west-1"), status=status)))
    assert (shown.burn_without, shown.burn_waits) == (said, True)  # machines and the rest have not answered yet


def test_a_burn_waits_until_everything_that_bills_was_listed_once() -> None:
    sources = (Source.INSTANCES, Source.VOLUMES, Source.SNAPSHOTS, Source.ADDRESSES)
    status = {SourceKey(s, "us-east-1"): _status(Health.LIVE, 4) for s in sources}
    assert not summary(Context(NOW, Snapshot(regions=("us-east-1",), status=status))).burn_waits


def test_a_job_with_a_telling_name_is_not_waste_for_that() -> None:
    machine = Instance(
        id="i-1", region="us-east-1", name="", type="g5.xlarge", state=InstanceState.RUNNING, market=Market.SPOT,
        az="us-east-1a", launched_at=NOW, ownership=parse_ownership({"runctl:job": "expired-tokens"}),
    )  # fmt: skip
    context = Context(NOW, Snapshot(instances=(machine,)))
    assert waste(context)[0] == ()


def test_a_burn_without_rows_is_zero_and_knows_everything() -> None:
    assert burn(()) == burn(cost_items(Context(NOW, Snapshot())))


def test_jobs_are_known_from_tags_until_their_record_is_read() -> None:
    machine = Instance(
        id="i-1", region="us-east-1", name="", type="g5.xlarge", state=InstanceState.RUNNING, market=Market.SPOT,
        az="us-east-1a", launched_at=NOW, ownership=parse_ownership({"runctl:job": "llama"}),
        tags={"runctl:attempt": "2"},
    )  # fmt: skip
    snapshot = Snapshot(instances=(machine,))
    (job,) = jobs(snapshot, Context(NOW, snapshot))
    assert (job.id, job.state, job.attempt, job.instance_id) == ("llama", "RUNNING", 2, "i-1")
    assert (job.step, job.usd_so_far) == (None, None)


def test_a_disk_on_a_stopped_machine_is_waste_and_on_an_unseen_one_unknown() -> None:
    stopped = Instance(
        id="i-1", region="us-east-1", name="box", type="g5.xlarge", state=InstanceState.STOPPED, market=Market.SPOT,
        az="us-east-1a", launched_at=NOW,
    )  # fmt: skip

    def disk(machine: str) -> Volume:
        attached = (Attachment(machine, "/dev/sda1", "attached"),)
        return Volume("vol-1", "us-east-1", "", 8, "gp3", "in-use", "us-east-1a", NOW, attachments=attached)

    context = Context(NOW, Snapshot(instances=(stopped,)))
    assert is_waste(disk("i-1"), context)
    assert not is_waste(disk("i-2"), context)


def _status(health: Health, age_s: float, code: str = "") -> SourceStatus:
    site = CallSite("ec2", "DescribeVolumes", "us-east-1", code)
    error = ErrorRecord(NOW, site.service, site.operation, site.region, code, "no") if code else None
    return SourceStatus(health, NOW - timedelta(seconds=age_s), complete=not code, error=error)


@pytest.mark.parametrize(
    ("status", "health", "words"),
    [
        (_status(Health.LIVE, 4), Health.LIVE, "live 4s"),
        (_status(Health.LIVE, 40), Health.STALE, "stale 40s"),
        (
            _status(Health.DENIED, 4, "UnauthorizedOperation"),
            Health.DENIED,
            "not allowed: ec2:DescribeVolumes in us-east-1",
        ),
        (_status(Health.ERROR, 4, "Throttling"), Health.ERROR, "Throttling: ec2:DescribeVolumes in us-east-1"),
    ],
)
def test_a_panel_says_how_far_it_can_be_trusted(status: SourceStatus, health: Health, words: str) -> None:
    key = SourceKey(Source.VOLUMES, "us-east-1")
    panel = panel_status(Context(NOW, Snapshot(regions=("us-east-1",), status={key: status})), Source.VOLUMES)
    assert panel.health is health
    assert words in panel.text


def test_a_region_that_has_not_answered_is_named() -> None:
    key = SourceKey(Source.VOLUMES, "us-east-1")
    snapshot = Snapshot(regions=("us-east-1", "eu-west-1"), status={key: _status(Health.LIVE, 4)})
    panel = panel_status(Context(NOW, snapshot), Source.VOLUMES)
    assert (panel.health, panel.complete) == (Health.PARTIAL, False)
    assert "waiting for eu-west-1" in panel.text


def test_a_source_is_stale_by_its_own_pace() -> None:
    key = SourceKey(Source.VOLUMES, "us-east-1")
    slow = SourceStatus(Health.LIVE, NOW - timedelta(seconds=40), complete=True, next_try=NOW + timedelta(seconds=20))
    snapshot = Snapshot(regions=("us-east-1",), status={key: slow})
    assert panel_status(Context(NOW, snapshot), Source.VOLUMES).health is Health.LIVE
    later = Context(NOW + timedelta(seconds=150), snapshot)
    assert panel_status(later, Source.VOLUMES).health is Health.STALE


def test_a_disk_is_called_deleted_only_where_all_disks_were_listed() -> None:
    copy = VolumeSnapshot("snap-1", "us-east-1", "", "vol-9", 8, "completed", "100%", NOW)
    key = SourceKey(Source.VOLUMES, "us-east-1")
    reasons = []
    for status in ({}, {key: _status(Health.DENIED, 4, "UnauthorizedOperation")}, {key: _status(Health.LIVE, 4)}):
        context = Context(NOW, Snapshot(snapshots=(copy,), status=status))
        (item,) = cost_items(context)
        reasons.append(item.reason)
        assert not is_waste(item, context)  # a copy of a deleted disk may be the only one
    assert reasons == ["snapshot of vol-9", "snapshot of vol-9", "snapshot of deleted volume vol-9"]
