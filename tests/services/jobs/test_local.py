"""Jobs on this computer under the real supervisor: submitted, followed, stopped, resumed, killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runctl.clock import FrozenClock, SystemClock
from runctl.errors import InputError
from runctl.models import record
from runctl.services.jobs import attempts
from runctl.services.jobs.attempts import Order
from runctl.services.jobs.follow import lines_of, read_curves, read_log, timeline
from runctl.services.jobs.look import row_of
from runctl.services.jobs.recover import sweep
from runctl.services.jobs.rows import Memory, Rows
from runctl.services.jobs.seen import Outcome
from runctl.services.jobs.service import Jobs
from runctl.services.jobs.stores import Blob, ConflictError, LocalStore
from tests.services.jobs.running import end_supervisors, open_local, ready, start, until, until_outcome, until_over


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    """A client; what it started is killed in the end."""
    yield open_local(tmp_path / "state")
    end_supervisors(tmp_path / "state" / "work")


def test_from_submit_to_success_everything_can_be_read_afterwards(jobs: Jobs, tmp_path: Path) -> None:
    found = start(jobs, tmp_path / "project", "40", "0.01")
    seen = until_over(jobs, found)
    assert (seen.verdict.outcome, seen.verdict.knowledge) == (Outcome.SUCCEEDED, "ended")
    log = b"".join(p.data for p in read_log(found.record, 1)).decode()
    assert log == "".join(f"step={n}/40 loss={1 / n:.6f}\n" for n in range(1, 41))
    assert [line.text for line in lines_of(read_log(found.record, 1))][-1] == "step=40/40 loss=0.025000"
    curve = read_curves(found.record, 1)
    assert (curve.points, curve.series["loss"][-1].step) == (40, 40)
    index = found.record.index()
    assert [c["step"] for c in index["checkpoints"] if c["complete"]][-1] == 40
    kinds = [m.kind for m in timeline(found.record.events())]
    assert kinds[:3] == ["submitted", "launching", "launched"]
    assert {"started", "checkpoint", "process-ended", "finished"} <= set(kinds)
    row = row_of(seen)
    assert (row.state, row.provider, row.step, row.total_steps, row.usd_so_far, row.exit_code) == (
        "SUCCEEDED", "local", 40, 40, 0.0, 0,
    )  # fmt: skip


def test_stop_saves_and_resume_goes_on_from_there(jobs: Jobs, tmp_path: Path) -> None:
    found = start(jobs, tmp_path / "project", "100000", "0.02")
    until(lambda: jobs.look(found).seen.state and (jobs.look(found).seen.state or {}).get("step"))
    with pytest.raises(InputError, match="is RUNNING"):
        jobs.go_on(found, cause="resume")
    jobs.stop(found, "enough for today")
    stopped = until_over(jobs, found)
    assert (stopped.verdict.outcome, stopped.verdict.reason) == (Outcome.CANCELLED, "enough for today")
    saved = found.record.newest_checkpoint()
    assert saved is not None
    assert saved["step"] == (stopped.seen.exit or {})["step"]
    with pytest.raises(InputError, match="already"):
        jobs.stop(found, "again")
    assert not jobs.go_on(found, cause="resume").problem
    until_outcome(jobs, found, Outcome.RUNNING)
    resumed = until(lambda: (jobs.look(found).seen.state or {}).get("resume"))
    first = until(lambda: ((jobs.look(found).seen.state or {}).get("resume") or {}).get("first_step"))
    assert resumed["from"] == saved["id"]
    assert first == (saved["step"] or 0) + 1
    assert until(lambda: ((jobs.look(found).seen.state or {}).get("resume") or {}).get("verified")) is True
    jobs.stop(found, "done")
    assert until_over(jobs, found).seen.attempt == 2


def test_what_nobody_knows_the_price_of_is_not_begun_as_free(jobs: Jobs, tmp_path: Path) -> None:
    found = start(jobs, tmp_path / "project", "3", "0.01")
    until_over(jobs, found)
    attempts.begin(found.record, jobs.provider(found), found.spec, Order(2, "retry", spent_usd=None))
    assert (found.record.launch(2) or {})["spent_usd"] is None
    until_over(jobs, found)


def test_what_is_left_of_a_job_hides_no_other_by_its_name(jobs: Jobs, tmp_path: Path) -> None:
    found = start(jobs, tmp_path / "project", "3", "0.01")
    until_over(jobs, found)
    later = record.job_id(4_000_000_000_000, b"0123456789")
    found.record.store.put(record.lease_key(later), b"{}")
    assert jobs.find(str(found.spec["name"])).record.job == found.record.job


class _Meddled(LocalStore):
    """A directory in which somebody does something right before an object is written."""

    def __init__(self, root: Path, ending: str, meddle: Callable[[], object]) -> None:
        super().__init__(root)
        self._ending, self._meddle = ending, meddle

    def put(self, key: str, body: bytes, *, absent: bool = False, match: str = "") -> str:
        if key.endswith(self._ending):
            self._ending = "\0"
            self._meddle()
        return super().put(key, body, absent=absent, match=match)


@pytest.mark.parametrize("stopped_before", [False, True])
@pytest.mark.parametrize("moment", ["lease.json", "0002/launch.json"])
def test_a_stop_that_comes_while_another_client_resumes_is_not_lost(
    jobs: Jobs, tmp_path: Path, moment: str, stopped_before: bool
) -> None:
    """Before the attempt is written down it is not started; from then on it is what the attempt reads first."""
    made = ready(jobs, tmp_path / "project", "100000", "0.02")
    job = made.job
    assert made.archive is not None
    job.store.put(record.code_key(made.archive.sha256), made.archive.data)
    job.create(made.spec)
    job.take_lease(fence=1)
    job.write_launch({"v": 1, "job": job.job, "attempt": 1, "at": job.now(), "spent_usd": 0.0})
    end: dict[str, Any] = {"v": 1, "at": job.now(), "rc": 0, "stop_reason": "spot-notice", "verified": True}
    job.store.put(record.attempt_key(job.job, 1, "exit.json"), record.dump(end))
    if stopped_before:
        jobs.stop(jobs.find(job.job), "an earlier one")

    def stop() -> None:
        job.change_control(lambda control: {**control, "desired": "stop", "reason": "enough"})

    slow = replace(jobs, stores={"local": _Meddled(tmp_path / "state" / "records", moment, stop)})
    early = pytest.raises(ConflictError, match="meanwhile somebody asked for its stop")
    with early if moment == "lease.json" else contextlib.nullcontext():
        slow.go_on(slow.find(job.job), cause="retry", fresh=True)
    assert job.control()["reason"] == "enough"
    over = until_over(jobs, jobs.find(job.job))
    assert over.verdict.outcome is Outcome.CANCELLED
    assert (over.seen.attempt, (over.seen.state or {}).get("step")) == (1 if moment == "lease.json" else 2, None)


def test_of_two_clients_that_resume_at_once_one_wins(jobs: Jobs, tmp_path: Path) -> None:
    found = start(jobs, tmp_path / "project", "20", "0.01")
    until_over(jobs, found)
    results: list[str] = []
    gate = threading.Barrier(2)

    def race(owner: str) -> None:
        client = open_local(tmp_path / "state", owner)
        mine = client.find(found.record.job)
        gate.wait()
        try:
            client.go_on(mine, cause="retry", fresh=True)
        except (ConflictError, InputError) as error:
            results.append(type(error).__name__)
        else:
            results.append("started")

    threads = [threading.Thread(target=race, args=(n,)) for n in ("ana", "ben")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results)[-1] == "started"
    assert results.count("started") == 1
    assert until_over(jobs, found).seen.attempt == 2
    assert found.record.attempts() == (1, 2)


def test_a_supervisor_that_was_killed_is_a_failure_not_a_mystery(jobs: Jobs, tmp_path: Path) -> None:
    found = start(jobs, tmp_path / "project", "100000", "0.02")
    until(lambda: (jobs.look(found).seen.state or {}).get("pid"))
    trainer = (jobs.look(found).seen.state or {})["pid"]
    assert trainer is not None
    said = json.loads((tmp_path / "state" / "work" / found.record.job / "1" / "supervisor.json").read_text())
    os.killpg(said["pid"], signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(trainer, signal.SIGKILL)
    seen = until_over(jobs, found)
    assert seen.verdict.outcome is Outcome.FAILED
    assert "supervisor" in seen.verdict.reason


def test_a_client_killed_before_the_start_is_repeated_by_the_next(jobs: Jobs, tmp_path: Path) -> None:
    made = ready(jobs, tmp_path / "project", "10", "0.01")
    archive = made.archive
    assert archive is not None
    made.job.store.put(record.code_key(archive.sha256), archive.data, absent=True)
    made.job.create(made.spec)  # and here it died
    other = open_local(tmp_path / "state", "ben")
    assert [d.did for d in sweep(other)] == ["none"]  # it may still be at it
    other.clock = FrozenClock(datetime.now(UTC) + timedelta(minutes=3))
    did = [d.did for d in sweep(other)]
    assert did == ["relaunched"]
    found = other.find(made.job.job)
    assert until_over(other, found).verdict.outcome is Outcome.SUCCEEDED
    assert [d.did for d in sweep(other)] == ["none"]
    assert found.record.attempts() == (1,)


#: What one look at a running job may read.
_READ = {
    "spec.json",
    "lease.json",
    "control.json",
    "launch.json",
    "state.json",
    "exit.json",
    "curve.json",
}


class _Counting(LocalStore):
    """Keeps the keys that are read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.read: list[str] = []

    def fetch(self, key: str) -> Blob:
        self.read.append(key)
        return super().fetch(key)


def test_rows_read_what_may_change_and_remember_what_is_over(jobs: Jobs, tmp_path: Path) -> None:
    done = start(jobs, tmp_path / "project", "5", "0.01")
    until_over(jobs, done)
    until(lambda: jobs.look(done).verdict.resource == "none")
    running = start(jobs, tmp_path / "project", "100000", "0.05")
    until_outcome(jobs, running, Outcome.RUNNING)

    def rows(store: LocalStore) -> Rows:
        memory = Memory(tmp_path / "cache/jobs.sqlite3")
        here = jobs.watchers["local"].here
        return Rows({"local": store}, machines=None, here=here, memory=memory, clock=SystemClock())

    first = _Counting(tmp_path / "state/records")
    assert [r.state for r in rows(first).list()] == ["RUNNING", "SUCCEEDED"]
    second = _Counting(tmp_path / "state/records")
    listed = rows(second).list()
    assert [(r.id, r.state, r.name) for r in listed] == [
        (running.record.job, "RUNNING", "train"),
        (done.record.job, "SUCCEEDED", "train"),
    ]
    assert any(done.record.job in key for key in first.read)
    assert not any(done.record.job in key for key in second.read)  # it is over, and remembered
    assert len(second.read) == len(set(second.read))  # each object of the running one once
    assert {Path(key).name for key in second.read} <= _READ, second.read
    (tmp_path / "cache/jobs.sqlite3").write_bytes(b"no database")
    assert [r.state for r in rows(_Counting(tmp_path / "state/records")).list()] == ["RUNNING", "SUCCEEDED"]
    jobs.stop(running, "over")
    until_over(jobs, running)


def test_jobs_are_found_by_id_beginning_or_name(jobs: Jobs, tmp_path: Path) -> None:
    found = start(jobs, tmp_path / "project", "5", "0.01")
    job = found.record.job
    assert {jobs.find(t).record.job for t in (job, job.lower(), job[:12], "train")} == {job}
    with pytest.raises(InputError, match="no job 'absent'"):
        jobs.find("absent")
    until_over(jobs, found)
