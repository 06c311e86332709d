"""A newcomer's first job, on this computer, through the real binary; nothing of AWS is needed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runctl import paths
from tests.e2e.binary import BINARY, Ended, runctl
from tests.services.jobs.running import TRAINER, until

pytestmark = pytest.mark.e2e


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project with a trainer; supervisors are killed in the end."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "train.py").write_text(TRAINER)
    (folder / "job.toml").write_text(
        'name = "vit"\nprovider = "local"\n[checkpoints]\npattern = "step-*.json"\nstable = "1s"\n'
    )
    yield folder
    for file in (paths.local_jobs_dir() / "work").glob("*/*/supervisor.json"):
        try:
            os.killpg(json.loads(file.read_text())["pid"], signal.SIGKILL)
        except ProcessLookupError:
            continue


def _submit(project: Path, *args: str) -> str:
    done = runctl(
        "jobs", "submit", str(project / "train.py"), "--spec", str(project / "job.toml"), "--yes", "--", *args
    )
    assert done.code == 0, done.err
    return done.out.strip()


def _state(job: str) -> str:
    return str(runctl("jobs", "show", job, "-o", "json").json()["state"])


def test_submit_follow_read_and_look_into(project: Path) -> None:
    job = _submit(project, "30", "0.01")
    log = runctl("jobs", "logs", "-f", job)
    assert log.out == "".join(f"step={n}/30 loss={1 / n:.6f}\n" for n in range(1, 31))
    assert "SUCCEEDED" in log.err
    shown = runctl("jobs", "show", "vit", "-o", "json").json()
    assert (shown["id"], shown["state"], shown["step"], shown["usd_so_far"]) == (job, "SUCCEEDED", 30, 0.0)
    assert [e["kind"] for e in shown["events"]][:3] == ["submitted", "launching", "launched"]
    metrics = runctl("jobs", "metrics", job, "-o", "json").json()
    assert [p["step"] for p in metrics["loss"]] == list(range(1, 31))
    assert runctl("jobs", "logs", job, "--tail", "2").out.count("\n") == 2
    inside = runctl("jobs", "checkpoints", job, "--inspect", "newest", "-o", "json").json()
    assert inside["contents"][0]["facts"] == {"step": "30", "keys": "1"}
    listed = runctl("jobs", "list", "-o", "json")
    assert [(j["id"], j["state"]) for j in listed.json()] == [(job, "SUCCEEDED")]
    assert "only jobs of this computer" in listed.err


def test_stop_waits_for_the_save_and_resume_goes_on(project: Path, tmp_path: Path) -> None:
    job = _submit(project, "100000", "0.02")
    until(lambda: runctl("jobs", "logs", job).out)
    refused = runctl("jobs", "stop", job)
    assert refused.code == 1
    assert "--yes" in refused.err
    stopped = runctl("jobs", "stop", job, "--wait", "--yes", "-o", "json").json()[0]
    assert (stopped["id"], stopped["action"], stopped["outcome"]) == (job, "stop", "done")
    assert "CANCELLED" in stopped["reason"]
    assert "saved 1/step-" in stopped["reason"]
    pulled = runctl("jobs", "checkpoints", job, "--pull", "newest", "--to", str(tmp_path / "got"))
    step = json.loads(Path(pulled.out.strip()).read_text())["step"]
    assert runctl("jobs", "resume", job, "--dry-run").out.startswith("planned")
    assert runctl("jobs", "resume", job, "--yes").code == 0
    until(lambda: f"step={step + 1}/" in runctl("jobs", "logs", job).out)
    assert runctl("jobs", "resume", job, "--yes").code == 1  # it runs
    runctl("jobs", "stop", job, "--wait", "--yes")
    pruned = runctl("jobs", "checkpoints", job, "--prune", "--keep", "1", "--yes", "-o", "json")
    assert pruned.code == 0
    left = [c for c in runctl("jobs", "checkpoints", job, "-o", "json").json() if c["deleted_at"] is None]
    assert len(left) <= 2


def test_what_could_not_be_saved_in_time_is_said_by_name(project: Path) -> None:
    """A file stands where the directory of outputs should be made: its upload fails until the time for it is over."""
    (project / "train.py").write_text("""
import os
open("result.txt", "w").write("the result")
open(os.environ["BLOCK"].format(os.environ["RUNCTL_JOB"]), "w").write("in the way")
""")
    with (project / "job.toml").open("a") as file:
        place = paths.local_jobs_dir() / "records" / "runctl" / "jobs" / "{}" / "outputs"
        file.write(f'[limits]\nupload = "1s"\n[env]\nBLOCK = "{place}"\n')
    done = runctl(
        "jobs", "submit", "--spec", str(project / "job.toml"), "--outputs", "*.txt", "--yes", str(project / "train.py")
    )
    assert done.code == 0, done.err
    job = done.out.strip()
    until(lambda: _state(job) == "FAILED")
    shown = runctl("jobs", "show", job)
    state, saved = (next(x for x in shown.out.splitlines() if x.startswith(word)) for word in ("state", "saved"))
    assert "upload: ended with 0, but 1 file is not saved: result.txt" in state
    assert "NOT 1" in saved
    assert "NOT SAVED\n  result.txt: " in shown.out
    assert "finished" in shown.out.partition("events")[2]
    assert "; NOT saved: result.txt" in shown.out.partition("events")[2]
    end = runctl("jobs", "show", job, "-o", "json").json()["exit"]
    assert (end["rc"], end["verified"], [m["path"] for m in end["missing"]]) == (0, False, ["result.txt"])


def test_a_closed_terminal_and_a_killed_client_end_no_job(project: Path) -> None:
    job = _submit(project, "100000", "0.02")
    follower = subprocess.Popen(
        [str(BINARY), "jobs", "logs", "-f", job], stdout=subprocess.PIPE, start_new_session=True
    )
    assert follower.stdout is not None
    follower.stdout.readline()
    os.killpg(follower.pid, signal.SIGKILL)
    follower.wait()
    time.sleep(0.2)
    assert _state(job) == "RUNNING"
    assert runctl("jobs", "stop", job, "--wait", "--yes").code == 0


def _an_hour_passes(root: Path) -> None:
    """What was written a moment ago was written an hour ago: nobody is at it any more."""
    times = {"spec.json": ("created_at",), "lease.json": ("at", "expires_at"), "launch.json": ("at",)}
    for name, fields in times.items():
        for file in root.rglob(name):
            value = json.loads(file.read_text())
            file.write_text(json.dumps(value | {f: value[f] - 3600 for f in fields}))


def test_a_client_killed_while_it_submits_leaves_one_job_and_watch_takes_it_up(project: Path) -> None:
    """Killed as soon as each object is there: at most one job of each, and what was cut off is done an hour later."""
    argv = [str(BINARY), "jobs", "submit", str(project / "train.py"), "--spec", str(project / "job.toml"), "--yes"]
    root = paths.local_jobs_dir()
    marks = ("*.tar.gz", "spec.json", "lease.json", "launch.json", "supervisor.json")
    for mark in marks:
        before = set(root.rglob(mark))
        client = subprocess.Popen([*argv, "--", "5", "0.01"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while client.poll() is None and set(root.rglob(mark)) <= before:
            time.sleep(0.001)
        client.kill()
        client.wait()
    _an_hour_passes(root / "records")
    assert runctl("watch", "--rounds", "1", "--yes").code == 0

    def listed() -> list[tuple[str, int]]:
        return [(j["state"], j["attempt"]) for j in runctl("jobs", "list", "-o", "json").json()]

    until(lambda: {state for state, _ in listed()} == {"SUCCEEDED"}, pause=0.5)
    jobs = listed()
    assert len(marks) - 1 <= len(jobs) <= len(marks)
    assert set(jobs) == {("SUCCEEDED", 1)}


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("submit", "absent.py", "--provider", "local", "--yes"), "no such file"),
        (("submit", "--provider", "local", "--yes"), "nothing to run"),
        (("submit", "x.py", "--ttl", "8", "--yes"), "--ttl: limits.ttl: 8 what?"),
        (("submit", "x.py", "--secret", "A=hunter2", "--yes"), "a secret is named, never written"),
        (("submit", "x.py", "--data", "here", "--yes"), "write s3://bucket/prefix/=directory"),
        (("logs", "nothing"), "no job 'nothing'"),
        (("logs", "nothing", "--offset", "-3"), "is not a number of bytes"),
        (("resume",), "the following arguments are required: JOB"),
    ],
)
def test_bad_input_is_named_and_ends_with_1(argv: tuple[str, ...], said: str) -> None:
    done: Ended = runctl("jobs", *argv)
    assert done.code == 1
    assert said in done.err
    assert "hunter2" not in done.err
