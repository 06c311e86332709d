"""The log on disk between the command's pipe and the record: segments that are bounded, and never hold the command up.

Nothing is lost as long as the disk has room. Where the writer outruns the upload past the bound, segments in the middle
go: the head and the tail stay, and a gap says how many bytes are missing.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import Callable, NamedTuple

SEGMENT = 4 << 20
#: After a write failed for want of space, the next is tried so much later (ms); what comes between is a gap.
_AGAIN_MS = 1000


class Piece(NamedTuple):
    """Bytes `[start, end)` of the log, taken between two times (ms since 1970); `body` is None for a gap."""

    start: int
    end: int
    first_ms: int
    last_ms: int
    body: bytes | None


class _Segment:
    """One file; its bytes begin at `start` of the log. `lost`: its file could not be written or was given up."""

    __slots__ = ("end", "first_ms", "last_ms", "lost", "marks", "sealed", "start")

    def __init__(self, start: int, at_ms: int) -> None:
        self.start = self.end = start
        self.first_ms = self.last_ms = at_ms
        self.marks: list[tuple[int, int]] = []
        self.lost = self.sealed = False

    def time_of(self, offset: int) -> int:
        """When the byte at `offset` was captured, to the nearest append before it."""
        at = self.first_ms
        for begin, ms in self.marks:
            if begin > offset:
                break
            at = ms
        return at


class Spool:
    """Segments in a directory; one thread appends, another takes.

    Args:
        folder: where the files lie.
        bound: bytes that may wait for upload; past it the middle goes.
        head: bytes at the beginning of the log that are never given up for room.
        tail: bytes at the end that are never given up.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        folder: str,
        bound: int = 1 << 30,
        head: int = 16 << 20,
        tail: int = 16 << 20,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._folder = folder
        self._bound = max(bound, 4 * SEGMENT)
        self._head = head
        self._tail = tail
        self._lock = threading.Lock()
        self._segments: list[_Segment] = []
        self._file: int | None = None
        self.taken = 0
        self.end = 0
        self.dropped = 0
        self.reason = self._file_problem = ""
        os.makedirs(folder, exist_ok=True)

    def _path(self, segment: _Segment) -> str:
        return os.path.join(self._folder, f"{segment.start:016d}.log")

    def recover(self, taken: int) -> None:
        """Take up what another process left in the directory; bytes below `taken` are in the record already."""
        with self._lock:
            for name in sorted(n for n in os.listdir(self._folder) if n.endswith(".log")):
                path = os.path.join(self._folder, name)
                status = os.stat(path)
                segment = _Segment(int(name[:-4]), int(status.st_ctime * 1000))
                segment.end, segment.sealed = segment.start + status.st_size, True
                segment.last_ms = max(segment.first_ms, int(status.st_mtime * 1000))
                if segment.end > taken:
                    self._segments.append(segment)
            self.taken = max(taken, self._segments[0].start if self._segments else taken)
            self.end = max(taken, self._segments[-1].end if self._segments else taken)

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)

    # --- the writer ---

    def append(self, data: bytes) -> None:
        """Add bytes. Never raises for want of space: what cannot be kept becomes a gap."""
        view = memoryview(data)
        while view:
            with self._lock:
                segment = self._open()
                view = view[self._write(segment, view[: SEGMENT - (segment.end - segment.start)]) :]

    def _open(self) -> _Segment:
        last = self._segments[-1] if self._segments else None
        room = last is not None and last.end - last.start < SEGMENT and not last.sealed
        if last is not None and room and (not last.lost or self._now_ms() - last.first_ms < _AGAIN_MS):
            return last
        self._close()
        segment = _Segment(self.end, self._now_ms())
        self._segments.append(segment)
        self._make_room()
        problem, self._file_problem = self._file_problem, ""
        try:
            if not problem:
                self._file = os.open(self._path(segment), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        except OSError as error:
            problem = f"disk: {error.strerror}"
        if problem:
            self._give_up(segment, problem)
        return segment

    def _write(self, segment: _Segment, data: memoryview) -> int:
        """Bytes that this segment took: all, or those before the disk was full; the next one then begins lost."""
        segment.last_ms = self._now_ms()
        if not segment.marks or segment.last_ms - segment.marks[-1][1] >= 250:
            segment.marks.append((segment.end, segment.last_ms))
        written = 0
        try:
            while written < len(data) and self._file is not None and not segment.lost:
                written += os.write(self._file, data[written:])
        except OSError as error:
            segment.sealed, self._file_problem = True, f"disk: {error.strerror}"
        if segment.lost:
            written = len(data)
        segment.end += written
        self.end += written
        return written

    def _close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.close(self._file)
        self._file = None

    def _give_up(self, segment: _Segment, reason: str) -> None:
        segment.lost, self.reason = True, reason
        with contextlib.suppress(OSError):
            os.unlink(self._path(segment))

    def _make_room(self) -> None:
        """Give up whole segments, oldest first, that are neither head nor tail nor being read."""
        kept = [s for s in self._segments if not s.lost]
        waiting = sum(s.end - max(s.start, self.taken) for s in kept)
        for segment in kept:
            if waiting <= self._bound:
                return
            if segment.start > self.taken and segment.start >= self._head and segment.end <= self.end - self._tail:
                waiting -= segment.end - segment.start
                self._give_up(segment, "the log grew faster than it could be uploaded")

    # --- the reader ---

    @property
    def waiting(self) -> int:
        """Bytes that are not taken yet."""
        return self.end - self.taken

    def oldest_ms(self) -> int | None:
        """When the first byte that waits was captured."""
        with self._lock:
            segment = self._segments[0] if self._segments else None
            return None if segment is None or self.taken >= self.end else segment.time_of(self.taken)

    def peek(self) -> Piece | None:
        """The next piece: the rest of the oldest segment, or the gap of all lost ones that follow each other."""
        with self._lock:
            segment = self._segments[0] if self._segments else None
            if segment is None or self.taken >= self.end:
                return None
            start, end = self.taken, segment.end
            if segment.lost:
                last = segment
                for following in self._segments[1:]:
                    if not following.lost:
                        break
                    last = following
                return Piece(start, last.end, segment.time_of(start), last.last_ms, None)
            times = segment.time_of(start), segment.last_ms
        try:
            with open(self._path(segment), "rb") as file:
                file.seek(start - segment.start)
                body = file.read(end - start)
        except OSError as error:
            with self._lock:
                self._give_up(segment, f"disk: {error.strerror}")
            return self.peek()
        if len(body) < end - start:  # a lost write of the open segment; the next call sees the gap
            with self._lock:
                self._give_up(segment, self.reason or "disk: short file")
            return self.peek()
        return Piece(start, end, times[0], times[1], body)

    def done(self, piece: Piece) -> None:
        """A piece is safe in the record: its room is free again."""
        with self._lock:
            self.taken = piece.end
            if piece.body is None:
                self.dropped += piece.end - piece.start
            while self._segments and self._segments[0].end <= self.taken:
                segment = self._segments[0]
                if segment is self._segments[-1] and segment.end - segment.start < SEGMENT and not segment.sealed:
                    break  # still being written
                self._segments.pop(0)
                with contextlib.suppress(OSError):
                    os.unlink(self._path(segment))
