"""The S3 client of a command: profile, region and endpoint as everywhere in runctl, without botocore if possible."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runctl.cli.invocation import Invocation
from runctl.errors import InputError

if TYPE_CHECKING:
    from runctl.clock import Clock
    from runctl.config import Settings
    from runctl.services.transfer.client import S3Client
    from runctl.services.transfer.record import Record


def open_client(call: Invocation, *, patient: bool = False) -> S3Client:
    """A client for this invocation; credentials that take long to find are fetched meanwhile.

    Args:
        call: the command under way.
        patient: wait long for an answer: S3 copies gigabytes before it says anything.

    Raises:
        ConfigurationError: an unknown profile, or an endpoint that is no URL.
    """
    regions = call.args.region or ()
    if len(regions) > 1 or "all" in regions:
        raise InputError("--region takes one region here; S3 finds a bucket's own", example="--region us-east-1")
    from runctl.services.transfer.opening import open_client as client_for

    return client_for(call.settings, call.settings.profile, region=regions[0] if regions else None, patient=patient)


def record_for(settings: Settings, profile: str | None, clock: Clock) -> Record:
    """The journal and the rules for what a transfer deletes; AWS is asked who we are when the first deletion comes."""
    from runctl import paths
    from runctl.services.case import Actor, actor_of
    from runctl.services.journal import Journal, Stamp
    from runctl.services.transfer.record import Record

    def who() -> tuple[Stamp, Actor]:
        from runctl.services.aws.backend import open_backend

        identity = open_backend(settings, profile).fetch_identity()
        used = identity.profile
        return Stamp(identity.account, identity.arn, used), actor_of(settings, identity, used)

    return Record(Journal(paths.journal_file(), clock), who)


def refuse_read_only(call: Invocation, what: str) -> None:
    """Stop a change of S3 in read-only mode.

    Raises:
        InputError: read-only is set.
    """
    if call.read_only:
        raise InputError(f"read-only: {what} changes S3", allowed="downloads, listings and --dry-run")
