"""create, attach, detach, modify, snapshot, restore and delete disks: thin words around the door."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from runctl.cli.arguments import Parser, add_acting
from runctl.cli.dispatch import Verb

if TYPE_CHECKING:
    from runctl.cli.invocation import Invocation
    from runctl.models.instance import Instance
    from runctl.models.plan import Plan
    from runctl.services.actions import Actions

_ID = "vol-0123456789abcdef0"
_MACHINE = "i-0123456789abcdef0"
#: From a call and its door to the plan of a verb.
_Draft = Callable[["Invocation", "Actions"], "Plan"]


def _act(args: Namespace, draft: _Draft, *, check: Callable[[], None] = lambda: None) -> int:
    """Open the door, draft, show, ask, do; returns the exit code."""
    from runctl.cli.acting import carry_out, open_door
    from runctl.cli.invocation import cloud, start

    check()
    with cloud(args):
        call = start(args)
        door = open_door(call)
        return carry_out(call, door, draft(call, door))


def _overrides(call: Invocation) -> Any:
    from runctl.cli.acting import overrides_of

    return overrides_of(call)


def _check(ids: list[str], kind_name: str = "volume") -> Callable[[], None]:
    def check() -> None:
        from runctl.models.plan import Kind
        from runctl.services.references import check_reference, kind_of_id

        for text in ids:
            check_reference(text, kind_of_id(text) or Kind(kind_name))

    return check


def _add_volume(parser: Parser, *, several: bool = False) -> None:
    said = "ids, or names that only one disk has" if several else "id, or a name that only one disk has"
    parser.add_argument("ids", nargs="+" if several else 1, metavar="VOLUME", help=said)


def _add_shape(parser: Parser) -> None:
    from runctl.cli.arguments import size_gib

    parser.add_argument("--size", type=size_gib, metavar="100", help="GiB; also 500GiB or 2TiB")
    parser.add_argument("--type", metavar="gp3", help="gp3, gp2, io1, io2, st1, sc1 or standard")
    parser.add_argument("--iops", type=int, metavar="N", help="provisioned operations a second (gp3, io1, io2)")
    parser.add_argument("--throughput", type=int, metavar="MiB/s", help="provisioned MiB a second (gp3)")


def _shape(args: Namespace) -> dict[str, Any]:
    return {"size_gib": args.size, "type": args.type, "iops": args.iops, "throughput": args.throughput}


def machine_of(door: Actions, reference: str) -> Instance:
    """The machine that a flag names.

    Raises:
        InputError: malformed, unknown or ambiguous.
    """
    from runctl.models.instance import Instance
    from runctl.models.plan import Kind
    from runctl.services.references import resolve

    (found,) = resolve(door.ground.cloud, Kind.INSTANCE, [reference], door.regions)
    if not isinstance(found, Instance):
        raise TypeError(f"{reference} is no machine")
    return found


def _place(args: Namespace, door: Actions) -> tuple[str, str]:
    """(region, zone) that flags name: a machine's own, or the zone as it is written.

    Raises:
        InputError: neither, both, or no zone of a region that is looked at.
    """
    from runctl.errors import InputError

    if bool(args.az) == bool(args.instance):
        raise InputError(
            "say where: --az ZONE, or --instance for the zone of the machine it is meant for",
            allowed="one of the two", example="--az us-east-1a",
        )  # fmt: skip
    if args.instance:
        machine = machine_of(door, args.instance)
        return machine.region, machine.az
    region = args.az.rstrip("abcdefghijklmnopqrstuvwxyz")
    if region == args.az or (door.regions != ("all",) and region not in door.regions):
        raise InputError(
            f"--az {args.az}: not a zone of {', '.join(door.regions)}", allowed="a zone such as us-east-1a; --region"
        )
    return region, args.az


# -- create and restore ------------------------------------------------------------------------------------------------


def _add_place(parser: Parser) -> None:
    parser.add_argument("--az", metavar="us-east-1a", help="the zone; only machines there can use it")
    parser.add_argument("--instance", metavar="ID", help="the machine it is meant for: its zone is taken")
    parser.add_argument("--name", metavar="NAME", help="its Name tag")
    parser.add_argument("--project", metavar="NAME", help="its runctl:project tag")


def _configure_create(parser: Parser) -> None:
    _add_shape(parser)
    _add_place(parser)
    parser.add_argument("--encrypted", action="store_true", help="with the account's default key")
    add_acting(parser, overrides=False)


def _create(args: Namespace) -> int:
    def check() -> None:
        from runctl.errors import InputError
        from runctl.services.verbs.storage import shape_in

        if args.size is None:
            raise InputError("--size is missing", allowed="GiB", example="--size 100")
        shape_in(_shape(args))

    def draft(call: Invocation, door: Actions) -> Plan:
        import uuid

        from runctl.services.verbs.storage import plan_volume

        del call
        region, az = _place(args, door)
        wanted = {**_shape(args), "az": az, "name": args.name, "project": args.project, "encrypted": args.encrypted}
        item = plan_volume(region, f"runctl-{uuid.uuid4().hex}", wanted)
        return door.plan_of([item], title=f"create a volume of {args.size} GiB in {az}")

    return _act(args, draft, check=check)


def _configure_restore(parser: Parser) -> None:
    parser.add_argument("ids", nargs=1, metavar="SNAPSHOT", help="id, or a name that only one snapshot has")
    _add_shape(parser)
    _add_place(parser)
    add_acting(parser)


def _restore(args: Namespace) -> int:
    def draft(call: Invocation, door: Actions) -> Plan:
        from runctl.models.plan import Kind
        from runctl.models.plan import Verb as Deed

        _, az = _place(args, door)
        named = {"name": args.name, "project": args.project}
        wanted = {"az": az, **{k: v for k, v in (_shape(args) | named).items() if v is not None}}
        return door.draft(Deed.RESTORE, args.ids, wanted, _overrides(call), kind=Kind.SNAPSHOT)

    return _act(args, draft, check=_check(args.ids, "snapshot"))


# -- attach and detach -------------------------------------------------------------------------------------------------


def _configure_attach(parser: Parser) -> None:
    _add_volume(parser)
    parser.add_argument("--instance", required=True, metavar="ID", help="the machine, by id or name")
    parser.add_argument("--device", metavar="/dev/sdf", help="device name; without it a free one")
    parser.add_argument("--mount", metavar="DIR", help="mount it there, by Systems Manager")
    parser.add_argument("--format", choices=("ext4", "xfs"), help="make a file system, only if the disk is blank")
    add_acting(parser)


def _attach(args: Namespace) -> int:
    def draft(call: Invocation, door: Actions) -> Plan:
        machine = machine_of(door, args.instance)
        wanted = {"device": args.device, "mount": args.mount, "format": args.format}
        return _drafted(call, door, "attach", args.ids, {"instance_id": machine.id, **wanted})

    return _act(args, draft, check=_check(args.ids))


def _drafted(
    call: Invocation, door: Actions, verb: str, ids: list[str], parameters: Mapping[str, Any] | None = None
) -> Plan:
    from runctl.models.plan import Kind
    from runctl.models.plan import Verb as Deed

    return door.draft(Deed(verb), ids, parameters, _overrides(call), kind=Kind.VOLUME)


def _configure_detach(parser: Parser) -> None:
    _add_volume(parser)
    parser.add_argument("--instance", metavar="ID", help="from which machine, where it is attached to several")
    parser.add_argument(
        "--no-unmount", action="store_true", help="detach without unmounting: what is not written is lost"
    )
    add_acting(parser)


def _detach(args: Namespace) -> int:
    def draft(call: Invocation, door: Actions) -> Plan:
        machine = machine_of(door, args.instance).id if args.instance else None
        return _drafted(call, door, "detach", args.ids, {"instance_id": machine, "no_unmount": args.no_unmount})

    return _act(args, draft, check=_check(args.ids))


# -- modify, snapshot, delete ------------------------------------------------------------------------------------------


def _configure_modify(parser: Parser) -> None:
    _add_volume(parser)
    _add_shape(parser)
    parser.add_argument("--no-grow", action="store_true", help="leave the file system as it is when the disk grows")
    parser.add_argument("--wait", action="store_true", help="until EC2 is done with it, showing how far it is")
    add_acting(parser)


def _modify(args: Namespace) -> int:
    def draft(call: Invocation, door: Actions) -> Plan:
        return _drafted(call, door, "modify", args.ids, {**_shape(args), "grow": not args.no_grow, "wait": args.wait})

    return _act(args, draft, check=_check(args.ids))


def _configure_snapshot(parser: Parser) -> None:
    _add_volume(parser, several=True)
    parser.add_argument("--name", metavar="NAME", help="its Name tag; without it the disk's")
    parser.add_argument("--wait", action="store_true", help="until it is complete")
    add_acting(parser)


def _snapshot(args: Namespace) -> int:
    def draft(call: Invocation, door: Actions) -> Plan:
        return _drafted(call, door, "snapshot", args.ids, {"name": args.name, "wait": args.wait})

    return _act(args, draft, check=_check(args.ids))


def _configure_delete(parser: Parser) -> None:
    parser.add_argument("ids", nargs="+", metavar="ID", help="disks or snapshots, by id; disks by name too")
    parser.add_argument("--no-unmount", action="store_true", help="with --override attached: detach without unmounting")
    add_acting(parser)


def _delete(args: Namespace) -> int:
    def draft(call: Invocation, door: Actions) -> Plan:
        from runctl.models.plan import Kind
        from runctl.models.plan import Verb as Deed
        from runctl.services.references import kind_of_id, resolve

        snapshots = [i for i in args.ids if kind_of_id(i) is Kind.SNAPSHOT]
        volumes = [i for i in args.ids if i not in snapshots]
        found = [
            r
            for kind, ids in ((Kind.VOLUME, volumes), (Kind.SNAPSHOT, snapshots))
            if ids
            for r in resolve(door.ground.cloud, kind, ids, door.regions)
        ]
        return door.draft_on(Deed.DELETE, found, {"no_unmount": args.no_unmount}, _overrides(call))

    return _act(args, draft, check=_check(args.ids))


VERBS = {
    "create": Verb(
        _configure_create,
        _create,
        (
            "runctl volumes create --size 500 --instance trainer --name data",
            "runctl volumes create --size 2TiB --type st1 --az us-east-1a",
        ),
    ),
    "attach": Verb(
        _configure_attach,
        _attach,
        (
            f"runctl volumes attach {_ID} --instance {_MACHINE}",
            "runctl volumes attach data --instance trainer --mount /data --format ext4",
        ),
    ),
    "detach": Verb(_configure_detach, _detach, (f"runctl volumes detach {_ID}",)),
    "modify": Verb(
        _configure_modify,
        _modify,
        (
            f"runctl volumes modify {_ID} --size 1TiB",
            f"runctl volumes modify {_ID} --type gp3 --iops 6000 --throughput 500",
        ),
    ),
    "snapshot": Verb(_configure_snapshot, _snapshot, (f"runctl volumes snapshot {_ID} --wait",)),
    "restore": Verb(
        _configure_restore, _restore, ("runctl volumes restore snap-0123456789abcdef0 --instance trainer",)
    ),
    "delete": Verb(
        _configure_delete,
        _delete,
        (f"runctl volumes delete {_ID} --dry-run", "runctl volumes delete snap-0123456789abcdef0 --yes"),
    ),
}
