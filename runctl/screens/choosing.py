"""Which rows, in which order, on how much of the screen: filter, sort, waste only, wide, zoom, and one step back."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from textual import on
from textual.message import Message

from runctl.errors import InputError
from runctl.screens import modals
from runctl.screens.table_screen import TableScreen
from runctl.screens.view import Choice
from runctl.store.fields import Kind
from runctl.widgets.filter_bar import FilterBar
from runctl.widgets.line import Line
from runctl.widgets.row_selection import RowSelection
from runctl.widgets.virtual_table import VirtualTable

T = TypeVar("T")
_BIGGEST_FIRST = (Kind.MONEY, Kind.NUMBER, Kind.BYTES, Kind.PERCENT, Kind.SECONDS)


class ChoosingScreen(TableScreen[T]):
    """The keys that change how rows are looked at; they change nothing else."""

    class Moved(Message):
        """Another way of looking at the rows was chosen; `[` comes back to the one before."""

        def __init__(self, choice: Choice) -> None:
            super().__init__()
            self.choice = choice

    def choose(self, choice: Choice, *, remember: bool = True) -> None:
        """Look at the rows another way."""
        reordered = (choice.sort, choice.descending) != (self.choice.sort, self.choice.descending)
        self.choice = choice
        if reordered:
            self.show_columns()
        self.show()
        if remember:
            self.post_message(self.Moved(choice))

    def restore(self, choice: Choice) -> None:
        """A view from the history."""
        self.query_one(FilterBar).set_text(choice.filter.text)
        self.choose(choice, remember=False)

    def step_back(self) -> bool:
        """One step back within the screen; False when there is none."""
        if self.has_class("-zoom-table") or self.has_class("-zoom-detail"):
            self.remove_class("-zoom-table", "-zoom-detail")
        elif self.choice.filter.text or self.query_one(FilterBar).text:
            self.action_filter_by("")
        elif self.choice.waste_only:
            self.choose(replace(self.choice, waste_only=False))
        else:
            return False
        return True

    # -- filter --------------------------------------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Open the filter line."""
        self.query_one(FilterBar).open()

    def action_filter_by(self, text: str) -> None:
        """Filter without the line; an error is said and changes nothing."""
        from runctl.store.filter import parse_filter

        try:
            compiled = parse_filter(text, self.noun.fields)
        except InputError as error:
            self.notify(f"{error.message}; {error.hint}", severity="error", markup=False)
            return
        bar = self.query_one(FilterBar)
        with bar.prevent(FilterBar.Changed):
            bar.set_text(text)
        self.choose(replace(self.choice, filter=compiled))

    @on(FilterBar.Changed)
    def _filter_typed(self, event: FilterBar.Changed) -> None:
        """At every key: a valid filter applies at once, an invalid one keeps the rows and says why."""
        if event.text == self.choice.filter.text:
            return
        from runctl.store.filter import parse_filter

        try:
            compiled = parse_filter(event.text, self.noun.fields)
        except InputError as error:
            self.query_one(FilterBar).verdict(error.message, valid=False)
            return
        self.choose(replace(self.choice, filter=compiled), remember=False)

    @on(FilterBar.Closed)
    def _filter_done(self) -> None:
        self.table.focus()
        self.post_message(self.Moved(self.choice))

    # -- order ---------------------------------------------------------------------------------------------------------

    def action_sort(self) -> None:
        """Pick the field to sort by."""
        names = self.noun.sortable()
        options = [modals.Option(name, label, name) for name, label in names.items()]
        present = self.choice.sort or self.noun.sort
        self.app.push_screen(modals.PickModal("sort by", options, present=present), self._sorted)

    def _sorted(self, picked: tuple[str, ...] | None) -> None:
        if picked:
            self.action_sort_by(picked[0], "")

    def action_sort_by(self, name: str, order: str) -> None:
        """Sort by a field; without an order the biggest or the first letter comes first."""
        known = self.noun.fields.by_name.get(name)
        if known is None or known.kind is Kind.OBJECT:
            allowed = ", ".join(self.noun.sortable())
            self.notify(f"no column {name!r}; allowed: {allowed}", severity="error", markup=False)
            return
        descending = order == "desc" if order else known.kind in _BIGGEST_FIRST
        self.choose(replace(self.choice, sort=known.name, descending=descending))

    def action_sort_flip(self) -> None:
        """Turn the order round."""
        self.choose(replace(self.choice, descending=not self.choice.descending))

    def action_sort_move(self, step: int) -> None:
        """Sort by the neighbour of the present column."""
        names = [spec.name for spec in self.noun.columns if spec.name in self.noun.sortable()]
        at = names.index(self.choice.sort) if self.choice.sort in names else 0
        self.action_sort_by(names[(at + step) % len(names)], "")

    @on(VirtualTable.HeadingClicked)
    def _heading_clicked(self, event: VirtualTable.HeadingClicked) -> None:
        if event.column == self.choice.sort:
            self.action_sort_flip()
        elif event.column in self.noun.sortable():
            self.action_sort_by(event.column, "")

    # -- how much is seen ----------------------------------------------------------------------------------------------

    def action_waste_only(self) -> None:
        """Only what is idle or wasted; again for all."""
        self.choose(replace(self.choice, waste_only=not self.choice.waste_only))

    def action_wide(self) -> None:
        """All columns, or those that fit."""
        self._wide = not self._wide
        self.table.set_wide(self._wide)

    def action_zoom(self) -> None:
        """The table alone, the detail alone, both again."""
        if not self.has_class("-beside"):
            self.notify("below 110 columns there is only one pane; d opens the detail", markup=False)
        elif self.has_class("-zoom-table"):
            self.remove_class("-zoom-table")
            self.add_class("-zoom-detail")
        elif self.has_class("-zoom-detail"):
            self.remove_class("-zoom-detail")
        else:
            self.add_class("-zoom-table")

    @on(RowSelection.RowHighlighted)
    def _cursor_moved(self, event: RowSelection.RowHighlighted) -> None:
        if isinstance(event, RowSelection.RowOpened):
            return
        self.show_detail()
        self.show_keys()

    @on(RowSelection.MarksChanged)
    def _marks_changed(self) -> None:
        self.show_lines()

    @on(Line.Clicked)
    async def _line_clicked(self, event: Line.Clicked) -> None:
        await self.run_action(event.action)

    def on_resize(self) -> None:
        """The detail may have come or gone with the width."""
        self.call_after_refresh(self._resized)

    def _resized(self) -> None:
        if self.is_current:
            self.show_detail()
            self.show_keys()
