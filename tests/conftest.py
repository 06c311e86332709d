"""What every test stands on: an environment without the developer in it, a fixed zone, and no way out but loopback."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cloud import cloud, cloud_process, plain_moto, plain_moto_process

__all__ = ["cloud", "cloud_process", "plain_moto", "plain_moto_process"]

_SCRUBBED = (
    "AWS_",
    "RUNCTL_",
    "XDG_",
    "BOTO_",
    "COLUMNS",
    "LINES",
    "NO_COLOR",
    "FORCE_COLOR",
    "CLICOLOR",
    "TMUX",
    "STY",
    "SSH_",
)


def scrubbed_environment() -> dict[str, str]:
    """The present environment without anything that could name an account, a home or a taste in colours."""
    return {k: v for k, v in os.environ.items() if not k.startswith(_SCRUBBED)}


# At import, before any test module reads the environment: a failing snapshot report prints all of os.environ.
for _name in set(os.environ) - set(scrubbed_environment()):
    del os.environ[_name]
os.environ.update({"TZ": "UTC", "LC_ALL": "C.UTF-8", "TERM": "xterm-256color", "COLORTERM": "truecolor"})
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
time.tzset()
# A shell without job control starts what runs in the background with ctrl-c ignored, and children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has a home of its own; nothing it writes can reach the developer's."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for name, sub in (("CONFIG", ".config"), ("CACHE", ".cache"), ("STATE", ".local/state"), ("DATA", ".local/share")):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / sub))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(home / ".aws/config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(home / ".aws/credentials"))
    return home


def _refuse_far_addresses(event: str, args: tuple[Any, ...]) -> None:
    """Audit hook: a test that talks to anything but this machine is broken, whatever it meant to do."""
    if event != "socket.connect":
        return
    sock, address = args
    if not isinstance(sock, socket.socket) or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    host = str(address[0])
    try:
        near = ipaddress.ip_address(host).is_loopback
    except ValueError:
        near = host == "localhost"
    if not near:
        raise ConnectionRefusedError(f"tests may only reach loopback, not {host}")


sys.addaudithook(_refuse_far_addresses)
