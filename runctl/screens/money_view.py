"""What the Cost screen says beside its rows: the burn curve, the figures, waste so far, budgets. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from rich.text import Text

from runctl.format import clean_text, format_duration, format_usd, format_usd_short
from runctl.keymap import Keymap, key_label
from runctl.models.billed import USD_PER_PAGE, Billed
from runctl.models.cost import CostItem, CostKind
from runctl.models.instance import Market
from runctl.models.spent import BurnPoint, Spent
from runctl.screens.cells import Cell, plain
from runctl.services.compare_bill import by_group, service_estimate
from runctl.store.budget import BudgetLine, scale_of
from runctl.store.fields import Context
from runctl.store.select import Summary
from runctl.store.waste import Waste, group_waste, total_waste
from runctl.theme import Glyphs
from runctl.widgets.bar import marked_bar
from runctl.widgets.curve import Curve, Series, nice_ceiling
from runctl.widgets.line import Piece
from runctl.widgets.money_strip import at_least, burn_words

#: The action that ends each rule of waste, by its id in the keymap; a machine is stopped before it is ended.
ACTS = {
    "idle": "list.menu",
    "expired": "list.menu",
    "unattached": "list.delete",
    "stopped-machine": "list.menu",
    "old-snapshot": "list.delete",
    "unassociated": "list.delete",
}
_BAR = 20


def burn_plot(spent: Spent | None, span: str, now: datetime) -> Curve:
    """The burn of the last day or week, stacked by what it was spent on; the mark is where observation begins.

    Before the mark only what still runs is known (from launch times); a gap is drawn as a gap.
    """
    hours = 24 if span == "day" else 7 * 24
    points: Sequence[BurnPoint] = () if spent is None else spent.day if span == "day" else spent.week
    begin = now - timedelta(hours=hours)
    sums = [(p.on_demand or 0) + (p.spot or 0) + (p.storage or 0) for p in points]
    series = tuple(
        Series(name, _points(points, field), token)
        for name, field, token in (("on-demand", "on_demand", "accent"), ("spot", "spot", "state-ok"),
                                   ("storage", "storage", "warn"))
    )  # fmt: skip
    since = spent.since if spent is not None else None
    mark = since.timestamp() if since is not None and since > begin else None
    return Curve(
        series,
        (begin.timestamp(), now.timestamp()),
        (0.0, nice_ceiling(max(sums, default=0.0) * 1.02)),
        stacked=True,
        x_labels=tuple(_ticks(begin, now, 6 if span == "day" else 24)),
        y_label=_dollars,
        cursor=mark,
        note=_plot_note(spent, points, span),
    )


def _points(points: Sequence[BurnPoint], field: str) -> tuple[tuple[float, float | None], ...]:
    found = [(p.at.timestamp(), getattr(p, field)) for p in points]
    if len(found) > 1:  # the last step reaches to the right edge
        found.append((2 * found[-1][0] - found[-2][0] - 1, found[-1][1]))
    return tuple(found)


def _dollars(value: float) -> str:
    return f"${value:,.2f}" if 0 < value < 1 else f"${value:,.1f}" if value % 1 else f"${value:,.0f}"


def _ticks(begin: datetime, end: datetime, every_h: int) -> Iterable[tuple[float, str]]:
    at = begin.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    while at.hour % min(every_h, 24):
        at += timedelta(hours=1)
    while at < end:
        yield at.timestamp(), f"{at:%H:%M}" if every_h < 24 else f"{at:%a %d}"
        at += timedelta(hours=every_h)


def _plot_note(spent: Spent | None, points: Sequence[BurnPoint], span: str) -> str:
    what = "$/h, 24 h, UTC" if span == "day" else "$/h, 7 days, UTC"
    if spent is None:
        return f"{what}; the ledger has not answered yet"
    if spent.since is None:
        return f"{what}; not observed yet"
    blind = sum(p.on_demand is None for p in points)
    gaps = f", {blind / len(points):.0%} not known" if blind and points else ""
    more = ", without what has no price" if any(p.unpriced for p in points) else ""
    return f"{what}; observed since {spent.since:%d %b %H:%M}{gaps}{more}"


def figure_pieces(figures: Summary | None, context: Context, signs: Glyphs) -> list[Piece]:
    """Now, today, month so far, projected with its band."""
    if figures is None:
        return [Piece("now $?/h"), Piece("today $?"), Piece("month $?")]
    ahead = figures.month_forecast
    band = f"({format_usd_short(ahead.low)}-{format_usd_short(ahead.high)})" if ahead is not None else ""
    month = at_least(figures.month_usd, complete=figures.spent_complete)
    end = f"{signs.arrow}{format_usd_short(ahead.usd if ahead else None)}"
    pieces = [
        Piece(f"now {burn_words(figures)}", "money", bold=True),
        Piece(f"today {at_least(figures.today_usd, complete=figures.today_complete)}", "money", rank=2),
        Piece(f"month {month}{end}", "money", rank=1),
        Piece(band, "muted", rank=3),
    ]
    saved, unknown = spot_saving(context)
    if saved is not None:
        more = f" +{unknown} unpriced" if unknown else ""
        pieces.append(Piece(f"on demand ${format_usd(figures.burn_usd_per_hour + saved)}/h{more}", "muted", rank=6))
    if (percent := context.settings.cost.savings_plan_percent) is not None:
        off = figures.on_demand_usd_per_hour * percent / 100
        pieces.append(Piece(f"with your {percent:g} % plan ${format_usd(figures.burn_usd_per_hour - off)}/h", rank=5))
    return pieces


def spot_saving(context: Context) -> tuple[float | None, int]:
    """What the spot machines of now save an hour against their list price, and of how many that is not known."""
    spot = [i for i in context.snapshot.instances if i.bills and i.market == Market.SPOT]
    if not spot:
        return None, 0
    known = [i.list_usd - i.rate.usd for i in spot if i.list_usd is not None and i.rate is not None]
    return sum(known), len(spot) - len(known)


def waste_line(found: Sequence[Waste]) -> Cell:
    """`wasted so far $192+11 ?  $1,595/month if nothing changes: 8 unattached $1.1k, 10 stopped-machine $437`."""
    total = total_waste(found)
    if not found:
        return plain("nothing is known to be wasted", "muted")
    unknown = f" +{total.wasted_unknown} not known" if total.wasted_unknown else ""
    unpriced = f" +{total.unpriced} unpriced" if total.unpriced else ""
    groups = sorted(group_waste(found, "rule").items(), key=lambda g: -g[1].usd_per_month)
    parts = ", ".join(f"{t.items} {name} {format_usd_short(t.usd_per_month)}" for name, t in groups[:4])
    return (
        (f" wasted so far {format_usd_short(total.wasted_usd)}{unknown}", "warn"),
        (f"  if nothing changes {format_usd_short(total.usd_per_month)}/month{unpriced}: ", ""),
        (parts, "muted"),
    )


def budget_cell(line: BudgetLine, signs: Glyphs) -> Cell:
    """`month  ▮▮▮▮▮▮▮▯▯▯|  $2.5k of $3.0k  82 %  → $3.4k`: the bar is filled to what is spent, `|` is the forecast."""
    token = "state-bad" if line.mark >= 100 else "warn" if line.mark >= 80 or line.unknown else "state-ok"
    scale = scale_of(line)
    spent = None if line.spent_usd is None else line.spent_usd / scale
    ahead = None if line.forecast_usd is None else line.forecast_usd / scale
    percent = "?" if line.percent is None else f"{line.percent:.0f}"
    end = f"  {signs.arrow} {format_usd_short(line.forecast_usd)}" if line.forecast_usd is not None else ""
    why = f"  cannot be judged: {line.unknown}" if line.unknown else ""
    return (
        (f" {clean_text(line.id, 22):<22} ", ""),
        (marked_bar(spent, ahead, line.limit_usd / scale, _BAR, signs), token),
        (f" {percent:>4} %  {format_usd_short(line.spent_usd)} of {format_usd_short(line.limit_usd)}{end}", ""),
        (why, "warn"),
    )


def act_keys(found: Iterable[Waste], keymap: Keymap) -> dict[tuple[str, str, str], str]:
    """The key that acts on each wasted thing, by (kind, region, id); none in read-only mode."""
    keys = {rule: key_label(a.keys[0]) for rule, name in ACTS.items() if (a := keymap.get(name)) is not None}
    return {(str(w.kind), w.region, w.id): keys[w.rule] for w in found if w.rule in keys}


def key_cell(item: CostItem, keys: Mapping[tuple[str, str, str], str], keymap: Keymap) -> Cell:
    """The key that acts on what bills: of `act_keys` where it is wasted, else the actions of a machine."""
    if wasted := keys.get((str(item.kind), item.region, item.id)):
        return plain(wasted, "accent")
    menu = keymap.get("list.menu") if item.kind is CostKind.INSTANCE else None
    return plain(key_label(menu.keys[0]) if menu is not None else "", "muted")


def waste_rows(item: CostItem, found: Iterable[Waste], now: datetime) -> tuple[tuple[str, Cell], ...]:
    """What a detail says of waste."""
    own = next((w for w in found if (w.kind, w.region, w.id) == (item.kind, item.region, item.id)), None)
    if own is None:
        return ()
    if own.wasted_usd is not None and own.since is not None:
        length = format_duration((now - own.since).total_seconds())
        so_far = plain(f"${format_usd(own.wasted_usd)} in {length}", "warn")
    elif own.most_usd is not None:
        so_far = plain(f"not known; at most ${format_usd(own.most_usd)}", "warn")
    else:
        so_far = plain("not known", "warn")
    return (("wasted", so_far), ("because", plain(own.reason, "warn")))


def billed_text(billed: Billed, spent: Spent | None, now: datetime) -> Text:
    """The bill by service beside what the ledger reckons, with the difference, its age and its price."""
    kinds = {name: t.usd for name, t in (spent.groups.get("kind", {}) if spent else {}).items()}
    lines = by_group(billed, service_estimate(kinds) if spent else lambda _: None)
    text = Text(f"{'service':<42}{'billed':>12}{'reckoned':>12}{'difference':>12}\n", "bold")
    for line in lines:
        text.append(f"{clean_text(line.name, 40):<42}{format_usd(line.billed_usd):>12}")
        text.append(f"{format_usd(line.estimate_usd):>12}{format_usd(line.difference_usd):>12}\n")
    total = sum(line.billed_usd for line in lines)
    text.append(f"{'together':<42}{format_usd(total):>12}\n\n", "bold")
    age = format_duration((now - billed.asked_at).total_seconds())
    price = f"{billed.pages} page{'s' * (billed.pages != 1)}, ${billed.pages * USD_PER_PAGE:.2f}"
    text.append(f"Cost Explorer, {billed.start} to now, asked {age} ago: {price}. Kept for 6 hours.\n")
    text.append("AWS may still change the last days. ? is what the ledger does not count.\n")
    return text


def since_start(item: CostItem, context: Context) -> float | None:
    """What the current run of a machine has cost, as the ledger counted it."""
    spent = context.snapshot.spent
    if spent is None or item.kind is not CostKind.INSTANCE:
        return None
    run = spent.runs.get((str(item.kind), item.region, item.id))
    return run.usd if run is not None and run.whole else None
