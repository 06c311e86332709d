"""The dashboard at work: keys while the cloud hangs, ten thousand machines polled, idling, rows on small screens.

The app runs on canned pages of another process. What only its inside can tell is measured by `benchmarks.inside` in a
process of its own; keys and idling in a real terminal.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Mapping

import psutil

from benchmarks.bench_table import machines, refreshes
from benchmarks.harness import Result, canned_process
from benchmarks.inside import Figures, p95
from runctl.demo.cloud import client_environment

ROWS = 10_000
IDLE_S = 30.0
#: Moves of which each changes the picture: back to the top before the end of 200 rows, where a key would paint nothing.
MOVES = (*("down", "down", "page", "up") * 4, "home")
KEYS = 5 * len(MOVES)
_ESCAPES = {"down": b"\x1b[B", "up": b"\x1b[A", "page": b"\x1b[6~", "home": b"\x1b[H"}
Env = Mapping[str, str]


def main() -> list[Result]:
    """Every comparison of this file, each in a home of its own: what one has seen is not in the ledger of the next."""
    found = []
    for section in (hung, polled, idle, small):
        with tempfile.TemporaryDirectory(prefix="runctl-bench-") as home:
            found += section({"RUNCTL_HOME": home, "AWS_REGION": "us-east-1"})
    return found


def hung(kept: Env) -> Iterator[Result]:
    """One region never answers, the other stops after its first page: keys must not notice."""
    options = ("--machines", "400", "--stalling", "us-east-1", "--hanging", "eu-west-1")
    with canned_process(*options) as url:
        env = {**kept, **client_environment(url)}
        with terminal(env, "--region", "us-east-1,eu-west-1") as screen:
            screen.until(b"train-0")
            screen.quiet(1.0)
            times = [screen.key(key) for _ in range(KEYS // len(MOVES)) for key in MOVES]
        yield _bar(f"hung cloud: key to paint, p95 of {KEYS} keys, against 50 ms", p95(times), 0.05)
        figures = inside("keys", env, 200, "--regions", "us-east-1,eu-west-1")
        yield _bar("hung cloud: worst stall of the event loop, against 100 ms", figures["stall_s"], 0.1)


def polled(kept: Env) -> Iterator[Result]:
    """Ten thousand machines on canned pages, one in fifty another at each refresh; DataTable in the same run."""
    with canned_process("--machines", str(ROWS), "--churn", "0.02") as url:
        env = {**kept, **client_environment(url)}
        rounds = [(inside("poll", env, ROWS), _data_table_s()) for _ in range(3)]
        keys = inside("keys", env, ROWS)
    ours = statistics.median(f["ui_s"] for f, _ in rounds)
    theirs = statistics.median(t for _, t in rounds)
    ratio = statistics.median(f["ui_s"] / t for f, t in rounds)
    yield Result(f"{ROWS:,} machines: UI CPU of a refresh / DataTable refilled", ours, theirs, ratio, 0.15)
    yield _bar(
        f"{ROWS:,} machines: worst stall, against 100 ms", statistics.median(f["stall_s"] for f, _ in rounds), 0.1
    )
    yield _bar(f"{ROWS:,} machines: memory, GB, against 250 MB", max(f["rss_mb"] for f, _ in rounds) / 1000, 0.25)
    yield _bar(f"{ROWS:,} machines: filter, CPU a letter, p95, against 50 ms", keys["letter_s"], 0.05)
    yield _bar(f"{ROWS:,} machines: cursor, CPU a key, p95, against 50 ms", keys["move_s"], 0.05)


def idle(kept: Env) -> Iterator[Result]:
    """Sixty machines, asked every ten seconds, nobody at the keys."""
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(canned_process("--machines", "60", "--churn", "0.02"))
        screen = stack.enter_context(terminal({**kept, **client_environment(url)}, "--region", "us-east-1"))
        screen.until(b"train-0")
        screen.quiet(5.0)
        process = psutil.Process(screen.pid)
        before = sum(process.cpu_times()[:2])
        screen.quiet(IDLE_S)
        spent = sum(process.cpu_times()[:2]) - before
    yield _bar("idle: CPU s in 30 s, 60 machines, against 0.3", spent, 0.3)


def small(kept: Env) -> Iterator[Result]:
    """Rows at 80x24; at 50x12 five rows or a message."""
    with canned_process("--machines", "60") as url:
        rows = inside("rows", {**kept, **client_environment(url)}, 60)
    yield Result("16 rows / data rows at 80x24", 16, rows["80x24"], 16 / max(rows["80x24"], 0.1), 1.0)
    least = rows["50x12"]
    yield Result(
        "5 rows / data rows at 50x12 (-1: the message)", 5, least, 0.0 if least < 0 else 5 / max(least, 0.1), 1.0
    )


def inside(what: str, env: Env, rows: int, *options: str) -> Figures:
    """One measurement of `benchmarks.inside`."""
    command = [sys.executable, "-m", "benchmarks.inside", what, "--rows", str(rows), *options]
    done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, check=True)
    found: Figures = json.loads(done.stdout)
    return found


def _data_table_s() -> float:
    import asyncio

    polls = [machines(ROWS, poll) for poll in range(3)]
    return asyncio.run(refreshes(False, polls))[0]


def _bar(name: str, measured: float, most: float) -> Result:
    return Result(name, measured, most, measured / most, 1.0)


class Screen:
    """The dashboard in a terminal of 120 x 40, its output read as it comes."""

    def __init__(self, pid: int, file: int) -> None:
        self.pid, self._file = pid, file

    def _read(self, seconds: float) -> bytes:
        return os.read(self._file, 65536) if select.select([self._file], [], [], seconds)[0] else b""

    def until(self, mark: bytes, seconds: float = 30.0) -> None:
        """Read until something is written.

        Raises:
            TimeoutError: it never was.
        """
        deadline, seen = time.monotonic() + seconds, b""
        while mark not in seen:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no {mark!r}; last: {seen[-300:]!r}")
            seen = seen[-4096:] + self._read(0.1)

    def quiet(self, seconds: float) -> None:
        """Let time pass, reading what comes."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._read(left)

    def key(self, name: str) -> float:
        """Seconds from a key to the first byte painted; clocks on screen may not tick in between, so wait for quiet."""
        while self._read(0.03):
            pass
        began = time.perf_counter()
        os.write(self._file, _ESCAPES[name])
        self._read(5.0)
        return time.perf_counter() - began


@contextlib.contextmanager
def terminal(env: Env, *options: str) -> Iterator[Screen]:
    """Run the dashboard in a terminal."""
    pid, file = pty.fork()
    if pid == 0:
        given = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        os.execvpe(  # noqa: S606  # no shell wanted
            sys.executable,
            [sys.executable, "-m", "runctl", "--tui", *options],
            {**given, "TERM": "xterm-256color", **env},
        )
    fcntl.ioctl(file, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    try:
        yield Screen(pid, file)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(file)
