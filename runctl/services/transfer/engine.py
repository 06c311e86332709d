"""The workers: many files, or many parts of few, with bounded queues and memory, one file's trouble its own."""

from __future__ import annotations

import errno
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from runctl.errors import CloudError, CredentialsError, NetworkError, RunctlError, ServiceError, ThrottledError
from runctl.services.transfer.changes import Change
from runctl.services.transfer.context import ChangedError, RangesIgnoredError
from runctl.services.transfer.control import Cancelled, Control
from runctl.services.transfer.destination import RefusedError, hopeless
from runctl.services.transfer.progress import FileFailed, Tally

_QUEUE = 1000
# What is worth keeping parts for: the next run may have more luck.
_KEEP = (Cancelled, NetworkError, ServiceError, ThrottledError, CredentialsError)


class Large(Protocol):
    """A file that moves in pieces."""

    @property
    def already(self) -> int:
        """Bytes an earlier run has moved."""
        ...

    def start(self) -> None:
        """Prepare."""
        ...

    def pieces(self) -> Iterator[Callable[[], int]]:
        """What is left; each call moves one piece and returns its bytes."""
        ...

    def finish(self) -> None:
        """All pieces are through: make the file whole."""
        ...

    def abandon(self, *, keep: bool) -> None:
        """Give up, keeping what was moved for a later run or not."""
        ...


class Mover(Protocol):
    """Moves files of one direction, and reports each that is through."""

    def large(self, change: Change) -> Large | None:
        """The file in pieces, None when it goes in one."""
        ...

    def whole(self, change: Change) -> None:
        """Move the file in one piece."""
        ...

    def flush(self) -> None:
        """Finish what was collected to be finished together."""
        ...


@dataclass(slots=True, eq=False)
class _Open:
    """A file that moves in pieces, under way."""

    change: Change
    large: Large
    tries: int
    left: Iterator[Callable[[], int]]
    pending: int = 0
    exhausted: bool = False
    error: BaseException | None = None
    counted: int = 0


@dataclass(slots=True)
class _State:
    queue: deque[tuple[Change, int]] = field(default_factory=deque)
    open: list[_Open] = field(default_factory=list)
    busy: int = 0
    closing: bool = False
    fatal: BaseException | None = None


class Engine:
    """Runs changes on worker threads.

    Pieces of files under way go first, so that few files are open at once; a file is taken from the queue only when no
    piece is waiting.

    Args:
        mover: moves files.
        control: pause and cancel.
        tally: counts.
        workers: threads.
        tries: how often a file that changes under our hands is started anew.
    """

    def __init__(self, mover: Mover, control: Control, tally: Tally, *, workers: int = 16, tries: int = 3) -> None:
        self._mover = mover
        self._control = control
        self._tally = tally
        self._tries = tries
        self._limit = workers
        self._state = _State()
        lock = threading.RLock()
        self._change = threading.Condition(lock)  # there is work, or no more will come
        self._room = threading.Condition(lock)  # the queue has room again
        self._threads: list[threading.Thread] = []

    @property
    def fatal(self) -> BaseException | None:
        """What stopped everything: a full disk, credentials that are gone; None when nothing did."""
        return self._state.fatal

    def submit(self, change: Change) -> bool:
        """Queue a file, waiting while the queue is full; False when everything has stopped."""
        with self._change:
            while len(self._state.queue) >= _QUEUE and not self._stopped():
                self._room.wait(0.5)
            if self._stopped():
                return False
            self._state.queue.append((change, 1))
            # One thread more for each file until there are enough: one small file needs no sixteen threads.
            if len(self._threads) < self._limit:
                self._spawn()
            else:
                self._change.notify()
        return True

    def _spawn(self) -> None:
        thread = threading.Thread(target=self._work, name=f"transfer-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def close(self) -> None:
        """Wait until everything queued is through, or everything has stopped."""
        with self._change:
            self._state.closing = True
            self._change.notify_all()
        for thread in self._threads:
            # A cancelled worker may sit in a silent connection for a minute: it is a daemon and dies with us.
            while thread.is_alive() and not self._stopped():
                thread.join(0.5)
            thread.join(3)
        for left in self._state.open:
            left.large.abandon(keep=True)
        self._state.open.clear()
        try:
            self._mover.flush()
        except Exception as error:  # noqa: BLE001 - recorded, and raised by who asks for `fatal`
            self._state.fatal = self._state.fatal or error

    def _stopped(self) -> bool:
        return self._state.fatal is not None or self._control.cancelled

    # --- the workers' side ---

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                job()
            except Exception as error:  # noqa: BLE001 - a bug must end the run loudly, not hang it
                with self._change:
                    self._state.fatal = self._state.fatal or error
            finally:
                with self._change:
                    self._state.busy -= 1
                    if self._state.closing and not self._state.busy:
                        self._change.notify_all()

    def _next(self) -> Callable[[], None] | None:
        with self._change:
            while True:
                if self._stopped():
                    self._change.notify_all()
                    return None
                job = self._piece() or self._file()
                if job is not None:
                    self._state.busy += 1
                    return job
                if self._state.closing and not self._state.busy and not self._state.open:
                    self._change.notify_all()
                    return None
                self._change.wait(1.0)

    def _piece(self) -> Callable[[], None] | None:
        for under_way in list(self._state.open):
            piece = None if under_way.error is not None else next(under_way.left, None)
            if piece is not None:
                under_way.pending += 1
                return lambda: self._run_piece(under_way, piece)
            under_way.exhausted = True
            self._state.open.remove(under_way)
            if not under_way.pending:
                return lambda: self._complete(under_way)
        return None

    def _file(self) -> Callable[[], None] | None:
        if not self._state.queue:
            return None
        change, tries = self._state.queue.popleft()
        self._room.notify()
        return lambda: self._begin(change, tries)

    def _begin(self, change: Change, tries: int) -> None:
        self._tally.begin(change.name)
        try:
            large = self._mover.large(change)
            if large is None:
                self._mover.whole(change)
                return
        except BaseException as error:  # noqa: BLE001 - sorted in _failed
            self._failed(change, error, tries)
            return
        try:
            large.start()
        except BaseException as error:  # noqa: BLE001 - sorted in _failed
            self._given_up(large, error)
            self._failed(change, error, tries)
            return
        under_way = _Open(change, large, tries, large.pieces(), counted=large.already)
        self._tally.part(large.already)
        with self._change:
            self._state.open.append(under_way)
            # Pieces are for everybody: one big file shall use every thread.
            while len(self._threads) < self._limit:
                self._spawn()
            self._change.notify_all()

    def _run_piece(self, under_way: _Open, piece: Callable[[], int]) -> None:
        error: BaseException | None = None
        count = 0
        try:
            count = piece()
            self._tally.part(count)
        except BaseException as raised:  # noqa: BLE001 - sorted in _complete
            error = raised
        with self._change:
            under_way.pending -= 1
            under_way.counted += count
            under_way.error = under_way.error or error
            if error is not None and under_way in self._state.open:
                self._state.open.remove(under_way)
                under_way.exhausted = True
            last = under_way.exhausted and not under_way.pending
        if last:
            self._complete(under_way)

    def _complete(self, under_way: _Open) -> None:
        if under_way.error is None:
            try:
                under_way.large.finish()
            except BaseException as error:  # noqa: BLE001 - sorted below
                under_way.error = error
            else:
                return
        self._given_up(under_way.large, under_way.error)
        self._tally.part(-under_way.counted)
        if isinstance(under_way.error, RangesIgnoredError):
            try:
                self._mover.whole(under_way.change)
            except BaseException as error:  # noqa: BLE001 - sorted in _failed
                self._failed(under_way.change, error, under_way.tries)
            return
        self._failed(under_way.change, under_way.error, under_way.tries)

    def _given_up(self, large: Large, error: BaseException | None) -> None:
        try:
            large.abandon(keep=isinstance(error, _KEEP) or hopeless(error or Cancelled()))
        except (RunctlError, OSError, Cancelled):
            return  # the parts stay; `runctl s3 uploads` finds them

    def _failed(self, change: Change, error: BaseException, tries: int) -> None:
        if isinstance(error, Cancelled):
            return
        if isinstance(error, ChangedError) and tries < self._tries:
            with self._change:
                self._state.queue.append((change, tries + 1))
            return
        self._tally.end(failure_of(change.name, error))
        stop = hopeless(error) or isinstance(error, CredentialsError) or not isinstance(error, _EXPECTED)
        stop = stop or (isinstance(error, CloudError) and error.site.code == "NoSuchBucket")
        if stop:
            with self._change:
                self._state.fatal = self._state.fatal or error


_EXPECTED = (RunctlError, OSError, ChangedError, RefusedError)


def failure_of(name: str, error: BaseException) -> FileFailed:
    """A failure as it is told: by name, with a reason a person can use."""
    if isinstance(error, RefusedError):
        return FileFailed(name, str(error), "Refused", refused=True)
    if isinstance(error, CloudError):
        return FileFailed(name, error.message, error.site.code)
    if isinstance(error, OSError) and error.errno is not None:
        return FileFailed(name, error.strerror or str(error), errno.errorcode.get(error.errno, str(error.errno)))
    if isinstance(error, ChangedError):
        return FileFailed(name, str(error), "Changed")
    return FileFailed(name, f"{type(error).__name__}: {error}", type(error).__name__)
