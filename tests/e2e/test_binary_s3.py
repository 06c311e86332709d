"""`runctl s3` through the real binary on the embedded cloud: moved, refused, failed, killed, and on screen."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import boto3
import pytest

from runctl import paths
from runctl.demo.cloud import DemoCloud
from tests.e2e.binary import BINARY, runctl
from tests.e2e.terminal import terminal
from tests.services.transfer import trees

pytestmark = pytest.mark.e2e
BUCKET = "runctl-demo-empty"
FILES = {"a": 10, "d/b": 70_000, "日本/ü +&.bin": 3000, "empty": 0}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    trees.write(tmp_path / "src", FILES)
    trees.age(tmp_path / "src")
    return tmp_path / "src"


def keys() -> set[str]:
    found = boto3.client("s3").list_objects_v2(Bucket=BUCKET)
    return {o["Key"] for o in found.get("Contents", ())}


def test_up_again_and_down(cloud: DemoCloud, tree: Path, tmp_path: Path) -> None:
    planned = runctl("s3", "sync", str(tree), f"s3://{BUCKET}/up/", "--dry-run", "-o", "json")
    assert (planned.code, planned.json()["files"], keys()) == (0, len(FILES), set())
    up = runctl("s3", "sync", str(tree), f"s3://{BUCKET}/up/", "-o", "json")
    assert (up.code, up.json()["files"], up.json()["bytes"]) == (0, len(FILES), sum(FILES.values()))
    assert up.err == ""
    again = runctl("s3", "sync", str(tree), f"s3://{BUCKET}/up/", "-o", "json").json()
    assert (again["files"], again["same"], again["failed"]) == (0, len(FILES), [])
    across = runctl("s3", "sync", f"s3://{BUCKET}/up/", f"s3://{BUCKET}/copy/", "-o", "json")
    assert (across.code, across.json()["files"]) == (0, len(FILES))
    down = runctl("s3", "sync", f"s3://{BUCKET}/copy/", str(tmp_path / "dst"))
    assert (down.code, down.out.startswith(f"downloaded {len(FILES)} (")) == (0, True)
    assert trees.read(tmp_path / "dst") == trees.expected(FILES)


def test_deleting_needs_a_yes_and_a_source_and_is_journalled(cloud: DemoCloud, tree: Path, tmp_path: Path) -> None:
    boto3.client("s3").put_object(Bucket=BUCKET, Key="old", Body=b"x")
    asked = runctl("s3", "sync", str(tree), f"s3://{BUCKET}/", "--delete")
    assert (asked.code, "old" in keys()) == (1, True)
    assert "needs --yes without a terminal" in asked.err
    (tmp_path / "nothing").mkdir()
    empty = runctl("s3", "sync", str(tmp_path / "nothing"), f"s3://{BUCKET}/", "--delete", "--yes")
    assert (empty.code, "old" in keys()) == (1, True)
    assert "would empty" in empty.err
    done = runctl("s3", "sync", str(tree), f"s3://{BUCKET}/", "--delete", "--yes", "-o", "json")
    assert (done.code, done.json()["deleted"], "old" in keys()) == (0, 1, False)
    lines = paths.journal_file().read_text().splitlines()
    (intent, outcome) = [json.loads(line) for line in lines][-2:]
    assert (intent["operation"], intent["request"]["Keys"]) == ("s3:DeleteObjects", ["old"])
    assert outcome["outcome"] == "done"


def test_a_file_that_cannot_go_is_named_and_the_rest_goes(cloud: DemoCloud, tree: Path) -> None:
    (tree / "loop").symlink_to("loop")
    ended = runctl("s3", "sync", str(tree), f"s3://{BUCKET}/", "-o", "json")
    assert (ended.code, ended.json()["files"]) == (4, len(FILES))
    assert [f["name"] for f in ended.json()["failed"]] == ["loop"]
    assert "refused: loop: a symbolic link that leads back to itself" in ended.err


def test_bad_words_start_nothing(cloud: DemoCloud, tree: Path) -> None:
    for words, said in (
        (("sync", "nowhere", f"s3://{BUCKET}/"), "does not exist"),
        (("sync", str(tree), "s3:/bucket"), "is not an S3 URI"),
        (("sync", str(tree), "./x"), "are both local"),
        (("cp", f"s3://{BUCKET}/nothing-there", "."), "no such object"),
        (("sync", str(tree), f"s3://{BUCKET}/", "--bandwidth", "50Mb/s"), "bits"),
        (("prune", f"s3://{BUCKET}/", "--keep-last", "1"), "a whole bucket is not pruned"),
    ):
        ended = runctl("s3", *words)
        assert ended.code in (1, 2), (words, ended)
        assert said in ended.err
    assert keys() == set()


def test_read_only_moves_nothing_up(cloud: DemoCloud, tree: Path) -> None:
    ended = runctl("s3", "sync", str(tree), f"s3://{BUCKET}/", env={"RUNCTL_READ_ONLY": "true"})
    assert (ended.code, keys()) == (1, set())
    assert "read-only" in ended.err


def test_progress_is_a_line_a_second_with_v_and_stdout_stays_data(cloud: DemoCloud, tree: Path) -> None:
    trees.write(tree, {"big": 300_000})
    ended = runctl("s3", "sync", str(tree), f"s3://{BUCKET}/", "--bandwidth", "100KB/s", "-v", "-o", "json")
    assert ended.json()["files"] == len(FILES) + 1
    assert " files, " in ended.err
    assert "/s" in ended.err


def test_killed_and_run_again(cloud: DemoCloud, tmp_path: Path) -> None:
    files = {f"f{n:02}": 100_000 for n in range(30)} | {"big": 9 << 20}
    trees.write(tmp_path / "src", files)
    argv = ["s3", "sync", str(tmp_path / "src"), f"s3://{BUCKET}/k/"]
    started = subprocess.Popen(
        [str(BINARY), *argv, "--bandwidth", "4MB/s"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not keys() and time.monotonic() < deadline and started.poll() is None:
        time.sleep(0.02)
    started.send_signal(signal.SIGKILL)
    started.wait()
    assert 0 < len(keys()) < len(files)
    assert runctl(*argv).code == 0
    assert runctl("s3", "uploads", "list", f"s3://{BUCKET}/", "-o", "json").json() == []
    assert runctl("s3", "sync", f"s3://{BUCKET}/k/", str(tmp_path / "dst")).code == 0
    assert trees.read(tmp_path / "dst") == trees.expected(files)


def test_an_unfinished_upload_is_listed_spared_while_young_and_aborted(cloud: DemoCloud) -> None:
    boto3.client("s3").create_multipart_upload(Bucket=BUCKET, Key="theirs")
    (found,) = runctl("s3", "uploads", "list", f"s3://{BUCKET}/", "-o", "json").json()
    assert (found["key"], found["parts"]) == ("theirs", 0)
    assert runctl("s3", "uploads", "abort", f"s3://{BUCKET}/").code == 1
    done = runctl(
        "s3", "uploads", "abort", f"s3://{BUCKET}/", "--yes", "--override", "younger-than", "-o", "json"
    ).json()
    assert [(a["action"], a["outcome"]) for a in done] == [("abort", "done")]
    assert runctl("s3", "uploads", "list", f"s3://{BUCKET}/", "-o", "json").json() == []


def test_the_screen_moves_files_on_a_terminal(cloud: DemoCloud, tree: Path) -> None:
    with terminal(columns=100, rows=30) as shown:
        shown.press("3")
        shown.until(BUCKET)
        shown.press("\t")  # the local pane: a sync from it goes up
        shown.until("▸")
        shown.press("n")
        shown.until("ctrl+t swaps")
        shown.press("\x15", str(tree), "\t", "\x15", f"s3://{BUCKET}/screen/", "\r")
        shown.until("new              4 files")
        shown.press("\x1b[B", "\r")
        shown.until("done")
        shown.press("q", "q")
        assert shown.ended() == 0
        assert shown.is_restored()
    assert {k for k in keys() if k.startswith("screen/")} == {f"screen/{name}" for name in FILES}
