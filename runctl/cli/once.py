"""`runctl` without a command: the dashboard on a terminal, the same facts once and headless anywhere else."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from runctl.cli import arguments
from runctl.cli.arguments import Parser, nearest
from runctl.cli.dispatch import Verb
from runctl.cli.registry import NOUNS, SECTIONS

if TYPE_CHECKING:  # `--help` reads this module and needs none of the rest
    from runctl.cli.invocation import Invocation


def configure(parser: Parser) -> None:
    """Options of the root command."""
    parser.description = (
        "Every machine, disk and bucket on one screen, and what they cost. On a terminal: the dashboard."
    )
    parser.usage = "runctl [options] [--once [SECTION ...] | COMMAND ...]"
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"with --once: {', '.join(SECTIONS)}")
    parser.add_argument(
        "-1", "--once", action="store_true", help="print once and leave; what happens without a terminal"
    )
    parser.add_argument("--tui", action="store_true", help="insist on the dashboard")
    parser.add_argument("-V", "--version", action="store_true", help="version")
    arguments.add_output(parser)
    arguments.add_fetch(parser)
    width = max(map(len, NOUNS))
    lines = [f"  {name:<{width}}  {noun.summary}" for name, noun in NOUNS.items()]
    parser.epilog = "\n".join(("commands (each has --help):", *lines, "", "examples:", *(f"  {e}" for e in EXAMPLES)))


EXAMPLES = (
    "runctl --demo                                     # look round without an account",
    "runctl --once -o json instances | jq '.summary'",
    "runctl -1 cost --sort usd_per_hour --limit 5",
    "runctl --once --region all --fail-on idle,unattached",
)


def run(args: Namespace) -> int:
    """Dashboard or once, as the terminal and the options say."""
    if args.version:
        from runctl import __version__

        print(f"runctl {__version__}")
        return 0
    sections = _sections(args.sections)
    interactive = sys.stdout.isatty() and sys.stdin.isatty()
    if args.tui and not interactive:
        from runctl.errors import InputError

        raise InputError("runctl --tui: there is no terminal; runctl --once prints the same facts")
    if not args.tui and (args.once or not interactive or _asks_for_print(args)):
        from runctl.cli.invocation import cloud, start

        if interactive:  # it looked like the dashboard
            from runctl.cli.headstart import headstart

            headstart().keep()
        with cloud(args):
            return once(start(args), sections)
    from runctl.cli.dashboard import run_dashboard

    return run_dashboard(args)


def _asks_for_print(args: Namespace) -> bool:
    """Options that only make sense for what is printed; ignoring them in front of the dashboard would be a lie."""
    given = (args.sections, args.output, args.columns, args.filter, args.sort, args.limit, args.fail_on)
    return any(given) or args.no_headers or args.cached


def _sections(given: Sequence[str]) -> tuple[str, ...]:
    """Sections by name, in the order of the screens.

    Raises:
        InputError: an unknown one.
    """
    names = [name for text in given for name in text.split(",") if name]
    for name in names:
        if name not in SECTIONS:
            from runctl.errors import InputError

            near = nearest(name, SECTIONS)
            raise InputError(
                f"runctl --once: {name!r} is not a section" + (f"; did you mean {near}?" if near else ""),
                allowed=", ".join(SECTIONS),
                example="runctl --once instances cost",
            )
    return tuple(s for s in SECTIONS if s in names) or SECTIONS


def once(call: Invocation, nouns: Sequence[str]) -> int:
    """Ask once, print, and say by the exit code how good the answer is."""
    from runctl.cli import envelope, fleet, listing, output

    shape = listing.shape_of(call.args)
    listing.check_shape(shape, nouns)
    seen = fleet.read_fleet(call, fleet.sources_of((*nouns, *envelope.condition_sources(call.args.fail_on))))
    sections = [envelope.section_of(noun, seen, shape) for noun in nouns]
    output.write_once(call, sections, seen, shape)
    output.report_failures(call, seen)
    sys.stdout.flush()  # the reader need not wait for the cache
    fleet.remember(seen)
    return envelope.exit_code(sections, seen, call.args.fail_on)


VERB = Verb(configure, run)
