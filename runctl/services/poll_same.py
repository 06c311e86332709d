"""Things that are as they were at the last look stay the very objects they were.

A refresh reads everything anew, and nearly all of it says what it said. Who keeps something by a thing (what words are
looked for in, what the ledger has heard of it) need not make it again, and a page that changes nothing is no news.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from runctl.events import Event, Item, ListingCompleted, PageArrived, name_of
from runctl.models.snapshot import SourceKey

#: So many new things are worth telling the collector that they stay.
MANY: Final = 2000


def _settle() -> None:
    """Spare the collector what lives now, after one look at the youngest; it goes by its reference counts."""
    gc.collect(0)
    gc.freeze()


class SameThings:
    """Stands between the listings and who publishes them; each source and region is asked by one thread.

    Ten thousand machines are a hundred thousand objects. They would be gone through at some moment, and no key is heard
    for a tenth of a second; they hold no cycles and stay, so the collector is told to leave them alone.

    Args:
        settle: called when many new things have been listed.
    """

    def __init__(self, settle: Callable[[], None] = _settle) -> None:
        self._known: dict[SourceKey, dict[str, Item]] = {}
        self._settle, self._new = settle, 0

    def fill(self, event: Event) -> Event:
        """The event, with what is known already in place of what equals it."""
        if isinstance(event, PageArrived):
            known = self._known.setdefault(event.key, {})
            items = tuple([self._same(known, name_of(item), item) for item in event.items])
            return replace(event, items=items)
        if isinstance(event, ListingCompleted):
            known = self._known.get(event.key, {})
            for gone in [name for name in known if name not in event.ids]:
                del known[gone]
            if self._new >= MANY:
                self._new = 0
                self._settle()
        return event

    def _same(self, known: dict[str, Item], name: str, item: Item) -> Item:
        before = known.get(name)
        if before is not None and before == item:
            return before
        known[name] = item
        self._new += 1
        return item
