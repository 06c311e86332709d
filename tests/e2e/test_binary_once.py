"""`runctl --once` and the read verbs against the embedded cloud and a plain moto server: complete, exact, quiet."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import signal
import subprocess
import time
from collections import Counter

import boto3
import jsonschema
import pytest

from runctl.cli.schema import once_schema
from runctl.demo.cloud import DemoCloud
from runctl.services.prices import PriceBook
from tests.e2e.binary import BINARY, runctl

pytestmark = pytest.mark.e2e
REGIONS = "us-east-1,us-west-2,eu-west-1"


def test_once_is_complete_exact_and_obeys_its_schema(cloud: DemoCloud) -> None:
    ended = runctl("--once", "-o", "json", "--region", REGIONS)
    assert (ended.code, ended.err) == (0, "")
    document = ended.json()
    jsonschema.Draft202012Validator(once_schema()).validate(document)
    sections = document["sections"]
    assert {s["status"] for s in sections.values()} == {"ok"}
    assert len(sections["instances"]["items"]) == 60
    assert Counter(i["region"] for i in sections["instances"]["items"]) == {
        region: _count(region) for region in REGIONS.split(",")
    }
    rates = [i["usd_per_hour"] for i in sections["cost"]["items"]]
    summary = document["summary"]
    assert summary["burn_usd_per_hour"] == math.fsum(r for r in rates if r is not None)
    assert summary["burn_unpriced"] == rates.count(None)
    assert summary["instances_running"] == sum(i["state"] == "running" for i in sections["instances"]["items"])
    assert summary["volumes_unattached"] == sum(v["attached_to"] is None for v in sections["volumes"]["items"])
    assert cloud.mutating_calls() == {}
    assert cloud.paid_calls() == {}


def _count(region: str) -> int:
    pages = boto3.client("ec2", region_name=region).describe_instances()["Reservations"]
    return sum(len(r["Instances"]) for r in pages)


def test_prices_are_those_of_the_book_to_the_cent(cloud: DemoCloud) -> None:
    items = runctl("instances", "list", "-o", "json", "--region", REGIONS).json()
    book, priced = PriceBook(), 0
    for item in items:
        rate = book.instance_rate(item["region"], item["type"], item["market"])
        if item["state"] not in ("pending", "running"):
            assert item["usd_per_hour"] == 0
        elif item["market"] == "on-demand":
            assert item["usd_per_hour"] == (rate.usd if rate else None)
            priced += rate is not None
    assert priced > 10


def test_a_plain_moto_server_gives_exact_data(plain_moto: str) -> None:
    """Counts and prices reckoned by hand from AWS's lists for us-east-1, to the cent."""
    ec2 = boto3.client("ec2", region_name="us-east-1")
    image = ec2.register_image(Name="linux", RootDeviceName="/dev/sda1", Architecture="x86_64")["ImageId"]
    tags = [{"Key": "Name", "Value": "[x] \U0001f999"}, {"Key": "runctl:managed", "Value": "1"}]
    workers = ec2.run_instances(
        ImageId=image, MinCount=3, MaxCount=3, InstanceType="g5.xlarge",
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )["Instances"]  # fmt: skip
    ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="p4d.24xlarge")
    ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="mac2.metal")
    ec2.stop_instances(InstanceIds=[workers[0]["InstanceId"]])
    fast = ec2.create_volume(AvailabilityZone="us-east-1a", Size=500, VolumeType="gp3", Iops=6000, Throughput=500)
    ec2.create_volume(AvailabilityZone="us-east-1a", Size=100, VolumeType="io1", Iops=1000)
    ec2.create_snapshot(VolumeId=fast["VolumeId"])
    ec2.allocate_address(Domain="vpc")
    document = runctl("--once", "-o", "json").json()
    machines, disks = (document["sections"][n]["items"] for n in ("instances", "volumes"))
    assert Counter((m["type"], m["state"], m["usd_per_hour"]) for m in machines) == {
        ("g5.xlarge", "running", 1.006): 2,
        ("g5.xlarge", "stopped", 0.0): 1,
        ("p4d.24xlarge", "running", 21.957642): 1,
        ("mac2.metal", "running", None): 1,
    }
    assert {m["name"] for m in machines if m["type"] == "g5.xlarge"} == {"[x] \U0001f999"}
    assert Counter((d["type"], d["size_gib"], d["usd_per_month"], d["attached_to"] is None) for d in disks) == {
        ("gp2", 8, 0.80, False): 5,  # moto gives each machine a root disk
        ("gp3", 500, 40.00 + 3000 * 0.005 + 375 * 0.04, True): 1,
        ("io1", 100, 12.50 + 1000 * 0.065, True): 1,
    }
    # A snapshot of 500 GiB, and moto's own of 15 GiB under the image, at 0.05 USD each.
    storage = 5 * 0.80 + 70.00 + 77.50 + 25.00 + 0.75
    summary = document["summary"]
    assert summary["storage_usd_per_month"] == pytest.approx(storage, abs=0.005)
    assert summary["burn_usd_per_hour"] == pytest.approx(2 * 1.006 + 21.957642 + storage / 730 + 0.005, abs=0.00005)
    counts = ("instances_running", "instances_stopped", "volumes_unattached", "burn_unpriced", "storage_unpriced")
    assert [summary[name] for name in counts] == [4, 1, 2, 1, 0]


def test_without_a_terminal_it_is_once_and_every_format_agrees(cloud: DemoCloud) -> None:
    ids = [i["id"] for i in runctl("instances", "list", "-o", "json").json()]
    assert len(ids) == _count("us-east-1")
    assert [line.split()[0] for line in runctl("instances", "list", "--no-headers").out.splitlines()] == ids
    assert runctl("instances", "list", "-o", "name").out.split() == [f"instance/{i}" for i in ids]
    rows = list(csv.DictReader(io.StringIO(runctl("instances", "list", "-o", "csv").out)))
    assert [r["id"] for r in rows] == ids
    lines = runctl("-1", "instances", "-o", "ndjson").out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ids
    automatic = runctl()
    assert automatic.code == 0
    assert automatic.out.splitlines()[0].endswith("us-east-1")
    assert f"INSTANCES {len(ids)}" in automatic.out
    assert "\x1b" not in automatic.out


def test_filter_sort_limit_and_fail_on(cloud: DemoCloud) -> None:
    ended = runctl(
        "-1", "instances", "-o", "json", "--filter", "state:running cost>1", "--sort", "cost", "--limit", "3"
    )
    rates = [i["usd_per_hour"] for i in ended.json()["sections"]["instances"]["items"]]
    assert len(rates) == 3
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] > 1
    assert runctl("-1", "instances", "-o", "name", "--fail-on", "unattached", "--region", REGIONS).code == 5


def test_a_frozen_clock_gives_the_same_answer_twice(cloud: DemoCloud) -> None:
    env = {"RUNCTL_NOW": "2026-11-24T12:00:00+00:00"}
    first, second = (runctl("instances", "list", "-o", "json", "--sort", "id", env=env) for _ in range(2))
    launched = {i["id"]: i["launched_at"] for i in first.json()}
    assert launched == {i["id"]: i["launched_at"] for i in second.json()}
    assert runctl("-1", "s3", "-o", "json", env=env).json()["generated_at"] == "2026-11-24T12:00:00Z"


@pytest.mark.parametrize(
    "env", [{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"PYTHONIOENCODING": "latin-1"}]
)
def test_a_locale_without_utf8_gets_ascii(cloud: DemoCloud, env: dict[str, str]) -> None:
    ended = runctl("--once", env=env)
    assert ended.code == 0
    assert ended.out.isascii()


def test_colours_when_forced_and_widths_when_told(cloud: DemoCloud) -> None:
    assert "\x1b[32mrunning" in runctl("instances", "list", "--color", "always").out
    assert "\x1b" not in runctl("instances", "list", env={"FORCE_COLOR": "1", "NO_COLOR": "1"}).out
    narrow = runctl("instances", "list", env={"COLUMNS": "60"})
    ids = [i["id"] for i in runctl("instances", "list", "-o", "json").json()]
    assert [line.split()[0] for line in narrow.out.splitlines()[1:]] == ids


def test_a_closed_pipe_is_quiet(cloud: DemoCloud) -> None:
    script = '"$0" -1 -o json --region "$1" | head -c 10 >/dev/null; echo "${PIPESTATUS[0]}"'
    done = subprocess.run(
        ["bash", "-c", script, BINARY, REGIONS],
        capture_output=True, text=True, check=True, cwd=os.environ["HOME"],
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.strip() in ("141", "0")  # 0: all of it fitted the pipe before it was closed


def test_a_pipe_closed_before_the_first_byte(cloud: DemoCloud) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([BINARY, "-1", "instances"], stdout=write, stderr=subprocess.PIPE, check=False, timeout=60)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_at_once_and_quietly(cloud: DemoCloud, number: signal.Signals, code: int) -> None:
    with cloud.faults.active("hang", service="ec2", seconds=60) as rule:
        process = subprocess.Popen([BINARY, "-1", "instances"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 20
        while not cloud.faults.hits(rule):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (code, b"", b"")


def test_show_and_raw_and_what_is_not_there(cloud: DemoCloud) -> None:
    machine = runctl("instances", "list", "-o", "json", "--limit", "1").json()[0]
    shown = runctl("instances", "show", machine["id"], "-o", "json").json()
    assert {k: shown[k] for k in ("id", "type", "tags")} == {k: machine[k] for k in ("id", "type", "tags")}
    raw = runctl("instances", "show", machine["id"], "--raw").json()
    assert raw["InstanceId"] == machine["id"]
    assert "ID         " in runctl("instances", "show", machine["id"]).out
    ended = runctl("instances", "show", "i-00000000000000000")
    assert (ended.code, ended.out) == (1, "")
    assert "no instance 'i-00000000000000000' in us-east-1" in ended.err


def test_volumes_snapshots_cost_and_buckets(cloud: DemoCloud) -> None:
    snapshots = runctl("volumes", "snapshots", "-o", "json").json()
    assert snapshots
    only = runctl("volumes", "snapshots", "--volume", snapshots[0]["volume_id"], "-o", "json").json()
    assert {s["volume_id"] for s in only} == {snapshots[0]["volume_id"]}
    now = runctl("cost", "now", "-o", "json").json()
    assert {"instance", "volume", "snapshot"} <= {c["kind"] for c in now}
    buckets = [b["bucket"] for b in runctl("s3", "ls", "-o", "json").json()]
    assert buckets
    level = [e for b in buckets for e in runctl("s3", "ls", f"s3://{b}/", "-o", "json").json()]
    assert any(e["is_prefix"] for e in level)
    missing = runctl("s3", "ls", "s3://no-such-bucket-here")
    assert (missing.code, missing.out) == (1, "")


def test_jobs_are_known_by_the_tags_of_machines(cloud: DemoCloud) -> None:
    jobs = runctl("jobs", "list", "-o", "json").json()
    machines = {i["id"]: i for i in runctl("instances", "list", "-o", "json").json()}
    assert jobs
    assert all(machines[j["instance_id"]]["job"] == j["id"] for j in jobs)
    assert runctl("jobs", "show", jobs[0]["id"], "-o", "json").json()["id"] == jobs[0]["id"]


def test_prices_show_needs_no_account(cloud: DemoCloud) -> None:
    nobody = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    shown = runctl("prices", "show", "g5.xlarge", "--region", "us-east-1", "-o", "json", env=nobody).json()
    assert shown["hardware"]["gpu_model"] == "A10G"
    rate = PriceBook().instance_rate("us-east-1", "g5.xlarge", "on-demand")
    assert rate is not None
    listed = shown["regions"][0]["on_demand"]
    assert (listed["usd_per_hour"], listed["source"], listed["confidence"]) == (rate.usd, rate.source, rate.confidence)
    assert listed["as_of"]
    unknown = runctl("prices", "show", "g5.xlarge", "--region", "sa-east-9", env=nobody)
    assert "?" in unknown.out
    assert "price unknown" in unknown.err


def test_doctor_is_content_with_the_embedded_cloud_and_sees_a_wrong_clock(cloud: DemoCloud) -> None:
    checks = {c["name"]: c for c in runctl("doctor", "-o", "json").json()["checks"]}
    assert checks["credentials"]["level"] == checks["clock"]["level"] == checks["ec2:DescribeVolumes"]["level"] == "ok"
    cloud.skew(90)
    checks = {c["name"]: c for c in runctl("doctor", "-o", "json").json()["checks"]}
    assert checks["clock"]["level"] == "warn"
    assert "behind AWS" in checks["clock"]["detail"]


def test_info_tells_everything_but_secrets(cloud: DemoCloud) -> None:
    for form in ("table", "json"):
        text = runctl("info", "-o", form, env={"AWS_SESSION_TOKEN": "session-secret"}).out
        assert os.environ["AWS_SECRET_ACCESS_KEY"] not in text
        assert os.environ["AWS_ACCESS_KEY_ID"] not in text
        assert "session-secret" not in text
        assert "botocore" in text
        assert "aws.read_timeout_s" in text
    assert runctl("info", "-o", "json").json()["environment"]["AWS_SECRET_ACCESS_KEY"] == "****"


def test_config_init_show_validate_path(cloud: DemoCloud) -> None:
    made = runctl("config", "init")
    assert made.code == 0
    again = runctl("config", "init")
    assert again.code == 1
    assert "exists already" in again.err
    assert runctl("config", "validate").out == f"{made.out.strip()}: ok\n"
    assert made.out.strip() in runctl("config", "path").out
    shown = {v["name"]: v for v in runctl("config", "show", "-o", "json", env={"RUNCTL_UI_THEME": "light"}).json()}
    assert shown["ui.theme"] == {
        "name": "ui.theme", "value": "light", "from": "RUNCTL_UI_THEME", "layer": "environment",
    }  # fmt: skip
    assert runctl("config", "validate", "/nonexistent.toml").code == 3


def test_the_demo_ends_with_its_command_and_touches_no_home(cloud: DemoCloud) -> None:
    ended = runctl("--demo", "-1", "-o", "json", env={"RUNCTL_PROFILE": "lab", "AWS_REGION": None})
    assert ended.code == 0
    assert len(ended.json()["sections"]["instances"]["items"]) == 60
    assert not os.path.exists(os.path.join(os.environ["XDG_CACHE_HOME"], "runctl", "snapshot"))
    assert cloud.calls() == {}
