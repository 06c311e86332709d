"""The record over S3 and over a directory: conditions hold, nothing is lost between two clients."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runctl.clock import FrozenClock
from runctl.errors import InputError, RunctlError
from runctl.models import record
from runctl.models.record import Control
from runctl.services.jobs.record import LEASE_S, JobRecord, job_ids
from runctl.services.jobs.stores import ConflictError, LocalStore, MissingError, Store, exists
from tests.services.jobs.conftest import JOB, Open


def test_objects_conditions_and_listings(store: Store, tmp_path: Path) -> None:
    first = store.put("runctl/a/1", b"one", absent=True)
    with pytest.raises(ConflictError):
        store.put("runctl/a/1", b"two", absent=True)
    second = store.put("runctl/a/1", b"three", match=first)
    with pytest.raises(ConflictError):
        store.put("runctl/a/1", b"four", match=first)
    with pytest.raises(ConflictError):
        store.put("runctl/a/none", b"five", match=first)
    blob = store.fetch("runctl/a/1")
    assert (blob.body, blob.etag) == (b"three", second)
    assert 0 <= blob.age_s < 60
    for key in ("runctl/a/2", "runctl/a/3/x", "runctl/b/1"):
        store.put(key, b"x")
    assert [e.key for e in store.entries("runctl/a/")] == ["runctl/a/1", "runctl/a/2", "runctl/a/3/x"]
    assert [e.key for e in store.entries("runctl/a/", "runctl/a/1")] == ["runctl/a/2", "runctl/a/3/x"]
    assert list(store.children("runctl/")) == ["a", "b"]
    assert list(store.children("nowhere/")) == []
    assert (exists(store, "runctl/a/2"), exists(store, "runctl/a/")) == (True, False)
    store.download("runctl/a/1", tmp_path / "deep/file")
    assert (tmp_path / "deep/file").read_bytes() == b"three"
    store.delete(["runctl/a/1", "runctl/a/absent"])
    with pytest.raises(MissingError):
        store.fetch("runctl/a/1")


def test_a_first_try_whose_answer_was_lost_is_not_a_conflict_with_ourselves(store: Store) -> None:
    store.put("runctl/k", b"mine", absent=True)
    if type(store).__name__ == "BucketStore":
        assert store.put("runctl/k", b"mine", absent=True)


def test_of_two_clients_one_starts_the_attempt(client_of: Open) -> None:
    ana, ben = client_of("ana"), client_of("ben")
    ana.take_lease(fence=1)
    with pytest.raises(ConflictError, match="ana"):
        ben.take_lease(fence=1)
    ana.take_lease(fence=1)  # a retry of her own is no race
    ben.take_lease(fence=2)
    with pytest.raises(ConflictError, match="already starts attempt 2"):
        ana.take_lease(fence=1)
    assert ana.lease()[0]["fence"] == 2


def test_a_lease_that_ran_out_may_be_taken_for_the_same_attempt(client_of: Open) -> None:
    ana, ben = client_of("ana"), client_of("ben")
    ana.take_lease(fence=1)
    later = FrozenClock(datetime.now(UTC) + timedelta(seconds=LEASE_S + 1))
    assert JobRecord(ben.store, JOB, later, "ben").take_lease(fence=1)["owner"].startswith("ben")


def test_a_released_lease_lets_the_next_act_at_once(client_of: Open) -> None:
    ana, ben = client_of("ana"), client_of("ben")
    ana.take_lease(fence=1)
    ana.release_lease()
    ben.take_lease(fence=1)
    ana.release_lease()  # no longer hers: nothing happens
    assert ben.lease()[0]["expires_at"] > ben.now() + 100


def test_many_clients_at_once_one_wins_each_attempt(client_of: Open) -> None:
    won: list[str] = []

    def race(name: str) -> None:
        try:
            client_of(name).take_lease(fence=1)
        except ConflictError:
            return
        won.append(name)

    threads = [threading.Thread(target=race, args=(f"c{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def test_changes_of_the_control_object_are_never_lost(client_of: Open) -> None:
    def extend(control: Control) -> Control:
        control["ttl_at"] = (control.get("ttl_at") or 0.0) + 1.0
        return control

    threads = [threading.Thread(target=lambda n=n: client_of(f"c{n}").change_control(extend)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client_of("x").control()["ttl_at"] == 4.0


def test_the_spec_and_an_intent_are_written_once(client_of: Open) -> None:
    ana = client_of("ana")
    ana.create({"v": 1, "id": JOB, "name": "vit"})
    with pytest.raises(ConflictError):
        client_of("ben").create({"v": 1, "id": JOB, "name": "other"})
    ana.write_launch({"v": 1, "job": JOB, "attempt": 1, "at": ana.now(), "by": "ana"})
    with pytest.raises(ConflictError):
        client_of("ben").write_launch({"v": 1, "job": JOB, "attempt": 1, "at": 0.0, "by": "ben"})
    assert (ana.spec()["name"], ana.attempts(), list(job_ids(ana.store))) == ("vit", (1,), [JOB])


def test_events_of_two_writers_are_one_story(client_of: Open) -> None:
    ana, ben = client_of("ana"), client_of("ben")
    for n in range(3):
        ana.say(1, "submitted", f"ana {n}")
        ben.say(1, "looked", f"ben {n}", {"n": n})
    told = [e["message"] for e in ana.events()]
    assert told == ["ana 0", "ben 0", "ana 1", "ben 1", "ana 2", "ben 2"]


def test_what_is_not_there_and_what_is_not_ours(client_of: Open) -> None:
    ana = client_of("ana")
    with pytest.raises(InputError, match="no job"):
        ana.spec()
    assert (ana.control(), ana.index(), ana.launch(1), ana.beat(1), ana.exit(1), ana.lease()[1]) == (
        {}, {}, None, None, None, "",
    )  # fmt: skip
    ana.store.put(record.spec_key(JOB), b'{"v": 99}')
    with pytest.raises(RunctlError, match="newer runctl"):
        ana.spec()
    ana.store.put(record.spec_key(JOB), b"<html>")
    with pytest.raises(RunctlError, match="not an object of a record"):
        ana.spec()


def test_a_heartbeat_is_as_old_as_the_store_says(client_of: Open) -> None:
    ana = client_of("ana")
    ana.store.put(record.attempt_key(JOB, 1, "state.json"), record.dump({"v": 1, "at": 5.0, "phase": "RUNNING"}))
    beat = replace(ana).beat(1)
    assert beat is not None
    assert 0 <= beat.age_s < 60  # the machine's own clock says 1970


def test_what_a_killed_writer_left_of_itself_is_no_job(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    folder = tmp_path / record.job_prefix(JOB)
    folder.mkdir(parents=True)
    (folder / ".part-x1").write_text("half of a specification")
    assert list(job_ids(store)) == []
    store.put(record.spec_key(JOB), b"{}")
    assert list(job_ids(store)) == [JOB]
