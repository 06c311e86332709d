"""Finds checkpoints while the command runs and brings them into the record, the entry with `complete` last."""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import os
import re
import threading
import time
from typing import Any, Callable, NamedTuple, Tuple

from runctl.agent.index import FencedError, best_of, change_index, put_entry, read_index, surplus
from runctl.agent.store import Store, StoreError
from runctl.models import record

#: Path, size and mtime of each file of a checkpoint: unchanged for a while means nobody writes it any more.
Signature = Tuple[Tuple[str, int, int], ...]
_TEMPORARY = re.compile(r"(^|/)\.|\.(tmp|temp|part|partial|incomplete|lock|swp)$|~$|\.tmp[._-]")
_STEP = re.compile(r"(?:step|iter|global_step|checkpoint|ckpt)[=_-]?(\d+)", re.IGNORECASE)
_LAST_NUMBER = re.compile(r"(\d+)(?!.*\d)")


class Local(NamedTuple):
    """A checkpoint on this machine's disk; `name` is relative to the checkpoint directory."""

    name: str
    signature: Signature
    changed_at: float

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for _, size, _ in self.signature)


def find(folder: str, pattern: str) -> list[Local]:
    """What matches below a directory, oldest first. A match inside a match belongs to the outer one."""
    found: dict[str, list[tuple[str, int, int]]] = {}
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if not _TEMPORARY.search(f))
        for name in names:
            path = os.path.relpath(os.path.join(here, name), folder)
            owner = _owner(path.replace(os.sep, "/"), pattern)
            if owner is None or _TEMPORARY.search(path):
                continue
            with contextlib.suppress(OSError):
                status = os.stat(os.path.join(folder, path))
                found.setdefault(owner, []).append((path, status.st_size, status.st_mtime_ns))
    local = [Local(n, tuple(sorted(f)), max(t for _, _, t in f) / 1e9) for n, f in found.items()]
    return sorted(local, key=lambda c: (c.changed_at, c.name))


def _owner(path: str, pattern: str) -> str | None:
    """The shortest leading part of a path that matches: a directory's files belong to the directory."""
    parts = path.split("/")
    for count in range(1, len(parts) + 1):
        head = "/".join(parts[:count])
        if fnmatch.fnmatch(head, pattern) or fnmatch.fnmatch(parts[count - 1], pattern):
            return head
    return None


def step_of(name: str) -> int | None:
    """The step a checkpoint's name tells: the number behind "step", else the last one; None where there is none."""
    base = re.sub(r"\.(pt|pth|ckpt|safetensors|pkl|json|bin|npz)$", "", name)
    found = _STEP.findall(base)
    if found:
        return int(found[-1])
    last = _LAST_NUMBER.search(base)
    return int(last.group(1)) if last else None


class Checkpoints:
    """Watches one directory for one attempt.

    Args:
        store: the record.
        job: its id.
        attempt: its number.
        rule: the spec's `checkpoints`.
        folder: the checkpoint directory.
        now_at: the latest step and metrics, asked when a checkpoint is first seen.
        tell: takes an event: kind, message, data.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        store: Store,
        job: str,
        attempt: int,
        rule: record.CheckpointRule,
        folder: str,
        now_at: Callable[[], tuple[int | None, dict[str, float]]],
        tell: Callable[[str, str, dict[str, Any]], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._store, self._job, self._attempt = store, job, attempt
        self._rule, self._folder = rule, folder
        self._now_at, self._tell = now_at, tell
        self._seen: dict[str, tuple[Signature, float, int | None, dict[str, float]]] = {}
        self._done: dict[str, Signature] = {}
        self._versions: dict[str, int] = {}
        self._lock = threading.Lock()
        self._sent: list[tuple[float, int]] = []
        self.newest: dict[str, Any] | None = None
        self.pending_bytes = 0
        self.problem = ""
        self.wanted: Callable[[], bool] = lambda: True

    @property
    def bytes_per_s(self) -> float | None:
        """Upload rate while the last twenty files were moving; None before the first one."""
        seconds = sum(s for s, _ in self._sent)
        return sum(size for _, size in self._sent) / seconds if seconds > 0 else None

    def scan(self, final: bool = False) -> None:
        """Look once, and upload what has stopped changing; with `final` everything, for nobody writes any more.

        Raises:
            FencedError: a later attempt has taken over.
        """
        with self._lock:
            found = find(self._folder, self._rule.get("pattern", "*"))
            waiting = [c for c in found if self._done.get(c.name) != c.signature]
            self.pending_bytes = sum(c.size for c in waiting)
            for local in waiting:
                if self._is_stable(local) or final:
                    self._bring(local)

    def missing(self) -> list[dict[str, str]]:
        """What is on the disk and not whole in the record, as `exit.json` says it."""
        left = [c for c in find(self._folder, self._rule.get("pattern", "*")) if self._done.get(c.name) != c.signature]
        return [{"path": c.name, "why": self.problem or "not uploaded in time"} for c in left]

    def adopt(self) -> None:
        """Take as done what the index has complete of this attempt: for whoever continues another one's work."""
        known = {c.name: c for c in find(self._folder, self._rule.get("pattern", "*"))}
        for entry in read_index(self._store, self._job)[0].get("checkpoints", []):
            if entry.get("attempt") != self._attempt or not entry.get("complete"):
                continue
            self._versions[entry["name"]] = self._versions.get(entry["name"], 0) + 1
            self.newest = {k: entry.get(k) for k in ("id", "step", "bytes")}
            local = known.get(entry["name"])
            if local is not None and local.changed_at == entry.get("made_at"):
                self._done[local.name] = local.signature

    def _is_stable(self, local: Local) -> bool:
        known = self._seen.get(local.name)
        if known is None or known[0] != local.signature:
            step, metrics = self._now_at()
            self._seen[local.name] = (local.signature, time.monotonic(), step, metrics)
            return self._rule.get("stable_s", 5.0) <= 0
        return time.monotonic() - known[1] >= self._rule.get("stable_s", 5.0)

    def _bring(self, local: Local) -> None:
        if local.name not in self._seen:
            self._is_stable(local)
        try:
            entry = self._entry(local)
            change_index(self._store, self._job, self._attempt, lambda index: put_entry(index, entry), self._clock)
            for file in entry["files"]:
                self._send(file)
            if find_one(self._folder, self._rule.get("pattern", "*"), local.name) != local.signature:
                self._seen.pop(local.name, None)
                return  # it changed while it was read: the next look takes it again
            entry.update(complete=True, uploaded_at=self._clock())
            self._finish(local, entry)
        except (StoreError, OSError) as error:
            self.problem = str(error)

    def _entry(self, local: Local) -> dict[str, Any]:
        _, _, step, metrics = self._seen[local.name]
        version = self._versions.get(local.name, 0) + 1
        name = local.name if version == 1 else f"{local.name}@{version}"
        named = step_of(local.name)
        best = self._rule.get("best_metric")
        prefix = record.job_prefix(self._job)
        files: list[dict[str, Any]] = []
        for path, size, _ in local.signature:
            stored = name + path[len(local.name) :]
            key = record.checkpoint_key(self._job, self._attempt, stored.replace(os.sep, "/"))
            files.append({"path": path, "key": key[len(prefix) :], "bytes": size, "sha256": ""})
        return {
            "id": f"{self._attempt}/{name}",
            "name": local.name,
            "attempt": self._attempt,
            "step": named if named is not None else step,
            "bytes": local.size,
            "files": files,
            "made_at": local.changed_at,
            "uploaded_at": None,
            "metric": metrics.get(best) if best else None,
            "metrics": metrics,
            "complete": False,
            "deleted_at": None,
        }

    def _send(self, file: dict[str, Any]) -> None:
        key = record.job_prefix(self._job) + file["key"]
        path = os.path.join(self._folder, file["path"])

        began = time.monotonic()
        file["sha256"] = self._store.upload(key, path, lambda _: None, self.wanted)
        self._sent = [*self._sent[-19:], (time.monotonic() - began, file["bytes"])]
        stored = self._store.size(key)
        if stored != file["bytes"]:
            raise StoreError(f"{file['path']}: {stored} bytes arrived, {file['bytes']} were there")

    def _finish(self, local: Local, entry: dict[str, Any]) -> None:
        mode = self._rule.get("best_mode", "min")
        dropped: list[dict[str, Any]] = []

        def edit(index: dict[str, Any]) -> None:
            dropped.clear()
            put_entry(index, entry)
            older = [c["id"] for c in index["checkpoints"] if self._is_older_version(c, entry)]
            doomed = set(surplus(index, int(self._rule.get("keep", 3)), mode)) | set(older)
            for other in index["checkpoints"]:
                if other["id"] in doomed and not other.get("deleted_at"):
                    other["deleted_at"] = self._clock()
                    dropped.append(other)
            index["best"] = best_of(index["checkpoints"], mode)

        change_index(self._store, self._job, self._attempt, edit, self._clock)
        self._done[local.name] = local.signature
        self._versions[local.name] = self._versions.get(local.name, 0) + 1
        self.pending_bytes = max(0, self.pending_bytes - local.size)
        self.problem = ""
        self.newest = {"id": entry["id"], "step": entry["step"], "at": entry["made_at"], "bytes": entry["bytes"]}
        message = f"checkpoint {entry['id']} is complete, {entry['bytes']} bytes"
        self._tell("checkpoint", message, {"id": entry["id"], "step": entry["step"], "bytes": entry["bytes"]})
        for other in dropped:
            for file in other.get("files", []):
                with contextlib.suppress(StoreError):
                    self._store.delete(record.job_prefix(self._job) + file["key"])

    def _is_older_version(self, other: dict[str, Any], entry: dict[str, Any]) -> bool:
        same = other.get("name") == entry["name"] and other.get("attempt") == entry["attempt"]
        return bool(same and other["id"] != entry["id"] and other.get("complete"))

    def fetch(self, identifier: str) -> tuple[str, int | None]:
        """Bring a complete checkpoint of the index to the disk; its path and step.

        Raises:
            StoreError: it is not there, not complete, or its bytes are not what the index says.
        """
        entries = read_index(self._store, self._job)[0].get("checkpoints", [])
        entry = next((c for c in entries if c.get("id") == identifier), None)
        if entry is None or not entry.get("complete") or entry.get("deleted_at"):
            raise StoreError(f"checkpoint {identifier} is not a complete one of this job")
        for file in entry["files"]:
            path = os.path.normpath(os.path.join(self._folder, file["path"]))
            if not path.startswith(os.path.abspath(self._folder) + os.sep):
                raise StoreError(f"checkpoint {identifier} has a file outside its directory: {file['path']}")
            self._store.download(record.job_prefix(self._job) + file["key"], path, lambda _: None)
            if file_digest(path) != file["sha256"]:
                raise StoreError(f"{file['path']} of checkpoint {identifier} arrived damaged")
        signature = find_one(self._folder, self._rule.get("pattern", "*"), entry["name"])
        if signature is not None:
            self._done[entry["name"]] = signature
        self.newest = {k: entry.get(k) for k in ("id", "step", "bytes")}
        self.newest["at"] = entry.get("made_at")
        return os.path.join(self._folder, entry["name"]), entry.get("step")


def find_one(folder: str, pattern: str, name: str) -> Signature | None:
    """The signature of one checkpoint now."""
    return next((c.signature for c in find(folder, pattern) if c.name == name), None)


def file_digest(path: str) -> str:
    """SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


__all__ = ["Checkpoints", "FencedError", "Local", "file_digest", "find", "step_of"]
