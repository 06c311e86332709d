"""Fetches the supervisor onto a machine: the end of the program that user data carries, behind the text of `aws.py`.

Arguments: bucket, region, key, SHA-256, path to write. Tries for ten minutes: a new role may need some to be known.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time

from runctl.agent.aws import EMPTY, Credentials, Metadata, bucket_url, connect, sign

_FOR_S = 600


def load(bucket: str, region: str, key: str, digest: str, path: str) -> None:
    """One try.

    Raises:
        OSError: S3 did not answer with the file that was asked for.
    """
    credentials = Credentials(Metadata())
    origin, at = bucket_url(bucket, key, region)
    headers: dict[str, str] = {}
    sign("GET", origin.split("://", 1)[1], at, "", headers, EMPTY, credentials.get(), region, "s3", time.time())
    connection = connect(origin, 30)
    connection.request("GET", at, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise OSError(f"s3://{bucket}/{key}: HTTP {answer.status} {body[:300]!r}")
    if hashlib.sha256(body).hexdigest() != digest:
        raise OSError(f"s3://{bucket}/{key}: not the file that was asked for")
    with open(path + ".part", "wb") as file:
        file.write(body)
    os.replace(path + ".part", path)


def main() -> int:
    """Try until it works; 1 when it never did."""
    until = time.time() + _FOR_S
    while True:
        try:
            load(*sys.argv[1:6])
            return 0
        except Exception as error:
            sys.stderr.write(f"runctl: {error}\n")
        if time.time() >= until:
            return 1
        time.sleep(3)
