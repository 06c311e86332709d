"""The files of a project that would go up: where the project begins, and what lies in it after the ignore rules."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from runctl.errors import InputError
from runctl.services.jobs import ignore

#: Beside `.git`, what marks the root of a project; the nearest directory with any of them.
MARKERS = ("pyproject.toml", "job.toml", "runctl.toml", "requirements.txt", "setup.py", "setup.cfg", "uv.lock")


@dataclass(frozen=True, slots=True)
class Root:
    """The directory that goes up, and why it is this one."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class CodeFile:
    """One file or link below the root.

    Args:
        path: relative, with slashes.
        size: bytes; 0 for a link.
        executable: the owner may run it.
        link: where a link points, as written; None for a file.
    """

    path: str
    size: int
    executable: bool = False
    link: str | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that stays at home though no ignore file says so, and why."""

    path: str
    reason: str


@dataclass(slots=True)
class Tree:
    """What a walk found, in the order of names.

    Args:
        files: what goes up.
        left_out: links that lead out of the project, sockets, unreadable directories.
        ignored: what ignore files keep at home, by the line that does; a directory counts once.
    """

    root: Path
    files: list[CodeFile] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    ignored: dict[str, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(f.size for f in self.files)


def find_root(script: Path, home: Path) -> Root:
    """Where the project of a script begins: the nearest `.git`, else the nearest marker, else its own directory.

    A home directory is never a project: dotfiles kept in git there must not send everything up.

    Args:
        script: an absolute path.
        home: the user's home directory.
    """
    above = [d for d in script.parents if d not in (home, d.parent)]
    for directory in above:
        if (directory / ".git").exists():
            return Root(directory, "the nearest directory with .git")
    for directory in above:
        marker = next((m for m in MARKERS if (directory / m).is_file()), None)
        if marker:
            return Root(directory, f"no .git above; the nearest directory with {marker}")
    return Root(script.parent, "neither .git nor a project file above; the script's own directory")


def check_root(root: Path, home: Path) -> None:
    """Refuse a root that is nobody's project.

    Raises:
        InputError: the home directory, the root of the disk, or no directory.
    """
    if not root.is_dir():
        raise InputError(f"{root} is not a directory", example="--root .")
    if root in (home, Path("/")):
        raise InputError(
            f"{root} would go up as a whole",
            allowed="a directory of its own for the project, or --root DIR",
            example="runctl jobs submit projects/vit/train.py",
        )


def walk(root: Path) -> Tree:
    """Everything below the root that no rule keeps at home."""
    tree = Tree(root)
    _visit(tree, root, "", ignore.root_rules(root))
    return tree


def _visit(tree: Tree, directory: Path, base: str, above: tuple[ignore.Rules, ...]) -> None:
    try:
        with os.scandir(directory) as found:
            entries = sorted(found, key=lambda e: e.name)
    except OSError as error:
        tree.left_out.append(LeftOut(base or ".", f"cannot be read: {error.strerror}"))
        return
    rules = above + ignore.rules_of(directory, base, (e.name for e in entries))
    for entry in entries:
        if entry.name == ".git":
            continue
        path = base + entry.name
        is_directory = entry.is_dir(follow_symlinks=False)
        rule = ignore.decide(rules, path, directory=is_directory)
        if rule is not None and rule.ignores:
            tree.ignored[rule.source] = tree.ignored.get(rule.source, 0) + 1
        elif is_directory:
            _visit(tree, Path(entry.path), f"{path}/", rules)
        else:
            _take(tree, entry, path)


def _take(tree: Tree, entry: os.DirEntry[str], path: str) -> None:
    try:
        path.encode()
        status = entry.stat(follow_symlinks=False)
        target = os.readlink(entry.path) if stat.S_ISLNK(status.st_mode) else None
    except UnicodeEncodeError:
        tree.left_out.append(LeftOut(ascii(path)[1:-1], "its name is not UTF-8"))
        return
    except OSError as error:
        tree.left_out.append(LeftOut(path, f"cannot be read: {error.strerror}"))
        return
    if target is not None:
        if _stays_inside(path, target):
            tree.files.append(CodeFile(path, 0, link=target))
        else:
            tree.left_out.append(LeftOut(path, f"a link out of the project, to {target}"))
    elif stat.S_ISREG(status.st_mode):
        tree.files.append(CodeFile(path, status.st_size, bool(status.st_mode & stat.S_IXUSR)))
    else:
        tree.left_out.append(LeftOut(path, "neither a file nor a directory"))


def _stays_inside(path: str, target: str) -> bool:
    if os.path.isabs(target):
        return False
    return not os.path.normpath(os.path.join(os.path.dirname(path), target)).startswith("..")


def largest(files: list[CodeFile], count: int) -> Iterator[CodeFile]:
    """The biggest files, for the preview."""
    yield from sorted(files, key=lambda f: (-f.size, f.path))[:count]
