"""The ledger through the real binary: what earlier runs saw counts, and a bad ledger spoils nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runctl import paths
from runctl.demo.cloud import DemoCloud
from runctl.services.ledger import Ledger
from tests.e2e.binary import runctl

pytestmark = pytest.mark.e2e


def test_a_second_run_goes_on_where_the_first_one_ended(cloud: DemoCloud) -> None:
    first = runctl("--once", "-o", "json", "--region", "us-east-1").json()["summary"]
    later = datetime.now(UTC) + timedelta(minutes=2)
    second = runctl("--once", "-o", "json", "--region", "us-east-1", env={"RUNCTL_NOW": later.isoformat()}).json()[
        "summary"
    ]
    assert second["observed_since"] == first["observed_since"]
    assert not second["spent_complete"]
    burnt = second["month_usd"] - first["month_usd"]
    assert burnt == pytest.approx(first["burn_usd_per_hour"] / 30, rel=0.2)
    low, likely, high = (second[f"month_projected{n}_usd"] for n in ("_low", "", "_high"))
    assert second["month_usd"] <= low <= likely <= high
    cached = runctl("--once", "--cached", "-o", "json", "--region", "us-east-1").json()["summary"]
    assert cached["month_usd"] is not None
    assert not cloud.mutating_calls()


def test_a_ledger_that_cannot_be_used_is_one_warning(cloud: DemoCloud) -> None:
    path = paths.ledger_file()
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a database" * 1000)
    ended = runctl("--once", "-o", "json", "instances", "--region", "us-east-1")
    (aside,) = path.parent.glob("*.damaged-*")
    assert ended.code == 0
    assert str(aside) in ended.err
    assert aside.read_bytes().startswith(b"not a database")
    assert any(str(aside) in alert for alert in ended.json()["summary"]["alerts"])


def test_a_locked_ledger_holds_nobody_up(cloud: DemoCloud) -> None:
    assert runctl("--once", "-o", "json", "instances", "--region", "us-east-1").code == 0
    holder = Ledger(paths.ledger_file())
    holder._db.execute("BEGIN IMMEDIATE")
    ended = runctl("--once", "-o", "json", "instances", "--region", "us-east-1")
    assert ended.code == 0
    assert "locked" in ended.err
    assert ended.json()["summary"]["today_usd"] is not None


def test_a_home_that_cannot_be_written_costs_the_ledger_only(cloud: DemoCloud, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way")
    ended = runctl("--once", "-o", "json", "instances", env={"RUNCTL_HOME": str(tmp_path)})
    assert ended.code == 0
    assert "cannot be opened" in ended.err
    assert ended.json()["summary"]["instances_running"]
