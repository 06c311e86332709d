"""Budgets against what the ledger counted: how much is used, where it leads, what cannot be judged. Pure.

A budget whose estimate is unknown alarms: what nobody saw or nobody can price may be the whole of it. It never stops
anything; stopping goes through a plan that a person asks for (`runctl cost budgets --stop`), where that is allowed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from runctl.format import clean_text, format_duration, format_usd_short
from runctl.models.job import Job
from runctl.models.ledger import LedgerTotal
from runctl.models.spent import Spent, Window, day_start, month_end
from runctl.store.costs import burn, cost_items
from runctl.store.fields import Context, Field, Fields, Kind

#: Percent at which a budget is spoken of.
MARKS = (50, 80, 100)


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """One budget and how it stands.

    Args:
        scope: day, month, project, owner or job.
        name: which project, owner or job; "" for day and month.
        limit_usd: what may be spent.
        spent_usd: what is known to be spent, None when nothing is.
        unknown: why it cannot be judged, "" when it can.
        forecast_usd: at the end of its time at the present pace; None where that is not known.
        basis: what the forecast goes on with.
        ends_at: when it begins anew, None for a job.
        stops: whether its machines may be stopped now, when somebody says so.
    """

    scope: str
    name: str
    limit_usd: float
    spent_usd: float | None
    unknown: str = ""
    forecast_usd: float | None = None
    basis: str = ""
    ends_at: datetime | None = None
    stops: bool = False

    @property
    def id(self) -> str:
        """`month`, `project llama`."""
        return f"{self.scope} {self.name}".strip()

    @property
    def percent(self) -> float | None:
        """How much of it is used."""
        return None if self.spent_usd is None else self.spent_usd / self.limit_usd * 100

    @property
    def mark(self) -> int:
        """The highest of `MARKS` that is passed, 0 for none."""
        used = self.percent or 0.0
        return max((m for m in MARKS if used >= m), default=0)

    @property
    def alarms(self) -> bool:
        """Whether it is used up, or cannot be judged."""
        return self.mark >= 100 or bool(self.unknown)

    @property
    def text(self) -> str:
        """One line: `budget month: $2.5k of $3.0k (82 %), heading for $3.4k`."""
        used, limit = format_usd_short(self.spent_usd), format_usd_short(self.limit_usd)
        said = f"budget {clean_text(self.id, 60)}: {used} of {limit}"
        if self.percent is not None:
            said += f" ({self.percent:.0f} %)"
        if self.forecast_usd is not None and self.forecast_usd > self.limit_usd and self.mark < 100:
            said += f", heading for {format_usd_short(self.forecast_usd)}"
        if self.unknown:
            said += f"; cannot be judged: {self.unknown}"
        return f"{said}; runctl cost budgets --stop stops its machines" if self.stops else said


def budget_lines(context: Context, jobs: tuple[Job, ...]) -> tuple[BudgetLine, ...]:
    """Every budget that is set, in the order of the settings."""
    allowed = context.settings.budgets.stop
    return tuple(replace(line, stops=allowed and line.mark >= 100) for line in _lines(context, jobs))


def budget_alerts(lines: tuple[BudgetLine, ...]) -> tuple[str, ...]:
    """Those that have passed a mark or cannot be judged, the worst first."""
    spoken = [line for line in lines if line.mark or line.unknown]
    return tuple(line.text for line in sorted(spoken, key=lambda b: (-b.mark, b.id)))


def _lines(context: Context, jobs: tuple[Job, ...]) -> Iterator[BudgetLine]:
    rules, spent, now = context.settings.budgets, context.snapshot.spent, context.now
    end_of_day, end_of_month = day_start(now) + timedelta(days=1), month_end(now)
    if rules.day_usd is not None:
        yield _window("day", rules.day_usd, spent.today if spent else None, end_of_day, context)
    if rules.month_usd is not None:
        yield _window("month", rules.month_usd, spent.month if spent else None, end_of_month, context)
    for scope, limits in (("project", rules.projects), ("owner", rules.owners)):
        for name, limit in limits.items():
            yield _group(scope, name, limit, context, end_of_month)
    for job, limit in _job_limits(context, jobs).items():
        yield _job(job, limit, next((j for j in jobs if j.id == job), None), spent)


def _window(scope: str, limit: float, window: Window | None, end: datetime, context: Context) -> BudgetLine:
    spent = context.snapshot.spent
    if window is None or spent is None or spent.since is None:
        return BudgetLine(scope, "", limit, None, _NOTHING, ends_at=end)
    rate, unpriced = _pace(context)
    unknown = _why(window.unpriced_s, window.gap_s, unpriced)
    return _led(BudgetLine(scope, "", limit, window.usd, unknown, ends_at=end), rate, context.now)


def _group(scope: str, name: str, limit: float, context: Context, end: datetime) -> BudgetLine:
    spent = context.snapshot.spent
    if spent is None or spent.since is None:
        return BudgetLine(scope, name, limit, None, _NOTHING, ends_at=end)
    total = spent.groups.get(scope, {}).get(name, _NONE)
    rate, unpriced = _pace(context, scope, name)
    unknown = _why(total.unpriced_s, total.gap_s, unpriced)
    return _led(BudgetLine(scope, name, limit, total.usd, unknown, ends_at=end), rate, context.now)


def _job(name: str, limit: float, job: Job | None, spent: Spent | None) -> BudgetLine:
    total = spent.groups.get("job", {}).get(name) if spent else None
    if total is None and (job is None or job.usd_so_far is None):
        gone = spent is not None and spent.since is not None and job is None
        return BudgetLine("job", name, limit, 0.0 if gone else None, "" if gone else _NOTHING)
    so_far = total.usd if total is not None else job.usd_so_far if job else None
    unknown = _why(total.unpriced_s, total.gap_s, 0) if total is not None else ""
    to_finish = job.usd_to_finish if job else None
    ahead = None if to_finish is None or so_far is None else so_far + to_finish
    return BudgetLine("job", name, limit, so_far, unknown, ahead, "its own estimate" if ahead is not None else "")


_NOTHING = "nothing is known of what was spent"
_NONE = LedgerTotal("", 0.0, {}, 0.0, 0.0, 0.0, 0)


def _job_limits(context: Context, jobs: tuple[Job, ...]) -> dict[str, float]:
    """Limit by job: the settings' own line for it, the job's own, the default for all."""
    rules = context.settings.budgets
    limits = {j.id: limit for j in jobs if (limit := j.budget_usd or rules.job_usd) is not None and limit > 0}
    return {**limits, **rules.jobs}


def _pace(context: Context, scope: str = "", name: str = "") -> tuple[float, int]:
    """USD per hour of a group now, and how many of its things have no price."""
    items = cost_items(context)
    total = burn(i for i in items if not scope or getattr(i, scope) == name)
    return total.usd, total.unpriced


def _led(line: BudgetLine, rate: float, now: datetime) -> BudgetLine:
    if line.spent_usd is None or line.ends_at is None:
        return line
    hours = max(0.0, (line.ends_at - now).total_seconds() / 3600)
    return BudgetLine(
        line.scope, line.name, line.limit_usd, line.spent_usd, line.unknown, line.spent_usd + rate * hours,
        f"the burn of now, ${rate:,.2f}/h", line.ends_at,
    )  # fmt: skip


def _why(unpriced_s: float, gap_s: float, unpriced_now: int) -> str:
    parts = []
    if unpriced_s >= 1:
        parts.append(f"{format_duration(unpriced_s)} at an unknown price")
    if unpriced_now:
        parts.append(f"{unpriced_now} thing{'s' * (unpriced_now != 1)} at an unknown price now")
    if gap_s >= 1:
        parts.append(f"{format_duration(gap_s)} that nobody watched")
    return ", ".join(parts)


def worst_mark(lines: tuple[BudgetLine, ...]) -> int:
    """The highest mark of all."""
    return max((line.mark for line in lines), default=0)


def scale_of(line: BudgetLine) -> float:
    """Where a bar of this budget ends: beyond its limit only when it is spent or heading there, rounded up a little."""
    most = max(line.limit_usd, line.spent_usd or 0.0, min(line.forecast_usd or 0.0, 3 * line.limit_usd))
    return line.limit_usd if math.isclose(most, line.limit_usd) else most * 1.05


F = Field
BUDGET_FIELDS: Fields[BudgetLine] = Fields(
    "budgets",
    (
        F("scope", "SCOPE", Kind.TEXT, lambda b, _: b.scope, shown=True),
        F("name", "NAME", Kind.TEXT, lambda b, _: b.name, shown=True),
        F("limit_usd", "LIMIT", Kind.MONEY, lambda b, _: b.limit_usd, ("limit",), shown=True),
        F("spent_usd", "SPENT", Kind.MONEY, lambda b, _: b.spent_usd, ("spent",), shown=True),
        F("percent", "USED", Kind.PERCENT, lambda b, _: b.percent, shown=True),
        F("mark", "MARK", Kind.NUMBER, lambda b, _: b.mark),
        F("forecast_usd", "FORECAST", Kind.MONEY, lambda b, _: b.forecast_usd, ("forecast",), shown=True),
        F("basis", "BASIS", Kind.TEXT, lambda b, _: b.basis or None, wide=True),
        F("ends_at", "UNTIL", Kind.TIME, lambda b, _: b.ends_at, wide=True),
        F("alarms", "ALARM", Kind.FLAG, lambda b, _: b.alarms, shown=True),
        F("unknown", "NOT KNOWN", Kind.TEXT, lambda b, _: b.unknown or None, shown=True),
    ),
    lambda _: {},
)
