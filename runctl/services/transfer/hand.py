"""What changes buckets with a permit: the S3 side of the door to acting, over the client that transfers use.

It deletes whatever key there is, also one that XML cannot write, and finds buckets of every region by itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from runctl.models.s3 import Bucket
from runctl.services.case import Actor
from runctl.services.permit import ForbiddenError, Permit, Request, check

if TYPE_CHECKING:  # most of what is changed is no bucket
    from runctl.services.transfer.abandoned import Abandoned
    from runctl.services.transfer.client import S3Client


class S3Hand:
    """Looks into buckets, and changes them where a permit says so.

    Args:
        open_client: makes the client when it is first needed.
        actor: whether the profile is read-only or protected, which is looked at once more right before a change.
    """

    def __init__(self, open_client: Callable[[], S3Client], actor: Actor) -> None:
        self._open, self._actor = open_client, actor
        self._client: S3Client | None = None
        self._lock = threading.Lock()

    @property
    def client(self) -> S3Client:
        """Asks S3.

        Raises:
            ConfigurationError: an unknown profile, or an endpoint that is no URL.
        """
        with self._lock:
            if self._client is None:
                self._client = self._open()
            return self._client

    def find_unfinished(self, buckets: Iterable[Bucket], before: datetime, timeout_s: float) -> Abandoned:
        """Unfinished uploads of some buckets, those begun before a time with what they bill; see `find_abandoned`."""
        from runctl.services.prices import PriceBook
        from runctl.services.transfer.abandoned import find_abandoned

        return find_abandoned(self.client, buckets, PriceBook().s3_usd_per_month, before=before, timeout_s=timeout_s)

    def change(self, request: Request, permit: Permit) -> Mapping[str, Any]:
        """Send a permitted change; "Problem" in the answer says what of it S3 did not do.

        Raises:
            ForbiddenError: the permit does not cover it, or the profile forbids it.
            CloudError: S3 refuses, or no answer came.
        """
        from runctl.services.transfer import operations

        check(permit, request, read_only=self._actor.read_only, protected=self._actor.protected)
        bucket = str(request.parameters["Bucket"])
        if request.action == "s3:AbortMultipartUpload":
            key, upload_id = str(request.parameters["Key"]), str(request.parameters["UploadId"])
            return {"Gone": not operations.abort_upload(self.client, bucket, key, upload_id)}
        if request.action == "s3:DeleteObjects":
            failed = operations.delete(self.client, bucket, list(request.parameters["Keys"]))
            return {"Problem": "; ".join(f"{key}: {reason}" for key, reason in failed[:3])}
        if request.action == "s3:PutBucketTagging":
            if f"s3://{bucket}" not in permit.ids:
                raise ForbiddenError(f"{request.action} names {bucket}, which nobody judged")
            operations.put_bucket_tags(self.client, bucket, dict(request.parameters["Tags"]))
            return {}
        raise ForbiddenError(f"{request.action} is nothing that is done to buckets")
