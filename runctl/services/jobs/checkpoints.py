"""Checkpoints of a job: what there is, what is in them, fetching them, letting old ones go.

Only what the index calls complete is ever offered. Letting one go marks it in the index first and deletes its files
afterwards, so that nobody resumes from what is half gone.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from runctl.errors import InputError, RunctlError
from runctl.models import record
from runctl.models.record import Checkpoint, CheckpointFile, Index
from runctl.services.jobs.contents import Contents, inspect
from runctl.services.jobs.record import JobRecord
from runctl.services.transfer.paths import refusal

#: Read at once when only a part of a file is looked at.
_BLOCK = 256 << 10
#: Files this big are not looked into over the network.
_MOST_LOOKED = 64 << 30


@dataclass(frozen=True, slots=True)
class Kept:
    """One checkpoint and whether it stays; `reason` says why it does."""

    checkpoint: Checkpoint
    reason: str

    @property
    def goes(self) -> bool:
        """Whether it would be let go."""
        return not self.reason


def usable(index: Index | Mapping[str, object]) -> list[Checkpoint]:
    """What is complete and not deleted, by step, then by time."""
    found: list[Checkpoint] = list(index.get("checkpoints") or [])  # type: ignore[call-overload]  # a list or nothing
    kept = [c for c in found if c.get("complete") is True and c.get("deleted_at") is None]
    return sorted(kept, key=lambda c: (-1 if c.get("step") is None else c["step"] or 0, c.get("made_at") or 0.0))


def choose(job: JobRecord, wanted: str) -> Checkpoint:
    """A checkpoint by its id, its name, or "newest" and "best".

    Raises:
        InputError: there is none of that name.
    """
    index = job.index()
    there = usable(index)
    if wanted == "newest" and (newest := record.newest_complete(index)) is not None:
        return newest
    if wanted == "best":
        wanted = index.get("best") or wanted
    found = next((c for c in reversed(there) if wanted in (c.get("id"), c.get("name"))), None)
    if found is None:
        named = ", ".join(["newest", *(["best"] if index.get("best") else []), *(str(c["id"]) for c in there[-6:])])
        raise InputError(f"job {job.job} has no complete checkpoint {wanted!r}", allowed=named if there else "none yet")
    return found


def plan_retention(index: Index, keep: int) -> list[Kept]:
    """Which stay: the newest `keep`, the best, the last one made, and what is not complete yet."""
    there = usable(index)
    newest = {c["id"] for c in there[-keep:]}
    last = max(there, key=lambda c: c.get("made_at") or 0.0)["id"] if there else ""
    plan = []
    for one in there:
        reason = (
            f"one of the newest {keep}" if one["id"] in newest
            else "the best" if one["id"] == index.get("best")
            else "the last made" if one["id"] == last
            else ""
        )  # fmt: skip
        plan.append(Kept(one, reason))
    return plan


def prune(job: JobRecord, keep: int) -> list[Checkpoint]:
    """Let old ones go; what went.

    Raises:
        RunctlError: the index or the files could not be changed.
    """
    gone: list[Checkpoint] = []

    def marked(index: Index) -> Index:
        gone[:] = [k.checkpoint for k in plan_retention(index, keep) if k.goes]
        names = {c["id"] for c in gone}
        for one in index.get("checkpoints") or []:
            if one.get("id") in names:
                one["deleted_at"] = job.now()
        return index

    job.change_index(marked)
    job.store.delete([key_of(job, f) for one in gone for f in one.get("files") or []])
    if gone:
        job.say(max(1, *(c.get("attempt") or 1 for c in gone)), "pruned", ", ".join(c["id"] for c in gone)[:500])
    return gone


def key_of(job: JobRecord, file: CheckpointFile) -> str:
    """Whole key of a file of a checkpoint."""
    return record.job_prefix(job.job) + file["key"]


def pull(job: JobRecord, checkpoint: Checkpoint, target: Path, told: Callable[[str, int], None]) -> list[Path]:
    """Fetch a checkpoint's files below a directory, each checked against its SHA-256.

    Args:
        job: its record.
        checkpoint: which.
        target: the directory.
        told: hears each file's name and bytes when it is there.

    Raises:
        InputError: a name that may not be written.
        RunctlError: a file is damaged or gone.
    """
    fetched = []
    for file in checkpoint.get("files") or []:
        if reason := next((r for part in file["path"].split("/") if (r := refusal(part))), ""):
            raise InputError(f"{file['path']!r}: {reason}", allowed="a name that stays below the directory")
        path = target / file["path"]
        job.store.download(key_of(job, file), path)
        if (said := file.get("sha256")) and _digest(path) != said:
            path.unlink()
            raise RunctlError(f"{file['path']}: damaged: its SHA-256 is not the one in the index")
        told(file["path"], int(file.get("bytes") or 0))
        fetched.append(path)
    return fetched


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def look_into(job: JobRecord, checkpoint: Checkpoint) -> Iterator[tuple[CheckpointFile, Contents]]:
    """What is in its files; only the parts that tell are fetched, and nothing is executed."""
    for file in checkpoint.get("files") or []:
        size = int(file.get("bytes") or 0)
        if size > _MOST_LOOKED:
            yield file, Contents("unknown", problem="too big to look into from here")
            continue
        with io.BufferedReader(_Remote(job, key_of(job, file), size), _BLOCK) as reader:
            yield file, inspect(file["path"], reader, size)


class _Remote(io.RawIOBase):
    """An object as a seekable file that fetches what is read.

    Args:
        job: its record.
        key: which object.
        size: its bytes.
    """

    def __init__(self, job: JobRecord, key: str, size: int) -> None:
        super().__init__()
        self._store, self._key, self._size, self._at = job.store, key, size, 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move."""
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def tell(self) -> int:
        """Where it is."""
        return self._at

    def readinto(self, buffer: object) -> int:
        """Fetch the next bytes."""
        view = memoryview(buffer)  # type: ignore[arg-type]  # io hands a writable buffer
        wanted = min(len(view), self._size - self._at)
        if wanted <= 0:
            return 0
        data = self._store.fetch_part(self._key, self._at, wanted)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)
