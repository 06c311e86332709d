"""Views of before: `[` goes back, `]` forward again. Pure."""

from __future__ import annotations

from typing import NamedTuple

from runctl.screens.view import Choice

MOST = 100


class View(NamedTuple):
    """A screen and how it was looked at."""

    mode: str
    choice: Choice


class History:
    """A line of views with a finger on the present one; a new view cuts off what lay ahead."""

    def __init__(self) -> None:
        self._views: list[View] = []
        self._at = -1

    def record(self, view: View) -> None:
        """The present view; the same one again is not recorded."""
        if self._views and self._views[self._at] == view:
            return
        self._views = [*self._views[: self._at + 1], view][-MOST:]
        self._at = len(self._views) - 1

    def go(self, step: int) -> View | None:
        """The view `step` away, which becomes the present one; None at the ends."""
        at = self._at + step
        if not 0 <= at < len(self._views):
            return None
        self._at = at
        return self._views[at]
