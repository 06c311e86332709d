"""The dashboard on a real terminal: five screens, every size, bad days, and the terminal as it was afterwards."""

from __future__ import annotations

import os
import re
import signal
import sys
from functools import partial
from pathlib import Path

import pytest

from runctl.demo.cloud import DemoCloud
from tests.e2e.binary import BINARY, runctl
from tests.e2e.terminal import Terminal, terminal

pytestmark = pytest.mark.e2e
#: A row of the fleet of seed 7 in us-east-1, and what the status line says when all its machines are there.
DEAREST, ALL_ROWS = "llama-pt", "28 of 28"


def data_rows(shown: Terminal) -> list[str]:
    """Lines of machines: three signs, then a name."""
    return [line for line in shown.lines if re.match(r"^.[▲ ][●◐○✕?][◆·] ?\S", line)]


def test_five_screens_a_filter_a_command_and_the_errors_then_q(cloud: DemoCloud) -> None:
    with terminal() as shown:
        shown.until(ALL_ROWS)
        # The first thing drawn is the whole picture; the table's headings alone came before the tabs above them once.
        assert "TYPE" not in shown.raw.partition("Instances")[0]
        assert DEAREST in data_rows(shown)[0]
        assert len(data_rows(shown)) >= 16
        for key, heading in (("2", "JOB "), ("3", "BUCKET"), ("4", "NAME/ID"), ("5", "WHY"), ("1", "TYPE")):
            shown.press(key)
            shown.until(heading)
        shown.press("/", "type:g5*", "\r")
        shown.until(lambda t: re.search(r"\b(?!28)\d+ of 28", t.text) and all("g5." in row for row in data_rows(t)))
        shown.press("\x1b")
        shown.until(ALL_ROWS)
        shown.press(":", "volumes", "\r")
        shown.until("NAME/ID")
        shown.press("!")
        shown.until("no errors so far")
        shown.press("\x1b")
        shown.without("no errors so far")
        shown.press("q")
        assert shown.ended() == 0
        assert shown.is_restored()
    assert cloud.mutating_calls() == {}


def test_every_size_is_drawn_whole_and_the_first_comes_back_the_same(cloud: DemoCloud) -> None:
    with terminal() as shown:
        shown.until(ALL_ROWS)
        shown.press("p")  # nothing new while we compare
        shown.until("PAUSED")
        before = data_rows(shown)
        for columns, rows in ((120, 40), (50, 12), (200, 60), (80, 24)):
            shown.resize(columns, rows)
            shown.until(partial(is_whole, columns=columns, rows=rows))
        shown.until(lambda t: names(data_rows(t)) == names(before))
        assert len(shown.lines) == 24
        shown.press("q")
        assert shown.ended() == 0


def is_whole(shown: Terminal, columns: int, rows: int) -> bool:
    """The strip on top, the keys at the bottom, rows between; or the plain words that there is no room."""
    if columns < 60 or rows < 15:
        return "runctl needs 60 columns and 15 lines" in shown.text and not data_rows(shown)
    beside = columns < 110 or "Money" in shown.text  # the detail of the row under the cursor
    # The name is the first to go where there is little room; a figure is there to the cent or not at all.
    strip = shown.lines[0].removeprefix(" runctl ").split()
    burn = bool(strip) and re.fullmatch(r"\$\d{1,3}(,\d{3})*\.\d\d/h", strip[0])
    sums = all(
        re.fullmatch(r"\S*\$[\d.,]+[kM]?\+?", word)
        for word in " ".join(strip[1:]).replace("→", " ").split()
        if "$" in word
    )
    return bool(burn) and sums and "? more" in shown.lines[-1] and beside and DEAREST in shown.text


def names(rows: list[str]) -> list[str]:
    return [row[4:20] for row in rows]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_gives_the_terminal_back(cloud: DemoCloud, number: signal.Signals, code: int) -> None:
    with terminal() as shown:
        shown.until(ALL_ROWS)
        shown.signal(number)
        assert shown.ended() == code
        assert shown.is_restored()
        assert "Traceback" not in shown.raw


def test_a_terminal_that_is_closed_leaves_no_process(cloud: DemoCloud) -> None:
    with terminal() as shown:
        shown.until(ALL_ROWS)
        shown.hang_up()
        assert shown.is_gone()


def test_a_crash_gives_the_terminal_back_and_names_one_file(cloud: DemoCloud) -> None:
    defect = (
        "import runctl.app as a, sys\n"
        "def tick(self): secret = 'hunter2'; raise ZeroDivisionError('made by a test')\n"
        "a.RunctlApp._tick = tick\n"
        "from runctl.cli import main\n"
        "sys.argv = ['runctl']\n"
        "sys.exit(main())\n"
    )
    with terminal(sys.executable, "-c", defect) as shown:
        assert shown.ended() == 1
        assert shown.is_restored()
        after = shown.raw[shown.raw.rfind("\x1b[?1049l") :]
        assert "runctl: ZeroDivisionError: a defect" in after
        assert "Traceback" not in shown.raw
        (log,) = Path(os.environ["XDG_STATE_HOME"]).rglob("runctl-crash-*.log")
        assert "made by a test" in log.read_text()
        assert "hunter2'" not in log.read_text().replace("secret = 'hunter2'", "")


def test_an_endpoint_that_hangs_stops_no_key_and_the_panel_says_why(cloud: DemoCloud) -> None:
    cloud.faults.add("hang", service="ec2", operation="DescribeInstances", seconds=600)
    with terminal(env={"RUNCTL_AWS_READ_TIMEOUT_S": "2"}) as shown:
        shown.until("waiting for AWS (instances)")
        shown.press("4")
        shown.until("46 of 46")  # the others are there
        shown.press("?")
        shown.until("keys on volumes")
        shown.press("\x1b")
        shown.without("keys on volumes")  # esc and 1 in one go would be alt+1
        shown.press("1")
        shown.until("DescribeInstances in us-east-1")
        shown.until("Whether there are machines is not known")
        assert "without instances" in shown.lines[0]
        cloud.faults.clear()
        shown.press("r")
        shown.until(ALL_ROWS)
        shown.press("q")
        assert shown.ended() == 0


def test_expired_credentials_stop_the_asking_until_l_logs_in(cloud: DemoCloud, tmp_path: Path) -> None:
    seen = tmp_path / "argv"
    aws = tmp_path / "bin" / "aws"
    aws.parent.mkdir()
    aws.write_text(f'#!/bin/sh\necho "$@" > {seen}\necho come back soon\n')
    aws.chmod(0o755)
    with terminal(env={"PATH": f"{aws.parent}:{os.environ['PATH']}"}) as shown:
        shown.until(ALL_ROWS)
        cloud.faults.add("expired", service="*")
        shown.press("r")
        shown.until("credentials are missing or expired: L logs in")
        assert DEAREST in data_rows(shown)[0]  # the rows stay
        cloud.faults.clear()
        shown.press("L")
        shown.without("credentials are missing or expired")
        assert seen.read_text().split()[:2] == ["sso", "login"]
        shown.until("live")
        shown.press("q")
        assert shown.ended() == 0
        assert shown.is_restored()


def test_without_credentials_the_first_minute_has_three_ways_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with terminal(str(BINARY), "--region", "us-east-1") as shown:
        shown.until("aws sso login")
        for way in ("d ", "L ", "? "):
            assert way in shown.text
        shown.press("d")
        shown.until("DEMO")
        shown.until(DEAREST)
        shown.press("q")
        assert shown.ended() == 0
        assert shown.is_restored()


def test_a_type_nobody_knows_and_hostile_names_in_both_outputs(cloud: DemoCloud) -> None:
    """A Mac is in no price book; Ireland's fleet has names with markup, escapes and direction marks."""
    import boto3

    ec2 = boto3.client("ec2", region_name="eu-west-1")
    image = ec2.describe_images()["Images"][0]["ImageId"]
    named = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "zz-mac"}]}]
    ec2.run_instances(ImageId=image, InstanceType="mac2.metal", MinCount=1, MaxCount=1, TagSpecifications=named)
    answer = runctl("--once", "-o", "json", "instances", "--region", "eu-west-1").json()
    items = answer["sections"]["instances"]["items"]
    (mac,) = [i for i in items if i["type"] == "mac2.metal"]
    assert (mac["usd_per_hour"], mac["usd_since_launch"], answer["summary"]["burn_unpriced"]) == (None, None, 1)
    hostile = "[bold red]not markup[/] [/x] <b>&amp;</b>"
    assert hostile in {i["name"] for i in items}
    table = runctl("--once", "instances", "--region", "eu-west-1", env={"COLUMNS": "240"}).out
    assert hostile in table
    assert not {"\x1b", "\u202e"} & set(table)
    assert sum(line.startswith("i-") for line in table.splitlines()) == len(items)
    with terminal(str(BINARY), "--region", "eu-west-1", columns=120, rows=40) as shown:
        shown.until(f"{len(items)} of {len(items)}")
        shown.until("+1 unpriced")
        assert "[bold red]not" in shown.text
        shown.press("/", "mac", "\r")
        shown.until(f"1 of {len(items)}")
        assert re.search(r"zz-mac +mac2\.metal +(pending|running) .* \? ", data_rows(shown)[0])
        shown.press("q", "q")
        assert shown.ended() == 0
