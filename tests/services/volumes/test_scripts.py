"""The scripts of disks, really run by dash and bash, with tools that tell what they were asked."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from runctl.errors import InputError
from runctl.services.volumes.scripts import (
    check_mount_point,
    copied_script,
    copy_script,
    grow_script,
    instructions,
    mount_script,
    unmount_script,
)

VOLUME, DEVICE = "vol-0123456789abcdef0", "/dev/sdf"
SHELLS = [s for s in ("dash", "bash") if shutil.which(s)]


class Machine:
    """A directory with a disk and tools on PATH; `said` is what the tools were asked, in order."""

    def __init__(self, root: Path) -> None:
        self.root, self.disk = root, root / "nvme1n1"
        self.bin, self.disks = root / "bin", root / "by-id"
        for directory in (self.bin, self.disks):
            directory.mkdir()
        for name in (
            "mount",
            "umount",
            "mkfs",
            "growpart",
            "resize2fs",
            "xfs_growfs",
            "fuser",
            "findmnt",
            "blkid",
            "lsblk",
        ):
            self.tool(name)
        self.tool("blkid", "exit 2")
        self.tool("findmnt", "exit 1")
        self.tool("lsblk", f'echo "{self.disk} disk"')
        self.tool("sleep")

    def attach(self) -> None:
        self.disk.touch()
        (self.disks / ("nvme-Amazon_Elastic_Block_Store_" + VOLUME.replace("-", ""))).symlink_to(self.disk)

    def tool(self, name: str, body: str = "exit 0") -> None:
        path = self.bin / name
        path.write_text(f'#!/bin/sh\necho {name} "$@" >> {self.root}/said\n{body}\n')
        path.chmod(0o755)

    def run(self, shell: str, script: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.bin}:/usr/bin:/bin"
        env = {"PATH": path, "RUNCTL_DISKS": str(self.disks), "RUNCTL_ROOT": str(self.root)}
        return subprocess.run([shell, "-c", script], env=env, capture_output=True, text=True, timeout=60, check=False)

    @property
    def said(self) -> list[str]:
        log = self.root / "said"
        return [line for line in log.read_text().splitlines() if not line.startswith("sleep")] if log.exists() else []

    def did(self, name: str) -> bool:
        return any(line.split()[0] == name for line in self.said)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


pytestmark = pytest.mark.parametrize("shell", SHELLS)


def test_a_disk_that_does_not_appear_touches_nothing(machine: Machine, shell: str) -> None:
    for script in (mount_script(VOLUME, DEVICE, "/data", "ext4"), grow_script(VOLUME, DEVICE)):
        done = machine.run(shell, script)
        assert (done.returncode, done.stdout) == (4, "")
        assert VOLUME in done.stderr
    done = machine.run(shell, unmount_script(VOLUME, DEVICE))
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing to unmount" in done.stdout
    assert {line.split()[0] for line in machine.said} <= {"lsblk"}


def test_a_disk_is_also_found_by_its_serial(machine: Machine, shell: str) -> None:
    machine.tool(
        "lsblk",
        f'case $* in *SERIAL*) echo "{machine.disk} {VOLUME.replace("-", "")}";; *) echo "{machine.disk}";; esac',
    )
    machine.tool("findmnt", "echo /data")
    assert machine.run(shell, unmount_script(VOLUME, DEVICE)).stdout == "unmounted /data\n"


def test_a_blank_disk_is_not_formatted_unasked(machine: Machine, shell: str) -> None:
    machine.attach()
    done = machine.run(shell, mount_script(VOLUME, DEVICE, "/nowhere/data"))
    assert done.returncode == 5
    assert "--format" in done.stderr
    assert not machine.did("mkfs")
    assert not machine.did("mount")


def test_a_blank_disk_is_formatted_when_asked(machine: Machine, shell: str) -> None:
    machine.attach()
    place = machine.root / "data"
    done = machine.run(shell, mount_script(VOLUME, DEVICE, "/data", "xfs"))
    assert done.returncode == 0, done.stderr
    assert f"mkfs -t xfs {machine.disk}" in machine.said
    assert machine.said[-1] == f"mount {machine.disk} {place}"
    assert "is mounted on /data" in done.stdout


def test_a_disk_with_data_is_never_formatted(machine: Machine, shell: str) -> None:
    machine.attach()
    machine.tool("blkid", "exit 0")
    done = machine.run(shell, mount_script(VOLUME, DEVICE, "/nowhere/data", "ext4"))
    assert done.returncode == 6
    assert not machine.did("mkfs")


def test_a_disk_that_cannot_be_read_is_not_called_blank(machine: Machine, shell: str) -> None:
    machine.attach()
    machine.tool("blkid", "exit 4")
    assert machine.run(shell, mount_script(VOLUME, DEVICE, "/nowhere/data", "ext4")).returncode == 1
    assert not machine.did("mkfs")


def test_mounting_twice_is_mounting_once(machine: Machine, shell: str) -> None:
    machine.attach()
    machine.tool("findmnt", f"echo {machine.disk}")
    done = machine.run(shell, mount_script(VOLUME, DEVICE, "/nowhere/data"))
    assert (done.returncode, machine.did("mount")) == (0, False)
    machine.tool("findmnt", "echo /dev/other")
    assert machine.run(shell, mount_script(VOLUME, DEVICE, "/nowhere/data")).returncode == 7


def test_unmounting_names_who_holds_it(machine: Machine, shell: str) -> None:
    machine.attach()
    machine.tool("lsblk", f"echo {machine.disk}")
    machine.tool("findmnt", "echo /data")
    assert machine.run(shell, unmount_script(VOLUME, DEVICE)).stdout == "unmounted /data\n"
    machine.tool("umount", "exit 32")
    machine.tool("fuser", "echo python3")
    done = machine.run(shell, unmount_script(VOLUME, DEVICE))
    assert done.returncode == 3
    assert "python3" in done.stderr


def test_growing_by_partition_and_kind(machine: Machine, shell: str) -> None:
    machine.attach()
    machine.tool("blkid", "echo ext4")
    machine.tool("lsblk", f'echo "{machine.disk} disk"; echo "{machine.disk}p1 part"')
    done = machine.run(shell, grow_script(VOLUME, DEVICE))
    assert done.returncode == 0, done.stderr
    assert f"growpart {machine.disk} 1" in machine.said
    assert f"resize2fs {machine.disk}p1" in machine.said
    machine.tool("growpart", "exit 1")  # NOCHANGE: it fills the disk already
    assert machine.run(shell, grow_script(VOLUME, DEVICE)).returncode == 0
    machine.tool("blkid", "echo zfs_member")
    assert machine.run(shell, grow_script(VOLUME, DEVICE)).returncode == 8


@pytest.mark.parametrize("bad", ["data", "/", "/etc", "/data/../etc", "/da ta", "/data;rm", "", "/var/"])
def test_mount_points_that_would_hurt_are_refused(bad: str, shell: str) -> None:
    with pytest.raises(InputError, match="not a directory to mount a disk on"):
        check_mount_point(bad)
    assert check_mount_point("/data/") == "/data"
    assert "mkfs" in instructions(VOLUME, DEVICE)


def test_a_copy_mounts_copies_writes_out_and_unmounts(machine: Machine, shell: str) -> None:
    machine.attach()
    machine.tool("blkid")
    machine.tool("aws", 'echo "Completed 1 of 2" && touch "$4/a b"')
    done = machine.run(shell, copy_script(VOLUME, DEVICE, "s3://sets/a b/", "/x", region="us-east-1"))
    place = machine.root / f"mnt/runctl-{VOLUME}"
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 files, ")
    steps = [line for line in machine.said if line.split()[0] in ("mount", "aws", "umount", "mkfs")]
    assert steps == [f"mount {machine.disk} {place}", f"aws s3 sync s3://sets/a b/ {place}/x", f"umount {place}"]
    assert machine.run(shell, copied_script(VOLUME)).stdout.strip() == "Completed 1 of 2"


def test_a_copy_that_fails_says_why_and_unmounts(machine: Machine, shell: str) -> None:
    machine.attach()
    machine.tool("blkid")
    machine.tool("aws", 'echo "fatal error: AccessDenied" >&2; exit 1')
    done = machine.run(shell, copy_script(VOLUME, DEVICE, "s3://sets/", "/", region="us-east-1"))
    assert done.returncode == 1
    assert "aws ended with 1: fatal error: AccessDenied" in done.stderr
    assert machine.did("umount")


def test_a_copy_touches_no_disk_without_a_tool(machine: Machine, shell: str) -> None:
    machine.attach()
    script = "command() { return 1; }\n" + copy_script(VOLUME, DEVICE, "s3://sets/", "/", region="us-east-1")
    done = machine.run(shell, script)
    assert done.returncode == 9
    assert "neither aws nor s5cmd" in done.stderr
    assert machine.said == []
