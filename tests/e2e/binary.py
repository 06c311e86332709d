"""The real binary in a process of its own, as a user's shell would start it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

BINARY = Path(sys.executable).with_name("runctl")


@dataclass(frozen=True)
class Ended:
    """What a run left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)

    def plain(self) -> Ended:
        """Itself, after checking what holds for every end: no traceback, nothing but data on stdout."""
        assert "Traceback" not in self.err
        assert not any(line.startswith(("runctl: ", "warning: ")) for line in self.out.splitlines())
        return self


def runctl(*argv: str, env: Mapping[str, str | None] | None = None, timeout: float = 60) -> Ended:
    """Run to the end. `env` changes this process's environment; None takes a variable away."""
    if not BINARY.exists():
        pytest.fail(f"{BINARY} is not installed")
    wanted: dict[str, str | None] = {**os.environ, **(env or {})}
    done = subprocess.run(
        [str(BINARY), *argv],
        env={k: v for k, v in wanted.items() if v is not None},
        cwd=os.environ["HOME"],  # no project file of a developer
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=timeout,
        check=False,
    )
    return Ended(done.returncode, done.stdout.decode(errors="surrogateescape"), done.stderr.decode()).plain()


def killed(*argv: str, when: Callable[[], bool]) -> bool:
    """Start the binary and kill it (-9) as soon as `when` holds; whether it was still alive then."""
    process = subprocess.Popen(
        [str(BINARY), *argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        cwd=os.environ["HOME"],
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not when() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    alive = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    return alive
