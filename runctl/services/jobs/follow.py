"""Reading what a job left: its log by byte offset, its metrics, its story. The same while it runs and after it is gone.

A log is a row of chunks without holes (docs/job-record.md); a reader that knows its offset lists what lies behind it,
so that nothing is read twice and nothing lost, however much came between two looks.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from runctl.errors import RunctlError
from runctl.models import record
from runctl.models.record import Event, LogChunk
from runctl.services.jobs.record import JobRecord


class LogPart(NamedTuple):
    """Some bytes of a log.

    Args:
        start: offset of the first byte.
        data: the bytes; of a gap, a line that says what is missing.
        end: offset behind the last byte.
        at_ms: when the first byte was captured, ms since 1970.
        gap: the bytes themselves are lost, and `data` says why.
    """

    start: int
    data: bytes
    end: int
    at_ms: int
    gap: bool = False


class LogLine(NamedTuple):
    """One line of a log for a screen: offset of its first byte, when its chunk began (seconds since 1970), its text."""

    offset: int
    at: float
    text: str


def log_chunks(job: JobRecord, attempt: int, after: int = 0) -> Iterator[tuple[str, LogChunk]]:
    """Keys of the chunks that hold bytes from an offset on, in order."""
    prefix = record.log_prefix(job.job, attempt)
    # A chunk that began before the offset may reach beyond it; chunks hold at most 4 MiB of log.
    first = max(0, after - (4 << 20))
    for entry in job.store.entries(prefix, record.log_after(job.job, attempt, first) if first else ""):
        chunk = record.parse_log_key(entry.key)
        if chunk is not None and chunk.end > after:
            yield entry.key, chunk


def read_log(job: JobRecord, attempt: int, offset: int = 0, *, end: int | None = None) -> Iterator[LogPart]:
    """The log from an offset on, as far as it is there now; the next offset is the last part's `end`.

    Args:
        job: the record.
        attempt: which attempt.
        offset: first byte wanted.
        end: first byte not wanted.

    Raises:
        RunctlError: a chunk cannot be read, or does not hold what its name says.
    """
    at = offset
    for key, chunk in log_chunks(job, attempt, offset):
        if end is not None and chunk.start >= end:
            return
        if chunk.start > at:
            return  # what lies between is not there yet: parts come in order or not at all
        if chunk.gap:
            yield LogPart(max(at, chunk.start), _gap_line(job, key, chunk), chunk.end, chunk.first_ms, gap=True)
        else:
            data = _unpacked(job, key, chunk)
            stop = chunk.end if end is None else min(chunk.end, end)
            yield LogPart(at, data[at - chunk.start : stop - chunk.start], stop, chunk.first_ms)
        at = chunk.end


def _unpacked(job: JobRecord, key: str, chunk: LogChunk) -> bytes:
    try:
        data = gzip.decompress(job.store.fetch(key).body)
    except (OSError, EOFError, zlib.error) as error:
        raise RunctlError(f"{key}: not a chunk of a log: {error}") from error
    if len(data) != chunk.end - chunk.start:
        raise RunctlError(f"{key}: {len(data)} bytes where its name promises {chunk.end - chunk.start}")
    return data


def _gap_line(job: JobRecord, key: str, chunk: LogChunk) -> bytes:
    said = job.read(key) or {}
    why = str(said.get("reason") or "unknown")
    return f"\n[runctl: {chunk.end - chunk.start:,} bytes are missing here: {why}]\n".encode()


def tail_start(job: JobRecord, attempt: int, lines: int, *, most: int = 8 << 20) -> int:
    """The offset at which the last `lines` lines begin, looking back at most `most` bytes."""
    chunks = list(log_chunks(job, attempt))
    seen, begin = 0, chunks[-1][1].end if chunks else 0
    for key, chunk in reversed(chunks):
        if chunk.gap or (chunks[-1][1].end - chunk.start) > most:
            return begin
        data = _unpacked(job, key, chunk)
        at = len(data)
        while seen <= lines and (at := data.rfind(b"\n", 0, at)) >= 0:
            # The newline at the very end closes the last line and begins none.
            if chunk.start + at + 1 < chunks[-1][1].end:
                seen += 1
                if seen == lines:
                    return chunk.start + at + 1
        begin = chunk.start
    return begin


def lines_of(parts: Iterable[LogPart]) -> Iterator[LogLine]:
    """Parts as lines; the last may be unfinished. Carriage returns begin the line anew, as a terminal shows them."""
    rest, start, at = b"", 0, 0
    for part in parts:
        if part.gap:
            if rest:
                yield LogLine(start, at / 1000, _shown(rest))
            yield LogLine(part.start, part.at_ms / 1000, part.data.decode().strip())
            rest, start = b"", part.end
            continue
        if not rest:
            start, at = part.start, part.at_ms
        rest += part.data
        *whole, rest = rest.split(b"\n")
        for line in whole:
            yield LogLine(start, at / 1000, _shown(line))
            start, at = start + len(line) + 1, part.at_ms
    if rest:
        yield LogLine(start, at / 1000, _shown(rest))


def _shown(line: bytes) -> str:
    return line.removesuffix(b"\r").rpartition(b"\r")[2].decode("utf-8", "replace")


class Point(NamedTuple):
    """One value of a series; `value` is None where the trainer said NaN or infinity."""

    step: int | None
    at: float
    value: float | None


@dataclass(frozen=True, slots=True)
class Curves:
    """The metrics of an attempt.

    Args:
        series: points by name, in the order they came.
        points: how many points there are in all; a thinned series has fewer.
        thinned: these are the curves the machine thinned to at most 500 points a series.
    """

    series: Mapping[str, tuple[Point, ...]]
    points: int = 0
    thinned: bool = False


def read_curves(job: JobRecord, attempt: int) -> Curves:
    """The thinned curves: one object, whatever the length of the training."""
    found = job.read(record.attempt_key(job.job, attempt, "curve.json"))
    if found is None:
        return Curves({})
    series = {
        str(name): tuple(Point(_step(p[0]), float(p[1]), _number(p[2])) for p in points if len(p) == 3)
        for name, points in (found.get("series") or {}).items()
    }
    return Curves(series, int(found.get("points") or 0), thinned=True)


def read_points(job: JobRecord, attempt: int, first: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every point from a number on, with its number, as the machine wrote it."""
    for entry in job.store.entries(record.metrics_prefix(job.job, attempt)):
        span = record.parse_metrics_key(entry.key)
        if span is None or span[1] <= first:
            continue
        body = job.store.fetch(entry.key).body
        for number, line in enumerate(body.splitlines(), span[0]):
            if number >= first:
                yield number, _point(line, entry.key)


def _point(line: bytes, key: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise RunctlError(f"{key}: not metrics: {error}") from error
    return value if isinstance(value, dict) else {}


def curves_of(points: Iterable[Mapping[str, Any]]) -> Curves:
    """Points as series by name."""
    series: dict[str, list[Point]] = {}
    count = 0
    for point in points:
        count += 1
        for name, value in point.items():
            if name not in ("t", "step", "nan"):
                series.setdefault(name, []).append(
                    Point(_step(point.get("step")), float(point.get("t") or 0.0), _number(value))
                )
    return Curves({name: tuple(found) for name, found in series.items()}, count)


def _step(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


class Moment(NamedTuple):
    """One entry of the story of a job: when (seconds since 1970), attempt, a word, a sentence, who said it."""

    at: float
    attempt: int
    kind: str
    message: str
    who: str


def timeline(events: Iterable[Event]) -> tuple[Moment, ...]:
    """Events and what they say of the lifecycle, as one story in the order of time."""
    found = [
        Moment(
            float(e.get("at") or 0.0), int(e.get("attempt") or 0), str(e.get("kind") or "?"),
            str(e.get("message") or ""), "machine" if e.get("writer") == "agent" else "client",
        )
        for e in events
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda m: (m.at, m.attempt)))
