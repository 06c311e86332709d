"""The Jobs screen over records that the code of records wrote: three things are three, and few objects are read."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from runctl.config import Settings
from runctl.config.settings import JobSettings
from runctl.errors import CallSite, DeniedError
from runctl.models.job import Job
from runctl.screens.job_cells import loss_words, money_cell, resource_words, safety_cell, short_count, step_words
from runctl.services.jobs.stores import Blob, LocalStore
from runctl.store.fields import Context
from tests.screens.driving import Driver, running
from tests.screens.fleet import NOW
from tests.screens.job_records import NAMES, RecordedBackend, write_jobs

JOB = Job("01JDQ5V7N8R2X4T6W9Y0ABCDEF", "vit", "RUNNING", "running", knowledge="live", usd_per_hour=3.06)
HERE = Context(NOW)


def words(cell: tuple[tuple[str, str], ...]) -> str:
    return "".join(text for text, _ in cell)


@pytest.mark.parametrize(
    ("change", "safe"),
    [
        ({"at_risk_s": 0.0}, "yes"),
        ({"at_risk_s": 360.0}, "▲ loses 6m $0.31"),
        ({"at_risk_s": 360.0, "usd_per_hour": None}, "▲ loses 6m"),
        ({"at_risk_s": None}, "?"),
        ({"state": "SUCCEEDED"}, "machine on $3.06/h"),
        ({"state": "FAILED", "exit_code": 1}, "machine on $3.06/h · exit 1"),
        ({"state": "FAILED", "exit_code": 1, "resource_state": "terminated"}, "exit 1"),
        ({"state": "SUCCEEDED", "resource_state": "none"}, "-"),
        ({"state": "UNKNOWN", "knowledge": "last seen 41m ago"}, "last seen 41m ago"),
        ({"state": "RECOVERING", "reason": "zone b full, trying c"}, "zone b full, trying c"),
        ({"state": "RUNNING", "knowledge": "tags only"}, "tags only"),
        ({"state": "SUCCEEDED", "provider": "local"}, "-"),
    ],
)
def test_whether_it_would_survive_an_interruption_now(change: dict[str, object], safe: str) -> None:
    assert words(safety_cell(replace(JOB, **change), HERE)) == safe  # type: ignore[arg-type]  # fields of Job


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"state": "SUCCEEDED"}, "machine still on $3.06/h"),
        ({"state": "SUCCEEDED", "usd_per_hour": None}, "machine still on $?/h"),
        ({}, "machine running $3.06/h"),
        ({"resource_state": "stopped"}, "machine stopped"),
        ({"resource_state": "not-found"}, "machine gone"),
        ({"resource_state": "none"}, "no machine"),
        ({"resource_state": "?"}, "machine not known"),
        ({"provider": "local"}, "this computer"),
    ],
)
def test_the_machine_is_a_thing_of_its_own(change: dict[str, object], said: str) -> None:
    assert resource_words(replace(JOB, **change), HERE) == said  # type: ignore[arg-type]  # fields of Job


def test_numbers_in_few_cells_and_unknown_is_never_nothing() -> None:
    assert [short_count(n) for n in (812, 5000, 41_200, 80_000, 1_500_000, 20_001)] == [
        "812", "5,000", "41.2k", "80k", "1.5M", "20,001",
    ]  # fmt: skip
    assert step_words(JOB) == "?"
    assert step_words(replace(JOB, step=41_200, total_steps=80_000)) == "41,200/80k"
    assert words(money_cell(JOB, HERE)) == "?→?"
    assert words(money_cell(replace(JOB, usd_so_far=1700.0, usd_to_finish=1700.0), HERE)) == "$1.7k→$3.4k"
    assert words(money_cell(replace(JOB, usd_so_far=0.9, state="FAILED"), HERE)) == "$0.90"
    assert loss_words(JOB) == "?"
    assert loss_words(replace(JOB, trend=(1.0, None), trend_of="loss", metrics={"lr": 1.0})) == "nan"


async def _listed(driver: Driver) -> str:
    await driver.press("2")
    await driver.until(lambda: NAMES["starting"] in driver.screen(), "for the rows")
    return driver.screen()


async def test_rows_say_outcome_resource_and_knowledge(tmp_path: Path) -> None:
    write_jobs(tmp_path / "records")
    async with running(size=(200, 30), backend=lambda p: RecordedBackend(tmp_path, p)) as driver:
        await _listed(driver)
        rows = {name: next(x for x in driver.lines() if f" {name} " in x.partition("│")[0]) for name in NAMES.values()}
        assert "RUNNING" in rows["llama-7b"]
        assert "12,000/20k" in rows["llama-7b"]
        assert "▲ loses 6m $0.04" in rows["llama-7b"]
        assert "machine on $0.41/h ·" in rows["gpt-toy"]
        assert "SUCCEEDED" in rows["vit-small"]
        assert "INTERRUPTED" in rows["bert-x"]
        assert "data 1.2 of 3.1 GiB" in rows["clip-ft"]
        names = [line.split()[1] for line in driver.lines() if line[1:2] in "●◐✕"]
        assert names.index("llama-7b") < names.index("bert-x") < names.index("gpt-toy") < names.index("vit-small")


class CountingStore(LocalStore):
    """A directory that remembers who read what."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.reads: list[str] = []
        self.threads: set[str] = set()

    def fetch(self, key: str) -> Blob:
        self.reads.append(key)
        self.threads.add(threading.current_thread().name)
        return super().fetch(key)


async def test_records_are_read_off_the_ui_thread_and_what_is_over_only_once(tmp_path: Path) -> None:
    write_jobs(tmp_path / "records")
    made: list[tuple[RecordedBackend, CountingStore]] = []

    def backend(profile: str | None) -> RecordedBackend:
        cloud = RecordedBackend(tmp_path, profile)
        store = CountingStore(tmp_path / "records")
        cloud._listing._stores = {"ec2": store}
        made.append((cloud, store))
        return cloud

    async with running(backend=backend) as driver:
        await _listed(driver)
        cloud, store = made[0]
        assert threading.main_thread().name not in store.threads
        by_job = Counter(key.split("/")[2] for key in store.reads)
        assert max(by_job.values()) <= 8
        assert not [k for k in store.reads if "/log/" in k or "/events/" in k or "/metrics/" in k]
        store.reads.clear()
        asked = cloud.calls.count("list_jobs")
        await driver.press("r")
        await driver.until(lambda: cloud.calls.count("list_jobs") > asked and store.reads)
        await driver.until(lambda: len({k.split("/")[2] for k in store.reads}) >= 4)
        again = Counter(key.split("/")[2] for key in store.reads)
        settled = set(by_job) - set(again)
        assert len(settled) == 1  # the finished one; the failed one's machine still runs


async def test_without_a_bucket_the_empty_screen_says_what_to_set(tmp_path: Path) -> None:
    def backend(profile: str | None) -> RecordedBackend:
        cloud = RecordedBackend(tmp_path, profile)
        cloud.instances = ()
        return cloud

    async with running(backend=backend, wait=False) as driver:
        await driver.press("2")
        await driver.until(lambda: "jobs.bucket" in driver.screen())
        assert "no machine in us-east-1 carries a runctl:job tag" in driver.screen()
        assert "--provider local" in driver.screen()
    settings = Settings(jobs=JobSettings(bucket="acme-jobs"))
    async with running(backend=backend, wait=False, settings=settings) as driver:
        await driver.press("2")
        await driver.until(lambda: "s3://acme-jobs has no record" in driver.screen())


async def test_a_bucket_that_may_not_be_listed_is_not_an_empty_one(tmp_path: Path) -> None:
    def backend(profile: str | None) -> RecordedBackend:
        cloud = RecordedBackend(tmp_path, profile)
        cloud.instances = ()
        site = CallSite("s3", "ListObjectsV2", "us-east-1", "AccessDenied")
        cloud.errors["list_jobs"] = DeniedError("Access Denied", site, hint="ask for s3:ListBucket")
        return cloud

    async with running(backend=backend, wait=False) as driver:
        await driver.press("2")
        await driver.until(lambda: "not allowed: s3:ListObjectsV2" in driver.screen())
        assert "carries a runctl:job tag" not in driver.screen()
