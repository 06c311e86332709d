"""Which places jobs can be reached in now: this computer always, the bucket of the settings where there is one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from runctl import paths
from runctl.clock import SystemClock
from runctl.config import Settings
from runctl.services.jobs import seen

if TYPE_CHECKING:  # whoever has no jobs imports nothing of them
    from runctl.services.jobs.stores import BucketStore, Store

NO_BUCKET = seen.NO_BUCKET


def has_jobs(settings: Settings) -> bool:
    """Whether there may be any job at all."""
    return settings.jobs.bucket is not None or local_root().exists()


def local_root(env: Mapping[str, str] | None = None) -> Path:
    """The directory that stands for the bucket."""
    return paths.local_jobs_dir(env) / "records"


def local_work(env: Mapping[str, str] | None = None) -> Path:
    """Where attempts on this computer work."""
    return paths.local_jobs_dir(env) / "work"


def open_bucket(settings: Settings, bucket: str, *, profile: str | None = None, attempts: int = 4) -> BucketStore:
    """The bucket of records.

    Args:
        settings: timeouts and profile.
        bucket: its name.
        profile: AWS profile, where it is not the settings'.
        attempts: how often a request is tried.

    Raises:
        ConfigurationError: an unknown profile, or an endpoint that is no URL.
    """
    from runctl.services.jobs.stores import BucketStore
    from runctl.services.transfer.client import S3Client
    from runctl.services.transfer.retry import Backoff
    from runctl.services.transfer.site import find_credentials, find_site

    chosen = profile or settings.profile
    clock = SystemClock()  # signatures need the true time, also where the screen's stands still
    client = S3Client(
        find_site(profile=chosen),
        find_credentials(clock, profile=chosen),
        clock=clock,
        backoff=Backoff(attempts=attempts),
        connect_s=max(settings.aws.connect_timeout_s, 5.0),
        read_s=max(settings.aws.read_timeout_s, 30.0),
    )
    return BucketStore(client, bucket, paths.state_dir() / "transfers")


def open_stores(settings: Settings, *, profile: str | None = None) -> tuple[dict[str, Store], dict[str, str]]:
    """(stores by provider, why the others cannot be reached).

    Raises:
        ConfigurationError: see `open_bucket`.
    """
    from runctl.services.jobs.stores import LocalStore

    stores: dict[str, Store] = {"local": LocalStore(local_root())}
    if settings.jobs.bucket is None:
        return stores, {"ec2": NO_BUCKET}
    stores["ec2"] = open_bucket(settings, settings.jobs.bucket, profile=profile)
    return stores, {}


def own_endpoint(env: Mapping[str, str] | None = None) -> str | None:
    """The address of a cloud that is not AWS, as its machines reach it; None for AWS."""
    env = os.environ if env is None else env
    return env.get("AWS_ENDPOINT_URL") or None


def is_loopback(endpoint: str | None) -> bool:
    """Whether a cloud is on this computer: nothing that is asked of it costs anything."""
    return endpoint is not None and any(f"://{host}" in endpoint for host in ("127.0.0.1", "localhost", "[::1]"))
