"""start, stop, reboot, terminate and tag machines: thin words around the door."""

from __future__ import annotations

from argparse import Namespace

from runctl.cli.arguments import Parser, add_acting, duration
from runctl.cli.dispatch import Verb

_ID = "i-0123456789abcdef0"


def _add_ids(parser: Parser) -> None:
    parser.add_argument("ids", nargs="+", metavar="ID", help="ids, or names that only one machine has")


def simple_verb(name: str, *examples: str) -> Verb:
    """A verb that needs nothing but machines."""

    def configure(parser: Parser) -> None:
        _add_ids(parser)
        add_acting(parser)

    def run(args: Namespace) -> int:
        from runctl.cli.acting import carry_out, open_door, overrides_of
        from runctl.cli.invocation import cloud, start
        from runctl.models.plan import Verb as Deed

        with cloud(args):
            call = start(args)
            overrides = overrides_of(call)
            check_references(args.ids)
            door = open_door(call)
            return carry_out(call, door, door.draft(Deed(name), args.ids, overrides=overrides))

    return Verb(configure, run, examples)


def check_references(ids: list[str]) -> None:
    """Refuse what can be no machine before AWS is asked anything.

    Raises:
        InputError: the first of them.
    """
    from runctl.models.plan import Kind
    from runctl.services.references import check_reference

    for text in ids:
        check_reference(text, Kind.INSTANCE)


def _configure_extend(parser: Parser) -> None:
    _add_ids(parser)
    parser.add_argument("--by", type=duration, required=True, metavar="4h", help="how much longer, from its end on")
    add_acting(parser, overrides=False)


def _extend(args: Namespace) -> int:
    from runctl.cli.acting import carry_out, open_door
    from runctl.cli.invocation import cloud, start
    from runctl.models.plan import Verb as Deed

    check_references(args.ids)
    with cloud(args):
        call = start(args)
        door = open_door(call)
        return carry_out(call, door, door.draft(Deed.EXTEND, args.ids, {"by_s": args.by}))


def _configure_tag(parser: Parser) -> None:
    parser.add_argument("id", metavar="ID", help="id, or a name that only one machine has")
    parser.add_argument("tags", nargs="*", metavar="KEY=VALUE", help="tags to set")
    parser.add_argument("--remove", action="append", default=[], metavar="KEY", help="a tag to remove; may be repeated")
    add_acting(parser, overrides=False)


def _tag(args: Namespace) -> int:
    from runctl.cli.acting import carry_out, open_door
    from runctl.cli.invocation import cloud, start
    from runctl.models.plan import Verb as Deed
    from runctl.services.verbs.tags import check_key, parse_tag

    wanted = dict(parse_tag(t) for t in args.tags)
    for key in args.remove:
        check_key(key)
    check_references([args.id])
    with cloud(args):
        call = start(args)
        door = open_door(call)
        plan = door.draft(Deed.TAG, [args.id], {"set": wanted, "unset": args.remove})
        return carry_out(call, door, plan)


VERBS = {
    "start": simple_verb("start", f"runctl instances start {_ID}"),
    "stop": simple_verb(
        "stop", "runctl instances stop trainer", f"runctl instances stop {_ID} --override running-job --yes"
    ),
    "reboot": simple_verb("reboot", f"runctl instances reboot {_ID}"),
    "terminate": simple_verb(
        "terminate", f"runctl instances terminate {_ID} --dry-run", "runctl instances terminate old-1 old-2 --yes"
    ),
    "extend": Verb(_configure_extend, _extend, ("runctl instances extend trainer --by 4h",)),
    "tag": Verb(_configure_tag, _tag, ("runctl instances tag trainer team=vision --remove scratch",)),
}
