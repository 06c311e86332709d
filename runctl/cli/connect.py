"""Open a session with the profile and regions a command was given, and doubt them before AWS is asked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from runctl.cli.arguments import nearest
from runctl.cli.invocation import Invocation
from runctl.config import Settings
from runctl.errors import ConfigurationError
from runctl.services.backend import Backend

if TYPE_CHECKING:  # botocore behind it is imported when a session is opened
    from runctl.services.aws.backend import AwsBackend

NO_REGION_HINT = "name one with --region us-east-1, AWS_REGION, or regions = [...] in runctl.toml"
#: AWS General Reference, "AWS Regions" and "AWS GovCloud (US)", "China": only to recognise a slip of the finger; a
#: newer region is asked all the same.
KNOWN_REGIONS = tuple(
    f"{area}-{place}-{number}"
    for area, places in {
        "af": "south:1",
        "ap": "east:12 northeast:123 south:12 southeast:123456 southeast:7",
        "ca": "central:1 west:1",
        "cn": "north:1 northwest:1",
        "eu": "central:12 north:1 south:12 west:123",
        "il": "central:1",
        "me": "central:1 south:1",
        "mx": "central:1",
        "sa": "east:1",
        "us": "east:12 west:12",
        "us-gov": "east:1 west:1",
    }.items()
    for place, numbers in (p.split(":") for p in places.split())
    for number in numbers
)


def connect(settings: Settings) -> AwsBackend:
    """Open a session.

    Raises:
        ConfigurationError: the profile asked for is written nowhere.
        CloudError: the session cannot be opened.
    """
    _check_profile(settings.profile)
    from runctl.services.aws.backend import open_backend

    return open_backend(settings)


def _check_profile(name: str | None) -> None:
    if name is None:
        return
    from runctl.services.profiles import list_profiles

    known = list_profiles(os.environ)
    if name not in known:
        near = nearest(name, known)
        raise ConfigurationError(
            f"no AWS profile {name!r}" + (f"; did you mean {near}?" if near else ""),
            hint=f"profiles: {', '.join(known)}"
            if known
            else "no profile is written down; aws configure sso makes one",
        )


def regions_of(call: Invocation, backend: Backend) -> tuple[str, ...]:
    """The regions to ask: flag, settings, or the session's own. A name nobody knows is doubted on stderr.

    Raises:
        ConfigurationError: none of them names one.
    """
    chosen = call.args.region or call.settings.regions_for(backend.profile)
    if not chosen:
        own = backend.default_region()
        if own is None:
            raise ConfigurationError(
                "no region: neither a flag, nor the settings, nor the AWS profile names one", hint=NO_REGION_HINT
            )
        chosen = (own,)
    for region in chosen:
        if doubt := region_doubt(region):
            call.hint(f"warning: {doubt}")
    return tuple(chosen)


def region_doubt(region: str) -> str:
    """What is odd about a region's name, "" when it is known."""
    if region == "all" or region in KNOWN_REGIONS:
        return ""
    near = nearest(region, KNOWN_REGIONS)
    return f"{region} is no region that runctl knows" + (f"; did you mean {near}?" if near else "")
