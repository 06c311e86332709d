"""Jobs for a client that is already connected: what can be looked at, and the hands to start and end attempts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runctl import paths
from runctl.clock import Clock, SystemClock
from runctl.config import Settings
from runctl.errors import ConfigurationError, InputError
from runctl.services.jobs import offers, reach
from runctl.services.jobs.follower import Follower
from runctl.services.jobs.offers import Offer
from runctl.services.jobs.providers.local import LocalProvider
from runctl.services.jobs.recover import Done, Hands, foreign, sweep
from runctl.services.jobs.service import Found, Jobs

if TYPE_CHECKING:
    from runctl.services.actions import Actions
    from runctl.services.aws.backend import AwsBackend
    from runctl.services.jobs.providers import Watcher


def looking_jobs(settings: Settings, backend: AwsBackend | None, owner: str, profile: str | None = None) -> Jobs:
    """Everything that can be looked at: jobs of this computer, and of the bucket where one is set.

    Raises:
        ConfigurationError: an unknown profile, or an endpoint that is no URL.
    """
    stores, doubts = reach.open_stores(settings, profile=profile)
    watchers: dict[str, Watcher] = {"local": LocalProvider(reach.local_root(), reach.local_work())}
    if "ec2" in stores and backend is not None:
        from runctl.services.jobs.providers.ec2 import Ec2Reader

        watchers["ec2"] = Ec2Reader(backend, partial(_door, backend, settings))
    return Jobs(stores, watchers, {}, SystemClock(), owner, doubts)


def _door(backend: AwsBackend, settings: Settings, region: str) -> Actions:
    from runctl.services.aws.door import open_actions

    return open_actions(backend, settings, SystemClock(), (region,))


def local_hands(jobs: Jobs) -> Jobs:
    """The same jobs, able to start and end attempts on this computer."""
    return replace(jobs, providers={**jobs.providers, "local": jobs.watchers["local"]})  # type: ignore[dict-item]  # it does both


def ec2_hands(jobs: Jobs, backend: AwsBackend, settings: Settings, clock: Clock, region: str) -> Jobs:
    """The same jobs, able to start and end attempts on machines of EC2.

    Args:
        jobs: from `looking_jobs`.
        backend: an open session.
        settings: the instance profile of jobs, our name, rules.
        clock: the time, for the door to acting.
        region: where machines are started.

    Raises:
        ConfigurationError: no bucket is set.
        CloudError: AWS does not say who we are.
    """
    from runctl.services.aws.door import open_actions
    from runctl.services.jobs.providers.ec2 import Bed, Ec2Provider
    from runctl.services.jobs.stores import BucketStore
    from runctl.services.launch.quarantine import Quarantine

    if "ec2" not in jobs.stores:
        raise ConfigurationError("jobs of ec2 cannot be reached", hint=jobs.doubts.get("ec2", reach.NO_BUCKET))
    store = jobs.stores["ec2"]
    assert isinstance(store, BucketStore)  # noqa: S101  # open_stores makes no other
    door = open_actions(backend, settings, clock, (region,), jobs=jobs.lookup())
    endpoint = reach.own_endpoint()
    next(store.entries("runctl/"), None)  # the first answer tells the bucket's region
    bed = Bed(
        store.bucket,
        store.client.region_of(store.bucket),
        endpoint,
        settings.jobs.instance_profile,
        "fast" if reach.is_loopback(endpoint) else "normal",
    )
    hands = Ec2Provider(backend, door, Quarantine(paths.cache_dir() / "quarantine.json", jobs.clock), bed)
    return replace(
        jobs,
        watchers={**jobs.watchers, "ec2": hands},
        providers={**jobs.providers, "ec2": hands},
        owner=door.ground.actor.owner,
    )


def known_as(jobs: Jobs, backend: AwsBackend | None, settings: Settings) -> Jobs:
    """The same jobs under the name that their owner's tag has: the settings', else the one AWS knows us by.

    Raises:
        CloudError: AWS does not say who we are.
    """
    if settings.owner or backend is None or "ec2" not in jobs.stores:
        return jobs
    return replace(jobs, owner=backend.fetch_identity().name)


def once_a_place(open_hands: Hands) -> Hands:
    """Hands that are opened once for each place and region, when something is to be done there."""
    opened: dict[tuple[str, str], Jobs] = {}

    def hands(found: Found) -> Jobs:
        place = (found.provider, str(found.spec.get("region") or ""))
        if place not in opened:
            opened[place] = open_hands(found)
        return opened[place]

    return hands


@dataclass
class JobsDoor:
    """What the dashboard asks about jobs and has done to them; used in threads, never in the UI's.

    Args:
        jobs: everything that can be looked at.
        settings: resolved settings.
        clock: the time.
        backend: an open session, None where there is none.
        regions: the regions looked at.
    """

    jobs: Jobs
    settings: Settings
    clock: Clock
    backend: AwsBackend | None = None
    regions: tuple[str, ...] = ()

    @cached_property
    def ours(self) -> Jobs:
        """`jobs` under our name, which is asked for once; see `known_as`."""
        return known_as(self.jobs, self.backend, self.settings)

    def find(self, job: str) -> Found:
        """One job; see `Jobs.find`."""
        return self.jobs.find(job)

    def follow(self, job: str) -> Follower:
        """Somebody looks at one job for a while."""
        return Follower(self.jobs, self.jobs.find(job))

    def may_change(self, provider: str) -> None:
        """Refuse where this dashboard only looks.

        Raises:
            InputError: read-only, and the job is not of this computer.
        """
        profile = self.settings.profile if self.backend is None else self.backend.profile  # it may have been changed
        if provider != "local" and self.settings.is_read_only(profile):
            raise InputError("read-only: this changes AWS", allowed="looking")

    def hands(self, provider: str, region: str | None) -> Jobs:
        """The jobs with hands for a place.

        Raises:
            InputError: read-only.
            ConfigurationError: no bucket or no region is known.
            CloudError: AWS does not say who we are.
        """
        self.may_change(provider)
        if provider == "local":
            return local_hands(self.jobs)
        if self.backend is None:
            raise ConfigurationError("not connected to AWS", hint="press r, then try again")
        return ec2_hands(self.jobs, self.backend, self.settings, self.clock, region or self._region())

    def hands_for_new(self, provider: str) -> tuple[Jobs, str | None]:
        """The jobs with hands for a place, and the region where a new one would run; see `hands`."""
        region = None if provider == "local" or self.backend is None else self._region()
        return self.hands(provider, region), region

    def _region(self) -> str:
        own = self.backend.default_region() if self.backend is not None else None
        where = next((r for r in self.regions if r != "all"), None) or own
        if where is None:
            raise ConfigurationError("no region is known", hint="R chooses one")
        return where

    def foreign(self, found: Found) -> str:
        """Why a job is another owner's to change, "" when it is ours; see `recover.foreign`.

        Raises:
            CloudError: AWS does not say who we are.
        """
        return foreign(found, lambda: self.ours.owner)

    # --- what is done unattended ---

    def recover(self, jobs: Iterable[str]) -> tuple[Done, ...]:
        """Do what is due to these jobs, where they are ours; see `recover.sweep`.

        Raises:
            CloudError: AWS does not say who we are.
        """
        hands = once_a_place(lambda found: self.hands(found.provider, found.spec.get("region") or None))
        return tuple(sweep(self.ours, only=jobs, hands=hands))

    # --- what is done to a job, see `offers` ---

    def offer_stop(self, jobs: Iterable[str]) -> Offer:
        """What a stop would do to each job."""
        return offers.offer_stop(self, jobs)

    def stop(self, jobs: Iterable[str]) -> tuple[str, ...]:
        """Ask each for its stop; a sentence about each."""
        return offers.stop_jobs(self, jobs)

    def offer_going_on(self, job: str, *, cause: str, fresh: bool) -> Offer:
        """What another attempt would be."""
        return offers.offer_going_on(self, job, cause=cause, fresh=fresh)

    def go_on(self, job: str, *, cause: str, fresh: bool) -> tuple[str, ...]:
        """Start another attempt; what came of it."""
        return offers.go_on(self, job, cause=cause, fresh=fresh)

    def offer_submit(self, given: Mapping[str, Any], directory: Path) -> tuple[Offer, Callable[[], str]]:
        """What a new job would send and start, and what does it."""
        return offers.offer_submit(self, given, directory)
