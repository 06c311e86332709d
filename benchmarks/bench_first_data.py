"""The dashboard in a real terminal: first paint and first machine against a Textual hello-world, and round trips."""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from benchmarks.canned import REGIONS
from benchmarks.harness import Result, Run, canned_process, paired, until_seen
from runctl.cli.headstart import END_AFTER_S
from runctl.demo.cloud import client_environment

HELLO = (
    "from textual.app import App\nfrom textual.widgets import Static\n"
    "class Hello(App):\n    def compose(self): yield Static('hello-world')\nHello().run()"
)
RUNCTL = (sys.executable, "-m", "runctl")
#: On the first frame, whatever AWS says; and how the name of every machine of the canned fleet begins.
PAINTED, MACHINE = b"Instances", b"train-0"
LATENCY_S = 1.0


def hello() -> Run:
    """A Textual hello-world, until it is painted."""
    return until_seen((sys.executable, "-c", HELLO), {}, b"hello-world")


def main() -> list[Result]:
    """Every comparison of this file."""
    twenty = ",".join(REGIONS)
    with ExitStack() as stack:
        home, warm = stack.enter_context(tempfile.TemporaryDirectory(prefix="runctl-bench-")), list[str]()

        def dashboard(regions: str, mark: bytes, *server: str) -> Callable[[], Run]:
            url = stack.enter_context(canned_process(*server))
            # Rows of the run before are not shown: they are kept when the dashboard is left, and here it is killed.
            env = {**client_environment(url), "RUNCTL_HOME": home, "XDG_CACHE_HOME": "/nonexistent"}
            started = partial(until_seen, (*RUNCTL, "--tui", "--region", regions), env, mark)
            if not warm:  # as `__pycache__` is for both sides: what the first start of all keeps is there
                started(stay_s=END_AFTER_S + 3.0)
                warm.append(home)
            return started

        one = dashboard("us-east-1", MACHINE, "--machines", "60")
        many = dashboard("us-east-1", MACHINE, "--machines", "2000")
        found = [
            paired("first paint / Textual hello", dashboard("us-east-1", PAINTED, "--latency", "5"), hello, bar=1.35),
            paired("first machine, 1 region / Textual hello", one, hello, bar=1.8),
            paired(
                "first machine, 20 regions / Textual hello",
                dashboard(twenty, MACHINE, "--machines", "3", "--regions", twenty),
                hello,
                bar=1.8,
            ),
            paired("first machine, 2,000 machines / 60", many, one, bar=1.5),
        ]
        for regions, name in (("us-east-1", "1 region"), (twenty, "20 regions"), ("all", "--region all")):
            quick = dashboard(regions, MACHINE, "--machines", "3")
            slow = dashboard(regions, MACHINE, "--machines", "3", "--latency", str(LATENCY_S))
            found.append(_round_trips(f"serial round trips to first data, {name}", slow, quick))
        return found


def _round_trips(name: str, slow: Callable[[], Run], quick: Callable[[], Run]) -> Result:
    """How many answers, each later by `LATENCY_S`, had to be waited for one after the other."""
    slow_s = statistics.median(slow().wall_s for _ in range(3))
    quick_s = statistics.median(quick().wall_s for _ in range(3))
    # The tenth is the time that the slow run's other work may take beside the waiting.
    return Result(name, slow_s, quick_s, (slow_s - quick_s) / LATENCY_S, 2.1)
