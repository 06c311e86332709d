"""Abort unfinished uploads, prune checkpoints, and say whose a bucket is.

Parameters of `PRUNE` say again at each reading what has to stay: `where` (the prefix), `keep_last`, `keep_best`; or
`job`, `bucket`, `keep` for the checkpoints in a job's record. `named` says that a person named the place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from os.path import commonprefix
from typing import TYPE_CHECKING, Any

from runctl import paths
from runctl.errors import CredentialsError, InputError, RequestError
from runctl.format import format_bytes, format_duration
from runctl.models.cost import an_hour
from runctl.models.plan import Kind, Plan, PlanItem, Refusal, Rule, Verb
from runctl.models.s3 import StoredCheckpoint, TaggedBucket, Upload, parse_upload_id
from runctl.services.case import Around, facts_of
from runctl.services.prices import PriceBook
from runctl.services.verbs.row import Done, Ground, Live, Row, Task, Told
from runctl.services.verbs.tags import prepare_adopt, prepare_tag, tagged_already, told_tags, undo_adopt, undo_tag

if TYPE_CHECKING:
    from runctl.services.transfer.client import S3Client
    from runctl.services.transfer.wire import Unfinished

_BOOK = PriceBook()
#: Parts of other classes have other prices.
_STANDARD = ("", "STANDARD")


def client_of(ground: Ground) -> S3Client:
    """What asks S3.

    Raises:
        InputError: this door has no way to S3.
    """
    if ground.s3 is None:
        raise InputError("buckets cannot be changed from here")
    return ground.s3.client


# -- unfinished uploads ------------------------------------------------------------------------------------------------


def _read_uploads(ground: Ground, region: str, ids: Sequence[str], parameters: Mapping[str, Any]) -> Mapping[str, Live]:
    del region
    around = Around(named=bool(parameters.get("named")))
    named = sorted(parsed for i in ids if (parsed := parse_upload_id(i)) is not None)
    found: dict[str, Live] = {}
    for bucket, group in groupby(named, key=lambda n: n[0]):
        wanted = list(group)
        found |= {u.id: Live(u, around) for u in _uploads_of(client_of(ground), bucket, wanted)}
    return found


def _uploads_of(client: S3Client, bucket: str, wanted: Sequence[tuple[str, str, str]]) -> Iterator[Upload]:
    from runctl.services.transfer import operations

    names = {(key, upload_id) for _, key, upload_id in wanted}
    shared = commonprefix([key for _, key, _ in wanted])  # noqa: RUF071  # keys are texts, not paths
    listed = list(operations.list_uploads(client, bucket, shared))
    tags = operations.bucket_tags(client, bucket) if listed else {}
    for one in listed:
        if (one.key, one.upload_id) in names:
            yield _upload(client, bucket, one, tags)


def _upload(client: S3Client, bucket: str, one: Unfinished, tags: Mapping[str, str] | None) -> Upload:
    from runctl.services.transfer import operations

    try:
        size: int | None = sum(p.size for p in operations.list_parts(client, bucket, one.key, one.upload_id))
    except CredentialsError:
        raise
    except RequestError:
        size = None
    region = client.region_of(bucket)
    usd = _BOOK.s3_usd_per_month(region, size) if size is not None and one.storage_class in _STANDARD else None
    started = datetime.fromtimestamp(one.initiated, UTC)
    return Upload(bucket, one.key, one.upload_id, region, started, tags, size, usd)


def _told_upload(live: Live, parameters: Mapping[str, Any], now: datetime) -> Told:
    del parameters
    upload = live.resource
    if not isinstance(upload, Upload):
        raise TypeError(f"an upload was expected, not {upload!r}")
    size = format_bytes(upload.bytes)
    about = {"size": size, "age": format_duration((now - upload.started_at).total_seconds())}
    about |= {"owner": upload.ownership.owner or "", "project": upload.ownership.project or ""}
    month = upload.usd_per_month
    lost = (f"the parts that have arrived ({size}); whoever sends it begins anew",)
    return Told({k: v for k, v in about.items() if v}, lost, "", an_hour(month), month)


def _refuse_abort(ground: Ground, live: Live, parameters: Mapping[str, Any]) -> tuple[Refusal, ...]:
    """What a transfer of this computer writes at this moment is not taken away under it."""
    del ground, parameters
    from runctl.services.transfer.journal import Journal

    upload = live.resource
    if isinstance(upload, Upload) and upload.upload_id in Journal(paths.state_dir() / "transfers").held():
        return (Refusal(Rule.STATE, "a transfer of this computer is sending it; stop that first"),)
    return ()


def _abort(task: Task) -> Done:
    upload = task.live.resource
    if not isinstance(upload, Upload):
        raise TypeError(f"an upload was expected, not {upload!r}")
    answer = task.send("s3", "AbortMultipartUpload", Bucket=upload.bucket, Key=upload.key, UploadId=upload.upload_id)
    _forget(upload.upload_id)
    return Done(reason="it was gone already" if answer.get("Gone") else "")


def _forget(upload_id: str) -> None:
    """A transfer of ours that was cut off would look for it."""
    from runctl.services.transfer.journal import Journal

    for left in Journal(paths.state_dir() / "transfers").left_over():
        left.close(done=left.upload_id == upload_id)


# -- checkpoints -------------------------------------------------------------------------------------------------------


def checkpoints_below(ground: Ground, parameters: Mapping[str, Any]) -> tuple[StoredCheckpoint, ...]:
    """Every checkpoint below a prefix, newest first, each with why it has to stay.

    Raises:
        InputError: not a prefix, nothing would stay, or a metric that no checkpoint has.
        CloudError: it could not be listed.
    """
    from runctl.services.transfer import operations, prune
    from runctl.services.transfer.uri import parse_s3

    where, client = parse_s3(str(parameters["where"])), client_of(ground)
    found, other = prune.read_checkpoints(client, where)
    if not found:
        return ()
    keep, best = int(parameters["keep_last"]), str(parameters.get("keep_best") or "")
    plan = prune.make_plan(where, found, other, keep_last=keep, metric=best)
    region = client.region_of(where.bucket)
    tags = operations.bucket_tags(client, where.bucket)
    return prune.stored(where, plan, region, tags, lambda size: _BOOK.s3_usd_per_month(region, size))


def _read_checkpoints(
    ground: Ground, region: str, ids: Sequence[str], parameters: Mapping[str, Any]
) -> Mapping[str, Live]:
    del region
    around = Around(named=bool(parameters.get("named")))
    if parameters.get("job"):
        from runctl.services.jobs.pruning import checkpoints_of

        found = checkpoints_of(ground, parameters)
    else:
        found = checkpoints_below(ground, parameters)
    return {c.id: Live(c, around) for c in found if c.id in ids}


def _checkpoint(live: Live) -> StoredCheckpoint:
    if not isinstance(live.resource, StoredCheckpoint):
        raise TypeError(f"a checkpoint was expected, not {live.resource!r}")
    return live.resource


def _told_checkpoint(live: Live, parameters: Mapping[str, Any], now: datetime) -> Told:
    del parameters
    found = _checkpoint(live)
    age = format_duration((now - found.newest_at).total_seconds() if found.newest_at else None)
    about = {"size": format_bytes(found.bytes), "age": age, "owner": found.ownership.owner or ""}
    about |= {"objects": f"{len(found.keys):,}"}
    month = found.usd_per_month
    lost = (f"the checkpoint {found.name} ({format_bytes(found.bytes)})",)
    return Told({k: v for k, v in about.items() if v}, lost, "", an_hour(month), month)


def _left(ground: Ground, plan: Plan, item: PlanItem, live: Live) -> Mapping[str, str]:
    """An earlier run of the plan may have deleted some of its objects; none may be new, and it must still be to go."""
    found, planned = _checkpoint(live), item.facts
    now = facts_of(found)
    if now == planned:
        return planned
    sent = [e.request for e in ground.journal.entries() if e.plan == plan.id and e.resource == item.id]
    every = set(found.keys).union(*(set(r.get("Keys") or ()) for r in sent))
    fewer = len(every) <= int(planned.get("objects") or 0) and found.bytes <= int(planned.get("bytes") or 0)
    if not sent or not fewer or now["written"] > planned.get("written", ""):
        return planned
    return {k: v for k, v in planned.items() if k not in ("objects", "bytes", "written", "files")}


def _prune(task: Task) -> Done:
    """Its own objects, as they were seen a moment ago, and nothing else."""
    from runctl.services.transfer.operations import DELETE_BATCH

    found, parameters = _checkpoint(task.live), task.item.parameters
    if parameters.get("job"):
        from runctl.services.jobs.pruning import mark

        mark(task.ground, parameters, found.name)
    for start in range(0, len(found.keys), DELETE_BATCH):
        batch = list(found.keys[start : start + DELETE_BATCH])
        task.send("s3", "DeleteObjects", Bucket=found.bucket, Keys=batch)
    if parameters.get("job"):
        from runctl.services.jobs.pruning import say

        say(task.ground, parameters, found.name)
    return Done(reason=f"{format_bytes(found.bytes)} freed")


# -- whose a bucket is -------------------------------------------------------------------------------------------------


def find_bucket(ground: Ground, name: str) -> TaggedBucket:
    """A bucket with its tags.

    Raises:
        CloudError: no such bucket, or no answer.
    """
    from runctl.services.transfer import operations

    client = client_of(ground)
    tags = operations.bucket_tags(client, name)
    return TaggedBucket(name, client.region_of(name), tags)


def _read_buckets(ground: Ground, region: str, ids: Sequence[str], parameters: Mapping[str, Any]) -> Mapping[str, Live]:
    del region, parameters
    return {i: Live(find_bucket(ground, i.removeprefix("s3://"))) for i in ids}


def _tag(task: Task) -> Done:
    """S3 sets all tags at once: those of others go along as they were a moment ago."""
    wanted = task.item.parameters
    now = dict(getattr(task.live.resource, "tags", None) or {})
    tags = {k: v for k, v in now.items() if k not in (wanted.get("unset") or ())} | dict(wanted.get("set") or {})
    task.send("s3", "PutBucketTagging", Bucket=task.item.id.removeprefix("s3://"), Tags=tags)
    return Done()


ROWS = (
    Row(Verb.ADOPT, Kind.BUCKET, _read_buckets, _tag, told_tags, prepare_adopt, undo_adopt, tagged_already),
    Row(Verb.TAG, Kind.BUCKET, _read_buckets, _tag, told_tags, prepare_tag, undo_tag, tagged_already),
    Row(Verb.ABORT, Kind.UPLOAD, _read_uploads, _abort, _told_upload, refuse=_refuse_abort, gone_is_done=True),
    Row(Verb.PRUNE, Kind.CHECKPOINT, _read_checkpoints, _prune, _told_checkpoint, left=_left, gone_is_done=True),
)
