"""A trainer that learns nothing, and helpers to wait for what it does."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from runctl.clock import SystemClock
from runctl.services.jobs.look import Look
from runctl.services.jobs.providers.local import LocalProvider
from runctl.services.jobs.seen import Outcome
from runctl.services.jobs.service import Found, Jobs
from runctl.services.jobs.spec import build_job
from runctl.services.jobs.stores import LocalStore
from runctl.services.jobs.submit import Place, Submission, prepare, submit

T = TypeVar("T")
#: Steps at a pace; saves every ten and when it is told to stop; goes on from where it was.
TRAINER = """
import json, os, signal, sys, time
steps, pause = int(sys.argv[1]), float(sys.argv[2])
folder, came = os.environ["RUNCTL_CHECKPOINT_DIR"], os.environ.get("RUNCTL_RESUME_FROM")
first = json.load(open(came))["step"] + 1 if came else 1
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(1))
for step in range(first, steps + 1):
    print(f"step={step}/{steps} loss={1 / step:.6f}", flush=True)
    if step % 10 == 0 or told:
        with open(f"{folder}/part", "w") as file:
            json.dump({"step": step}, file)
        os.replace(f"{folder}/part", f"{folder}/step-{step:06d}.json")
    if told:
        sys.exit(0)
    time.sleep(pause)
"""


def open_local(root: Path, owner: str = "ana") -> Jobs:
    """Another client of the jobs below a directory."""
    provider = LocalProvider(root / "records", root / "work")
    here = {"local": provider}
    return Jobs({"local": LocalStore(root / "records")}, here, here, SystemClock(), owner)


def end_supervisors(work: Path) -> None:
    """Kill whatever still runs of the attempts below a directory."""
    for file in work.glob("*/*/supervisor.json"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(json.loads(file.read_text())["pid"], signal.SIGKILL)


def ready(jobs: Jobs, project: Path, *args: str, text: str = TRAINER, name: str = "train") -> Submission:
    """A trainer that is ready to be submitted."""
    project.mkdir(exist_ok=True)
    (project / f"{name}.py").write_text(text)
    job = build_job(
        {
            "script": f"{name}.py",
            "args": args,
            "provider": "local",
            "checkpoints": {"pattern": "step-*.json", "stable": "1s"},
            "limits": {"grace": "20s"},
        }
    )
    return prepare(jobs, job, Place(project, project.parent / "nobody", {}))


def start(jobs: Jobs, project: Path, *args: str, text: str = TRAINER) -> Found:
    """A trainer that is running, or will be in a moment."""
    made = ready(jobs, project, *args, text=text)
    assert not submit(jobs, made).problem
    return jobs.find(made.job.job)


def until(ask: Callable[[], T | None], *, seconds: float = 90.0, pause: float = 0.1) -> T:
    """What `ask` answers once it is true, asked every `pause` seconds."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(pause)
    return answer


def until_outcome(jobs: Jobs, found: Found, *wanted: Outcome) -> Look:
    """The look at which the job is one of these."""
    seen: list[Look] = []

    def there() -> bool:
        seen.append(jobs.look(found))
        return seen[-1].verdict.outcome in wanted

    until(there)
    return seen[-1]


def until_over(jobs: Jobs, found: Found) -> Look:
    """The look at which it is over."""
    return until_outcome(jobs, found, *(o for o in Outcome if o.over))
