"""The one retry layer: botocore's own is off, so that two layers never multiply.

Which errors are worth another try is decided by class; the sleep ends at once when the caller stops; each service and
region has its own budget of calls a second on this side, because EC2's is shared by everybody in the account.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from runctl.errors import CloudError, NetworkError, RunctlError, ServiceError, ThrottledError

T = TypeVar("T")

ATTEMPTS = 4
_FIRST_S = 0.3
_MOST_S = 8.0
#: No further try begins this long after the first, seconds.
_DEADLINE_S = 30.0
_SILENCE = frozenset({"ReadTimeoutError", "ConnectTimeoutError"})


class StoppedError(RunctlError):
    """The caller stopped waiting: a poller ended, or the deadline of the whole run passed."""


class TokenBucket:
    """At most `rate` calls a second on average, `burst` at once."""

    def __init__(self, rate: float, burst: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._monotonic = rate, burst, monotonic
        self._tokens, self._at = burst, monotonic()
        self._lock = threading.Lock()

    def delay(self) -> float:
        """Take one token; seconds to wait before the call may be made."""
        with self._lock:
            now = self._monotonic()
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
            self._at = now
            self._tokens -= 1
            return 0.0 if self._tokens >= 0 else -self._tokens / self._rate


def worth_retrying(error: BaseException, *, repeatable: bool = True) -> bool:
    """Throttling, faults and lost connections; never credentials, denial, capacity, quota or a bad request.

    InsufficientInstanceCapacity is HTTP 500 and yet not worth it: it is a `CapacityError`, so it is not caught here.
    Silence is not worth it either: another ten seconds of waiting would hide it, and pollers ask again anyway.

    Args:
        error: what happened.
        repeatable: whether doing it twice does no harm. If not, only a call that AWS turned away is made again:
            after a fault or a lost connection it may have had its effect.
    """
    if isinstance(error, ThrottledError):
        return True
    if isinstance(error, NetworkError) and error.site.code in _SILENCE:
        return False
    return repeatable and isinstance(error, ServiceError | NetworkError)


class Retrier:
    """Calls with a token bucket for each service and region, and tries again where that can help.

    Args:
        calls_per_second: the rate of each bucket.
        stop: set to end every wait at once.
        rng: jitter; tests pass a seeded one.
    """

    def __init__(
        self,
        calls_per_second: float = 10.0,
        stop: threading.Event | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._rate = calls_per_second
        self.stop = stop or threading.Event()
        self._rng = rng or random.Random()  # noqa: S311  # jitter, not a secret
        self._buckets: dict[tuple[str, str], TokenBucket] = {}
        self._lock = threading.Lock()

    def call(
        self,
        service: str,
        region: str,
        function: Callable[[], T],
        *,
        attempts: int | None = None,
        repeatable: bool = True,
    ) -> T:
        """Run `function` until it works or is not worth another try.

        Args:
            service: whose budget of calls it uses.
            region: the same; each region has its own.
            function: makes the call, once.
            attempts: most calls, the first included.
            repeatable: see `worth_retrying`.

        Raises:
            CloudError: the last one.
            StoppedError: `stop` was set while waiting.
        """
        bucket = self._bucket(service, region)

        def once() -> T:
            self._sleep(bucket.delay())
            return function()

        try:
            return once()
        except CloudError as error:
            if not worth_retrying(error, repeatable=repeatable):
                raise
        # Imported on the first failure only: the usual call needs no second try, and `--once` counts milliseconds.
        from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_after_delay

        self._sleep(self._pause(1))
        again = Retrying(
            stop=stop_after_attempt(max(1, (attempts or ATTEMPTS) - 1)) | stop_after_delay(_DEADLINE_S),
            wait=lambda state: self._pause(state.attempt_number + 1),
            retry=retry_if_exception(lambda error: worth_retrying(error, repeatable=repeatable)),
            sleep=self._sleep,
            reraise=True,
        )
        return again(once)

    def _pause(self, failures: int) -> float:
        """Seconds to wait after so many failures: full jitter, so that many clients do not come back together."""
        return self._rng.uniform(0, min(_MOST_S, _FIRST_S * 2.0**failures))

    def _bucket(self, service: str, region: str) -> TokenBucket:
        with self._lock:
            return self._buckets.setdefault((service, region), TokenBucket(self._rate, self._rate * 2))

    def _sleep(self, seconds: float) -> None:
        """Wait, unless told to stop.

        Raises:
            StoppedError: `stop` was set.
        """
        if (seconds > 0 and self.stop.wait(seconds)) or self.stop.is_set():
            raise StoppedError("stopped while waiting for AWS")
