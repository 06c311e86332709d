"""The jobs a command can reach, and the hands with which it may change something."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING

from runctl.cli.connect import NO_REGION_HINT, connect
from runctl.cli.invocation import Invocation
from runctl.config import Settings
from runctl.errors import ConfigurationError, InputError
from runctl.services.jobs import reach

if TYPE_CHECKING:
    from runctl.services.aws.backend import AwsBackend
    from runctl.services.backend import Backend
    from runctl.services.jobs.hands import JobsDoor
    from runctl.services.jobs.service import Found, Jobs
    from runctl.services.verbs.row import JobLookup


def open_jobs(call: Invocation) -> Jobs:
    """Everything that can be looked at: jobs of this computer, and of the bucket where one is set.

    Raises:
        ConfigurationError: an unknown profile, or an endpoint that is no URL.
    """
    from runctl.services.jobs.hands import looking_jobs

    backend = connect(call.settings) if call.settings.jobs.bucket is not None else None
    return looking_jobs(call.settings, backend, our_name(call.settings))


def with_hands(call: Invocation, jobs: Jobs, provider: str, region: str | None = None) -> Jobs:
    """The same jobs, able to start and end attempts of a provider.

    Args:
        call: the command under way.
        jobs: from `open_jobs`.
        provider: "ec2" or "local".
        region: where machines are, None for the region of the command.

    Raises:
        InputError: read-only, or no bucket is set.
        ConfigurationError: no region is known.
        CloudError: AWS does not say who we are.
    """
    from runctl.services.jobs.hands import ec2_hands, local_hands

    if provider == "local":
        return local_hands(jobs)
    if call.read_only:
        raise InputError("read-only: this changes AWS", allowed="looking, and --dry-run")
    if provider not in jobs.stores:
        raise ConfigurationError(
            f"jobs of {provider} cannot be reached", hint=jobs.doubts.get(provider, reach.NO_BUCKET)
        )
    backend = connect(call.settings)
    return ec2_hands(jobs, backend, call.settings, call.clock, region or region_of(call, backend))


def open_jobs_door(call: Invocation, backend: Backend, regions: tuple[str, ...]) -> JobsDoor:
    """The dashboard's door to jobs, over the session that it has.

    Raises:
        ConfigurationError: an unknown profile, or an endpoint that is no URL.
    """
    from runctl.services.aws.backend import AwsBackend as Connected
    from runctl.services.jobs.hands import JobsDoor, looking_jobs

    session = backend if isinstance(backend, Connected) else None
    profile = (session.profile or None) if session else None
    jobs = looking_jobs(call.settings, session, our_name(call.settings), profile)
    return JobsDoor(jobs, call.settings, call.clock, session, regions)


def hands_for(call: Invocation, jobs: Jobs, found: Found) -> Jobs:
    """`with_hands` for the place and region of one job."""
    return with_hands(call, jobs, found.provider, found.spec.get("region") or None)


def known_jobs(call: Invocation, jobs: Jobs) -> Jobs:
    """The same jobs under the name that ours carry as their owner.

    Raises:
        CloudError: AWS does not say who we are.
    """
    from runctl.services.jobs.hands import known_as

    return known_as(jobs, connect(call.settings) if "ec2" in jobs.stores else None, call.settings)


def job_lookup(call: Invocation) -> JobLookup:
    """Which job is on a machine, by its record where a bucket of records is set, else by its tags alone.

    Raises:
        ConfigurationError: an endpoint that is no URL.
    """
    from runctl.services.verbs.row import no_job_known

    return open_jobs(call).lookup() if call.settings.jobs.bucket else no_job_known


def region_of(call: Invocation, backend: AwsBackend) -> str:
    """The one region of a command.

    Raises:
        InputError: several are named.
        ConfigurationError: none is known.
    """
    named = call.args.region or call.settings.regions_for(backend.profile)
    if call.args.region and (len(named) > 1 or "all" in named):
        raise InputError("--region takes one region here: where the machine is started", example="--region us-east-1")
    chosen = next((r for r in named if r != "all"), None) or backend.default_region()
    if chosen is None:
        raise ConfigurationError("no region is known", hint=NO_REGION_HINT)
    return chosen


def our_name(settings: Settings) -> str:
    """Whose jobs ours are: as the settings have it, else the user's name here."""
    if settings.owner:
        return settings.owner
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no name for this user id
        return str(os.getuid())
