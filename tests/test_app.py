"""The app: first picture before the cloud, one scope at a time, hidden screens at rest, bad days survived."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from runctl import paths
from runctl.config import Settings, UiSettings
from runctl.errors import CallSite, RunctlError, ThrottledError
from runctl.events import ListingFailed
from runctl.messages import EventArrived
from runctl.models.snapshot import ErrorRecord, Health, Source, SourceKey
from runctl.screens.modals.welcome import WelcomeModal
from tests.screens.driving import running
from tests.screens.fleet import NOW, FleetBackend, denied, machine, signed_out


async def test_the_first_picture_does_not_wait_for_the_cloud() -> None:
    gate = threading.Event()
    painted: list[bool] = []

    def slow(profile: str | None) -> FleetBackend:
        painted.append(True)
        gate.wait(10)
        return FleetBackend(profile)

    async with running(backend=slow, wait=False) as driver:
        await driver.until(lambda: painted)
        assert "waiting for AWS" in driver.screen()
        assert "$?/h" in driver.lines()[0]
        await driver.press("question_mark")
        assert "keys on instances" in driver.screen()
        await driver.press("escape")
        gate.set()
        await driver.loaded()
        assert "train-llama-7b" in driver.screen()


async def test_a_hung_cloud_blocks_no_key() -> None:
    def hung(profile: str | None) -> FleetBackend:
        made = FleetBackend(profile)
        made.open.clear()
        return made

    async with running(backend=hung, wait=False) as driver:
        await driver.until(lambda: driver.backends and driver.backend.calls)
        for keys in ("2", "3", "4", "5", "1", "question_mark", "escape", "slash", "x", "escape", "y", "r"):
            await driver.press(keys)
        assert driver.app.current_mode == "instances"
        assert "waiting for AWS" in driver.screen()
        # A call in the UI's thread, which is this one, would hang for as long as the cloud does.
        assert threading.current_thread() not in driver.backend.asked_by


async def test_hidden_screens_do_nothing_and_catch_up() -> None:
    async with running() as driver:
        instances = driver.fleet
        await driver.show("volumes")
        before = instances.shown
        driver.backend.instances = (machine(99, "newcomer"),)
        await driver.press("r")
        await driver.until(lambda: len(driver.app.snapshot.instances) == 1)
        assert instances.shown is before
        await driver.show("instances")
        assert [i.name for i in instances.shown.rows] == ["newcomer"]


async def test_another_profile_drops_all_rows_at_once_and_late_answers_later() -> None:
    async with running() as driver:
        old = driver.backend
        driver.app.action_use_profile("work")
        assert not driver.app.snapshot.instances
        assert old.closed.is_set()
        late = driver.app.desk.scope - 1
        key = SourceKey(Source.INSTANCES, "us-east-1")
        record = ErrorRecord(NOW, "ec2", "DescribeInstances", "us-east-1", "Late", "late")
        driver.app.post_message(EventArrived(ListingFailed(late, key, 1, record, Health.ERROR)))
        await driver.loaded()
        assert driver.app.snapshot.profile == "work"
        assert len(driver.app.snapshot.instances) == 8
        assert driver.app.snapshot.errors == ()


async def test_an_error_keeps_the_rows_and_is_said_with_its_call() -> None:
    async with running() as driver:
        site = CallSite("ec2", "DescribeInstances", "us-east-1", "RequestLimitExceeded")
        driver.backend.errors["list_instances"] = ThrottledError("slow down", site, hint="wait")
        await driver.press("r")
        await driver.until(lambda: driver.app.snapshot.errors)
        await driver.pilot.pause()
        screen = driver.screen()
        assert "train-llama-7b" in screen
        assert "RequestLimitExceeded" in screen
        await driver.press("exclamation_mark")
        assert "ec2:DescribeInstances  us-east-1  RequestLimitExceeded" in driver.screen()
        assert "wait" in driver.screen()
        await driver.press("escape")
        del driver.backend.errors["list_instances"]
        await driver.press("r")
        await driver.until(lambda: "RequestLimitExceeded" not in driver.screen())
        await driver.press("exclamation_mark")
        assert "over" in driver.screen()


async def test_one_denied_call_costs_one_panel() -> None:
    def poor(profile: str | None) -> FleetBackend:
        made = FleetBackend(profile)
        made.errors["list_volumes"] = denied("DescribeVolumes")
        return made

    async with running(backend=poor) as driver:
        assert "train-llama-7b" in driver.screen()
        await driver.show("volumes")
        assert "not allowed: ec2:DescribeVolumes in us-east-1" in driver.screen()
        assert "no volumes" not in driver.screen()
        assert "? of ? · " in driver.screen()
        assert "0 of 0" not in driver.screen()


async def test_no_credentials_is_a_first_minute_with_three_ways_on() -> None:
    async with running(backend=_nobody, wait=False) as driver:
        await driver.until(lambda: "aws sso login" in driver.screen())
        await driver.press("question_mark")
        assert "AWS_ACCESS_KEY_ID" in driver.screen()
        await driver.press("escape")
        await driver.until(lambda: isinstance(driver.app.screen, WelcomeModal))
        await driver.press("d")
        await driver.until(lambda: driver.app._exit)
    assert driver.app.return_value == "demo"


def _nobody(profile: str | None) -> FleetBackend:
    made = FleetBackend(profile)
    made.errors = dict.fromkeys(
        ("fetch_identity", "list_instances", "list_volumes", "list_snapshots", "list_addresses", "list_buckets",
         "list_jobs"),
        signed_out(),
    )  # fmt: skip
    return made


async def test_expired_credentials_keep_the_rows_and_logging_in_goes_on() -> None:
    async with running() as driver:
        for method in ("list_instances", "list_volumes"):
            driver.backend.errors[method] = signed_out()
        await driver.press("r")
        await driver.until(lambda: "L logs in" in driver.screen())
        assert "train-llama-7b" in driver.screen()
        assert not isinstance(driver.app.screen, WelcomeModal)
        await driver.press("L")
        assert driver.terminal.ran == [["aws", "sso", "login"]]
        await driver.until(lambda: len(driver.backends) == 2, "for a new connection")
        await driver.until(lambda: "L logs in" not in driver.screen(), "for the banner to go")
        assert "train-llama-7b" in driver.screen()


async def test_a_login_that_fails_or_is_not_installed_is_said() -> None:
    async with running() as driver:
        driver.terminal.exit_code = 3
        await driver.press("L")
        assert any("ended with 3" in n for n in driver.notices())
        driver.terminal.programs = {}
        await driver.press("L")
        assert any("aws sso login" in n and "not installed" in n for n in driver.notices())
        assert len(driver.backends) == 1


async def test_pausing_stops_asking_until_told_otherwise() -> None:
    async with running() as driver:
        await driver.press("p")
        assert "PAUSED" in driver.lines()[0]
        await driver.press("p")
        assert "PAUSED" not in driver.lines()[0]


async def test_the_rows_of_the_last_run_come_first_with_their_age() -> None:
    async with running() as driver:
        driver.app.desk.save()
    assert list(paths.cache_dir().glob("snapshot-*.json"))

    def hung(profile: str | None) -> FleetBackend:
        made = FleetBackend(profile)
        made.open.clear()
        return made

    async with running(backend=hung, wait=False) as driver:
        await driver.until(lambda: "train-llama-7b" in driver.screen(), "for the cached rows")
        await driver.until(lambda: "from the last run" in driver.screen(), "for their age")
        driver.backend.instances = (machine(7, "only-one"),)
        driver.backend.open.set()
        await driver.until(lambda: "train-llama-7b" not in driver.screen(), "for the live rows")
        assert "from the last run" not in driver.screen()


async def test_rows_of_other_regions_do_not_stay() -> None:
    async with running() as driver:
        driver.app.desk.save()

    def elsewhere(profile: str | None) -> FleetBackend:
        made = FleetBackend(profile)
        made.region = "eu-west-1"
        return made

    async with running(backend=elsewhere) as driver:
        await driver.until(lambda: "no machines in eu-west-1" in driver.screen())
        assert driver.app.snapshot.instances == ()


async def test_ascii_mode_draws_ascii_only() -> None:
    settings = Settings(ui=UiSettings(ascii=True))
    async with running(settings=settings, size=(120, 30)) as driver:
        for mode in ("instances", "jobs", "s3", "volumes", "cost"):
            await driver.show(mode)
            screen = driver.screen()
            wrong = {c for c in screen if not c.isascii()} - set("│▏▁▔")
            assert not wrong, f"{mode}: {wrong}"
        await driver.show("instances")
        for key in ("question_mark", "d", "o", "C", "R", "exclamation_mark"):
            await driver.press(key)
            wrong = {c for c in driver.screen() if not c.isascii()} - set("│▏▁▔")
            assert not wrong, f"{key}: {wrong}"
            await driver.press("escape")


async def test_a_list_to_choose_from_gives_each_thing_one_line_and_always_says_its_keys() -> None:
    for size in ((60, 15), (80, 24)):
        async with running(size=size) as driver:
            for key in ("C", "R", "o"):
                await driver.press(key)
                await driver.pilot.pause()
                assert "esc cancels" in driver.screen(), f"{key} at {size}\n{driver.screen()}"
                assert sum("arn:aws" in line for line in driver.lines()) <= 1
                await driver.press("escape")


async def test_too_small_a_terminal_is_told_so_and_nothing_breaks() -> None:
    async with running(size=(80, 24)) as driver:
        for width, height in ((59, 24), (80, 14), (20, 5), (200, 60), (80, 24)):
            await driver.pilot.resize_terminal(width, height)
            await driver.pilot.pause(0.1)
            small = width < 60 or height < 15
            assert ("runctl needs 60" in " ".join(driver.screen().split())) is (small and width > 20) or width == 20
        assert "train-llama-7b" in driver.screen()


async def _crash(secret: str) -> None:
    async with running() as driver:

        def explode() -> None:
            password = secret
            raise ZeroDivisionError(len(password))

        driver.app.call_later(explode)
        await driver.until(lambda: driver.app._exception is not None)
        await driver.pilot.pause()


async def test_a_crash_leaves_a_private_log_without_values() -> None:
    secret = "hunter2-in-a-local"
    with pytest.raises(ZeroDivisionError):
        await _crash(secret)
    logs = list(paths.state_dir().glob("runctl-crash-*.log"))
    assert len(logs) == 1
    text = logs[0].read_text()
    assert "ZeroDivisionError" in text
    assert "explode" in text
    assert secret not in text
    assert logs[0].stat().st_mode & 0o077 == 0


async def test_the_hint_for_newcomers_ends_with_the_first_key() -> None:
    async with running(demo=True) as driver:
        assert "waste" in driver.lines()[-2]
        await driver.press("j")
        await driver.show("cost")
        assert "waste " not in driver.lines()[-2]


async def test_a_profile_that_is_read_only_says_so() -> None:
    async with running(settings=replace(Settings(), read_only=True), size=(120, 30)) as driver:
        assert "READ-ONLY" in driver.lines()[0]


async def test_an_unreadable_answer_of_ours_is_an_error_and_no_crash() -> None:
    def odd(profile: str | None) -> FleetBackend:
        made = FleetBackend(profile)
        made.errors["list_buckets"] = RunctlError("[/x] \x1b[2J broken")
        return made

    async with running(backend=odd) as driver:
        await driver.show("s3")
        assert "[/x]" in driver.screen()
        await driver.press("exclamation_mark")
        assert "[/x]" in driver.screen()
        assert "\x1b" not in driver.screen()
