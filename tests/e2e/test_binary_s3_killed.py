"""kill -9 of `s3 prune` and `s3 uploads abort` at each step: `cleanup apply PLAN-ID` does the rest, and nothing twice.

`ACT_KILLS=50` runs the long form: as many kills at random moments.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable

import pytest

from runctl import paths
from runctl.clock import SystemClock
from runctl.demo.cloud import DemoCloud
from runctl.services.jobs.record import JobRecord
from runctl.services.journal import Journal
from tests.e2e.binary import killed, runctl
from tests.e2e.test_binary_killed import journal_lines, plan_files, settle
from tests.services.buckets import begin_upload, keys, make_bucket, put, uploads
from tests.services.jobs.conftest import JOB
from tests.services.jobs.test_pruning import job, steps

__all__ = ["job"]

pytestmark = pytest.mark.e2e
KILLS = int(os.environ.get("ACT_KILLS", "0"))
BUCKET = "lab"
GOING = {f"ck/step-{n}/model.pt" for n in (1, 2, 3)}
STAYING = {"ck/step-4/model.pt", "ck/best.pt", "ck-archive/step-0/model.pt"}
PRUNE = ("s3", "prune", f"s3://{BUCKET}/ck", "--keep-last", "1", "--override", "younger-than", "--yes")
ABORT = ("s3", "uploads", "abort", f"s3://{BUCKET}/up/", "--override", "younger-than", "--yes")
OPERATION = {PRUNE: "DeleteObjects", ABORT: "AbortMultipartUpload"}


@pytest.fixture(autouse=True)
def _lab(cloud: DemoCloud) -> None:
    cloud.reset(fleet="empty")
    make_bucket(cloud, BUCKET)
    put(cloud, BUCKET, ["ck/best.pt"])
    put(cloud, BUCKET, sorted(GOING | STAYING))
    for name in ("up/a", "up/b", "up/c", "up-archive/d"):
        begin_upload(cloud, BUCKET, name)
    cloud.forget_calls()


def check_and_resume(cloud: DemoCloud, argv: tuple[str, ...]) -> None:
    operation = OPERATION[argv]
    settle(cloud, operation)
    cloud.faults.clear()
    sent = cloud.mutating_calls().get(("s3", operation, "us-east-1"), 0)
    assert sent <= len(Journal(paths.journal_file(), SystemClock()).entries()), "in the journal before it was sent"
    for plan in sorted(p.stem for p in paths.plans_dir().glob("plan-*.json")):
        ended = runctl("cleanup", "apply", plan, "--yes", "-o", "json")
        assert ended.code == 0, ended
        assert {r["outcome"] for r in ended.json()} == {"done"}
    if plan_files():
        assert keys(cloud, BUCKET) == (STAYING if argv == PRUNE else STAYING | GOING)
        assert uploads(cloud, BUCKET) == {"up-archive/d"} | (set() if argv == ABORT else {"up/a", "up/b", "up/c"})
    assert cloud.mutating_calls().get(("s3", operation, "us-east-1"), 0) <= 3, "nothing is sent twice"
    outcomes = {e.outcome for e in Journal(paths.journal_file(), SystemClock()).entries()}
    assert outcomes <= {"done", "unknown"}, "no entry stays open; unknown is what was never sent"


STEPS: dict[str, Callable[[], bool]] = {
    "the plan is saved": lambda: plan_files() == 1,
    "the first is being sent": lambda: journal_lines() == 1,
    "the second is being sent": lambda: journal_lines() == 3,
    "the third is being sent": lambda: journal_lines() == 5,
}


@pytest.mark.parametrize(
    ("argv", "step"), [*((PRUNE, s) for s in STEPS), (ABORT, "the second is being sent")], ids=lambda v: str(v)[:40]
)
def test_killed_at_each_step(cloud: DemoCloud, argv: tuple[str, ...], step: str) -> None:
    cloud.faults.add("latency", service="s3", operation=OPERATION[argv], seconds=0.4)
    assert killed(*argv, when=STEPS[step])
    check_and_resume(cloud, argv)


@pytest.mark.skipif(not KILLS, reason="the long form: ACT_KILLS=50")
@pytest.mark.parametrize("number", range(KILLS))
def test_killed_at_a_random_moment(cloud: DemoCloud, number: int) -> None:
    draw = random.Random(number)
    argv = draw.choice([PRUNE, ABORT])
    cloud.faults.add("latency", service="s3", operation=".*", seconds=draw.uniform(0.0, 0.2))
    moment = time.monotonic() + draw.uniform(0.2, 3.0)
    killed(*argv, when=lambda: time.monotonic() > moment)
    check_and_resume(cloud, argv)


def test_a_jobs_checkpoints_are_pruned_by_its_record_and_a_kill_leaves_nothing_half_done(
    cloud: DemoCloud, job: JobRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kill falls between the index, which says that it went, and the answer of the deletion."""
    monkeypatch.setenv("RUNCTL_JOBS_BUCKET", "records")
    monkeypatch.setenv("RUNCTL_OWNER", "zoe")
    argv = ("jobs", "checkpoints", JOB, "--prune", "--keep", "1", "--override", "younger-than")
    dry = runctl(*argv, "--dry-run", "-o", "json")
    assert [(r["name"], r["outcome"]) for r in dry.json()] == [("1/step-1", "planned"), ("1/step-3", "planned")]
    assert "1/step-2  (the best)" in dry.err
    assert runctl(*argv).code == 1, "nobody said yes"
    assert cloud.mutating_calls() == {}
    hung = cloud.faults.add("hang", service="s3", operation="DeleteObjects")
    assert killed(*argv, "--yes", when=lambda: bool(cloud.faults.hits(hung)))
    cloud.faults.clear()
    assert [c["id"] for c in job.index()["checkpoints"] if c["deleted_at"]] == ["1/step-1"]
    assert steps(cloud) == {f"step-{n}" for n in (1, 2, 3, 4, 5)}
    (plan,) = [p.stem for p in paths.plans_dir().glob("plan-*.json")]
    ended = runctl("cleanup", "apply", plan, "--yes", "-o", "json")
    assert (ended.code, [r["outcome"] for r in ended.json()]) == (0, ["done", "done"])
    assert steps(cloud) == {"step-2", "step-4", "step-5"}
    again = runctl(*argv, "--yes", "-o", "json")
    assert (again.code, again.json(), "nothing is old enough to go" in again.err) == (0, [], True)


def test_what_stays_is_said_and_a_dry_run_and_a_missing_yes_delete_nothing(cloud: DemoCloud) -> None:
    dry = runctl(*PRUNE[:-1], "--dry-run", "-o", "json")
    assert (dry.code, {r["outcome"] for r in dry.json()}) == (0, {"planned"})
    assert {r["name"] for r in dry.json()} == {"step-1", "step-2", "step-3"}
    assert "protected: its name says 'best'" in dry.err
    assert "last: number 1 of the newest 1" in dry.err
    asked = runctl(*PRUNE[:-1])
    assert (asked.code, "needs --yes without a terminal" in asked.err) == (1, True)
    assert runctl(*ABORT[:-1], "--dry-run").code == 0
    young = runctl(*[a for a in PRUNE if a not in ("--override", "younger-than")], "-o", "json")
    assert (young.code, {r["rule"] for r in young.json()}) == (1, {"younger-than"})
    assert cloud.mutating_calls() == {}
    assert keys(cloud, BUCKET) == GOING | STAYING
    nothing = runctl("s3", "prune", f"s3://{BUCKET}/nothing/", "--keep-last", "1", "-o", "json")
    assert (nothing.code, nothing.json(), "there is no checkpoint" in nothing.err) == (0, [], True)
