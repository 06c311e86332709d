"""`runctl init`: what jobs need in an account, made once, or printed for somebody who may."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from runctl.cli import arguments
from runctl.cli.arguments import Parser
from runctl.cli.dispatch import Verb
from runctl.errors import InputError

if TYPE_CHECKING:
    from runctl.cli.invocation import Invocation
    from runctl.models.plan import ItemResult
    from runctl.services.jobs.foundation import Wanted


def _configure(parser: Parser) -> None:
    parser.add_argument("--bucket", metavar="NAME", help="bucket of the records (default: runctl-ACCOUNT-REGION)")
    parser.add_argument(
        "--name", default="", metavar="NAME", help="of role and profile (default: jobs.instance_profile)"
    )
    parser.add_argument(
        "--cloudformation", action="store_true", help="print a template for somebody who may create roles; make nothing"
    )
    group = parser.add_argument_group("safety")
    group.add_argument("--dry-run", action="store_true", help="show what is missing; make nothing")
    group.add_argument("-y", "--yes", action="store_true", help="do not ask")
    arguments.add_format(parser.add_argument_group("output"), ("table", "json"))


def _run(args: Namespace) -> int:
    from runctl.cli.invocation import cloud, start

    with cloud(args):
        return _init(start(args))


def _init(call: Invocation) -> int:
    from runctl.cli.confirm import confirm
    from runctl.cli.connect import connect
    from runctl.cli.jobs_connect import region_of
    from runctl.cli.output import write_json
    from runctl.models.plan import ItemResult, Kind, Outcome, PlanItem, Verb
    from runctl.services.aws.door import open_actions
    from runctl.services.jobs import foundation

    backend = connect(call.settings)
    region = region_of(call, backend)
    door = open_actions(backend, call.settings, call.clock, (region,))
    wanted = _wanted(call, region, door.ground.stamp.account, door.ground.stamp.arn)
    if call.args.cloudformation:
        write_json(foundation.template(wanted, with_bucket=True))
        return 0
    steps = foundation.missing_steps(door.ground, wanted)
    if not steps:
        call.hint("everything is there already")
    if call.args.dry_run or not steps:
        items = [PlanItem(Verb.SET_UP, Kind.ACCOUNT, s.id, region, reason=s.what) for s in steps]
        return _tell(call, wanted, [ItemResult(i, Outcome.PLANNED, reason=i.reason) for i in items])
    if not call.args.yes:
        for step in steps:
            print(f"make {step.id}: {step.what}", file=sys.stderr)
    confirm(call, f"make {len(steps)} things in account {wanted.account}")
    results = []
    for step in steps:
        results.append(foundation.lay(door.ground, wanted, step))
        if results[-1].outcome is not Outcome.DONE:
            break
    return _tell(call, wanted, results)


def _wanted(call: Invocation, region: str, account: str, arn: str) -> Wanted:
    from runctl.services.jobs.foundation import Wanted
    from runctl.services.transfer.uri import parse_s3

    bucket = call.args.bucket or call.settings.jobs.bucket or f"runctl-{account}-{region}"
    if parse_s3(f"s3://{bucket}").key:
        raise InputError(f"--bucket {bucket}: {bucket!r} is not a bucket", allowed="a name without slashes")
    partition = arn.split(":")[1] if arn.count(":") > 1 else "aws"
    return Wanted(bucket, region, call.args.name or call.settings.jobs.instance_profile, account, partition)


def _tell(call: Invocation, wanted: Wanted, held: list[ItemResult]) -> int:
    from runctl.cli.output import write_json, write_lines
    from runctl.models.plan import Outcome
    from runctl.services.plan import exit_code

    if call.output == "json":
        write_json([{"id": r.item.id, "action": r.item.verb, "outcome": r.outcome, "rule": r.rule,
                     "reason": r.reason or None} for r in held])  # fmt: skip
    else:
        write_lines(f"{r.outcome:<8} {r.item.id}: {r.reason}" for r in held)
    if all(r.outcome is Outcome.DONE for r in held) and call.settings.jobs.bucket != wanted.bucket:
        call.hint("write this into runctl.toml, so that jobs find it:")
        call.hint(f'  [jobs]\n  bucket = "{wanted.bucket}"')
    return exit_code(held) if held else 0


VERBS = {"": Verb(_configure, _run, ("runctl init --dry-run", "runctl init --cloudformation > runctl-jobs.json"))}
