"""An S3 client by profile: region, endpoint and credentials as everywhere in runctl, without botocore if possible."""

from __future__ import annotations

from runctl.clock import SystemClock
from runctl.config import Settings
from runctl.services.transfer.client import S3Client
from runctl.services.transfer.site import SessionCredentials, find_credentials, find_site


def open_client(
    settings: Settings, profile: str | None, *, region: str | None = None, patient: bool = True
) -> S3Client:
    """A client for a profile; credentials that take long to find are fetched meanwhile.

    Args:
        settings: timeouts.
        profile: AWS profile, None for AWS's own rules.
        region: where the first question goes, None for the profile's.
        patient: wait long for an answer: S3 copies gigabytes before it says anything.

    Raises:
        ConfigurationError: an unknown profile, or an endpoint that is no URL.
    """
    # Signatures and token buckets need the machine's own clock, whatever RUNCTL_NOW says for the display.
    clock = SystemClock()
    credentials = find_credentials(clock, profile=profile)
    if isinstance(credentials, SessionCredentials):
        credentials.prefetch()
    site = find_site(profile=profile, region=region)
    read_s = max(settings.aws.read_timeout_s, 300.0 if patient else 60.0)
    return S3Client(site, credentials, clock=clock, connect_s=max(settings.aws.connect_timeout_s, 5.0), read_s=read_s)
