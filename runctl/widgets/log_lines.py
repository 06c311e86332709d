"""A log of any length by line: its bytes in a file that has no name, and where each line begins.

A million lines are 12 MB of index; the text of a line is read when it is shown. One thread appends, another reads.
"""

from __future__ import annotations

import os
import tempfile
from array import array
from bisect import bisect_right
from itertools import accumulate

#: A longer line is broken: nobody reads on, and a line without an end must not fill the memory.
LINE_MOST = 64 << 10
#: Lines that are searched at once.
_GROUP = 4096


class LogLines:
    """The lines of a log from an offset on; earlier ones may be put before them later.

    `start` and `end` are the offsets in the log of the first byte held and behind the last.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="runctl-log-")  # noqa: SIM115  # lives as long as this
        self._size_of_file = 0
        self._at, self._sizes = array("Q"), array("I")
        self._marks: list[tuple[int, int]] = []
        self._rest = b""
        self.start = self.end = 0
        self.empty = True

    def close(self) -> None:
        """Give the disk back."""
        self._file.close()

    def __len__(self) -> int:
        return len(self._sizes) + bool(self._rest)

    @property
    def finished(self) -> int:
        """Lines that will not change; the last may still grow."""
        return len(self._sizes)

    # -- more of it ----------------------------------------------------------------------------------------------------

    def append(self, start: int, data: bytes, end: int, at_ms: int, *, gap: bool = False) -> None:
        """Bytes `[start, end)` of the log, captured at `at_ms`; those of a gap are a sentence about it.

        The first bytes ever may begin within a line: what is before the next line is left out then.
        """
        if self.empty:
            self.start, self.empty = start, False
            if start > 0 and not gap:
                cut = data.find(b"\n") + 1
                data, self.start = data[cut:], start + cut
        self._mark(len(self), at_ms)
        if gap:
            data = (b"\n" if self._rest else b"") + data.strip(b"\n") + b"\n"
        *whole, rest = (self._rest + data).split(b"\n")
        while len(rest) > LINE_MOST:
            whole.append(rest[:LINE_MOST])
            rest = rest[LINE_MOST:]
        self._write(whole, self._at, self._sizes)
        self._rest, self.end = rest, end

    def prepend(self, parts: list[tuple[int, bytes, int]]) -> int:
        """What lies right before `start`: (offset, bytes, captured at) in order; how many lines that made."""
        if not parts:
            return 0
        first = parts[0][0]
        at, sizes, marks = array("Q"), array("I"), list[tuple[int, int]]()
        rest = b""
        for number, (_, data, at_ms) in enumerate(parts):
            if number == 0 and first > 0:
                cut = data.find(b"\n") + 1
                data, first = data[cut:], first + cut  # noqa: PLW2901  # the line's beginning is not here
            marks.append((len(sizes), at_ms))
            *whole, rest = (rest + data).split(b"\n")
            self._write(whole, at, sizes)
        if rest:
            self._write([rest], at, sizes)
        added = len(sizes)
        self._marks = [*marks, *((line + added, ms) for line, ms in self._marks)]
        at.extend(self._at)
        sizes.extend(self._sizes)
        self._at, self._sizes, self.start = at, sizes, first
        return added

    def _write(self, whole: list[bytes], at: array[int], sizes: array[int]) -> None:
        if not whole:
            return
        if max(map(len, whole)) > LINE_MOST:
            whole = [line[i : i + LINE_MOST] for line in whole for i in range(0, max(1, len(line)), LINE_MOST)]
        blob = b"\n".join(whole) + b"\n"
        self._file.seek(self._size_of_file)
        self._file.write(blob)
        self._file.flush()
        lengths = [len(line) for line in whole]
        begins = list(accumulate((n + 1 for n in lengths), initial=self._size_of_file))
        begins.pop()
        at.extend(begins)
        sizes.extend(lengths)  # last: who reads looks at the sizes to know how many lines there are
        self._size_of_file += len(blob)

    def _mark(self, line: int, at_ms: int) -> None:
        if not self._marks or self._marks[-1][1] != at_ms:
            self._marks.append((line, at_ms))

    # -- reading -------------------------------------------------------------------------------------------------------

    def text(self, line: int) -> str:
        """A line as a terminal shows it: what stands behind the last carriage return."""
        return self._raw(line).removesuffix(b"\r").rpartition(b"\r")[2].decode("utf-8", "replace")

    def _raw(self, line: int) -> bytes:
        if line >= len(self._sizes):
            return self._rest
        return os.pread(self._file.fileno(), self._sizes[line], self._at[line])

    def time_of(self, line: int) -> float | None:
        """When it was captured, seconds since 1970."""
        found = bisect_right(self._marks, (line, 1 << 62)) - 1
        return self._marks[found][1] / 1000 if found >= 0 else None

    def line_at(self, seconds: float) -> int:
        """The first line captured at that time or later; the last when there is none."""
        found = next((line for line, ms in self._marks if ms >= seconds * 1000), len(self) - 1)
        return max(0, min(found, len(self) - 1))

    def find(self, needle: str, line: int, step: int) -> int | None:
        """The next line from `line` on (or back, when `step` is negative) that holds a text, round the end.

        Upper and lower case are the same for ASCII letters. Reads the file: not for the UI's thread.
        """
        wanted = needle.lower().encode()
        count = len(self)
        if not wanted or not count:
            return None
        ahead = [(line, count), (0, line)] if step > 0 else [(0, line + 1), (line + 1, count)]
        for low, high in ahead:
            starts = range(low, high, _GROUP)
            for at in starts if step > 0 else reversed(starts):
                found = self._in_group(wanted, at, min(high, at + _GROUP), first=step > 0)
                if found is not None:
                    return found
        return None

    def _in_group(self, wanted: bytes, low: int, high: int, *, first: bool) -> int | None:
        top = min(high, len(self._sizes))
        lines = range(low, high) if first else range(high - 1, low - 1, -1)
        if top > low:
            begin, end = self._at[low], self._at[top - 1] + self._sizes[top - 1]
            together = end - begin == sum(self._sizes[low:top]) + top - low - 1
            if together and wanted not in os.pread(self._file.fileno(), end - begin, begin).lower():
                lines = range(top, high)
        return next((n for n in lines if wanted in self._raw(n).lower()), None)
