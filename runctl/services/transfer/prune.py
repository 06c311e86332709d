"""Which checkpoints below a prefix may go. What goes is let go by the door to acting, one after the other.

A checkpoint is what lies directly below the prefix: a file, or a "directory" with everything in it. The prefix is taken
with its slash, so `checkpoints` never reaches into `checkpoints-archive`. Always kept: the newest `keep_last`, the best
by the metric asked for, anything named best, last, latest or final, and files that are no checkpoint (INDEX.json). What
cannot be ranked is kept, with the reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from runctl.errors import InputError, RequestError
from runctl.models.s3 import StoredCheckpoint
from runctl.services.transfer.client import Request, S3Client
from runctl.services.transfer.listing import list_remote
from runctl.services.transfer.uri import S3Uri
from runctl.services.transfer.wire import RemoteFile

INDEX = "INDEX.json"
_PROTECTED = re.compile(r"(?i)(?<![a-z])(best|last|latest|final)(?![a-z])")
# Whatever has one of these in its name grows when things go well; of everything else less is better.
_MORE_IS_BETTER = re.compile(r"(?i)acc|f1|auc|bleu|rouge|score|reward|map|precision|recall|iou|psnr|ssim|return")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One checkpoint: its objects, newest change (seconds since the epoch), step and metrics where known."""

    name: str
    files: tuple[RemoteFile, ...]
    step: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    complete: bool = True

    @property
    def bytes(self) -> int:
        """Bytes of all its objects."""
        return sum(f.size for f in self.files)

    @property
    def newest(self) -> float:
        """When the last of them was written."""
        return max((f.modified for f in self.files), default=0.0)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the plan says of one checkpoint: pruned when `rule` is "", else kept, by rule and reason."""

    checkpoint: Checkpoint
    rule: str
    reason: str

    @property
    def prunes(self) -> bool:
        """Whether it would go."""
        return not self.rule


@dataclass(frozen=True, slots=True)
class PrunePlan:
    """Every checkpoint and its verdict, newest first; `other` names what lies there and is no checkpoint."""

    where: S3Uri
    verdicts: tuple[Verdict, ...]
    other: tuple[str, ...] = ()

    @property
    def freed(self) -> int:
        """Bytes that would be freed."""
        return sum(v.checkpoint.bytes for v in self.verdicts if v.prunes)


def read_checkpoints(client: S3Client, where: S3Uri) -> tuple[list[Checkpoint], list[str]]:
    """What lies below a prefix: checkpoints, and names that are none.

    Raises:
        CloudError: it could not be listed.
    """
    prefix = where.directory
    index = _read_index(client, where)
    found: dict[str, list[RemoteFile]] = {}
    other = []
    for page in list_remote(client, where.bucket, prefix):
        for file in page:
            name = file.key[len(prefix) :].partition("/")[0]
            if not name or (name.upper() == INDEX.upper() or name.startswith(".")):
                other.append(file.key[len(prefix) :])
            else:
                found.setdefault(name, []).append(file)
    return [_described(Checkpoint(n, tuple(f)), index.get(n, {})) for n, f in found.items()], other


def _described(checkpoint: Checkpoint, entry: Mapping[str, Any]) -> Checkpoint:
    metrics = {k: float(v) for k, v in (entry.get("metrics") or {}).items() if isinstance(v, int | float)}
    metrics = {**_metrics_in(checkpoint.name), **metrics}
    step = entry.get("step")
    return replace(
        checkpoint,
        step=step if isinstance(step, int) else _step_in(checkpoint.name),
        metrics=metrics,
        complete=entry.get("complete", True) is not False,
    )


def _step_in(name: str) -> int | None:
    """The step in a name such as `step-1000`, `checkpoint_1000.pt`, `epoch=3-step=900.ckpt`: after "step", or last."""
    plain = re.sub(r"\d+\.\d+", "", name)
    named = re.search(r"(?i)step\D?(\d+)", plain)
    numbers = re.findall(r"\d+", plain)
    return int(named.group(1)) if named else int(numbers[-1]) if numbers else None


def _metrics_in(name: str) -> dict[str, float]:
    """Metrics in a name such as `epoch=3-val_loss=0.25.ckpt`."""
    return {k.lower(): float(v) for k, v in re.findall(r"([A-Za-z][A-Za-z_]*)=(-?\d+\.\d+(?:e-?\d+)?)", name)}


def _read_index(client: S3Client, where: S3Uri) -> dict[str, Mapping[str, Any]]:
    """Entries of an INDEX.json by checkpoint name; {} when there is none.

    Raises:
        CloudError, InputError: there may be one and it cannot be read, so nobody knows which checkpoints are whole.
    """
    try:
        body = client.call(Request("GetObject", "GET", where.bucket, where.directory + INDEX)).body
        entries = json.loads(body)
    except RequestError as error:
        if error.site.code not in ("NoSuchKey", "NotFound"):
            raise
        return {}
    except ValueError as error:
        at = f"s3://{where.bucket}/{where.directory}{INDEX}"
        raise InputError(f"{at} is not JSON, so nobody knows which checkpoints are whole") from error
    entries = entries.get("checkpoints", []) if isinstance(entries, dict) else entries
    if not isinstance(entries, list):
        return {}
    named = ((str(e.get("name") or e.get("key") or ""), e) for e in entries if isinstance(e, dict))
    return {name.strip("/").rpartition("/")[2]: entry for name, entry in named if name}


def make_plan(
    where: S3Uri, checkpoints: Iterable[Checkpoint], other: Sequence[str], *, keep_last: int, metric: str = ""
) -> PrunePlan:
    """Decide, without asking anything.

    Args:
        where: the prefix.
        checkpoints: what lies there.
        other: what else does.
        keep_last: how many of the newest to keep, at least 1.
        metric: "loss", "accuracy", or with its direction "loss:min"; "" for none.

    Raises:
        InputError: nothing would be kept, a direction that is none, or a metric that no checkpoint has.
    """
    if keep_last < 1:
        raise InputError("--keep-last 0: the newest checkpoint is never pruned", allowed="1 and more")
    ranked = sorted(checkpoints, key=lambda c: (c.step if c.step is not None else -1, c.newest), reverse=True)
    if any(c.step is None for c in ranked):
        ranked.sort(key=lambda c: c.newest, reverse=True)
    kept: dict[str, tuple[str, str]] = {}
    whole = [c for c in ranked if c.complete]
    for place, checkpoint in enumerate(whole[:keep_last]):
        kept[checkpoint.name] = ("last", f"number {place + 1} of the newest {keep_last}")
    if metric:
        _keep_best(ranked, metric, kept)
    for checkpoint in ranked:
        if found := _PROTECTED.search(checkpoint.name):
            kept.setdefault(checkpoint.name, ("protected", f"its name says {found.group(1)!r}"))
    verdicts = (Verdict(c, *kept.get(c.name, ("", "not among those to keep"))) for c in ranked)
    return PrunePlan(where, tuple(verdicts), tuple(other))


def _keep_best(ranked: Sequence[Checkpoint], metric: str, kept: dict[str, tuple[str, str]]) -> None:
    name, _, direction = metric.partition(":")
    if direction not in ("", "min", "max"):
        raise InputError(f"--keep-best {metric}: not a direction", allowed="METRIC, METRIC:min or METRIC:max")
    name = name.lower()
    known = [c for c in ranked if name in {k.lower() for k in c.metrics}]
    if not known:
        having = sorted({k for c in ranked for k in c.metrics})
        raise InputError(
            f"--keep-best {metric}: no checkpoint says its {name}",
            allowed=f"one of {', '.join(having)}" if having else "a metric in INDEX.json or in the names (loss=0.25)",
        )

    def value(checkpoint: Checkpoint) -> float:
        return next(v for k, v in checkpoint.metrics.items() if k.lower() == name)

    more = direction == "max" or (not direction and _MORE_IS_BETTER.search(name) is not None)
    best = (max if more else min)(known, key=value)
    kept.setdefault(best.name, ("best", f"{name} {value(best):g} is the {'highest' if more else 'lowest'}"))
    for checkpoint in ranked:
        if checkpoint not in known:
            kept.setdefault(checkpoint.name, ("unranked", f"its {name} is unknown, it may be the best"))


def stored(
    where: S3Uri, plan: PrunePlan, region: str, tags: Mapping[str, str] | None, price: Callable[[int], float | None]
) -> tuple[StoredCheckpoint, ...]:
    """Every checkpoint of a plan as the policy engine is asked about it, newest first.

    Args:
        where: the prefix.
        plan: what stays.
        region: the bucket's.
        tags: the bucket's, None when they could not be read.
        price: USD a month of so many bytes, None where nobody knows.
    """
    return tuple(
        StoredCheckpoint(
            where.bucket, where.directory + v.checkpoint.name, region, v.checkpoint.name,
            keys=tuple(f.key for f in v.checkpoint.files), bytes=v.checkpoint.bytes,
            newest_at=datetime.fromtimestamp(v.checkpoint.newest, UTC), seal=seal_of(v.checkpoint.files),
            stays=f"{v.rule}: {v.reason}" if v.rule else "", tags=tags, usd_per_month=price(v.checkpoint.bytes),
        )
        for v in plan.verdicts
    )  # fmt: skip


def seal_of(files: Iterable[RemoteFile]) -> str:
    """A digest of names, sizes, times and ETags: another one means that somebody has written."""
    digest = blake2b(digest_size=12)
    for file in sorted(files):
        digest.update(repr((file.key, file.size, file.modified, file.etag)).encode())
    return digest.hexdigest()
