"""What every command starts from: settings with the flags applied, the clock, how to write, and a voice on stderr."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from runctl.cli.style import Style, style_of
from runctl.clock import Clock, clock_from_environment
from runctl.config import Resolved, Settings, load_settings
from runctl.errors import ConfigurationError

#: Where the embedded cloud's fleet is; its DescribeRegions knows all of AWS's.
DEMO_REGIONS = ("us-east-1", "us-west-2", "eu-west-1")


@dataclass(frozen=True, slots=True)
class Invocation:
    """One command under way.

    Args:
        args: its parsed arguments.
        resolved: settings and where they come from.
        clock: the time of day (or the one RUNCTL_NOW froze).
        style: how stdout is written.
        started: `clock.monotonic()` at the start.
    """

    args: Namespace
    resolved: Resolved
    clock: Clock
    style: Style
    started: float

    @property
    def settings(self) -> Settings:
        """The resolved settings."""
        return self.resolved.settings

    @property
    def read_only(self) -> bool:
        """Whether nothing may be changed: by flag, by settings, or by the rules of the profile in use."""
        return self.settings.is_read_only(self.settings.profile)

    @property
    def output(self) -> str:
        """The chosen format."""
        return getattr(self.args, "output", None) or "table"

    def duration_ms(self) -> int:
        """Milliseconds since the start."""
        return round((self.clock.monotonic() - self.started) * 1000)

    def hint(self, text: str) -> None:
        """Something useful that is not data, with whatever AWS, a record or a log said in it; silenced by -q."""
        if not self.args.quiet:
            print("\n".join(self.style.clean(line, 4096) for line in text.split("\n")), file=sys.stderr)

    def detail(self, text: str) -> None:
        """Something for the curious; only with -v."""
        if self.args.verbose:
            print(text, file=sys.stderr)


def read_clock() -> Clock:
    """The clock of the environment.

    Raises:
        ConfigurationError: RUNCTL_NOW is not a time.
    """
    try:
        return clock_from_environment()
    except ValueError as error:
        raise ConfigurationError(
            f"RUNCTL_NOW: {error}", hint="write for example 2026-01-31T12:00:00+00:00, or unset it"
        ) from error


def flags_of(args: Namespace) -> dict[str, Any]:
    """Settings that the command line overrides, by dotted name."""
    return {
        "profile": args.profile,
        "regions": args.region,
        "read_only": args.read_only,
        "ui.ascii": args.ascii,
        "ui.color": args.color,
        "cost.allow_paid_apis": getattr(args, "allow_paid_apis", None),
    }


def start(args: Namespace) -> Invocation:
    """Settle what a command stands on.

    Raises:
        ConfigurationError: a file or a variable holds a bad value.
    """
    clock = read_clock()
    resolved = load_settings(flags=flags_of(args))
    if args.demo:
        resolved = _for_demo(resolved, args)
    ui = resolved.settings.ui
    style = style_of(sys.stdout, os.environ, flag=args.color, setting=ui.color, ascii_only=ui.ascii)
    if style.ascii and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    call = Invocation(args, resolved, clock, style, clock.monotonic())
    call.detail(f"settings from {', '.join(map(str, resolved.files)) or 'no file'}")
    for warning in resolved.warnings:
        call.hint(f"warning: {warning}")
    return call


def _for_demo(resolved: Resolved, args: Namespace) -> Resolved:
    """The embedded cloud has one account and no profiles; what the files say of real ones does not apply."""
    from runctl.demo.job_plans import BUCKET

    regions, jobs = args.region or DEMO_REGIONS, replace(resolved.settings.jobs, bucket=BUCKET)
    settings = replace(resolved.settings, profile=None, profiles={}, regions=regions, jobs=jobs)
    return replace(resolved, settings=settings)


@contextmanager
def cloud(args: Namespace) -> Iterator[None]:
    """The cloud a command talks to: AWS as the environment says, or with --demo an embedded one that ends with it.

    The demo has a home of its own, so that its machines never enter the user's ledger, journal or cache; the user's
    configuration file still counts (a theme is a theme), but the profile and regions in it do not.
    """
    if not args.demo:
        yield
        return
    import tempfile

    from runctl import paths
    from runctl.demo.server import start as start_cloud

    before, config = dict(os.environ), paths.user_config_file()
    # Not waited for: the first requests wait for it, the first paint does not.
    jobs = "RUNCTL_NOW" not in before  # a screen that has to repeat has nothing that moves by itself
    with start_cloud(wait=False, jobs=jobs) as embedded, tempfile.TemporaryDirectory(prefix="runctl-demo-") as home:
        kept = {k: v for k, v in before.items() if k not in ("RUNCTL_PROFILE", "RUNCTL_REGION", "RUNCTL_REGIONS")}
        kept |= {"RUNCTL_HOME": home, **({"RUNCTL_CONFIG": str(config)} if config.exists() else {})}
        _replace_environment(embedded.apply(kept))
        try:
            yield
        finally:
            _replace_environment(before)


def _replace_environment(wanted: dict[str, str]) -> None:
    for name in set(os.environ) - set(wanted):
        del os.environ[name]
    os.environ.update(wanted)
