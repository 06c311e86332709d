"""`runctl demo serve`: the embedded cloud for other clients. Nothing of moto is imported in this process."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Mapping

from runctl.cli.arguments import Parser
from runctl.cli.dispatch import Verb
from runctl.errors import InputError


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise ArgumentTypeError(f"{text!r} is not a port; allowed: 0 to 65535, 0 takes a free one")
    return int(text)


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = -1.0
    if not 0 < speed <= 1000:
        raise ArgumentTypeError(f"{text!r} is not a speed; allowed: more than 0, at most 1000; example: 10")
    return speed


def _configure_serve(parser: Parser) -> None:
    parser.add_argument("--port", type=_port, default=0, metavar="N", help="port on 127.0.0.1 (default: a free one)")
    parser.add_argument("--seed", type=int, default=7, metavar="N", help="same seed, same fleet (default: 7)")
    parser.add_argument("--speed", type=_speed, default=1.0, metavar="X", help="how fast things happen (default: 1)")
    parser.add_argument("--no-jobs", action="store_true", help="no jobs that train, nothing runs on the machines")
    parser.add_argument("--fleet", choices=("lively", "empty"), default="lively", help="what is there at the start")


def environment_lines(environment: Mapping[str, str], misleading: tuple[str, ...]) -> list[str]:
    """Shell lines that set `environment` and unset what would lead elsewhere."""
    unset = f"unset {' '.join(misleading)}"
    return [unset, *(f"export {name}={shlex.quote(value)}" for name, value in environment.items())]


def _serve(args: Namespace) -> int:
    from runctl.demo.cloud import MISLEADING
    from runctl.demo.job_plans import BUCKET
    from runctl.demo.server import start

    jobs = args.fleet == "lively" and not args.no_jobs and "RUNCTL_NOW" not in os.environ
    with start(args.seed, args.speed, args.fleet, jobs=jobs, port=args.port) as cloud:
        given = cloud.environment() | ({"RUNCTL_JOBS_BUCKET": BUCKET} if jobs else {})
        print("\n".join(environment_lines(given, MISLEADING)), flush=True)
        if not args.quiet:
            print(f"# the cloud is up at {cloud.endpoint_url}; ctrl-c ends it", file=sys.stderr, flush=True)
        return _stay(cloud.process)


def _stay(process: subprocess.Popen[bytes]) -> int:
    code = process.wait()
    print(f"runctl: the embedded cloud ended by itself (exit code {code})", file=sys.stderr)
    return 2


def _configure_interrupt(parser: Parser) -> None:
    parser.add_argument("instance", metavar="INSTANCE", help="a spot machine of the embedded cloud")
    parser.add_argument("--notice", type=float, default=120.0, metavar="S", help="demo seconds until it is taken")
    parser.add_argument("--rebalance", action="store_true", help="only recommend to leave; nothing is taken")


def _interrupt(args: Namespace) -> int:
    from runctl.demo.cloud import Control
    from runctl.demo.imds_address import is_embedded

    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    if not is_embedded(endpoint):
        raise InputError(
            "no embedded cloud is named: AWS_ENDPOINT_URL is not set to one",
            allowed="the lines that `runctl demo serve` prints, in this shell",
            example="runctl demo serve --port 5000",
        )
    region = (args.region or [os.environ.get("AWS_REGION", "us-east-1")])[0]
    try:
        if args.rebalance:
            Control(endpoint).post("rebalance", region=region, instance_id=args.instance)
        else:
            Control(endpoint).post("interrupt", region=region, instance_id=args.instance, notice_s=args.notice)
    except (ValueError, OSError) as error:
        raise InputError(f"{endpoint}: {error}", example="runctl demo interrupt i-0123456789abcdef0") from error
    if not args.quiet:
        print(f"{args.instance}: {'told to leave' if args.rebalance else f'taken in {args.notice:g} demo seconds'}")
    return 0


VERBS = {
    "interrupt": Verb(
        _configure_interrupt,
        _interrupt,
        ("runctl demo interrupt i-0123456789abcdef0         two minutes' notice, as EC2 gives it",),
    ),
    "serve": Verb(
        _configure_serve,
        _serve,
        ("runctl demo serve --port 5000                     then paste the lines into another terminal",),
    ),
}
