"""Verbs with forms, shell, probe and cleanup from the keyboard: the real app, the real door, the embedded cloud."""

from __future__ import annotations

from dataclasses import replace

from runctl.demo.cloud import DemoCloud
from runctl.screens.modals.form import FormModal
from runctl.screens.modals.viewer import ViewerModal
from runctl.services.aws.backend import open_backend
from tests.screens.acting_app import HERE, acting, asked, chosen, ended, filled
from tests.screens.driving import Driver
from tests.services.buckets import begin_upload, make_bucket, uploads
from tests.services.doors import EAST, OURS, ZOE, disk, fleet_of, machine


def sent(cloud: DemoCloud) -> list[str]:
    """Operations that changed anything, in order."""
    return [operation.rpartition(":")[2] for operation, _, _ in cloud.changes()]


def tags_of(identifier: str) -> dict[str, str]:
    backend = open_backend(ZOE)
    return next(dict(m.tags) for page in backend.list_instances(EAST) for m in page if m.id == identifier)


async def go(driver: Driver) -> str:
    """Through the dialog of a change, from its question to its end."""
    await asked(driver)
    await driver.press("tab", "enter")
    return await ended(driver)


async def test_adopt_asks_for_owner_project_and_end_and_says_what_is_wrong(cloud: DemoCloud) -> None:
    (one,) = fleet_of(cloud, machine("stray", tags={}))
    async with acting() as driver:
        await driver.press("A")
        await filled(driver, project="vision", ttl="8")
        assert "8 what?" in driver.screen()
        await driver.press("enter")
        assert isinstance(driver.app.screen, FormModal), "a form with something wrong stays"
        await driver.type("h")
        assert "8 what?" not in driver.screen()
        await driver.press("enter")
        assert "1 done" in await go(driver)
    tags = tags_of(one)
    assert (tags["runctl:owner"], tags["runctl:project"]) == ("zoe", "vision")
    assert "runctl:ttl" in tags


async def test_escape_leaves_a_form_and_nothing_is_asked(cloud: DemoCloud) -> None:
    fleet_of(cloud, machine("stray", tags={}))
    async with acting() as driver:
        await driver.press("A")
        await filled(driver, project="vision")
        await driver.press("escape")
        assert driver.app.screen is driver.fleet
    assert sent(cloud) == []


async def test_more_time_is_seen_before_it_is_given(cloud: DemoCloud) -> None:
    (one,) = fleet_of(cloud, machine("trainer", agent=True))
    async with acting() as driver:
        await driver.press("plus")
        await filled(driver, by="4h")
        assert "ends by itself" in driver.screen()
        await driver.press("enter")
        assert "1 done" in await go(driver)
    assert "runctl:ttl" in tags_of(one)


async def test_tags_of_several_at_once(cloud: DemoCloud) -> None:
    ids = fleet_of(cloud, machine("a"), machine("b"))
    async with acting() as driver:
        await driver.press("asterisk")
        await chosen(driver, "set or remove")
        await filled(driver, set="runctl:owner=me")
        assert "runctl sets it itself" in driver.screen()
        await driver.press("ctrl+u")
        await filled(driver, set="team=vision")
        await driver.press("enter")
        assert "2 done" in await go(driver)
    assert [tags_of(i)["team"] for i in ids] == ["vision", "vision"]


async def test_a_disk_is_attached_to_a_machine_of_its_zone(cloud: DemoCloud) -> None:
    ids = fleet_of(cloud, machine("far", az=f"{EAST}b"), machine("near"), disks=(disk(name="data"),))
    async with acting() as driver:
        await driver.show("volumes")
        driver.fleet.action_filter_by("data")
        await chosen(driver, "attach")
        form = await filled(driver, device="/dev/sda1")
        assert "not a name for a disk" in driver.screen()
        assert "far" not in driver.screen()
        assert form.lines.values()["instance_id"] == ids[1]
        await driver.press("ctrl+u", "enter")
        assert "1 done" in await go(driver)
    assert sent(cloud) == ["AttachVolume"]


async def test_a_disk_only_grows_and_the_price_is_seen_first(cloud: DemoCloud) -> None:
    fleet_of(cloud, disks=(disk(name="data", size_gib=100),))
    async with acting() as driver:
        await driver.show("volumes")
        await chosen(driver, "modify")
        await filled(driver, size="50")
        assert "has 100 GiB, and a volume never" in driver.screen()
        await driver.press("ctrl+u")
        await filled(driver, size="200")
        assert "$8.00 → $16.00 a month" in driver.screen()
        await driver.press("enter")
        assert "1 done" in await go(driver)
    assert sent(cloud) == ["ModifyVolume"]


async def test_a_new_disk(cloud: DemoCloud) -> None:
    fleet_of(cloud, machine("near"))
    async with acting() as driver:
        await driver.show("volumes")
        await driver.press("n")
        await filled(driver, name="scratch", size="100")
        assert "$8.00 a month" in driver.screen()
        await driver.press("enter")
        assert "1 done" in await go(driver)
        await driver.press("escape")
        await driver.until(lambda: "scratch" in driver.screen(), "for the new row")
    assert sent(cloud) == ["CreateVolume"]


async def test_cleanup_drafts_what_is_of_no_use_and_wants_its_number_typed(cloud: DemoCloud) -> None:
    old = 41 * 86_400.0
    fleet_of(
        cloud, machine("trainer"),
        disks=(disk(name="left", age_s=old), disk(name="theirs", age_s=old, tags=OURS | {"runctl:owner": "mallory"})),
    )  # fmt: skip
    cloud.set_timings(snapshot_per_gib=0.001)
    async with acting(size=(120, 40)) as driver:
        await driver.show("volumes")
        await driver.press("X")
        await asked(driver)
        assert "attached to nothing" in driver.screen()
        assert "type  change 2  to go on" in driver.screen()
        await driver.type("change 2")
        await driver.press("enter")
        assert "2 done" in await ended(driver)
    assert sent(cloud) == ["CreateSnapshot", "DeleteVolume"]


async def test_cleanup_with_nothing_to_do_says_so(cloud: DemoCloud) -> None:
    fleet_of(cloud, machine("trainer"))
    async with acting() as driver:
        await driver.show("cost")
        await driver.press("X")
        await asked(driver)
        assert "there is nothing to do" in driver.screen()
        await driver.press("enter")
        assert driver.app.screen is driver.fleet
    assert sent(cloud) == []


async def test_a_snapshot_becomes_a_disk_again(cloud: DemoCloud) -> None:
    fleet_of(cloud, disks=(disk(name="data", size_gib=30),))
    cloud.set_timings(snapshot_per_gib=0.001)
    async with acting() as driver:
        await driver.show("volumes")
        await chosen(driver, "a copy to restore")
        assert "1 done" in await go(driver)
        await driver.press("escape")
        await driver.show("cost")
        driver.fleet.action_filter_by("kind:snapshot")
        await driver.until(lambda: len(driver.fleet.shown.rows) == 1, "for the snapshot")
        await chosen(driver, "restore")
        await filled(driver, name="again")
        await driver.press("enter")
        assert "1 done" in await go(driver)
    assert sent(cloud) == ["CreateSnapshot", "CreateVolume"]


async def test_a_shell_gets_the_terminal_after_its_programs_and_the_machine_were_checked(cloud: DemoCloud) -> None:
    (one,) = fleet_of(cloud, machine("trainer", agent=True))
    async with acting() as driver:
        await driver.press("s")
        assert any("session-manager-plugin is not installed here" in n for n in driver.notices())
        driver.terminal.programs["session-manager-plugin"] = "/usr/bin/session-manager-plugin"
        await driver.press("s")
        await driver.until(lambda: driver.terminal.ran, "for the shell")
    (argv,) = driver.terminal.ran
    assert argv[:5] == ["aws", "ssm", "start-session", "--target", one]


async def test_no_shell_on_what_is_out_of_reach(cloud: DemoCloud) -> None:
    fleet_of(cloud, machine("mute"))
    async with acting() as driver:
        driver.terminal.programs["session-manager-plugin"] = "/usr/bin/session-manager-plugin"
        await driver.press("s")
        await driver.until(lambda: any("instance profile" in n for n in driver.notices()), "for the reason")
        assert driver.terminal.ran == []


async def test_a_probe_is_read_at_once_and_stays_in_the_detail(cloud: DemoCloud) -> None:
    fleet_of(cloud, machine("trainer", agent=True))
    async with acting(size=(120, 40)) as driver:
        await chosen(driver, "ask it")
        await driver.until(lambda: "memory" in driver.screen() and "load" in driver.screen(), "for the answer")
        assert isinstance(driver.app.screen, ViewerModal)
        await driver.press("escape")
        await driver.until(lambda: "Probe" in driver.screen() and "asked" in driver.screen(), "for the detail")
        await driver.press("r")
        known = driver.app.desk.store
        await driver.until(lambda: bool(known.snapshot.instances[0].activity.evidence), "for a row that knows of it")
        assert known.snapshot.instances[0].activity.cpu_percent is not None


async def test_read_only_has_none_of_these_keys(cloud: DemoCloud) -> None:
    fleet_of(cloud, machine("trainer"), disks=(disk(name="data"),))
    async with acting(replace(HERE, read_only=True)) as driver:
        for mode, keys in (("instances", ("A", "plus", "s", "n")), ("volumes", ("n", "X", "A")), ("cost", ("X",))):
            await driver.show(mode)
            for key in keys:
                await driver.press(key)
                assert driver.app.screen is driver.fleet
    assert sent(cloud) == []


async def test_cleanup_finds_unfinished_uploads_of_our_buckets_and_names_those_that_do_not_tell(
    cloud: DemoCloud,
) -> None:
    fleet_of(cloud, machine("trainer"))
    for name, tags in (("half-ours", OURS), ("half-nobodys", {})):
        make_bucket(cloud, name, tags)
        begin_upload(cloud, name, "runs/7/model.pt", b"x" * 2**20)
    cloud.forget_calls()
    async with acting() as driver:
        await driver.show("cost")
        await driver.until(lambda: len(driver.app.snapshot.buckets) == 2, "for the buckets")
        with cloud.faults.active("denied", operation="ListMultipartUploads"):
            await driver.press("X")
            await asked(driver)
            assert "there is nothing to do" in driver.screen()
            assert "not seen   unfinished uploads of half-nobodys: not allowed:" in driver.screen()
            await driver.press("enter")
        await driver.press("X")
        await asked(driver)
        shown = driver.screen()
        assert "us-east-1  s3://half-ours/runs/7/model.pt" in shown
        assert "never finished" in shown
        assert "half-nobodys" not in shown
        await driver.type("abort 1")
        await driver.press("enter")
        assert "1 done" in await ended(driver)
    assert (uploads(cloud, "half-ours"), uploads(cloud, "half-nobodys")) == (set(), {"runs/7/model.pt"})
