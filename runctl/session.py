"""One person looking at one account: the backend, its pollers, the store, and what happens when the choice changes.

Everything here runs in the UI's thread but the threads it starts; those leave only through `post`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from runctl.asking import Asking, OpenDoor, Post, readable, spawn
from runctl.clock import Clock
from runctl.config import Settings
from runctl.errors import ConfigurationError
from runctl.events import Event, ListingFailed, RegionsResolved, ScopeChanged
from runctl.keymap import Keymap
from runctl.messages import Answered, EventArrived, SnapshotLoaded
from runctl.models.snapshot import ALL_REGIONS, Health, Snapshot, Source, SourceKey
from runctl.store.store import Store
from runctl.terminal.system import Terminal

if TYPE_CHECKING:  # what asks AWS is imported in the thread that begins to ask: the first picture does not wait for it
    from runctl.models.instance import Instance
    from runctl.models.probe import Probe
    from runctl.models.transfer import Transfer
    from runctl.screens.desk import Board
    from runctl.services.backend import Backend
    from runctl.services.bookkeeper import Bookkeeper
    from runctl.services.poll_activity import ActivityScout
    from runctl.services.pollers import Pollers

T = TypeVar("T")
Connect = Callable[[str | None], "Backend"]
OpenBoard = Callable[[], "Board"]

#: What each screen needs fresh; the rest is asked less often.
FOCUS: dict[str, tuple[Source, ...]] = {
    "instances": (Source.INSTANCES, Source.VOLUMES),
    "jobs": (Source.INSTANCES, Source.JOBS),
    "s3": (Source.BUCKETS,),
    "volumes": (Source.VOLUMES, Source.INSTANCES, Source.SNAPSHOTS),
    "cost": (Source.INSTANCES, Source.VOLUMES, Source.SNAPSHOTS, Source.ADDRESSES),
}


class Session(Asking):
    """What the app lends to its screens (`runctl.screens.desk.Desk`), and the scope it is about.

    Args:
        connect: opens a backend for a profile; may take seconds (it imports the AWS library), may raise RunctlError.
        post: hands a message to the app from any thread; False once the app is closing.
        settings: resolved settings.
        clock: the time.
        terminal: the outside of the screen.
        keymap: the keys in force.
        demo: whether the cloud is the embedded one.
        cache: directory of the last snapshots, None to do without.
        ledger: file that keeps what has been spent, None to do without.
        open_door: opens the door to acting for a backend and regions, None where the dashboard only looks.
        open_board: makes what moves files, None where nothing is moved.
    """

    _board: Board | None
    #: Called in the connecting thread as soon as a backend is there; what it raises is nobody's concern.
    connected: Callable[[Backend, tuple[str, ...]], None] | None = None

    def __init__(
        self,
        connect: Connect,
        post: Post,
        *,
        settings: Settings,
        clock: Clock,
        terminal: Terminal,
        keymap: Keymap,
        demo: bool = False,
        cache: Path | None = None,
        ledger: Path | None = None,
        open_door: OpenDoor | None = None,
        open_board: OpenBoard | None = None,
    ) -> None:
        super().__init__(post, open_door)
        self._open_board, self._board = open_board, None
        self._connect = connect
        self.settings, self.clock, self.terminal, self.keymap, self.demo = settings, clock, terminal, keymap, demo
        self.store = Store()
        self.profile = settings.profile
        self.regions = settings.regions_for(settings.profile)
        self.paused, self.newcomer = False, demo
        self._lock = threading.Lock()
        self._pollers: Pollers | None = None
        self._mode = "instances"
        #: Whether somebody draws and calls `drawn`: what is not on the first screen waits for that.
        self.draws = False
        self._attempt = 0
        self._cache = cache
        self._cached_regions: tuple[str, ...] = ()
        self._activity: ActivityScout | None = None
        self._ledger = ledger
        self._books: Bookkeeper | None = None

    @property
    def board(self) -> Board | None:
        """Transfers; made, and the engine imported, when somebody first looks at S3."""
        if self._board is None and self._open_board is not None:
            self._board = self._open_board()
        return self._board

    @property
    def moving(self) -> tuple[Transfer, ...]:
        """Transfers that are not over."""
        return tuple(t for t in self._board.transfers() if t.moving) if self._board is not None else ()

    @property
    def scope(self) -> int:
        """Number of the present choice of profile and regions."""
        return self.store.snapshot.scope

    def open(self, profile: str | None, regions: tuple[str, ...]) -> Snapshot:
        """Begin a new scope: rows of the old one are gone at once, its late answers will be dropped."""
        chosen = self.choose(profile, regions)
        self.connect()
        return chosen

    def choose(self, profile: str | None, regions: tuple[str, ...]) -> Snapshot:
        """Begin a new scope without asking anything yet."""
        self._drop()
        self.profile, self.regions = profile, regions
        known = () if regions == ALL_REGIONS else regions
        self._cached_regions = ()
        return self.store.apply(ScopeChanged(self.scope + 1, profile or "", known))

    def connect(self) -> None:
        """Ask about what was chosen."""
        self._connect_later(self.profile, self.regions, cached=True)

    def drawn(self) -> None:
        """The first answer about machines is on screen: what waited for that is asked now."""
        if self._pollers is not None:
            self._pollers.first_data.set()
        if self._books is not None:
            self._books.wanted.set()

    @property
    def undrawn(self) -> bool:
        """Whether machines have been answered for the first time and the rest waits until that is on screen."""
        pollers = self._pollers
        return pollers is not None and pollers.answered and not pollers.first_data.is_set()

    def apply(self, event: Event) -> Snapshot:
        """Fold one event. Rows of the last run go when it turns out that other regions are looked at now."""
        if isinstance(event, RegionsResolved) and event.scope == self.scope and self._cached_regions:
            if set(event.regions) != set(self._cached_regions):
                self.store = Store(Snapshot(scope=self.scope, profile=self.profile or "", regions=event.regions))
            self._cached_regions = ()
        return self.store.apply(event)

    def _connect_later(self, profile: str | None, regions: tuple[str, ...], *, cached: bool = False) -> None:
        self._attempt += 1
        attempt = (self.scope, self._attempt)

        def run() -> None:
            if cached and self._cache is not None:
                from runctl.store.cache import load_snapshot

                found = load_snapshot(self._cache, profile or "", () if regions == ALL_REGIONS else regions, attempt[0])
                if found is not None:
                    self._post(Answered(partial(self._adopt_cached, found)))
            self._open(attempt, profile, regions)

        spawn("connect", run)

    def _adopt_cached(self, found: Snapshot) -> None:
        """Rows of the last run, unless AWS was faster."""
        present = self.store.snapshot
        if found.scope == self.scope and not present.status:
            self.store = Store(found)
            self._cached_regions = found.regions
            self._post(SnapshotLoaded())

    def save(self) -> None:
        """Keep the rows for the first picture of the next run; only what is complete is kept."""
        if self._cache is not None:
            from runctl.store.cache import save_snapshot

            save_snapshot(self._cache, self.store.snapshot)

    def renew(self) -> None:
        """The same choice with the credentials there are now. The rows stay; another account replaces them."""
        self._drop()
        self._connect_later(self.profile, self.regions)

    def close(self) -> None:
        """The app ends: stop asking. Threads that hang in a call are daemons and hold up nobody."""
        self._drop()
        if self._books is not None:
            self._books.close()

    def refresh(self) -> None:
        """Ask again now; pausing ends."""
        if self._pollers is None:
            return
        if self.paused:
            self.toggle_pause()
        elif self._pollers.held.is_set():
            self._pollers.resume()
        else:
            self._pollers.request()

    def toggle_pause(self) -> None:
        """Stop polling, or go on."""
        self.paused = not self.paused
        if self._pollers is not None:
            (self._pollers.pause if self.paused else self._pollers.resume)()

    def focus(self, mode: str) -> None:
        """A screen came to the front."""
        self._mode = mode
        if self._pollers is not None:
            self._pollers.focus(FOCUS.get(mode, ()))

    def hear(self, machine: Instance, probe: Probe) -> None:
        """What a machine said about itself: its rows show from the next listing on what it is doing."""
        if self._activity is not None:
            from runctl.services.activity import readings_of_probe

            self._activity.add(machine.region, machine.id, readings_of_probe(probe))

    def _publish(self, event: Event) -> bool:
        if self._books is not None:
            self._books.offer(event)
        return self._post_event(event)

    def _post_event(self, event: Event) -> bool:
        return self._post(EventArrived(event))

    def _drop(self) -> None:
        with self._lock:
            pollers, backend = self._pollers, self._backend
            self._pollers = self._backend = None
        if pollers is not None:
            pollers.stop()
        elif backend is not None:
            backend.close()

    def _open(self, attempt: tuple[int, int], profile: str | None, regions: tuple[str, ...]) -> None:
        """In a thread of its own: import the AWS library, find credentials, start asking."""
        from runctl.services.pollers import record_of

        scope = attempt[0]
        with self._lock:
            self._books = self._books or self._open_books()
        try:
            backend = self._connect(profile)
            pollers = self._pollers_for(backend, scope, regions)
        except Exception as raised:  # noqa: BLE001  # as in `ask_pages`
            record = record_of(readable(raised), self.clock)
            self._publish(ListingFailed(scope, SourceKey(Source.IDENTITY, ""), 0, record, Health.ERROR))
            return
        with self._lock:
            late = attempt != (self.scope, self._attempt)
            if not late:
                self._backend, self._pollers = backend, pollers
        if late:
            backend.close()
            return
        pollers.focus(FOCUS.get(self._mode, ()))
        if self.paused:
            pollers.pause()
        pollers.start()
        if self.connected is not None:
            self.connected(backend, regions)

    def _open_books(self) -> Bookkeeper | None:
        from runctl.services.bookkeeper import Bookkeeper

        ledger = self._ledger
        return Bookkeeper(ledger, self._post_event, self.clock, patient=self.draws) if ledger is not None else None

    def _pollers_for(self, backend: Backend, scope: int, regions: tuple[str, ...]) -> Pollers:
        from runctl.services.poll_activity import ActivityScout
        from runctl.services.poll_same import SameThings
        from runctl.services.poll_spot import SpotScout
        from runctl.services.pollers import DEFAULT_INTERVALS, Pollers

        stretch = self.settings.ui.refresh_s / DEFAULT_INTERVALS[Source.INSTANCES]
        scout, same = SpotScout(backend), SameThings()
        self._activity = activity = ActivityScout(backend, self.clock, paid=self.settings.cost.allow_paid_apis)

        def publish(event: Event) -> bool:
            scout.hear(event)
            return self._publish(same.fill(activity.fill(event)))

        return Pollers(backend, publish, clock=self.clock, scope=scope, regions=regions or _own_region(backend),
            intervals={s: every * stretch for s, every in DEFAULT_INTERVALS.items()}, patient=self.draws)  # fmt: skip


def _own_region(backend: Backend) -> tuple[str]:
    """The region of the profile or the environment, where none is chosen.

    Raises:
        ConfigurationError: neither has one.
    """
    default = backend.default_region()
    if default is None:
        raise ConfigurationError(
            "no region is chosen",
            hint='press R, or use --region, AWS_REGION, or regions = ["us-east-1"] in runctl.toml',
        )
    return (default,)
