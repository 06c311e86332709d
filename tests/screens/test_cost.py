"""The Cost screen: its curve, its figures, its waste and budgets, at the sizes people have."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from textual.widgets import Static

from runctl.app import RunctlApp
from runctl.clock import SystemClock
from runctl.config import DEFAULTS, BudgetSettings, CostSettings, Settings
from runctl.demo.cloud import DemoCloud
from runctl.keymap import build_keymap
from runctl.models.instance import Market
from runctl.models.snapshot import Snapshot
from runctl.models.spent import BurnPoint, Spent, Window, day_start, month_start
from runctl.screens.budget_watch import Marks
from runctl.screens.money_view import budget_cell, burn_plot, figure_pieces, key_cell, spot_saving
from runctl.services.aws.backend import open_backend
from runctl.store.budget import BudgetLine
from runctl.store.costs import cost_items
from runctl.store.fields import Context
from runctl.store.select import summary
from runctl.theme import ASCII, UNICODE
from runctl.widgets.curve import CurveView, render_curve
from tests.screens.driving import Driver, running
from tests.screens.fleet import NOW, machine, price

DAY = timedelta(days=1)


def history(since_h: float = 12.0, gap: range = range(0), today: float = 60.0) -> Spent:
    points = tuple(
        BurnPoint(NOW - DAY + n * timedelta(minutes=15), *((None,) * 3 if n in gap else (10.0, 4.0, 1.0)))
        for n in range(96)
    )
    since = NOW - timedelta(hours=since_h)
    spent, month = Window(day_start(NOW), NOW, today), Window(month_start(NOW), NOW, 400.0, watched=True)
    return Spent(NOW, since, spent, month, day=points)


def drawn(spent: Spent | None, *, ascii_only: bool = True) -> list[str]:
    lines = render_curve(burn_plot(spent, "day", NOW), 80, 7, ascii_only=ascii_only)
    return ["".join(text for text, _ in line) for line in lines]


def test_the_curve_has_a_fixed_axis_time_on_it_and_gaps() -> None:
    lines = drawn(history(gap=range(40, 60)))
    assert lines[0].startswith("# on-demand  = spot  : storage")
    assert "$/h, 24 h, UTC" in lines[0]
    assert lines[1].startswith("$20|")
    assert lines[5].startswith(" $0|")
    body = lines[4].partition("|")[2]
    assert "    " in body.strip()
    assert set(body) <= set("#=: |")
    assert "00:00" in lines[6]
    wide = "".join(t for t, _ in render_curve(burn_plot(history(gap=range(40, 60)), "day", NOW), 120, 7)[0])
    assert "21% not known" in wide


def test_an_empty_ledger_draws_axes_and_says_so() -> None:
    assert "has not answered" in burn_plot(None, "day", NOW).note
    assert "not observed yet" in burn_plot(replace(history(), since=None), "week", NOW).note
    assert drawn(None)[1].startswith("   $1|") or "$1|" in drawn(None)[1]


def test_figures_say_what_is_incomplete_and_what_was_saved() -> None:
    spot = machine(1, "a", market=Market.SPOT, rate=price(0.4), list_usd=1.0)
    odd = machine(2, "b", market=Market.SPOT, rate=price(0.4))
    rules = replace(DEFAULTS, cost=CostSettings(savings_plan_percent=20.0))
    context = Context(NOW, Snapshot(instances=(spot, odd, machine(3, "c", rate=price(1.0))), spent=history()), rules)
    said = " | ".join(p.text for p in figure_pieces(summary(context), context, UNICODE))
    assert "today $60.00+" in said
    assert "month $400→$" in said
    assert "on demand $2.40/h +1 unpriced" in said
    assert "with your 20 % plan $1.60/h" in said
    saved, unknown_prices = spot_saving(context)
    assert saved == pytest.approx(0.6)
    assert unknown_prices == 1
    unknown = figure_pieces(None, context, UNICODE)
    assert [p.text for p in unknown] == ["now $?/h", "today $?", "month $?"]


@pytest.mark.parametrize("signs", [UNICODE, ASCII])
def test_a_budget_is_a_bar_with_a_limit_and_a_tick(signs: object) -> None:
    glyphs = UNICODE if signs is UNICODE else ASCII
    line = BudgetLine("month", "", 100.0, 50.0, forecast_usd=90.0)
    text = "".join(t for t, _ in budget_cell(line, glyphs))
    assert f"{glyphs.full * 10}{glyphs.empty * 7}{glyphs.arrow[-1]}{glyphs.empty * 2}|" in text
    over = "".join(t for t, _ in budget_cell(replace(line, spent_usd=150.0, forecast_usd=200.0), glyphs))
    assert "| " in over.replace(glyphs.full, " ")
    assert "150 %" in over
    unknown = "".join(t for t, _ in budget_cell(replace(line, spent_usd=None, unknown="nobody looked"), glyphs))
    assert "?" in unknown
    assert "cannot be judged: nobody looked" in unknown


@pytest.mark.parametrize(("size", "curve"), [((80, 24), True), ((120, 40), True), ((80, 18), False)])
async def test_the_screen_at_the_sizes_people_have(size: tuple[int, int], curve: bool) -> None:
    rules = Settings(budgets=BudgetSettings(month_usd=5.0, day_usd=1e6))
    async with running(settings=rules, size=size) as driver:
        await driver.pilot.press("5")
        await driver.until(lambda: driver.app.current_mode == "cost" and driver.fleet.shown.rows, "rows")
        await driver.until(lambda: driver.app.snapshot.spent is not None, "the ledger")
        await driver.pilot.pause()
        view = driver.fleet.query_one(CurveView)
        assert view.display is curve
        below = str(driver.fleet.query_one("#below", Static).render())
        assert "wasted so far" in below
        assert "month" in below
        assert driver.fleet.table.size.height >= 5
        screen = driver.screen()
        assert "month $" in screen
        if curve:
            assert "24 h" in screen
            await driver.pilot.press("T")
            await driver.until(lambda: "7 days" in driver.screen(), "the week")


async def test_beside_a_machine_is_the_key_that_acts_on_it_and_none_where_nothing_may_change() -> None:
    async with running(size=(120, 40)) as driver:
        await driver.pilot.press("5")
        await driver.until(lambda: "running, no job" in driver.screen(), "machines that bill")
        row = next(line for line in driver.screen().splitlines() if "running, no job" in line)
        assert re.search(r"running, no job +a\b", row), row
        await driver.pilot.press("a")
        await driver.until(lambda: "stop" in driver.screen(), "what can be done")
    item = cost_items(Context(NOW, Snapshot(instances=(machine(1, "a", rate=price(1.0)),)), DEFAULTS))[0]
    assert "".join(t for t, _ in key_cell(item, {}, build_keymap())) == "a"
    assert "".join(t for t, _ in key_cell(item, {}, build_keymap(read_only=True))) == ""


async def test_the_bill_is_shown_only_where_paid_calls_are_allowed() -> None:
    async with running() as driver:
        await driver.show("cost")
        await driver.press("B")
        await driver.until(lambda: any("allow_paid_apis" in n for n in driver.notices()), "the refusal")
    async with running(settings=Settings(cost=CostSettings(allow_paid_apis=True)), size=(100, 30)) as driver:
        await driver.show("cost")
        await driver.press("B")
        await driver.until(lambda: "EC2 - Other" in driver.screen(), "the bill")
        screen = driver.screen()
        assert "12.50" in screen
        assert "1 page, $0.01" in screen


async def test_a_dashboard_with_default_settings_makes_no_paid_call(cloud: DemoCloud) -> None:
    settings = Settings(regions=("us-east-1",))
    app = RunctlApp(settings, lambda profile: open_backend(settings, profile), clock=SystemClock())
    async with app.run_test(size=(100, 30)) as pilot:
        driver = Driver(app, pilot, [])
        await driver.loaded()
        for mode in ("jobs", "s3", "volumes", "cost"):
            await driver.show(mode)
        await driver.press("B", "r", "i", "t")
        await driver.until(lambda: driver.app.snapshot.spent is not None, "the ledger")
        await driver.until(lambda: "DescribeSpotPriceHistory" in {o for _, o, _ in cloud.calls()}, "spot prices")
    assert not cloud.paid_calls()
    assert not cloud.mutating_calls()


def test_each_mark_is_said_once_and_a_new_day_begins_anew() -> None:
    marks, line = Marks(), BudgetLine("day", "", 100.0, 60.0)
    assert marks.risen([line]) == [], "what was passed before is among the alerts already"
    assert marks.risen([replace(line, spent_usd=70.0)]) == []
    assert [b.mark for b in marks.risen([replace(line, spent_usd=85.0)])] == [80]
    assert [b.mark for b in marks.risen([replace(line, spent_usd=120.0)])] == [100]
    assert marks.risen([replace(line, spent_usd=130.0)]) == []
    assert marks.risen([replace(line, spent_usd=0.0)]) == []
    assert [b.mark for b in marks.risen([replace(line, spent_usd=55.0)])] == [50]


async def test_a_budget_that_passes_a_mark_is_said_on_screen() -> None:
    settings = Settings(budgets=BudgetSettings(day_usd=100.0))
    async with running(settings=settings) as driver:
        await driver.until(lambda: driver.app.snapshot.spent is not None, "the ledger")
        driver.app.snapshot = replace(driver.app.snapshot, spent=history())
        driver.app.snapshot = replace(driver.app.snapshot, spent=history(today=85.0))
        await driver.until(lambda: any("budget day: $85.00 of $100 (85 %)" in n for n in driver.notices()), "a word")
