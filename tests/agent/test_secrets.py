"""Values of secrets: in the command's environment, and nowhere else that the run leaves behind."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from runctl.agent.s3 import S3Store
from runctl.demo.cloud import DemoCloud
from runctl.models import record
from tests.agent.conftest import Job, until
from tests.services.transfer import servers

HOUSE, KEY = "correct-horse-battery-staple-0123", "line-one-of-a-key\nline-two-of-a-key"


@pytest.fixture
def paid(cloud: DemoCloud, tmp_path: Path, agent: Path) -> Iterator[Job]:
    """A job whose record lies in the cloud's S3, with two secrets in its other services."""
    servers.make_bucket(servers.client_of(cloud.endpoint_url), "jobs")
    session = boto3.Session(aws_access_key_id="x", aws_secret_access_key="y", region_name="us-east-1")
    session.client("ssm", endpoint_url=cloud.endpoint_url).put_parameter(
        Name="/team/token", Value=HOUSE, Type="SecureString"
    )
    session.client("secretsmanager", endpoint_url=cloud.endpoint_url).create_secret(
        Name="team/key", SecretString=json.dumps({"pem": KEY})
    )
    job = Job(tmp_path, agent, S3Store("jobs"), "s3://jobs")
    yield job
    job.end()


def _everything(job: Job) -> Iterator[tuple[str, bytes]]:
    """Each object of the record, unpacked, and each file that the run left on the disk."""
    for found in job.store.list(record.ROOT):
        body = job.store.get(found.key)[0]
        yield found.key, gzip.decompress(body) if found.key.endswith(".gz") else body
    for path in job.root.rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes()


def test_no_secret_is_in_anything_a_run_leaves_behind(paid: Job) -> None:
    script = paid.root / "train.py"
    script.write_text("""
import os, sys, time
token, key = os.environ["TOKEN"], os.environ["KEY"]
assert len(token) == 33 and key.count("\\n") == 1
print("step=1 loss=0.5 token", token, flush=True)
for letter in token: sys.stdout.write(letter); sys.stdout.flush(); time.sleep(0.002)
print()
print("key", key, "in quotes", repr(token), flush=True)
open(os.environ["RUNCTL_METRICS_FILE"], "a").write('{"step": 2, "loss": 0.25}\\n')
while not os.path.exists(os.environ["RUNCTL_STOP_FILE"]): time.sleep(0.05)
raise SystemExit("it failed with " + token)
""")
    references = {"TOKEN": "ssm:/team/token", "KEY": "secretsmanager:team/key#pem"}
    paid.submit(sys.executable, str(script), secrets=references, limits={"grace_s": 60.0, "upload_s": 30.0})
    paid.start(local=False, AWS_EC2_METADATA_DISABLED="true")
    until(lambda: paid.state().get("step") == 2, "it runs")
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert HOUSE.encode() not in line.read_bytes()
        except OSError:
            continue
    paid.control(desired="stop", reason="enough")
    assert paid.wait() == 0
    log = paid.log()
    assert log.count(b"*" * len(HOUSE)) == 5, log
    assert paid.exit()["rc"] == 1
    assert paid.exit()["log_bytes"] == len(log)
    seen = list(_everything(paid))
    assert len(seen) > 10
    for name, body in seen:
        for value in (HOUSE, *KEY.splitlines()):
            assert value.encode() not in body, name


def test_a_secret_that_cannot_be_had_is_a_failed_setup_that_names_its_reference(paid: Job) -> None:
    paid.submit("true", secrets={"TOKEN": "ssm:/team/nothing"}).start(local=False, AWS_EC2_METADATA_DISABLED="true")
    assert paid.wait() == 0
    end = paid.exit()
    assert (end["rc"], end["cause"]) == (None, "setup")
    assert "ssm:/team/nothing" in end["message"]
    assert "ParameterNotFound" in end["message"]
