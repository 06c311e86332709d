"""Places that had no machine a moment ago are left alone for ten minutes, also by the next runctl.

Ten minutes is what AWS ParallelCluster takes ("Slurm cluster fast insufficient capacity fail-over"). The file can be
lost without harm: whatever is wrong with it, nothing is in quarantine.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from runctl import paths
from runctl.clock import Clock
from runctl.models.instance import Market
from runctl.paths import make_private

LENGTH = timedelta(minutes=10)
_FILE = "quarantine.json"


class Place(NamedTuple):
    """Where a launch was refused. Zone names mean different places in different accounts."""

    account: str
    type: str
    zone: str
    market: Market

    @property
    def key(self) -> str:
        """Its name in the file."""
        return " ".join(self)


class Quarantine:
    """The places of one user.

    Args:
        path: the file.
        clock: the time.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path, self._clock = path, clock

    def until(self, place: Place) -> datetime | None:
        """When a place may be tried again, None when it may be now."""
        return self._read().get(place.key)

    def add(self, place: Place) -> None:
        """Leave a place alone for a while. A file that cannot be written costs only the memory."""
        with contextlib.suppress(OSError), self._held():
            known = self._read() | {place.key: self._clock.now() + LENGTH}
            text = json.dumps({k: at.isoformat() for k, at in known.items()}, indent=1)
            descriptor, name = tempfile.mkstemp(dir=self._path.parent, prefix=".")
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(name, self._path)

    def _read(self) -> dict[str, datetime]:
        """What is still in force. A time further off than any quarantine lasts comes from a clock that was wrong."""
        now = self._clock.now()
        try:
            raw = json.loads(self._path.read_text(encoding="utf-8"))
            known = {str(k): datetime.fromisoformat(v) for k, v in raw.items()}
            return {k: at for k, at in known.items() if now < at <= now + LENGTH}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        make_private(self._path.parent)
        fd = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)


def open_quarantine(clock: Clock) -> Quarantine:
    """The user's own, in the state directory."""
    return Quarantine(paths.state_dir() / _FILE, clock)
