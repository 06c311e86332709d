"""Checkpoints of a job's record in S3, pruned through the door: the index is asked again before each one goes."""

from __future__ import annotations

from typing import Any

import pytest

from runctl.clock import SystemClock
from runctl.demo.cloud import DemoCloud
from runctl.models import record
from runctl.models.plan import Outcome, Plan, Rule, Verb
from runctl.services.actions import Actions
from runctl.services.jobs.pruning import checkpoints_of
from runctl.services.jobs.record import JobRecord
from runctl.services.jobs.stores import BucketStore
from tests.services.buckets import keys, make_bucket, put
from tests.services.doors import open_door
from tests.services.jobs.conftest import JOB

BUCKET = "records"
PARAMETERS: dict[str, Any] = {"job": JOB, "bucket": BUCKET, "keep": 1}
NEW = frozenset({Rule.YOUNGER_THAN})
BELOW = record.job_prefix(JOB) + "checkpoints/0001/"


@pytest.fixture
def job(cloud: DemoCloud) -> JobRecord:
    """A job of zoe's with four complete checkpoints of two files, the second the best, and one half uploaded."""
    cloud.reset(fleet="empty")
    make_bucket(cloud, BUCKET)
    door = open_door()
    assert door.ground.s3 is not None
    made = JobRecord(BucketStore(door.ground.s3.client, BUCKET, None), JOB, SystemClock(), "zoe")  # type: ignore[arg-type]  # nothing is fetched
    made.store.put(record.spec_key(JOB), record.dump({"v": 1, "job": JOB, "owner": "zoe"}))
    index(made, [entry(cloud, n) for n in (1, 2, 3, 4)] + [entry(cloud, 5, complete=False)], best="1/step-2")
    cloud.forget_calls()
    return made


def entry(cloud: DemoCloud, step: int, **more: Any) -> dict[str, Any]:
    names = [f"step-{step}/{part}" for part in ("model.pt", "optimizer.pt")]
    put(cloud, BUCKET, [BELOW + n for n in names])
    files = [{"path": n, "key": f"checkpoints/0001/{n}", "bytes": 10} for n in names]
    return {
        "id": f"1/step-{step}", "name": f"step-{step}", "attempt": 1, "step": step, "bytes": 20, "files": files,
        "made_at": float(step), "complete": True, "deleted_at": None,
    } | more  # fmt: skip


def index(job: JobRecord, entries: list[dict[str, Any]], best: str | None) -> None:
    value = {"v": 1, "job": JOB, "fence": 1, "checkpoints": entries, "best": best}
    job.store.put(record.index_key(JOB), record.dump(value))


def pruning(door: Actions) -> Plan:
    found = checkpoints_of(door.ground, PARAMETERS)
    return door.draft_on(Verb.PRUNE, [c for c in found if not c.stays], PARAMETERS, NEW)


def steps(cloud: DemoCloud) -> set[str]:
    return {k.removeprefix(BELOW).partition("/")[0] for k in keys(cloud, BUCKET) if k.startswith(BELOW)}


def test_old_ones_go_the_best_the_newest_and_the_unfinished_stay(cloud: DemoCloud, job: JobRecord) -> None:
    door = open_door()
    stays = {c.name: c.stays for c in checkpoints_of(door.ground, PARAMETERS)}
    assert stays == {
        "1/step-1": "", "1/step-2": "the best", "1/step-3": "", "1/step-4": "one of the newest 1",
        "1/step-5": "it is not complete",
    }  # fmt: skip
    done = door.apply(pruning(door))
    assert [(r.item.name, r.outcome) for r in done.results.values()] == [
        ("1/step-1", Outcome.DONE), ("1/step-3", Outcome.DONE),
    ]  # fmt: skip
    assert steps(cloud) == {"step-2", "step-4", "step-5"}
    gone = [c["id"] for c in job.index()["checkpoints"] if c["deleted_at"] is not None]
    assert gone == ["1/step-1", "1/step-3"]
    assert [e["message"] for e in job.events()] == ["1/step-1", "1/step-3"]
    assert {e.verb for e in door.ground.journal.entries()} == {"prune"}


def test_what_became_the_best_since_the_plan_stays(cloud: DemoCloud, job: JobRecord) -> None:
    door = open_door()
    plan = pruning(door)
    job.change_index(lambda i: i | {"best": "1/step-1"})
    done = {r.item.name: r.rule for r in door.apply(plan).results.values()}
    assert done == {"1/step-1": Rule.CHANGED, "1/step-3": None}
    assert steps(cloud) == {"step-1", "step-2", "step-4", "step-5"}


def test_another_owners_job_keeps_its_checkpoints(cloud: DemoCloud, job: JobRecord) -> None:
    job.store.put(record.spec_key(JOB), record.dump({"v": 1, "job": JOB, "owner": "mallory"}))
    done = open_door().apply(pruning(open_door()))
    assert {r.rule for r in done.results.values()} == {Rule.OTHER_OWNER}
    assert len(steps(cloud)) == 5


def test_marked_but_not_deleted_by_a_killed_run_goes_and_shared_files_stay(cloud: DemoCloud, job: JobRecord) -> None:
    shared = entry(cloud, 4)["files"][0]

    def killed(value: Any) -> Any:
        first = value["checkpoints"][0]
        first["deleted_at"] = 5.0
        first["files"].append(shared)
        return value

    job.change_index(killed)
    door = open_door()
    assert [c.name for c in checkpoints_of(door.ground, PARAMETERS) if not c.stays] == ["1/step-1", "1/step-3"]
    door.apply(pruning(door))
    assert steps(cloud) == {"step-2", "step-4", "step-5"}
    assert {k for k in keys(cloud, BUCKET) if "step-4" in k} == {
        BELOW + f"step-4/{n}.pt" for n in ("model", "optimizer")
    }
