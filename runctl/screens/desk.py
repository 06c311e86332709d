"""What the application lends to its screens: the door to the cloud, the clock, the settings. That is all they know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:  # only names of types stand here
    from runctl.clock import Clock
    from runctl.config import Settings
    from runctl.errors import RunctlError
    from runctl.keymap import Keymap
    from runctl.models.instance import Instance
    from runctl.models.launch import Attempt, LaunchRequest, LaunchResult, Offer
    from runctl.models.plan import ItemResult, Plan
    from runctl.models.probe import Probe
    from runctl.models.transfer import SyncPreview, Transfer
    from runctl.services.actions import Actions
    from runctl.services.backend import Backend
    from runctl.services.jobs.hands import JobsDoor
    from runctl.services.jobs.recover import Done
    from runctl.terminal.system import Terminal

T = TypeVar("T")


class Question(Protocol):
    """Something asked; `cancel` makes sure that no answer is delivered any more."""

    def cancel(self) -> None:
        """Nobody waits for it any longer."""
        ...


class Board(Protocol):
    """The transfers of this session; `preview` and `size` take as long as S3 takes and are called off the UI's thread.

    They go on whatever screen is looked at.
    """

    def preview(self, profile: str | None, source: str, target: str, *, delete: bool) -> SyncPreview:
        """Compare, and move nothing.

        Raises:
            RunctlError: ends that cannot be synchronised, or S3 could not be listed.
        """
        ...

    def start(self, ticket: int) -> None:
        """Start what a preview showed.

        Raises:
            InputError: another comparison has been made since.
        """
        ...

    def transfers(self) -> tuple[Transfer, ...]:
        """All of this session, the newest first."""
        ...

    def pause(self, number: int) -> None:
        """Pause one, or let it go on."""
        ...

    def cancel(self, number: int) -> None:
        """Stop one for good."""
        ...

    def size(self, profile: str | None, place: str) -> tuple[int, int]:
        """(objects, bytes) below an s3:// address.

        Raises:
            CloudError: it could not be listed in full.
        """
        ...


class Desk(Protocol):
    """Lent by the session; a test may lend its own.

    `newcomer` is True in the demo until the first key: a hint says what to press.
    """

    newcomer: bool

    @property
    def settings(self) -> Settings:
        """All settings, resolved."""
        ...

    @property
    def clock(self) -> Clock:
        """The time."""
        ...

    @property
    def terminal(self) -> Terminal:
        """Clipboard, browser, programs."""
        ...

    @property
    def keymap(self) -> Keymap:
        """The keys in force."""
        ...

    @property
    def demo(self) -> bool:
        """Whether the cloud is the embedded one."""
        ...

    @property
    def paused(self) -> bool:
        """Whether the user paused polling."""
        ...

    @property
    def profile(self) -> str | None:
        """The profile in use, None for AWS's own rules."""
        ...

    @property
    def moving(self) -> tuple[Transfer, ...]:
        """Transfers that are not over."""
        ...

    @property
    def board(self) -> Board | None:
        """Transfers; None where nothing can be moved."""
        ...

    def ask(
        self,
        question: Callable[[Backend], T],
        answered: Callable[[T], None],
        failed: Callable[[RunctlError], None],
    ) -> Question:
        """Put one question to the cloud, off the UI's thread.

        One of the two is called later in the UI's thread, unless the question was cancelled, the scope changed or the
        app ended in between.
        """
        ...

    def ask_pages(
        self,
        question: Callable[[Backend], Iterable[T]],
        page: Callable[[T], None],
        done: Callable[[], None],
        failed: Callable[[RunctlError], None],
    ) -> Question:
        """The same for an answer that arrives page by page: `page` for each, then `done` or `failed`."""
        ...

    def plan(
        self, question: Callable[[Actions], T], answered: Callable[[T], None], failed: Callable[[RunctlError], None]
    ) -> Question:
        """Draft a change: `question` gets the door to acting in a thread of its own, and only looks and judges."""
        ...

    def jobs(
        self, question: Callable[[JobsDoor], T], answered: Callable[[T], None], failed: Callable[[RunctlError], None]
    ) -> Question:
        """Ask about jobs and their records, or have something done to one: `question` runs in a thread of its own."""
        ...

    def carry_out(
        self,
        plan: Plan,
        progress: Callable[[ItemResult], None],
        done: Callable[[Plan], None],
        failed: Callable[[RunctlError], None],
    ) -> Question:
        """Apply a plan in a thread of its own; the callables are called in the UI's thread, whatever is looked at then.

        `cancel` of what is returned lets the item under way end and begins no other.
        """
        ...

    def offer(
        self, request: LaunchRequest, answered: Callable[[Offer], None], failed: Callable[[RunctlError], None]
    ) -> Question:
        """Ask what a launch would be: places, prices, quotas. Nothing is changed."""
        ...

    def launch(
        self,
        offer: Offer,
        tried: Callable[[Attempt], None],
        done: Callable[[LaunchResult], None],
        failed: Callable[[RunctlError], None],
    ) -> Question:
        """Launch what was offered, as `carry_out` does a plan; `tried` hears each attempt when it is over.

        `cancel` lets the attempt under way end and tries no other place.
        """
        ...

    def outside(self, work: Callable[[], T], done: Callable[[T], None]) -> None:
        """Do something slow that is no question to the cloud off the UI's thread; `done` gets its result in it."""
        ...

    def refresh(self) -> None:
        """Ask AWS again now; pausing ends."""
        ...

    def recover(self, jobs: Sequence[str], told: Callable[[tuple[Done, ...]], None]) -> None:
        """Do off the UI's thread what is due to these jobs, where they are ours; `told` hears what came of it."""
        ...

    def hear(self, machine: Instance, probe: Probe) -> None:
        """A machine has said how it is: that tells whether it is busy."""
        ...
