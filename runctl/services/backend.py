"""The only door to a cloud. Screens, pollers and the command line know this protocol and no implementation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol

from runctl.models.billed import Billed
from runctl.models.identity import Identity
from runctl.models.instance import Hardware, Instance
from runctl.models.job import Job
from runctl.models.s3 import Bucket, S3Entry
from runctl.models.volume import Address, Volume, VolumeSnapshot


class Backend(Protocol):
    """Read side. Listings yield one tuple a page, as pages arrive; every method may raise `runctl.errors.CloudError`.

    Items come back already priced (see `runctl.services.prices`) where a price is known.
    """

    @property
    def profile(self) -> str:
        """The profile in use, "" for the environment's credentials."""
        ...

    def fetch_identity(self) -> Identity:
        """Ask STS who we are."""
        ...

    def fetch_regions(self) -> tuple[str, ...]:
        """All regions enabled for the account, sorted."""
        ...

    def default_region(self) -> str | None:
        """The region of the profile or the environment, None when neither names one."""
        ...

    def list_instances(self, region: str) -> Iterator[tuple[Instance, ...]]:
        """All instances of a region."""
        ...

    def list_volumes(self, region: str) -> Iterator[tuple[Volume, ...]]:
        """All volumes of a region."""
        ...

    def list_snapshots(self, region: str) -> Iterator[tuple[VolumeSnapshot, ...]]:
        """The account's own snapshots of a region."""
        ...

    def list_addresses(self, region: str) -> Iterator[tuple[Address, ...]]:
        """The Elastic IP addresses of a region."""
        ...

    def list_buckets(self) -> Iterator[tuple[Bucket, ...]]:
        """All buckets of the account."""
        ...

    def list_jobs(self) -> Iterator[tuple[Job, ...]]:
        """All jobs that left a record: in the bucket of the settings and on this computer."""
        ...

    def list_prefix(self, bucket: str, prefix: str) -> Iterator[tuple[S3Entry, ...]]:
        """One level of a bucket: keys and common prefixes under `prefix`."""
        ...

    def fetch_hardware(self, region: str, types: tuple[str, ...]) -> dict[str, Hardware]:
        """DescribeInstanceTypes for types the price book does not know."""
        ...

    def fetch_cpu(
        self, region: str, ids: tuple[str, ...], since: datetime, until: datetime
    ) -> Mapping[str, tuple[tuple[datetime, float], ...]]:
        """CPU in percent of some machines, (time, figure), oldest first; a paid call."""
        ...

    def fetch_billed(self, now: datetime) -> Billed:
        """The bill of this month by service; a paid call, refused unless the settings allow it."""
        ...

    def refresh_spot(self, region: str, types: tuple[str, ...]) -> None:
        """Learn the spot prices of the moment; later listings come back priced by them."""
        ...

    def fetch_raw(self, kind: str, region: str, resource_id: str) -> dict[str, Any]:
        """One resource as AWS describes it; `kind` is "instance", "volume", "snapshot", "address" or "bucket"."""
        ...

    def close(self) -> None:
        """Drop connections; calls under way end with a NetworkError or run out unseen."""
        ...
