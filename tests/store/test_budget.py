"""Budgets: marks, forecasts, and alarms where nothing can be judged."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest

from runctl.config import DEFAULTS, BudgetSettings
from runctl.models.job import Job
from runctl.models.ledger import LedgerTotal
from runctl.models.snapshot import Snapshot
from runctl.models.spent import Spent, Window, day_start, month_start
from runctl.store.budget import BudgetLine, budget_alerts, budget_lines, scale_of
from runctl.store.fields import Context
from runctl.store.select import alerts, budgets
from tests.screens.fleet import NOW, machine, price

DAY = timedelta(days=1)


def spent(today: float = 0.0, month: float = 0.0, **more: Any) -> Spent:
    since = month_start(NOW)
    quiet = {"watched": True}
    windows: dict[str, Any] = {
        "today": replace(Window(day_start(NOW), NOW, today, **quiet), **more.pop("today_is", {})),
        "month": replace(Window(since, NOW, month, **quiet), **more.pop("month_is", {})),
    }
    return Spent(NOW, since, **windows, **more)


def context(rules: BudgetSettings, money: Spent | None, *machines: Any) -> Context:
    return Context(NOW, Snapshot(instances=machines, spent=money), replace(DEFAULTS, budgets=rules))


def only(rules: BudgetSettings, money: Spent | None, *machines: Any, jobs: tuple[Job, ...] = ()) -> BudgetLine:
    (line,) = budget_lines(context(rules, money, *machines), jobs)
    return line


@pytest.mark.parametrize(
    ("used", "mark"), [(49.99, 0), (50, 50), (79.9, 50), (80, 80), (99.9, 80), (100, 100), (250, 100)]
)
def test_marks(used: float, mark: int) -> None:
    line = only(BudgetSettings(day_usd=100.0), spent(today=used))
    assert (line.mark, line.alarms) == (mark, mark == 100)


def test_the_forecast_goes_on_with_the_burn_of_now() -> None:
    line = only(BudgetSettings(day_usd=100.0), spent(today=10.0), machine(1, "a", rate=price(2.0)))
    left = (day_start(NOW) + DAY - NOW).total_seconds() / 3600
    assert line.forecast_usd == pytest.approx(10 + 2 * left)
    assert line.basis == "the burn of now, $2.00/h"
    assert line.ends_at == day_start(NOW) + DAY
    assert scale_of(line) == 100.0


def test_a_budget_that_will_be_passed_says_where_it_leads() -> None:
    line = only(BudgetSettings(month_usd=1000.0), spent(month=600.0), machine(1, "a", rate=price(10.0)))
    assert line.text.startswith("budget month: $600 of $1.0k (60 %), heading for $")
    assert scale_of(line) > 1000


@pytest.mark.parametrize("money", [None, replace(spent(), since=None)])
def test_nothing_known_alarms(money: Spent | None) -> None:
    rules = BudgetSettings(day_usd=5.0, month_usd=9.0, projects={"vision": 1.0}, owners={"ana": 1.0})
    lines = budget_lines(context(rules, money), ())
    assert [line.id for line in lines] == ["day", "month", "project vision", "owner ana"]
    assert all(line.alarms and line.spent_usd is None and "cannot be judged" in line.text for line in lines)


def test_a_gap_or_an_unknown_price_alarms() -> None:
    gap = only(BudgetSettings(day_usd=100.0), spent(today=1.0, today_is={"gap_s": 7200.0}))
    assert (gap.alarms, gap.unknown) == (True, "2h00 that nobody watched")
    unpriced = only(BudgetSettings(day_usd=100.0), spent(today=1.0), machine(1, "a", rate=None))
    assert (unpriced.alarms, unpriced.unknown) == (True, "1 thing at an unknown price now")


def test_a_project_counts_its_own_things_only() -> None:
    total = LedgerTotal("vision", 40.0, {}, 0.0, 0.0, 0.0, 1)
    money = spent(groups={"project": {"vision": total}})
    mine = machine(1, "a", rate=price(1.0), tags={"project": "vision"})
    other = machine(2, "b", rate=None, tags={"project": "speech"})
    line = only(BudgetSettings(projects={"vision": 50.0}), money, mine, other)
    assert (line.mark, line.alarms) == (80, False)
    assert line.forecast_usd is not None
    assert line.forecast_usd > 40
    unused = only(BudgetSettings(projects={"new": 50.0}), money)
    assert (unused.spent_usd, unused.alarms) == (0.0, False)


def test_the_limit_of_a_job_is_the_nearest_one_that_is_named() -> None:
    jobs = (
        Job("a", "a", "RUNNING", "running", usd_so_far=30.0, usd_to_finish=90.0, budget_usd=100.0),
        Job("b", "b", "RUNNING", "running", usd_so_far=None),
        Job("c", "c", "RUNNING", "running", usd_so_far=1.0),
    )
    rules = BudgetSettings(job_usd=10.0, jobs={"c": 2.0})
    lines = {line.name: line for line in budget_lines(context(rules, spent()), jobs)}
    assert {name: line.limit_usd for name, line in lines.items()} == {"a": 100.0, "b": 10.0, "c": 2.0}
    assert lines["a"].forecast_usd == 120.0
    assert lines["b"].alarms
    assert lines["c"].mark == 50


def test_what_the_ledger_counted_of_a_job_counts_over_its_machine_alone() -> None:
    total = LedgerTotal("a", 250.0, {}, 0.0, 0.0, 0.0, 3)
    job = Job("a", "a", "RUNNING", "running", usd_so_far=30.0)
    line = only(BudgetSettings(jobs={"a": 200.0}), spent(groups={"job": {"a": total}}), jobs=(job,))
    assert (line.spent_usd, line.mark) == (250.0, 100)


def test_alerts_name_the_worst_budget_first() -> None:
    rules = BudgetSettings(day_usd=100.0, month_usd=100.0)
    parts = context(rules, spent(today=60.0, month=100.0))
    assert [a.partition(":")[0] for a in alerts(parts)] == ["budget month", "budget day"]
    assert budget_alerts(budgets(parts)) == alerts(parts)
    assert alerts(context(BudgetSettings(), spent(today=60.0))) == ()


def test_names_from_tags_stay_one_harmless_line() -> None:
    rules = BudgetSettings(projects=MappingProxyType({"\x1b[31mevil\n\u202e": 1.0}))
    text = only(rules, None).text
    assert text.isprintable()


def test_a_month_is_a_calendar_month_in_utc() -> None:
    assert month_start(datetime(2026, 3, 31, 23, 59, tzinfo=UTC)) == datetime(2026, 3, 1, tzinfo=UTC)
    west = datetime(2026, 3, 31, 20, tzinfo=UTC).astimezone(tz=None)
    assert month_start(west) == datetime(2026, 3, 1, tzinfo=UTC)
