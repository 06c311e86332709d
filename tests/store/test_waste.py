"""Waste: what has been wasted, what is only possible, and what is no waste at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from runctl.models.s3 import Upload
from runctl.models.snapshot import Health, Snapshot, Source, SourceKey, SourceStatus
from runctl.models.tags import parse_ownership
from runctl.models.volume import Address, Attachment, Volume, VolumeSnapshot
from runctl.store.costs import is_waste
from runctl.store.fields import Context
from runctl.store.waste import Waste, find_waste, group_waste, total_waste
from tests.screens.fleet import NOW, REGION, busy, idle, machine, price

DAY = timedelta(days=1)


def disk(name: str, *, month: float | None = 73.0, state: str = "available", on: str = "", days: float = 10) -> Volume:
    held = (Attachment(on, "/dev/sdf", "attached"),) if on else ()
    return Volume(
        f"vol-{name}", REGION, name, 100, "gp3", state, "us-east-1a", NOW - days * DAY, attachments=held,
        usd_per_month=month, ownership=parse_ownership({"owner": "ana"}),
    )  # fmt: skip


def context(**parts: object) -> Context:
    status = {SourceKey(Source.VOLUMES, REGION): SourceStatus(Health.LIVE, NOW, complete=True)}
    return Context(NOW, Snapshot(status=status, **parts))  # type: ignore[arg-type]  # fields by name


def only(found: tuple[Waste, ...]) -> Waste:
    (one,) = found
    return one


def test_idle_hours_times_price() -> None:
    found = only(find_waste(context(instances=(machine(1, "a", up_h=9, rate=price(2.0), activity=idle(3)),))))
    assert (found.rule, found.since) == ("idle", NOW - timedelta(hours=3))
    assert found.wasted_usd == pytest.approx(6.0)
    assert found.usd_per_month == pytest.approx(1460.0)
    assert found.reason == "idle 3h00: GPU 0 %, 61 W, no GPU process"


def test_unknown_and_busy_are_no_waste() -> None:
    assert find_waste(context(instances=(machine(1, "a"), machine(2, "b", activity=busy(80))))) == ()


def test_a_machine_past_its_time_wastes_since_then() -> None:
    ended = {"runctl:ttl": (NOW - timedelta(hours=2)).isoformat()}
    found = only(find_waste(context(instances=(machine(1, "a", rate=price(3.0), tags=ended),))))
    assert found.rule == "expired"
    assert found.wasted_usd == pytest.approx(6.0)


def test_a_disk_of_a_stopped_machine_wastes_since_it_stopped() -> None:
    box = replace(machine(1, "box", state="stopped"), stopped_at=NOW - 2 * DAY)
    found = only(find_waste(context(instances=(box,), volumes=(disk("d", state="in-use", on=box.id),))))
    assert found.reason == "on box, stopped for 2d00h"
    assert found.wasted_usd == pytest.approx(73 / 730 * 48)
    unsaid = replace(box, stopped_at=None)
    again = only(find_waste(context(instances=(unsaid,), volumes=(disk("d", state="in-use", on=box.id),))))
    assert again.wasted_usd is None
    assert again.most_usd == pytest.approx(73 / 730 * 240)


def test_since_when_a_disk_lies_about_is_unknown_but_not_how_much_at_most() -> None:
    found = only(find_waste(context(volumes=(disk("d"),))))
    assert (found.rule, found.wasted_usd) == ("unattached", None)
    assert found.most_usd == pytest.approx(73 / 730 * 240)
    assert only(find_waste(context(volumes=(disk("d", month=None),)))).most_usd is None


@pytest.mark.parametrize("state", ["creating", "deleting", "error", "in-use", ""])
def test_a_disk_on_its_way_or_on_a_machine_nobody_lists_is_no_waste(state: str) -> None:
    on = "i-elsewhere" if state == "in-use" else ""
    assert find_waste(context(volumes=(disk("d", state=state, on=on),))) == ()


def test_old_snapshots_count_only_where_all_disks_are_listed() -> None:
    old = VolumeSnapshot("snap-1", REGION, "s", "vol-gone", 100, "completed", "100%", NOW - 40 * DAY, usd_per_month=5.0)
    young = replace(old, id="snap-2", created_at=NOW - 3 * DAY)
    foreign = replace(old, id="snap-3", region="eu-west-1")
    assert only(find_waste(context(snapshots=(old, young, foreign)))).id == "snap-1"
    alive = replace(disk("gone"), id="vol-gone", state="in-use")
    assert find_waste(context(snapshots=(old,), volumes=(alive,))) == ()


def test_addresses_and_uploads() -> None:
    free = Address("eipalloc-1", REGION, "203.0.113.1", usd_per_hour=0.005)
    used = replace(free, id="eipalloc-2", instance_id="i-1")
    upload = Upload("bucket", "key", "id", REGION, NOW - 9 * DAY)
    found = find_waste(context(addresses=(free, used)), [upload, replace(upload, started_at=NOW)])
    assert [(w.rule, w.usd_per_month) for w in found] == [
        ("unassociated", pytest.approx(3.65)),
        ("unfinished-upload", None),
    ]


def test_sums_say_what_they_do_not_know_and_groups_add_up() -> None:
    parts = context(
        instances=(machine(1, "a", rate=price(2.0), activity=idle(3)), machine(2, "b", rate=None, activity=idle(1))),
        volumes=(disk("d"), disk("e", month=None)),
    )
    found = find_waste(parts)
    total = total_waste(found)
    assert (total.items, total.wasted_unknown, total.unpriced) == (4, 3, 2)
    assert total.wasted_usd == pytest.approx(6.0)
    for by in ("owner", "project", "rule", "kind", "region"):
        groups = group_waste(found, by).values()
        assert sum(g.items for g in groups) == total.items
        assert sum(g.usd_per_month for g in groups) == pytest.approx(total.usd_per_month)
        assert sum(g.wasted_unknown for g in groups) == total.wasted_unknown


def test_what_the_screen_marks_as_waste_is_what_is_summed() -> None:
    box = replace(machine(1, "box", state="stopped"), stopped_at=NOW - 2 * DAY)
    parts = context(
        instances=(box, machine(2, "a", activity=idle(3)), machine(3, "b")),
        volumes=(disk("d"), disk("e", state="in-use", on=box.id), disk("f", state="in-use", on=machine(3, "b").id)),
    )
    marked = {i.id for i in parts.snapshot.instances if is_waste(i, parts)}
    marked |= {v.id for v in parts.snapshot.volumes if is_waste(v, parts)}
    assert marked == {w.id for w in find_waste(parts)}
