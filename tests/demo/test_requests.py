"""Telling which operation a request is."""

from __future__ import annotations

from typing import Any

import pytest

from runctl.demo.requests import Target, identify

AUTH = "AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-1/{}/aws4_request, SignedHeaders=host, Signature=x"


def _environ(service: str, **more: str) -> dict[str, Any]:
    return {"HTTP_AUTHORIZATION": AUTH.format(service), "REQUEST_METHOD": "POST", "PATH_INFO": "/"} | more


@pytest.mark.parametrize(
    ("method", "path", "query", "operation"),
    [
        ("GET", "/", "", "ListBuckets"),
        ("GET", "/b", "list-type=2&prefix=x", "ListObjectsV2"),
        ("GET", "/b/", "", "ListObjects"),
        ("GET", "/b/k/ey", "", "GetObject"),
        ("HEAD", "/b/k", "", "HeadObject"),
        ("HEAD", "/b", "", "HeadBucket"),
        ("PUT", "/b/k", "partNumber=1&uploadId=u", "UploadPart"),
        ("POST", "/b/k", "uploads", "CreateMultipartUpload"),
        ("POST", "/b/k", "uploadId=u", "CompleteMultipartUpload"),
        ("DELETE", "/b/k", "uploadId=u", "AbortMultipartUpload"),
        ("POST", "/b", "delete", "DeleteObjects"),
        ("PATCH", "/b/k", "", "?"),
    ],
)
def test_s3_operations_follow_from_path_and_query(method: str, path: str, query: str, operation: str) -> None:
    environ = _environ("s3", REQUEST_METHOD=method, PATH_INFO=path, QUERY_STRING=query)
    assert identify(environ, b"") == Target("s3", operation, "eu-west-1")


def test_a_copy_is_not_a_put() -> None:
    environ = _environ("s3", REQUEST_METHOD="PUT", PATH_INFO="/b/k", HTTP_X_AMZ_COPY_SOURCE="/a/k")
    assert identify(environ, b"").operation == "CopyObject"


def test_the_protocols_name_their_operation_in_three_places() -> None:
    form = _environ("ec2", CONTENT_TYPE="application/x-www-form-urlencoded; charset=utf-8")
    assert identify(form, b"Action=DescribeVolumes&Version=2016-11-15").operation == "DescribeVolumes"
    assert identify(_environ("ssm", HTTP_X_AMZ_TARGET="AmazonSSM.GetParameter"), b"{}").operation == "GetParameter"
    path = "/service/GraniteServiceVersion20100801/operation/ListMetrics"
    assert identify(_environ("monitoring", PATH_INFO=path), b"").operation == "ListMetrics"


def test_presigned_urls_and_nonsense() -> None:
    query = "X-Amz-Credential=AKIA/20260101/us-west-2/s3/aws4_request&X-Amz-Signature=x"
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/b/k", "QUERY_STRING": query}
    assert identify(environ, b"") == Target("s3", "GetObject", "us-west-2")
    assert identify({"REQUEST_METHOD": "GET"}, b"\xff\xfe") == Target("?", "?", "?")
