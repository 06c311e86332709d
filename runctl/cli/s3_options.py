"""Options that the moving verbs of `runctl s3` share, and what their values mean."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any

from runctl.cli.arguments import Parser

_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*([kKmMgG]i?)?B?(?:/s|ps)?")


def rate(text: str) -> int:
    """Bytes a second of "50MB/s", "1.5MiB/s" or "500k".

    Raises:
        argparse.ArgumentTypeError: not a rate, or too low to move anything.
    """
    found = _RATE.fullmatch(text.strip())
    if not found:
        bits = "; bits (Mb, Mbit) are not taken: divide by 8" if re.search(r"[kKmMgG]b", text) else ""
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate{bits}; write for example 50MB/s or 800KiB/s")
    value = int(float(found.group(1)) * _UNITS[(found.group(2) or "").lower()])
    if value < 1024:
        raise argparse.ArgumentTypeError(f"{text!r} is less than 1 KiB a second; write for example 50MB/s")
    return value


def workers(text: str) -> int:
    """Requests at once, 1 to 256.

    Raises:
        argparse.ArgumentTypeError: not such a number.
    """
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 256; write for example 16")
    return int(text)


class _Rule(argparse.Action):
    """Keeps --exclude and --include in the order they were given: the last that matches decides."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 - argparse's signature
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        rules = list(getattr(namespace, "names", None) or ())
        rules.append((option_string == "--include", str(values)))
        namespace.names = rules


def add_names(parser: Parser) -> None:
    """Which names take part."""
    group = parser.add_argument_group("which files")
    for option, what in (("--exclude", "leave out"), ("--include", "take after all")):
        group.add_argument(
            option, dest="names", action=_Rule, metavar="GLOB", default=(), help=f"{what}; * matches / too, last wins"
        )


def add_moving(parser: Parser) -> None:
    """How fast and how shown."""
    group = parser.add_argument_group("how")
    group.add_argument("--bandwidth", type=rate, metavar="50MB/s", help="move no faster than this, all together")
    group.add_argument("--concurrency", type=workers, default=16, metavar="N", help="requests at once (16)")
    group.add_argument("--no-follow-symlinks", action="store_true", help="leave out symbolic links of a local source")
    group.add_argument("--dry-run", action="store_true", help="show what would happen; move nothing")


def add_result(parser: Parser) -> None:
    """The format of the result."""
    group = parser.add_argument_group("output")
    group.add_argument("-o", "--output", choices=("table", "json"), default=None, help="format (table)")


def add_yes(parser: Parser) -> None:
    """The answer to the question before something is deleted."""
    parser.add_argument("--yes", action="store_true", help="do not ask; needed without a terminal")
