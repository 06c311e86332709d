"""`runctl cost waste`, `budgets` and `forecast`: what is wasted, what may be spent, where it leads."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from runctl.cli import arguments, envelope, fleet, listing, nouns, output
from runctl.cli.arguments import Parser
from runctl.cli.dispatch import Verb
from runctl.cli.fleet import Fleet
from runctl.cli.invocation import Invocation, cloud, start
from runctl.format import format_time, format_usd, format_usd_short
from runctl.models.s3 import Upload
from runctl.models.spent import Window, day_start, month_end
from runctl.services.prices import PriceBook
from runctl.services.volumes.advice import advise
from runctl.store.budget import BUDGET_FIELDS
from runctl.store.costs import burn, cost_items
from runctl.store.fields import Context, Field, Fields, Kind
from runctl.store.forecast import Forecast, pace_to
from runctl.store.select import budgets, panel_status, summary
from runctl.store.totals import GROUPINGS, TOTAL_FIELDS, totals
from runctl.store.waste import OLD_UPLOAD_S, WASTE_FIELDS, WasteTotal, find_waste, group_waste, total_waste

#: What waste may be summed by.
WASTE_GROUPS = ("owner", "project", "rule", "kind", "region")


def list_view(call: Invocation, noun: str, fields: Fields[Any], rows: Callable[[Fleet], Sequence[Any]]) -> int:
    """Ask for everything that bills, list what `rows` makes of it, and say what is missing."""
    shape = listing.shape_of(call.args)
    listing.check_shape(shape, (fields,))
    seen = fleet.read_fleet(call, fleet.SOURCES_OF["cost"])
    found = rows(seen)
    shown = listing.shaped(found, fields, shape, seen.context)
    section = section_of(seen, shown)
    if section.status != envelope.ERROR or call.output == "json":
        nouns.write_rows(call, noun, shown, fields, shape, seen=seen)
    if not shown and found:
        call.hint(f"none of {len(found)} match the filter")
    output.report_failures(call, seen)
    return envelope.exit_code([section], seen, call.args.fail_on)


def section_of(seen: Fleet, rows: Sequence[Any]) -> envelope.Section:
    """The rows with how much to trust them: everything that bills had to be asked."""
    sources = envelope.main_sources("cost")
    return envelope.Section(
        "cost", envelope.status_of(sources, seen), panel_status(seen.context, sources[0]), tuple(rows)
    )


def _verb(configure: Callable[[Parser], None], body: Callable[[Invocation], int], *examples: str) -> Verb:
    def run(args: Namespace) -> int:
        with cloud(args):
            return body(start(args))

    def with_output(parser: Parser) -> None:
        arguments.add_output(parser)
        arguments.add_fetch(parser)
        configure(parser)

    return Verb(with_output, run, examples)


# -- now ------------------------------------------------------------------------------------------------------------


def _configure_now(parser: Parser) -> None:
    parser.add_argument("--by", choices=GROUPINGS, metavar="FIELD", help=f"totals by {', '.join(GROUPINGS)}")


def _now(call: Invocation) -> int:
    by = call.args.by
    if not by:
        return nouns.list_items(call, "cost")

    def rows(seen: Fleet) -> Sequence[Any]:
        found = totals(cost_items(seen.context), by, seen.context)
        return sorted(found, key=lambda t: (-t.usd_per_hour, t.name))

    return list_view(call, "totals", TOTAL_FIELDS, rows)


# -- waste ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Group:
    """A sum of waste with its name."""

    name: str
    total: WasteTotal

    @property
    def id(self) -> str:
        """Its name."""
        return self.name


F = Field
_WASTE_TOTALS: Fields[_Group] = Fields(
    "waste",
    (
        F("name", "NAME", Kind.TEXT, lambda g, _: g.name, shown=True),
        F("items", "ITEMS", Kind.NUMBER, lambda g, _: g.total.items, shown=True),
        F("usd_per_month", "$/MO", Kind.MONEY, lambda g, _: g.total.usd_per_month, ("cost",), shown=True),
        F("unpriced", "UNPRICED", Kind.NUMBER, lambda g, _: g.total.unpriced, shown=True),
        F("wasted_usd", "SO FAR", Kind.MONEY, lambda g, _: g.total.wasted_usd, ("wasted",), shown=True),
        F("wasted_unknown", "NOT KNOWN", Kind.NUMBER, lambda g, _: g.total.wasted_unknown, shown=True),
    ),
    lambda _: {},
)


def _configure_waste(parser: Parser) -> None:
    parser.add_argument("--by", choices=WASTE_GROUPS, metavar="FIELD", help=f"sums by {', '.join(WASTE_GROUPS)}")


def _waste(call: Invocation) -> int:
    by = call.args.by

    def rows(seen: Fleet) -> Sequence[Any]:
        found = find_waste(seen.context, _abandoned(call, seen))
        if all(seen.answered(source) for source in fleet.SOURCES_OF["volumes"]):
            _say_waste(call, total_waste(found))
            _say_provisioned(call, seen)
        return [_Group(n, t) for n, t in group_waste(found, by).items()] if by else found

    return list_view(call, "waste", _WASTE_TOTALS if by else WASTE_FIELDS, rows)


def _abandoned(call: Invocation, seen: Fleet) -> tuple[Upload, ...]:
    """Unfinished uploads of all buckets: asked here and nowhere else, for each bucket is a request of its own."""
    if seen.cached:
        call.hint("unfinished uploads are not kept: leave --cached out to look for them")
        return ()
    if not seen.snapshot.buckets:
        return ()
    from runctl.services.transfer.abandoned import find_abandoned
    from runctl.services.transfer.opening import open_client

    settings, region = call.settings, next(iter(seen.snapshot.regions), None)
    client = open_client(settings, settings.profile, region=region, patient=False)
    before = seen.context.now - timedelta(seconds=OLD_UPLOAD_S)
    price, timeout = PriceBook().s3_usd_per_month, call.args.timeout
    found = find_abandoned(client, seen.snapshot.buckets, price, before=before, timeout_s=timeout)
    for bucket, why in found.unknown[:3]:
        call.hint(f"unfinished uploads of {call.style.clean(bucket, 63)} are not known: {call.style.clean(why, 300)}")
    if len(found.unknown) > 3:
        call.hint(f"and those of {len(found.unknown) - 3} more buckets")
    return found.uploads


def _say_waste(call: Invocation, total: WasteTotal) -> None:
    if not total.items:
        call.hint("nothing is known to be wasted; activity that nobody measured is not idle")
        return
    unpriced = f" +{total.unpriced} unpriced" if total.unpriced else ""
    unknown = f" +{total.wasted_unknown} not known" if total.wasted_unknown else ""
    call.hint(
        f"wasted so far ${format_usd(total.wasted_usd)}{unknown}; "
        f"${format_usd(total.usd_per_month)} a month{unpriced} if nothing changes"
    )


def _say_provisioned(call: Invocation, seen: Fleet) -> None:
    """Speed that is paid for beyond the baseline: whether it is used nobody measured, so it is said and not summed."""
    book, context = PriceBook(), seen.context
    advice = [
        a.saves_usd_per_month
        for v in seen.snapshot.volumes
        for a in advise(v, context.instances.get(v.attached_to or ""), book, context.now)
        if a.rule == "provisioned"
    ]
    if advice:
        usd = sum(a or 0.0 for a in advice)
        disks = f"{len(advice)} gp3 disk{'s' * (len(advice) != 1)}"
        call.hint(f"{disks} with speed above the baseline, ${format_usd(usd)} a month: runctl volumes advise")


# -- budgets --------------------------------------------------------------------------------------------------------


def _configure_budgets(parser: Parser) -> None:
    group = parser.add_argument_group("stopping")
    group.add_argument("--stop", action="store_true", help="stop what used-up budgets are about; needs budgets.stop")
    group.add_argument("--dry-run", action="store_true", help="with --stop: show what would happen; change nothing")
    group.add_argument("-y", "--yes", action="store_true", help="with --stop: do not ask")
    group.add_argument(
        "--override", action="append", default=[], metavar="RULE", help="with --stop: set one rule aside by its name"
    )


def _budgets(call: Invocation) -> int:
    if call.args.stop:
        from runctl.cli.cost_stop import stop_over_budget

        return stop_over_budget(call)

    def rows(seen: Fleet) -> Sequence[Any]:
        lines = budgets(seen.context)
        if not lines:
            call.hint("no budget is set; write for example into runctl.toml: [budgets], and below it month_usd = 1000")
        return lines

    return list_view(call, "budgets", BUDGET_FIELDS, rows)


# -- forecast -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Ahead:
    """Where a window leads."""

    name: str
    window: Window | None
    ends_at: datetime
    ahead: Forecast | None

    @property
    def id(self) -> str:
        """Its name."""
        return self.name


FORECAST_FIELDS: Fields[_Ahead] = Fields(
    "forecast",
    (
        F("name", "WINDOW", Kind.TEXT, lambda a, _: a.name, shown=True),
        F("spent_usd", "SO FAR", Kind.MONEY, lambda a, _: a.window.usd if a.window else None, shown=True),
        F("forecast_usd", "AT ITS END", Kind.MONEY, lambda a, _: a.ahead.usd if a.ahead else None, shown=True),
        F("low_usd", "LOW", Kind.MONEY, lambda a, _: a.ahead.low if a.ahead else None, shown=True),
        F("high_usd", "HIGH", Kind.MONEY, lambda a, _: a.ahead.high if a.ahead else None, shown=True),
        F("ends_at", "ENDS", Kind.TIME, lambda a, _: a.ends_at, shown=True),
        F("unpriced", "UNPRICED", Kind.NUMBER, lambda a, _: a.ahead.unpriced if a.ahead else None, shown=True),
        F("complete", "COMPLETE", Kind.FLAG, lambda a, _: a.window.complete if a.window else None, shown=True),
        F("basis", "BASIS", Kind.TEXT, lambda a, _: a.ahead.basis if a.ahead else None, shown=True),
    ),
    lambda _: {},
)


def forecasts(context: Context) -> tuple[_Ahead, ...]:
    """Today and this month, at the paces known."""
    spent, now = context.snapshot.spent, context.now
    known = spent if spent is not None and spent.since is not None else None
    midnight = day_start(now) + timedelta(days=1)
    today = None
    if known is not None:
        items = cost_items(context)
        total = burn(items)
        standing = burn(i for i in items if i.kind != "instance").usd
        rate = f"the burn of now, ${total.usd:,.2f}/h; at least what storage bills"
        low, likely = pace_to(known.today, midnight, standing), pace_to(known.today, midnight, total.usd)
        today = Forecast(likely, low, likely, rate, total.unpriced)
    month = summary(context).month_forecast
    return (
        _Ahead("day", known.today if known else None, midnight, today),
        _Ahead("month", known.month if known else None, month_end(now), month),
    )


def _forecast(call: Invocation) -> int:
    def rows(seen: Fleet) -> Sequence[Any]:
        _say_observed(call, seen)
        return forecasts(seen.context)

    return list_view(call, "forecast", FORECAST_FIELDS, rows)


def _say_observed(call: Invocation, seen: Fleet) -> None:
    spent = seen.snapshot.spent
    if spent is None or spent.since is None:
        call.hint("the ledger knows nothing yet: what has been spent is not known")
        return
    call.hint(
        f"observed since {format_time(spent.since)}; {format_usd_short(spent.month.backfilled_usd)} of the month is"
        " from before that, reckoned from launch times"
    )


NOW = _verb(
    _configure_now,
    _now,
    "runctl cost now --filter why:unattached --sort usd_per_month",
    "runctl cost now --by owner",
)
WASTE = _verb(_configure_waste, _waste, "runctl cost waste", "runctl cost waste --by owner -o json")
BUDGETS = _verb(
    _configure_budgets,
    _budgets,
    "runctl cost budgets",
    "runctl cost budgets --fail-on budget -q",
    "runctl cost budgets --stop --dry-run",
)
FORECAST = _verb(lambda _: None, _forecast, "runctl cost forecast -o json")
