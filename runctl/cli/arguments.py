"""The options every command shares, and a parser that says what is wrong the way the rest of runctl does.

Imports inside functions: `--help` reads this module, and dataclasses (under `runctl.errors`) would double its time.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable
from typing import Any, NoReturn

from runctl.cli.registry import FAIL_ON, OUTPUTS

_OPTION = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*")


def nearest(word: str, valid: Iterable[str]) -> str:
    """The valid word somebody probably meant, "" when none is near."""
    import difflib

    found = difflib.get_close_matches(word, list(valid), n=1, cutoff=0.55)
    return found[0] if found else ""


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Help as wide as the terminal, found without `shutil`, whose compression modules cost a tenth of `--help`."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=max(40, min(_columns(), 120) - 2))


def _columns() -> int:
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return int(given)
    try:
        return os.get_terminal_size().columns or 80
    except (OSError, ValueError):
        return 80


class Parser(argparse.ArgumentParser):
    """argparse whose errors are `InputError` (exit 1, not argparse's 2) and name the nearest option."""

    def __init__(self, prog: str, **kwargs: Any) -> None:
        super().__init__(prog, allow_abbrev=False, formatter_class=_Formatter, add_help=False, **kwargs)
        self.add_argument("-h", "--help", action="help", help="this text")

    @property
    def actions(self) -> list[argparse.Action]:
        """Every option and argument, for completion scripts and docs/cli.md."""
        return list(self._actions)  # argparse has no public list of them; completion libraries read this one too

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing a usage and leaving with 2."""
        from runctl.errors import InputError

        raise InputError(f"{self.prog}: {message}", allowed=f"see {self.prog} --help")

    def parse(self, args: list[str]) -> argparse.Namespace:
        """Parse, or raise an `InputError` that names the nearest option."""
        known, rest = self.parse_known_args(args)
        if not rest:
            return known
        from runctl.errors import InputError

        options = _OPTION.findall(self.format_help())
        near = nearest(rest[0].split("=")[0], options) if rest[0].startswith("-") else ""
        raise InputError(
            f"{self.prog}: unexpected {' '.join(rest)}" + (f"; did you mean {near}?" if near else ""),
            allowed=f"see {self.prog} --help",
        )


def region_list(text: str) -> tuple[str, ...]:
    """Regions of a comma list, or ("all",).

    Raises:
        argparse.ArgumentTypeError: a name that cannot be a region.
    """
    from runctl.config import is_region_name

    names = tuple(dict.fromkeys(n for n in re.split(r"[,\s]+", text.strip()) if n))
    wrong = [n for n in names if n != "all" and not is_region_name(n)]
    if wrong or not names:
        raise argparse.ArgumentTypeError(
            f"{wrong[0] if wrong else text!r} is not a region name; write for example us-east-1,eu-west-1 or all"
        )
    return ("all",) if "all" in names else names


def size_gib(text: str) -> int:
    """Whole GiB of "100", "100GiB" or "2TiB".

    Raises:
        argparse.ArgumentTypeError: not a size, or not a whole number of GiB.
    """
    digits = text.strip().lower()
    factor = 1
    for unit, value in (("tib", 1024), ("gib", 1), ("t", 1024), ("g", 1)):
        if digits.endswith(unit):
            digits, factor = digits.removesuffix(unit), value
            break
    try:
        size = float(digits) * factor
    except ValueError:
        size = 0.0
    if size < 1 or size != int(size):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; write 100, 100GiB or 2TiB")
    return int(size)


def duration(text: str) -> float:
    """Seconds, more than none.

    Raises:
        argparse.ArgumentTypeError: not a duration, or zero.
    """
    from runctl.format import parse_duration

    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if seconds <= 0:
        raise argparse.ArgumentTypeError("must be longer than 0; write for example 20s or 2m")
    return seconds


def limit(text: str) -> int:
    """A number of rows, at least 1.

    Raises:
        argparse.ArgumentTypeError: not one.
    """
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of rows; write for example 20")
    return int(text)


def words(text: str) -> tuple[str, ...]:
    """The names of a comma list.

    Raises:
        argparse.ArgumentTypeError: there is none.
    """
    names = tuple(n.strip() for n in text.split(",") if n.strip())
    if not names:
        raise argparse.ArgumentTypeError("is empty; write for example id,name,state")
    return names


def conditions(text: str) -> tuple[str, ...]:
    """Conditions of `--fail-on`.

    Raises:
        argparse.ArgumentTypeError: an unknown one.
    """
    names = words(text)
    for name in names:
        if name not in FAIL_ON:
            near = nearest(name, FAIL_ON)
            raise argparse.ArgumentTypeError(
                f"{name!r} is not a condition"
                + (f", did you mean {near}?" if near else f"; allowed: {','.join(FAIL_ON)}")
            )
    return names


def add_scope(parser: argparse.ArgumentParser) -> None:
    """Options that say which account, and how to speak."""
    group = parser.add_argument_group("scope and voice")
    group.add_argument("--profile", metavar="P", help="AWS profile")
    group.add_argument("--region", type=region_list, metavar="R[,R2]", help="regions to ask, or all")
    group.add_argument("--timeout", type=duration, default=20.0, metavar="20s", help="longest time for the whole run")
    group.add_argument("--read-only", action="store_true", default=None, help="refuse everything that changes AWS")
    group.add_argument("--demo", action="store_true", help="use the embedded cloud instead of AWS")
    group.add_argument(
        "--color", choices=("auto", "always", "never"), metavar="WHEN", help="colours: auto, always, never"
    )
    group.add_argument("--ascii", action="store_true", default=None, help="ASCII only")
    group.add_argument("-q", "--quiet", action="store_true", help="no hints and warnings on stderr")
    group.add_argument("-v", "--verbose", action="store_true", help="say more on stderr")
    group.add_argument("--debug", action="store_true", help="show the traceback of an unexpected error")


def add_output(parser: argparse.ArgumentParser, outputs: tuple[str, ...] = OUTPUTS) -> None:
    """Options that shape a listing."""
    group = parser.add_argument_group("output")
    add_format(group, outputs)
    group.add_argument("--columns", type=words, metavar="A,B", help="columns, by field name")
    group.add_argument("--no-headers", action="store_true", help="rows only")
    group.add_argument("--filter", metavar="EXPR", help="rows that match, for example 'type:g5* cost>1 !owner:ana'")
    group.add_argument(
        "--sort",
        metavar="COL[:asc|:desc]",
        help="order; numbers fall and texts rise unless said otherwise; unknown last",
    )
    group.add_argument("--limit", type=limit, metavar="N", help="at most N rows of each listing")


def add_format(parser: Any, outputs: tuple[str, ...]) -> None:
    """The option -o. `parser` is a parser or a group of its options."""
    shown = ", ".join(outputs)
    parser.add_argument("-o", "--output", choices=outputs, metavar="FORMAT", help=f"{shown} (default: {outputs[0]})")


def add_acting(parser: argparse.ArgumentParser, *, overrides: bool = True) -> None:
    """Options of every command that changes something."""
    group = parser.add_argument_group("safety")
    group.add_argument("--dry-run", action="store_true", help="show what would happen; change nothing")
    group.add_argument("-y", "--yes", action="store_true", help="do not ask")
    if overrides:
        group.add_argument(
            "--override", action="append", default=[], metavar="RULE",
            help="set one rule aside by name, such as younger-than; may be repeated",
        )  # fmt: skip
    add_format(parser.add_argument_group("output"), ("table", "json"))


def add_fetch(parser: argparse.ArgumentParser) -> None:
    """Options of commands that read the fleet."""
    group = parser.add_argument_group("data")
    group.add_argument("--cached", action="store_true", help="show what the last run saw; ask AWS nothing")
    group.add_argument(
        "--fail-on", type=conditions, default=(), metavar="COND", help=f"exit 5 when one holds: {','.join(FAIL_ON)}"
    )
