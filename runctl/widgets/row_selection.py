"""Which row is meant: the cursor and the marks of a table, by row id, and the keys that move them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from textual.binding import BindingType
from textual.geometry import Region
from textual.message import Message
from textual.reactive import var
from textual.scroll_view import ScrollView

from runctl.keymap import Scope, bindings_for

T = TypeVar("T")


class RowSelection(ScrollView, Generic[T], can_focus=True):
    """The cursor and the marks; `VirtualTable` draws them.

    Args:
        row_id: the identity of a row.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Scope.TABLE)]

    marks: var[frozenset[str]] = var(frozenset(), init=False)

    class RowHighlighted(Message):
        """The cursor is on another row, or on none."""

        def __init__(self, table: RowSelection[Any], row_id: str | None) -> None:
            super().__init__()
            self.table, self.row_id = table, row_id

        @property
        def control(self) -> RowSelection[Any]:
            """The table it came from."""
            return self.table

    class RowOpened(RowHighlighted):
        """Enter or a double click on a row."""

    class MarksChanged(RowHighlighted):
        """The set of marked rows changed."""

    def __init__(
        self, row_id: Callable[[T], str], *, id: str | None = None, classes: str | None = None
    ) -> None:  # Textual's own name
        super().__init__(id=id, classes=classes)
        self._row_id = row_id
        self._rows: Sequence[T] = ()
        self._index: dict[str, int] | None = None
        self._cursor = 0
        self._cursor_id: str | None = None
        self._lost: str | None = None  # where the cursor was before there were no rows at all
        self._range_from: str | None = None
        self._chosen = False  # until a person moves the cursor it stays on the first row, whatever arrives above

    @property
    def rows(self) -> Sequence[T]:
        """The rows in their order."""
        return self._rows

    @property
    def cursor_id(self) -> str | None:
        """Id of the row under the cursor, None when there is none."""
        return self._cursor_id

    @property
    def cursor_row(self) -> T | None:
        """The row under the cursor."""
        return self._rows[self._cursor] if self._rows else None

    def marked_rows(self) -> list[T]:
        """The marked rows that are shown, in their order."""
        return [r for r in self._rows if self._row_id(r) in self.marks] if self.marks else []

    def _place_cursor(self) -> None:
        before = self._cursor_id
        if not self._rows:
            self._lost, self._cursor, self._cursor_id = before or self._lost, 0, None
        else:
            self._find_cursor(before or self._lost)
            self._lost, self._cursor_id = None, self._row_id(self._rows[self._cursor])
        if self._cursor_id != before:
            self.post_message(self.RowHighlighted(self, self._cursor_id))

    def _find_cursor(self, row_id: str | None) -> None:
        if not self._chosen:
            self._cursor = 0
        elif row_id is None or not self._at(self._cursor, row_id):
            found = self._where().get(row_id or "")
            self._cursor = min(self._cursor, len(self._rows) - 1) if found is None else found

    def _at(self, index: int, row_id: str) -> bool:
        return index < len(self._rows) and self._row_id(self._rows[index]) == row_id

    def _where(self) -> dict[str, int]:
        if self._index is None:
            self._index = {self._row_id(row): n for n, row in enumerate(self._rows)}
        return self._index

    # -- moving --------------------------------------------------------------------------------------------------------

    def _go(self, index: int) -> None:
        if not self._rows:
            return
        self._chosen = True
        old, self._cursor = self._cursor, max(0, min(len(self._rows) - 1, index))
        self._cursor_id = self._row_id(self._rows[self._cursor])
        if old != self._cursor:
            self._repaint_rows((old, self._cursor))
            self.post_message(self.RowHighlighted(self, self._cursor_id))
        self._reveal()

    def go_to(self, row_id: str) -> bool:
        """Put the cursor on a row; False when it is not shown."""
        found = self._where().get(row_id)
        if found is not None:
            self._go(found)
        return found is not None

    def _hold(self, line: int) -> None:
        """After a refresh: the cursor's row is on the line it was on, so that nothing moves under a reader's eyes.

        At the top the first rows stay in view instead: what is worst comes first, and may be new.
        """
        if self.scroll_offset.y and 0 <= line < self.size.height - 1:
            self.scroll_to(y=max(0, self._cursor - line), animate=False, force=True)
            self._reveal()

    def _reveal(self) -> None:
        top, page = self.scroll_offset.y, max(1, self.size.height - 1)
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False, force=True)
        elif self._cursor >= top + page:
            self.scroll_to(y=self._cursor - page + 1, animate=False, force=True)

    def _repaint_rows(self, indexes: Iterable[int]) -> None:
        lines = (index - self.scroll_offset.y + 1 for index in indexes)
        self._repaint_lines(y for y in lines if 1 <= y < self.size.height)

    def _repaint_lines(self, lines: Iterable[int]) -> None:
        if changed := [Region(0, y, self.size.width, 1) for y in lines]:
            self.refresh(*changed)

    def action_move(self, lines: int) -> None:
        """Some rows down, or up when negative."""
        self._go(self._cursor + lines)

    def action_page(self, pages: float) -> None:
        """A share of a page down or up."""
        page = max(1, self.size.height - 1)
        self._go(self._cursor + int(pages * page))

    def action_first(self) -> None:
        """The first row."""
        self._go(0)

    def action_last(self) -> None:
        """The last row."""
        self._go(len(self._rows) - 1)

    def action_sideways(self, cells: int) -> None:
        """Scroll sideways where there is more to see."""
        self.scroll_relative(x=cells, animate=False)

    def action_open(self) -> None:
        """Open the row under the cursor."""
        if self._cursor_id is not None:
            self.post_message(self.RowOpened(self, self._cursor_id))

    # -- marking -------------------------------------------------------------------------------------------------------

    def watch_marks(self) -> None:
        """Repaint and tell."""
        self.refresh()
        self.post_message(self.MarksChanged(self, self._cursor_id))

    def action_mark(self) -> None:
        """Mark the row, or take its mark, and go down one."""
        if self._cursor_id is not None:
            self._chosen = True
            self.marks = self.marks ^ {self._cursor_id}
            self.action_move(1)

    def action_mark_range(self) -> None:
        """First call: remember the row. Second: mark everything between."""
        start = self._where().get(self._range_from or "")
        if start is None:
            self._range_from = self._cursor_id
            return
        low, high = sorted((start, self._cursor))
        self.marks = self.marks | {self._row_id(r) for r in self._rows[low : high + 1]}
        self._range_from = None

    def action_mark_all(self) -> None:
        """Mark every row that is shown."""
        self.marks = self.marks | {self._row_id(r) for r in self._rows}

    def action_unmark(self) -> None:
        """Forget all marks."""
        self._range_from = None
        self.marks = frozenset()
