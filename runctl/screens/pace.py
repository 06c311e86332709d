"""How soon what arrived is shown: at once where somebody waits for it, in one picture with others where nobody does."""

from __future__ import annotations

from runctl.events import Event, IdentityResolved, ListingCompleted, PageArrived, RegionsResolved, SpentCounted
from runctl.models.snapshot import Snapshot

#: A burst of pages is one picture.
PAINT_EVERY_S = 0.1
#: A page of a list that is on screen already may wait for the rest of it; most refreshes change nothing.
KNOWN_EVERY_S = 1.0
#: What is known already and was looked at again waits for what comes with it: the end of its listing, the sums.
GATHER_S = 0.15
#: At least this many times what a picture costs lies between two, so that keys have the rest of the time.
IDLE_FACTOR = 4.0


class Pace:
    """When the next picture is due; times are `clock.monotonic()`."""

    def __init__(self) -> None:
        self._painted_at = float("-inf")
        self._cost_s = 0.0

    def painted(self, began: float, ended: float) -> None:
        """A picture was made."""
        self._painted_at, self._cost_s = ended, ended - began

    def due(self, event: Event, before: Snapshot, after: Snapshot, now: float) -> float | None:
        """The time from which `after` may be shown, in the past for at once; None when there is nothing to show."""
        if after is before:
            return None
        if after.instances and not before.instances:
            return self._painted_at
        known = _is_known(event, before)
        every = KNOWN_EVERY_S if known and isinstance(event, PageArrived) else PAINT_EVERY_S
        due = self._painted_at + max(every, IDLE_FACTOR * self._cost_s)
        return max(due, now + GATHER_S) if known else due


def _is_known(event: Event, before: Snapshot) -> bool:
    """Whether something like it is on screen already, so that nobody waits for it.

    Whose account it is and which regions are asked come just before the first rows, and are drawn with them.
    """
    match event:
        case IdentityResolved() | RegionsResolved():
            return True
        case PageArrived(key=key) | ListingCompleted(key=key):
            return key in before.status and before.status[key].complete
        case SpentCounted():
            return before.spent is not None
    return False
