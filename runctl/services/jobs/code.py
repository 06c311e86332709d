"""The project as one archive: what is in it, what speaks against it, and its name, which is its content.

The archive is a tar of sorted names without times and owners, compressed without a time, so that the same files make
the same bytes; its SHA-256 is its key, and what is in S3 already is never sent again.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from runctl.errors import InputError
from runctl.format import format_bytes
from runctl.services.jobs.leaks import find_leak
from runctl.services.jobs.tree import CodeFile, LeftOut, Root, Tree, check_root, find_root, walk

MAX_FILE_BYTES = 50 << 20
MAX_TOTAL_BYTES = 1 << 30
MAX_FILES = 50_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What may go up.

    Args:
        file_bytes: biggest file.
        total_bytes: all files together, before compression.
        files: how many.
        allowed: paths that go up though they look like secrets or are too big; each named by the user.
    """

    file_bytes: int = MAX_FILE_BYTES
    total_bytes: int = MAX_TOTAL_BYTES
    files: int = MAX_FILES
    allowed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Preview:
    """What would go up, and what forbids it.

    Args:
        root: the project and why it begins there.
        files: everything that goes up, sorted by path.
        left_out: what stays at home though no rule says so.
        ignored: how many paths each line of an ignore file keeps at home.
        refused: path to reason; nothing goes up while there is one.
    """

    root: Root
    files: tuple[CodeFile, ...]
    left_out: tuple[LeftOut, ...]
    ignored: dict[str, int]
    refused: dict[str, str]

    @property
    def size(self) -> int:
        """Bytes of all files, before compression."""
        return sum(f.size for f in self.files)

    def check(self) -> None:
        """Raise what forbids it.

        Raises:
            InputError: files that look like secrets, or too much.
        """
        if not self.refused:
            return
        named = "; ".join(f"{path} ({why})" for path, why in list(self.refused.items())[:8])
        more = f"; and {len(self.refused) - 8} more" if len(self.refused) > 8 else ""
        first = next(iter(self.refused))
        raise InputError(
            f"the code does not go up: {named}{more}",
            allowed="leave files out with a line in .runctlignore, or name each that may go with --allow-file PATH",
            example=f"echo '/{first}' >> {self.root.path / '.runctlignore'}",
        )


@dataclass(frozen=True, slots=True)
class Archive:
    """A finished archive.

    Args:
        data: the compressed tar.
        sha256: of `data`, in hex; also its name.
        files: how many files are in it.
        raw_bytes: bytes before compression.
    """

    data: bytes
    sha256: str
    files: int
    raw_bytes: int

    @property
    def name(self) -> str:
        """The last part of its key."""
        return f"{self.sha256}.tar.gz"


def preview(script: Path | None, *, home: Path, root: Path | None = None, limits: Limits | None = None) -> Preview:
    """What would go up for a script; reads files but changes nothing.

    Args:
        script: the file that is run, None when `root` says it all.
        home: the user's home directory, which is never a project.
        root: the user's own choice of root.
        limits: what may go up.

    Raises:
        InputError: no such script, a root that is nobody's project, or a script outside its root.
    """
    limits = limits or Limits()
    where = Root(root.resolve(), "as asked") if root is not None else _found(script, home)
    check_root(where.path, home)
    if script is not None and not script.resolve().is_relative_to(where.path):
        raise InputError(f"{script} does not lie below {where.path}", allowed="a script inside the project's root")
    tree = walk(where.path)
    if script is not None:
        _check_script(tree, script.resolve().relative_to(where.path).as_posix())
    return Preview(where, tuple(tree.files), tuple(tree.left_out), tree.ignored, _refusals(tree, limits))


def _found(script: Path | None, home: Path) -> Root:
    if script is None:
        raise InputError("neither a script nor a root is named", example="runctl jobs submit train.py")
    if not script.is_file():
        raise InputError(f"{script}: no such file", allowed="a script to run", example="runctl jobs submit train.py")
    return find_root(script.resolve(), home)


def _check_script(tree: Tree, script: str) -> None:
    if any(f.path == script for f in tree.files):
        return
    raise InputError(
        f"{script} would not go up: an ignore file keeps it at home",
        allowed="a script that is not ignored",
        example=f"echo '!/{script}' >> {tree.root / '.runctlignore'}",
    )


def _refusals(tree: Tree, limits: Limits) -> dict[str, str]:
    refused: dict[str, str] = {}
    for file in tree.files:
        if file.link is not None or file.path in limits.allowed:
            continue
        if file.size > limits.file_bytes:
            limit = format_bytes(limits.file_bytes)
            refused[file.path] = f"{format_bytes(file.size)}, over {limit}; data belongs in S3 (--data)"
        elif leak := find_leak(tree.root, file.path):
            refused[file.path] = leak
    if len(tree.files) > limits.files:
        refused["."] = f"{len(tree.files):,} files, over {limits.files:,}"
    elif tree.size > limits.total_bytes:
        refused["."] = f"{format_bytes(tree.size)} in all, over {format_bytes(limits.total_bytes)}"
    return refused


def pack(root: Path, files: Sequence[CodeFile]) -> Archive:
    """Make the archive.

    Raises:
        InputError: a file changed or vanished meanwhile.
    """
    raw = io.BytesIO()
    _write_tar(raw, root, files)
    data = gzip.compress(raw.getbuffer(), compresslevel=6, mtime=0)
    return Archive(data, hashlib.sha256(data).hexdigest(), len(files), sum(f.size for f in files))


def _write_tar(out: IO[bytes], root: Path, files: Sequence[CodeFile]) -> None:
    # PAX writes long and non-ASCII names in one way only; without times and owners nothing else varies.
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for file in files:
            entry = tarfile.TarInfo(file.path)
            entry.mode = 0o755 if file.executable else 0o644
            if file.link is not None:
                entry.type, entry.linkname = tarfile.SYMTYPE, file.link
                tar.addfile(entry)
                continue
            try:
                content = (root / file.path).read_bytes()
            except OSError as error:
                raise InputError(f"{file.path}: cannot be read: {error.strerror}") from error
            if len(content) != file.size:
                raise InputError(f"{file.path}: changed while it was packed", allowed="try again when it is at rest")
            entry.size = file.size
            tar.addfile(entry, io.BytesIO(content))
