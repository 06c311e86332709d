"""`runctl s3 prune`: which checkpoints may go, and letting them go."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from runctl.cli import arguments, s3_options
from runctl.cli.arguments import Parser
from runctl.cli.dispatch import Verb
from runctl.errors import InputError

if TYPE_CHECKING:
    from runctl.cli.invocation import Invocation
    from runctl.models.s3 import StoredCheckpoint
    from runctl.services.actions import Actions
    from runctl.services.transfer.uri import S3Uri


def _configure(parser: Parser) -> None:
    parser.add_argument("place", metavar="s3://BUCKET/.../checkpoints/", help="the prefix checkpoints lie in")
    parser.add_argument("--keep-last", type=s3_options.workers, required=True, metavar="N", help="keep the newest N")
    parser.add_argument("--keep-best", default="", metavar="METRIC", help="and the best by it (loss, accuracy:max)")
    arguments.add_acting(parser)


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
    from runctl.cli.acting import open_door
    from runctl.services.verbs.buckets import checkpoints_below

    door = open_door(call, everywhere=True)
    parameters = {
        "where": str(where), "keep_last": call.args.keep_last, "keep_best": call.args.keep_best, "named": True,
    }  # fmt: skip
    return let_go(call, door, checkpoints_below(door.ground, parameters), parameters)


def let_go(call: Invocation, door: Actions, found: Iterable[StoredCheckpoint], parameters: dict[str, Any]) -> int:
    """Say what stays and why, and put the rest through the door; returns the exit code.

    Args:
        call: the command under way.
        door: what does it.
        found: every checkpoint there is.
        parameters: what says at each reading what has to stay; see `services.verbs.buckets`.

    Raises:
        InputError: nobody said yes.
    """
    from runctl.cli.acting import carry_out, overrides_of
    from runctl.format import format_bytes
    from runctl.models.plan import Verb as Deed

    overrides = overrides_of(call)
    every = list(found)
    going = [c for c in every if not c.stays]
    for one in every:
        if one.stays:
            call.hint(f"stays  {format_bytes(one.bytes):>10}  {call.style.clean(f'{one.name}  ({one.stays})', 600)}")
    if not every:
        call.hint("there is no checkpoint")
    elif not going:
        call.hint("nothing is old enough to go")
    else:
        freed = format_bytes(sum(c.bytes for c in going))
        call.hint(f"{len(going)} of {len(every)} may go, {freed}")
    if not going:
        if call.output == "json":
            from runctl.cli.output import write_json

            write_json([])
        return 0
    reasons = {c.id: "not among those to keep" for c in going}
    return carry_out(call, door, door.draft_on(Deed.PRUNE, going, parameters, overrides, reasons=reasons))


PRUNE = Verb(
    _configure,
    _run,
    ("runctl s3 prune s3://my-bucket/runs/7/checkpoints/ --keep-last 3 --keep-best val_loss --dry-run",),
)
