"""`s3://bucket/key` and local paths, told apart and checked before anything is asked."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from runctl.errors import InputError

# General purpose bucket names (Amazon S3 User Guide, "General purpose bucket naming rules"), plus the capitals and
# underscores that names made before 2018 may have.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
#: Longest key in bytes of UTF-8 (Amazon S3 User Guide, "Naming Amazon S3 objects").
MAX_KEY_BYTES = 1024


@dataclass(frozen=True, slots=True)
class S3Uri:
    """A bucket and a key or prefix, "" for the whole bucket."""

    bucket: str
    key: str = ""

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    @property
    def directory(self) -> str:
        """The key as a prefix that ends at a slash, so that `checkpoints` never matches `checkpoints-archive`."""
        return self.key if not self.key or self.key.endswith("/") else self.key + "/"


def is_s3(text: str) -> bool:
    """Whether a command's argument names S3."""
    return text.startswith("s3://")


def parse_s3(text: str) -> S3Uri:
    """`s3://bucket[/key]` taken apart.

    Raises:
        InputError: not an S3 URI, no valid bucket name, or a key longer than S3 allows.
    """
    allowed, example = "s3://BUCKET or s3://BUCKET/KEY", "s3://my-bucket/data/"
    if not is_s3(text):
        raise InputError(f"{text!r} is not an S3 URI", allowed=allowed, example=example)
    bucket, _, key = text.removeprefix("s3://").partition("/")
    if not _BUCKET.fullmatch(bucket) or ".." in bucket:
        what = "an access point ARN is not supported" if bucket.startswith("arn:") else f"{bucket!r} is not a bucket"
        raise InputError(
            f"{text!r}: {what}",
            allowed=f"{allowed}; names have 3 to 63 letters, digits, dots and hyphens",
            example=example,
        )
    if len(key.encode("utf-8", "surrogateescape")) > MAX_KEY_BYTES:
        raise InputError(f"{text[:60]!r}...: the key is longer than 1,024 bytes", allowed=allowed, example=example)
    if not _encodable(key):
        raise InputError(f"{text!r}: the key is not valid UTF-8", allowed=allowed, example=example)
    return S3Uri(bucket, key)


def parse_location(text: str) -> S3Uri | Path:
    """An S3 URI or a local path.

    Raises:
        InputError: an empty word, a NUL, an invalid URI, or `S3://` and other near misses.
    """
    if not text or "\0" in text:
        raise InputError(f"{text!r} is neither a path nor an S3 URI", example="./data or s3://my-bucket/data/")
    if is_s3(text):
        return parse_s3(text)
    if re.match(r"(?i)s3:/{0,3}", text):
        raise InputError(f"{text!r} is not an S3 URI", allowed="s3://BUCKET/KEY", example="s3://my-bucket/data/")
    return Path(os.path.abspath(os.path.expanduser(text)))


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
