"""Checkpoints of a job over both stores: chosen, looked into, fetched, let go."""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from runctl.errors import InputError, RunctlError
from runctl.models import record
from runctl.services.jobs.checkpoints import choose, look_into, plan_retention, prune, pull, usable
from runctl.services.jobs.record import JobRecord
from tests.services.jobs.conftest import JOB, Open


def _add(job: JobRecord, step: int, body: bytes, name: str = "", **more: Any) -> dict[str, Any]:
    name = name or f"step-{step}.json"
    key = record.checkpoint_key(JOB, 1, name).removeprefix(record.job_prefix(JOB))
    job.store.put(record.job_prefix(JOB) + key, body)
    entry = {
        "id": f"1/{name}", "name": name, "attempt": 1, "step": step, "bytes": len(body), "made_at": float(step),
        "complete": True, "deleted_at": None,
        "files": [{"path": name, "key": key, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}],
    }  # fmt: skip
    return {**entry, **more}


def _index(job: JobRecord, entries: list[dict[str, Any]], best: str | None = None) -> None:
    job.store.put(
        record.index_key(JOB), record.dump({"v": 1, "job": JOB, "fence": 1, "checkpoints": entries, "best": best})
    )


def test_only_what_is_complete_is_offered(client_of: Open) -> None:
    job = client_of("ana")
    with pytest.raises(InputError, match="no complete checkpoint"):
        choose(job, "newest")
    whole, half, gone = (_add(job, n, b"{}") for n in (10, 20, 30))
    _index(job, [whole, {**half, "complete": False}, {**gone, "deleted_at": 5.0}], best=whole["id"])
    assert [c["step"] for c in usable(job.index())] == [10]
    assert {choose(job, w)["id"] for w in ("newest", "best", "1/step-10.json", "step-10.json")} == {whole["id"]}
    with pytest.raises(InputError, match="no complete checkpoint") as caught:
        choose(job, "1/step-20.json")
    assert "1/step-10.json" in caught.value.hint


def test_fetched_files_are_checked_and_stay_below_the_directory(client_of: Open, tmp_path: Path) -> None:
    job = client_of("ana")
    good = _add(job, 10, b'{"step": 10}')
    evil = _add(job, 20, b"x")
    evil["files"][0]["path"] = "../outside"
    torn = _add(job, 30, b"y" * 100)
    torn["files"][0]["sha256"] = "0" * 64
    _index(job, [good, evil, torn])
    got = pull(job, choose(job, good["id"]), tmp_path / "to", lambda *_: None)
    assert [p.read_bytes() for p in got] == [b'{"step": 10}']
    with pytest.raises(InputError):
        pull(job, choose(job, evil["id"]), tmp_path / "to", lambda *_: None)
    assert not (tmp_path / "outside").exists()
    with pytest.raises(RunctlError, match="damaged"):
        pull(job, choose(job, torn["id"]), tmp_path / "to", lambda *_: None)
    assert sorted(p.name for p in (tmp_path / "to").iterdir()) == ["step-10.json"]


def test_a_remote_file_is_looked_into_by_its_parts(client_of: Open) -> None:
    job = client_of("ana")
    entry = _add(job, 5, pickle.dumps({"step": 5, "model": list(range(1000))}), "state.pkl")
    text = _add(job, 6, json.dumps({"step": 6}).encode())
    _index(job, [entry, text])
    (inside,) = [c for _, c in look_into(job, choose(job, "state.pkl"))]
    assert (inside.kind, inside.whole, inside.danger) == ("pickle", True, ())
    (plain,) = [c for _, c in look_into(job, choose(job, "step-6.json"))]
    assert plain.facts["step"] == "6"


def test_retention_keeps_the_newest_the_best_and_the_last_made(client_of: Open) -> None:
    job = client_of("ana")
    entries = [_add(job, n, b"{}") for n in (10, 20, 30, 40)]
    entries[0]["made_at"] = 999.0  # the last made, though of the lowest step: a run that began again
    _index(job, entries, best="1/step-20.json")
    assert [k.reason for k in plan_retention(job.index(), 1)] == [
        "the last made",
        "the best",
        "",
        "one of the newest 1",
    ]
    assert [c["id"] for c in prune(job, 1)] == ["1/step-30.json"]
    left = {c["id"]: c["deleted_at"] for c in job.index()["checkpoints"]}
    assert left["1/step-30.json"] is not None
    names = [e.key.rpartition("/")[2] for e in job.store.entries(record.job_prefix(JOB) + "checkpoints/0001/")]
    assert names == ["step-10.json", "step-20.json", "step-40.json"]
    assert prune(job, 1) == []
