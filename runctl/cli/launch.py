"""`runctl instances launch`: the offer first, then a yes, then the launch, place after place."""

from __future__ import annotations

import argparse
import os
import time
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from runctl.cli import arguments
from runctl.cli.arguments import Parser
from runctl.cli.dispatch import Verb
from runctl.errors import InputError

if TYPE_CHECKING:  # botocore behind it is imported when a door is opened
    from runctl.cli.invocation import Invocation
    from runctl.models.launch import Attempt, LaunchRequest, LaunchResult, Offer
    from runctl.services.launch.form import LaunchForm
    from runctl.services.launch.quarantine import Quarantine
    from runctl.services.verbs.row import Ground

_MARKETS = {
    "spot": "spot only",
    "on-demand": "on-demand only (default)",
    "spot-or-on-demand": "spot first, then on-demand",
}


def _configure(parser: Parser) -> None:
    _configure_place(parser.add_argument_group("where and what"))
    group = parser.add_argument_group("the machine")
    group.add_argument("--image", default="", metavar="AMI", help="ami-… or a Systems Manager parameter; else by type")
    group.add_argument(
        "--disk", default="", metavar="GIB", help="root disk, gp3 (default: 100, or what the image needs)"
    )
    group.add_argument(
        "--ttl", default="", metavar="8h", help="it ends itself for good after so long, also with this computer off"
    )
    group.add_argument("--name", default="", help="its Name tag")
    group.add_argument("--project", default="", help="its runctl:project tag")
    group.add_argument("--tag", action="append", default=[], metavar="K=V", help="one more tag; may be repeated")
    group.add_argument("--key", default="", metavar="NAME", help="EC2 key pair, for SSH")
    group.add_argument("--profile-name", default="", metavar="NAME", help="IAM instance profile, name or ARN")
    group.add_argument("--subnet", default="", metavar="ID", help="else the default subnet of each zone")
    group.add_argument("--security-group", action="append", default=[], metavar="ID", help="may be repeated")
    group.add_argument("--user-data", type=Path, metavar="FILE", help="script (with #!) to run once at the first start")
    parser.set_defaults(market="on-demand")
    parser.add_argument("--wait", action="store_true", help="return when it runs")
    arguments.add_acting(parser, overrides=False)


def _configure_place(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--type", type=arguments.words, required=True, metavar="T[,T2]", help="types, preferred first")
    market = group.add_mutually_exclusive_group()
    for name, text in _MARKETS.items():
        market.add_argument(f"--{name}", dest="market", action="store_const", const=name, help=text)
    group.add_argument("--az", type=arguments.words, default=(), metavar="Z[,Z2]", help="zones; else all that offer it")
    group.add_argument("--count", default="1", metavar="N", help="so many alike in one zone, all or none")
    group.add_argument(
        "--max-price", default="", metavar="USD", help="leave out what costs more an hour; better without"
    )


def _run(args: Namespace) -> int:
    from runctl.cli.invocation import cloud, start

    with cloud(args):
        return launch(start(args))


def launch(call: Invocation) -> int:
    """Show the offer, ask, launch; returns the exit code.

    Raises:
        InputError: a bad value, or nobody said yes.
        CloudError: AWS cannot be asked.
    """
    from runctl.services.launch.form import required
    from runctl.services.prices import PriceBook

    form, types, now = form_of(call), PriceBook().types(), call.clock.now()
    # What can be doubted without AWS is doubted before a session is opened; zones need to know their region.
    required(form if form.region else replace(form, zones=()), types, now)
    from runctl.cli.acting import open_door

    door = open_door(call)
    request = required(replace(form, region=_region(call, door.regions)), types, now)
    return _launch(call, door.ground, request, door.regions)


def form_of(call: Invocation) -> LaunchForm:
    """What the flags say.

    Raises:
        InputError: more than one region, or a script that cannot be read.
    """
    from runctl.models.launch import MarketChoice
    from runctl.services.launch.form import LaunchForm

    args, regions = call.args, call.args.region or ()
    if len(regions) > 1 or "all" in regions:
        raise InputError("a launch has one region", allowed="--region R", example="--region us-east-1")
    return LaunchForm(
        regions[0] if regions else _own_region(), args.type, MarketChoice(args.market), args.az, args.image, args.disk,
        args.ttl, args.name, args.project, tuple(args.tag), args.key, args.profile_name, args.count, args.subnet,
        tuple(args.security_group), args.max_price, _script(args.user_data),
    )  # fmt: skip


def _script(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise InputError(f"--user-data {path}: {said}", allowed="a script that begins with #!") from error


def _own_region() -> str:
    """The region of the environment, "" when it names none."""
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""


def _region(call: Invocation, regions: tuple[str, ...]) -> str:
    """The one region of the flag, the environment or the settings; with several, the first, and the user is told."""
    if call.args.region:
        return str(call.args.region[0])
    own = _own_region()
    named = [r for r in regions if r != "all"]
    region = own if own and (own in regions or not named) else (named or [""])[0]
    if not region:
        raise InputError("no region is named for the launch", allowed="--region R", example="--region us-east-1")
    if len(regions) > 1 or not named:
        call.hint(f"launching in {region}; --region names another")
    return region


def _launch(call: Invocation, ground: Ground, request: LaunchRequest, regions: tuple[str, ...]) -> int:
    from runctl.cli import launch_report
    from runctl.cli.confirm import confirm
    from runctl.models.launch import LaunchResult
    from runctl.services.launch.offer import make_offer
    from runctl.services.launch.quarantine import open_quarantine
    from runctl.services.prices import PriceBook

    counted = ground.cloud.fetch_regions() if "all" in regions else regions
    quarantine = open_quarantine(ground.clock)
    offer = make_offer(ground, request, PriceBook(), quarantine, regions=counted)
    launch_report.show_offer(call, offer)
    if offer.refusals:
        return launch_report.tell(call, LaunchResult(request, refusals=offer.refusals, exit_code=1))
    if call.args.dry_run:
        return launch_report.tell_planned(call, offer)
    if offer.open_candidates:
        confirm(call, f"launch {request.count} in account {ground.stamp.account}")
    result = _sent(call, ground, offer, quarantine)
    return _waited(call, ground, result)


def _sent(call: Invocation, ground: Ground, offer: Offer, quarantine: Quarantine) -> LaunchResult:
    """Launch, saying each refusal as it comes. Ctrl-c leaves what was sent to the next run, which looks for it."""
    from runctl.services.launch.attempts import Launcher

    def tell(attempt: Attempt) -> None:
        place = attempt.candidate
        if attempt.code:
            call.hint(f"{place.type} {place.zone} {place.market}: {attempt.came_to}")

    try:
        return Launcher(ground, quarantine, tell).launch(offer)
    except KeyboardInterrupt:
        call.hint("cut off: if it was sent already there may be a machine; the next change looks for it and says so")
        raise


def _waited(call: Invocation, ground: Ground, result: LaunchResult) -> int:
    from runctl.cli import launch_report
    from runctl.services.launch.waiting import wait_until_running

    if not (call.args.wait and result.launched):
        return launch_report.tell(call, result)
    found = wait_until_running(ground, result.request.region, result.instances, time.sleep)
    return launch_report.tell(call, result, found)


LAUNCH = Verb(
    _configure,
    _run,
    (
        "runctl instances launch --type g5.xlarge --spot --ttl 8h --name run-7 --dry-run",
        "runctl instances launch --type g5.xlarge,g6.xlarge --spot-or-on-demand --wait --yes",
    ),
)
