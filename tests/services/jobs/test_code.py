"""The archive of a project: its root, its bytes, and what must not be in it."""

from __future__ import annotations

import io
import os
import random
import tarfile
from pathlib import Path

import pytest

from runctl.errors import InputError
from runctl.services.jobs.code import Limits, pack, preview
from runctl.services.jobs.tree import find_root

NOWHERE = Path("/nonexistent-home")
#: In pieces, so that this very file does not look like one that must stay at home.
KEY_ID = "AKIA" + "Q7RT2M5N8PLK3JHG"


def _write(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def _script(root: Path) -> Path:
    (root / "train.py").write_text("print('hi')\n")
    return root / "train.py"


def test_the_nearest_git_wins_over_a_nearer_marker(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    inner = tmp_path / "pkg"
    inner.mkdir()
    (inner / "pyproject.toml").write_text("")
    root = find_root(_script(inner), NOWHERE)
    assert root.path == tmp_path
    assert ".git" in root.reason


def test_without_git_the_nearest_marker_else_the_scripts_directory(tmp_path: Path) -> None:
    deep = tmp_path / "a/b"
    deep.mkdir(parents=True)
    script = _script(deep)
    assert find_root(script, NOWHERE).path == deep
    (tmp_path / "a/requirements.txt").write_text("")
    root = find_root(script, NOWHERE)
    assert root.path == tmp_path / "a"
    assert "requirements.txt" in root.reason


def test_dotfiles_kept_in_git_do_not_make_the_home_a_project(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    work = tmp_path / "work"
    work.mkdir()
    assert find_root(_script(work), tmp_path).path == work
    with pytest.raises(InputError, match="would go up as a whole"):
        preview(_script(tmp_path), home=tmp_path)


def test_the_same_files_make_the_same_bytes_whatever_their_times_and_order(tmp_path: Path) -> None:
    rng = random.Random(5)
    contents = {f"f{n:02}.py": rng.randbytes(rng.randint(0, 5000)) for n in range(30)}
    digests = set()
    for turn in range(3):
        root = tmp_path / str(turn)
        root.mkdir()
        names = list(contents)
        rng.shuffle(names)
        for name in names:
            (root / name).write_bytes(contents[name])
            os.utime(root / name, (turn * 1000, turn * 1000))
        (root / "f00.py").chmod(0o711)
        digests.add(pack(root, preview(None, home=NOWHERE, root=root).files).sha256)
    assert len(digests) == 1


def test_the_archive_holds_what_the_preview_showed_links_and_modes_too(tmp_path: Path) -> None:
    _write(tmp_path, run="#!/bin/sh\n", sub__a="a" * 10)
    (tmp_path / "run").chmod(0o755)
    (tmp_path / "inside").symlink_to("sub/a")
    (tmp_path / "outside").symlink_to("/etc")
    (tmp_path / "up").symlink_to("../elsewhere")
    seen = preview(None, home=NOWHERE, root=tmp_path)
    assert {(x.path, x.reason.split(",")[0]) for x in seen.left_out} == {
        ("outside", "a link out of the project"),
        ("up", "a link out of the project"),
    }
    archive = pack(tmp_path, seen.files)
    with tarfile.open(fileobj=io.BytesIO(archive.data)) as tar:
        entries = {m.name: (m.mode, m.linkname, m.mtime, m.uid) for m in tar}
    assert entries == {
        "inside": (0o644, "sub/a", 0, 0),
        "run": (0o755, "", 0, 0),
        "sub/a": (0o644, "", 0, 0),
    }
    assert (archive.files, archive.raw_bytes) == (3, 20)


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        (".env", "A=1", "name of a secrets file"),
        ("conf/.env.production", "A=1", "name of a secrets file"),
        ("id_ed25519", "x", "name of a secrets file"),
        ("deploy.pem", "-----BEGIN RSA PRIVATE " + "KEY-----\n", "line 1: a private key"),
        ("cfg.py", f"x = 1\nKEY = '{KEY_ID}'\n", "line 2: an AWS access key id"),
        ("cfg.ini", "aws_secret_access_" + "key = " + "aB3/" * 10, "line 1: an AWS secret key"),
        ("hub.sh", "export T=hf" + "_" + "a1B2" * 8 + "xy", "line 1: a Hugging Face token"),
    ],
)
def test_what_looks_like_a_secret_is_refused_by_name(tmp_path: Path, name: str, text: str, why: str) -> None:
    script = _script(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    seen = preview(script, home=NOWHERE)
    assert why in seen.refused[name]
    with pytest.raises(InputError, match="does not go up") as caught:
        seen.check()
    assert name in str(caught.value)
    preview(script, home=NOWHERE, limits=Limits(allowed=frozenset({name}))).check()
    (tmp_path / ".runctlignore").write_text(f"/{name}\n")
    preview(script, home=NOWHERE).check()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".env.example", "TOKEN="),
        ("ca.pem", "-----BEGIN CERTIFICATE-----\n"),
        ("doc.md", "AKIAIOSFODNN7EXAMPLE"),
        ("id_rsa.pub", "ssh-rsa AAAA"),
        ("hashes.txt", "x" * 60 + KEY_ID + "MORELETTERS"),
    ],
)
def test_what_only_resembles_a_secret_goes_up(tmp_path: Path, name: str, text: str) -> None:
    script = _script(tmp_path)
    (tmp_path / name).write_text(text)
    assert preview(script, home=NOWHERE).refused == {}


def test_big_files_and_big_projects_are_refused_by_name(tmp_path: Path) -> None:
    script = _script(tmp_path)
    (tmp_path / "model.bin").write_bytes(b"\0" * 3000)
    seen = preview(script, home=NOWHERE, limits=Limits(file_bytes=2000))
    assert "over 2.0 KiB" in seen.refused["model.bin"]
    assert "in all, over" in preview(script, home=NOWHERE, limits=Limits(total_bytes=2000)).refused["."]
    assert "2 files, over 1" in preview(script, home=NOWHERE, limits=Limits(files=1)).refused["."]


def test_an_ignored_script_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    script = _script(tmp_path)
    (tmp_path / ".gitignore").write_text("*.py\n")
    with pytest.raises(InputError, match="an ignore file keeps it at home"):
        preview(script, home=NOWHERE)
    with pytest.raises(InputError, match="no such file"):
        preview(tmp_path / "absent.py", home=NOWHERE)
