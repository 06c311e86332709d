"""Things that are as they were at the last look stay the very objects they were.

A refresh reads everything anew, and nearly all of it says what it said. Who keeps something by a thing (what words are
looked for in, what the ledger has heard of it) need not make it again, and a page that changes nothing is no news.
"""

from __future__ import annotations

from dataclasses import replace

from runctl.events import Event, Item, ListingCompleted, PageArrived, name_of
from runctl.models.snapshot import SourceKey


class SameThings:
    """Stands between the listings and who publishes them; each source and region is asked by one thread."""

    def __init__(self) -> None:
        self._known: dict[SourceKey, dict[str, Item]] = {}

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
        return event

    @staticmethod
    def _same(known: dict[str, Item], name: str, item: Item) -> Item:
        before = known.get(name)
        if before is not None and before == item:
            return before
        known[name] = item
        return item
