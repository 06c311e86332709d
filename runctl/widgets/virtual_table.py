"""A table that draws only the lines on screen, over an immutable sequence of rows.

Swapping ten thousand rows costs what a screenful costs. Cursor and marks belong to row ids (`RowSelection`), so that a
refresh, a sort or a filter never moves them to another row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.cache import LRUCache
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import Reactive
from textual.strip import Strip

from runctl.theme import UNICODE, Glyphs
from runctl.widgets.columns import GAP, GUTTER, Column, cell_segments, fit_cell, fit_columns
from runctl.widgets.row_selection import RowSelection

T = TypeVar("T")


@dataclass(slots=True)
class _Drawn:
    """A row as it was drawn: out of what, the line, and the edition of the rows in which that was last looked at."""

    says: tuple[object, ...] | None = None
    strip: Strip = field(default_factory=lambda: Strip([]))
    edition: int = -1


class VirtualTable(RowSelection[T]):
    """Rows by id, drawn line by line.

    Args:
        row_id: the identity of a row.
        signs: the characters of marks and arrows.
    """

    DEFAULT_CSS = """
    VirtualTable {
        height: 1fr; background: $background; color: $foreground;
        overflow-y: scroll; overflow-x: auto; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0;
    }
    """

    #: How many rows there are changes nothing around them, so a letter of the filter lays nothing out anew.
    virtual_size = Reactive(Size(0, 0))

    class HeadingClicked(Message):
        """A heading was clicked: sort by it."""

        def __init__(self, column: str) -> None:
            super().__init__()
            self.column = column

    def __init__(
        self, row_id: Callable[[T], str], *, signs: Glyphs = UNICODE, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(row_id, id=id, classes=classes)
        self._signs = signs
        self._columns: Sequence[Column[T]] = ()
        self._fitted: list[tuple[Column[T], int]] = []
        self._sorted_by: tuple[str, bool] = ("", False)
        self._notice: Text | None = None
        self._notice_lines: tuple[int, list[Text]] | None = None
        self._wide = False
        self._painting: Style | None = None
        self._heads: dict[tuple[Any, ...], Strip] = {}
        self._strips: LRUCache[tuple[Any, ...], _Drawn] = LRUCache(1000)
        self._edition = 0
        self._lines: dict[int, Strip] = {}  # the row painted on each line of the widget

    # -- what is shown -------------------------------------------------------------------------------------------------

    def set_columns(self, columns: Sequence[Column[T]], *, sorted_by: str = "", descending: bool = False) -> None:
        """Choose the columns and say which one orders the rows."""
        self._columns, self._sorted_by = tuple(columns), (sorted_by, descending)
        self._refit()

    def set_wide(self, wide: bool) -> None:
        """Show every column and scroll sideways, or only those that fit."""
        self._wide = wide
        self.set_class(wide, "-wide")
        self.scroll_to(x=0, animate=False)
        self._refit()

    def set_notice(self, notice: Text | None) -> None:
        """Text in place of rows: why there are none, and what to do."""
        if notice != self._notice:
            self._notice, self._notice_lines = notice, None
            self.refresh()

    def set_rows(self, rows: Sequence[T]) -> None:
        """Swap the rows; the cursor stays on its row, or on its place when the row is gone.

        Only lines that say something else are painted again.
        """
        line, before = self._cursor - self.scroll_offset.y, self._rows
        self._rows, self._index = rows, None
        self._edition += 1
        self._place_cursor()
        self._resize_virtual()
        self._hold(line)
        if before and rows:
            self._repaint_lines(y for y in range(1, self.size.height) if self._line(y) is not self._lines.get(y))
        else:
            self.refresh()

    def _refit(self) -> None:
        available = 10_000 if self._wide else self.scrollable_content_region.width
        fitted = fit_columns(self._columns, available)
        self._fitted = [(c, c.width) for c, _ in fitted] if self._wide else fitted
        self._forget()
        self._resize_virtual()
        self.refresh()

    def _resize_virtual(self) -> None:
        width = GUTTER + sum(w + GAP for _, w in self._fitted) if self._wide else 0
        size = Size(max(width, self.scrollable_content_region.width), len(self._rows) + 1)
        if size.width != self.virtual_size.width:  # a scrollbar below may come or go
            self.refresh(layout=True)
        self.virtual_size = size

    def watch_virtual_size(self, size: Size) -> None:
        """What laying out would do: the scrollbar's length, and an offset that exists."""
        if self.is_attached and self.size:
            self.vertical_scrollbar.window_virtual_size = size.height
            self.scroll_y = self.validate_scroll_y(self.scroll_y)

    def _forget(self) -> None:
        """Other columns or colours: nothing is as it was drawn."""
        self._heads.clear()
        self._strips.clear()

    def on_resize(self) -> None:
        """Another width: other columns fit."""
        self._refit()
        self._reveal()

    def notify_style_update(self) -> None:
        """Another theme: every strip has other colours."""
        self._forget()
        super().notify_style_update()

    # -- drawing -------------------------------------------------------------------------------------------------------

    @property
    def _ground(self) -> Style:
        """The widget's own style; walking up the tree for it once a line would be a tenth of a paint."""
        return self._painting or self.rich_style

    def render_lines(self, crop: Region) -> list[Strip]:
        """Many lines, in one style."""
        self._painting = self.rich_style
        try:
            return super().render_lines(crop)
        finally:
            self._painting = None

    def render_line(self, y: int) -> Strip:
        """One line of the widget: the headings, a row, or a line of the notice."""
        width = self.size.width
        offset = self.scroll_offset.x
        if y == 0:
            strip = self._heading()
        elif not self._rows:
            return self._notice_line(y - 1, width)
        else:
            row = self._line(y)
            if row is None:
                self._lines.pop(y, None)
                return Strip.blank(width, self._ground)
            strip = self._lines[y] = row
        return strip.crop_extend(offset, offset + width, strip_style(strip, self._ground))

    def _line(self, y: int) -> Strip | None:
        """The row on a line of the widget, None below the last."""
        index = y - 1 + self.scroll_offset.y
        return self._row_strip(index) if index < len(self._rows) else None

    def _heading(self) -> Strip:
        key = (self._sorted_by, self.size.width, self._wide)
        if key not in self._heads:
            name, descending = self._sorted_by
            line = Text(" " * GUTTER)
            for column, width in self._fitted:
                arrow = (self._signs.down if descending else self._signs.up) if name and column.name == name else ""
                line.append(fit_cell(Text(column.label + arrow), width, column.align, self._signs))
                line.append(" " * GAP)
            line.stylize(Style(bold=True, underline=False))
            self._heads[key] = self._strip(line, self._ground)
        return self._heads[key]

    def _row_strip(self, index: int) -> Strip:
        row = self._rows[index]
        row_id = self._row_id(row)
        under, marked = index == self._cursor, row_id in self.marks
        aside = under and self.has_class("-aside")  # another list has the keys: only bold says where the cursor is
        key = (row_id, under, aside, marked)
        drawn = self._strips.get(key)
        if drawn is None:
            drawn = self._strips[key] = _Drawn()
        if drawn.edition != self._edition:
            says = tuple([column.said(row) for column, _ in self._fitted])
            if drawn.says != says:
                drawn.says, drawn.strip = (
                    says,
                    self._drawn(row, self._row_style(under and not aside, marked or aside), marked),
                )
            drawn.edition = self._edition
        return drawn.strip

    def _drawn(self, row: T, style: Style, marked: bool) -> Strip:
        segments = [Segment(self._signs.mark if marked else " ", style)]
        for column, width in self._fitted:
            segments += cell_segments(column.render(row), width, column.align, style, self._style_of, signs=self._signs)
        return Strip(segments)

    def _style_of(self, style: str | Style) -> Style:
        return style if isinstance(style, Style) else self.app.console.get_style(style)

    def _row_style(self, under: bool, marked: bool) -> Style:
        style = self._ground
        if under:
            ground = self.app.theme_variables.get("cursor-ground", "")
            ansi = ground.startswith("ansi_")
            # Reverse says where the cursor is when there are no colours of our own to say it with.
            style += Style(reverse=True) if ansi or self.app.no_color else Style(bgcolor=ground or None)
            style += Style(bold=True)
        return style + Style(bold=True) if marked else style

    def _strip(self, line: Text, base: Style) -> Strip:
        segments = [
            Segment(s.text, base + s.style if s.style else base)
            for s in line.render(self.app.console, end="")
            if s.text
        ]
        return Strip(segments)

    def _notice_line(self, y: int, width: int) -> Strip:
        if self._notice_lines is None or self._notice_lines[0] != width:
            wrapped = list(self._notice.wrap(self.app.console, max(10, width - 4))) if self._notice else []
            self._notice_lines = (width, wrapped)
        lines, top = self._notice_lines[1], 1
        if not top <= y < top + len(lines):
            return Strip.blank(width, self._ground)
        line = Text("  ")
        line.append_text(lines[y - top])
        return self._strip(line, self._ground).adjust_cell_length(width, self._ground)

    # -- the mouse -----------------------------------------------------------------------------------------------------

    def on_click(self, event: events.Click) -> None:
        """A heading sorts, a row takes the cursor, twice opens."""
        if event.y == 0:
            self._click_heading(event.x + self.scroll_offset.x)
            return
        index = event.y - 1 + self.scroll_offset.y
        if index < len(self._rows):
            self._go(index)
            if event.chain == 2:
                self.action_open()

    def _click_heading(self, x: int) -> None:
        at = GUTTER
        for column, width in self._fitted:
            if at <= x < at + width:
                self.post_message(self.HeadingClicked(column.name))
                return
            at += width + GAP


def strip_style(strip: Strip, fallback: Style) -> Style:
    """The style the rest of a line continues with: that of its last cell, so that the cursor reaches the edge."""
    segments = list(strip)
    last = segments[-1].style if segments else None
    return Style(bgcolor=last.bgcolor, reverse=last.reverse) + fallback.without_color if last else fallback
