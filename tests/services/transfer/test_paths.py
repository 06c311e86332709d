"""What a hostile bucket can name, and where it ends up: nowhere but below the destination, by name."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runctl.services.transfer.client import S3Client
from runctl.services.transfer.destination import Destination, RefusedError
from runctl.services.transfer.listing import list_local
from runctl.services.transfer.paths import CaseGuard, refusal, temporary_name
from runctl.services.transfer.sync import Options, Sync
from runctl.services.transfer.uri import S3Uri
from tests.services.transfer import servers, trees

HOSTILE = {
    "../x": ".. component",
    "../../../../tmp/runctl-was-here": ".. component",
    "a/../../y": ".. component",
    "/etc/passwd": "absolute",
    "a//b": "empty component",
    "dir/": "ends in a slash",
    "nul\0byte": "NUL",
    "back\\slash": "backslash",
    "./here": ". or .. component",
    "x" * 256: "longer than 255 bytes",
    "ü" * 128: "longer than 255 bytes",
    f"d/{temporary_name('x')}": "temporary",
}
GOOD = {"ok": 3, "deep/er/still": 4, "…/dots": 5, "a.b/..c": 6, "e\u0301": 8, "é": 9}


def test_a_hostile_bucket_writes_nothing_outside(moto_client: S3Client, tmp_path: Path) -> None:
    for key in HOSTILE:
        servers.put(moto_client, "test-moto", f"p/{key}", b"bad")
    for key, size in GOOD.items():
        servers.put(moto_client, "test-moto", f"p/{key}", trees.content(key, size))
    inside = tmp_path / "a" / "b" / "c"
    job = Sync(moto_client, S3Uri("test-moto", "p"), inside, Options(state=tmp_path / ".s"))
    outcome = job.run()
    assert outcome.exit_code == 4
    assert trees.read(inside) == trees.expected(GOOD)
    assert {f.name: f.reason for f in outcome.failed}.keys() == set(HOSTILE)
    for failure in outcome.failed:
        assert HOSTILE[failure.name] in failure.reason
        assert failure.refused
    others = {p for p in tmp_path.rglob("*") if p.is_file() and inside not in p.parents and ".s" not in p.parts}
    assert others == set()


def test_links_in_the_destination_are_not_followed(client: S3Client, bucket: str, tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "precious").write_text("mine")
    (inside / "dir").symlink_to(outside)
    (inside / "file").symlink_to(outside / "precious")
    for key in ("dir/precious", "dir/new", "file", "fine"):
        servers.put(client, bucket, key, b"theirs")
    outcome = Sync(client, S3Uri(bucket), inside, Options(state=tmp_path / ".s")).run()
    assert {p.name: p.read_text() for p in outside.iterdir()} == {"precious": "mine"}
    assert {f.name for f in outcome.failed} == {"dir/precious", "dir/new"}
    assert (inside / "file").read_text() == "theirs"
    assert not (inside / "file").is_symlink()


def test_a_file_where_a_directory_must_be_is_named(client: S3Client, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("a file")
    (tmp_path / "in" / "d").mkdir()
    servers.put(client, bucket, "a/b", b"x")
    servers.put(client, bucket, "d", b"x")
    outcome = Sync(client, S3Uri(bucket), tmp_path / "in", Options(state=tmp_path / ".s")).run()
    reasons = {f.name: f.reason for f in outcome.failed}
    assert "is a file, not a directory" in reasons["a/b"]
    assert "irectory" in reasons["d"]
    assert trees.read(tmp_path / "in") == {"a": b"a file"}


def test_names_that_differ_by_case_are_reported(client: S3Client, bucket: str, tmp_path: Path) -> None:
    for key in ("Readme", "readme", "D/x", "d/x"):
        servers.put(client, bucket, key, key.encode())
    outcome = Sync(client, S3Uri(bucket), tmp_path / "in", Options(state=tmp_path / ".s")).run()
    if Destination(tmp_path / "in").ignores_case():
        assert {f.name for f in outcome.failed} == {"readme", "d/x"}
    else:
        assert outcome.exit_code == 0
        assert trees.read(tmp_path / "in") == {k: k.encode() for k in ("Readme", "readme", "D/x", "d/x")}
    assert {n.name for n in outcome.notes} | {f.name for f in outcome.failed} == {"readme", "d/x"}


def test_link_loops_and_odd_files_are_named_not_opened(client: S3Client, bucket: str, tmp_path: Path) -> None:
    root = tmp_path / "src"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "up").symlink_to(root)
    (root / "self").symlink_to("self")
    (root / "gone").symlink_to("nowhere")
    (root / "real").write_text("x")
    (root / "link").symlink_to("real")
    os.mkfifo(root / "pipe")
    (tmp_path / "src" / os.fsdecode(b"bad\xff")).write_text("x")
    outcome = Sync(client, root, S3Uri(bucket), Options(state=tmp_path / ".s")).run()
    reasons = {f.name: f.reason for f in outcome.failed}
    assert set(reasons) == {"sub/up/", "self", "gone", "pipe", "bad\\xff"}
    assert "directory above" in reasons["sub/up/"]
    assert set(servers.keys(client, bucket)) == {"real", "link"}
    assert outcome.exit_code == 4


_READ_ONLY = """
import os, sys
from pathlib import Path
from runctl.services.transfer.sync import Options, Sync
from runctl.services.transfer.uri import S3Uri
from tests.services.transfer.servers import client_of
url, bucket, work = sys.argv[1:]
Sync(client_of(url), S3Uri(bucket), Path(work, "warm"), Options(Path(work, "state"))).run()  # imports, while it may
if os.geteuid() == 0:
    os.setuid(65534)
outcome = Sync(client_of(url), S3Uri(bucket), Path(work, "in"), Options(Path(work, "state"))).run()
print(outcome.exit_code, [f.code for f in outcome.failed])
"""


def test_a_read_only_destination_is_one_clean_error(client: S3Client, bucket: str) -> None:
    """In a process of its own, which becomes nobody's when the tests are root's: root may write anywhere."""
    servers.put(client, bucket, "a", b"x")
    assert client.site.endpoint is not None
    url = f"http://127.0.0.1:{client.site.endpoint[2]}"
    with tempfile.TemporaryDirectory() as work:
        Path(work).chmod(0o755)
        Path(work, "in").mkdir(mode=0o555)
        argv = [sys.executable, "-c", _READ_ONLY, url, bucket, work]
        env = {**os.environ, "PYTHONPATH": os.getcwd()}
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        assert done.stdout.strip() == "4 ['EACCES']", done.stderr
        assert list(Path(work, "in").iterdir()) == []


@given(
    st.text(st.characters(codec=None), max_size=40)
    | st.lists(st.sampled_from(["..", ".", "", "a", "\\", "\0"])).map("/".join)
)
def test_what_is_allowed_stays_below(name: str) -> None:
    if refusal(name):
        return
    assert os.path.normpath(f"/root/{name}") == f"/root/{name}"
    assert "\0" not in name
    assert name.encode()


@given(st.lists(trees.path, unique=True))
def test_what_is_refused_is_refused_for_a_reason(names: list[str]) -> None:
    for name in names:
        assert refusal(name) == ""


@given(st.lists(st.lists(st.sampled_from("aAbB"), min_size=1, max_size=3).map("/".join), unique=True))
def test_case_clashes_are_found_in_sorted_streams(names: list[str]) -> None:
    guard = CaseGuard(insensitive=True)
    seen: list[str] = []
    for name in sorted(names):
        parts = name.split("/")
        prefixes = ["/".join(parts[: n + 1]) for n in range(len(parts))]
        earlier = {"/".join(s.split("/")[: n + 1]) for s in seen for n in range(len(s.split("/")))}
        clash = any(
            e.casefold() == p.casefold() and e != p and e.rpartition("/")[0] == p.rpartition("/")[0]
            for p in prefixes
            for e in earlier
        )
        assert bool(guard.clash(name)) == clash
        seen.append(name)


def test_two_transfers_never_write_one_file(tmp_path: Path) -> None:
    destination = Destination(tmp_path)
    first = destination.create("a")
    with pytest.raises(RefusedError, match="another transfer"):
        destination.create("a")
    first.discard()
    destination.create("a").discard()
    assert list(list_local(tmp_path)) == []
