"""Fixtures on real clouds: `cloud`, the embedded one, and `plain_moto`, moto's own server without our layer."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from runctl.demo.cloud import DemoCloud, client_environment
from runctl.demo.server import start


@pytest.fixture(scope="session")
def cloud_process() -> Iterator[DemoCloud]:
    """One embedded cloud for each worker of the run."""
    with start(fleet="empty") as running:
        yield running


@pytest.fixture
def cloud(cloud_process: DemoCloud, monkeypatch: pytest.MonkeyPatch) -> DemoCloud:
    """The embedded cloud with the lively fleet of seed 7, just reset, and this process's environment leading to it.

    Nothing happens in it but what a test does: a story that begins after 15 s meets tests only where they are slow.
    """
    cloud_process.reset(story=False)
    for name, value in cloud_process.environment().items():
        monkeypatch.setenv(name, value)
    return cloud_process


@pytest.fixture(scope="session")
def plain_moto_process() -> Iterator[str]:
    """URL of an unmodified `moto_server`: proof that runctl does not lean on our layer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    environ |= {"MOTO_EC2_LOAD_DEFAULT_AMIS": "false", "AWS_EC2_METADATA_DISABLED": "true"}
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(port)],
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for_port(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, "moto_server ended"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    pytest.fail("moto_server does not listen")


@pytest.fixture
def plain_moto(plain_moto_process: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The plain server, emptied, with the environment leading to it; seed it with boto3 calls."""
    import http.client
    from urllib.parse import urlsplit

    address = urlsplit(plain_moto_process)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
    connection.request("POST", "/moto-api/reset")
    assert connection.getresponse().status == 200
    connection.close()
    for name, value in client_environment(plain_moto_process).items():
        monkeypatch.setenv(name, value)
    return plain_moto_process
