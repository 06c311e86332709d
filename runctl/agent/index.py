"""The checkpoint index: changed only by compare-and-swap, never by a supervisor that has been replaced."""

from __future__ import annotations

import time
from typing import Any, Callable, Iterable, Mapping

from runctl.agent.store import ConflictError, MissingError, Store
from runctl.models import record


class FencedError(Exception):
    """A later attempt writes now; this one must not, ever again."""


def read_index(store: Store, job: str) -> tuple[dict[str, Any], str]:
    """The index and its ETag; an empty one and "" where none is.

    Raises:
        StoreError: it could not be read.
        ValueError: it is no JSON object.
    """
    try:
        body, etag = store.get(record.index_key(job))
    except MissingError:
        return {"v": record.VERSION, "job": job, "fence": 0, "checkpoints": [], "best": None}, ""
    return record.load(body), etag


def change_index(
    store: Store,
    job: str,
    attempt: int,
    edit: Callable[[dict[str, Any]], None],
    clock: Callable[[], float] = time.time,
) -> dict[str, Any]:
    """Apply `edit` to the newest index and write it; again from the start when somebody else was faster.

    Raises:
        FencedError: a higher attempt has written.
        StoreError: it could not be written.
    """
    while True:
        index, etag = read_index(store, job)
        if index.get("fence", 0) > attempt:
            raise FencedError(
                f"attempt {index['fence']} of {job} writes the checkpoint index; this is attempt {attempt}"
            )
        edit(index)
        index.update(fence=attempt, at=clock())
        try:
            store.put(record.index_key(job), record.dump(index), absent=not etag, match=etag)
        except ConflictError:
            continue
        return index


def put_entry(index: dict[str, Any], entry: Mapping[str, Any]) -> None:
    """Add an entry, or put it in the place of the one with its id."""
    rest = [c for c in index.get("checkpoints", []) if c.get("id") != entry["id"]]
    index["checkpoints"] = [*rest, dict(entry)]


def best_of(entries: Iterable[Mapping[str, Any]], mode: str) -> str | None:
    """The id with the best metric among complete checkpoints that still exist; None where none has a metric."""
    rated = [e for e in entries if e.get("complete") and not e.get("deleted_at") and e.get("metric") is not None]
    if not rated:
        return None
    pick = max if mode == "max" else min
    return str(pick(rated, key=lambda e: e["metric"])["id"])


def surplus(index: Mapping[str, Any], keep: int, mode: str, pinned: Iterable[str] = ()) -> list[str]:
    """Ids that retention may remove: all complete ones but the `keep` newest, the best and the pinned ones.

    The newest is always among the kept; `keep` 0 keeps everything.
    """
    whole = [c for c in index.get("checkpoints", []) if c.get("complete") and not c.get("deleted_at")]
    if keep <= 0:
        return []
    newest = sorted(whole, key=lambda c: (c.get("made_at") or 0.0, c.get("step") or 0), reverse=True)[:keep]
    kept = {c["id"] for c in newest} | {best_of(whole, mode)} | set(pinned)
    return [c["id"] for c in whole if c["id"] not in kept]
