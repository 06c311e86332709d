"""`runctl volumes prewarm`: a data set of S3 onto a disk, through a machine that is there or one made for it."""

from __future__ import annotations

import signal
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from runctl.cli.arguments import Parser, add_acting, duration, words
from runctl.cli.confirm import confirm
from runctl.cli.dispatch import Verb

if TYPE_CHECKING:
    from datetime import datetime

    from runctl.cli.invocation import Invocation
    from runctl.models.plan import Plan
    from runctl.models.volume import Volume
    from runctl.services.actions import Actions

_TTL_S = 6 * 3600.0


def _configure(parser: Parser) -> None:
    parser.add_argument("volume", metavar="VOLUME", help="id, or a name that only one disk has")
    parser.add_argument("source", metavar="s3://BUCKET/PREFIX", help="what is copied: everything below it")
    parser.add_argument("--dir", default="/", metavar="/path", help="directory of the disk it goes to (its top)")
    parser.add_argument("--format", choices=("ext4", "xfs"), help="make a file system, only if the disk is blank")
    parser.add_argument(
        "--instance", metavar="ID", help="a machine of the disk's zone that copies; else a temporary one"
    )
    group = parser.add_argument_group("the temporary machine")
    group.add_argument("--type", type=words, default=(), metavar="T[,T2]", help="its type, the preferred first")
    group.add_argument(
        "--ttl", type=duration, default=_TTL_S, metavar="6h", help="it ends itself then, whatever happens"
    )
    group.add_argument("--profile-name", metavar="NAME", help="its instance profile; else jobs.instance_profile")
    add_acting(parser)


def _run(args: Namespace) -> int:
    from runctl.cli.acting import open_door, overrides_of
    from runctl.cli.invocation import cloud, start
    from runctl.models.plan import Kind
    from runctl.services.references import check_reference
    from runctl.services.transfer.uri import parse_s3
    from runctl.services.verbs.prewarm import check_directory

    check_reference(args.volume, Kind.VOLUME)
    where, directory = parse_s3(args.source), check_directory(args.dir)
    with cloud(args):
        call = start(args)
        overrides_of(call)
        door = open_door(call)
        wanted = {"uri": str(where), "directory": directory, "format": args.format, "bytes": _size(call, where)}
        return _with_instance(call, door, wanted) if args.instance else _with_temporary(call, door, wanted)


def _size(call: Invocation, where: Any) -> int | None:
    """Bytes below the prefix as we may see it ourselves; None when we may not.

    Raises:
        InputError: nothing is there.
    """
    from runctl.errors import CloudError, InputError
    from runctl.services.transfer.opening import open_client
    from runctl.services.transfer.uri import S3Uri
    from runctl.services.transfer.usage import measure

    regions = call.args.region or ()
    client = open_client(call.settings, call.settings.profile, region=next((r for r in regions if r != "all"), None))
    try:
        total = measure(client, S3Uri(where.bucket, where.directory)).total
    except CloudError as error:
        call.hint(f"how much it is cannot be seen from here: {error}")
        return None
    if not total.objects:
        raise InputError(f"{where}: nothing lies below it", allowed="a prefix with objects", example="runctl s3 ls -r")
    return total.bytes


def _drafted(call: Invocation, door: Actions, wanted: dict[str, Any], instance_id: str) -> Plan:
    from runctl.cli.acting import overrides_of
    from runctl.models.plan import Kind
    from runctl.models.plan import Verb as Deed

    wanted = {**wanted, "instance_id": instance_id}
    return door.draft(Deed.PREWARM, [call.args.volume], wanted, overrides_of(call), kind=Kind.VOLUME)


def _with_instance(call: Invocation, door: Actions, wanted: dict[str, Any]) -> int:
    from runctl.cli.acting import carry_out
    from runctl.cli.volume_verbs import machine_of

    return carry_out(call, door, _drafted(call, door, wanted, machine_of(door, call.args.instance).id))


def _with_temporary(call: Invocation, door: Actions, wanted: dict[str, Any]) -> int:
    """Look, show what it costs and every step, ask, do.

    Raises:
        InputError: nobody said yes, or bad values.
        CloudError: AWS cannot be asked.
    """
    from runctl.cli.acting import show, tell
    from runctl.services.volumes.temporary import find_earlier

    plan = _drafted(call, door, wanted, "")
    (item,) = plan.items
    volume = next(iter(door.ground.cloud.find_volumes(item.region, ids=[item.id])))
    earlier = find_earlier(door, volume)
    if earlier is not None:
        call.hint(f"{earlier.id} is left from an earlier prewarm of {volume.id}: it is used, and then taken away")
        plan = _drafted(call, door, wanted, earlier.id)
    if any(door.refused(i, plan.overrides) for i in plan.items):
        return tell(call, door.planned(plan))
    if earlier is None:
        return _launch_and_copy(call, door, wanted, volume, plan)
    show(call, door, plan)
    if call.args.dry_run:
        return tell(call, door.planned(plan))
    confirm(call, f"copy to {volume.id} through {earlier.id}, then terminate that machine")
    return _errand(call, door, wanted, volume.region, earlier.id)


def _launch_and_copy(call: Invocation, door: Actions, wanted: dict[str, Any], volume: Volume, plan: Plan) -> int:
    from runctl.cli import launch_report
    from runctl.cli.acting import show, tell
    from runctl.models.launch import LaunchResult
    from runctl.services.launch.attempts import Launcher
    from runctl.services.launch.offer import make_offer
    from runctl.services.launch.quarantine import open_quarantine
    from runctl.services.prices import PriceBook
    from runctl.services.volumes.temporary import TYPES, Errand

    profile = call.args.profile_name or call.settings.jobs.instance_profile
    errand = Errand(volume, profile, call.args.ttl, call.args.type or TYPES)
    quarantine = open_quarantine(door.ground.clock)
    offer = make_offer(door.ground, errand.request(door), PriceBook(), quarantine)
    launch_report.show_offer(call, offer)
    if offer.refusals:
        return launch_report.tell(call, LaunchResult(offer.request, refusals=offer.refusals, exit_code=1))
    for line in _steps(volume, wanted, profile):
        call.hint(line)
    show(call, door, plan)
    if call.args.dry_run:
        return tell(call, door.planned(plan))
    confirm(call, f"launch a machine in account {door.ground.stamp.account}, copy, and terminate it")
    result = Launcher(door.ground, quarantine).launch(offer)
    if not result.launched:
        return launch_report.tell(call, result)
    call.hint(f"{result.instances[0]} is launched; it ends itself at {errand_end(offer.request.expires_at)}")
    return _errand(call, door, wanted, volume.region, result.instances[0])


def errand_end(at: datetime | None) -> str:
    """Such as "14:05 UTC"."""
    return "no time" if at is None else f"{at:%H:%M} UTC"


def _steps(volume: Volume, wanted: dict[str, Any], profile: str) -> Iterator[str]:
    """What happens, in order, before anything does."""
    yield f"1. launch the first of these that is to be had in {volume.az}, with the instance profile {profile}"
    yield f"2. attach {volume.id} to it and mount it" + (
        f" (as {wanted['format']}, if blank)" if wanted["format"] else ""
    )
    yield f"3. copy {wanted['uri']} to {wanted['directory']} of the disk with the machine's own aws s3 sync"
    yield "4. unmount, detach, and terminate the machine: also after a failure and ctrl-c, else when its time is up"


def _errand(call: Invocation, door: Actions, wanted: dict[str, Any], region: str, instance_id: str) -> int:
    """Copy through a machine of our own and take it away, whatever happens; returns the exit code."""
    from runctl.cli.acting import apply_plan
    from runctl.services.volumes.temporary import await_reachable

    with _taken_away(call, door, region, instance_id):
        await_reachable(door, region, instance_id)
        return apply_plan(call, door, _drafted(call, door, wanted, instance_id), at_once=True)


@contextmanager
def _taken_away(call: Invocation, door: Actions, region: str, instance_id: str) -> Iterator[None]:
    """Terminates a machine at the end; ctrl-c does not stop that any more."""
    from runctl.services.volumes.temporary import take_away

    try:
        yield
    finally:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            why = take_away(door, region, instance_id)
        finally:
            signal.signal(signal.SIGINT, before)
        call.hint(
            f"{instance_id} is NOT terminated: {why}; it ends itself when its time is up, or: "
            f"runctl instances terminate {instance_id}"
            if why
            else f"{instance_id} is terminated"
        )


PREWARM = Verb(
    _configure,
    _run,
    (
        "runctl volumes prewarm data s3://my-bucket/imagenet/ --dir /imagenet --dry-run",
        "runctl volumes prewarm data s3://my-bucket/imagenet/ --format ext4 --instance trainer",
    ),
)
