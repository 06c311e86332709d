"""The ledger through the real binary: what earlier runs saw counts, and a bad ledger spoils nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import botocore.session
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


def test_rows_groups_and_header_are_the_same_money(cloud: DemoCloud) -> None:
    whole = runctl("--once", "-o", "json", "cost", "--region", "us-east-1,us-west-2,eu-west-1").json()
    rows, header = whole["sections"]["cost"]["items"], whole["summary"]
    assert sum(r["usd_per_hour"] or 0 for r in rows) == pytest.approx(header["burn_usd_per_hour"])
    assert sum(r["usd_per_hour"] is None for r in rows) == header["burn_unpriced"]
    for by in ("owner", "market"):
        groups = runctl("cost", "now", "--by", by, "-o", "json", "--region", "us-east-1,us-west-2,eu-west-1").json()
        assert sum(g["usd_per_hour"] for g in groups) == pytest.approx(header["burn_usd_per_hour"], rel=1e-6)
        assert sum(g["items"] for g in groups) == len(rows)
        assert sum(g["unpriced"] for g in groups) == header["burn_unpriced"]
    assert not cloud.paid_calls()


def test_the_ledger_is_exported_without_asking_aws(cloud: DemoCloud) -> None:
    assert "knows nothing yet" in runctl("cost", "ledger").err
    summary = runctl("--once", "-o", "json", "--region", "us-east-1").json()["summary"]
    cloud.forget_calls()
    rows = runctl("cost", "ledger", "-o", "json", "--since", "400d").json()
    by_owner = runctl("cost", "ledger", "-o", "json", "--by", "owner").json()
    by_day = runctl("cost", "ledger", "-o", "json", "--by", "day", "--since", "month").json()
    assert not cloud.calls()
    assert sum(r["usd"] for r in by_owner) == pytest.approx(summary["month_usd"], rel=1e-3)
    assert sum(r["usd"] for r in by_day) == pytest.approx(summary["month_usd"], rel=1e-3)
    assert {r["basis"] for r in rows} <= {"observed", "backfilled", "continued"}
    head, first, *_ = runctl("cost", "ledger", "-o", "csv").out.splitlines()
    assert head.startswith("started,until,kind,id,name")
    assert first.count(",") >= head.count(",")


@pytest.mark.parametrize("since", ["yesterday-ish", "-3d", "2026-13-01", "99999999999999d"])
def test_a_beginning_that_is_none_is_refused(since: str) -> None:
    ended = runctl("cost", "ledger", f"--since={since}")
    assert ended.code == 1
    assert "7d" in ended.err


def test_waste_budgets_and_forecast(cloud: DemoCloud) -> None:
    region = ("--region", "us-east-1")
    waste = runctl("cost", "waste", "-o", "json", *region).json()
    assert {w["rule"] for w in waste} >= {"unattached", "stopped-machine"}
    assert all(w["wasted_usd"] is None for w in waste if w["rule"] == "unattached")
    assert runctl("cost", "budgets", *region).err.count("[budgets]") == 1
    small, large = {"RUNCTL_BUDGETS_DAY_USD": "0.01"}, {"RUNCTL_BUDGETS_DAY_USD": "1000000"}
    over = runctl("cost", "budgets", "-o", "json", "--fail-on", "budget", *region, env=small)
    assert over.code == 5
    assert over.json()[0]["mark"] == 100
    assert runctl("cost", "budgets", "--fail-on", "budget", *region, env=large).code == 0
    alert = runctl("--once", "-o", "json", "cost", "--fail-on", "budget", *region, env=small)
    assert alert.code == 5
    assert alert.json()["summary"]["alerts"][0].startswith("budget day: ")
    ahead = {a["name"]: a for a in runctl("cost", "forecast", "-o", "json", *region).json()}
    assert ahead["day"]["spent_usd"] <= ahead["day"]["low_usd"] <= ahead["day"]["forecast_usd"]
    assert "burn of now" in ahead["month"]["basis"]
    assert not cloud.paid_calls()
    assert not cloud.mutating_calls()


def test_waste_knows_of_unfinished_uploads_and_names_buckets_that_do_not_tell(cloud: DemoCloud) -> None:
    s3 = botocore.session.Session().create_client("s3", "us-east-1")
    s3.create_bucket(Bucket="half-done")
    s3.create_multipart_upload(Bucket="half-done", Key="run/model.pt")
    mine = ("cost", "waste", "-o", "json", "--region", "us-east-1", "--filter", "rule:unfinished-upload")
    (found,) = runctl(*mine).json()
    assert found["id"].startswith("s3://half-done/run/model.pt?uploadId=")
    with cloud.faults.active("denied", operation="ListMultipartUploads"):
        denied = runctl(*mine)
    assert denied.json() == []
    assert "unfinished uploads of " in denied.err
    assert "are not known" in denied.err
    assert not cloud.paid_calls()


def test_the_bill_is_asked_only_when_allowed_once_in_six_hours_and_counted(cloud: DemoCloud) -> None:
    refused = runctl("cost", "billed")
    assert refused.code == 1
    assert "--allow-paid-apis" in refused.err
    assert not cloud.paid_calls()
    runctl("--once", "-o", "json", "--region", "us-east-1,us-west-2,eu-west-1")
    first = runctl("cost", "billed", "--allow-paid-apis", "-o", "json")
    assert cloud.paid_calls() == {("ce", "GetCostAndUsage", "us-east-1"): 1}
    assert "1 page for $0.01" in first.err
    assert "1 paid call this month, $0.01" in first.err
    lines = {line["name"]: line for line in first.json()}
    compute = lines["Amazon Elastic Compute Cloud - Compute"]
    assert compute["estimate_usd"] == pytest.approx(compute["billed_usd"], rel=0.4)
    assert compute["difference_usd"] == pytest.approx(compute["billed_usd"] - compute["estimate_usd"])
    by_day = runctl("cost", "billed", "--by", "day", "-o", "json", env={"RUNCTL_COST_ALLOW_PAID_APIS": "true"})
    assert sum(d["billed_usd"] for d in by_day.json()) == pytest.approx(sum(x["billed_usd"] for x in lines.values()))
    assert len(cloud.paid_calls()) == sum(cloud.paid_calls().values()) == 1, "the same question, from the cache"
    assert "kept for 6 hours" in by_day.err


def test_a_bill_that_is_denied_is_one_line(cloud: DemoCloud) -> None:
    with cloud.faults.active("denied", service="ce"):
        ended = runctl("cost", "billed", "--allow-paid-apis")
    assert ended.code in (2, 3)
    assert "ce:GetCostAndUsage" in ended.err
    assert ended.out == ""


def test_a_session_with_default_settings_makes_no_paid_call(cloud: DemoCloud) -> None:
    """Every command that reads, on the wire."""
    region = ("--region", "us-east-1")
    for argv in (
        ("--once", "-o", "json"), ("instances", "list"), ("volumes", "list"), ("cost", "now"), ("cost", "waste"),
        ("cost", "forecast"), ("cost", "budgets"), ("cost", "ledger"), ("cost", "billed"), ("volumes", "advise"),
        ("prices", "refresh"),
    ):  # fmt: skip
        runctl(*argv, *region)
    assert cloud.calls()
    assert not cloud.paid_calls()
