"""Kill -9 between every two steps of a launch: one machine or none, found again by the next command, nothing untagged.

The steps, and how the process is held still at each so that the kill surely falls there:

    asking AWS                       the cloud does not answer
    before the intent is written     somebody else holds the journal's lock
    before EC2 does it               RunInstances is not answered, and not done
    before the answer arrives        RunInstances is done, and not answered
    before the outcome is written    the lock again
    before the machine runs          it stays pending, and --wait waits

LAUNCH_KILLS=100 adds as many kills at random moments.
"""

from __future__ import annotations

import fcntl
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from runctl import paths
from runctl.clock import SystemClock
from runctl.demo.cloud import DemoCloud
from runctl.services.journal import Entry, Journal
from tests.e2e.binary import BINARY, runctl
from tests.e2e.terminal import launch_by_wizard, terminal
from tests.services.launch.launching import ground_of, machines, untagged

pytestmark = pytest.mark.e2e
ARGV = ("instances", "launch", "--type", "g5.xlarge", "--spot", "--ttl", "8h", "--wait", "--yes", "-q")
#: A change that comes next; nothing of it is sent.
NEXT = ("instances", "launch", "--type", "c6i.large", "--dry-run", "-q")
KILLS = int(os.environ.get("LAUNCH_KILLS", "2"))


@pytest.fixture(autouse=True)
def _empty(cloud: DemoCloud) -> None:
    cloud.reset(fleet="empty")


@contextmanager
def launching() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [str(BINARY), *ARGV], cwd=os.environ["HOME"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()


def until(what: Callable[[], Any], process: subprocess.Popen[bytes]) -> None:
    """Wait until something holds, while the process lives."""
    deadline = time.monotonic() + 60
    while not what():
        assert process.poll() is None, (process.communicate(), journal())
        assert time.monotonic() < deadline
        time.sleep(0.01)


def kill(process: subprocess.Popen[bytes]) -> None:
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def journal() -> list[Entry]:
    return Journal(paths.journal_file(), SystemClock()).entries()


@contextmanager
def holding_the_journal() -> Iterator[None]:
    file: Path = paths.journal_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def waits_for_the_lock(process: subprocess.Popen[bytes]) -> bool:
    """Linux marks a waiting lock with an arrow (proc(5), "/proc/locks")."""
    waiting = [line.split() for line in Path("/proc/locks").read_text().splitlines() if "->" in line]
    return str(process.pid) in {word for words in waiting for word in words}


def nothing_is_there() -> None:
    assert machines(ground_of()) == []
    assert journal() == []


def after_the_kill(expected: int) -> None:
    """The next command finds what there is, says so once, and the journal is settled."""
    found = machines(ground_of())
    assert len(found) == expected
    assert untagged(ground_of()) == []
    before = journal()
    ended = runctl(*NEXT)
    assert ended.code == 0
    assert machines(ground_of()) == found
    if not expected:
        return
    entry = journal()[-1]
    assert entry.made == (found[0]["InstanceId"],)
    if before[-1].outcome == "open":
        assert entry.outcome == "adopted"
        assert f"{entry.made[0]}" in ended.err
        assert "adopted" in ended.err


@pytest.mark.parametrize("operation", ["GetCallerIdentity", "GetParameters", "DescribeInstances"])
def test_while_aws_is_asked(cloud: DemoCloud, operation: str) -> None:
    fault = cloud.faults.add("hang", operation=operation)
    with launching() as process:
        until(lambda: cloud.faults.hits(fault), process)
        kill(process)
    cloud.faults.clear()
    nothing_is_there()


def test_before_the_intent_is_written(cloud: DemoCloud) -> None:
    with launching() as process:
        with holding_the_journal():
            until(lambda: waits_for_the_lock(process), process)
            kill(process)
        nothing_is_there()


def test_before_ec2_does_it(cloud: DemoCloud) -> None:
    fault = cloud.faults.add("hang", operation="RunInstances")
    with launching() as process:
        until(lambda: cloud.faults.hits(fault), process)
        kill(process)
    cloud.faults.clear()
    assert [e.outcome for e in journal()] == ["open"]
    after_the_kill(0)
    assert [e.outcome for e in journal()] == ["open"]  # too early to be sure; looked for again


@pytest.mark.parametrize("refused_first", [False, True])
def test_before_the_answer_arrives(cloud: DemoCloud, *, refused_first: bool) -> None:
    if refused_first:
        cloud.faults.add("error", operation="RunInstances", code="InsufficientInstanceCapacity", status=500, times=1)
    cloud.faults.add("stall", operation="RunInstances")
    with launching() as process:
        until(lambda: machines(ground_of()), process)
        kill(process)
    cloud.faults.clear()
    assert [e.outcome for e in journal()] == ["failed", "open"][not refused_first :]
    after_the_kill(1)


def test_before_the_outcome_is_written(cloud: DemoCloud) -> None:
    fault = cloud.faults.add("latency", operation="RunInstances", seconds=600)
    with launching() as process:
        until(lambda: cloud.faults.hits(fault), process)
        with holding_the_journal():
            cloud.faults.clear()
            until(lambda: waits_for_the_lock(process), process)
            kill(process)
    assert [e.outcome for e in journal()] == ["open"]
    after_the_kill(1)
    assert runctl(*NEXT).err == ""  # said once


def test_before_the_machine_runs(cloud: DemoCloud) -> None:
    cloud.set_timings(pending=3600)
    with launching() as process:
        until(lambda: journal() and journal()[-1].outcome == "done", process)
        kill(process)
    after_the_kill(1)


def test_a_dashboard_that_died_while_launching_is_told_at_the_next_start(cloud: DemoCloud) -> None:
    """The answer of RunInstances never comes, the dashboard is killed; the next one finds the machine and says so."""
    cloud.faults.add("stall", operation="RunInstances")
    with terminal(columns=100, rows=30) as shown:
        shown.until("no machines")
        launch_by_wizard(shown)
        shown.until(lambda _: machines(ground_of()))
        shown.signal(signal.SIGKILL)
        assert shown.ended() == 128 + signal.SIGKILL
    cloud.faults.clear()
    assert [e.outcome for e in journal()] == ["open"]
    (made,) = [m["InstanceId"] for m in machines(ground_of())]
    with terminal(columns=100, rows=30) as shown:
        shown.until("a launch of t3.micro that was cut off")
        shown.until("adopted")
        assert made in shown.text
        shown.press("q")
        assert shown.ended() == 0
    assert [(e.outcome, e.made) for e in journal()] == [("adopted", (made,))]
    with terminal(columns=100, rows=30) as shown:
        shown.until("1 of 1")
        assert "cut off" not in shown.text, "it is said once"
        shown.press("q")
        assert shown.ended() == 0
    assert untagged(ground_of()) == []


def test_a_launch_that_another_process_waits_for_is_not_called_cut_off(cloud: DemoCloud) -> None:
    cloud.faults.add("stall", operation="RunInstances")
    with launching() as process:
        until(lambda: machines(ground_of()), process)
        assert runctl(*NEXT).err == ""
        assert [e.outcome for e in journal()] == ["open"]
        kill(process)
    cloud.faults.clear()
    after_the_kill(1)


def test_at_any_moment(cloud: DemoCloud) -> None:
    """The whole run takes about a second; what matters is that no moment of it is different."""
    began = time.monotonic()
    assert runctl(*[a for a in ARGV if a != "--wait"]).code == 0
    took = time.monotonic() - began
    moments = random.Random(7)
    for _ in range(KILLS):
        cloud.reset(fleet="empty")
        paths.journal_file().unlink(missing_ok=True)
        with launching() as process:
            time.sleep(moments.uniform(0.1, 1.2) * took)
            process.send_signal(signal.SIGKILL)
            process.wait()
        found = machines(ground_of())
        assert len(found) <= 1
        assert untagged(ground_of()) == []
        after_the_kill(len(found))
        known = {i for e in journal() for i in e.made}
        assert known == {m["InstanceId"] for m in found}
