"""The jobs a command can reach, and the hands with which it may change something."""

from __future__ import annotations

import getpass
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from runctl import paths
from runctl.cli.connect import NO_REGION_HINT, connect
from runctl.cli.invocation import Invocation
from runctl.errors import ConfigurationError, InputError
from runctl.services.jobs import reach

if TYPE_CHECKING:
    from runctl.services.aws.backend import AwsBackend
    from runctl.services.jobs.providers import Watcher
    from runctl.services.jobs.service import Found, Jobs
    from runctl.services.verbs.row import JobLookup


def open_jobs(call: Invocation) -> Jobs:
    """Everything that can be looked at: jobs of this computer, and of the bucket where one is set.

    Raises:
        ConfigurationError: an unknown profile, or an endpoint that is no URL.
    """
    from runctl.clock import SystemClock
    from runctl.services.jobs.providers.local import LocalProvider
    from runctl.services.jobs.service import Jobs

    stores, doubts = reach.open_stores(call.settings)
    watchers: dict[str, Watcher] = {"local": LocalProvider(reach.local_root(), reach.local_work())}
    if "ec2" in stores:
        from runctl.services.jobs.providers.ec2 import Ec2Reader

        watchers["ec2"] = Ec2Reader(connect(call.settings))
    return Jobs(stores, watchers, {}, SystemClock(), call.settings.owner or _user(), doubts)


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
    if provider == "local":
        return replace(jobs, providers={**jobs.providers, "local": jobs.watchers["local"]})  # type: ignore[dict-item]  # it does both
    if call.settings.read_only:
        raise InputError("read-only: this changes AWS", allowed="looking, and --dry-run")
    if provider not in jobs.stores:
        raise ConfigurationError(
            f"jobs of {provider} cannot be reached", hint=jobs.doubts.get(provider, reach.NO_BUCKET)
        )
    from runctl.services.aws.door import open_actions
    from runctl.services.jobs.providers.ec2 import Bed, Ec2Provider
    from runctl.services.jobs.stores import BucketStore
    from runctl.services.launch.quarantine import Quarantine

    store = jobs.stores[provider]
    assert isinstance(store, BucketStore)  # noqa: S101  # open_stores makes no other
    backend = connect(call.settings)
    where = region or region_of(call, backend)
    door = open_actions(backend, call.settings, call.clock, (where,), jobs=jobs.lookup())
    endpoint = reach.own_endpoint()
    next(store.entries("runctl/"), None)  # the first answer tells the bucket's region
    bed = Bed(
        store.bucket,
        store.client.region_of(store.bucket),
        endpoint,
        call.settings.jobs.instance_profile,
        "fast" if reach.is_loopback(endpoint) else "normal",
    )
    hands = Ec2Provider(backend, door, Quarantine(paths.cache_dir() / "quarantine.json", jobs.clock), bed)
    return replace(
        jobs,
        watchers={**jobs.watchers, provider: hands},
        providers={**jobs.providers, provider: hands},
        owner=door.ground.actor.owner,
    )


def hands_for(call: Invocation, jobs: Jobs, found: Found) -> Jobs:
    """`with_hands` for the place and region of one job."""
    return with_hands(call, jobs, found.provider, found.spec.get("region") or None)


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


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no name for this user id
        return str(os.getuid())
