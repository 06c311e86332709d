"""Pruning the checkpoints in a job's record in S3, as the door to acting asks about it: the record says what stays.

What goes is marked in the index first, so that nobody resumes from what is half gone, and its files follow. Files that
another checkpoint needs as well stay with that one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from runctl import paths
from runctl.errors import InputError
from runctl.models import record
from runctl.models.record import Checkpoint, Index
from runctl.models.s3 import StoredCheckpoint
from runctl.models.tags import MANAGED, OWNER
from runctl.services.jobs.checkpoints import key_of, plan_retention
from runctl.services.jobs.record import JobRecord
from runctl.services.jobs.stores import BucketStore
from runctl.services.prices import PriceBook
from runctl.services.transfer.listing import list_remote
from runctl.services.transfer.prune import seal_of
from runctl.services.transfer.wire import RemoteFile
from runctl.services.verbs.row import Ground


def _record(ground: Ground, parameters: Mapping[str, Any]) -> tuple[JobRecord, BucketStore]:
    if ground.s3 is None:
        raise InputError("buckets cannot be changed from here")
    store = BucketStore(ground.s3.client, str(parameters["bucket"]), paths.state_dir() / "transfers")
    return JobRecord(store, str(parameters["job"]), ground.clock, ground.actor.owner), store


def checkpoints_of(ground: Ground, parameters: Mapping[str, Any]) -> tuple[StoredCheckpoint, ...]:
    """Every checkpoint of a job that has files in S3, oldest first, each with why it has to stay.

    What was marked as let go while its files stayed (a killed run) is among them, and may go.

    Raises:
        InputError: there is no such job.
        RunctlError: its record cannot be read.
    """
    job, store = _record(ground, parameters)
    spec, index = job.spec(), job.index()
    tags = {MANAGED: "1", **({OWNER: str(spec["owner"])} if spec.get("owner") else {})}
    stays = {k.checkpoint["id"]: k.reason for k in plan_retention(index, int(parameters["keep"]))}
    below = record.job_prefix(job.job) + "checkpoints/"
    listed = {f.key: f for page in list_remote(store.client, store.bucket, below) for f in page}
    region, book = store.client.region_of(store.bucket), PriceBook()
    found = []
    for one in index.get("checkpoints") or []:
        files = _own_files(job, index, one, listed)
        if files:
            size = sum(f.size for f in files)
            found.append(
                StoredCheckpoint(
                    store.bucket, _base(job.job, one["id"]), region, one["id"], keys=tuple(f.key for f in files),
                    bytes=size, newest_at=datetime.fromtimestamp(max(f.modified for f in files), UTC),
                    seal=seal_of(files), stays=_why(one, stays), tags=tags,
                    usd_per_month=book.s3_usd_per_month(region, size),
                )
            )  # fmt: skip
    return tuple(found)


def _why(one: Checkpoint, stays: Mapping[str, str]) -> str:
    if one.get("deleted_at") is not None:
        return ""
    return stays.get(one["id"], "it is not complete") if one.get("complete") is True else "it is not complete"


def _own_files(
    job: JobRecord, index: Index, one: Checkpoint, listed: Mapping[str, RemoteFile]
) -> tuple[RemoteFile, ...]:
    """Its files that are there and that no other checkpoint needs."""
    needed = {
        key_of(job, f)
        for other in index.get("checkpoints") or []
        if other.get("id") != one["id"] and other.get("deleted_at") is None
        for f in other.get("files") or []
    }
    own = dict.fromkeys(key_of(job, f) for f in one.get("files") or [])
    return tuple(listed[key] for key in own if key in listed and key not in needed)


def _base(job: str, identifier: str) -> str:
    attempt, _, name = identifier.partition("/")
    return record.checkpoint_key(job, int(attempt) if attempt.isdecimal() else 0, name)


def mark(ground: Ground, parameters: Mapping[str, Any], identifier: str) -> None:
    """Write into the index that one checkpoint is let go.

    Raises:
        InputError: by the index of this very moment it has to stay.
        RunctlError: the index cannot be changed.
    """
    job, _ = _record(ground, parameters)

    def marked(index: Index) -> Index:
        stays = {k.checkpoint["id"]: k.reason for k in plan_retention(index, int(parameters["keep"]))}
        for one in index.get("checkpoints") or []:
            if one.get("id") == identifier and one.get("deleted_at") is None:
                if why := _why(one, stays):
                    raise InputError(f"{identifier} has to stay: {why}")
                one["deleted_at"] = job.now()
        return index

    job.change_index(marked)


def say(ground: Ground, parameters: Mapping[str, Any], identifier: str) -> None:
    """Leave a word in the job's record.

    Raises:
        RunctlError: it cannot be written.
    """
    attempt, _, _ = identifier.partition("/")
    _record(ground, parameters)[0].say(int(attempt) if attempt.isdecimal() else 1, "pruned", identifier)
