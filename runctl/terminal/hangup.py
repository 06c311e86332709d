"""Ending when the terminal does.

A dashboard whose SSH connection dropped must not stay behind, neither asleep nor at 100 % of a core. The signal SIGHUP
usually says so; where it does not arrive (nohup, some multiplexers) the input reports a hang-up. After either the app
is asked to end, and is ended if it cannot: writing to a terminal that is gone may block for ever.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

GRACE_S = 3.0
_POLL_S = 1.0
_GONE = select.POLLHUP | select.POLLERR


class HangupWatch:
    """Calls `leave(code)` once, in whatever thread notices, when the terminal or the system wants us gone.

    Args:
        leave: asks the app to end with an exit code; must be safe from any thread.
        fd: the terminal's input, watched for a hang-up.
        grace_s: seconds from the call until the process is ended without further asking.
    """

    def __init__(self, leave: Callable[[int], None], fd: int, *, grace_s: float = GRACE_S) -> None:
        self._leave = leave
        self._fd = fd
        self._grace_s = grace_s
        self._noticed = threading.Event()
        self._over = threading.Event()

    def start(self) -> None:
        """Install the signal handlers and start watching. Only from the main thread."""
        for number in (signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, self._signalled)
        threading.Thread(target=self._watch, name="hangup-watch", daemon=True).start()

    def stop(self) -> None:
        """The app has ended by itself."""
        self._over.set()

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        self._notice(128 + number)

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._fd, 0)  # nothing asked for: only errors and hang-ups are reported
        while not self._over.wait(_POLL_S):
            if any(event & _GONE for _fd, event in poll.poll(0)):
                self._notice(128 + signal.SIGHUP)
                return

    def _notice(self, code: int) -> None:
        if self._noticed.is_set():
            return
        self._noticed.set()
        threading.Thread(target=self._end, args=(code,), name="hangup-end", daemon=True).start()
        self._leave(code)

    def _end(self, code: int) -> None:
        deadline = time.monotonic() + self._grace_s
        while time.monotonic() < deadline:
            if self._over.wait(0.1):
                return
        os._exit(code)
