"""Which failures are tried again, that a wait can be ended, and the budget of calls."""

from __future__ import annotations

import random
import threading
import time

import pytest

from runctl import errors
from runctl.errors import CallSite
from runctl.services.aws.retry import ATTEMPTS, Retrier, StoppedError, TokenBucket

SITE = CallSite("ec2", "RunInstances", "us-east-1", "X")


def failing(kind: type[errors.CloudError], times: int) -> tuple[list[int], object]:
    calls: list[int] = []

    def call() -> str:
        calls.append(1)
        if len(calls) <= times:
            raise kind("no", SITE)
        return "ok"

    return calls, call


class Hasty(threading.Event):
    """An event whose waits are over at once, and remembered."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        return self.is_set()


@pytest.mark.parametrize("kind", [errors.ThrottledError, errors.ServiceError, errors.NetworkError])
def test_what_may_pass_is_tried_again_with_a_pause(kind: type[errors.CloudError]) -> None:
    calls, call = failing(kind, 2)
    stop = Hasty()
    assert Retrier(stop=stop, rng=random.Random(1)).call("ec2", "us-east-1", call) == "ok"  # type: ignore[arg-type]  # a closure
    assert len(calls) == 3
    assert len(stop.waits) == 2


@pytest.mark.parametrize(
    "kind",
    [
        errors.CredentialsError,
        errors.DeniedError,
        errors.CapacityError,
        errors.QuotaError,
        errors.RequestError,
        errors.ClockError,
    ],
)
def test_what_cannot_pass_is_asked_once(kind: type[errors.CloudError]) -> None:
    calls, call = failing(kind, 9)
    with pytest.raises(kind):
        Retrier(stop=Hasty()).call("ec2", "us-east-1", call)  # type: ignore[arg-type]  # a closure
    assert len(calls) == 1


def test_it_gives_up_with_the_last_error() -> None:
    calls, call = failing(errors.ThrottledError, 99)
    with pytest.raises(errors.ThrottledError):
        Retrier(stop=Hasty()).call("ec2", "us-east-1", call)  # type: ignore[arg-type]  # a closure
    assert len(calls) == ATTEMPTS


def test_a_stop_ends_the_wait_at_once() -> None:
    stop = threading.Event()
    _, call = failing(errors.ThrottledError, 99)
    threading.Timer(0.05, stop.set).start()
    began = time.monotonic()
    with pytest.raises((StoppedError, errors.ThrottledError)):
        Retrier(stop=stop).call("ec2", "us-east-1", call)  # type: ignore[arg-type]  # a closure
    assert time.monotonic() - began < 5


def test_the_bucket_lets_a_burst_through_and_then_the_rate() -> None:
    now = [0.0]
    bucket = TokenBucket(rate=2.0, burst=3.0, monotonic=lambda: now[0])
    assert [bucket.delay() for _ in range(5)] == [0.0, 0.0, 0.0, 0.5, 1.0]
    now[0] = 10.0
    assert bucket.delay() == 0.0
