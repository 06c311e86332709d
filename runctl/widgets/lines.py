"""The other lines round a table: tabs above it, the status and the keys below it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runctl.keymap import Action, key_label
from runctl.widgets.line import Line, Piece


class TabStrip(Line):
    """The five screens by key and name, each with its count; the present one stands out."""

    GAP = "   "

    def show_tabs(self, tabs: Sequence[tuple[str, str, str, int | None]], current: str, hint: str = ": / ?") -> None:
        """Show tabs as (key, mode, title, count); a count of None is not known yet."""
        pieces = []
        for key, mode, title, count in tabs:
            here = mode == current
            number = f" {count}" if count is not None else ""
            action = f"app.switch_mode('{mode}')"
            pieces.append(Piece(f"{key} {title}{number}", "accent" if here else "muted", bold=here, action=action))
        self.show([*pieces, Piece(hint, "muted", right=True, rank=9)])


class StatusLine(Line):
    """How many rows, what orders them, how fresh they are, or what went wrong."""

    GAP = " · "
    DEFAULT_CSS = "StatusLine { background: $background; }"

    def show_status(self, parts: Iterable[Piece]) -> None:
        """Show the parts; the first is the most important."""
        self.show([p for p in parts if p.text])


class KeyFooter(Line):
    """The keys that matter now, as many as fit whole."""

    def show_keys(self, actions: Sequence[Action], *, ascii_only: bool = False) -> None:
        """Show actions, the most important first; `?` always stays."""
        pieces = [
            Piece(
                f"{key_label(a.keys[0], ascii_only=ascii_only)} {a.label}",
                "state-bad" if a.danger else "muted",
                rank=0 if a.id in ("app.help", "viewer.close") else rank,
                action=a.method,
            )
            for rank, a in enumerate(actions, 1)
        ]
        self.show(pieces)
