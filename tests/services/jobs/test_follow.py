"""Logs byte for byte, metrics and the story of a job, over both stores."""

from __future__ import annotations

import gzip
import random

import pytest

from runctl.errors import RunctlError
from runctl.models import record
from runctl.models.record import LogChunk
from runctl.services.jobs.follow import (
    LogPart,
    curves_of,
    lines_of,
    read_curves,
    read_log,
    read_points,
    tail_start,
    timeline,
)
from runctl.services.jobs.record import JobRecord
from tests.services.jobs.conftest import JOB, Open


def _put_log(job: JobRecord, data: bytes, start: int, size: int) -> int:
    """Write bytes as chunks of a size; the end."""
    for at in range(0, len(data), size):
        piece = data[at : at + size]
        chunk = LogChunk(start + at, start + at + len(piece), 1000 + at, 1000 + at, gap=False)
        job.store.put(record.log_key(JOB, 1, chunk), gzip.compress(piece, 1))
    return start + len(data)


def test_thirty_megabytes_between_two_looks_are_all_there(client_of: Open) -> None:
    job = client_of("ana")
    rng = random.Random(3)
    first = b"".join(b"step=%d loss=%r\n" % (n, rng.random()) for n in range(2000))
    end = _put_log(job, first, 0, 50_000)
    got = b"".join(p.data for p in read_log(job, 1))
    assert got == first
    more = rng.randbytes(30 << 20)
    end = _put_log(job, more, end, (4 << 20) - 7)
    parts = list(read_log(job, 1, len(first)))
    assert b"".join(p.data for p in parts) == more
    assert parts[-1].end == end
    assert list(read_log(job, 1, end)) == []


def test_any_offset_and_any_end_give_the_very_bytes(client_of: Open) -> None:
    job = client_of("ana")
    data = bytes(range(256)) * 40
    _put_log(job, data, 0, 999)
    rng = random.Random(1)
    for _ in range(25):
        start, end = sorted((rng.randrange(len(data)), rng.randrange(len(data) + 1)))
        assert b"".join(p.data for p in read_log(job, 1, start, end=end)) == data[start:end]


def test_a_gap_says_what_is_missing_and_the_rest_goes_on(client_of: Open) -> None:
    job = client_of("ana")
    _put_log(job, b"before\n", 0, 100)
    gap = LogChunk(7, 5007, 1, 2, gap=True)
    job.store.put(record.log_key(JOB, 1, gap), record.dump({"v": 1, "reason": "disk full", "bytes": 5000}))
    _put_log(job, b"after\n", 5007, 100)
    parts = list(read_log(job, 1))
    assert [p.gap for p in parts] == [False, True, False]
    assert b"5,000 bytes are missing here: disk full" in parts[1].data
    assert (parts[2].data, parts[2].end) == (b"after\n", 5013)


def test_a_chunk_that_overtook_another_is_not_shown_before_it(client_of: Open) -> None:
    job = client_of("ana")
    _put_log(job, b"one\n", 0, 100)
    _put_log(job, b"three\n", 8, 100)
    assert b"".join(p.data for p in read_log(job, 1)) == b"one\n"
    _put_log(job, b"two\n", 4, 100)
    assert b"".join(p.data for p in read_log(job, 1, 4)) == b"two\nthree\n"


def test_a_damaged_chunk_is_an_error_with_its_name(client_of: Open) -> None:
    job = client_of("ana")
    key = record.log_key(JOB, 1, LogChunk(0, 10, 1, 1, gap=False))
    job.store.put(key, gzip.compress(b"short"))
    with pytest.raises(RunctlError, match="promises 10"):
        list(read_log(job, 1))
    job.store.put(key, b"no gzip")
    with pytest.raises(RunctlError, match="not a chunk"):
        list(read_log(job, 1))


@pytest.mark.parametrize(
    ("lines", "expected"), [(1, b"e\n"), (2, b"d\ne\n"), (4, b"b\nc\nd\ne\n"), (99, b"a\nb\nc\nd\ne\n")]
)
def test_the_tail_begins_at_a_line_across_chunks(client_of: Open, lines: int, expected: bytes) -> None:
    job = client_of("ana")
    _put_log(job, b"a\nb\nc\nd\ne\n", 0, 3)
    start = tail_start(job, 1, lines)
    assert b"".join(p.data for p in read_log(job, 1, start)) == expected
    assert tail_start(job, 2, lines) == 0


def test_lines_across_parts_with_progress_bars_and_broken_bytes() -> None:
    parts = [
        LogPart(0, b"epo", 3, 1000),
        LogPart(3, b"ch 1\n10%\r50%\r100%\n\xff", 22, 2000),
        LogPart(22, b"x", 23, 3000),
    ]
    assert [tuple(line) for line in lines_of(parts)] == [
        (0, 1.0, "epoch 1"),
        (8, 2.0, "100%"),
        (21, 2.0, "\ufffdx"),
    ]


def test_a_gap_is_a_line_of_its_own_and_offsets_go_on_behind_it() -> None:
    parts = [
        LogPart(0, b"cut", 3, 1000),
        LogPart(3, b"\n[lost]\n", 5003, 2000, gap=True),
        LogPart(5003, b"on\n", 5006, 3000),
    ]
    assert [(line.offset, line.text) for line in lines_of(parts)] == [(0, "cut"), (3, "[lost]"), (5003, "on")]


def test_curves_and_points_with_what_is_not_a_number(client_of: Open) -> None:
    job = client_of("ana")
    assert read_curves(job, 1).series == {}
    curve = {"v": 1, "points": 900, "series": {"loss": [[1, 10.0, 0.5], [2, 11.0, None]]}}
    job.store.put(record.attempt_key(JOB, 1, "curve.json"), record.dump(curve))
    thinned = read_curves(job, 1)
    assert thinned.series["loss"] == ((1, 10.0, 0.5), (2, 11.0, None))
    assert (thinned.points, thinned.thinned) == (900, True)
    lines = [b'{"t": 1.0, "step": 1, "loss": 2.5}', b'{"t": 2.0, "step": 2, "loss": null, "nan": ["loss"]}']
    job.store.put(record.metrics_key(JOB, 1, 0, 2), b"\n".join(lines) + b"\n")
    job.store.put(record.metrics_key(JOB, 1, 2, 3), b'{"t": 3.0, "step": 3, "lr": 0.1}\n')
    assert [n for n, _ in read_points(job, 1, 1)] == [1, 2]
    whole = curves_of(p for _, p in read_points(job, 1))
    assert whole.series == {"loss": ((1, 1.0, 2.5), (2, 2.0, None)), "lr": ((3, 3.0, 0.1),)}


def test_the_story_is_told_in_the_order_of_time() -> None:
    moments = timeline(
        [
            {"at": 2.0, "attempt": 1, "kind": "started", "message": "go", "writer": "agent"},
            {"at": 1.0, "attempt": 1, "kind": "submitted", "message": "by ana", "writer": "client-x"},
        ]
    )
    assert [(m.kind, m.who) for m in moments] == [("submitted", "client"), ("started", "machine")]
