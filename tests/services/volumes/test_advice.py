"""Advice about disks: facts and equal speed for less, each with its saving from the price book."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runctl.models.instance import InstanceState
from runctl.models.volume import Volume
from runctl.services.prices import PriceBook
from runctl.services.volumes.advice import Advice, Use, advise, recommended
from runctl.services.volumes.limits import Shape, check_shape
from tests.services.acting import NOW, disk, machine

BOOK = PriceBook()


def priced(volume: Volume) -> float:
    usd, _ = BOOK.volume_usd_per_month(volume.region, volume.type, volume.size_gib, volume.iops, volume.throughput)
    assert usd is not None
    return usd


def only(found: tuple[Advice, ...]) -> Advice:
    (one,) = found
    return one


def test_a_free_disk_is_named_with_its_age_and_all_it_costs() -> None:
    told = only(advise(disk(created_at=NOW - timedelta(days=41)), None, BOOK, NOW))
    assert (told.rule, told.saves_usd_per_month) == ("unattached", 8.0)
    assert told.reason == "attached to nothing, and 41d old"
    assert "runctl volumes snapshot" in told.action


def test_a_disk_of_today_may_be_about_to_be_attached() -> None:
    assert advise(disk(created_at=NOW - timedelta(hours=3)), None, BOOK, NOW) == ()


def test_a_disk_on_a_stopped_machine_bills_all_the_same() -> None:
    stopped = machine(1, state=InstanceState.STOPPED)
    assert only(advise(disk(on=stopped.id), stopped, BOOK, NOW)).rule == "stopped-machine"
    assert advise(disk(on=stopped.id), None, BOOK, NOW) == ()  # a machine nobody sees is not a stopped one


def test_gp2_becomes_gp3_at_the_books_difference() -> None:
    told = only(advise(disk(on="i-1", type="gp2", iops=300, throughput=None, usd_per_month=10.0), None, BOOK, NOW))
    assert told.rule == "gp2-to-gp3"
    assert told.saves_usd_per_month == pytest.approx(2.0)
    assert told.action == "runctl volumes modify vol-00000000000000001 --type gp3"


def test_a_large_gp2_keeps_the_speed_it_has() -> None:
    volume = disk(on="i-1", type="gp2", size_gib=2_000, iops=6_000, throughput=None, usd_per_month=200.0)
    told = only(advise(volume, None, BOOK, NOW))
    assert told.becomes == Shape(2_000, "gp3", 6_000, 250)
    assert told.saves_usd_per_month == pytest.approx(200.0 - (160.0 + 3_000 * 0.005 + 125 * 0.04))


def test_provisioned_iops_become_gp3_only_where_gp3_is_as_fast() -> None:
    slow = disk(on="i-1", type="io2", size_gib=500, iops=10_000, throughput=None, usd_per_month=712.5)
    told = only(advise(slow, None, BOOK, NOW))
    assert told.rule == "io-to-gp3"
    assert told.becomes == Shape(500, "gp3", 10_000, 500)
    assert "io volumes answer faster" in told.reason
    assert advise(disk(on="i-1", type="io2", size_gib=500, iops=100_000, throughput=None), None, BOOK, NOW) == ()


def test_speed_above_the_baseline_is_priced_and_not_judged() -> None:
    volume = disk(on="i-1", iops=12_000, throughput=500, usd_per_month=8.0 + 9_000 * 0.005 + 375 * 0.04)
    told = only(advise(volume, None, BOOK, NOW))
    assert told.rule == "provisioned"
    assert told.saves_usd_per_month == pytest.approx(60.0)
    assert "whether it is used or not" in told.reason


def test_no_price_no_saving() -> None:
    volume = disk(on="i-1", type="gp2", iops=300, throughput=None, usd_per_month=None)
    nowhere = Volume(**{f: getattr(volume, f) for f in volume.__slots__} | {"region": "xx-nowhere-1"})
    assert advise(nowhere, None, BOOK, NOW) == ()


@given(st.sampled_from(Use), st.integers(1, 16_384))
def test_every_recommendation_is_within_ec2s_limits(use: Use, size: int) -> None:
    assert check_shape(recommended(use, size))


@given(st.sampled_from(["gp2", "gp3", "io1", "io2"]), st.integers(4, 16_000), st.integers(100, 80_000))
def test_what_is_advised_is_accepted_and_saves_what_it_says(kind: str, size: int, iops: int) -> None:
    volume = disk(on="i-1", type=kind, size_gib=size, iops=iops, throughput=125 if kind == "gp3" else None)
    volume = disk(
        on="i-1", type=kind, size_gib=size, iops=iops, throughput=volume.throughput, usd_per_month=priced(volume)
    )
    for told in advise(volume, None, BOOK, NOW):
        assert told.becomes is not None
        check_shape(told.becomes)
        after, _ = BOOK.volume_usd_per_month(
            volume.region, told.becomes.type, told.becomes.size_gib, told.becomes.iops, told.becomes.throughput
        )
        assert after is not None
        saves = priced(volume) - after
        assert told.saves_usd_per_month == pytest.approx(saves)
        assert saves > 0


def test_advice_for_a_use() -> None:
    told = only(advise(disk(size_gib=2_000), None, BOOK, NOW, Use.DATA_LOADING))
    assert told.becomes == Shape(2_000, "st1")
    assert told.reason.startswith("for data-loading: 2,000 GiB st1")


def test_what_lies_about_unused_is_not_made_cheaper_as_well() -> None:
    assert only(advise(disk(type="gp2", iops=300, throughput=None), None, BOOK, NOW)).rule == "unattached"


def test_nothing_is_reckoned_from_a_size_that_aws_did_not_say() -> None:
    unsized = disk(size_gib=None, usd_per_month=None, type="gp2", on="i-1")
    assert advise(unsized, machine(), BOOK, NOW) == advise(unsized, machine(), BOOK, NOW, Use.ARCHIVE) == ()
