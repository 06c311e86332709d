"""`runctl adopt`: from now on it is ours, so that runctl may act on it."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from runctl.cli.arguments import Parser, add_acting, duration
from runctl.cli.dispatch import Verb
from runctl.errors import InputError

if TYPE_CHECKING:
    from runctl.services.case import Resource


def _configure(parser: Parser) -> None:
    parser.add_argument(
        "ids",
        nargs="+",
        metavar="ID",
        help="machine, disk, snapshot or address, by id; machines by name too; a bucket as s3://BUCKET",
    )
    parser.add_argument("--owner", metavar="NAME", help="whose it is from now on (you)")
    parser.add_argument("--project", metavar="NAME", help="what it is for")
    parser.add_argument("--ttl", type=duration, metavar="8h", help="after this long cleanup proposes to end it")
    parser.add_argument("--release", action="store_true", help="the other way: it is nobody's to runctl any more")
    add_acting(parser, overrides=False)


def _bucket_of(text: str) -> str:
    from runctl.services.transfer.uri import parse_s3

    where = parse_s3(text)
    if where.key.strip("/"):
        raise InputError(
            f"{text}: the bucket's tags say whose everything in it is", allowed="the bucket alone",
            example=f"runctl adopt s3://{where.bucket}",
        )  # fmt: skip
    return where.bucket


def _run(args: Namespace) -> int:
    from runctl.cli.acting import carry_out, open_door
    from runctl.cli.invocation import cloud, start
    from runctl.models.plan import Kind
    from runctl.models.plan import Verb as Deed
    from runctl.services.references import check_reference, kind_of_id, resolve
    from runctl.services.verbs.buckets import find_bucket
    from runctl.services.verbs.tags import release_parameters

    if args.release and (args.owner or args.project or args.ttl):
        raise InputError("--release takes no --owner, --project or --ttl", example="runctl adopt i-0abc --release")
    buckets = [_bucket_of(text) for text in args.ids if text.startswith("s3:")]
    kinds = {text: kind_of_id(text) or Kind.INSTANCE for text in args.ids if not text.startswith("s3:")}
    for text, kind in kinds.items():
        check_reference(text, kind)
    if buckets and args.ttl:
        raise InputError("a bucket has no end: --ttl is for machines, disks and the like", allowed="--owner, --project")
    with cloud(args):
        call = start(args)
        door = open_door(call, everywhere=not kinds)
        found: list[Resource] = [find_bucket(door.ground, name) for name in dict.fromkeys(buckets)]
        for kind in dict.fromkeys(kinds.values()):
            found += resolve(door.ground.cloud, kind, [t for t, k in kinds.items() if k is kind], door.regions)
        if args.release:
            return carry_out(call, door, door.draft_on(Deed.TAG, found, release_parameters()))
        wanted = {"owner": args.owner, "project": args.project, "ttl_s": args.ttl}
        return carry_out(call, door, door.draft_on(Deed.ADOPT, found, wanted))


VERBS = {
    "": Verb(
        _configure,
        _run,
        (
            "runctl adopt i-0123456789abcdef0 --project vision --ttl 8h",
            "runctl adopt vol-0123456789abcdef0 --owner ana --yes",
            "runctl adopt s3://my-bucket --project vision",
            "runctl adopt i-0123456789abcdef0 --release",
        ),
    )
}
