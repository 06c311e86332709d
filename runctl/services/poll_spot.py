"""Live spot prices of the zones where spot machines run: asked in the background, once in ten minutes a region."""

from __future__ import annotations

import threading
from typing import Final

from runctl.clock import SystemClock
from runctl.errors import RunctlError
from runctl.events import Event, PageArrived
from runctl.models.instance import Instance, Market
from runctl.models.snapshot import Source
from runctl.services.backend import Backend

#: AWS changes spot prices a few times a day; after a refusal it is asked again as seldom.
EVERY_S: Final = 600.0


class SpotScout:
    """Hears pages of machines, and has the backend learn the prices of the types it sees on spot.

    The next listing comes back with them; a refusal leaves the prices as they were, which say how sure they are.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._asked: dict[str, tuple[float, frozenset[str]]] = {}
        self._lock = threading.Lock()
        self._monotonic = SystemClock().monotonic

    def hear(self, event: Event) -> None:
        """Take an event; never blocks."""
        if not isinstance(event, PageArrived) or event.key.source is not Source.INSTANCES:
            return
        region = event.key.region
        types = frozenset(
            i.type for i in event.items if isinstance(i, Instance) and i.bills and i.market == Market.SPOT and i.type
        )
        with self._lock:
            at, known = self._asked.get(region, (-EVERY_S, frozenset()))
            if not types or (self._monotonic() - at < EVERY_S and types <= known):
                return
            wanted = types | (known if self._monotonic() - at < EVERY_S else frozenset())
            self._asked[region] = (self._monotonic(), wanted)
        args = (region, tuple(sorted(wanted)))
        threading.Thread(target=self._ask, args=args, name=f"poll-spot-{region}", daemon=True).start()

    def _ask(self, region: str, types: tuple[str, ...]) -> None:
        try:
            self._backend.refresh_spot(region, types)
        except RunctlError:
            return
