"""The S3 screen moves files: the real engine, over a real server, driven by keys."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.widgets import Checkbox, Input, OptionList, Static

from runctl.app import RunctlApp
from runctl.clock import FrozenClock
from runctl.config import Settings, UiSettings
from runctl.models.transfer import Transfer, TransferState
from runctl.screens.modals.pick import PickModal
from runctl.screens.modals.sync import SyncModal, TransfersModal
from runctl.services.transfer.board import Board
from runctl.services.transfer.client import S3Client
from runctl.services.transfer.sync import Options
from runctl.theme import UNICODE
from runctl.widgets.local_pane import LocalPane
from runctl.widgets.transfer_lines import TransferLines, transfer_line
from tests.screens.driving import Driver, PaperTerminal
from tests.screens.fleet import NOW, FleetBackend
from tests.services.transfer import servers, trees
from tests.services.transfer.faults import FaultProxy

_NUMBERS = itertools.count(1)


@pytest.fixture
def client(plain_moto_process: str) -> S3Client:
    return servers.client_of(plain_moto_process)


@pytest.fixture
def bucket(client: S3Client) -> str:
    return servers.make_bucket(client, f"moving-{next(_NUMBERS)}")


@asynccontextmanager
async def moving(
    url: str, work: Path, monkeypatch: pytest.MonkeyPatch, *, settings: Settings | None = None, **options: object
) -> AsyncIterator[Driver]:
    """The app on the S3 screen, in the directory `work`, with an engine that talks to `url`."""
    work.mkdir(exist_ok=True)
    monkeypatch.chdir(work)
    made = Options(state=work.parent / "state", cache=work.parent / "cache", **options)  # type: ignore[arg-type]
    resolved = settings or Settings()
    board = Board(lambda _: servers.client_of(url, attempts=3), made, lambda _: (resolved.read_only, None))
    backends: list[FleetBackend] = []

    def connect(profile: str | None) -> FleetBackend:
        backends.append(FleetBackend(profile))
        return backends[-1]

    app = RunctlApp(resolved, connect, clock=FrozenClock(NOW), terminal=PaperTerminal(), open_board=lambda: board)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        driver = Driver(app, pilot, backends)
        await driver.loaded()
        await driver.show("s3")
        yield driver
        for transfer in board.transfers():
            board.cancel(transfer.id)
        for backend in backends:
            backend.open.set()


def dialog(driver: Driver) -> SyncModal:
    assert isinstance(driver.app.screen, SyncModal)
    return driver.app.screen


async def fill(driver: Driver, source: str, target: str) -> None:
    """Open the dialog, name both ends, compare."""
    await driver.press("n")
    await compare(driver, source, target, at="#target")


async def compare(driver: Driver, source: str, target: str, *, at: str) -> None:
    """Name both ends in the open dialog and compare, from one of its lines."""
    modal = dialog(driver)
    modal.query_one("#source", Input).value = source
    modal.query_one("#target", Input).value = target
    modal.query_one(at, Input).focus()
    await driver.press("enter")
    await driver.until(lambda: "comparing" not in str(modal.query_one("#found", Static).render()), "for the comparison")


def newest(driver: Driver) -> Transfer:
    board = driver.app.desk.board
    assert board is not None
    return board.transfers()[0]


async def test_a_sync_is_shown_asked_and_done(
    plain_moto_process: str, client: S3Client, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees.write(tmp_path / "work", {"a": 10, "d/b": 2000})
    async with moving(plain_moto_process, tmp_path / "work", monkeypatch) as driver:
        await fill(driver, str(tmp_path / "work"), f"s3://{bucket}/up/")
        picture = driver.screen()
        assert "new              2 files" in picture
        assert "d/b" in picture
        assert servers.keys(client, bucket) == {}
        question = dialog(driver).query_one("#question", OptionList)
        assert (question.has_focus, question.highlighted) == (True, 0), "cancel comes first"
        await driver.press("down", "enter")
        await driver.until(lambda: newest(driver).state is TransferState.DONE, "for the transfer")
        await driver.until(lambda: "done" in driver.screen())
        assert driver.app.screen.query_one(TransferLines).display
    assert servers.keys(client, bucket) == {"up/a": 10, "up/d/b": 2000}


async def test_cancel_is_the_first_answer_and_moves_nothing(
    plain_moto_process: str, client: S3Client, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees.write(tmp_path / "work", {"a": 10})
    async with moving(plain_moto_process, tmp_path / "work", monkeypatch) as driver:
        await fill(driver, str(tmp_path / "work"), f"s3://{bucket}/")
        await driver.press("enter")
        await driver.until(lambda: not isinstance(driver.app.screen, SyncModal))
        board = driver.app.desk.board
        assert board is not None
        assert board.transfers() == ()
    assert servers.keys(client, bucket) == {}


async def test_deleting_is_typed(
    plain_moto_process: str, client: S3Client, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees.write(tmp_path / "work", {"a": 10})
    servers.put(client, bucket, "old", b"x")
    async with moving(plain_moto_process, tmp_path / "work", monkeypatch) as driver:
        await driver.press("n")
        modal = dialog(driver)
        modal.query_one("#source", Input).value = str(tmp_path / "work")
        modal.query_one("#target", Input).value = f"s3://{bucket}/"
        modal.query_one("#delete").focus()
        await driver.press("space")
        assert "has not: yes" in driver.screen()
        modal.query_one("#target", Input).focus()
        await driver.press("enter")
        await driver.until(lambda: modal.query_one("#typed", Input).has_focus, "for the question")
        await driver.type("delete 2")
        await driver.press("enter")
        assert servers.keys(client, bucket) == {"old": 1}
        modal.query_one("#typed", Input).value = "delete 1"
        await driver.press("enter")
        await driver.until(lambda: newest(driver).state is TransferState.DONE, "for the transfer")
    assert servers.keys(client, bucket) == {"a": 10}


async def test_what_is_wrong_is_said_in_the_dialog(
    plain_moto_process: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with moving(plain_moto_process, tmp_path / "work", monkeypatch) as driver:
        await fill(driver, str(tmp_path / "nowhere"), "s3://some-bucket/")
        found = dialog(driver).query_one("#found", Static)  # on screen a long path breaks the sentence anywhere
        await driver.until(lambda: "does not exist" in str(found.render()), "for what is wrong")
        await compare(driver, str(tmp_path / "work"), "s3://no-such-bucket-here/", at="#source")
        said = str(dialog(driver).query_one("#found", Static).render())
        assert "no-such-bucket-here" in said
        assert "check the name" in said


async def test_transfers_pause_go_on_and_quitting_asks(
    plain_moto_process: str, client: S3Client, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees.write(tmp_path / "work", {f"f{n:02}": 200_000 for n in range(20)})
    async with moving(plain_moto_process, tmp_path / "work", monkeypatch, bandwidth=150_000) as driver:
        await fill(driver, str(tmp_path / "work"), f"s3://{bucket}/")
        await driver.press("down", "enter")
        await driver.until(lambda: newest(driver).moving)
        await driver.press("t")
        assert isinstance(driver.app.screen, TransfersModal)
        await driver.press("p")
        assert newest(driver).state is TransferState.PAUSED
        await driver.until(lambda: "paused" in driver.screen())
        await driver.press("p", "escape")
        assert newest(driver).state is TransferState.RUNNING
        await driver.show("volumes")
        assert newest(driver).state is TransferState.RUNNING, "it goes on while other screens are looked at"
        await driver.press("q")
        assert isinstance(driver.app.screen, PickModal)
        assert "1 transfer not over" in driver.screen()
        await driver.press("enter")
        assert driver.app.is_running
        await driver.press("ctrl+q")
        await driver.press("down", "enter")
        await driver.until(lambda: newest(driver).state is TransferState.CANCELLED, "for its end")
        assert not driver.app.is_running or driver.app._exit


async def test_failed_files_are_named(
    plain_moto_process: str, client: S3Client, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees.write(tmp_path / "work", {"good": 10, "bad": 10})
    proxy = FaultProxy(plain_moto_process)
    for _ in range(20):
        proxy.next("slowdown", lambda seen: seen.method == "PUT" and seen.target.endswith("/bad"))
    try:
        async with moving(proxy.url, tmp_path / "work", monkeypatch) as driver:
            await fill(driver, str(tmp_path / "work"), f"s3://{bucket}/")
            await driver.press("down", "enter")
            await driver.until(lambda: not newest(driver).moving, "for its end")
            assert newest(driver).state is TransferState.PARTLY
            await driver.press("t")
            await driver.until(lambda: "bad: " in driver.screen(), "for the failed file")
            assert "1 failed" in driver.screen()
    finally:
        proxy.close()


async def test_the_local_pane_walks_and_names_the_source(
    plain_moto_process: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees.write(tmp_path / "work", {"deep/er/a": 10, "b": 2048})
    async with moving(plain_moto_process, tmp_path / "work", monkeypatch) as driver:
        pane = driver.app.screen.query_one(LocalPane)
        assert not pane.display
        await driver.press("tab")
        await driver.until(lambda: "2.0 KiB" in driver.screen(), "for the directory")
        await driver.press("enter")
        await driver.until(lambda: pane.directory == tmp_path / "work" / "deep")
        await driver.until(lambda: "er" in driver.screen())
        await driver.press("up")
        await driver.press("enter")
        await driver.until(lambda: pane.directory == tmp_path / "work", "for '..' to lead up")
        await driver.press("enter")
        await driver.until(
            lambda: pane.directory == tmp_path / "work" / "deep", "for the cursor to be where one came from"
        )
        await driver.press("backspace")
        await driver.until(lambda: pane.directory == tmp_path / "work")
        await driver.press("n")
        assert dialog(driver).query_one("#source", Input).value == str(tmp_path / "work")
        await driver.press("escape", "escape")
        assert not pane.display


async def test_sizes_come_when_asked_for(
    plain_moto_process: str, client: S3Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with moving(plain_moto_process, tmp_path / "work", monkeypatch) as driver:
        await driver.press("down")
        row = driver.fleet.table.cursor_row
        assert row is not None
        name = row.name
        servers.make_bucket(client, name)
        servers.put(client, name, "k", b"x" * 3000)
        await driver.press("s")
        await driver.until(lambda: any("1 objects" in n for n in driver.notices()), "for the sum")
        await driver.until(lambda: "2.9 KiB" in driver.screen())


async def test_read_only_has_no_key_for_it(
    plain_moto_process: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(read_only=True)
    async with moving(plain_moto_process, tmp_path / "work", monkeypatch, settings=settings) as driver:
        await driver.press("n")
        assert not isinstance(driver.app.screen, SyncModal)
        assert "sync" not in driver.lines()[-1]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_line_fits_and_says_what_is_unknown(width: int) -> None:
    colours: dict[str, str] = {}
    measure: Callable[[Transfer], int] = lambda t: transfer_line(t, width, UNICODE, colours).cell_len  # noqa: E731
    running = Transfer(1, "/home/x/" + "日本" * 30, "s3://b/" + "k" * 90, TransferState.RUNNING, 3, 9, 1, 10, 10**9)
    assert measure(running) <= max(width, 75)
    assert "?/s" in transfer_line(running, width, UNICODE, colours).plain
    over = Transfer(2, "a", "s3://b/\x1b[31m", TransferState.FAILED, message="x")
    assert "\x1b" not in transfer_line(over, width, UNICODE, colours).plain


async def test_the_screen_says_how_files_get_up_and_which_way_they_would_go(
    plain_moto_process: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees.write(tmp_path / "work", {"a": 10})
    async with moving(plain_moto_process, tmp_path / "work", monkeypatch) as driver:
        await driver.until(lambda: "tab: this machine's files, to upload" in driver.screen())
        row = driver.fleet.table.cursor_row
        assert row is not None
        await driver.press("tab")
        await driver.until(lambda: f"n: upload work/ → {row.name}/" in driver.screen(), "for the way up")
        assert "delete" not in driver.screen().splitlines()[-1], "no key for a row of S3 while the files have the keys"
        await driver.press("tab")
        await driver.until(lambda: f"n: download {row.name}/ → work/" in driver.screen(), "for the way down")
        await driver.press("down")
        await driver.until(lambda: f"n: download {row.name}/" not in driver.screen(), "for another bucket")
        await driver.press("n")
        await driver.until(lambda: "download: what is new or changed" in driver.screen())
        await driver.press("ctrl+t")
        await driver.until(lambda: "upload: what is new or changed" in driver.screen())


async def test_read_only_offers_no_way_up(
    plain_moto_process: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(read_only=True)
    async with moving(plain_moto_process, tmp_path / "work", monkeypatch, settings=settings) as driver:
        assert "upload" not in driver.screen()
        await driver.press("tab")
        await driver.until(lambda: driver.app.screen.query_one(LocalPane).entries.has_focus)
        assert "upload" not in driver.screen()


async def test_an_empty_source_deletes_nothing_and_says_only_that(
    plain_moto_process: str, client: S3Client, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers.put(client, bucket, "kept", b"x")
    async with moving(plain_moto_process, tmp_path / "work", monkeypatch) as driver:
        await driver.press("n")
        dialog(driver).query_one("#delete", Checkbox).value = True
        await compare(driver, str(tmp_path / "work"), f"s3://{bucket}/", at="#source")
        said = str(dialog(driver).query_one("#found", Static).render())
        assert "nothing would be deleted: the source is empty" in said
        assert "kept" not in said
        assert "the same" not in said
    assert servers.keys(client, bucket) == {"kept": 1}


async def test_a_present_directory_that_is_gone_is_no_crash(
    plain_moto_process: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    app = RunctlApp(Settings(), FleetBackend, clock=FrozenClock(NOW), terminal=PaperTerminal())
    async with app.run_test(size=(100, 30)) as pilot:
        driver = Driver(app, pilot, [])
        await driver.show("s3")
        await driver.until(lambda: "BUCKET" in driver.screen())
        assert app.screen.query_one(LocalPane).directory == Path.home()


async def test_without_unicode_the_panes_are_ascii(
    plain_moto_process: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees.write(tmp_path / "work", {f"a-rather-long-name-{n:02}-für-alle" * 2: 10 for n in range(40)})
    settings = Settings(ui=UiSettings(ascii=True))
    async with moving(plain_moto_process, tmp_path / "work", monkeypatch, settings=settings) as driver:
        await driver.press("tab")
        await driver.until(lambda: "a-rather" in driver.screen())
        assert driver.screen().isascii(), {c for c in driver.screen() if not c.isascii()}
