"""Keys that come in one go (a slow line, a script) are sent out before the first of them opens or moves anything."""

from __future__ import annotations

from collections import deque
from typing import Any

from textual import events
from textual.app import App
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input

_MOVES = frozenset({"tab", "shift+tab"})
#: A tab that does not come back, because somebody used it or has gone, holds up the keys behind it no longer, seconds.
_HELD_MOST_S = 0.5


class TypingApp(App[str | None]):
    """An app that gives what was typed ahead of a field to the field, and what follows a tab to the next line."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._typed: deque[tuple[events.Key, Widget | None]] = deque(maxlen=100)
        #: A tab on its way through the line that it leaves, and the keys that came behind it.
        self._tab: events.Key | None = None
        self._held: list[events.Key] = []

    async def on_event(self, event: events.Event) -> None:
        """Whatever is no such key goes its way."""
        if not isinstance(event, events.Key):
            await super().on_event(event)
        elif self._tab is not None and not event.is_forwarded:
            self._held.append(event)
        elif not self._typed_ahead(event):
            back = event.is_forwarded
            if event.key in _MOVES and not back and isinstance(self.screen, ModalScreen):
                self._tab = event
                self.set_timer(_HELD_MOST_S, lambda: self.call_later(self._release, event))
            await super().on_event(event)
            if back and event is self._tab:
                await self._release(event)

    def _typed_ahead(self, key: events.Key) -> bool:
        """Whether a key came back unused from where the keyboard was when it was typed, and a field got it instead."""
        field = self.focused
        if not key.is_forwarded:
            self._typed.append((key, field))
            return False
        meant = next((widget for sent, widget in self._typed if sent is key), field)
        if field is meant or not isinstance(field, Input):
            return False
        field.post_message(key)
        return True

    async def _release(self, tab: events.Key) -> None:
        """Send the keys that waited for a tab; another tab among them keeps the rest."""
        if tab is not self._tab:
            return
        held, self._tab, self._held = self._held, None, []
        for key in held:
            await self.on_event(key)
