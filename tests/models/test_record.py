"""The record's names survive the round trip, sort as they should, and refuse what is no job id."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runctl.models import record

JOB = record.job_id(1764252000000, b"0123456789")
OFFSETS = st.integers(min_value=0, max_value=10**15)


def test_ids_sort_by_time_and_say_what_is_no_id() -> None:
    assert record.job_id(1, b"\xff" * 10) < record.job_id(2, b"\0" * 10)
    assert record.is_job_id(JOB)
    for bad in ("", "../x", JOB.lower(), JOB + "/", JOB + "\n", JOB[:-1]):
        assert not record.is_job_id(bad)
        with pytest.raises(ValueError, match="26 letters"):
            record.job_prefix(bad)


@given(OFFSETS, st.integers(1, 10**9), st.booleans())
def test_a_chunk_is_read_back_from_its_key(start: int, length: int, gap: bool) -> None:
    chunk = record.LogChunk(start, start + length, 1764252000000, 1764252001000, gap)
    assert record.parse_log_key(record.log_key(JOB, 3, chunk)) == chunk


@given(OFFSETS, OFFSETS)
def test_a_listing_after_an_offset_has_exactly_the_chunks_from_there_on(offset: int, start: int) -> None:
    key = record.log_key(JOB, 1, record.LogChunk(start, start + 1, 0, 0, False))
    assert (key > record.log_after(JOB, 1, offset)) == (start >= offset)


def test_events_sort_by_attempt_then_number_and_a_writer_is_only_a_name() -> None:
    keys = [record.event_key(JOB, a, n, "agent") for a, n in ((1, 9), (1, 10), (2, 1))]
    assert keys == sorted(keys)
    assert record.parse_event_key(record.event_key(JOB, 1, 2, "../me@home")) == (1, 2, "..-me-home")
    assert record.parse_event_key("events/other.json") is None
    assert record.parse_metrics_key(record.metrics_key(JOB, 1, 4, 9)) == (4, 9)
    assert record.parse_metrics_key("metrics/x.jsonl") is None
    assert record.parse_log_key("log/notes.txt") is None


def test_json_is_valid_even_where_a_loss_is_not_a_number() -> None:
    body = record.dump({"loss": float("nan"), "all": [float("inf"), 1.5], "name": "é"})
    assert record.load(body) == {"loss": None, "all": [None, 1.5], "name": "é"}
    with pytest.raises(ValueError, match="expected a JSON object"):
        record.load(b"[1]")


def test_only_a_complete_checkpoint_that_still_exists_is_resumed_from() -> None:
    def entry(name: str, step: int | None, complete: bool, deleted: float | None = None) -> record.Checkpoint:
        return {"id": name, "step": step, "complete": complete, "deleted_at": deleted, "made_at": 1.0}

    index = {
        "checkpoints": [entry("a", 5, True), entry("b", 9, False), entry("c", 7, True, 2.0), entry("d", None, True)]
    }
    found = record.newest_complete(index)
    assert found is not None
    assert found["id"] == "a"
    assert record.newest_complete({}) is None
