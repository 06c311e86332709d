"""Random trees for property tests, and what is in a directory."""

from __future__ import annotations

import os
import random
from pathlib import Path

from hypothesis import strategies as st

_LETTERS = "abcXYZ019-_.+ ~()'!@&=;:,$ü日éß😀"
#: Names that are fine on disk and as keys; the odd ones sort differently as bytes, directories and text.
name = st.text(_LETTERS, min_size=1, max_size=8).filter(
    lambda n: n not in (".", "..") and not n.startswith(".runctl-") and n == n.strip()
)
path = st.lists(name, min_size=1, max_size=4).map("/".join)
#: Sizes around the edges of one, two and three parts of PART bytes.
PART = 5 << 20
size = st.one_of(
    st.integers(0, 5000), st.integers(0, 5000), st.sampled_from([0, 1, PART - 1, PART, PART + 1, 2 * PART + 7])
)


@st.composite
def tree(draw: st.DrawFn) -> dict[str, int]:
    """Relative paths to sizes, without a path that is a directory of another; at most two big files."""
    found: dict[str, int] = {}
    big = 0
    for where in draw(st.lists(path, min_size=1, max_size=10, unique=True)):
        parts = where.split("/")
        above = {"/".join(parts[:n]) for n in range(1, len(parts))}
        if above & set(found) or any(other.startswith(where + "/") for other in found):
            continue
        count = draw(size)
        big += count > 100_000
        found[where] = count if big <= 2 else count % 1000
    return found


def content(where: str, count: int) -> bytes:
    """The bytes of a file: the same for the same name and size."""
    return random.Random(f"{where} {count}").randbytes(count)


def write(root: Path, files: dict[str, int]) -> None:
    """Write a tree."""
    for where, count in files.items():
        target = root / where
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content(where, count))


def age(root: Path) -> None:
    """Make files an hour old: S3 keeps whole seconds, so a file of this very second counts as newer than its object."""
    for file in (p for p in root.rglob("*") if p.is_file()):
        now = file.stat().st_mtime_ns
        os.utime(file, ns=(now, now - 3600 * 10**9))


def read(root: Path) -> dict[str, bytes]:
    """Every file below a directory, temporary ones too: nothing stray may be left."""
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def expected(files: dict[str, int]) -> dict[str, bytes]:
    """What `read` must find."""
    return {where: content(where, count) for where, count in files.items()}
