"""Commands of every temper under the shipped supervisor: what the record says afterwards is what happened."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from runctl.agent.spool import SEGMENT
from runctl.models import record
from tests.agent.conftest import Job, marked, until

PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
#: Ours, and the oldest that the supervisor promises to run under, where this machine has it.
PYTHONS = [sys.executable, *sorted(str(p) for p in PYENV.glob("versions/3.8.*/bin/python"))]


def _python(job: Job, text: str) -> list[str]:
    """A trainer as a file: its text in `ps` is not what the tests are about."""
    path = job.root / "train.py"
    path.write_text(text)
    return [sys.executable, "-u", str(path)]


@pytest.mark.parametrize("python", PYTHONS, ids=[Path(p).parts[-3] for p in PYTHONS])
@pytest.mark.parametrize("shell", ["/bin/bash", "/bin/dash"])
def test_a_shell_command_runs_is_measured_and_told_by_its_own_code(job: Job, shell: str, python: str) -> None:
    script = "for i in 1 2 3; do echo step=$i loss=0.$i; echo x > $RUNCTL_CHECKPOINT_DIR/step_$i.pt; done; exit 3"
    job.submit(shell, "-c", script).start(python=python)
    assert job.wait() == 0
    end = job.exit()
    assert (end["rc"], end["cause"], end["verified"], end["step"]) == (3, "exit", True, 3)
    assert job.log() == b"step=1 loss=0.1\nstep=2 loss=0.2\nstep=3 loss=0.3\n"
    assert end["log_bytes"] == len(job.log())
    assert end["newest_complete"]["id"] == "1/step_3.pt"
    assert job.kinds()[:3] == ["bootstrapping", "syncing", "started"]
    assert [k for k in job.kinds() if k != "checkpoint"][-2:] == ["process-ended", "finished"]
    assert job.state()["phase"] == "ENDED"


def test_a_trainer_that_saves_on_sigterm_ends_by_itself_and_its_checkpoint_is_in_the_record(job: Job) -> None:
    text = """
import os, signal, sys, time
def save(*_):
    open(os.path.join(os.environ["RUNCTL_CHECKPOINT_DIR"], "step_7.pt"), "w").write("late")
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
print("step=6 loss=0.5")
while True: time.sleep(0.1)
"""
    job.submit(*_python(job, text)).start()
    until(lambda: job.state().get("step") == 6, "the step is seen")
    job.control(desired="stop", reason="enough")
    assert job.wait() == 0
    end = job.exit()
    assert (end["rc"], end["cause"], end["stop_reason"], end["message"]) == (0, "stopped", "cancel", "enough")
    assert not end["killed"]
    assert record.newest_complete(job.index())["id"] == "1/step_7.pt"  # type: ignore[index]


def test_the_stop_file_is_enough_for_a_trainer_that_knows_no_signal(job: Job) -> None:
    text = """
import os, time
print("up")
while not os.path.exists(os.environ["RUNCTL_STOP_FILE"]): time.sleep(0.05)
print("saw the file")
"""
    job.submit(*_python(job, text), limits={"grace_s": 60.0}).start()
    until(lambda: b"up" in job.log(), "it runs")
    job.control(desired="stop")
    assert job.wait() == 0
    assert job.exit()["rc"] == 0
    assert b"saw the file" in job.log()


def test_a_trainer_that_ignores_sigterm_is_killed_after_its_grace_with_all_it_forked(job: Job) -> None:
    text = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.close(1); os.close(2)
        while True: time.sleep(0.1)
    os._exit(0)
print("up")
while True: time.sleep(0.1)
"""
    job.submit(*_python(job, text), limits={"grace_s": 0.5}).start()
    until(lambda: b"up" in job.log(), "it runs")
    job.control(desired="stop")
    assert job.wait() == 0
    end = job.exit()
    assert (end["rc"], end["signal"], end["killed"], end["stop_reason"]) == (-9, "SIGKILL", True, "cancel")
    assert "killed" in job.kinds()
    assert marked(job.id) == []


def test_what_outlives_the_command_is_ended_and_told(job: Job) -> None:
    text = """
import os, time
if os.fork() == 0:
    os.setsid()
    while True: time.sleep(0.1)
print("the leader ends")
"""
    job.submit(*_python(job, text)).start()
    assert job.wait() == 0
    assert job.exit()["rc"] == 0
    assert "leftovers" in job.kinds()
    assert marked(job.id) == []


def test_a_trainer_that_closes_its_output_is_still_attended(job: Job) -> None:
    text = """
import os, time
print("step=1 loss=1", flush=True)
os.close(1); os.close(2)
while not os.path.exists(os.environ["RUNCTL_STOP_FILE"]): time.sleep(0.05)
os._exit(5)
"""
    job.submit(*_python(job, text), limits={"grace_s": 60.0}).start()
    until(lambda: job.state().get("phase") == "RUNNING" and job.state().get("step") == 1, "it runs")
    seq = job.state()["seq"]
    until(lambda: job.state()["seq"] > seq + 1, "heartbeats go on")
    job.control(desired="stop")
    assert job.wait() == 0
    assert (job.exit()["rc"], job.log()) == (5, b"step=1 loss=1\n")


def test_thirty_megabytes_of_log_arrive_byte_for_byte(job: Job) -> None:
    text = """
import sys
import time
block = b"".join(b"%012d the quick brown fox jumps over the lazy dog, and once more\\n" % n for n in range(4000))
for n in range(110): sys.stdout.buffer.write(block)
"""
    job.submit(*_python(job, text)).start()
    assert job.wait() == 0
    block = b"".join(b"%012d the quick brown fox jumps over the lazy dog, and once more\n" % n for n in range(4000))
    assert len(block) * 110 > 30 << 20
    assert job.log() == block * 110


def test_killing_whoever_started_it_changes_nothing(job: Job) -> None:
    """The laptop's side dies at once, group and all; the supervisor has a session of its own."""
    script = "echo one; while [ ! -e $RUNCTL_STOP_FILE ]; do sleep 0.1; done; echo two"
    job.submit("/bin/sh", "-c", script, limits={"grace_s": 60.0}).start()
    until(lambda: b"one" in job.log(), "it runs")
    assert job.process is not None
    os.kill(job.process.pid, signal.SIGHUP)
    job.control(desired="stop")
    assert job.wait() == 0
    assert job.log() == b"one\ntwo\n"


def test_the_guard_writes_the_exit_of_a_supervisor_that_died(job: Job) -> None:
    script = "echo saved > $RUNCTL_CHECKPOINT_DIR/step_4.pt; echo before; sleep 600"
    job.submit("/bin/sh", "-c", script, checkpoints={"pattern": "*.pt", "stable_s": 3600.0}).start()
    until(lambda: b"before" in job.log(), "it runs")
    claim = job.json("claim.json")
    assert claim is not None
    os.kill(claim["pid"], signal.SIGKILL)
    assert job.wait() == 0
    end = job.exit()
    assert (end["rc"], end["cause"], end["verified"]) == (None, "supervisor", True)
    assert record.newest_complete(job.index())["id"] == "1/step_4.pt"  # type: ignore[index]
    assert job.log() == b"before\n"
    assert marked(job.id) == []


def test_sigterm_to_the_supervisor_is_a_shutdown(job: Job) -> None:
    job.submit("/bin/sh", "-c", "trap 'exit 9' TERM; echo up; while :; do sleep 0.1; done").start()
    until(lambda: b"up" in job.log(), "it runs")
    assert job.process is not None
    job.process.send_signal(signal.SIGTERM)
    assert job.wait() == 0
    assert (job.exit()["rc"], job.exit()["stop_reason"]) == (9, "shutdown")


def test_a_command_that_is_not_there_is_said_by_name(job: Job) -> None:
    job.submit("no-such-trainer", "--epochs", "3").start()
    assert job.wait() == 0
    assert job.exit()["rc"] == 127
    assert b"no-such-trainer: No such file or directory" in job.log()


def test_a_second_supervisor_of_the_same_attempt_leaves_at_once(job: Job) -> None:
    job.submit("/bin/sh", "-c", "echo up; while [ ! -e $RUNCTL_STOP_FILE ]; do sleep 0.1; done").start()
    until(lambda: b"up" in job.log(), "it runs")
    first = job.process
    job.start()
    assert job.wait() == 4
    job.process = first
    job.control(desired="stop")
    assert job.wait() == 0
    assert job.kinds().count("bootstrapping") == 1


def test_a_fenced_supervisor_kills_its_command_and_writes_no_more(job: Job) -> None:
    job.submit("/bin/sh", "-c", "echo up; trap '' TERM; while :; do sleep 0.1; done").start()
    until(lambda: b"up" in job.log(), "it runs")
    lease = {"v": 1, "job": job.id, "owner": "other", "fence": 2}
    job.store.put(record.lease_key(job.id), record.dump(lease), absent=True)
    assert job.wait() == 3
    assert marked(job.id) == []
    assert job.json("exit.json") is None
    before = job.kinds()
    assert "finished" not in before
    assert "stop-requested" not in before


def test_the_next_attempt_resumes_from_the_newest_whole_checkpoint_and_says_so(job: Job) -> None:
    text = """
import contextlib
import os
start = 0
given = os.environ.get("RUNCTL_RESUME_FROM")
if given: start = int(open(given).read())
for step in range(start + 1, start + 4):
    print(f"step={step} loss={1 / step}")
    open(os.path.join(os.environ["RUNCTL_CHECKPOINT_DIR"], f"step_{step}.pt"), "w").write(str(step))
raise SystemExit(0 if start else 1)
"""
    job.submit(*_python(job, text)).start()
    assert job.wait() == 0
    found = record.newest_complete(job.index())
    assert found is not None
    job.submit(attempt=2, launch={"resume_from": found["id"]}).start(2)
    assert job.wait() == 0
    assert job.exit(2)["rc"] == 0
    assert job.exit(2)["step"] == 6
    assert job.state(2)["resume"] == {"from": "1/step_3.pt", "step": 3, "first_step": 4, "verified": True}
    assert record.newest_complete(job.index())["id"] == "2/step_6.pt"  # type: ignore[index]
    assert job.index()["fence"] == 2


@pytest.mark.skipif("LONG_TESTS" not in os.environ, reason="600 MB of log; LONG_TESTS=1 runs it")
def test_a_hundred_megabytes_a_second_are_kept_byte_for_byte(job: Job) -> None:
    _shout(job, 600)


def test_a_command_that_shouts_is_kept_byte_for_byte(job: Job) -> None:
    _shout(job, 40)


def _shout(job: Job, megabytes: int) -> None:
    """Write so many MB at 100 MB/s, where this machine can; the disk never holds more than the bound."""
    text = f"""
import os, sys, time
line = bytes(range(33, 123)) + b"\\n"
block = (line * 12000)[: 1 << 20]
began = time.monotonic()
for n in range({megabytes}):
    view = memoryview(block)
    while view: view = view[os.write(1, view):]
    time.sleep(max(0.0, (n + 1) / 100 - (time.monotonic() - began)))
"""
    job.submit(*_python(job, text)).start()
    spool, most = job.work() / "run" / "log", 0
    while job.process is not None and job.process.poll() is None:
        for path in spool.glob("*.log"):
            with contextlib.suppress(OSError):
                most = max(most, path.stat().st_size)
        time.sleep(0.05)
    line = bytes(range(33, 123)) + b"\n"
    assert job.exit()["rc"] == 0
    assert job.log() == (line * 12000)[: 1 << 20] * megabytes
    assert most <= SEGMENT
    assert [p["what"] for p in job.state()["problems"]] == ["metrics-sampled"]
