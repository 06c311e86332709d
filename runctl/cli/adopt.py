"""`runctl adopt`: from now on it is ours, so that runctl may act on it."""

from __future__ import annotations

from argparse import Namespace

from runctl.cli.arguments import Parser, add_acting, duration
from runctl.cli.dispatch import Verb


def _configure(parser: Parser) -> None:
    parser.add_argument(
        "ids", nargs="+", metavar="ID", help="machine, disk, snapshot or address, by id; machines by name too"
    )
    parser.add_argument("--owner", metavar="NAME", help="whose it is from now on (you)")
    parser.add_argument("--project", metavar="NAME", help="what it is for")
    parser.add_argument("--ttl", type=duration, metavar="8h", help="after this long cleanup proposes to end it")
    parser.add_argument("--release", action="store_true", help="the other way: it is nobody's to runctl any more")
    add_acting(parser, overrides=False)


def _run(args: Namespace) -> int:
    from runctl.cli.acting import carry_out, open_door
    from runctl.cli.invocation import cloud, start
    from runctl.errors import InputError
    from runctl.models.plan import Kind
    from runctl.models.plan import Verb as Deed
    from runctl.services.references import check_reference, kind_of_id, resolve
    from runctl.services.verbs.tags import release_parameters

    if args.release and (args.owner or args.project or args.ttl):
        raise InputError("--release takes no --owner, --project or --ttl", example="runctl adopt i-0abc --release")
    kinds = {text: kind_of_id(text) or Kind.INSTANCE for text in args.ids}
    for text, kind in kinds.items():
        check_reference(text, kind)
    with cloud(args):
        call = start(args)
        door = open_door(call)
        found = [
            r for kind in dict.fromkeys(kinds.values())
            for r in resolve(door.ground.cloud, kind, [t for t, k in kinds.items() if k is kind], door.regions)
        ]  # fmt: skip
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
            "runctl adopt i-0123456789abcdef0 --release",
        ),
    )
}
