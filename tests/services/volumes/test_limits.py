"""Limits of EBS, edge by edge: what EC2 would refuse is refused here first, with what is allowed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runctl.errors import InputError
from runctl.services.volumes.limits import LIMITS, Shape, check_shape, describe, modified, shape_of
from tests.services.acting import disk


@pytest.mark.parametrize(
    "shape",
    [
        Shape(1),
        Shape(65_536, "gp3", 80_000, 2_000),
        Shape(1, "gp3", 3_000, 750),
        Shape(160, "gp3", 80_000),
        Shape(16_384, "gp2"),
        Shape(4, "io1", 200),
        Shape(256, "io2", 256_000),
        Shape(125, "st1"),
        Shape(1_024, "standard"),
    ],
)
def test_what_ec2_takes_is_taken(shape: Shape) -> None:
    assert check_shape(shape) is shape


@pytest.mark.parametrize(
    ("shape", "said", "allowed"),
    [
        (Shape(0), "--size 0", "1 to 65,536 GiB"),
        (Shape(65_537), "--size 65537", "1 to 65,536 GiB"),
        (Shape(100, "gp4"), "no such volume type", "gp3, gp2"),
        (Shape(10, "gp3", 5_001), "--iops 5001", "3,000 to 5,000 IOPS, which is 500 for each GiB"),
        (Shape(1_000, "gp3", 80_001), "--iops 80001", "3,000 to 80,000 IOPS"),
        (Shape(1_000, "gp3", 2_999), "--iops 2999", "3,000 to 80,000"),
        (Shape(1_000, "gp3", 8_000, 2_001), "--throughput 2001", "125 to 2,000 MiB/s"),
        (Shape(1_000, "gp3", None, 1_000), "gp3 gives 0.25 MiB/s", "up to 750 MiB/s with 3,000 IOPS"),
        (Shape(100, "gp2", 300), "gp2 does not let one choose it", "with --type gp3, io1, io2"),
        (Shape(100, "io2"), "--iops is missing", "100 to 100,000 for 100 GiB"),
        (Shape(100, "io1", 5_001), "--iops 5001", "which is 50 for each GiB"),
        (Shape(124, "sc1"), "--size 124", "125 to 16,384 GiB"),
    ],
)
def test_what_ec2_refuses_is_refused_with_what_is_allowed(shape: Shape, said: str, allowed: str) -> None:
    with pytest.raises(InputError) as caught:
        check_shape(shape)
    assert said in str(caught.value)
    assert allowed in caught.value.allowed


@given(st.sampled_from(["gp3", "io1", "io2"]), st.integers(4, 16_000), st.integers(0, 300_000))
def test_an_example_given_for_iops_is_itself_accepted(kind: str, size: int, iops: int) -> None:
    low, high = LIMITS[kind].iops, Shape(size, kind, iops)
    assert low is not None
    if low.least <= iops <= low.top(size):
        assert check_shape(high) is high
        return
    with pytest.raises(InputError) as caught:
        check_shape(high)
    assert check_shape(Shape(size, kind, int(caught.value.example.split()[1])))


def test_a_volume_never_shrinks_and_a_change_must_change() -> None:
    volume = disk(size_gib=100)
    with pytest.raises(InputError, match="never shrinks"):
        modified(volume, size_gib=99)
    with pytest.raises(InputError, match="is 100 GiB gp3, 3,000 IOPS, 125 MiB/s already"):
        modified(volume, iops=3_000)
    assert modified(volume, size_gib=200) == Shape(200, "gp3", 3_000, 125)


def test_a_new_type_keeps_only_figures_it_knows() -> None:
    fast = disk(type="io2", iops=20_000, throughput=None)
    assert modified(fast, kind="gp3") == Shape(100, "gp3")
    assert modified(fast, kind="io1", iops=5_000) == Shape(100, "io1", 5_000)
    assert modified(disk(type="gp2", iops=300, throughput=None), kind="gp3", throughput=250) == Shape(
        100, "gp3", None, 250
    )
    with pytest.raises(InputError, match="--iops is missing"):
        modified(disk(type="gp2", iops=300, throughput=None), kind="io2")


def test_the_shape_leaves_out_figures_that_nobody_chose() -> None:
    assert shape_of(disk(type="gp2", iops=300, throughput=None)) == Shape(100, "gp2")
    assert describe(Shape(5_000, "st1")) == "5,000 GiB st1"
