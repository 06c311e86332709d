"""A data set of S3 onto a disk through the real binary: by a machine that is there, by a temporary one, cut off.

The scripts really run on machines of the embedded cloud, whose disks are directories (`runctl/demo/bin`): what is
proved is the order of things, what is sent, and that the files arrive; that `mount` mounts is the kernel's matter.
"""

from __future__ import annotations

import os
import signal
import subprocess
from typing import Any

import botocore.session
import pytest

from runctl.demo.cloud import DemoCloud
from tests.e2e.binary import BINARY, Ended, runctl
from tests.services.doors import EAST, disk, fleet_of, machine

pytestmark = pytest.mark.e2e
SOURCE = "s3://sets/imagenet/"
TEMPORARY = ("volumes", "prewarm", "data", SOURCE, "--type", "c6i.large", "--format", "ext4")


@pytest.fixture(autouse=True)
def _zoe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNCTL_OWNER", "zoe")
    monkeypatch.setenv("AWS_REGION", EAST)


def client(cloud: DemoCloud, service: str) -> Any:
    return botocore.session.Session().create_client(service, EAST, endpoint_url=cloud.endpoint_url)


def fill(cloud: DemoCloud) -> None:
    s3 = client(cloud, "s3")
    s3.create_bucket(Bucket="sets")
    for n in range(5):
        s3.put_object(Bucket="sets", Key=f"imagenet/part/{n}.bin", Body=b"x" * 10_000)


def alive(cloud: DemoCloud) -> list[str]:
    pages = client(cloud, "ec2").describe_instances()["Reservations"]
    return [i["InstanceId"] for r in pages for i in r["Instances"] if i["State"]["Name"] in ("pending", "running")]


def volume(cloud: DemoCloud) -> dict[str, Any]:
    found = client(cloud, "ec2").describe_volumes()["Volumes"]
    return next(v for v in found if v["Size"] == 10)


def test_through_a_machine_that_is_there(cloud: DemoCloud) -> None:
    (one,) = fleet_of(cloud, machine("trainer", agent=True), disks=(disk(name="data"),))
    fill(cloud)
    words = ("volumes", "prewarm", "data", SOURCE, "--dir", "/set", "--instance", "trainer")
    done = runctl(*words, "--format", "ext4", "--yes", "-o", "json")
    assert (done.code, done.json()[0]["outcome"]) == (0, "done"), done.err + done.out
    assert "5 files" in done.json()[0]["reason"]
    assert volume(cloud)["State"] == "available"
    assert alive(cloud) == [one]


def test_through_a_temporary_machine_that_is_taken_away(cloud: DemoCloud) -> None:
    fleet_of(cloud, disks=(disk(name="data"),))
    cloud.set_timings(pending=0.2, agent_online=0.2, shutting_down=0.2)
    fill(cloud)
    shown = runctl(*TEMPORARY, "--dry-run")
    assert shown.code == 0, shown.err
    assert "4. unmount, detach, and terminate the machine" in shown.err
    assert "c6i.large" in shown.out
    assert alive(cloud) == []
    done = runctl(*TEMPORARY, "--yes", "-o", "json")
    assert (done.code, done.json()[0]["outcome"]) == (0, "done"), done.err + done.out
    assert "is terminated" in done.err
    assert volume(cloud)["State"] == "available"
    assert alive(cloud) == []
    told = [(e["action"], e["outcome"]) for e in runctl("journal", "-o", "json").json()]
    assert {("launch", "done"), ("prewarm", "done"), ("terminate", "done")} <= set(told), told


def test_a_failed_copy_takes_the_machine_away_too(cloud: DemoCloud) -> None:
    fleet_of(cloud, disks=(disk(name="data"),))
    cloud.set_timings(pending=0.2, agent_online=0.2, shutting_down=0.2)
    fill(cloud)
    done = runctl(*TEMPORARY[:-2], "--yes", "-o", "json")  # a blank disk, and nobody said that it may be formatted
    assert (done.code, done.json()[0]["outcome"]) == (2, "failed"), done.err + done.out
    assert alive(cloud) == []
    assert volume(cloud)["State"] == "available"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_cut_off_in_the_middle_nothing_is_left_that_bills_for_ever(cloud: DemoCloud, number: signal.Signals) -> None:
    fleet_of(cloud, disks=(disk(name="data"),))
    cloud.set_timings(pending=0.2, agent_online=3600, shutting_down=0.2)
    fill(cloud)
    process = subprocess.Popen([str(BINARY), *TEMPORARY, "--yes"], cwd=os.environ["HOME"], stderr=subprocess.PIPE)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if b"is launched" in line:
                break
        (one,) = alive(cloud)
        process.send_signal(number)
        process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert alive(cloud) == []
        return
    (left,) = client(cloud, "ec2").describe_instances(InstanceIds=[one])["Reservations"][0]["Instances"]
    tags = {t["Key"]: t["Value"] for t in left["Tags"]}
    assert tags["prewarm-volume"] == volume(cloud)["VolumeId"]
    assert tags["runctl:managed"] == "1"
    assert tags["runctl:ttl"]
    cloud.advance(3600)
    again = runctl(*TEMPORARY, "--yes", "-o", "json")
    assert (again.code, again.json()[0]["outcome"]) == (0, "done"), again.err
    assert f"{one} is left from an earlier prewarm" in again.err
    assert alive(cloud) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("data", SOURCE, "--dir", "../etc"), "not a directory of the disk"),
        (("data", "s3://sets/nothing/"), "nothing lies below it"),
        (("data", SOURCE, "--instance", "far"), "us-east-1b"),
        (("theirs", SOURCE), "not ours"),
    ],
)
def test_bad_input_is_named_and_nothing_is_sent(cloud: DemoCloud, words: tuple[str, ...], said: str) -> None:
    fleet_of(
        cloud, machine("far", az=f"{EAST}b", agent=True), disks=(disk(name="data"), disk(name="theirs", tags={})),
    )  # fmt: skip
    fill(cloud)
    cloud.forget_calls()
    ended: Ended = runctl("volumes", "prewarm", *words, "--yes")
    assert ended.code == 1, ended.err
    assert said in ended.err + ended.out
    assert cloud.changes() == []
