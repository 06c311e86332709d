"""The one-line widgets: what stays when there is no room, and that unknown money is never zero."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runctl.store.select import Summary
from runctl.widgets.bar import percent_bar, sparkline
from runctl.widgets.detail import Row, Section, render_sections
from runctl.widgets.line import fit_pieces
from runctl.widgets.money_strip import Whereabouts, strip_pieces

SUMMARY = Summary(
    burn_usd_per_hour=18.42, burn_unpriced=2, instances_running=14, instances_stopped=3, jobs_running=6,
    volumes_unattached=2, storage_usd_per_month=120.0, storage_unpriced=0, alerts=("a", "b"),
    on_demand_usd_per_hour=12.0, spot_usd_per_hour=6.42,
)  # fmt: skip
PLACE = Whereabouts("acme-ml", "research", ("us-east-1", "us-west-2", "eu-west-1"), "4s")


def shown(width: int, summary: Summary | None = SUMMARY) -> str:
    return "  ".join(p.text for p in fit_pieces(strip_pieces(summary, PLACE), width, "  "))


def test_the_burn_never_leaves_the_strip_and_admits_what_it_does_not_know() -> None:
    for width in (40, 60, 80, 120, 200):
        assert "$18.42/h +2 unpriced" in shown(width)
    assert "today $?" in shown(120)
    assert "▲2" in shown(60)


@pytest.mark.parametrize("width", [80, 120])
def test_a_burn_that_lacks_something_says_so_next_to_the_figure(width: int) -> None:
    lacking = replace(SUMMARY, burn_without=("volumes", "some addresses"))
    assert "$18.42/h +2 unpriced  without volumes, some addresses" in shown(width, lacking)
    assert "$18.42/h +2 unpriced  so far" in shown(width, replace(SUMMARY, burn_waits=True))


def test_a_strip_fits_the_line_it_is_made_for() -> None:
    for width in range(40, 200, 10):
        assert len(shown(width)) <= width


def test_nothing_known_is_a_question_mark() -> None:
    assert "$?/h" in shown(120, None)
    assert "$0" not in shown(120, None)


@pytest.mark.parametrize(
    ("value", "text"), [(None, "?    "), (0, "▯▯▯▯▯"), (50, "▮▮▯▯▯"), (100, "▮▮▮▮▮"), (999, "▮▮▮▮▮")]
)
def test_a_bar_is_fixed_from_0_to_100(value: float | None, text: str) -> None:
    assert percent_bar(value) == text


def test_a_flat_line_is_not_drawn_full_and_a_gap_stays_a_gap() -> None:
    assert sparkline([0, 0, None, 100, 50], 6) == " ▁▁ █▅"


def test_details_show_outside_text_as_it_is() -> None:
    text = render_sections([Section("Tags", (Row("Name", "[bold red]x[/] \x1b[2J"),)), Section("Empty", ())])
    assert text.plain == "Tags\nName  [bold red]x[/] \n"
