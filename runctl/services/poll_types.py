"""Hardware of instance types that the price book does not know: asked once, in the background, and filled in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from runctl.errors import RequestError, RunctlError
from runctl.events import Event, Item, ItemsUpdated, PageArrived
from runctl.models.instance import Hardware, Instance
from runctl.models.snapshot import SourceKey
from runctl.services.backend import Backend

_UNKNOWN = Hardware()


class TypeScout:
    """Stands between a listing and who publishes it: known types are filled in, others are asked about.

    A type that AWS does not describe, or may not describe to us, stays unknown and is not asked again: its cells say
    `?`, and the listing itself is whole.
    """

    def __init__(self, backend: Backend, publish: Callable[[Event], object], scope: int) -> None:
        self._backend, self._publish, self._scope = backend, publish, scope
        self._known: dict[str, Hardware] = {}
        self._asked: set[str] = set()
        self._waiting: dict[SourceKey, dict[str, Instance]] = {}
        self._lock = threading.Lock()

    def publish(self, event: Event) -> None:
        """Pass an event on, pages of machines with what is known by now."""
        if isinstance(event, PageArrived) and any(_lacks(i) for i in event.items):
            event = replace(event, items=self._filled(event.key, event.items))
        self._publish(event)

    def _filled(self, key: SourceKey, items: tuple[Item, ...]) -> tuple[Item, ...]:
        with self._lock:
            filled = tuple(self._better(i) if isinstance(i, Instance) and _lacks(i) else i for i in items)
            lacking = [i for i in filled if isinstance(i, Instance) and _lacks(i)]
            self._waiting.setdefault(key, {}).update((i.id, i) for i in lacking)
            fresh = tuple(sorted({i.type for i in lacking if i.type} - self._asked))
            self._asked |= set(fresh)
        if fresh:
            threading.Thread(target=self._ask, args=(key, fresh), name=f"poll-types-{key.region}", daemon=True).start()
        return filled

    def _better(self, machine: Instance) -> Instance:
        known = self._known.get(machine.type)
        return machine if known is None else replace(machine, hardware=known)

    def _ask(self, key: SourceKey, types: tuple[str, ...]) -> None:
        found = self._found(key.region, types)
        with self._lock:
            self._known |= {name: hardware for name, hardware in found.items() if hardware != _UNKNOWN}
            updates = []
            for asked, waiting in self._waiting.items():
                better = tuple(self._better(i) for i in waiting.values() if i.type in self._known)
                for machine in better:
                    del waiting[machine.id]
                updates.append(ItemsUpdated(self._scope, asked, better))
        for update in updates:
            if update.items:
                self._publish(update)

    def _found(self, region: str, types: tuple[str, ...]) -> dict[str, Hardware]:
        try:
            return self._backend.fetch_hardware(region, types)
        except RequestError:
            if len(types) == 1:
                return {}
            # One type that the region does not know spoils the whole question.
            return {name: h for one in types for name, h in self._found(region, (one,)).items()}
        except RunctlError:
            return {}


def _lacks(item: Item) -> bool:
    return isinstance(item, Instance) and item.hardware == _UNKNOWN
