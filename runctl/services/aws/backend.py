"""The AWS implementation of `Backend`: each method is one listing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from runctl import paths
from runctl.clock import SystemClock
from runctl.config import Settings
from runctl.errors import InputError
from runctl.models.billed import Billed
from runctl.models.identity import Identity
from runctl.models.instance import Hardware, Instance
from runctl.models.job import Job
from runctl.models.s3 import Bucket, S3Entry
from runctl.models.spent import day_start, month_start
from runctl.models.tags import JOB
from runctl.models.volume import Address, Volume, VolumeSnapshot
from runctl.services.aws import parse
from runctl.services.aws.refresh import book_with_cache, learn_spot
from runctl.services.aws.session import HOME_REGION, AwsSession
from runctl.services.prices import PriceBook

if TYPE_CHECKING:
    from runctl.services.jobs.rows import Rows

FIRST_PAGE = 200
LATER_PAGES = 1000

_RAW = {
    "instance": ("DescribeInstances", "InstanceIds", "Reservations"),
    "volume": ("DescribeVolumes", "VolumeIds", "Volumes"),
    "snapshot": ("DescribeSnapshots", "SnapshotIds", "Snapshots"),
    "address": ("DescribeAddresses", "AllocationIds", "Addresses"),
}


class AwsBackend:
    """Reads one account through one session."""

    def __init__(self, session: AwsSession, book: PriceBook) -> None:
        self.session = session
        self.book = book
        self._clock = SystemClock()  # prices are as old as they are, also where the screen's time stands still
        self._rows: Rows | None = None

    @property
    def profile(self) -> str:
        """The profile in use."""
        return self.session.profile

    def default_region(self) -> str | None:
        """The region of the profile or the environment."""
        return self.session.default_region()

    def fetch_identity(self) -> Identity:
        """Ask STS who we are."""
        region = self.session.default_region() or HOME_REGION
        answer = self.session.read("sts", "GetCallerIdentity", region)
        return Identity(str(answer.get("Account", "")), str(answer.get("Arn", "")), self.session.profile)

    def fetch_regions(self) -> tuple[str, ...]:
        """The regions enabled for the account."""
        region = self.session.default_region() or HOME_REGION
        answer = self.session.read("ec2", "DescribeRegions", region)
        return tuple(sorted(str(r.get("RegionName", "")) for r in answer.get("Regions", ())))

    def list_instances(self, region: str) -> Iterator[tuple[Instance, ...]]:
        """Machines, page by page."""
        return self.session.pages_of(
            lambda page: parse.parse_instances(page, region, self.book),
            "ec2", "DescribeInstances", region, first=FIRST_PAGE, rest=LATER_PAGES,
        )  # fmt: skip

    def list_job_machines(self, region: str, job: str = "", ids: Sequence[str] = ()) -> Iterator[tuple[Instance, ...]]:
        """Machines of ours with a job's tag, those of one job, or these; EC2 filters, so that the answer is short.

        Tags are copied with templates and images: what bears a job's tag and not ours is no job's machine.
        """
        wanted = {"Name": f"tag:{JOB}", "Values": [job]} if job else {"Name": "tag-key", "Values": [JOB]}
        if ids:
            wanted = {"Name": "instance-id", "Values": list(ids)}
        for page in self.session.pages("ec2", "DescribeInstances", region, rest=LATER_PAGES, first=LATER_PAGES,
                                       Filters=[wanted]):  # fmt: skip
            found = parse.parse_instances(page, region, self.book)
            yield tuple(m for m in found if ids or m.ownership.managed)

    def list_volumes(self, region: str) -> Iterator[tuple[Volume, ...]]:
        """Disks, page by page."""
        for page in self.session.pages("ec2", "DescribeVolumes", region, first=500, rest=500):
            yield tuple(parse.parse_volume(v, region, self.book) for v in page.get("Volumes", ()))

    def list_snapshots(self, region: str) -> Iterator[tuple[VolumeSnapshot, ...]]:
        """The account's own snapshots, page by page."""
        pages = self.session.pages("ec2", "DescribeSnapshots", region, first=1000, rest=1000, OwnerIds=["self"])
        for page in pages:
            yield tuple(parse.parse_snapshot(s, region, self.book) for s in page.get("Snapshots", ()))

    def list_addresses(self, region: str) -> Iterator[tuple[Address, ...]]:
        """Elastic IP addresses; EC2 does not page them."""
        answer = self.session.read("ec2", "DescribeAddresses", region)
        yield tuple(parse.parse_address(a, region, self.book) for a in answer.get("Addresses", ()))

    def list_buckets(self) -> Iterator[tuple[Bucket, ...]]:
        """All buckets."""
        region = self.session.default_region() or HOME_REGION
        token: dict[str, str] = {}
        while True:
            # Without a number S3 answers all at once and leaves the regions out (API reference, "ListBuckets").
            page = self.session.read("s3", "ListBuckets", region, MaxBuckets=LATER_PAGES, **token)
            yield tuple(parse.parse_bucket(b) for b in page.get("Buckets", ()))
            if not page.get("ContinuationToken"):
                return
            token = {"ContinuationToken": page["ContinuationToken"]}

    def list_jobs(self) -> Iterator[tuple[Job, ...]]:
        """Rows of jobs; what is over is remembered between two listings."""
        from runctl.services.jobs.reach import has_jobs  # nothing of jobs is imported where there are none

        if not has_jobs(self.session.settings):
            yield ()
            return
        if self._rows is None:
            from runctl.services.jobs.evidence import KeptEvidence, find_evidence
            from runctl.services.jobs.rows import open_rows

            more = KeptEvidence(partial(find_evidence, self))
            self._rows = open_rows(self.session.settings, self.session.profile, self.list_job_machines, more)
        yield self._rows.list()

    def list_prefix(self, bucket: str, prefix: str) -> Iterator[tuple[S3Entry, ...]]:
        """One level under a prefix, page by page."""
        region = self.session.default_region() or HOME_REGION
        token: dict[str, str] = {}
        while True:
            page = self.session.call(
                "s3", "ListObjectsV2", region, Bucket=bucket, Prefix=prefix, Delimiter="/", **token
            )
            yield parse.parse_entries(page)
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def fetch_hardware(self, region: str, types: tuple[str, ...]) -> dict[str, Hardware]:
        """What unknown types are made of."""
        answer = self.session.call("ec2", "DescribeInstanceTypes", region, InstanceTypes=list(types))
        return {str(t.get("InstanceType")): parse.parse_hardware(t) for t in answer.get("InstanceTypes", ())}

    def fetch_cpu(
        self, region: str, ids: tuple[str, ...], since: datetime, until: datetime
    ) -> dict[str, tuple[tuple[datetime, float], ...]]:
        """CPU of some machines as CloudWatch keeps it.

        Raises:
            InputError: paid calls are not allowed.
        """
        from runctl.services.aws.cloudwatch import cpu_history
        from runctl.services.aws.paid import count_paid

        found = cpu_history(self.session, region, ids, since, until)
        count_paid(paths.cache_dir(), until, 1)
        return found

    def fetch_billed(self, now: datetime) -> Billed:
        """The bill of this month by service.

        Raises:
            InputError: paid calls are not allowed.
        """
        from runctl.services.aws.billing import fetch_billed

        end = (day_start(now) + timedelta(days=1)).date()
        account = self.fetch_identity().account
        begin = month_start(now).date()
        return fetch_billed(self.session, account, "service", begin, end, now=now, cache=paths.cache_dir())

    def refresh_spot(self, region: str, types: tuple[str, ...]) -> None:
        """Learn the spot prices of the moment, and keep them for the next program."""
        learn_spot(self.session, self.book, region, types, self._clock.now())

    def fetch_raw(self, kind: str, region: str, resource_id: str) -> dict[str, Any]:
        """One resource as AWS describes it.

        Raises:
            InputError: `kind` is none of instance, volume, snapshot, address, bucket.
        """
        if kind == "bucket":
            answer = self.session.call("s3", "HeadBucket", self.default_region() or HOME_REGION, Bucket=resource_id)
            return {"Name": resource_id, **{k: v for k, v in answer.items() if k != "ResponseMetadata"}}
        if kind not in _RAW:
            raise InputError(f"no raw view of {kind!r}", allowed=", ".join((*_RAW, "bucket")), example="instance")
        operation, parameter, answer_key = _RAW[kind]
        answer = self.session.call("ec2", operation, region, **{parameter: [resource_id]})
        found = answer.get(answer_key) or [{}]
        return dict(found[0]["Instances"][0] if kind == "instance" and found[0] else found[0])

    def close(self) -> None:
        """Stop waiting for anything."""
        self.session.close()


def open_backend(settings: Settings, profile: str | None = None, *, book: PriceBook | None = None) -> AwsBackend:
    """Connect with a profile (None: the settings', else AWS's own rules).

    Raises:
        CredentialsError: the profile does not exist.
        ConfigurationError: an AWS file that cannot be read.
    """
    return AwsBackend(AwsSession(settings, profile or settings.profile), book or book_with_cache(SystemClock().now()))
