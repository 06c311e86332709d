"""Which checkpoints below a prefix may go: a plan first, then one answer for each.

A checkpoint is what lies directly below the prefix: a file, or a "directory" with everything in it. The prefix is taken
with its slash, so `checkpoints` never reaches into `checkpoints-archive`. Always kept: the newest `keep_last`, the best
by the metric asked for, anything named best, last, latest or final, and files that are no checkpoint (INDEX.json). What
cannot be ranked is kept, with the reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from runctl.clock import Clock
from runctl.errors import CloudError, InputError
from runctl.models.plan import Verb
from runctl.services.transfer import operations
from runctl.services.transfer.client import Request, S3Client
from runctl.services.transfer.listing import list_remote
from runctl.services.transfer.record import Record
from runctl.services.transfer.uri import S3Uri

INDEX = "INDEX.json"
_PROTECTED = re.compile(r"(?i)(?<![a-z])(best|last|latest|final)(?![a-z])")
# Whatever has one of these in its name grows when things go well; of everything else less is better.
_MORE_IS_BETTER = re.compile(r"(?i)acc|f1|auc|bleu|rouge|score|reward|map|precision|recall|iou|psnr|ssim|return")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One checkpoint: bytes, newest change (seconds since the epoch), step and metrics where known."""

    name: str
    objects: int
    bytes: int
    newest: float
    step: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    complete: bool = True


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


@dataclass(frozen=True, slots=True)
class Pruned:
    """What became of one: outcome "done", "refused" or "failed", with rule and reason."""

    name: str
    outcome: str
    rule: str = ""
    reason: str = ""
    bytes: int = 0


def read_checkpoints(client: S3Client, where: S3Uri) -> tuple[list[Checkpoint], list[str]]:
    """What lies below a prefix: checkpoints, and names that are none.

    Raises:
        CloudError: it could not be listed.
    """
    prefix = where.directory
    index = _read_index(client, where)
    found: dict[str, Checkpoint] = {}
    other = []
    for page in list_remote(client, where.bucket, prefix):
        for key, size, modified, *_ in page:
            name = key[len(prefix) :].partition("/")[0]
            if not name or (name.upper() == INDEX.upper() or name.startswith(".")):
                other.append(key[len(prefix) :])
                continue
            known = found.get(name) or Checkpoint(name, 0, 0, 0.0)
            found[name] = replace(
                known, objects=known.objects + 1, bytes=known.bytes + size, newest=max(known.newest, modified)
            )
    return [_described(c, index.get(c.name, {})) for c in found.values()], other


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
    """Entries of an INDEX.json by checkpoint name; {} when there is none that can be read."""
    try:
        body = client.call(Request("GetObject", "GET", where.bucket, where.directory + INDEX)).body
        entries = json.loads(body)
    except (CloudError, ValueError):
        return {}
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


def apply_plan(
    client: S3Client, plan: PrunePlan, *, clock: Clock, record: Record, overrides: frozenset[str]
) -> Iterator[Pruned]:
    """Delete what the plan prunes and is still as it was, one answer each.

    Args:
        client: deletes.
        plan: what to delete.
        clock: for ages.
        record: the policy engine's word, and the journal that each deletion is written into before it is sent.
        overrides: rules the user overrides by name ("younger-than").

    Raises:
        CloudError: the prefix could not be listed again: nothing more is deleted.
    """
    now = {c.name: c for c in read_checkpoints(client, plan.where)[0]}
    for verdict in plan.verdicts:
        planned = verdict.checkpoint
        if not verdict.prunes:
            continue
        current = now.get(planned.name)
        if current != planned:
            yield Pruned(planned.name, "refused", "changed", "it is not what it was when the plan was made")
            continue
        rule, reason = record.refusal(Verb.DELETE, clock.now(), newest=planned.newest, overrides=overrides)
        if rule:
            yield Pruned(planned.name, "refused", rule, reason)
            continue
        bucket, base = plan.where.bucket, plan.where.directory + planned.name
        request = {"Bucket": bucket, "Key": base, "Objects": planned.objects, "Bytes": planned.bytes}
        where = f"s3://{bucket}/{base}"
        with record.change(
            Verb.DELETE, "checkpoint", where, client.region_of(bucket), "s3:DeleteObjects", request
        ) as problem:
            failed = _delete(client, plan.where, planned.name)
            problem(failed)
        yield Pruned(planned.name, "failed" if failed else "done", "", failed, 0 if failed else planned.bytes)


def _delete(client: S3Client, where: S3Uri, name: str) -> str:
    """Delete one checkpoint, file by file below exactly its name; why it failed, "" when it did not."""
    base = where.directory + name
    keys = (
        file.key
        for page in list_remote(client, where.bucket, base)
        for file in page
        if file.key == base or file.key.startswith(base + "/")
    )
    problems: list[str] = []
    try:
        while batch := list(islice(keys, operations.DELETE_BATCH)):
            problems += [f"{key}: {reason}" for key, reason in operations.delete(client, where.bucket, batch)]
    except CloudError as error:
        problems.append(error.message)
    return "; ".join(problems[:3])
