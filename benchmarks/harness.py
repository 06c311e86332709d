"""Pairs of commands, run in turn in one session, compared pair by pair: the machine's mood cancels out."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """One comparison: medians in seconds, the median of the ratios, and the bar it is held against."""

    name: str
    ours_s: float
    theirs_s: float
    ratio: float
    bar: float

    def line(self) -> str:
        """A row of the table."""
        verdict = "holds" if self.ratio <= self.bar else "MISSED"
        return f"{self.name:<44} {self.ours_s:7.3f} {self.theirs_s:7.3f} {self.ratio:6.2f} {self.bar:5.2f}  {verdict}"


def wall_s(argv: Sequence[str], env: Mapping[str, str]) -> float:
    """Wall seconds of one whole process.

    Raises:
        RuntimeError: it failed; a failure is not a measurement.
    """
    began = time.perf_counter()
    done = subprocess.run(argv, env={**os.environ, **env}, capture_output=True, check=False)
    took = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}: {done.stderr.decode()[-300:]}")
    return took


def compare(
    name: str, ours: Sequence[str], theirs: Sequence[str], env: Mapping[str, str], *, bar: float, runs: int = 7
) -> Result:
    """Run A B A B …, the first pair as a warm-up."""
    pairs = [(wall_s(ours, env), wall_s(theirs, env)) for _ in range(runs + 1)][1:]
    return Result(
        name,
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
        statistics.median(a / b for a, b in pairs),
        bar,
    )
