"""What to do after a failure, by its class: again soon, later, with other keys, at another clock, or not at all."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass

from runctl import errors
from runctl.errors import CallSite, CloudError
from runctl.services.aws.errors import classify, hint_for
from runctl.services.transfer.control import Control

# What a retry can mend although it is not a server's fault: a body that was cut or changed on its way.
_DAMAGED = {
    "BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "IncompleteBody", "RequestTimeout",
    "InvalidDigest",
}  # fmt: skip
_STATUS_CODES = {
    301: "PermanentRedirect", 304: "NotModified", 400: "BadRequest", 403: "AccessDenied", 404: "NotFound",
    405: "MethodNotAllowed", 409: "Conflict", 411: "MissingContentLength", 412: "PreconditionFailed",
    416: "InvalidRange", 429: "SlowDown", 500: "InternalError", 502: "BadGateway", 503: "SlowDown",
    504: "GatewayTimeout",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often and how patiently; times in seconds.

    Args:
        attempts: tries in all.
        base: the first wait is at most this, doubling after each failure.
        cap: the longest wait.
    """

    attempts: int = 8
    base: float = 0.1
    cap: float = 8.0

    def wait(self, attempt: int, *, throttled: bool) -> float:
        """Seconds to wait after failure number `attempt` (1 is the first): full jitter, longer when throttled."""
        ceiling = min(self.cap, self.base * (4 if throttled else 1) * 2 ** (attempt - 1))
        return random.uniform(ceiling / 4 if throttled else 0, ceiling)  # noqa: S311 - jitter, not a secret


def error_of(
    operation: str, region: str, status: int, code: str, message: str, request_id: str, where: str
) -> CloudError:
    """The error of an HTTP answer; `where` is the bucket or key it was about."""
    code = code or _STATUS_CODES.get(status, f"HTTP{status}")
    kind: type[CloudError] = errors.ThrottledError if status in (429, 503) else classify(code, status)
    if code in _DAMAGED:
        kind = errors.ServiceError
    site = CallSite("s3", operation, region, code, request_id)
    text = f"{where}: {message or code}" if where else message or code
    hint = {
        "NoSuchBucket": "check the name; `runctl s3 ls` lists the account's buckets",
        "NoSuchKey": "the object is gone",
        "NotFound": "check bucket and key",
    }.get(code) or hint_for(kind, site)
    return kind(" ".join(text.split())[:400], site, hint=hint)


def network_error(operation: str, region: str, error: OSError, where: str) -> errors.NetworkError:
    """The error of a connection that broke, fell silent or never came to be."""
    site = CallSite("s3", operation, region, type(error).__name__)
    text = error.strerror or str(error) or type(error).__name__
    return errors.NetworkError(f"{where}: {text}", site, hint="check the network, the region and AWS_ENDPOINT_URL_S3")


class Brake:
    """Slows all workers down together while the server says SlowDown: a shared gap between requests.

    S3 scales a busy prefix up by itself within minutes and answers 503 until then (Amazon S3 User Guide,
    "Best practices design patterns: optimizing Amazon S3 performance"); sixteen workers retrying alone would not help.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._gap = 0.0

    def throttled(self) -> None:
        """The server said so once more."""
        with self._lock:
            self._gap = min(0.25, max(0.002, self._gap * 2))

    def accepted(self) -> None:
        """A request went through: let go slowly."""
        if self._gap:
            with self._lock:
                self._gap = self._gap * 0.95 if self._gap > 0.001 else 0.0

    def wait(self, control: Control) -> None:
        """Keep the gap.

        Raises:
            Cancelled: somebody cancelled meanwhile.
        """
        if self._gap:
            control.sleep(self._gap * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not a secret
