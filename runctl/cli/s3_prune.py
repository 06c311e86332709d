"""`runctl s3 prune`: which checkpoints may go, and letting them go."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from runctl.cli import s3_options
from runctl.cli.arguments import Parser
from runctl.cli.dispatch import Verb
from runctl.errors import InputError

if TYPE_CHECKING:
    from runctl.cli.invocation import Invocation
    from runctl.services.transfer.prune import Pruned, PrunePlan
    from runctl.services.transfer.uri import S3Uri

_OVERRIDABLE = ("younger-than",)


def _configure(parser: Parser) -> None:
    parser.add_argument("place", metavar="s3://BUCKET/.../checkpoints/", help="the prefix checkpoints lie in")
    parser.add_argument("--keep-last", type=s3_options.workers, required=True, metavar="N", help="keep the newest N")
    parser.add_argument("--keep-best", default="", metavar="METRIC", help="and the best by it (loss, accuracy:max)")
    parser.add_argument("--override", action="append", default=[], choices=_OVERRIDABLE, help="override this rule")
    parser.add_argument("--dry-run", action="store_true", help="show the plan; delete nothing")
    s3_options.add_yes(parser)
    s3_options.add_result(parser)


def _run(args: Namespace) -> int:
    from runctl.cli.invocation import cloud, start
    from runctl.services.transfer.uri import parse_s3

    where = parse_s3(args.place)
    if not where.key.strip("/"):
        raise InputError(
            f"{where}: a whole bucket is not pruned", allowed="the prefix of one run's checkpoints",
            example="runctl s3 prune s3://my-bucket/runs/7/checkpoints/ --keep-last 3",
        )  # fmt: skip
    with cloud(args):
        return _prune(start(args), where)


def _prune(call: Invocation, where: S3Uri) -> int:
    from runctl.cli.confirm import confirm
    from runctl.cli.s3_client import open_client, record_for, refuse_read_only
    from runctl.format import format_bytes
    from runctl.services.transfer.prune import apply_plan, make_plan, read_checkpoints

    client = open_client(call)
    checkpoints, other = read_checkpoints(client, where)
    plan = make_plan(where, checkpoints, other, keep_last=call.args.keep_last, metric=call.args.keep_best)
    going = [v for v in plan.verdicts if v.prunes]
    if call.args.dry_run or not going:
        _show(call, plan)
        return 0
    refuse_read_only(call, f"{where}")
    if not call.args.yes:
        for line in _lines(plan):
            call.hint(line)
        confirm(
            call, f"{len(going)} checkpoints ({format_bytes(plan.freed)}) will be deleted below {where}",
            word=f"delete {len(going)}",
        )  # fmt: skip
    overrides = frozenset(call.args.override)
    record = record_for(call.settings, call.settings.profile, client.clock)
    answers = list(apply_plan(client, plan, clock=client.clock, record=record, overrides=overrides))
    return _tell(call, answers)


def _lines(plan: PrunePlan) -> list[str]:
    from runctl.format import clean_text, format_bytes

    lines = [
        f"{'delete' if v.prunes else 'keep':<7}{format_bytes(v.checkpoint.bytes):>10}  "
        f"{clean_text(v.checkpoint.name, 1024)}  ({clean_text(v.rule + ': ' if v.rule else '')}{clean_text(v.reason)})"
        for v in plan.verdicts
    ]
    going = sum(v.prunes for v in plan.verdicts)
    return [*lines, f"{going} of {len(plan.verdicts)} would go, {format_bytes(plan.freed)}"]


def _show(call: Invocation, plan: PrunePlan) -> None:
    from runctl.cli.output import write_json, write_lines

    if call.output == "json":
        write_json([_verdict(v) for v in plan.verdicts])
    else:
        write_lines(_lines(plan))


def _verdict(verdict: Any) -> dict[str, object]:
    checkpoint = verdict.checkpoint
    return {
        "id": checkpoint.name,
        "action": "prune" if verdict.prunes else "keep",
        "outcome": "planned",
        "rule": verdict.rule or None,
        "reason": verdict.reason,
        "bytes": checkpoint.bytes,
        "objects": checkpoint.objects,
        "step": checkpoint.step,
        "metrics": dict(checkpoint.metrics),
    }


def _tell(call: Invocation, answers: list[Pruned]) -> int:
    from runctl.cli.output import write_json
    from runctl.format import clean_text, format_bytes

    done = [a for a in answers if a.outcome == "done"]
    if call.output == "json":
        write_json(
            [
                {
                    "id": a.name,
                    "action": "prune",
                    "outcome": a.outcome,
                    "rule": a.rule or None,
                    "reason": a.reason or None,
                }
                for a in answers
            ]
        )
    else:
        print(f"pruned {len(done)} of {len(answers)} ({format_bytes(sum(a.bytes for a in done))} freed)")
    for answer in answers:
        if answer.outcome != "done":
            rule = f" [{answer.rule}]" if answer.rule else ""
            print(f"{answer.outcome}: {clean_text(answer.name)}: {clean_text(answer.reason)}{rule}", file=sys.stderr)
    if len(done) == len(answers):
        return 0
    return 4 if done else 1 if any(a.outcome == "refused" for a in answers) else 2


PRUNE = Verb(
    _configure,
    _run,
    ("runctl s3 prune s3://my-bucket/runs/7/checkpoints/ --keep-last 3 --keep-best val_loss --dry-run",),
)
