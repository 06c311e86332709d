"""The first seven bad days of a newcomer: each ends in a code, one message and a hint, and keeps what is known."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from runctl.demo.cloud import DemoCloud
from tests.e2e.binary import runctl

pytestmark = pytest.mark.e2e
NOBODY = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}


def test_no_credentials(cloud: DemoCloud) -> None:
    for argv in (("--once",), ("instances", "list"), ("doctor",)):
        ended = runctl(*argv, env=NOBODY)
        assert ended.code == 3
        assert "no credentials" in ended.err + ended.out
        assert "aws sso login" in ended.err + ended.out
        assert "runctl --demo" in ended.err + ended.out
    assert cloud.calls() == {}


def test_expired_credentials(cloud: DemoCloud) -> None:
    with cloud.faults.active("expired"):
        ended = runctl("--once", "-o", "json")
        assert ended.code == 3
        assert "log in again" in ended.err
        document = ended.json()
        assert {s["status"] for s in document["sections"].values()} == {"error"}
        assert document["summary"]["burn_usd_per_hour"] is None
        assert {e["code"] for e in document["errors"]} <= {"ExpiredToken", "RequestExpired", "ExpiredTokenException"}
        assert runctl("doctor").code == 3


def test_a_region_that_is_none_and_one_that_nobody_knows(cloud: DemoCloud) -> None:
    ended = runctl("--once", "--region", "us-esat")
    assert (ended.code, ended.out) == (1, "")
    assert "'us-esat' is not a region name" in ended.err
    assert cloud.calls() == {}
    ended = runctl("--once", "instances", "--region", "us-west-9", "--timeout", "5s")
    assert ended.code == 2
    assert "did you mean us-west-2?" in ended.err
    ended = runctl("--once", env={"AWS_REGION": None, "AWS_DEFAULT_REGION": None})
    assert ended.code == 3
    assert "--region us-east-1" in ended.err


def test_an_endpoint_where_nobody_listens(cloud: DemoCloud) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{probe.getsockname()[1]}"
    ended = runctl("--once", "instances", "--timeout", "10s", env={"AWS_ENDPOINT_URL": closed})
    assert (ended.code, ended.out) == (2, "")
    assert f"could not connect to {closed.removeprefix('http://')}" in ended.err
    assert "AWS_ENDPOINT_URL" in ended.err


def test_a_hung_region_delays_nobody_else(cloud: DemoCloud) -> None:
    whole = runctl("--once", "instances", "--region", "us-east-1", "-o", "name").out.splitlines()
    with cloud.faults.active("hang", region="eu-west-1", seconds=60):
        ended = runctl("--once", "instances", "-o", "json", "--region", "us-east-1,eu-west-1", "--timeout", "3s")
    assert ended.code == 4
    document = ended.json()
    assert document["sections"]["instances"]["status"] == "partial"
    assert [f"instance/{i['id']}" for i in document["sections"]["instances"]["items"]] == whole
    assert [(e["region"], e["code"], e["retryable"]) for e in document["errors"]] == [("eu-west-1", "Timeout", True)]
    assert "eu-west-1: no answer within 3 s" in ended.err
    assert "--timeout" in ended.err


def test_html_where_xml_was_due(cloud: DemoCloud) -> None:
    with cloud.faults.active("html"):
        ended = runctl("--once", "instances", "--timeout", "10s")
    assert (ended.code, ended.out) == (2, "")
    assert "ec2:DescribeInstances in us-east-1" in ended.err
    assert "<html>" not in ended.err


def test_one_call_that_is_not_allowed_costs_one_section(cloud: DemoCloud) -> None:
    with cloud.faults.active("denied", operation="DescribeVolumes"):
        ended = runctl("--once", "-o", "json")
        table = runctl("--once")
        doctor = runctl("doctor", "-o", "json")
        alone = runctl("volumes", "list")
    assert (ended.code, table.code, doctor.code, alone.code) == (4, 4, 4, 2)
    sections = ended.json()["sections"]
    assert {n: s["status"] for n, s in sections.items()} == {
        "instances": "ok", "jobs": "ok", "s3": "ok", "volumes": "error", "cost": "partial",
    }  # fmt: skip
    assert ended.json()["summary"]["volumes_unattached"] is None
    assert "VOLUMES ?" in table.out
    assert "not allowed: ec2:DescribeVolumes in us-east-1" in table.out
    assert "ask for the IAM action ec2:DescribeVolumes" in table.err
    failed = [c for c in doctor.json()["checks"] if c["level"] == "fail"]
    assert [(c["name"], "Volumes" in c["detail"]) for c in failed] == [("ec2:DescribeVolumes", True)]
    assert "not allowed: ec2:DescribeVolumes" in alone.err


def test_throttling_that_passes_is_not_seen(cloud: DemoCloud) -> None:
    with cloud.faults.active("throttle", service="ec2", times=1):
        assert runctl("instances", "list", "-o", "name").code == 0


def test_a_profile_that_is_written_nowhere(cloud: DemoCloud, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[profile lab]\nregion = us-east-1\n")
    ended = runctl("--once", "--profile", "lba", env={"AWS_CONFIG_FILE": str(tmp_path / "config")})
    assert ended.code == 3
    assert "no AWS profile 'lba'; did you mean lab?" in ended.err
    assert cloud.calls() == {}


def test_a_broken_configuration_file(cloud: DemoCloud, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[ui]\nthem = "dark"\n')
    env = {"RUNCTL_CONFIG": str(file)}
    ended = runctl("--once", env=env)
    assert ended.code == 3
    assert f"{file}:2: unknown key ui.them" in ended.err
    assert "did you mean ui.theme?" in ended.err
    doctor = runctl("doctor", "-o", "json", env=env)
    assert doctor.code == 3
    levels = {c["name"]: c["level"] for c in doctor.json()["checks"]}
    assert levels["configuration"] == "fail"
    assert levels["credentials"] == "ok"  # one broken file hides nothing else


def test_a_home_that_cannot_be_written_costs_the_cache_only(cloud: DemoCloud, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")  # a file where a directory is wanted: unwritable for root too
    ended = runctl("--once", "instances", "-o", "name", env={"RUNCTL_HOME": str(blocked / "home")})
    assert ended.code == 0
    assert ended.out.startswith("instance/i-")
    found = runctl("doctor", "-o", "json", env={"RUNCTL_HOME": str(blocked / "home")}).json()["checks"]
    assert {c["name"]: c["level"] for c in found}["state directory"] == "warn"


def test_a_broken_cache_is_no_cache(cloud: DemoCloud, tmp_path: Path) -> None:
    env = {"RUNCTL_HOME": str(tmp_path)}
    assert runctl("--once", "--cached", env=env).code == 3
    assert runctl("--once", env=env).code == 0
    files = list((tmp_path / "cache").glob("snapshot-*.json"))
    assert len(files) == 1
    kept = runctl("--once", "--cached", "-o", "json", env={**env, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    assert kept.code == 0
    assert len(kept.json()["sections"]["instances"]["items"]) > 10
    files[0].write_text(files[0].read_text()[:1000])
    ended = runctl("--once", "--cached", env=env)
    assert ended.code == 3
    assert "nothing is cached" in ended.err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('"app.refrsh" = "r"', "nearest: app.refresh"),
        ('"app.refresh" = "hyper+q"', "'hyper+q' is not a key"),
        ('"app.refresh" = "q"', "q is both"),
    ],
)
def test_keys_that_cannot_be_are_named_with_their_line(tmp_path: Path, line: str, words: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(f"[keys]\n{line}\n")
    ended = runctl("config", "validate", env={"RUNCTL_CONFIG": str(file)})
    assert ended.code == 3
    assert f"{file}:2: [keys]: " in ended.err
    assert words in ended.err
