"""Textual's style sheet, parsed once.

Textual parses every rule of every widget again whenever a screen brings a file of its own or a theme is looked at:
three times before the first picture. Only other variables make rules mean something else.
"""

from __future__ import annotations

from textual.css.stylesheet import Stylesheet


class KeptStylesheet(Stylesheet):
    """A style sheet that keeps what it parsed until its variables change."""

    def __init__(self, *, variables: dict[str, str] | None = None) -> None:
        super().__init__(variables=variables)
        self._present = dict(variables or {})

    def set_variables(self, variables: dict[str, str]) -> None:
        """Take variables; the same ones change nothing."""
        if variables != self._present:
            self._present = dict(variables)
            super().set_variables(variables)

    def reparse(self) -> None:
        """Parse what was not parsed with these variables."""
        self.parse()
