"""One-line widgets: text in pieces, of which the least important leave first when the line is too short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.style import Style
from rich.text import Text
from textual.app import RenderResult
from textual.events import Click
from textual.message import Message
from textual.widget import Widget

from runctl.format import clean_text
from runctl.theme import setting_of, tokens


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a line.

    Args:
        text: what is shown, one line.
        token: its colour.
        bold: whether it stands out.
        rank: 0 stays; the highest leaves first.
        right: pushed to the right edge with all that follow.
        action: what a click asks for, "" for nothing.
    """

    text: str
    token: str = ""
    bold: bool = False
    rank: int = 0
    right: bool = False
    action: str = ""


def fit_pieces(pieces: Sequence[Piece], width: int, gap: str) -> list[Piece]:
    """The pieces that fit in `width` cells with `gap` between them; whole pieces leave, never half a word."""
    kept = [p for p in pieces if p.text]
    while sum(Text(p.text).cell_len for p in kept) + len(gap) * max(0, len(kept) - 1) + 2 > width:
        optional = [p for p in kept if p.rank]
        if not optional:
            break
        kept.remove(max(reversed(optional), key=lambda p: p.rank))
    return kept


class Line(Widget):
    """One line of pieces; equal pieces are not painted again."""

    DEFAULT_CSS = "Line { height: 1; width: 1fr; background: $surface; color: $foreground; }"
    GAP = "  "

    class Clicked(Message):
        """A piece with an action was clicked."""

        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._pieces: tuple[Piece, ...] = ()
        self._places: list[tuple[int, int, str]] = []

    def show(self, pieces: Sequence[Piece]) -> None:
        """Show these pieces."""
        fresh = tuple(p if p.text.isprintable() else replace(p, text=clean_text(p.text)) for p in pieces)
        if fresh != self._pieces:
            self._pieces = fresh
            self.refresh()

    def render(self) -> RenderResult:
        """The pieces that fit, left and right."""
        width = self.size.width
        colours = tokens(setting_of(self.app.theme))
        kept = fit_pieces(self._pieces, width, self.GAP)
        at_right = next((n for n, p in enumerate(kept) if p.right), len(kept))
        line = Text(" ", no_wrap=True, overflow="ellipsis", end="")
        self._places = []
        for number, piece in enumerate(kept):
            if number == at_right:
                rest = sum(Text(p.text).cell_len for p in kept[at_right:]) + len(self.GAP) * (len(kept) - at_right - 1)
                line.append(" " * max(0, width - line.cell_len - rest - 1))
            start = line.cell_len
            line.append(piece.text, Style(color=colours.get(piece.token), bold=piece.bold or None))
            self._places.append((start, line.cell_len, piece.action))
            if number + 1 < len(kept) and number + 1 != at_right:
                line.append(self.GAP)
        line.truncate(width)
        return line

    def on_click(self, event: Click) -> None:
        """Tell which piece was meant."""
        for start, end, action in self._places:
            if action and start <= event.x < end:
                self.post_message(self.Clicked(action))
