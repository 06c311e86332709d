"""Records of jobs in a bucket of the embedded cloud."""

from __future__ import annotations

from pathlib import Path

from runctl.clock import SystemClock
from runctl.config import DEFAULTS
from runctl.services.jobs.record import JobRecord
from runctl.services.jobs.stores import BucketStore
from runctl.services.transfer.client import Request
from runctl.services.transfer.opening import open_client
from tests.screens.job_records import IDS, spec_of


def launched(bucket: str, folder: Path, owner: str, *, age_s: float = 60.0) -> JobRecord:
    """A new bucket with the record of an owner's job, launched so many seconds ago and not heard of since."""
    client = open_client(DEFAULTS, None, region="us-east-1")
    client.call(Request("CreateBucket", "PUT", bucket))
    job, at = IDS["running"], SystemClock().now().timestamp() - age_s
    record = JobRecord(BucketStore(client, bucket, folder / "state"), job, SystemClock(), owner, "test")
    record.create(spec_of("running", owner=owner, created_at=at))
    record.take_lease(fence=1)
    record.write_launch({"v": 1, "job": job, "attempt": 1, "at": at, "by": owner, "cause": "submit",
                         "token": f"{job}.1", "resume_from": None, "spent_usd": 0.0})  # fmt: skip
    record.release_lease()
    return record
