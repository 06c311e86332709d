"""Trees go up, down and across byte for byte, whatever the names, and whatever happens on the way."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from runctl.errors import InputError, RunctlError
from runctl.services.transfer import operations
from runctl.services.transfer.changes import How, Kind, NameFilter
from runctl.services.transfer.client import S3Client
from runctl.services.transfer.context import Tuning
from runctl.services.transfer.sync import Options, Sync
from runctl.services.transfer.uri import S3Uri
from tests.services.transfer import servers, trees
from tests.services.transfer.conftest import SyncMaker
from tests.services.transfer.faults import FaultProxy

_TUNING = Tuning(part=trees.PART, workers=8, copy_threshold=trees.PART, copy_part=trees.PART)
# Not shrunk: a case takes a second against a real server, and faults fall elsewhere the next time.
_PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
#: Examples of each property; `make fuzz` sets more.
CASES = int(os.environ.get("CASES", "6"))
_FEW = settings(
    max_examples=CASES, deadline=None, phases=_PHASES, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@contextmanager
def _workspace() -> Iterator[Path]:
    """A directory in memory where there is one: examples write and sync many small files."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - only the parent of a private one
    path = Path(tempfile.mkdtemp(dir=base))
    try:
        yield path
    finally:
        shutil.rmtree(path)


def _round_trip(client: S3Client, bucket: str, files: dict[str, int]) -> None:
    """Up, again (nothing to do), across, down, again: all equal."""
    with _workspace() as work:
        options = Options(state=work / "state", cache=work / "cache", tuning=_TUNING)
        one, other = S3Uri(bucket, f"{work.name}/one"), S3Uri(bucket, f"{work.name}/other")
        trees.write(work / "up", files)
        up = Sync(client, work / "up", one, options).run()
        assert (up.exit_code, up.files, up.failed) == (0, len(files), ())
        assert Sync(client, work / "up", one, options).run().files == 0
        across = Sync(client, one, other, options).run()
        assert (across.exit_code, across.files) == (0, len(files)), across
        down = Sync(client, other, work / "down", options).run()
        assert (down.exit_code, down.files) == (0, len(files)), down
        assert trees.read(work / "down") == trees.expected(files)
        again = Sync(client, other, work / "down", options).run()
        assert (again.files, again.same) == (0, len(files))
        assert list(operations.list_uploads(client, bucket, f"{work.name}/")) == []
        assert not list((work / "state").glob("*"))


@_FEW
@given(files=trees.tree())
def test_trees_round_trip_through_seaweedfs(client: S3Client, seaweed_url: str, files: dict[str, int]) -> None:
    _round_trip(client, _bucket_once(client), files)


@_FEW
@given(files=trees.tree())
def test_trees_round_trip_through_moto(plain_moto_process: str, files: dict[str, int]) -> None:
    client = servers.client_of(plain_moto_process)
    _round_trip(client, _bucket_once(client, "moto-trees"), files)


@_FEW
@given(files=trees.tree())
def test_trees_round_trip_through_faults(seaweed_url: str, files: dict[str, int]) -> None:
    proxy = FaultProxy(seaweed_url, rate=0.15, seed=len(files))
    try:
        client = servers.client_of(proxy.url, attempts=14)
        _round_trip(client, _bucket_once(servers.client_of(seaweed_url), "faulty-trees"), files)
    finally:
        proxy.close()


@_FEW
@given(files=trees.tree())
def test_trees_round_trip_through_faults_to_moto(plain_moto_process: str, files: dict[str, int]) -> None:
    # moto believes every body: what is corrupted on the way up cannot be noticed, so that fault is left to SeaweedFS.
    kinds = ("reset", "lost", "truncate", "slowdown", "slow")
    proxy = FaultProxy(plain_moto_process, rate=0.15, seed=7, kinds=kinds)
    try:
        client = servers.client_of(proxy.url, attempts=14)
        _round_trip(client, _bucket_once(servers.client_of(plain_moto_process), "moto-faulty"), files)
    finally:
        proxy.close()


def _bucket_once(client: S3Client, name: str = "trees") -> str:
    try:
        servers.make_bucket(client, name)
    except RunctlError as error:
        assert "xist" in str(error) or "own" in str(error)  # noqa: PT017 - it is there already
    return name


@pytest.mark.parametrize("kind", ["reset", "lost", "truncate", "slowdown", "corrupt", "slow"])
@pytest.mark.parametrize("size", [3000, 2 * trees.PART + 7])
def test_each_fault_is_mended(
    proxy: FaultProxy, bucket: str, sync: SyncMaker, tmp_path: Path, *, kind: str, size: int
) -> None:
    by = servers.client_of(proxy.url)
    trees.write(tmp_path / "up", {"a": size})
    for method in ("PUT", "POST"):
        proxy.next(kind, lambda seen, m=method: seen.method == m)  # type: ignore[misc]  # the default binds now
    up = sync(tmp_path / "up", S3Uri(bucket), by=by, tuning=_TUNING).run()
    assert up.exit_code == 0, up.failed
    proxy.plan.clear()
    for _ in range(2):
        proxy.next(kind, lambda seen: seen.moves_object)
    down = sync(S3Uri(bucket), tmp_path / "down", by=by, tuning=_TUNING).run()
    assert down.exit_code == 0, down.failed
    assert trees.read(tmp_path / "down") == trees.read(tmp_path / "up")
    assert proxy.hits[kind] >= 2


def test_a_file_that_stays_broken_is_named_and_the_rest_goes_on(
    proxy: FaultProxy, client: S3Client, bucket: str, sync: SyncMaker, tmp_path: Path
) -> None:
    files = {f"f{n}": 100 for n in range(5)}
    trees.write(tmp_path / "up", files)
    sync(tmp_path / "up", S3Uri(bucket)).run()
    for _ in range(50):
        proxy.next("corrupt", lambda seen: seen.target.endswith("/f3"))
    outcome = sync(S3Uri(bucket), tmp_path / "down", by=servers.client_of(proxy.url, attempts=3)).run()
    assert (outcome.exit_code, outcome.files) == (4, 4)
    assert [(f.name, f.code) for f in outcome.failed] == [("f3", "ChecksumMismatch")]
    assert trees.read(tmp_path / "down") == trees.expected({n: s for n, s in files.items() if n != "f3"})


def test_delete_only_what_the_plan_named(client: S3Client, bucket: str, sync: SyncMaker, tmp_path: Path) -> None:
    trees.write(tmp_path / "src", {"keep": 10})
    for key in ("p/keep", "p/old", "p/older", "p-sibling/old"):
        servers.put(client, bucket, key, b"0123456789")
    job = sync(tmp_path / "src", S3Uri(bucket, "p"), delete=True)
    plan = job.plan()
    assert [name for name, _ in plan.deletions] == ["old", "older"]
    servers.put(client, bucket, "p/late", b"x")
    outcome = job.run(plan)
    assert (outcome.exit_code, outcome.deleted) == (0, 2)
    assert set(servers.keys(client, bucket)) == {"p/keep", "p/late", "p-sibling/old"}


def test_delete_needs_a_plan(client: S3Client, bucket: str, sync: SyncMaker, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    with pytest.raises(InputError):
        sync(tmp_path / "src", S3Uri(bucket), delete=True).run()


def test_nothing_is_deleted_for_an_empty_source(client: S3Client, bucket: str, sync: SyncMaker, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    servers.put(client, bucket, "a", b"x")
    job = sync(tmp_path / "src", S3Uri(bucket), delete=True)
    plan = job.plan()
    assert plan.forbidden == "the source is empty"
    outcome = job.run(plan)
    assert (outcome.deleted, outcome.exit_code) == (0, 4)
    assert set(servers.keys(client, bucket)) == {"a"}


def test_nothing_is_deleted_when_the_source_listing_fails(
    client: S3Client, proxy: FaultProxy, bucket: str, sync: SyncMaker, tmp_path: Path
) -> None:
    for n in range(30):
        servers.put(client, bucket, f"k{n}", b"x")
    trees.write(tmp_path / "dst", {"mine": 5})
    by = servers.client_of(proxy.url, attempts=2)
    plan = sync(S3Uri(bucket), tmp_path / "dst", by=by, delete=True).plan()
    for _ in range(10):
        proxy.next("slowdown", lambda seen: "list-type" in seen.target)
    with pytest.raises(RunctlError):
        sync(S3Uri(bucket), tmp_path / "dst", by=by, delete=True).run(plan)
    assert "mine" in trees.read(tmp_path / "dst")


def test_nothing_is_deleted_when_part_of_the_tree_cannot_be_read(
    client: S3Client, bucket: str, sync: SyncMaker, tmp_path: Path
) -> None:
    trees.write(tmp_path / "src", {"a": 1})
    (tmp_path / "src" / "loop").symlink_to("loop")
    servers.put(client, bucket, "b", b"x")
    job = sync(tmp_path / "src", S3Uri(bucket), delete=True)
    outcome = job.run(job.plan())
    assert outcome.deleted == 0
    assert "loop" in outcome.undeleted
    assert [f.name for f in outcome.failed] == ["loop"]


def test_a_no_op_reads_no_file(client: S3Client, bucket: str, sync: SyncMaker, tmp_path: Path) -> None:
    trees.write(tmp_path / "src", {f"d{n % 3}/f{n}": 50 for n in range(20)})
    sync(tmp_path / "src", S3Uri(bucket)).run()
    for how in (How.TIME, How.CHECKSUM):
        for file in (tmp_path / "src").rglob("f*"):
            os.utime(file, ns=(1, file.stat().st_mtime_ns))
        outcome = sync(tmp_path / "src", S3Uri(bucket), how=how).run()
        assert (outcome.files, outcome.same) == (0, 20)
        assert {f.stat().st_atime_ns for f in (tmp_path / "src").rglob("f*")} == {1}


def test_checksum_sees_what_size_and_time_do_not(
    client: S3Client, bucket: str, sync: SyncMaker, options: Options, tmp_path: Path
) -> None:
    trees.write(tmp_path / "src", {"same": 100, "other": 100, "big": trees.PART + 5})
    trees.age(tmp_path / "src")
    bare = replace(options, cache=None, tuning=_TUNING)
    Sync(client, tmp_path / "src", S3Uri(bucket), bare).run()
    changed = tmp_path / "src" / "other"
    before = changed.stat()
    changed.write_bytes(b"y" * 100)
    os.utime(changed, ns=(before.st_atime_ns, before.st_mtime_ns - 10**12))
    assert Sync(client, tmp_path / "src", S3Uri(bucket), bare).run().files == 0
    outcome = Sync(client, tmp_path / "src", S3Uri(bucket), replace(bare, how=How.CHECKSUM)).run()
    assert (outcome.files, outcome.same, outcome.exit_code) == (1, 2, 0)
    assert servers.get(client, bucket, "other") == b"y" * 100


def test_an_object_another_machine_wrote_is_noticed_whatever_its_time(
    client: S3Client, bucket: str, sync: SyncMaker, tmp_path: Path
) -> None:
    servers.put(client, bucket, "a", b"one")
    sync(S3Uri(bucket), tmp_path / "dst").run()
    servers.put(client, bucket, "a", b"two")
    os.utime(tmp_path / "dst" / "a", (1e9, 1e9))  # and then the cache does not know the file: times decide
    os.utime(tmp_path / "dst" / "a", ns=(0, (tmp_path / "dst" / "a").stat().st_mtime_ns))
    sync(S3Uri(bucket), tmp_path / "dst", cache=None).run()
    sync(S3Uri(bucket), tmp_path / "dst2").run()
    servers.put(client, bucket, "a", b"six")
    assert sync(S3Uri(bucket), tmp_path / "dst2").run().files == 1
    assert (tmp_path / "dst2" / "a").read_bytes() == b"six"


def test_filters_apply_to_both_sides_and_the_last_wins(
    client: S3Client, bucket: str, sync: SyncMaker, tmp_path: Path
) -> None:
    trees.write(tmp_path / "src", {"a.txt": 1, "b.log": 1, "d/c.log": 1, "d/keep.log": 1})
    servers.put(client, bucket, "old.log", b"x")
    names = NameFilter([(False, "*.log"), (True, "*/keep.log")])
    job = sync(tmp_path / "src", S3Uri(bucket), names=names, delete=True)
    job.run(job.plan())
    assert set(servers.keys(client, bucket)) == {"a.txt", "d/keep.log", "old.log"}


def test_the_plan_says_what_the_run_does(client: S3Client, bucket: str, sync: SyncMaker, tmp_path: Path) -> None:
    trees.write(tmp_path / "src", {"new": 10, "bigger": 20, "same": 5})
    trees.age(tmp_path / "src")
    servers.put(client, bucket, "bigger", b"x")
    servers.put(client, bucket, "same", trees.content("same", 5))
    plan = sync(tmp_path / "src", S3Uri(bucket)).plan()
    found = {(c.name, c.kind) for c in plan.changes}
    assert found == {("new", Kind.NEW), ("bigger", Kind.CHANGED)}
    assert (plan.moves.files, plan.moves.bytes, plan.groups[Kind.SAME].files) == (2, 30, 1)
    assert set(servers.keys(client, bucket)) == {"bigger", "same"}


def test_overlapping_or_local_pairs_are_refused(sync: SyncMaker, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    pairs = [
        (tmp_path / "a", tmp_path / "b"),
        (tmp_path / "missing", S3Uri("some-bucket")),
        (S3Uri("some-bucket", "x"), S3Uri("some-bucket", "x/y")),
        (S3Uri("some-bucket"), S3Uri("some-bucket", "x")),
    ]
    for source, target in pairs:
        with pytest.raises(InputError):
            sync(source, target)
    sync(S3Uri("some-bucket", "x"), S3Uri("some-bucket", "x-other"))
