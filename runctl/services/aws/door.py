"""The door to acting, opened with a backend: who we are for AWS, under which rules, and where plans and journal are."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from runctl import paths
from runctl.clock import Clock
from runctl.config import Settings
from runctl.services.actions import Actions
from runctl.services.aws.backend import AwsBackend
from runctl.services.aws.write import AwsWriter
from runctl.services.case import actor_of
from runctl.services.journal import Journal, Stamp
from runctl.services.plan import PlanStore
from runctl.services.verbs.row import Ground, JobLookup, no_job_known

if TYPE_CHECKING:
    from runctl.services.transfer.client import S3Client
from runctl.services.transfer.hand import S3Hand


def open_actions(
    backend: AwsBackend,
    settings: Settings,
    clock: Clock,
    regions: tuple[str, ...],
    *,
    jobs: JobLookup = no_job_known,
) -> Actions:
    """The door for whoever the backend's credentials are.

    Args:
        backend: an open session.
        settings: our owner name, read-only mode, rules of profiles, brakes on launches.
        clock: the time.
        regions: where ids and names are looked for.
        jobs: which job is on a machine, from whoever keeps a record of jobs.

    Raises:
        CloudError: STS does not say who we are; nothing is done in the name of nobody.
    """
    identity = backend.fetch_identity()
    profile = backend.profile
    actor = actor_of(settings, identity, profile)
    stamp = Stamp(identity.account, identity.arn, profile)
    journal = Journal(paths.journal_file(), clock)
    hand = S3Hand(partial(_open_client, settings, profile or None), actor)
    ground = Ground(AwsWriter(backend), journal, actor, stamp, clock, settings.launch, jobs, hand)
    return Actions(ground, PlanStore(paths.plans_dir()), regions)


def _open_client(settings: Settings, profile: str | None) -> S3Client:
    from runctl.services.transfer.opening import open_client

    return open_client(settings, profile)
