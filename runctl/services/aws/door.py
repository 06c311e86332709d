"""The door to acting, opened with a backend: who we are for AWS, under which rules, and where plans and journal are."""

from __future__ import annotations

from runctl import paths
from runctl.clock import Clock
from runctl.config import Settings
from runctl.services.actions import Actions
from runctl.services.aws.backend import AwsBackend
from runctl.services.aws.write import AwsWriter
from runctl.services.case import Actor
from runctl.services.journal import Journal, Stamp
from runctl.services.plan import PlanStore
from runctl.services.verbs.row import Ground, JobLookup, no_job_known
from runctl.services.writer import Uploads


def open_actions(
    backend: AwsBackend,
    settings: Settings,
    clock: Clock,
    regions: tuple[str, ...],
    *,
    jobs: JobLookup = no_job_known,
    uploads: Uploads | None = None,
) -> Actions:
    """The door for whoever the backend's credentials are.

    Args:
        backend: an open session.
        settings: our owner name, read-only mode, rules of profiles, brakes on launches.
        clock: the time.
        regions: where ids and names are looked for.
        jobs: which job is on a machine, from whoever keeps a record of jobs.
        uploads: S3's side.

    Raises:
        CloudError: STS does not say who we are; nothing is done in the name of nobody.
    """
    identity = backend.fetch_identity()
    profile = backend.profile
    actor = Actor(
        owner=settings.owner or identity.name,
        read_only=settings.is_read_only(profile),
        protected=settings.rules(profile).protected,
        profile=profile,
    )
    stamp = Stamp(identity.account, identity.arn, profile)
    journal = Journal(paths.journal_file(), clock)
    ground = Ground(AwsWriter(backend), journal, actor, stamp, clock, settings.launch, jobs, uploads)
    return Actions(ground, PlanStore(paths.plans_dir()), regions)
