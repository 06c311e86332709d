"""The stores agree: a directory, SeaweedFS (checks signatures), the embedded cloud (knows conditional writes)."""

from __future__ import annotations

import hashlib
import itertools
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runctl.agent import s3
from runctl.agent.aws import Keys
from runctl.agent.directory import DirectoryStore
from runctl.agent.index import FencedError, change_index, put_entry, read_index
from runctl.agent.s3 import S3Store
from runctl.agent.store import ConflictError, DeniedError, MissingError, Store, StoreError, open_store
from runctl.demo.cloud import DemoCloud
from runctl.models import record
from tests.services.transfer import servers

pytestmark = pytest.mark.xdist_group("seaweedfs-agent")
_NUMBERS = itertools.count(1)
JOB = record.job_id(1764252000000, b"0123456789")


@pytest.fixture(scope="module")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.seaweedfs(tmp_path_factory.mktemp("seaweed")) as url:
        yield url


@pytest.fixture(params=["directory", "seaweedfs", "cloud"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    if request.param == "directory":
        return DirectoryStore(str(tmp_path / "store"))
    bucket = f"agent-{os.getpid()}-{next(_NUMBERS)}"
    if request.param == "seaweedfs":
        url = request.getfixturevalue("seaweed")
        for name, value in servers.ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
    else:
        cloud: DemoCloud = request.getfixturevalue("cloud")
        url = cloud.endpoint_url
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
    servers.make_bucket(servers.client_of(url), bucket)
    return S3Store(bucket, patience=5.0)


def test_objects_come_back_in_order_and_absence_is_said(store: Store) -> None:
    names = ["runctl/a/1", "runctl/a/10", "runctl/a/2 ü+&=", "runctl/b"]
    etags = {name: store.put(name, name.encode()) for name in names}
    assert store.get(names[2]) == (names[2].encode(), etags[names[2]])
    assert [f.key for f in store.list("runctl/a/")] == sorted(names[:3])
    assert [f.key for f in store.list("runctl/a/", after="runctl/a/1")] == sorted(names[1:3])
    assert [(f.key, f.size) for f in store.list("runctl/b")] == [("runctl/b", 8)]
    assert store.size("runctl/b") == 8
    store.delete("runctl/b")
    store.delete("runctl/b")
    for ask in (store.get, store.size):
        with pytest.raises(MissingError):
            ask("runctl/b")


def test_a_write_that_may_not_replace_does_not(store: Store) -> None:
    first = store.put("runctl/lease", b"one", absent=True)
    with pytest.raises(ConflictError):
        store.put("runctl/lease", b"two", absent=True)
    second = store.put("runctl/lease", b"three", match=first)
    assert second != first
    with pytest.raises(ConflictError):
        store.put("runctl/lease", b"four", match=first)
    assert store.get("runctl/lease") == (b"three", second)
    with pytest.raises(ConflictError):
        store.put("runctl/never", b"x", match=first)


def test_of_many_who_write_at_once_one_wins(store: Store) -> None:
    won: list[int] = []

    def write(number: int) -> None:
        try:
            store.put("runctl/race", str(number).encode(), absent=True)
        except ConflictError:
            return
        won.append(number)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.get("runctl/race")[0] == str(won[0]).encode()


def test_a_file_goes_up_whole_or_in_parts_and_comes_back(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "PART", 5 << 20)
    for size in (0, 1000, (12 << 20) + 7):
        source, back = tmp_path / "source", tmp_path / "deep" / "back"
        source.write_bytes(os.urandom(size))
        digest = store.upload("runctl/file", str(source), lambda _: None, lambda: True)
        assert digest == hashlib.sha256(source.read_bytes()).hexdigest()
        assert store.size("runctl/file") == size
        store.download("runctl/file", str(back), lambda _: None)
        assert back.read_bytes() == source.read_bytes()


def test_an_upload_that_is_not_wanted_any_more_leaves_no_object(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "PART", 5 << 20)
    source, asked = tmp_path / "source", iter([True, False, False, False])
    source.write_bytes(bytes(12 << 20))
    with pytest.raises(StoreError, match="given up"):
        store.upload("runctl/file", str(source), lambda _: None, lambda: next(asked))
    with pytest.raises(MissingError):
        store.size("runctl/file")


def test_the_index_survives_writers_at_once_and_refuses_the_replaced(store: Store) -> None:
    def add(number: int) -> None:
        entry = {"id": f"1/{number}", "complete": True}
        change_index(store, JOB, 1, lambda index: put_entry(index, entry))

    threads = [threading.Thread(target=add, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(c["id"] for c in read_index(store, JOB)[0]["checkpoints"]) == [f"1/{n}" for n in range(6)]
    change_index(store, JOB, 2, lambda _: None)
    with pytest.raises(FencedError):
        add(7)
    assert len(read_index(store, JOB)[0]["checkpoints"]) == 6


def test_wrong_keys_are_refused_and_not_tried_again(seaweed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong:
        def get(self) -> Keys:
            return Keys("AKIDEXAMPLE", "not-the-secret")

        def forget(self) -> None:
            raise AssertionError("these are not old keys")

    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", seaweed)
    with pytest.raises(DeniedError, match="403"):
        S3Store("ready", credentials=Wrong()).get("x")  # type: ignore[arg-type]


def test_a_clock_that_is_wrong_is_learnt_from_the_answer(cloud: DemoCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", cloud.endpoint_url)
    servers.make_bucket(servers.client_of(cloud.endpoint_url), "skewed")
    cloud.skew(3600)
    cloud.faults.add("error", service="s3", code="RequestTimeTooSkewed", status=403, message="x", times=1)
    store = S3Store("skewed")
    store.put("runctl/x", b"1")
    assert store._skew == pytest.approx(3600, abs=60)


def test_what_fails_for_a_moment_is_tried_again_and_a_conditional_write_knows_its_own_first_try(
    cloud: DemoCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", cloud.endpoint_url)
    servers.make_bucket(servers.client_of(cloud.endpoint_url), "moody")
    store = S3Store("moody")
    cloud.faults.add("throttle", service="s3", operation="PutObject", times=2)
    store.put("runctl/x", b"1")
    store.put("runctl/once", b"mine")
    cloud.faults.add("reset", service="s3", operation="PutObject", times=1)
    store.put("runctl/once", b"mine", absent=True)  # the first try was cut off, so the 412 may be our own success


def test_addresses_of_stores_are_said(tmp_path: Path) -> None:
    assert isinstance(open_store(f"file://{tmp_path}"), DirectoryStore)
    assert isinstance(open_store("s3://bucket"), S3Store)
    for bad in ("bucket", "s3://bucket/prefix", "file://relative", "http://x"):
        with pytest.raises(ValueError, match="expected s3://BUCKET"):
            open_store(bad)
    with pytest.raises(StoreError, match="no key"):
        DirectoryStore(str(tmp_path)).put("../outside", b"x")
