"""`runctl doctor`: who am I, what may I see, and is this machine fit; each line says what to do."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Sequence

from runctl.cli import arguments, output
from runctl.cli.arguments import Parser
from runctl.cli.checks import Check, Level
from runctl.cli.config import check_keys
from runctl.cli.dispatch import Verb
from runctl.cli.invocation import Invocation, cloud, start
from runctl.cli.style import Tone
from runctl.config import Resolved
from runctl.config.settings import DEFAULTS
from runctl.errors import ConfigurationError

_TONES = {Level.OK: Tone.GOOD, Level.WARN: Tone.WAIT, Level.FAIL: Tone.BAD}


def _configure(parser: Parser) -> None:
    arguments.add_format(parser, ("table", "json"))


def _run(args: Namespace) -> int:
    with cloud(args):
        call, broken = _start(args)
        return diagnose(call, broken)


def _start(args: Namespace) -> tuple[Invocation, ConfigurationError | None]:
    """A broken configuration file is a finding, not a reason to find nothing else."""
    try:
        call = start(args)
        check_keys(call.resolved)
        return call, None
    except ConfigurationError as error:
        import os
        import sys

        from runctl.cli.invocation import read_clock
        from runctl.cli.style import style_of

        clock = read_clock()
        style = style_of(sys.stdout, os.environ, flag=args.color, setting="auto", ascii_only=args.ascii)
        return Invocation(args, Resolved(DEFAULTS, {}), clock, style, clock.monotonic()), error


def diagnose(call: Invocation, broken: ConfigurationError | None) -> int:
    """Run every check and print it; returns the exit code."""
    from runctl.cli import checks_aws, checks_local

    found: list[Check] = [checks_local.configuration(call.resolved, broken)]
    found += checks_aws.run(call.settings, call.clock, call.args.region or (), call.args.timeout)
    found += checks_local.run(call.settings)
    if call.output == "json":
        output.write_json({"ok": worst(found) is not Level.FAIL, "checks": [c._asdict() for c in found]})
    else:
        _write(call, found)
    return exit_code(found)


def worst(found: Iterable[Check]) -> Level:
    """The most serious level of all."""
    levels = {c.level for c in found}
    return next((level for level in (Level.FAIL, Level.WARN) if level in levels), Level.OK)


def exit_code(found: Sequence[Check]) -> int:
    """0 when nothing failed, else what failed first: 3 configuration or credentials, 2 AWS, 4 a permission."""
    return next((c.exit_code for c in found if c.level is Level.FAIL), 0)


def _write(call: Invocation, found: Sequence[Check]) -> None:
    width = max(len(c.name) for c in found)
    for check in found:
        level = call.style.paint(f"{check.level:<4}", _TONES[check.level])
        output.write_lines((f"{level}  {check.name:<{width}}  {call.style.clean(check.detail)}",))
        if check.advice:
            output.write_lines((f"{'':<{6 + width}}  {call.style.clean('-> ' + check.advice)}",))
    counts = {level: sum(c.level is level for c in found) for level in Level}
    output.write_lines(("", ", ".join(f"{n} {level}" for level, n in counts.items() if n)))


VERBS = {"": Verb(_configure, _run, ("runctl doctor --profile lab", "runctl doctor -o json"))}
