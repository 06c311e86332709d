"""Everything known about one thing, as sections of keys and values. Text from outside stays text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.geometry import Region, Size
from textual.reactive import Reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from runctl.format import clean_text
from runctl.theme import setting_of, tokens


@dataclass(frozen=True, slots=True)
class Row:
    """One key and its value; `token` colours the value."""

    key: str
    value: str
    token: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and its rows."""

    title: str
    rows: tuple[Row, ...]


#: Keys longer than this do not push the values of all sections to the right; those of their own section only.
KEY_MOST = 11
#: And longer than this (tags may have 128 characters) not even those.
OWN_KEY_MOST = 18


#: A line as it is drawn: texts and their styles.
Pieces = tuple[tuple[str, Style], ...]


def render_sections(
    sections: Sequence[Section], colours: dict[str, str] | None = None, width: int | None = None
) -> Text:
    """The sections as text: keys in one column, values beside them, folded there when `width` cells are given."""
    whole = Text()
    for line in section_lines(sections, colours or {}, width):
        for piece in line:
            whole.append(*piece)
        whole.append("\n")
    return whole


def section_lines(sections: Sequence[Section], colours: Mapping[str, str], width: int | None) -> Iterator[Pieces]:
    """The same line by line; a word longer than `width` is not broken."""
    common = _longest((r for s in sections for r in s.rows), KEY_MOST)
    heading, muted = Style(bold=True, color=colours.get("accent")), Style(color=colours.get("muted"))
    for number, section in enumerate(s for s in sections if s.rows):
        if number:
            yield ()
        if section.title:
            yield ((clean_text(section.title), heading),)
        column = max(common, _longest(section.rows, OWN_KEY_MOST))
        for row in section.rows:
            value = _folded(clean_text(row.value), column + 2, width, after=max(column, len(row.key)) + 2)
            first, *more = value.split("\n")
            style = Style(color=colours.get(row.token))
            yield ((f"{clean_text(row.key):<{column}}  ", muted), (first, style))
            yield from (((line, style),) for line in more)


def _longest(rows: Iterable[Row], most: int) -> int:
    return max((len(r.key) for r in rows if len(r.key) <= most), default=0)


def _folded(value: str, indent: int, width: int | None, after: int) -> str:
    """A value on as many lines as it needs; all but the first begin below the first value."""
    if width is None or after + cell_len(value) <= width:
        return value
    lines, room = [""], width - after
    # A word that no line has room for would begin at the left edge: it is cut.
    for word in (part for w in value.split(" ") for part in chop_cells(w, max(8, room)) or [""]):
        if lines[-1] and cell_len(lines[-1]) + 1 + cell_len(word) > room:
            lines.append("")
            room = width - indent
        lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return ("\n" + " " * indent).join(lines)


class Detail(ScrollView, can_focus=False):
    """The pane beside the table, or the whole screen below 110 columns.

    It draws lines, so another row under the cursor costs the lines that differ: a text that measures itself would have
    the whole screen laid out at every key.
    """

    DEFAULT_CSS = """
    Detail {
        background: $background; color: $foreground; border-left: solid $surface; padding: 0 1;
        overflow-x: hidden; overflow-y: scroll; scrollbar-size-vertical: 1;
    }
    """

    virtual_size = Reactive(Size(0, 0))

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._sections: tuple[Section, ...] = ()
        self._lines: list[Pieces] = []

    def show(self, sections: Sequence[Section]) -> None:
        """Show these sections; equal lines are not painted again."""
        fresh = tuple(sections)
        if fresh != self._sections:
            self._sections = fresh
            self._fill()

    def _fill(self) -> None:
        size = self.scrollable_content_region.size
        width = size.width
        folded = section_lines(self._sections, tokens(setting_of(self.app.theme)), width if width > 20 else None)
        before, self._lines = self._lines, [line for whole in folded for line in self._broken(whole, max(10, width))]
        self.virtual_size = Size(width, len(self._lines))
        top = self.scroll_offset.y
        pairs = zip_longest(before[top : top + size.height], self._lines[top : top + size.height])
        if changed := [Region(0, y, self.size.width, 1) for y, (old, new) in enumerate(pairs) if old != new]:
            self.refresh(*changed)

    def watch_virtual_size(self, size: Size) -> None:
        """What laying out would do: the scrollbar's length, and an offset that exists."""
        if self.is_attached and self.size:
            self.vertical_scrollbar.window_virtual_size = size.height
            self.scroll_y = self.validate_scroll_y(self.scroll_y)

    def _broken(self, line: Pieces, width: int) -> Iterable[Pieces]:
        """A line in as many as it needs: a long word is broken at the edge."""
        if sum(cell_len(text) for text, _ in line) <= width:
            return (line,)
        whole = Text()
        for piece in line:
            whole.append(*piece)
        wrapped = whole.wrap(self.app.console, width)
        return [tuple((s.text, s.style or Style()) for s in part.render(self.app.console)) for part in wrapped]

    def render_line(self, y: int) -> Strip:
        """One line of the pane."""
        base, index = self.rich_style, y + self.scroll_offset.y
        line = self._lines[index] if index < len(self._lines) else ()
        return Strip([Segment(text, base + style) for text, style in line]).adjust_cell_length(self.size.width, base)

    def on_resize(self) -> None:
        """Another width: values fold elsewhere."""
        if self._sections:
            self._fill()

    def notify_style_update(self) -> None:
        """Another theme."""
        super().notify_style_update()
        if self.is_mounted and self._sections:
            self._fill()
