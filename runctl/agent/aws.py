"""What the machine needs of AWS without a library: instance metadata (IMDSv2), credentials, Signature Version 4.

Imports nothing of this package: `bootstrap.py` puts the same text into user data, where it fetches the rest.

Sources: Amazon EC2 User Guide, "Use the Instance Metadata Service"; IAM User Guide, "Create a signed AWS API request".
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import http.client
import json
import os
import threading
import time
from typing import Mapping, NamedTuple
from urllib.parse import quote, urlsplit

METADATA = "http://169.254.169.254"
EMPTY = hashlib.sha256(b"").hexdigest()
_TOKEN_S = 21600


class Keys(NamedTuple):
    """One set of credentials; `expires` in seconds since 1970, 0 for never."""

    access: str
    secret: str
    token: str = ""
    expires: float = 0.0


class NoCredentialsError(Exception):
    """Neither the environment nor the machine's role gives any; says what was tried."""


class Metadata:
    """The instance metadata service, version 2 only: a session token first, then every question with it.

    Args:
        endpoint: its address; by default what `AWS_EC2_METADATA_SERVICE_ENDPOINT` says, else the link-local one.
        timeout: seconds for one answer; the service is on the same host.
    """

    def __init__(self, endpoint: str = "", timeout: float = 2.0) -> None:
        given = endpoint or os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "")
        self.disabled = not given and os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true"
        self._address = urlsplit(given or METADATA)
        self._timeout = timeout
        self._token = ""
        self._until = 0.0

    def _ask(self, method: str, path: str, headers: Mapping[str, str]) -> tuple[int, str]:
        connection = http.client.HTTPConnection(
            self._address.hostname or "", self._address.port or 80, timeout=self._timeout
        )
        try:
            connection.request(method, self._address.path.rstrip("/") + path, headers=dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        finally:
            connection.close()

    def get(self, path: str) -> str | None:
        """The text below `/latest/`, or None where there is no such thing now (404).

        Raises:
            OSError: no answer, or one that is neither 200 nor 404.
        """
        if self.disabled:
            raise OSError("AWS_EC2_METADATA_DISABLED is true")
        for _ in range(2):
            if time.monotonic() >= self._until:
                status, text = self._ask(
                    "PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": str(_TOKEN_S)}
                )
                if status != 200:
                    raise OSError(f"instance metadata: no session token, HTTP {status}")
                self._token, self._until = text, time.monotonic() + _TOKEN_S / 2
            status, text = self._ask("GET", "/latest/" + path, {"X-aws-ec2-metadata-token": self._token})
            if status == 200:
                return text
            if status == 404:
                return None
            self._until = 0.0
        raise OSError(f"instance metadata: {path} answered HTTP {status}")


class Credentials:
    """Keys from the environment, else from the machine's role, renewed five minutes before they end."""

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata
        self._lock = threading.Lock()
        self._keys: Keys | None = None

    def get(self) -> Keys:
        """The keys to sign with now.

        Raises:
            NoCredentialsError: there are none.
        """
        access, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
        if access and secret:
            return Keys(access, secret, os.environ.get("AWS_SESSION_TOKEN", ""))
        with self._lock:
            if self._keys is None or self._keys.expires - time.time() < 300:
                self._keys = self._from_role()
            return self._keys

    def forget(self) -> None:
        """AWS refused them: ask again before the next signature."""
        with self._lock:
            self._keys = None

    def _from_role(self) -> Keys:
        base = "meta-data/iam/security-credentials/"
        try:
            role = (self._metadata.get(base) or "").strip().split("\n")[0]
            text = self._metadata.get(base + role) if role else None
        except OSError as error:
            raise NoCredentialsError(f"no keys in the environment, and no role: {error}") from error
        if not text:
            raise NoCredentialsError("no keys in the environment, and no instance profile")
        found = json.loads(text)
        expires = datetime.datetime.fromisoformat(found["Expiration"].replace("Z", "+00:00")).timestamp()
        return Keys(found["AccessKeyId"], found["SecretAccessKey"], found.get("Token", ""), expires)


def sign(
    method: str,
    host: str,
    path: str,
    query: str,
    headers: dict[str, str],
    digest: str,
    keys: Keys,
    region: str,
    service: str,
    now: float,
) -> None:
    """Add date, payload digest, session token and signature to `headers` (lower-case names).

    `path` is percent-encoded, `query` encoded and sorted; `digest` is the body's SHA-256 in hex; `now` on AWS's clock.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    headers.update({"host": host, "x-amz-date": stamp, "x-amz-content-sha256": digest})
    if keys.token:
        headers["x-amz-security-token"] = keys.token
    names = sorted(n for n in headers if n == "host" or n.startswith("x-amz-"))
    lines = "".join("{}:{}\n".format(n, " ".join(headers[n].split())) for n in names)
    request = "\n".join((method, path, query, lines, ";".join(names), digest))
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = ("AWS4" + keys.secret).encode()
    for word in (stamp[:8], region, service, "aws4_request"):
        key = hmac.new(key, word.encode(), hashlib.sha256).digest()
    headers["authorization"] = "AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}".format(
        keys.access, scope, ";".join(names), hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    )


def bucket_url(bucket: str, key: str, region: str) -> tuple[str, str]:
    """Origin (`https://host[:port]`) and encoded path of an object: path style at an endpoint of one's own."""
    encoded = quote(key, safe="/-_.~")
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        return endpoint.rstrip("/"), f"/{bucket}/{encoded}"
    if "." in bucket:  # the certificate of *.s3 covers no second dot
        return f"https://s3.{region}.amazonaws.com", f"/{bucket}/{encoded}"
    return f"https://{bucket}.s3.{region}.amazonaws.com", "/" + encoded


def connect(origin: str, timeout: float) -> http.client.HTTPConnection:
    """A connection to `http(s)://host[:port]`."""
    at = urlsplit(origin)
    if at.scheme == "https":
        return http.client.HTTPSConnection(at.hostname or "", at.port or 443, timeout=timeout)
    return http.client.HTTPConnection(at.hostname or "", at.port or 80, timeout=timeout)
