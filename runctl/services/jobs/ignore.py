"""Which files of a project stay at home: git's own rules, at every level, and `.runctlignore` above them.

pathspec turns one line into a regular expression; what git adds is here: files nearer to a path outrank those above,
within a file the last match decides, and nothing below an ignored directory can be brought back (gitignore(5)).
A property test compares the answers with `git check-ignore` on random trees.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

#: Within one directory the later name outranks the earlier.
IGNORE_FILES = (".gitignore", ".runctlignore")
#: Never code, whatever a project ignores; the weakest rules, so `!.venv/` in a file brings it back.
BUILT_IN = (
    "__pycache__/", "*.py[co]", ".venv/", ".mypy_cache/", ".ruff_cache/", ".pytest_cache/", ".ipynb_checkpoints/",
    ".DS_Store", "node_modules/",
)  # fmt: skip
_DIRECTORY_MARK = "ps_d"
#: What pathspec makes of `*/` and `**/`; its first slash may belong to a directory above.
_ANY_DIRECTORY = f"(?P<{_DIRECTORY_MARK}>/)"


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of an ignore file.

    Args:
        text: the line.
        source: file and line number, for the preview ("sub/.gitignore:3").
        ignores: False for a line that begins with `!`.
        regex: matches a path relative to the file's directory.
        marked: whether the expression tells the path itself from what lies below it.
    """

    text: str
    source: str
    ignores: bool
    regex: re.Pattern[str]
    marked: bool

    def hits(self, path: str, *, directory: bool) -> bool:
        """Whether the line means this very path, not only something above it."""
        if self.regex.pattern == _ANY_DIRECTORY:
            return directory
        if not self.marked:
            return self.regex.search(path) is not None
        whole = f"{path}/" if directory else path
        found = self.regex.search(whole)
        return found is not None and found.end(_DIRECTORY_MARK) in (-1, len(whole))


@dataclass(frozen=True, slots=True)
class Rules:
    """The lines of one file, for paths below `base` ("" for the root, else ending in a slash)."""

    base: str
    lines: tuple[Rule, ...]

    def decide(self, path: str, *, directory: bool) -> Rule | None:
        """The line that decides, None when none speaks of it."""
        below = _as_bytes(path[len(self.base) :])
        return next((r for r in reversed(self.lines) if r.hits(below, directory=directory)), None)


def parse_rules(text: str, base: str, source: str) -> Rules:
    """Read one ignore file; a line that git would not understand either is passed over."""
    lines = []
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        line = _as_bytes(raw.removesuffix("\r"))
        if not line or line.startswith("#"):
            continue
        try:
            pattern = GitIgnoreSpecPattern(line)
        except ValueError:
            continue
        if pattern.regex is None or pattern.include is None:
            continue
        regex = pattern.regex
        marked = _DIRECTORY_MARK in regex.groupindex
        lines.append(Rule(raw, f"{source}:{number}", bool(pattern.include), regex, marked))
    return Rules(base, tuple(lines))


def root_rules(root: Path) -> tuple[Rules, ...]:
    """What counts below the whole root beside its own ignore files, weakest first."""
    built_in = parse_rules("\n".join(BUILT_IN), "", "built in")
    exclude = _exclude_file(root)
    text = _text(exclude) if exclude is not None else None
    return (built_in,) if text is None else (built_in, parse_rules(text, "", ".git/info/exclude"))


def rules_of(directory: Path, base: str, names: Iterable[str]) -> tuple[Rules, ...]:
    """The ignore files of one directory, weakest first.

    Args:
        directory: where to read.
        base: its path below the root, "" or ending in a slash.
        names: what lies in it, so that nothing is opened that is not there.
    """
    here = set(names)
    found = []
    for name in IGNORE_FILES:
        if name in here and (text := _text(directory / name)) is not None:
            found.append(parse_rules(text, base, base + name))
    return tuple(found)


def decide(rules: tuple[Rules, ...], path: str, *, directory: bool) -> Rule | None:
    """The line that decides about a path, the nearest file first; None when nothing speaks of it."""
    for one in reversed(rules):
        if (rule := one.decide(path, directory=directory)) is not None:
            return rule
    return None


def _as_bytes(text: str) -> str:
    """One character for each byte: git compares bytes, so `?` does not match the two of an umlaut."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def _text(path: Path) -> str | None:
    try:
        # git does not follow a link named .gitignore, and neither do we (gitignore(5), "NOTES").
        return None if path.is_symlink() else path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError:
        return None


def _exclude_file(root: Path) -> Path | None:
    """`info/exclude` of the repository; in a worktree `.git` is a file that leads to it (gitrepository-layout(5))."""
    dot_git = root / ".git"
    if dot_git.is_dir():
        return dot_git / "info/exclude"
    text = _text(dot_git) if dot_git.is_file() else None
    if text is None or not text.startswith("gitdir:"):
        return None
    git_dir = root / text.removeprefix("gitdir:").strip()
    common = _text(git_dir / "commondir")
    return (git_dir / common.strip() if common else git_dir) / "info/exclude"
