"""The binary on a real terminal: the dashboard starts there, and what prints once behaves."""

from __future__ import annotations

import json
import os

import pexpect
import pytest

from runctl.demo.cloud import DemoCloud
from tests.e2e.binary import BINARY

pytestmark = pytest.mark.e2e
ALTERNATE_SCREEN = "\x1b[?1049h"


def spawn(*argv: str, columns: int = 80) -> pexpect.spawn[str]:
    return pexpect.spawn(
        str(BINARY), list(argv), encoding="utf-8", timeout=30, dimensions=(24, columns), cwd=os.environ["HOME"]
    )


def printed(*argv: str, columns: int = 80) -> str:
    child = spawn(*argv, columns=columns)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    return str(child.before)


def test_on_a_terminal_it_is_the_dashboard_and_q_leaves_it(cloud: DemoCloud) -> None:
    child = spawn()
    child.expect_exact(ALTERNATE_SCREEN)
    child.expect("Instances")
    child.expect("i-|vit|running")  # the fleet arrived
    child.send("q")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert cloud.mutating_calls() == {}


def test_once_on_a_terminal_draws_no_screen_and_fits_it(cloud: DemoCloud) -> None:
    text = printed("--once", "instances")
    assert ALTERNATE_SCREEN not in text
    assert "INSTANCES" in text
    rows = [line for line in text.splitlines() if line.startswith("i-")]
    assert rows
    plain = [_without_escapes(line) for line in rows]
    assert max(map(len, plain)) <= 80
    assert all(len(line.split()[0]) == 19 for line in plain)


def _without_escapes(line: str) -> str:
    import re

    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line)


def test_json_on_a_terminal_is_indented_and_clean(cloud: DemoCloud) -> None:
    text = printed("-q", "-o", "json", "instances", "list", "--limit", "1")
    assert "\x1b" not in text
    assert text.startswith("[\r\n  {")
    assert len(json.loads(text)) == 1


def test_progress_is_wiped_from_the_terminal(cloud: DemoCloud) -> None:
    text = printed("--once", "s3", "--no-headers", "--color", "never")
    assert "asking AWS" in text
    assert text.rindex("\x1b[K") < text.index("runctl-demo")
