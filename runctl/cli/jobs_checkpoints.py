"""`runctl jobs checkpoints`: list, look into, fetch and let go."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runctl.cli import arguments
from runctl.cli.arguments import Parser
from runctl.cli.dispatch import Verb
from runctl.cli.jobs_read import add_job, open_found
from runctl.errors import InputError

if TYPE_CHECKING:
    from runctl.cli.invocation import Invocation
    from runctl.models.record import Checkpoint
    from runctl.services.jobs.record import JobRecord


def _configure(parser: Parser) -> None:
    add_job(parser)
    what = parser.add_argument_group("what to do; listed when none is named").add_mutually_exclusive_group()
    what.add_argument("--inspect", metavar="ID", help="what is in it (newest, best or an id); nothing in it is run")
    what.add_argument("--pull", metavar="ID", help="fetch it (newest, best or an id)")
    what.add_argument("--prune", action="store_true", help="let old ones go; the best and the last stay")
    parser.add_argument("--to", metavar="DIR", help="where --pull puts it (default: its id, here)")
    parser.add_argument("--keep", type=arguments.limit, metavar="N", help="how many --prune keeps (default: the job's)")
    arguments.add_acting(parser)


def _run(args: Namespace) -> int:
    from runctl.cli.invocation import cloud, start

    with cloud(args):
        return _checkpoints(start(args))


def _checkpoints(call: Invocation) -> int:
    from runctl.services.jobs.checkpoints import choose, usable

    _, found = open_found(call)
    job, args = found.record, call.args
    if args.inspect:
        return _inspect(call, job, choose(job, args.inspect))
    if args.pull:
        return _pull(call, job, choose(job, args.pull))
    if args.prune:
        keep = args.keep or int((found.spec.get("checkpoints") or {}).get("keep") or 3)
        return _prune_here(call, job, keep) if found.provider == "local" else _prune(call, job, keep)
    index = job.index()
    return _list(call, index.get("checkpoints") or [], usable(index)[-1:], index.get("best"))


def _list(call: Invocation, every: list[Checkpoint], newest: list[Checkpoint], best: str | None) -> int:
    from runctl.cli.output import write_json, write_lines
    from runctl.cli.table import Cell, Column, table_lines
    from runctl.format import format_bytes, format_count, format_time

    if call.output == "json":
        write_json([dict(c) for c in every])
        return 0
    shown = [c for c in every if c.get("deleted_at") is None]
    heads = (("ID", False), ("STEP", True), ("SIZE", True), ("METRIC", True), ("MADE", False), ("STATE", False))
    rows = []
    for one in shown:
        marks = [m for m, so in (("newest", one in newest), ("best", one.get("id") == best)) if so]
        state = "complete" if one.get("complete") else "being uploaded"
        metric = one.get("metric")
        texts = (
            call.style.clean(str(one.get("id")), 300), format_count(one.get("step")), format_bytes(one.get("bytes")),
            f"{metric:g}" if metric is not None else "-", format_time(_time(one.get("made_at"))),
            ", ".join([state, *marks]),
        )  # fmt: skip
        rows.append([Cell(t) for t in texts])
    if rows:
        write_lines(
            table_lines([Column(h, right, whole=h == "ID", keep=h == "ID") for h, right in heads], rows, call.style)
        )
    else:
        call.hint("no checkpoint yet: what matches the job's pattern appears here once it stops changing")
    return 0


def _time(seconds: float | None) -> Any:
    from datetime import UTC, datetime

    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _inspect(call: Invocation, job: JobRecord, checkpoint: Checkpoint) -> int:
    from dataclasses import asdict

    from runctl.cli.output import write_json, write_lines
    from runctl.format import format_bytes, format_count
    from runctl.services.jobs.checkpoints import look_into

    found = list(look_into(job, checkpoint))
    if call.output == "json":
        write_json({**checkpoint, "contents": [{"path": f["path"], **asdict(c)} for f, c in found]})
        return 0
    clean = call.style.clean
    write_lines([f"{checkpoint['id']}  step {format_count(checkpoint.get('step'))}"])
    for file, inside in found:
        write_lines([f"  {clean(file['path'], 300)}  {format_bytes(file.get('bytes'))}  {inside.kind}"])
        if inside.tensors is not None:
            numbers = f", {inside.parameters:,} numbers" if inside.parameters is not None else ""
            write_lines([f"    {inside.tensors:,} tensors{numbers}"])
        write_lines(f"    {clean(k, 60)}: {clean(v, 300)}" for k, v in inside.facts.items())
        if inside.problem:
            write_lines([f"    problem: {clean(inside.problem, 300)}"])
        if inside.danger:
            write_lines([f"    DANGER: loading it would call {clean(', '.join(inside.danger), 300)}"])
    return 0


def _pull(call: Invocation, job: JobRecord, checkpoint: Checkpoint) -> int:
    from runctl.cli.output import write_json, write_lines
    from runctl.format import format_bytes
    from runctl.services.jobs.checkpoints import pull

    target = Path(call.args.to) if call.args.to else Path(checkpoint["id"].replace("/", "-"))
    if target.exists() and not target.is_dir():
        raise InputError(f"--to {target}: not a directory", example="--to ./checkpoints")
    files = pull(job, checkpoint, target, lambda name, size: call.hint(f"{name}  {format_bytes(size)}"))
    if call.output == "json":
        write_json([{"id": checkpoint["id"], "action": "pull", "outcome": "done", "rule": None, "reason": None,
                     "files": [str(f) for f in files]}])  # fmt: skip
    else:
        write_lines(map(str, files))
    return 0


def _prune(call: Invocation, job: JobRecord, keep: int) -> int:
    """What lies in S3 goes like everything else in AWS: planned, shown, judged, written down, taken up again."""
    from runctl.cli.acting import open_door
    from runctl.cli.s3_prune import let_go
    from runctl.services.jobs.pruning import checkpoints_of
    from runctl.services.jobs.stores import BucketStore

    store = job.store
    assert isinstance(store, BucketStore)  # noqa: S101  # every place but this computer is one
    door = open_door(call, everywhere=True)
    parameters = {"job": job.job, "bucket": store.bucket, "keep": keep}
    return let_go(call, door, checkpoints_of(door.ground, parameters), parameters)


def _prune_here(call: Invocation, job: JobRecord, keep: int) -> int:
    """Of a job of this computer: files in our own directory, which nobody else has a say in."""
    from runctl.cli.confirm import confirm
    from runctl.cli.output import write_json
    from runctl.format import format_bytes
    from runctl.services.jobs.checkpoints import plan_retention, prune

    plan = plan_retention(job.index(), keep)
    going = [k for k in plan if k.goes]
    for one in plan:
        word = "keep  " if one.reason else "delete"
        line = f"{word} {one.checkpoint['id']}  {format_bytes(one.checkpoint.get('bytes'))}  {one.reason}".rstrip()
        print(
            call.style.clean(line, 400),
            file=sys.stderr if call.output == "json" or not call.args.dry_run else sys.stdout,
        )
    if not call.args.dry_run and going:
        confirm(call, f"{len(going)} checkpoints of {job.job} will be deleted", word=f"prune {len(going)}")
        going = [k for k in plan if k.checkpoint["id"] in {c["id"] for c in prune(job, keep)}]
    outcome = "planned" if call.args.dry_run else "done"
    if call.output == "json":
        write_json([{"id": k.checkpoint["id"], "action": "prune", "outcome": outcome, "rule": None, "reason": None}
                    for k in going])  # fmt: skip
    elif not going:
        call.hint("nothing is old enough to go")
    return 0


CHECKPOINTS = Verb(
    _configure,
    _run,
    (
        "runctl jobs checkpoints vit-small",
        "runctl jobs checkpoints vit-small --pull best --to ./best",
        "runctl jobs checkpoints vit-small --prune --keep 2 --dry-run",
    ),
)
