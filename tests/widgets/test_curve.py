"""The plot: literal pictures, gaps, fixed axes, spikes, and both character sets."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from runctl.widgets.curve import Curve, Series, curve_text, nice_ceiling, render_curve, value_at


def picture(curve: Curve, width: int = 24, height: int = 6, *, ascii_only: bool = True) -> list[str]:
    return ["".join(text for text, _ in line) for line in render_curve(curve, width, height, ascii_only=ascii_only)]


def test_a_line_is_drawn_where_its_values_are() -> None:
    rising = Series("loss", tuple((x, x) for x in range(11)))
    assert picture(Curve((rising,), (0, 10), (0, 10), x_labels=((0, "0"), (10, "10")))) == [
        "* loss  ",
        "10|                *****",
        "  |          ******     ",
        "  |     *****           ",
        " 0|******               ",
        "   0                  10",
    ]


def test_a_gap_is_a_gap_and_a_known_zero_is_not() -> None:
    values = [(0.0, 0.0), (1.0, 0.0), (2.0, None), (3.0, None), (4.0, 0.0), (5.0, 0.0)]
    bottom = picture(Curve((Series("spot", values),), (0, 6), (0, 4), stacked=True), width=14, height=3)[1]
    axis = bottom.partition("|")[2]
    assert axis[0] == "#"
    assert " " in axis.rstrip()
    assert axis.count("#") == axis.rstrip().count("#")


def test_stacked_series_add_up_and_read_without_colour() -> None:
    one = Series("on-demand", [(x, 5.0) for x in range(10)], "accent")
    two = Series("spot", [(x, 5.0) for x in range(10)], "money")
    lines = picture(Curve((one, two), (0, 9), (0, 10), stacked=True), width=20, height=6)
    body = [line.partition("|")[2] for line in lines[1:-1]]
    assert [set(row.strip()) for row in body] == [{"="}, {"="}, {"#"}, {"#"}]
    dots = render_curve(Curve((one, two), (0, 9), (0, 10), stacked=True), 20, 6)
    assert {token for line in dots[1:-1] for _, token in line} >= {"accent", "money"}


def test_a_spike_between_two_columns_is_not_lost() -> None:
    flat = [(float(x), 0.0) for x in range(1000)]
    flat[500] = (500.0, 10.0)
    lines = picture(Curve((Series("x", flat),), (0, 999), (0, 10)), width=30, height=6)
    assert "*" in lines[1]


def test_not_a_number_breaks_the_line() -> None:
    broken = Series("loss", [(0, 1.0), (1, math.nan), (2, math.inf), (3, 1.0)])
    row = picture(Curve((broken,), (0, 3), (0, 1)), width=24, height=3)[1].partition("|")[2]
    assert row.strip("*").count(" ") > 3


def test_the_cursor_and_the_note_are_shown() -> None:
    curve = Curve((Series("x", [(0, 0.0)]),), (0, 10), (0, 1), cursor=5.0, note="last 24 h")
    lines = picture(curve, width=40, height=5)
    assert lines[0].endswith("last 24 h")
    assert "|" in lines[1].partition("|")[2]


@pytest.mark.parametrize(("value", "ceiling"), [(0, 1), (0.3, 0.5), (18.4, 20), (21, 25), (99.9, 100), (100, 100)])
def test_axes_end_at_round_numbers(value: float, ceiling: float) -> None:
    assert nice_ceiling(value) == pytest.approx(ceiling)


def test_value_at_is_the_last_point_and_unknown_in_a_gap() -> None:
    series = Series("x", [(1, 5.0), (2, None), (3, 7.0)])
    assert [value_at(series, x) for x in (0.5, 1.5, 2.5, 9)] == [None, 5.0, None, 7.0]


_VALUES = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True))


@given(
    st.lists(st.tuples(st.floats(-1e6, 1e6), _VALUES), max_size=40),
    st.integers(0, 60),
    st.integers(0, 15),
    st.booleans(),
    st.booleans(),
)
def test_any_values_in_any_size_fit(
    points: list[tuple[float, float | None]], width: int, height: int, stacked: bool, ascii_only: bool
) -> None:
    series = Series("\x1b[31mname\u202e" * 3, sorted(points, key=lambda p: p[0]))
    lines = render_curve(Curve((series,) * 3, (-10, 10), (0, 5), stacked), width, height, ascii_only=ascii_only)
    assert len(lines) == height
    assert all(cell_len("".join(text for text, _ in line)) <= width for line in lines)
    assert "\x1b" not in curve_text(lines).plain
