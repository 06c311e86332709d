"""wait, shell and probe through the real binary."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runctl.demo.cloud import DemoCloud
from tests.e2e.binary import runctl
from tests.services.doors import OURS, fleet_of, machine

pytestmark = pytest.mark.e2e


@pytest.fixture
def ids(cloud: DemoCloud, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("RUNCTL_OWNER", "zoe")
    return fleet_of(
        cloud, machine("gpu", agent=True), machine("deaf"), machine("off", state="stopped"),
        machine("theirs", OURS | {"runctl:owner": "mallory"}, agent=True),
    )  # fmt: skip


def test_a_probe_is_one_object_or_lines_of_facts(ids: list[str]) -> None:
    told = runctl("instances", "probe", "gpu", "-o", "json")
    assert told.code == 0
    seen = told.json()
    assert (seen["id"], seen["truncated"]) == (ids[0], False)
    assert 0 <= seen["cpu_percent"] <= 100
    assert seen["disks"]
    text = runctl("instances", "probe", "gpu").out
    assert text.startswith(f"MACHINE      {ids[0]} gpu (t3.micro)")
    assert "\nMEMORY " in text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("deaf", "no instance profile"),
        ("off", "it is stopped"),
        ("theirs", "it is mallory's"),
        ("x", "no instance 'x'"),
    ],
)
@pytest.mark.usefixtures("ids")
def test_who_is_not_asked_has_a_reason(name: str, said: str) -> None:
    ended = runctl("instances", "probe", name)
    assert (ended.code, ended.out) == (1, "")
    assert said in ended.err


def test_a_shell_is_the_users_own_program(ids: list[str], tmp_path: Path) -> None:
    plain = runctl("instances", "shell", "gpu", "--dry-run")
    assert plain.out == f"aws ssm start-session --target {ids[0]} --region us-east-1\n"
    assert f"ec2-user@{ids[0]}" in runctl("instances", "shell", "gpu", "--ssh", "--dry-run").out
    missing = runctl("instances", "shell", "gpu", env={"PATH": str(tmp_path)})
    assert missing.code == 1
    assert "aws and session-manager-plugin are not installed here" in missing.err
    for name in ("aws", "session-manager-plugin"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho {name} "$@"\nexit 7\n')
        (tmp_path / name).chmod(0o755)
    opened = runctl(
        "instances", "shell", "gpu", "--", "nvidia-smi", "-L", env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    )
    assert opened.code == 7, "its exit code is ours"
    assert "aws ssm start-session" in opened.out
    assert '{"command": ["nvidia-smi -L"]}' in opened.out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("off",), "it is stopped"),
        (("deaf",), "no instance profile"),
        (("gpu", "--user", "x"), "are for --ssh"),
        (("gpu", "--read-only"), "read-only"),
    ],
)
@pytest.mark.usefixtures("ids")
def test_a_shell_that_cannot_be_says_why(argv: tuple[str, ...], said: str) -> None:
    ended = runctl("instances", "shell", *argv)
    assert ended.code == 1
    assert said in ended.err


def test_waiting_ends_when_they_are_there_or_never_will_be(cloud: DemoCloud, ids: list[str]) -> None:
    there = runctl("instances", "wait", "gpu", "deaf", "-o", "json")
    assert (there.code, [t["outcome"] for t in there.json()]) == (0, ["done", "done"])
    mixed = runctl("instances", "wait", "gpu", "off", "--until", "running")
    assert mixed.code == 4
    assert "it is stopped" in mixed.out
    late = runctl("instances", "wait", "gpu", "--until", "stopped", "--within", "0.1s")
    assert late.code == 2
    assert "still running when the time was up" in late.out
    assert runctl("instances", "wait", "gpu", "--until", "reachable").code == 0
    assert cloud.changes() == []
