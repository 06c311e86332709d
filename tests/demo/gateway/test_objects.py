"""Objects of the embedded cloud carry the checksums S3 computes, and the time that the cloud has."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from runctl.demo.cloud import DemoCloud
from runctl.services.transfer.checksums import digest_of
from tests.demo.conftest import Aws


def test_a_multipart_upload_has_the_crc64nvme_of_the_whole_object(empty: Aws) -> None:
    s3 = empty("s3")
    s3.create_bucket(Bucket="models")
    parts = [b"a" * (5 << 20), b"tail"]
    upload = s3.create_multipart_upload(
        Bucket="models", Key="m", ChecksumAlgorithm="CRC64NVME", ChecksumType="FULL_OBJECT"
    )
    which = {"Bucket": "models", "Key": "m", "UploadId": upload["UploadId"]}
    done = [
        {"PartNumber": n, "ETag": s3.upload_part(**which, PartNumber=n, Body=body)["ETag"]}
        for n, body in enumerate(parts, 1)
    ]
    s3.complete_multipart_upload(**which, MultipartUpload={"Parts": done})
    head = s3.head_object(Bucket="models", Key="m", ChecksumMode="ENABLED")
    assert head["ChecksumCRC64NVME"] == base64.b64encode(digest_of("CRC64NVME", b"".join(parts))).decode()


def test_an_object_is_as_old_as_the_cloud_says_and_no_older(empty: Aws, cloud_process: DemoCloud) -> None:
    s3 = empty("s3")
    s3.create_bucket(Bucket="beats")
    cloud_process.advance(3600)
    s3.put_object(Bucket="beats", Key="state.json", Body=b"{}")

    def age() -> timedelta:
        said = s3.get_object(Bucket="beats", Key="state.json")
        now = parsedate_to_datetime(said["ResponseMetadata"]["HTTPHeaders"]["date"])
        born: datetime = said["LastModified"]
        return now - born

    assert age() < timedelta(minutes=1)
    cloud_process.advance(3600)
    assert timedelta(minutes=60) <= age() < timedelta(minutes=61)
