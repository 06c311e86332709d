"""Reads the command's output as fast as it comes: hides secrets, keeps it on disk, hands lines to the metrics."""

from __future__ import annotations

import os
import threading
import time
from typing import Callable

from runctl.agent.redact import Redactor
from runctl.agent.spool import Spool

_READ = 1 << 20
#: This many bytes a second are searched for metrics; a command that writes more is not printing metrics, and must not
#: be held up by our search.
_SEARCHED = 256 << 10


class Capture:
    """A thread between the pipe and the spool.

    Args:
        spool: where the bytes go.
        redactor: what hides secrets.
        lines: called with whole lines, for metrics; it is given 256 KiB a second, a megabyte in a burst.
    """

    def __init__(self, spool: Spool, redactor: Redactor, lines: Callable[[bytes], None]) -> None:
        self._spool = spool
        self._redactor = redactor
        self._lines = lines
        self._rest = b""
        self._lock = threading.Lock()
        self.at = time.monotonic()
        self.sampled = False
        self._budget, self._paid_at = 4.0 * _SEARCHED, self.at
        self.tail = b""

    def start(self, descriptor: int) -> threading.Thread:
        """Read until the end of the pipe; the thread ends with it."""
        thread = threading.Thread(target=self._read, args=(descriptor,), name="capture", daemon=True)
        thread.start()
        return thread

    def _read(self, descriptor: int) -> None:
        try:
            while True:
                data = os.read(descriptor, _READ)
                if not data:
                    break
                self._take(data)
        finally:
            os.close(descriptor)

    def _take(self, data: bytes) -> None:
        with self._lock:
            safe = self._redactor.feed(data)
            self._spool.append(safe)
        self.at = time.monotonic()
        self.tail = (self.tail + safe[-8192:])[-8192:]
        now = time.monotonic()
        self._budget = min(4.0 * _SEARCHED, self._budget + (now - self._paid_at) * _SEARCHED)
        self._paid_at = now
        if len(safe) > self._budget:
            self.sampled, self._rest = True, b""
            return
        self._budget -= len(safe)
        whole, newline, rest = (self._rest + safe).replace(b"\r", b"\n").rpartition(b"\n")
        self._rest = rest[-65536:]
        if newline:
            self._lines(whole)

    def say(self, message: str) -> None:
        """A line of the supervisor's own in the log, marked as such."""
        with self._lock:
            text = self._redactor.text(message).replace("\n", " ")
            self._spool.append(f"[runctl] {text}\n".encode())

    def finish(self) -> None:
        """Nothing follows: what the redactor held back goes out."""
        with self._lock:
            self._spool.append(self._redactor.finish())
        if self._rest:
            rest, self._rest = self._rest, b""
            self._lines(rest)
