"""Python's collector stays out while an answer is read, and is what it was afterwards."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest

from benchmarks.canned import Canned
from runctl.services.aws.collector import uncollected
from tests.services.aws.test_wire import at_canned, backend


@pytest.fixture(autouse=True)
def _collector_as_before() -> Iterator[None]:
    before = gc.isenabled()
    yield
    (gc.enable if before else gc.disable)()


@pytest.mark.parametrize("before", [True, False])
def test_the_last_reader_leaves_the_collector_as_the_first_found_it(before: bool) -> None:
    (gc.enable if before else gc.disable)()
    with uncollected():
        with uncollected():
            assert not gc.isenabled()
        assert not gc.isenabled(), "another one still reads"
    assert gc.isenabled() is before


def test_a_reader_that_fails_and_readers_side_by_side_count_too() -> None:
    gc.enable()
    inside, leave = threading.Barrier(3), threading.Barrier(3)

    def read() -> None:
        with uncollected():
            inside.wait(20)
            leave.wait(20)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    inside.wait(20)
    assert not gc.isenabled()
    leave.wait(20)
    for thread in threads:
        thread.join(20)
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), uncollected():
        raise ZeroDivisionError
    assert gc.isenabled()


def test_what_was_turned_on_meanwhile_stays_on() -> None:
    """As at the end of the head start, while the first page is read."""
    gc.disable()
    with uncollected():
        gc.enable()
    assert gc.isenabled()


def test_a_page_of_a_thousand_machines_is_read_with_few_collections(monkeypatch: pytest.MonkeyPatch) -> None:
    gc.enable()
    seen: list[int] = []

    def count(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            seen.append(info["generation"])

    with at_canned(monkeypatch, Canned(machines=1200)):
        asked = backend(quick=True)
        assert len(list(asked.list_instances("us-east-1"))) == 2
        gc.collect()
        gc.callbacks.append(count)
        try:
            machines = [m for page in asked.list_instances("us-east-1") for m in page]
        finally:
            gc.callbacks.remove(count)
    assert len(machines) == 1200
    # Some two hundred thousand elements: at the usual threshold of 700 they would be two hundred collections.
    assert len(seen) < 60
