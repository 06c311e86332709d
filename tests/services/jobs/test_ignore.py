"""Our ignore rules against git's own, on random trees."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pytest

from runctl.services.jobs.tree import walk

#: `IGNORE_TREES=2000` for the long form.
TREES = int(os.environ.get("IGNORE_TREES", "60"))
_WORDS = ("a", "b", "data", "x.py", "b.log", "out", "a b", "#c", "!d", "ä")
_PATTERNS = (
    *("{w}", "/{w}", "{w}/", "/{w}/", "!{w}", "!{w}/", "!/{w}", "*.{e}", "!*.{e}", "{w}/*", "!{w}/{w}", "{w}/**"),
    *("**/{w}", "{w}/**/{w}", "{w}/{w}", "/*", "*", "!*/", "[ab]*", "[!a]*", "?", "a?*", "\\#c", "\\!d", "{w} "),
    *("# no", "", "*/{w}", "{w}*", "*{w}", "**", "a/*/b", "!a/b/", "/a/**/x.py", "{w}/\r"),
)  # fmt: skip


def _pattern(rng: random.Random) -> str:
    template = rng.choice(_PATTERNS)
    while "{w}" in template:
        template = template.replace("{w}", rng.choice(_WORDS[:7]), 1)
    return template.replace("{e}", rng.choice(("py", "log")))


def _grow(rng: random.Random, directory: Path, depth: int) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name in rng.sample(_WORDS, rng.randint(1, 5)):
        if depth and rng.random() < 0.45:
            _grow(rng, directory / name, depth - 1)
        else:
            (directory / name).write_text("")
    if rng.random() < 0.5:
        (directory / ".gitignore").write_text("\n".join(_pattern(rng) for _ in range(rng.randint(1, 5))))


def _git_keeps(root: Path, files: list[str]) -> set[str]:
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", "-z", "--stdin"],
        cwd=root,
        input="\0".join(files).encode(),
        capture_output=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return set(files) - set(done.stdout.decode().split("\0"))


@pytest.mark.parametrize("part", range(4))
def test_random_trees_are_ignored_as_git_does(tmp_path: Path, part: int) -> None:
    checked = 0
    for seed in range(part, TREES, 4):
        rng = random.Random(seed)
        root = tmp_path / str(seed)
        _grow(rng, root, 3)
        subprocess.run(["git", "init", "-q", str(root)], check=True)
        if rng.random() < 0.5:
            (root / ".git/info").mkdir(exist_ok=True)
            (root / ".git/info/exclude").write_text("\n".join(_pattern(rng) for _ in range(3)))
        files = sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())
        files = [f for f in files if not f.startswith(".git/")]
        ours = {f.path for f in walk(root).files}
        assert ours == _git_keeps(root, files), f"seed {seed}"
        checked += len(files)
    assert checked > TREES


def test_the_runctlignore_outranks_the_gitignore_beside_it(tmp_path: Path) -> None:
    for name in ("keep.bin", "drop.py", "sub/deep.bin"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / ".gitignore").write_text("*.bin\n")
    (tmp_path / ".runctlignore").write_text("!keep.bin\ndrop.py\n")
    tree = walk(tmp_path)
    assert [f.path for f in tree.files] == [".gitignore", ".runctlignore", "keep.bin"]
    assert tree.ignored == {".runctlignore:2": 1, ".gitignore:1": 1}


def test_caches_stay_at_home_unless_a_file_brings_them_back(tmp_path: Path) -> None:
    for name in ("m/__pycache__/m.pyc", ".venv/bin/python", "m/a.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert [f.path for f in walk(tmp_path).files] == ["m/a.py"]
    (tmp_path / ".runctlignore").write_text("!.venv/\n")
    assert [f.path for f in walk(tmp_path).files] == [".runctlignore", ".venv/bin/python", "m/a.py"]


def test_a_worktree_has_its_repository_s_exclude_file(tmp_path: Path) -> None:
    main, other = tmp_path / "main", tmp_path / "other"
    git = ["git", "-C", str(main), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "init", "-q", str(main)], check=True)
    (main / "a").write_text("")
    subprocess.run([*git, "add", "a"], check=True)
    subprocess.run([*git, "commit", "-qm", "a"], check=True)
    (main / ".git/info/exclude").write_text("secret-notes\n")
    subprocess.run([*git, "worktree", "add", "-q", str(other)], check=True, capture_output=True)
    (other / "secret-notes").write_text("")
    assert [f.path for f in walk(other).files] == ["a"]
