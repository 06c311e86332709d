"""Pairs of processes, run in turn in one session, compared pair by pair: the machine's mood cancels out."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

HEADING = (
    f"{'what / against what':<58} {'ours':>7} {'theirs':>7} {'ratio':>6} {'bar':>5}          {'CPU s':>11} {'MB':>9}"
)


class Run(NamedTuple):
    """One process: wall seconds, user + system CPU seconds, peak resident megabytes."""

    wall_s: float
    cpu_s: float
    rss_mb: float


@dataclass(frozen=True, slots=True)
class Result:
    """One comparison.

    Args:
        name: what, and against what.
        ours: median of ours, in seconds unless the name says otherwise.
        theirs: median of what it is compared with.
        ratio: median of the ratios of the pairs.
        bar: what the ratio is held against.
        cpu_s: CPU seconds of ours and theirs (medians); None where no process was measured.
        rss_mb: peak memory of ours and theirs.
    """

    name: str
    ours: float
    theirs: float
    ratio: float
    bar: float
    cpu_s: tuple[float, float] | None = None
    rss_mb: tuple[float, float] | None = None

    @property
    def holds(self) -> bool:
        """Whether the bar is met."""
        return self.ratio <= self.bar

    def line(self) -> str:
        """A row of the table."""
        verdict = "holds " if self.holds else "MISSED"
        row = f"{self.name:<58} {self.ours:7.3f} {self.theirs:7.3f} {self.ratio:6.2f} {self.bar:5.2f}  {verdict}"
        cpu = f" {self.cpu_s[0]:5.2f}/{self.cpu_s[1]:5.2f}" if self.cpu_s else ""
        return row + cpu + (f" {self.rss_mb[0]:4.0f}/{self.rss_mb[1]:4.0f}" if self.rss_mb else "")


def _environment(env: Mapping[str, str]) -> dict[str, str]:
    """Ours with `env` over it, and with bytecode kept: an installed program has it, so both sides shall."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | dict(env)


def process(argv: Sequence[str], env: Mapping[str, str]) -> Run:
    """One whole process, its output thrown away.

    Raises:
        RuntimeError: it failed; a failure is not a measurement.
    """
    began = time.perf_counter()
    started = subprocess.Popen(argv, env=_environment(env), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(started.pid, 0)
    took = time.perf_counter() - began
    started.returncode = os.waitstatus_to_exitcode(status)
    if started.returncode:
        raise RuntimeError(f"{' '.join(argv)}: exit {started.returncode}")
    return Run(took, usage.ru_utime + usage.ru_stime, _megabytes(usage.ru_maxrss))


def until_seen(
    argv: Sequence[str], env: Mapping[str, str], mark: bytes, *, timeout_s: float = 30.0, stay_s: float = 0.0
) -> Run:
    """A program in a terminal of 120 x 40, until `mark` is among what it writes; then, after `stay_s`, it is ended.

    Raises:
        RuntimeError: it never wrote that.
    """
    began = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(argv[0], list(argv), _environment({"TERM": "xterm-256color", **env}))  # noqa: S606  # no shell wanted
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    written = b""
    try:
        while mark not in written:
            left = timeout_s - (time.perf_counter() - began)
            if left <= 0 or not select.select([terminal], [], [], left)[0]:
                raise RuntimeError(f"{' '.join(argv)}: no {mark!r} within {timeout_s:g} s; last: {written[-300:]!r}")
            try:
                written += os.read(terminal, 65536)
            except OSError as error:  # the end of a terminal is an error on Linux
                raise RuntimeError(f"{' '.join(argv)} ended: {written[-300:]!r}") from error
        took = time.perf_counter() - began
        time.sleep(stay_s)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)
        _, _, usage = os.wait4(pid, 0)
        os.close(terminal)
    return Run(took, usage.ru_utime + usage.ru_stime, _megabytes(usage.ru_maxrss))


def _megabytes(maxrss: int) -> float:
    return maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def paired(name: str, ours: Callable[[], Run], theirs: Callable[[], Run], *, bar: float, runs: int = 7) -> Result:
    """Run ours, theirs, ours, theirs …; the first pair is a warm-up."""
    pairs = [(ours(), theirs()) for _ in range(runs + 1)][1:]
    median = statistics.median
    return Result(
        name,
        median(a.wall_s for a, _ in pairs),
        median(b.wall_s for _, b in pairs),
        median(a.wall_s / b.wall_s for a, b in pairs),
        bar,
        (median(a.cpu_s for a, _ in pairs), median(b.cpu_s for _, b in pairs)),
        (median(a.rss_mb for a, _ in pairs), median(b.rss_mb for _, b in pairs)),
    )


@contextlib.contextmanager
def canned_process(*options: str) -> Iterator[str]:
    """`benchmarks.canned` in a process of its own, so that its work is not ours; yields its URL."""
    command = [sys.executable, "-m", "benchmarks.canned", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.stdin.close()
