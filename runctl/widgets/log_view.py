"""A log on screen: only the lines that are seen are read and drawn, however many there are.

What a trainer writes is untrusted: escape sequences are taken out, and a line stays a line.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.cache import LRUCache
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from runctl.format import clean_text
from runctl.theme import setting_of, tokens
from runctl.widgets.log_lines import LINE_MOST, LogLines

#: Words at which people look first.
_TROUBLE = re.compile(r"\b(?:Traceback|[A-Z]\w*Error|ERROR|FATAL|CRITICAL|Killed|out of memory)\b|\[runctl: ")


class LogView(ScrollView, can_focus=True, inherit_bindings=False):
    """Lines of a `LogLines`, the newest at the bottom while it follows."""

    DEFAULT_CSS = """
    LogView {
        height: 1fr; background: $background; color: $foreground;
        overflow-y: scroll; overflow-x: hidden; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0;
    }
    """

    class Moved(Message):
        """Other lines are in view, or it began or ended to follow."""

    class TopReached(Message):
        """The first line that is held is in view: earlier ones may be wanted."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.lines = LogLines()
        self.follow, self.wrap, self.times = True, False, False
        self.needle, self.marked = "", -1
        self.notice = ""
        self._left = 0
        self._strips: LRUCache[tuple[Any, ...], list[Strip]] = LRUCache(2000)
        self._layout: tuple[tuple[Any, ...], list[Strip]] | None = None
        self._drawn = 0

    # -- what is shown -------------------------------------------------------------------------------------------------

    def show(self, lines: LogLines) -> None:
        """Another log."""
        self.lines, self.follow, self.marked, self._left = lines, True, -1, 0
        self.redraw()

    def grown(self) -> None:
        """There are more lines at the end."""
        self._fit()
        if self.follow:
            self._to_end()
        self._layout = None
        self.refresh()

    def earlier(self, count: int) -> None:
        """There are more lines at the beginning; those in view stay where they are."""
        top = self.scroll_offset.y
        self.marked += count if self.marked >= 0 else 0
        self._strips.clear()
        self._fit()
        self.scroll_to(y=top + count, animate=False, force=True, immediate=True)
        self.refresh()

    def redraw(self) -> None:
        """Everything looks different now."""
        self._strips.clear()
        self.grown()

    def _fit(self) -> None:
        height = self.scrollable_content_region.height
        self._layout = None
        self.virtual_size = Size(self.scrollable_content_region.width, self._last_top() + height)

    def _last_top(self) -> int:
        """The line at the top when the last one is at the bottom."""
        count, height = len(self.lines), max(1, self.scrollable_content_region.height)
        if not self.wrap:
            return max(0, count - height)
        room, top = height, count
        while top > 0 and (room := room - len(self._rows(top - 1))) >= 0:
            top -= 1
        return min(top, max(0, count - 1))

    def _to_end(self) -> None:
        self.scroll_to(y=self._last_top(), animate=False, force=True, immediate=True)

    def on_resize(self) -> None:
        """Another width."""
        self.redraw()

    def notify_style_update(self) -> None:
        """Another theme."""
        self._strips.clear()
        self._layout = None
        super().notify_style_update()

    # -- moving --------------------------------------------------------------------------------------------------------

    @property
    def top(self) -> int:
        """The first line in view."""
        return self.scroll_offset.y

    @property
    def bottom(self) -> int:
        """The last line in view."""
        return min(len(self.lines) - 1, self.top + max(1, self._drawn or self.scrollable_content_region.height) - 1)

    def move(self, lines: int) -> None:
        """Some lines down, or up when negative; at the end it follows again."""
        self.go(self.top + lines)

    def page(self, pages: int) -> None:
        """Pages down, or up when negative."""
        self.move(pages * max(1, (self._drawn or self.scrollable_content_region.height) - 1))

    def go(self, line: int) -> None:
        """A line to the top of the view."""
        self._place(line)
        self.post_message(self.Moved())
        if line <= 0 and self.lines.start > 0:
            self.post_message(self.TopReached())

    def _place(self, line: int) -> None:
        last = self._last_top()
        self.follow = line >= last
        self.scroll_to(y=max(0, min(line, last)), animate=False, force=True, immediate=True)

    def reveal(self, line: int) -> None:
        """A line into view, marked."""
        self.marked = line
        self._strips.clear()
        height = self.scrollable_content_region.height
        if not self.top <= line <= self.bottom:
            self._place(max(0, line - height // 2))
        self._layout = None
        self.refresh()

    def sideways(self, cells: int) -> None:
        """Long lines to the left or right."""
        self._left = max(0, self._left + cells) if not self.wrap else 0
        self.redraw()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel."""
        event.stop()
        event.prevent_default()
        self.move(-3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel."""
        event.stop()
        event.prevent_default()
        self.move(3)

    # -- drawing -------------------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """One row of the view."""
        width = self.size.width
        rows = self._view()
        return (rows[y] if y < len(rows) else Strip.blank(width, self.rich_style)).adjust_cell_length(
            width, self.rich_style
        )

    def _view(self) -> list[Strip]:
        height = self.size.height
        key = (self.top, height, len(self.lines), self.lines.end)
        if self._layout is None or self._layout[0] != key:
            rows: list[Strip] = []
            line = self.top
            while line < len(self.lines) and len(rows) < height:
                rows += self._rows(line)
                line += 1
            self._drawn = line - self.top
            if not len(self.lines) and self.notice:
                rows = [Strip([Segment("  " + self.notice, self.rich_style)])]
            self._layout = (key, rows[:height])
        return self._layout[1]

    def _rows(self, line: int) -> list[Strip]:
        final = line < self.lines.finished
        key = (line, self.size.width, self._left, self.lines.start)
        if final and key in self._strips:
            return self._strips[key]
        made = self._draw(line)
        if final:
            self._strips[key] = made
        return made

    def _draw(self, line: int) -> list[Strip]:
        """One line as rows: one, or as many as it takes to wrap it."""
        width = max(4, self.scrollable_content_region.width)
        base = self._ground(line)
        text = Text(clean_text(self.lines.text(line), LINE_MOST + 1), end="", no_wrap=True)
        if _TROUBLE.search(text.plain):
            text.stylize(Style(color=tokens(setting_of(self.app.theme))["warn"]))
        if self.needle:
            text.highlight_words([self.needle], "reverse", case_sensitive=False)
        strip, stamp = self._strip(text, base), self._stamp(line, base)
        room = width - sum(s.cell_length for s in stamp)
        if not self.wrap:
            return [Strip([*stamp, *strip.crop(self._left, self._left + room)])]
        rows = [strip.crop(at, at + room) for at in range(0, max(1, strip.cell_length), room)]
        margin = [Segment(" " * (width - room), base)] if stamp else []
        return [Strip([*(margin if number else stamp), *row]) for number, row in enumerate(rows)]

    def _ground(self, line: int) -> Style:
        if line != self.marked:
            return self.rich_style
        ground = self.app.theme_variables.get("cursor-ground", "")
        plain = not ground or ground.startswith("ansi_")
        return self.rich_style + (Style(reverse=True) if plain else Style(bgcolor=ground, bold=True))

    def _stamp(self, line: int, base: Style) -> list[Segment]:
        if not self.times:
            return []
        at = self.lines.time_of(line)
        said = "?       " if at is None else f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}"
        return [Segment(said + " ", base + Style(color=tokens(setting_of(self.app.theme))["muted"]))]

    def _strip(self, text: Text, base: Style) -> Strip:
        spans = text.render(self.app.console, end="")
        return Strip([Segment(s.text, base + s.style if s.style else base) for s in spans if s.text])
