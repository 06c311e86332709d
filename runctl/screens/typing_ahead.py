"""Keys that come in one go (a slow line, a script) are sent out before the first of them opens or moves anything."""

from __future__ import annotations

from collections import deque
from typing import Any

from textual import events
from textual.app import App
from textual.binding import Binding
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input

_MOVES = frozenset({"tab", "shift+tab"})
#: What changes a field beside letters. A letter is taken on the way in, such a key only once it has come back unused.
_EDITS = frozenset(name for b in Input.BINDINGS if isinstance(b, Binding) for name in b.key.split(",")) - {"enter"}
#: A key that does not come back, because somebody used it or has gone, holds up those behind it no longer, seconds.
_HELD_MOST_S = 0.5


class TypingApp(App[str | None]):
    """An app that gives what was typed ahead of a field to the field, and keeps keys behind those they come after.

    What follows a tab is the next line's, and what follows a ctrl+u is not cleared by it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._typed: deque[tuple[events.Key, Widget | None]] = deque(maxlen=100)
        #: A key on its way through the line that it leaves or edits, and the keys that came behind it.
        self._first: events.Key | None = None
        self._held: list[events.Key] = []

    async def on_event(self, event: events.Event) -> None:
        """Whatever is no such key goes its way."""
        if not isinstance(event, events.Key):
            await super().on_event(event)
        elif self._first is not None and not event.is_forwarded:
            self._held.append(event)
        elif not self._typed_ahead(event):
            back = event.is_forwarded
            if not back and self._holds_others(event.key):
                self._first = event
                self.set_timer(_HELD_MOST_S, lambda: self.call_later(self._release, event))
            await super().on_event(event)
            if back and event is self._first:
                await self._release(event)

    def _holds_others(self, key: str) -> bool:
        if key in _MOVES:
            return isinstance(self.screen, ModalScreen)
        return key in _EDITS and isinstance(self.focused, Input)

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

    async def _release(self, first: events.Key) -> None:
        """Send the keys that waited; another such key among them keeps the rest."""
        if first is not self._first:
            return
        held, self._first, self._held = self._held, None, []
        for key in held:
            await self.on_event(key)
