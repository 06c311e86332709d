"""Beginning, finding again and giving up multipart uploads, so that a kill leaves none behind."""

from __future__ import annotations

from collections.abc import Mapping

from runctl.errors import NetworkError, RequestError
from runctl.services.transfer import operations
from runctl.services.transfer.context import Context
from runctl.services.transfer.journal import Ends, Record


def take_up(context: Context, record: Record, ends: Ends) -> None:
    """Go on where a killed run stopped, or abort what it left when the content is another one now.

    Parts count as done only when the journal and S3 agree on their ETag.

    Raises:
        CloudError: S3 could not be asked.
    """
    client = context.client
    if not record.upload_id and record.intended and (found := find_lost(context, record)):
        record.created(found)
    if record.ends != ends:
        if record.upload_id:
            operations.abort_upload(client, record.ends.bucket, record.ends.key, record.upload_id)
        record.restart(ends)
    elif record.upload_id:
        try:
            there = {p.number: p.etag for p in operations.list_parts(client, ends.bucket, ends.key, record.upload_id)}
        except RequestError:  # NoSuchUpload: it was aborted or completed meanwhile
            record.restart(ends)
            return
        for number in [n for n, (etag, _) in record.parts.items() if there.get(n) != etag]:
            del record.parts[number]


def create(context: Context, record: Record, headers: Mapping[str, str]) -> None:
    """Create an upload, journalled before and after.

    Raises:
        CloudError: S3 refuses, or could not be asked.
    """
    client, ends = context.client, record.ends
    for attempt in range(4):
        record.intend((client.clock.now() + client.server_offset()).timestamp())
        try:
            record.created(operations.create_upload(client, ends.bucket, ends.key, headers))
        except NetworkError:
            # The answer is lost, the upload may exist: it is looked for, so that none is left behind.
            client.control.sleep(0.1 * 2**attempt)
            if found := find_lost(context, record):
                record.created(found)
                return
            if attempt == 3:
                raise
        else:
            return


def give_up(context: Context, record: Record) -> None:
    """Abort the upload of a record, wherever its creation had got to."""
    upload_id = record.upload_id or (find_lost(context, record) if record.intended else "")
    if upload_id:
        operations.abort_upload(context.client, record.ends.bucket, record.ends.key, upload_id)


def find_lost(context: Context, record: Record) -> str:
    """The id of an upload whose creation was journalled but not its answer, "" when it was never created.

    It is the newest upload of that key without parts, begun no earlier than our intent (two minutes of doubt about the
    server's clock) and not one that another record of ours names.
    """
    ends = record.ends
    client = context.client
    uploads = [u for u in operations.list_uploads(client, ends.bucket, ends.key) if u.key == ends.key]
    # moto reports a fixed time in 2010 for every upload: a time before S3 had multipart uploads for long says nothing.
    recent = [u for u in uploads if u.initiated >= record.intended - 120 or u.initiated < 1.3e9]
    for upload in sorted(recent, key=lambda u: u.initiated, reverse=True):
        if next(iter(operations.list_parts(client, ends.bucket, ends.key, upload.upload_id)), None) is None:
            return upload.upload_id
    return ""
