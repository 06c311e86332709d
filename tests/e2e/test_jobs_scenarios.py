"""More scenarios of jobs on the embedded cloud: what is not ours, what is too large, and what runs full."""

from __future__ import annotations

import inspect
import os
import re
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from runctl.demo.imds_address import metadata_address
from runctl.demo.server import start
from runctl.models import record
from tests.e2e.binary import BINARY, runctl
from tests.e2e.lab import BUCKET, Lab, also, interrupted_and_resumed, machines, open_lab, show, wait
from tests.e2e.terminal import terminal
from tests.services.doors import OURS, disk, machine
from tests.services.jobs.running import until

pytestmark = pytest.mark.e2e


def _states(lab: Lab) -> dict[str, str]:
    """The state of every machine by its id, as EC2 says it."""
    found = lab.aws("ec2").describe_instances()["Reservations"]
    return {i["InstanceId"]: i["State"]["Name"] for r in found for i in r["Instances"]}


def _named(lab: Lab, operation: str) -> list[list[str]]:
    """The ids that each call of an operation has named."""
    return [ids for name, _, ids in lab.cloud.changes() if name == operation]


def test_one_protected_machine_in_the_zone_does_not_keep_the_others(lab: Lab) -> None:
    """Scenario G. EC2 ends none of several machines of a zone where one of them is protected: so each has its call."""
    ended = [lab.started("--at-end", "stop", "--az", "us-east-1a", steps="3", pause="0.02") for _ in range(2)]
    for job in ended:
        owner = wait(job, lambda s: s["state"] == "SUCCEEDED" and s["resource_state"] == "stopped")["spec"]["owner"]
    lab.cloud.build([machine("old", {**OURS, "runctl:owner": owner}, state="stopped", age_s=90 * 86_400.0)])
    ids = {m["job"] or "none": m["id"] for m in machines()}
    assert (len(ids), {m["az"] for m in machines()}) == (3, {"us-east-1a"})
    words = ("--stopped-for", "1s", "--no-snapshot", "--override", "younger-than")
    shown = runctl("cleanup", "plan", *words, "-o", "json")
    assert {(i["id"], i["action"]) for i in shown.json()} == {(i, "terminate") for i in ids.values()}, shown.err
    ec2, kept = lab.aws("ec2"), ids[ended[1]]
    ec2.modify_instance_attribute(InstanceId=kept, DisableApiTermination={"Value": True})  # since the plan was made
    with pytest.raises(ClientError, match="OperationNotPermitted"):
        ec2.terminate_instances(InstanceIds=list(ids.values()))
    assert set(_states(lab).values()) == {"stopped"}
    lab.cloud.forget_calls()
    done = runctl("cleanup", "apply", shown.json()[0]["plan"], "--yes", "-o", "json")
    assert done.code == 4, done.err
    said = {i["id"]: (i["outcome"], i["rule"]) for i in done.json()}
    assert said.pop(kept) == ("refused", "termination-protected")
    assert set(said.values()) == {("done", None)}
    assert sorted(_named(lab, "TerminateInstances")) == sorted([i] for i in ids.values() if i != kept)
    lab.cloud.advance(60)
    assert _states(lab) == {i: "stopped" if i == kept else "terminated" for i in ids.values()}
    left = wait(ended[1], lambda s: s["resource_state"] == "stopped")
    assert left["state"] == "SUCCEEDED"


#: Says one line, waits to be told, then writes more than 30 MB as fast as it can, and a last line.
LOUD = """
import os, sys, time
from loud import many
print("step=1 loss=1.0", flush=True)
while not os.path.exists(sys.argv[1]): time.sleep(0.05)
for first in range(0, 470_000, 10_000): sys.stdout.write(many(first, 10_000))
print("step=2 loss=0.5", flush=True)
"""


def many(first: int, count: int) -> str:
    """Lines that are all different and hard to compress, as long as real ones are."""
    words = "the quick brown fox jumps over the lazy dog"
    return "".join(f"{n:07d} {n * 0x9E3779B97F4A7C15 % (1 << 64):016x} {words}\n" for n in range(first, first + count))


def _log_in_s3(lab: Lab, job: str) -> int:
    """Bytes of the log that are in the bucket."""
    pages = lab.aws("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=record.log_prefix(job, 1))
    chunks = [record.parse_log_key(o["Key"]) for page in pages for o in page.get("Contents", [])]
    return max((c.end for c in chunks if c is not None), default=0)


def test_thirty_megabytes_between_two_looks_are_all_in_the_followed_log_and_in_the_opened_job(
    lab: Lab, tmp_path: Path
) -> None:
    """Scenario H. Both viewers sleep while the log comes: what they find afterwards came between two of their looks."""
    (lab.project / "train.py").write_text(LOUD)
    (lab.project / "loud.py").write_text(inspect.getsource(many))
    go, followed = tmp_path / "go", tmp_path / "followed"
    job = lab.started(steps=str(go))
    expected = f"step=1 loss=1.0\n{many(0, 470_000)}step=2 loss=0.5\n".encode()
    assert len(expected) > 30 << 20
    with followed.open("wb") as out:
        viewer = subprocess.Popen([str(BINARY), "jobs", "logs", "-f", job], stdout=out, stderr=subprocess.DEVNULL)
    with terminal(columns=120, rows=40) as opened:
        opened.until("NAME")
        opened.press("2")
        opened.until(lambda t: re.search(r"known +live", t.text))  # its record is read: there is a log to open
        opened.press("l")
        opened.until(lambda t: "step=1 loss=1.0" in t.text and "following" in t.text)
        until(lambda: followed.read_bytes() == b"step=1 loss=1.0\n")
        viewer.send_signal(signal.SIGSTOP)
        opened.signal(signal.SIGSTOP)
        go.touch()
        until(lambda: _log_in_s3(lab, job) == len(expected), pause=0.5)
        viewer.send_signal(signal.SIGCONT)
        opened.signal(signal.SIGCONT)
        assert viewer.wait(90) == 0
        assert followed.read_bytes() == expected
        opened.until("step=2 loss=0.5")
        opened.until("470,002 lines")  # of the view itself: none is missing, none is there twice
        opened.press("\x13")
        opened.until(lambda t: "MiB in " in t.text.replace("\n", " "))  # its path may take several lines
        assert next(Path(os.environ["HOME"]).glob("*.log")).read_bytes() == expected
        opened.press("/")
        opened.press("0200000 ", "\r")  # in the midst of what came while nobody looked
        opened.until(lambda t: any(line.lstrip().startswith("0200000 ") for line in t.lines) or "0200000 " in t.text)


def test_what_bears_no_tag_of_ours_is_never_selected(lab: Lab) -> None:
    """Scenario I: neither by its name, nor by its age or idleness, nor where somebody copied the tag of a job."""
    lab.cloud.set_timings(pending=0.5, shutting_down=0.5, terminated_listed=0.5)
    job = lab.started(pause="0.02")
    own = wait(job, lambda s: s["state"] == "RUNNING" and s["checkpoint_age_s"] is not None)["instance_id"]
    old = 90 * 86_400.0
    strangers = lab.cloud.build(
        [
            machine("train", {}, age_s=old, type="g5.xlarge"),
            machine("old", {}, age_s=old, state="stopped"),
            machine("copied", {"runctl:job": job, "runctl:attempt": "1"}, age_s=60.0, type="g5.xlarge"),
            machine("refused", {"runctl:managed": "0", "runctl:job": job, "runctl:attempt": "2"}, age_s=old),
        ],
        [disk(name="free", tags={}, age_s=old)],
    )
    lab.cloud.forget_calls()
    assert show(job)["instance_id"] == own
    assert runctl("jobs", "stop", job, "--wait", "--yes").code == 0
    gone = wait(job, lambda s: s["resource_state"] == "not-found")  # EC2 has forgotten it: now only strangers are left
    assert gone["state"] == "CANCELLED"
    assert "still bills" not in gone["reason"]
    assert runctl("watch", "--rounds", "1", "--yes").code == 0
    assert runctl("jobs", "adopt", job, "--yes").code == 0
    refused = lab.submit("--on", strangers[0])
    assert refused.code == 1
    assert "not-ours" in refused.err
    planned = runctl("cleanup", "plan", "--stopped-for", "1s", "--unattached-for", "1s", "--idle-for", "1s")
    assert (planned.code, planned.out) == (0, ""), planned.out
    resumed = runctl("jobs", "resume", job, "--yes", "-o", "json")
    assert resumed.json()[0]["machine"] not in (own, *strangers)
    assert runctl("jobs", "stop", job, "--yes").code == 0
    changed = {i for _, _, ids in lab.cloud.changes() for i in ids}
    assert not changed & set(strangers)
    assert not [i for i in changed if i.startswith("vol-")]
    assert [_states(lab)[i] for i in strangers] == ["running", "stopped", "running", "running"]


@pytest.fixture
def filling(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[tuple[Lab, str]]:
    """A laboratory of its own, and what the trainer there is to write to until there is no space.

    Its machines share a file system of 200 MB, and that is what is filled. Where this user may mount none it is a
    device that is always full, which only the trainer finds so.
    """
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", str(small)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        with start(fleet="empty", environ={**os.environ, "TMPDIR": str(small)}) as cloud:
            for name, value in cloud.environment().items():
                monkeypatch.setenv(name, value)
            yield open_lab(cloud, monkeypatch, tmp_path), "checkpoints/big.tmp" if mounted else "/dev/full"
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(small)], check=True)


#: Saves, then writes to a disk until that is full, and dies of it a moment later.
FILLING = """
import os, sys, time
folder = os.environ["RUNCTL_CHECKPOINT_DIR"]
with open(f"{folder}/step-000001.json", "w") as file: file.write("{}")
print("step=1 loss=0.5", flush=True)
time.sleep(3)
with open(os.path.join(os.path.dirname(folder), sys.argv[1]), "wb", buffering=0) as file:
    try:
        while True: file.write(bytes(1 << 20))
    except OSError:
        time.sleep(3)
        raise
"""


def test_a_job_that_fills_its_disk_is_told_as_that_with_its_log_and_its_machine_ends(filling: tuple[Lab, str]) -> None:
    """Scenario K."""
    lab, target = filling
    (lab.project / "train.py").write_text(FILLING)
    job = lab.started(steps=target)
    over = wait(job, lambda s: s["state"] == "FAILED" and s["resource_state"] in ("terminated", "not-found"))
    assert over["reason"].startswith("disk: the disk is full")
    assert (over["exit"]["cause"], over["exit"]["rc"], over["exit"]["verified"]) == ("disk", 1, True)
    assert over["exit"]["newest_complete"]["step"] == 1
    log = runctl("jobs", "logs", job).out
    assert log.startswith("step=1 loss=0.5\n")
    assert log.endswith("OSError: [Errno 28] No space left on device\n")
    assert runctl("watch", "--rounds", "1", "--yes").code == 0  # another attempt would fill it again
    assert show(job)["attempts"] == [1]


PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
#: What a machine starts from: its image, what `/bin/sh` is there (see `runctl.demo.gateway.boot`), its `python3`.
IMAGES = {
    "al2023": ("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64", "bash", "3.9"),
    "ubuntu": (
        "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id", "dash", "3.10",
    ),
}  # fmt: skip


def _path_with(version: str, folder: Path) -> str:
    """A PATH on which `python3` is of a version, where this computer has it."""
    known = [*sorted(PYENV.glob(f"versions/{version}.*/bin/python3")), Path(f"/usr/bin/python{version}")]
    folder.mkdir()
    for python in [p for p in known if p.exists()][:1]:
        (folder / "python3").symlink_to(python)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture(params=["al2023", "ubuntu"])
def image(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[tuple[Lab, str]]:
    """A laboratory whose machines have the Python of an image, and the parameter that names the image."""
    parameter, shell, version = IMAGES[request.param]
    if shutil.which(shell) is None:
        pytest.skip(f"this computer has no {shell}, which is /bin/sh on {request.param}")
    path = _path_with(version, tmp_path / "bin")
    with start(fleet="empty", environ={**os.environ, "PATH": path}) as cloud:
        for name, value in cloud.environment().items():
            monkeypatch.setenv(name, value)
        yield open_lab(cloud, monkeypatch, tmp_path), parameter


@also
def test_an_interruption_is_survived_on_the_usual_images(image: tuple[Lab, str]) -> None:
    """Scenario L: user data by dash and by bash, the image's old Python, metadata with session tokens only."""
    lab, parameter = image
    ident = interrupted_and_resumed(lab, "--image", parameter)
    (found,) = lab.aws("ec2").describe_instances(InstanceIds=[ident])["Reservations"][0]["Instances"]
    assert found["MetadataOptions"]["HttpTokens"] == "required"
    address = metadata_address(lab.cloud.endpoint_url, os.environ["AWS_ACCESS_KEY_ID"], "us-east-1", ident)
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{address}/latest/meta-data/instance-id")  # noqa: S310  # as version 1 asks; loopback
