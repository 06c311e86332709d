"""Everything known about one thing, as sections of keys and values. Text from outside stays text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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


def render_sections(sections: Sequence[Section], colours: dict[str, str] | None = None) -> Text:
    """The sections as text: keys in one column, values beside them."""
    colours = colours or {}
    width = max((len(r.key) for s in sections for r in s.rows), default=0)
    whole = Text()
    for number, section in enumerate(s for s in sections if s.rows):
        whole.append(("\n" if number else "") + section.title + "\n", Style(bold=True, color=colours.get("accent")))
        for row in section.rows:
            whole.append(f"{row.key:<{width}}  ", Style(color=colours.get("muted")))
            whole.append(clean_text(row.value) + "\n", Style(color=colours.get(row.token)))
    return whole


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
        self.query_one(Static).update(render_sections(self._sections, dict(tokens(setting_of(self.app.theme)))))

    def notify_style_update(self) -> None:
        """Another theme."""
        super().notify_style_update()
        if self.is_mounted and self._sections:
            self._paint()
