"""Keys that come in one go (a slow line, a script) are all sent out before the first of them opens anything."""

from __future__ import annotations

from collections import deque
from typing import Any

from textual import events
from textual.app import App
from textual.widget import Widget
from textual.widgets import Input


class TypingApp(App[str | None]):
    """An app that gives what was typed ahead of a field to the field."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._typed: deque[tuple[events.Key, Widget | None]] = deque(maxlen=100)

    async def on_event(self, event: events.Event) -> None:
        """Whatever is no such key goes its way."""
        if not isinstance(event, events.Key) or not self._typed_ahead(event):
            await super().on_event(event)

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
