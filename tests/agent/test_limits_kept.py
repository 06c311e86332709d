"""TTL, idleness, budget, memory and disk: each ends the job by itself and is told as itself."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.conftest import Job, until

LOOP = "echo up; while [ ! -e $RUNCTL_STOP_FILE ]; do sleep 0.1; done; exit 8"


def test_the_time_to_live_ends_a_job_and_can_be_extended(job: Job) -> None:
    job.submit("/bin/sh", "-c", LOOP, limits={"ttl_s": 1.0, "grace_s": 30.0})
    job.control(desired="run", ttl_at=time.time() + 3600)
    job.start()
    until(lambda: (now := job.state()) and now["at"] > now["started_at"] + 1.2, "it lives past its own limit", 60)
    assert job.state()["limits"]["ttl_at"] > time.time() + 3000
    job.control(desired="run", ttl_at=time.time())
    assert job.wait() == 0
    assert (job.exit()["stop_reason"], job.exit()["rc"]) == ("ttl", 8)


def test_silence_without_work_is_idle(job: Job) -> None:
    job.submit("/bin/sh", "-c", "echo up; exec sleep 600", limits={"idle_s": 1.0, "grace_s": 1.0}).start()
    assert job.wait() == 0
    assert job.exit()["stop_reason"] == "idle"


def test_a_budget_without_a_price_is_said_to_be_unenforced(job: Job) -> None:
    job.submit("/bin/sh", "-c", LOOP, limits={"budget_usd": 5.0, "grace_s": 30.0}, launch={"rates": []})
    job.start(local=False, AWS_EC2_METADATA_DISABLED="true")
    until(lambda: [p["what"] for p in job.state().get("problems", [])] == ["budget-unenforced"], "it is said")
    assert job.state()["limits"]["spent_usd"] is None
    job.end()


def test_memory_that_runs_out_is_told_as_memory(job: Job) -> None:
    """RLIMIT_AS stands for the machine's memory: the allocation fails as it would there."""
    path = job.root / "hungry.py"
    path.write_text("x = []\nwhile True: x.append(bytearray(64 << 20))\n")
    job.submit("/bin/bash", "-c", f"ulimit -v 600000; exec {sys.executable} {path}").start()
    assert job.wait() == 0
    assert job.exit()["cause"] == "oom"


@pytest.fixture
def small_memory() -> Iterator[str]:
    """The file that takes a process into a group of processes that share 160 MB; skipped where none can be made."""
    own = dict(line.strip().split(":", 2)[1:] for line in Path("/proc/self/cgroup").read_text().splitlines())
    v1 = Path("/sys/fs/cgroup/memory") / own["memory"].lstrip("/") if "memory" in own else None
    group = (v1 or Path("/sys/fs/cgroup") / own.get("", "").lstrip("/")) / f"runctl-test-{os.getpid()}"
    try:
        group.mkdir()
        if v1 is None:
            (group / "memory.swap.max").write_text("0")
        (group / ("memory.max" if v1 is None else "memory.limit_in_bytes")).write_text(str(160 << 20))
    except OSError as error:
        with contextlib.suppress(OSError):
            group.rmdir()
        pytest.skip(f"no memory cgroup can be made here: {error}")
    yield str(group / "cgroup.procs")
    until(lambda: not (group / "cgroup.procs").read_text(), "the group is empty")
    group.rmdir()


@pytest.mark.xdist_group("kernel kills")
@pytest.mark.parametrize("who", ["itself", "worker"])
def test_what_the_kernel_kills_for_want_of_memory_is_told_as_that(job: Job, small_memory: str, who: str) -> None:
    """The real killer, in a group with little memory: it takes the command, or a worker that the command misses."""
    path = job.root / "hungry.py"
    path.write_text("""
import os, sys
print("step=1 loss=0.5", flush=True)
if sys.argv[1] == "worker":
    worker = os.fork()
    if worker: sys.exit(1 if os.waitpid(worker, 0)[1] else 0)
x = []
while True: x.append(bytearray(os.urandom(1 << 20)))
""")
    python = job.root / "python"
    python.write_text(f'#!/bin/sh\necho $$ >{small_memory}\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    job.submit(sys.executable, str(path), who).start(python=str(python))
    assert job.wait() == 0
    end = job.exit()
    assert (end["cause"], end["rc"], end["killed"]) == ("oom", 1 if who == "worker" else -9, False)
    assert "the kernel killed" in end["message"]
    assert job.log() == b"step=1 loss=0.5\n"


@pytest.mark.xdist_group("kernel kills")  # a count of the whole machine decides
def test_a_kill_from_outside_is_not_called_memory_without_proof(job: Job) -> None:
    """SIGKILL stands for the kernel's killer; its counter did not move, so the record does not claim that it struck."""
    job.submit("/bin/sh", "-c", "kill -9 $$").start()
    assert job.wait() == 0
    end = job.exit()
    assert (end["rc"], end["signal"], end["cause"], end["killed"]) == (-9, "SIGKILL", "exit", False)
    assert "SIGKILL" in end["message"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 160 MB that the job can fill."""
    place = tmp_path / "small"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if made.returncode != 0:
        pytest.skip("mounting a tmpfs needs root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_told_as_itself_and_the_log_is_there(job: Job, small_disk: Path) -> None:
    job.place = small_disk
    path = job.root / "fill.py"
    path.write_text("""
import os
print("step=1 loss=0.5", flush=True)
with open(os.path.join(os.environ["RUNCTL_CHECKPOINT_DIR"], "big.tmp"), "wb") as file:
    while True:
        file.write(bytes(1 << 20)); file.flush()
""")
    job.submit(sys.executable, str(path)).start()
    assert job.wait() == 0
    end = job.exit()
    assert end["cause"] == "disk"
    assert end["rc"] == 1
    assert b"step=1 loss=0.5" in job.log()
    assert b"No space left on device" in job.log()
