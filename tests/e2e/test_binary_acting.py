"""Verbs that change something, through the real binary: asked on a terminal, refused without, scripted with --yes."""

from __future__ import annotations

import json
import os

import pexpect
import pytest

from runctl.demo.cloud import DemoCloud
from tests.e2e.binary import runctl
from tests.e2e.test_binary_terminal import spawn
from tests.services.doors import OURS, fleet_of, machine
from tests.services.jobs.running import until

pytestmark = pytest.mark.e2e


@pytest.fixture
def ids(cloud: DemoCloud, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Three of ours, one protected, one of nobody."""
    monkeypatch.setenv("RUNCTL_OWNER", "zoe")
    return fleet_of(
        cloud, machine("a"), machine("b"), machine("c"), machine("kept", OURS | {"runctl:protected": "true"}),
        machine("foreign", {}),
    )  # fmt: skip


def test_a_script_says_yes_and_gets_one_object_for_each_resource(cloud: DemoCloud, ids: list[str]) -> None:
    ended = runctl("instances", "terminate", "a", ids[1], "kept", "-o", "json", "--yes")
    assert ended.code == 4
    told = ended.json()
    assert [(t["id"], t["action"], t["outcome"], t["rule"]) for t in told] == [
        (ids[0], "terminate", "done", None), (ids[1], "terminate", "done", None),
        (ids[3], "terminate", "refused", "protected"),
    ]  # fmt: skip
    assert {tuple(named) for _, _, named in cloud.changes()} == {(ids[0],), (ids[1],)}


def test_exit_codes(cloud: DemoCloud, ids: list[str]) -> None:
    assert runctl("instances", "stop", "a", "--yes").code == 0
    assert runctl("instances", "stop", "kept", "foreign", "--yes").code == 1
    assert runctl("instances", "stop", "nobody", "--yes").code == 1
    assert runctl("instances", "stop", "b", "--yes", "--override", "protected").code == 1
    with cloud.faults.active("unavailable", service="ec2", operation="StopInstances"):
        assert runctl("instances", "stop", "b", "--yes").code == 2
    with cloud.faults.active("expired", service="ec2", operation="StopInstances"):
        assert runctl("instances", "stop", "b", "--yes").code == 3
    with cloud.faults.active("expired", service="sts"):
        assert runctl("instances", "stop", "b", "--yes").code == 3
    assert runctl("instances", "stop", "b", "c", "kept", "--yes").code == 4
    assert runctl("instances", "start", "nobody", "--read-only", "--yes").code == 1


def test_dry_run_and_no_answer_change_nothing(cloud: DemoCloud, ids: list[str]) -> None:
    shown = runctl("instances", "terminate", "a", "kept", "--dry-run", "-o", "json")
    assert (shown.code, [t["outcome"] for t in shown.json()]) == (4, ["planned", "refused"])
    silent = runctl("instances", "terminate", "a")
    assert silent.code == 1
    assert "needs --yes without a terminal" in silent.err
    assert "lost: disk" in silent.err, "what would be lost is said all the same"
    assert runctl("instances", "stop", "a", "--read-only", "--yes", "-o", "json").json()[0]["rule"] == "read-only"
    assert cloud.changes() == []


@pytest.mark.parametrize(
    ("words", "typed", "asked", "code"),
    [
        ("stop a", "y", "Go on? [y/N]", 0),
        ("stop a", "", "Go on? [y/N]", 1),
        ("terminate a", "y", "Type 'i-", 1),
        ("terminate a b c", "terminate 3", "Type 'terminate 3'", 0),
        ("terminate a b kept", "terminate 3", "Type 'terminate 2'", 1),
    ],
)
@pytest.mark.usefixtures("ids")
def test_a_terminal_is_asked(cloud: DemoCloud, words: str, typed: str, asked: str, code: int) -> None:
    argv = words.split()
    child = spawn("instances", *argv, columns=200)
    child.expect_exact(asked)
    assert cloud.changes() == []
    child.sendline(typed)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == code
    assert len(cloud.changes()) == (0 if code else len(argv) - 1)


def test_the_id_of_one_is_typed_in_full(cloud: DemoCloud, ids: list[str]) -> None:
    child = spawn("instances", "terminate", "a", columns=200)
    child.expect_exact(f"Type '{ids[0]}'")
    child.sendline(ids[0])
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert [named for _, _, named in cloud.changes()] == [[ids[0]]]


def test_ctrl_c_between_two_items_leaves_a_plan_to_be_resumed(cloud: DemoCloud, ids: list[str]) -> None:
    with cloud.faults.active("latency", service="ec2", operation="StopInstances", seconds=3) as slow:
        child = spawn("instances", "stop", "a", "b", "c", "--yes", columns=200)
        child.expect_exact("1/3 stop")
        until(lambda: cloud.faults.hits(slow) == 2)  # the second is under way
        child.sendintr()
        child.expect_exact("stopping after this one")
        child.expect_exact("cancelled")
        child.expect_exact("runctl cleanup apply plan-")
        child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    assert len(cloud.changes()) == 2
    told = runctl("journal", "-o", "json").json()
    assert [(t["action"], t["outcome"]) for t in told] == [("stop", "done")] * 2


def test_the_journal_tells_what_was_done_and_how_to_undo_it(cloud: DemoCloud, ids: list[str]) -> None:
    assert runctl("journal").out == ""
    runctl("instances", "stop", "a", "--yes")
    runctl("adopt", "foreign", "--project", "x", "--yes")
    lines = [json.loads(line) for line in runctl("journal", "-o", "ndjson", "--since", "1h").out.splitlines()]
    assert [line["action"] for line in lines] == ["stop", "adopt"]
    assert lines[0]["inverse"] == f"runctl instances start {ids[0]} --region us-east-1"
    assert "undo: runctl adopt" in runctl("journal", "--limit", "1").out
    assert runctl("journal", "--since", "2099-01-01", "-o", "json").json() == []
    assert runctl("journal", "--since", "yesterday").code == 1
    home = os.environ["HOME"]
    assert os.stat(f"{home}/.local/state/runctl/journal.jsonl").st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("instances", "stop", "i-XYZ0123456"), "malformed id"),
        (("instances", "stop", "vol-0123456789abcdef0"), "is the id of a volume"),
        (("instances", "stop"), "required: ID"),
        (("instances", "tag", "a", "aws:x=1"), "AWS's own"),
        (("instances", "extend", "a"), "--by"),
        (("instances", "extend", "a", "--by", "soon"), "not a duration"),
        (("adopt", "a", "--release", "--owner", "x"), "--release takes no"),
        (("instances", "stop", "a", "--override", "everything"), "there is no such rule"),
    ],
)  # fmt: skip
def test_a_mistake_is_said_before_aws_is_asked(
    cloud: DemoCloud, ids: list[str], argv: tuple[str, ...], said: str
) -> None:
    ended = runctl(*argv, "--yes")
    assert (ended.code, ended.out) == (1, "")
    assert said in ended.err
    assert cloud.calls() == {}


def test_a_reason_that_a_narrow_terminal_cuts_is_said_in_full(cloud: DemoCloud, ids: list[str]) -> None:
    ended = runctl("instances", "stop", "foreign", "--yes", env={"COLUMNS": "70"})
    assert ended.code == 1
    assert "(adopt it first)" not in ended.out
    assert f"{ids[4]}: not ours: no runctl:managed tag (adopt it first)" in ended.err
    assert cloud.changes() == []
