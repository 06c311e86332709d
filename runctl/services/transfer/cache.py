"""What the last sync knew of each file: its size, mtime and inode then, and the ETag of the object that equals it.

With it a sync tells "same" from "changed" without reading a file or asking for a checksum, and better than times can:
the object that another machine wrote has another ETag. It is a cache: losing it costs work, never correctness.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from runctl.paths import make_private

_SCHEMA = """CREATE TABLE IF NOT EXISTS files (
  name TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, inode INTEGER, etag TEXT) WITHOUT ROWID"""
_BATCH = 2000


class Known(NamedTuple):
    """A file as it was when it equalled the object with this ETag."""

    name: str
    size: int
    mtime_ns: int
    inode: int
    etag: str


class SyncCache:
    """The cache of one pair of directory and prefix; without a file it knows nothing and keeps nothing.

    Args:
        directory: where caches are, None for no cache.
        pair: what tells this pair from others: endpoint, bucket and prefix, directory.
    """

    def __init__(self, directory: Path | None, pair: tuple[str, ...]) -> None:
        self._lock = threading.Lock()
        self._new: dict[str, Known] = {}
        self._gone: list[str] = []
        self._path: Path | None = None
        if directory is not None:
            name = blake2b("\0".join(pair).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
            self._path = directory / f"{name}.sqlite3"

    def rows(self) -> Iterator[Known]:
        """Everything known, in order of the names' bytes."""
        if self._path is None or not self._path.exists():
            return
        try:
            with contextlib.closing(sqlite3.connect(self._path, timeout=1)) as base:
                rows = base.execute("SELECT name, size, mtime_ns, inode, etag FROM files ORDER BY name")
                yield from map(Known._make, rows)
        except sqlite3.Error:
            return  # damaged or being rebuilt: know nothing from here on

    def keep(self, known: Known) -> None:
        """Remember a file that equals its object now."""
        if self._path is None or not known.etag:
            return
        with self._lock:
            self._new[known.name] = known
            full = len(self._new) >= _BATCH
        if full:
            self.save()

    def forget(self, name: str) -> None:
        """A file is gone."""
        with self._lock:
            self._gone.append(name)

    def save(self) -> None:
        """Write what is new."""
        with self._lock:
            new, self._new = self._new, {}
            gone, self._gone = self._gone, []
            if self._path is None or not (new or gone):
                return
            try:
                self._write(self._path, list(new.values()), gone)
            except sqlite3.OperationalError:  # locked by another run, or the disk is full: it is only a cache
                return
            except sqlite3.DatabaseError:  # damaged: start over
                with contextlib.suppress(OSError, sqlite3.Error):
                    self._path.unlink()
                    self._write(self._path, list(new.values()), [])
            except OSError:
                return

    @staticmethod
    def _write(path: Path, new: list[Known], gone: list[str]) -> None:
        make_private(path.parent)
        with contextlib.closing(sqlite3.connect(path, timeout=10)) as base, base:
            base.execute("PRAGMA journal_mode = WAL")
            base.execute("PRAGMA synchronous = OFF")
            base.execute(_SCHEMA)
            base.executemany("DELETE FROM files WHERE name = ?", [(name,) for name in gone])
            base.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", new)
