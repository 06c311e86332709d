"""Which AWS operation a request is, from its signature scope and its protocol, without parsing more than needed."""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import parse_qs

_SCOPE = re.compile(r"Credential=[^/,]+/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")
_RESOURCE = re.compile(r"\b(?:i|vol|snap|eipalloc|sir)-[0-9a-z]{8,17}\b")
_RPC_PATH = re.compile(r"/service/[^/]+/operation/(?P<operation>\w+)")


class Target(NamedTuple):
    """What a request asks for: signing name of the service ("ec2"), operation, region."""

    service: str
    operation: str
    region: str


def identify(environ: dict[str, Any], body: bytes) -> Target:
    """The target of a request; "?" for what cannot be told."""
    scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    service, region = (scope["service"], scope["region"]) if scope else ("?", "?")
    if scope is None and "X-Amz-Credential" in query:
        parts = query["X-Amz-Credential"][0].split("/")
        service, region = (parts[3], parts[2]) if len(parts) == 5 else ("?", "?")
    return Target(service, _operation(environ, service, query, body), region)


def named_in(body: bytes) -> list[str]:
    """Ids of machines, disks, snapshots, addresses and spot requests in a request, each once, sorted."""
    return sorted(set(_RESOURCE.findall(body.decode("utf-8", "replace"))))


def _operation(environ: dict[str, Any], service: str, query: dict[str, list[str]], body: bytes) -> str:
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return str(target).rsplit(".", 1)[-1]
    path = environ.get("PATH_INFO", "")
    if rpc := _RPC_PATH.fullmatch(path):
        return rpc["operation"]
    if service == "s3":
        return s3_operation(environ["REQUEST_METHOD"], path, query, environ)
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        form = parse_qs(body[:4096].decode("utf-8", "replace"))
        return form.get("Action", ["?"])[0]
    return query.get("Action", ["?"])[0]


#: S3 operations by level ("service", "bucket", "object"), method and the sub-resource in the query ("" for none).
_S3 = {
    ("service", "GET", ""): "ListBuckets",
    ("bucket", "GET", "list-type"): "ListObjectsV2",
    ("bucket", "GET", "location"): "GetBucketLocation",
    ("bucket", "GET", "uploads"): "ListMultipartUploads",
    ("bucket", "GET", "versions"): "ListObjectVersions",
    ("bucket", "GET", "lifecycle"): "GetBucketLifecycleConfiguration",
    ("bucket", "GET", "versioning"): "GetBucketVersioning",
    ("bucket", "GET", "tagging"): "GetBucketTagging",
    ("bucket", "GET", "encryption"): "GetBucketEncryption",
    ("bucket", "GET", "policy"): "GetBucketPolicy",
    ("bucket", "GET", ""): "ListObjects",
    ("bucket", "HEAD", ""): "HeadBucket",
    ("bucket", "PUT", "lifecycle"): "PutBucketLifecycleConfiguration",
    ("bucket", "PUT", "versioning"): "PutBucketVersioning",
    ("bucket", "PUT", "tagging"): "PutBucketTagging",
    ("bucket", "PUT", ""): "CreateBucket",
    ("bucket", "POST", "delete"): "DeleteObjects",
    ("bucket", "DELETE", "lifecycle"): "DeleteBucketLifecycle",
    ("bucket", "DELETE", ""): "DeleteBucket",
    ("object", "GET", "uploadId"): "ListParts",
    ("object", "GET", "tagging"): "GetObjectTagging",
    ("object", "GET", "attributes"): "GetObjectAttributes",
    ("object", "GET", ""): "GetObject",
    ("object", "HEAD", ""): "HeadObject",
    ("object", "PUT", "partNumber"): "UploadPart",
    ("object", "PUT", "tagging"): "PutObjectTagging",
    ("object", "PUT", ""): "PutObject",
    ("object", "POST", "uploads"): "CreateMultipartUpload",
    ("object", "POST", "uploadId"): "CompleteMultipartUpload",
    ("object", "POST", "restore"): "RestoreObject",
    ("object", "DELETE", "uploadId"): "AbortMultipartUpload",
    ("object", "DELETE", "tagging"): "DeleteObjectTagging",
    ("object", "DELETE", ""): "DeleteObject",
}


def s3_operation(method: str, path: str, query: dict[str, list[str]], environ: dict[str, Any]) -> str:
    """S3's operation name from a path-style request; "?" for one that is not in the table."""
    bucket, _, key = path.lstrip("/").partition("/")
    level = "object" if key else "bucket" if bucket else "service"
    found = next((_S3[level, method, q] for q in query if q and (level, method, q) in _S3), None)
    found = found or _S3.get((level, method, ""), "?")
    if "HTTP_X_AMZ_COPY_SOURCE" in environ:
        return {"PutObject": "CopyObject", "UploadPart": "UploadPartCopy"}.get(found, found)
    return found
