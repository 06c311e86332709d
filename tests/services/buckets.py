"""Buckets with checkpoints and unfinished uploads, made as somebody else makes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from runctl.demo.cloud import DemoCloud

EAST = "us-east-1"


def s3_of(cloud: DemoCloud) -> Any:
    """S3 as somebody else uses it."""
    return _client(cloud.endpoint_url)


@cache
def _client(url: str) -> Any:
    import botocore.session

    return botocore.session.Session().create_client("s3", EAST, endpoint_url=url)


def make_bucket(cloud: DemoCloud, name: str, tags: Mapping[str, str] | None = None) -> str:
    s3_of(cloud).create_bucket(Bucket=name)
    if tags:
        tag(cloud, name, tags)
    return name


def tag(cloud: DemoCloud, name: str, tags: Mapping[str, str]) -> None:
    held = [{"Key": k, "Value": v} for k, v in tags.items()]
    s3_of(cloud).put_bucket_tagging(Bucket=name, Tagging={"TagSet": held})


def put(cloud: DemoCloud, bucket: str, keys: Iterable[str], body: bytes = b"x" * 10) -> None:
    for key in keys:
        s3_of(cloud).put_object(Bucket=bucket, Key=key, Body=body)


def keys(cloud: DemoCloud, bucket: str) -> set[str]:
    return {o["Key"] for o in s3_of(cloud).list_objects_v2(Bucket=bucket).get("Contents", ())}


def begin_upload(cloud: DemoCloud, bucket: str, key: str, body: bytes = b"x" * 100) -> str:
    """An upload that nobody finishes, with one part; S3's id."""
    s3 = s3_of(cloud)
    upload_id: str = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    s3.upload_part(Bucket=bucket, Key=key, UploadId=upload_id, PartNumber=1, Body=body)
    return upload_id


def uploads(cloud: DemoCloud, bucket: str) -> set[str]:
    return {u["Key"] for u in s3_of(cloud).list_multipart_uploads(Bucket=bucket).get("Uploads", ())}
