"""Messages that cross screens and threads. Those of one widget live in the widget."""

from __future__ import annotations

from collections.abc import Callable

from textual.message import Message

from runctl.events import Event, IdentityResolved, RegionsResolved, SpentCounted


class EventArrived(Message, bubble=False):
    """A poller, an action or a cache has something to say; made in any thread, read in the UI's."""

    def __init__(self, event: Event) -> None:
        super().__init__()
        self.event = event

    def can_replace(self, message: Message) -> bool:
        """Whether the next message in the queue makes this one needless.

        Only for events that carry a whole state. Pages and failures accumulate (rows, counts) and are never dropped.
        """
        if not isinstance(message, EventArrived):
            return False
        mine, other = self.event, message.event
        return type(mine) is type(other) and isinstance(mine, IdentityResolved | RegionsResolved | SpentCounted)


class Answered(Message, bubble=False):
    """A question put to the cloud came back: `deliver()` hands the answer over, in the UI's thread."""

    def __init__(self, deliver: Callable[[], None]) -> None:
        super().__init__()
        self.deliver = deliver


class SnapshotLoaded(Message, bubble=False):
    """The rows of the last run are in the store."""


class CopyRequested(Message):
    """Something is to go to the clipboard.

    Args:
        text: what is copied.
        what: what it is, for the notice: "the id", "2 ids".
    """

    def __init__(self, text: str, what: str) -> None:
        super().__init__()
        self.text, self.what = text, what
