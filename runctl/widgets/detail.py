"""Everything known about one thing, as sections of keys and values. Text from outside stays text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

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


def render_sections(
    sections: Sequence[Section], colours: dict[str, str] | None = None, width: int | None = None
) -> Text:
    """The sections as text: keys in one column, values beside them, folded there when `width` cells are given."""
    colours = colours or {}
    common = _longest((r for s in sections for r in s.rows), KEY_MOST)
    whole = Text()
    for number, section in enumerate(s for s in sections if s.rows):
        heading = f"{clean_text(section.title)}\n" if section.title else ""
        whole.append(("\n" if number else "") + heading, Style(bold=True, color=colours.get("accent")))
        column = max(common, _longest(section.rows, OWN_KEY_MOST))
        for row in section.rows:
            whole.append(f"{clean_text(row.key):<{column}}  ", Style(color=colours.get("muted")))
            value = _folded(clean_text(row.value), column + 2, width, after=max(column, len(row.key)) + 2)
            whole.append(value + "\n", Style(color=colours.get(row.token)))
    return whole


def _longest(rows: Iterable[Row], most: int) -> int:
    return max((len(r.key) for r in rows if len(r.key) <= most), default=0)


def _folded(value: str, indent: int, width: int | None, after: int) -> str:
    """A value on as many lines as it needs; all but the first begin below the first value."""
    if width is None or after + cell_len(value) <= width:
        return value
    lines, room = [""], width - after
    for word in value.split(" "):
        if lines[-1] and cell_len(lines[-1]) + 1 + cell_len(word) > room:
            lines.append("")
            room = width - indent
        lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return ("\n" + " " * indent).join(lines)


class Detail(VerticalScroll, can_focus=False):
    """The pane beside the table, or the whole screen below 110 columns."""

    DEFAULT_CSS = """
    Detail { background: $background; border-left: solid $surface; padding: 0 1; scrollbar-size-vertical: 1; }
    Detail Static { width: 1fr; height: auto; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._sections: tuple[Section, ...] = ()

    def compose(self) -> ComposeResult:
        """One text."""
        yield Static("", markup=False)

    def show(self, sections: Sequence[Section]) -> None:
        """Show these sections; equal ones are not painted again."""
        fresh = tuple(sections)
        if fresh != self._sections:
            self._sections = fresh
            self._paint()

    def _paint(self) -> None:
        colours = dict(tokens(setting_of(self.app.theme)))
        width = self.scrollable_content_region.width - 1  # the scrollbar may come
        self.query_one(Static).update(render_sections(self._sections, colours, width if width > 20 else None))

    def on_resize(self) -> None:
        """Another width: values fold elsewhere."""
        if self._sections:
            self._paint()

    def notify_style_update(self) -> None:
        """Another theme."""
        super().notify_style_update()
        if self.is_mounted and self._sections:
            self._paint()
