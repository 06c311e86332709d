"""One screen over one kind of row: strip, tabs, filter line, table, detail, status, keys.

It shows a snapshot, and only while somebody is looking at it; a hidden screen does nothing and catches up when shown.
How a person chooses which rows is in `choosing`, what can be done with one in `base`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Generic, TypeVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.reactive import var
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from runctl.keymap import Scope, Situation, bindings_for
from runctl.models.snapshot import EMPTY, Snapshot
from runctl.screens.cells import Cell, Spec, to_ascii, to_text
from runctl.screens.desk import Desk
from runctl.screens.noun import Noun
from runctl.screens.status import headline, status_pieces, tabs, whereabouts
from runctl.screens.view import Arranger, Choice, Shown, is_signed_out, notice
from runctl.store.fields import Context, still_folded
from runctl.store.select import PanelStatus, Summary, panel_status, summary
from runctl.theme import ASCII, glyphs, setting_of, tokens
from runctl.widgets.columns import Column
from runctl.widgets.detail import Detail, Row, Section
from runctl.widgets.filter_bar import FilterBar
from runctl.widgets.line import Piece
from runctl.widgets.lines import KeyFooter, StatusLine, TabStrip
from runctl.widgets.money_strip import MoneyStrip
from runctl.widgets.virtual_table import VirtualTable

T = TypeVar("T")
#: What has to be there before anything is shown.
_PARTS = ("strip", "tabs", "filter", "table", "detail", "status", "footer")
#: Ages are counted on this often, by turns above and below the table, so each once a second.
TICK_S = 0.5
#: Cells that show durations are drawn again at least this often, also when nothing arrives.
REDRAW_S = 30.0
_WIDTHS = [(0, "-tiny"), (60, "-narrow"), (110, "-beside")]
_HEIGHTS = [(0, "-low"), (15, "-tall")]


class Body(Horizontal):
    """Table and detail side by side; they cover it."""

    BLANK = True


class TableScreen(Screen[None], Generic[T]):
    """Rows of one noun; see the module.

    Args:
        desk: what the application lends.
    """

    NOUN: ClassVar[Noun[Any]]
    SCOPE: ClassVar[Scope]
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Scope.LIST)]
    CSS_PATH = "fleet.tcss"
    AUTO_FOCUS = "#table"
    BLANK = True  # its parts cover it, so its own lines need not be made one by one: a sixth of the first picture
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS

    snapshot: var[Snapshot] = var(EMPTY, init=False)

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.noun: Noun[Any] = self.NOUN
        self.heard = (Scope.GLOBAL, Scope.LIST, Scope.TABLE, self.SCOPE)  # whose keys are shown
        self.hints: Sequence[Piece] = ()  # what else the status line says, where there is room
        self.choice = Choice(self.noun.sort, self.noun.descending)
        self.context = Context(desk.clock.now(), settings=desk.settings)
        self.shown: Shown[Any] = Shown((), 0)
        self._arranger: Arranger[Any] = Arranger()
        self.signs = glyphs(desk.settings.ui.ascii)
        self._summary: tuple[Snapshot, Summary] | None = None
        self._drawn_at = 0.0
        self._shown_specs: tuple[Spec[Any], ...] = ()
        self._wide = desk.settings.ui.wide
        self._parts: tuple[Widget, ...] = ()
        self._above = False

    # -- layout --------------------------------------------------------------------------------------------------------

    def fit(self, width: int, height: int) -> None:
        """Take the shape for a window before the first picture, which else would be drawn in another one first."""
        for cells, shapes in ((width, _WIDTHS), (height, _HEIGHTS)):
            self.add_class(next(shape for at_least, shape in reversed(shapes) if cells >= at_least))

    def compose(self) -> ComposeResult:
        """Top to bottom."""
        yield MoneyStrip(id="strip")
        yield TabStrip(id="tabs")
        yield from self.compose_top()
        yield FilterBar(id="filter")
        with Body(id="body"):
            yield from self.compose_left()
            yield VirtualTable[Any](self.identify, signs=self.signs, id="table")
            yield Detail(id="detail")
        yield from self.compose_bottom()
        status = StatusLine(id="status")
        status.GAP = f" {self.signs.dot} "
        yield status
        yield KeyFooter(id="footer")
        yield Static("runctl needs 60 columns and 15 lines\nmake the window larger, or: runctl --once", id="small")

    def compose_top(self) -> ComposeResult:
        """What a screen has between the tabs and the table; nothing as a rule."""
        return ()

    def compose_left(self) -> ComposeResult:
        """What a screen has to the left of the table; nothing as a rule."""
        return ()

    def compose_bottom(self) -> ComposeResult:
        """What a screen has between the table and the status line; nothing as a rule."""
        return ()

    @property
    def table(self) -> VirtualTable[Any]:
        """The rows."""
        return self.query_one("#table", VirtualTable)

    def identify(self, item: Any) -> str:
        """The id of a row; the noun may change while the screen lives."""
        return self.noun.identify(item)

    def on_mount(self) -> None:
        """The table as it was chosen; what it shows comes with the screen's turn, which is next."""
        self._parts = tuple(self.query_one(f"#{name}") for name in _PARTS)
        self.table.set_wide(self._wide)

    def show_columns(self) -> None:
        """Columns of the noun, and which of them orders the rows."""
        columns = [self._column(spec) for spec in self._specs()]
        self.table.set_columns(columns, sorted_by=self.choice.sort, descending=self.choice.descending)

    def _specs(self) -> tuple[Spec[Any], ...]:
        """Columns that say something: one full of question marks would only take the names' room."""
        rows = self.shown.rows
        return tuple(s for s in self.noun.columns if s.useful is None or s.useful(rows))

    def _column(self, spec: Spec[Any]) -> Column[Any]:
        label = to_ascii(spec.label) if self.signs is ASCII else spec.label
        return Column(
            spec.name,
            label,
            spec.width,
            lambda item: self.text(spec.cell(item, self.context)),
            says=lambda item: spec.cell(item, self.context),
            align="right" if spec.right else "left",
            priority=0 if spec.keep >= 100 else 100 - spec.keep,
            flex=spec.flex,
        )

    def text(self, cell: Cell) -> Text:
        """A cell in the colours and characters of the moment."""
        return to_text(cell, tokens(setting_of(self.app.theme)), ascii_only=self.signs is ASCII)

    # -- showing -------------------------------------------------------------------------------------------------------

    def _compositor_refresh(self) -> None:
        """Draw, unless updates are held back.

        While an app starts they are. Textual 8 draws all the same, throws the picture away and takes it for drawn, so
        that a start shows the parts that change afterwards first, and the whole only with the next frame.
        """
        if not self.app._batch_count:
            super()._compositor_refresh()

    @property
    def is_drawn(self) -> bool:
        """Whether there is anything to show it on: at the very end the widgets go before the screen does."""
        return self.is_mounted and bool(self._parts) and all(part.is_attached for part in self._parts)

    def watch_snapshot(self) -> None:
        """Something changed: show it if anybody looks. A screen that is being made is told what it knows already."""
        if self.snapshot is not self.context.snapshot and self.is_drawn and self.is_current:
            self.show()

    def on_screen_resume(self) -> None:
        """Somebody looks again: catch up."""
        if self.is_drawn:
            self.show()

    def items(self) -> Sequence[Any]:
        """All rows there are, before filter and order."""
        return self.noun.rows(self.context)

    def panel(self) -> PanelStatus:
        """How much to trust the rows."""
        return panel_status(self.context, self.noun.sources[0], self.desk.settings.ui.refresh_s)

    def show(self) -> None:
        """Everything, from the snapshot and the time."""
        before, self.context = self.context, Context(self.desk.clock.now(), self.snapshot, self.desk.settings)
        self._drawn_at = self.desk.clock.monotonic()
        items = self.items()
        same = before.snapshot is self.snapshot
        self.context.folded.update(before.folded if same else still_folded(before, self.noun.fields, items))
        self.shown = self._arranger.arrange(self.noun, items, self.choice, self.context)
        table = self.table
        if (specs := self._specs()) != self._shown_specs:
            self._shown_specs = specs
            self.show_columns()
        table.set_rows(self.shown.rows)
        if not self.shown.rows:
            lines = notice(self.noun, self.choice, self.shown.total, self.panel(), self.context)
            table.set_notice(Text("\n").join(self.text(line) for line in lines))
        bar = self.query_one(FilterBar)
        if bar.text == self.choice.filter.text:  # else what is typed is wrong, and stays said
            bar.verdict(f"{len(self.shown.rows)}/{self.shown.total}", valid=True)
        self.show_lines()
        self.show_detail()

    def tick(self) -> None:
        """`TICK_S` passed: ages move on; whatever did not change is not painted.

        The lines take turns, for a picture of two lines far apart costs as much as one of all that lies between them.
        """
        if not self.is_drawn or not self.is_current:
            return
        if self.desk.clock.monotonic() - self._drawn_at >= REDRAW_S:
            self.show()
            return
        self.context = replace(self.context, now=self.desk.clock.now())
        self._above = not self._above
        if self._above:
            self.show_strip(self.query_one(MoneyStrip))
        else:
            self.show_status()

    def _figures(self) -> Summary | None:
        if not self.snapshot.status:
            return None
        if self._summary is None or self._summary[0] is not self.snapshot:
            self._summary = (self.snapshot, summary(self.context))
        return self._summary[1]

    def show_lines(self) -> None:
        """The lines round the table."""
        self.show_strip(self.query_one(MoneyStrip))
        self.query_one(TabStrip).show_tabs(tabs(self.context), self.NOUN.name)
        self.show_status()
        self.show_keys()

    def show_status(self) -> None:
        """The line below the table."""
        table = self.table
        unseen = len(table.marks) - len(table.marked_rows())
        counts = (len(self.shown.rows), self.shown.total, len(table.marks), unseen)
        pieces = status_pieces(self.noun, self.choice, counts, self.panel(), self.signs)
        first = headline(self.context, self.shown.rows, newcomer=self.desk.newcomer)
        self.query_one(StatusLine).show_status(self._drawable([*first, *pieces, *self.hints]))

    def show_strip(self, strip: MoneyStrip) -> None:
        """The top line, here or on what lies over this screen."""
        place = whereabouts(self.snapshot, self.desk, self.panel(), self.desk.clock.now())
        strip.show_summary(self._figures(), place, self.signs)

    def _drawable(self, pieces: list[Piece]) -> list[Piece]:
        return [replace(p, text=to_ascii(p.text)) for p in pieces] if self.signs is ASCII else pieces

    def can_change(self, row: Any) -> bool:
        """Whether anything can be done to a row by the keys that all lists share."""
        return row is not None

    def show_keys(self) -> None:
        """The keys that matter now."""
        situation = Situation(
            has_row=self.table.cursor_id is not None,
            can_change=self.can_change(self.table.cursor_row),
            marks=len(self.table.marks),
            filtered=bool(self.choice.filter.text),
            errors=len(self.snapshot.errors),
            signed_out=is_signed_out(self.snapshot),
        )
        actions = self.desk.keymap.footer(self.heard, situation, limit=8 if self.size.width >= 110 else 6)
        self.query_one(KeyFooter).show_keys(actions, ascii_only=self.signs is ASCII)

    def show_detail(self) -> None:
        """The row under the cursor, where there is room for it."""
        if self.has_class("-beside"):
            row = self.table.cursor_row
            self.query_one(Detail).show(() if row is None else self.sections(row))

    def sections(self, row: Any) -> Sequence[Section]:
        """Everything known about a row, in the characters of the moment."""
        return self.drawable_sections(self.noun.detail(row, self.context))

    def drawable_sections(self, made: Sequence[Section]) -> Sequence[Section]:
        """Sections in the characters that can be drawn here."""
        if self.signs is not ASCII:
            return made
        return [Section(s.title, tuple(Row(r.key, to_ascii(r.value), r.token) for r in s.rows)) for s in made]
