"""Cost: everything that bills now, dearest first, with the reason why it still exists; or totals by owner and so on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Static

from runctl.keymap import Scope, bindings_for
from runctl.models.billed import Billed
from runctl.models.cost import CostItem, CostKind
from runctl.models.snapshot import Snapshot, Source
from runctl.screens.base import FleetScreen
from runctl.screens.cells import Cell, Detail, Spec, age, money, name_or_id, number, outside, plain
from runctl.screens.cells import row as row_of
from runctl.screens.desk import Desk
from runctl.screens.money_view import (
    act_keys,
    billed_text,
    budget_cell,
    burn_plot,
    figure_pieces,
    key_cell,
    since_start,
    waste_line,
    waste_rows,
)
from runctl.screens.noun import Noun, Resource
from runctl.screens.view import NO_FILTER, Choice
from runctl.store.costs import cost_items, is_waste
from runctl.store.fields import COST_FIELDS, Context
from runctl.store.select import budgets
from runctl.store.totals import GROUPINGS, TOTAL_FIELDS, Total, totals
from runctl.store.waste import Waste, find_waste
from runctl.theme import ASCII
from runctl.widgets.curve import CurveView
from runctl.widgets.detail import Section
from runctl.widgets.line import Line, Piece

#: What `t` goes through; "" is the single items.
CYCLE = ("", *GROUPINGS)
#: Below this height the rows need the room of the curve.
CURVE_FROM_ROWS = 22
_RAW_KINDS = {CostKind.INSTANCE: "instance", CostKind.VOLUME: "volume", CostKind.SNAPSHOT: "snapshot",
              CostKind.ADDRESS: "address", CostKind.S3: "bucket"}  # fmt: skip


def _lead(item: CostItem, context: Context) -> Cell:
    return plain("▲", "warn") if is_waste(item, context) else plain(" ")


def _rate(item: CostItem, _context: Context) -> Cell:
    small = item.usd_per_hour is not None and item.usd_per_hour < 0.1
    return money(item.usd_per_hour, decimals=4 if small else 2, hot=5.0, suffix="s" if item.market == "spot" else " ")


def _why(item: CostItem, context: Context) -> Cell:
    return outside(item.reason, "warn" if is_waste(item, context) else "")


def _run(item: CostItem, context: Context) -> Cell:
    return (("$", "money"), *money(since_start(item, context)))


COLUMNS: tuple[Spec[CostItem], ...] = (
    Spec("", "", 1, _lead),
    Spec("name", "NAME", 21, lambda i, c: name_or_id(i.name, i.id)),
    Spec("kind", "KIND", 8, lambda i, c: plain(str(i.kind), "muted"), keep=50),
    Spec("usd_per_hour", "$/H", 8, _rate, right=True),
    Spec("usd_per_month", "$/MO", 10, lambda i, c: money(i.usd_per_month), right=True, keep=60),
    Spec("reason", "WHY", 20, _why, flex=True),
    Spec("type", "TYPE", 13, lambda i, c: outside(i.type), keep=40),
    Spec("owner", "OWNER", 10, lambda i, c: outside(i.owner or ""), keep=30),
    Spec("region", "REGION", 11, lambda i, c: outside(i.region), keep=20),
    Spec("project", "PROJECT", 12, lambda i, c: outside(i.project or ""), keep=15),
    Spec("id", "ID", 21, lambda i, c: plain(i.id, "muted"), keep=10),
)


def cost_detail(item: CostItem, context: Context) -> Detail:
    """One thing that bills."""
    since = (*age(item.since, context), (" ago", "muted")) if item.since else plain("not known", "muted")
    facts = (
        row_of("id", plain(item.id)),
        row_of("is", plain(f"{item.kind} {item.type}".strip())),
        row_of("where", outside(item.region)),
        row_of("why", _why(item, context)),
        row_of("since", since),
        row_of("owner", outside(item.owner)),
        row_of("project", outside(item.project)),
    )
    hour = item.usd_per_hour
    sums = (
        row_of("an hour", (("$", "money"), *money(hour, 4))),
        row_of("a day", (("$", "money"), *money(None if hour is None else hour * 24))),
        row_of("a month", (("$", "money"), *money(item.usd_per_month))),
        *([row_of("this run", _run(item, context))] if item.kind is CostKind.INSTANCE else []),
    )
    return (Section("", facts), Section("Money", sums))


def _unpriced(total: Total, _context: Context) -> Cell:
    return plain(f"+{total.unpriced} unpriced", "warn") if total.unpriced else plain("")


TOTAL_COLUMNS: tuple[Spec[Total], ...] = (
    Spec("name", "NAME", 24, lambda t, c: outside(t.name), flex=True),
    Spec("items", "ITEMS", 6, lambda t, c: number(t.items), right=True),
    Spec("usd_per_hour", "$/H", 9, lambda t, c: money(t.usd_per_hour, hot=5.0), right=True),
    Spec("usd_per_month", "$/MO", 11, lambda t, c: money(t.usd_per_month), right=True, keep=60),
    Spec("wasted_usd_per_hour", "WASTED $/H", 10, lambda t, c: money(t.wasted_usd_per_hour), right=True, keep=70),
    Spec("unpriced", "", 13, _unpriced, keep=80),
)


def total_detail(total: Total, _context: Context) -> Detail:
    """A total."""
    lines = (
        row_of("items", number(total.items)),
        row_of("an hour", (("$", "money"), *money(total.usd_per_hour))),
        row_of("a month", (("$", "money"), *money(total.usd_per_month))),
        row_of("wasted", (("$", "money"), *money(total.wasted_usd_per_hour), (" an hour", ""))),
    )
    return (Section(total.name, lines),)


COST: Noun[Any] = Noun(
    name="cost",
    word=("thing that bills", "things that bill"),
    fields=COST_FIELDS,
    sources=(Source.INSTANCES, Source.VOLUMES, Source.SNAPSHOTS, Source.ADDRESSES),
    rows=cost_items,
    columns=COLUMNS,
    detail=cost_detail,
    identify=lambda i: f"{i.kind} {i.region} {i.id}",
    resource=lambda i: Resource(_RAW_KINDS[i.kind], i.region, i.id),
    title=lambda i: i.name or i.id,
    sort="usd_per_hour",
    descending=True,
    empty="nothing bills in {regions}",
)
TOTALS: Noun[Any] = Noun(
    name="cost",
    word=("total", "totals"),
    fields=TOTAL_FIELDS,
    sources=COST.sources,
    rows=lambda c: (),
    columns=TOTAL_COLUMNS,
    detail=total_detail,
    identify=lambda t: t.name,
    resource=lambda t: None,
    title=lambda t: t.name,
    sort="usd_per_hour",
    descending=True,
    empty="nothing bills in {regions}",
)


class CostScreen(FleetScreen[Any]):
    """What bills."""

    NOUN = COST
    SCOPE = Scope.COST
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Scope.COST)]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._by = ""
        self._span = "day"
        self._found: tuple[Snapshot, tuple[Waste, ...]] | None = None

    def compose_top(self) -> ComposeResult:
        """Four figures, and the burn curve."""
        yield Line(id="figures")
        yield CurveView(ascii_only=self.signs is ASCII, id="curve")

    def compose_bottom(self) -> ComposeResult:
        """Waste and budgets."""
        yield Static("", id="below", markup=False)

    def items(self) -> Sequence[Any]:
        """Single items, or totals."""
        single = cost_items(self.context)
        return totals(single, self._by, self.context) if self._by else single

    def show_lines(self) -> None:
        """The figures above the rows, from the same snapshot."""
        super().show_lines()
        pieces = figure_pieces(self._figures(), self.context, self.signs)
        self.query_one("#figures", Line).show(
            [*pieces, Piece(f"by {self._by}" if self._by else "", "accent", bold=True)]
        )

    def show(self) -> None:
        """Everything, from the snapshot and the time."""
        super().show()
        self._show_curve()
        self._show_below()

    def on_resize(self) -> None:
        """Another height has other room for the curve."""
        super().on_resize()
        if self.is_mounted and self.is_current:
            self._show_curve()
            self._show_below()

    def _show_curve(self) -> None:
        """The burn curve where there is room for it."""
        view, rows = self.query_one(CurveView), self.size.height
        view.display = rows >= CURVE_FROM_ROWS
        view.styles.height = 11 if rows >= 34 else 7
        if view.display:
            view.show(burn_plot(self.snapshot.spent, self._span, self.context.now))

    def _show_below(self) -> None:
        """Waste so far, then budgets; as many as leave the rows their room."""
        lines = [self.text(waste_line(self._waste))]
        known = sorted(budgets(self.context), key=lambda b: (not b.alarms, -(b.percent or 0.0)))
        room = 5 if self.size.height >= 34 else 2
        lines += [self.text(budget_cell(line, self.signs)) for line in known[:room]]
        if len(known) > room:
            lines.append(self.text(plain(f" {len(known) - room} more: runctl cost budgets", "muted")))
        below = self.query_one("#below", Static)
        below.update(Text("\n").join(lines))

    @property
    def _waste(self) -> tuple[Waste, ...]:
        """What is wasted, reckoned once a snapshot."""
        if self._found is None or self._found[0] is not self.snapshot:
            self._found = (self.snapshot, find_waste(self.context))
        return self._found[1]

    def sections(self, row: Any) -> Sequence[Section]:
        """The row, with what it has wasted."""
        made = [*super().sections(row)]
        if isinstance(row, CostItem) and (more := waste_rows(row, self._waste, self.context.now)):
            made.append(Section("Waste", tuple(row_of(key, cell) for key, cell in more)))
        return made

    def _specs(self) -> tuple[Spec[Any], ...]:
        """The columns; beside single items the key that acts on them, lit where it ends waste."""
        specs = super()._specs()
        if self._by:
            return specs
        keys = act_keys(self._waste, self.desk.keymap)
        key: Spec[CostItem] = Spec("", "KEY", 3, lambda i, _: key_cell(i, keys, self.desk.keymap), keep=55)
        at = next(n for n, spec in enumerate(specs) if spec.name == "reason") + 1
        return (*specs[:at], key, *specs[at:]) if keys else specs

    def action_span(self) -> None:
        """The last day, or the last week."""
        self._span = "week" if self._span == "day" else "day"
        self._show_curve()

    def action_billed(self) -> None:
        """The bill of this month beside the ledger's figures; asks Cost Explorer, which has to be allowed."""
        now = self.desk.clock.now()
        if not self.desk.settings.cost.allow_paid_apis:
            allow = "allow it with cost.allow_paid_apis = true (then at most once in 6 hours)"
            self.notify(f"Cost Explorer bills $0.01 a page; {allow}", markup=False, timeout=12)
            return
        self.notify("asking Cost Explorer: $0.01 a page, kept for 6 hours", markup=False)

        def answered(billed: Billed) -> None:
            self.app.push_screen(self._read("billed", billed_text(billed, self.snapshot.spent, now)))

        self.desk.ask(
            lambda backend: backend.fetch_billed(now),
            answered,
            lambda error: self.notify(f"{error}; {error.hint}", severity="error", markup=False, timeout=15),
        )

    def action_group(self) -> None:
        """Totals by the next field, then single items again."""
        self._group(CYCLE[(CYCLE.index(self._by) + 1) % len(CYCLE)])

    def _group(self, by: str) -> None:
        self._by = by
        self.noun = TOTALS if by else COST
        self.choice = Choice("usd_per_hour", True, NO_FILTER, place=by)
        self.show_columns()
        self.choose(self.choice)

    def open_row(self, row: Any) -> None:
        """A total opens into its items."""
        if not isinstance(row, Total):
            super().open_row(row)
            return
        by, name = self._by, row.name
        self._group("")
        if name != "?":
            quoted = f'"{name}"' if " " in name or "|" in name else name
            self.action_filter_by(f"{by}:{quoted}")

    def restore(self, choice: Choice) -> None:
        """A view from the history, with its grouping."""
        if choice.place != self._by:
            self._by = choice.place
            self.noun = TOTALS if choice.place else COST
            self.choice = choice
            self.show_columns()
        super().restore(choice)

    def step_back(self) -> bool:
        """Filter first, then the single items."""
        if super().step_back():
            return True
        if not self._by:
            return False
        self._group("")
        return True
