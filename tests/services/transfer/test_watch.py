"""Watching: synchronised again after a change, left alone without one, and ended from outside."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from runctl.clock import SystemClock
from runctl.services.transfer.client import S3Client
from runctl.services.transfer.control import Bandwidth, Control
from runctl.services.transfer.plan import Outcome
from runctl.services.transfer.sync import Options, Sync
from runctl.services.transfer.uri import S3Uri
from runctl.services.transfer.watch import watch
from tests.services.transfer import servers, trees


def _until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_is_written_meanwhile_goes_up(client: S3Client, bucket: str, tmp_path: Path) -> None:
    trees.write(tmp_path / "src", {"a": 10})
    options = Options(tmp_path / "state", tmp_path / "cache")
    runs: list[Outcome] = []

    def once() -> Outcome:
        runs.append(Sync(client, tmp_path / "src", S3Uri(bucket), options).run())
        return runs[-1]

    control, ended = client.control, threading.Event()

    def body() -> None:
        watch(once, tmp_path / "src", control, SystemClock(), every_s=0.02)
        ended.set()

    threading.Thread(target=body, daemon=True).start()
    _until(lambda: servers.keys(servers.client_of(_url(client)), bucket) == {"a": 10})
    trees.write(tmp_path / "src", {"late/b": 20})
    _until(lambda: "late/b" in servers.keys(servers.client_of(_url(client)), bucket))
    control.cancel()
    assert ended.wait(30)
    assert sum(outcome.files for outcome in runs) == 2
    assert len(runs) <= 4, "an unchanged tree is only looked at"


def _url(client: S3Client) -> str:
    assert client.site.endpoint is not None
    return f"http://127.0.0.1:{client.site.endpoint[2]}"


class _Time(Control):
    """A clock that moves only when somebody sleeps, and the control that sleeps by it."""

    def __init__(self) -> None:
        super().__init__()
        self.at = 0.0

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


def test_no_faster_than_allowed() -> None:
    time_ = _Time()
    bandwidth = Bandwidth(1_000_000, time_)  # type: ignore[arg-type]  # only monotonic is asked
    for _ in range(100):
        bandwidth.take(50_000, time_)
    assert 4.7 < time_.at < 5.01, "5 MB at 1 MB a second, less what the bucket holds"
    Bandwidth(None, time_).take(10**12, time_)  # type: ignore[arg-type]
    assert time_.at < 5.01
