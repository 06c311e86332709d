"""The S3 operations a transfer is made of, each one request (or one paged series of them)."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from runctl.errors import CallSite, CloudError, DeniedError, NetworkError, RequestError, ServiceError
from runctl.services.transfer import checksums, wire
from runctl.services.transfer.checksums import Stored
from runctl.services.transfer.client import Bytes, Reply, Request, S3Client
from runctl.services.transfer.http import Body
from runctl.services.transfer.retry import error_of
from runctl.services.transfer.wire import Page, Part, Unfinished

#: Keys one DeleteObjects may name (Amazon S3 API Reference, "DeleteObjects").
DELETE_BATCH = 1000
#: A bucket without tags, and servers that know no tags of buckets.
_NO_TAGS = frozenset({"NoSuchTagSet", "NoSuchTagSetError", "NotImplemented", "MethodNotAllowed"})


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What HeadObject says: bytes, ETag without quotes, modified (seconds since the epoch), checksum, other headers."""

    size: int
    etag: str
    modified: float
    checksum: Stored | None
    headers: Mapping[str, str]


def list_page(
    client: S3Client,
    bucket: str,
    prefix: str,
    *,
    token: str = "",
    delimiter: str = "",
    size: int = 1000,
    after: str = "",
) -> Page:
    """One page of ListObjectsV2; `after` skips every key up to that one, itself included.

    Raises:
        CloudError: no such bucket, denied, or the answer is not a listing.
    """
    query = {"list-type": "2", "encoding-type": "url", "prefix": prefix, "max-keys": str(size)}
    if delimiter:
        query["delimiter"] = delimiter
    if token:
        query["continuation-token"] = token
    if after:
        query["start-after"] = after
    request = Request("ListObjectsV2", "GET", bucket, query=query)
    reply = client.call(request)
    try:
        return wire.parse_page(reply.body)
    except ValueError as error:
        site = CallSite("s3", "ListObjectsV2", client.region_of(bucket), "NotAListing")
        raise ServiceError(f"s3://{bucket}/{prefix}: the answer is not a listing", site) from error


def head(client: S3Client, bucket: str, key: str, *, part: int = 0) -> ObjectInfo:
    """What S3 knows of an object (`part`: of one of its parts).

    Raises:
        CloudError: there is none, or it may not be read.
    """
    query = {"partNumber": str(part)} if part else {}
    request = Request("HeadObject", "HEAD", bucket, key, query, {"x-amz-checksum-mode": "ENABLED"})
    headers = client.call(request).headers
    if part:  # its answer may carry the whole object's size in content-range
        headers = {name: value for name, value in headers.items() if name != "content-range"}
    return object_info(headers)


def part_size(client: S3Client, bucket: str, key: str, size: int, stored: Stored) -> int:
    """The bytes of each part (but the last) that a composite checksum is made of; 0 when that cannot be told.

    Raises:
        CloudError: the object may not be read.
    """
    if stored.parts < 2:
        return size if stored.parts else 0
    try:
        first = head(client, bucket, key, part=1).size
    except RequestError:  # a server without partNumber
        return 0
    return first if first and -(-size // first) == stored.parts else 0


def object_info(headers: Mapping[str, str]) -> ObjectInfo:
    """What the headers of HeadObject or GetObject say."""
    total = headers.get("content-range", "").rpartition("/")[2]
    return ObjectInfo(
        int(total if total.isdigit() else headers.get("content-length", "0")),
        headers.get("etag", "").strip('"'),
        http_seconds(headers.get("last-modified", "")),
        checksums.stored_in(headers),
        headers,
    )


def http_seconds(stamp: str) -> float:
    """Seconds since the epoch of an HTTP date; 0.0 when it is none."""
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(stamp).timestamp()
    except (ValueError, TypeError):
        return 0.0


def _checked(client: S3Client, request: Request, reply: Reply) -> Reply:
    """The reply, unless it is one of S3's "200 OK" answers whose body is an error (copy, complete)."""
    code, message, _ = wire.parse_error(reply.body[:4096])
    if code or not reply.body.strip():
        region = client.region_of(request.bucket)
        status = 500 if code in ("", "InternalError") else 503 if code == "SlowDown" else 400
        request_id = reply.headers.get("x-amz-request-id", "")
        raise error_of(request.operation, region, status, code, message or "an empty answer", request_id, request.where)
    return reply


def put(client: S3Client, bucket: str, key: str, body: Body, headers: Mapping[str, str]) -> Mapping[str, str]:
    """PutObject; the answer's headers (ETag, checksum)."""
    return client.call(Request("PutObject", "PUT", bucket, key, headers=headers, body=body)).headers


def create_upload(client: S3Client, bucket: str, key: str, headers: Mapping[str, str]) -> str:
    """CreateMultipartUpload; the upload's id. Not tried again once the connection broke: it may have been created."""
    request = Request("CreateMultipartUpload", "POST", bucket, key, {"uploads": ""}, headers, Bytes(b""), once=True)
    return wire.parse_field(client.call(request).body, "UploadId")


def upload_part(
    client: S3Client, bucket: str, key: str, upload_id: str, number: int, body: Body, headers: Mapping[str, str]
) -> Mapping[str, str]:
    """UploadPart; the answer's headers."""
    query = {"partNumber": str(number), "uploadId": upload_id}
    return client.call(Request("UploadPart", "PUT", bucket, key, query, headers, body)).headers


def copy_part(
    client: S3Client,
    source: tuple[str, str, str],
    bucket: str,
    key: str,
    upload_id: str,
    number: int,
    span: str,
    algorithm: str,
) -> tuple[str, str]:
    """UploadPartCopy of "first-last" bytes of (bucket, key, ETag); the part's (ETag, checksum or "")."""
    query = {"partNumber": str(number), "uploadId": upload_id}
    headers = {**_copy_source(*source), "x-amz-copy-source-range": f"bytes={span}"}
    request = Request("UploadPartCopy", "PUT", bucket, key, query, headers)
    body = _answer_of_copy(client, request)
    return wire.parse_field(body, "ETag").strip('"'), wire.parse_field(body, f"Checksum{algorithm}")


def copy(
    client: S3Client, source: tuple[str, str, str], bucket: str, key: str, headers: Mapping[str, str]
) -> str:  # fmt: skip
    """CopyObject of (bucket, key, ETag), at most 5 GiB; the ETag of the copy."""
    request = Request("CopyObject", "PUT", bucket, key, headers={**_copy_source(*source), **headers})
    return wire.parse_field(_answer_of_copy(client, request), "ETag").strip('"')


def _copy_source(bucket: str, key: str, etag: str) -> dict[str, str]:
    headers = {"x-amz-copy-source": quote(f"/{bucket}/{key}", safe="/~")}
    if etag:
        headers["x-amz-copy-source-if-match"] = f'"{etag}"'
    return headers


def _answer_of_copy(client: S3Client, request: Request) -> bytes:
    """A copy may fail after "200 OK" was sent: its body decides (API Reference, "CopyObject"), tried again here."""
    for attempt in range(4):
        try:
            return _checked(client, request, client.call(request)).body
        except CloudError as error:
            if not error.retryable or attempt == 3:
                raise
            client.control.sleep(0.2 * 2**attempt)
    raise AssertionError("unreachable")


def complete_upload(
    client: S3Client,
    bucket: str,
    key: str,
    upload_id: str,
    parts: Sequence[tuple[int, str, str, str]],
    headers: Mapping[str, str],
) -> str:
    """CompleteMultipartUpload; the object's ETag.

    A try whose answer was lost may have worked: then the id is gone and the object is there, with as many parts.

    Raises:
        CloudError: S3 refuses the parts, or the upload is gone without the object being there.
    """
    body = Bytes(wire.complete_body(parts))
    request = Request("CompleteMultipartUpload", "POST", bucket, key, {"uploadId": upload_id}, headers, body)
    tried = client.retries
    for attempt in range(4):
        try:
            reply = _checked(client, request, client.call(request))
            return wire.parse_field(reply.body, "ETag").strip('"')
        except RequestError as error:
            if error.site.code != "NoSuchUpload" or (attempt == 0 and client.retries == tried):
                raise
            found = head(client, bucket, key)
            if not found.etag.endswith(f"-{len(parts)}"):
                raise
            return found.etag
        except (ServiceError, NetworkError):
            if attempt == 3:
                raise
            client.control.sleep(0.2 * 2**attempt)
    raise AssertionError("unreachable")


def abort_upload(client: S3Client, bucket: str, key: str, upload_id: str) -> bool:
    """AbortMultipartUpload; False when there was nothing to abort."""
    try:
        client.call(Request("AbortMultipartUpload", "DELETE", bucket, key, {"uploadId": upload_id}))
    except RequestError as error:
        if error.site.code in ("NoSuchUpload", "NotFound", "NoSuchKey"):
            return False
        raise
    return True


def list_parts(client: S3Client, bucket: str, key: str, upload_id: str) -> Iterator[Part]:
    """Every part the server has of an upload.

    Raises:
        CloudError: the upload is gone ("NoSuchUpload") or may not be read.
    """
    marker = ""
    while True:
        query = {"uploadId": upload_id, **({"part-number-marker": marker} if marker else {})}
        parts, marker = wire.parse_parts(client.call(Request("ListParts", "GET", bucket, key, query)).body)
        yield from parts
        if not marker:
            return


def list_uploads(client: S3Client, bucket: str, prefix: str) -> Iterator[Unfinished]:
    """Every unfinished multipart upload below a prefix."""
    markers = ("", "")
    while True:
        query = {"uploads": "", "prefix": prefix, "encoding-type": "url"}
        if any(markers):
            query |= {"key-marker": markers[0], "upload-id-marker": markers[1]}
        reply = client.call(Request("ListMultipartUploads", "GET", bucket, query=query))
        found, *after = wire.parse_uploads(reply.body)
        yield from (u for u in found if u.key.startswith(prefix))  # some servers ignore the prefix
        if not any(after):
            return
        markers = (after[0], after[1])


def delete(client: S3Client, bucket: str, keys: Sequence[str]) -> list[tuple[str, str]]:
    """Delete up to DELETE_BATCH keys; (key, reason) of those that could not be."""
    # XML 1.0 cannot write control characters, so such keys go one by one in a URL, which can.
    odd = [k for k in keys if any((c < " " and c not in "\r\n\t") or c in "\ufffe\uffff" for c in k)]
    plain = [k for k in keys if k not in set(odd)] if odd else list(keys)
    failed: list[tuple[str, str]] = []
    if plain:
        body = Bytes(wire.delete_body(plain))
        request = Request("DeleteObjects", "POST", bucket, query={"delete": ""}, headers=_md5_of(body), body=body)
        failed += [(k, f"{code}: {text}") for k, code, text in wire.parse_delete_errors(client.call(request).body)]
    for key in odd:
        try:
            client.call(Request("DeleteObject", "DELETE", bucket, key))
        except CloudError as error:
            failed.append((key, error.message))
    return failed


def _md5_of(body: Bytes) -> dict[str, str]:
    """What S3 wants of the few bodies that change many things at once (API Reference, "DeleteObjects")."""
    return {"content-md5": b64encode(hashlib.md5(body.data, usedforsecurity=False).digest()).decode()}


def put_bucket_tags(client: S3Client, bucket: str, tags: Mapping[str, str]) -> None:
    """Set all tags of a bucket; what is not among them is gone afterwards.

    Raises:
        CloudError: no such bucket, denied, or tags that S3 does not take.
    """
    if not tags:
        client.call(Request("DeleteBucketTagging", "DELETE", bucket, query={"tagging": ""}))
        return
    body = Bytes(wire.tags_body(tags))
    client.call(Request("PutBucketTagging", "PUT", bucket, query={"tagging": ""}, headers=_md5_of(body), body=body))


def bucket_tags(client: S3Client, bucket: str) -> dict[str, str] | None:
    """The tags of a bucket, {} when it has none, None when they may not be read.

    Raises:
        CloudError: no such bucket, or no answer.
    """
    try:
        return wire.parse_tags(client.call(Request("GetBucketTagging", "GET", bucket, query={"tagging": ""})).body)
    except DeniedError:
        return None
    except CloudError as error:
        if error.site.code in _NO_TAGS:
            return {}
        raise
