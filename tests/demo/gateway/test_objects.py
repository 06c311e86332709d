"""Objects of the embedded cloud carry the checksums S3 computes."""

from __future__ import annotations

import base64

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
