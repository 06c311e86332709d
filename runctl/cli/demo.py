"""`runctl demo serve`: the embedded cloud for other clients. Nothing of moto is imported in this process."""

from __future__ import annotations

import shlex
import subprocess
import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Mapping

from runctl.cli.arguments import Parser
from runctl.cli.dispatch import Verb


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
    parser.add_argument("--fleet", choices=("lively", "empty"), default="lively", help="what is there at the start")


def environment_lines(environment: Mapping[str, str], misleading: tuple[str, ...]) -> list[str]:
    """Shell lines that set `environment` and unset what would lead elsewhere."""
    unset = f"unset {' '.join(misleading)}"
    return [unset, *(f"export {name}={shlex.quote(value)}" for name, value in environment.items())]


def _serve(args: Namespace) -> int:
    from runctl.demo.cloud import MISLEADING
    from runctl.demo.server import start

    with start(args.seed, args.speed, args.fleet, port=args.port) as cloud:
        print("\n".join(environment_lines(cloud.environment(), MISLEADING)), flush=True)
        if not args.quiet:
            print(f"# the cloud is up at {cloud.endpoint_url}; ctrl-c ends it", file=sys.stderr, flush=True)
        return _stay(cloud.process)


def _stay(process: subprocess.Popen[bytes]) -> int:
    code = process.wait()
    print(f"runctl: the embedded cloud ended by itself (exit code {code})", file=sys.stderr)
    return 2


VERBS = {
    "serve": Verb(
        _configure_serve,
        _serve,
        ("runctl demo serve --port 5000                     then paste the lines into another terminal",),
    )
}
