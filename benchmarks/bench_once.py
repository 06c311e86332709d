"""`runctl --once` against `aws ec2 describe-instances` on the same server, and the start of the bare program."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator

from benchmarks.harness import Result, compare
from runctl.demo.server import start

RUNCTL = (sys.executable, "-m", "runctl")


def results() -> Iterator[Result]:
    """Every comparison of this file."""
    for flag in ("--help", "--version"):
        yield compare(f"runctl {flag} / python -c pass", (*RUNCTL, flag), (sys.executable, "-c", "pass"), {}, bar=4.0)
    aws = shutil.which("aws", path="/usr/bin:/usr/local/bin")
    if aws is None:
        print("aws is not installed (Debian: awscli); --once is not compared", file=sys.stderr)
        return
    for machines in (50, 1000):
        with start(fleet="empty") as cloud:
            cloud.bulk(machines)
            theirs = (aws, "ec2", "describe-instances", "--endpoint-url", cloud.endpoint_url, "--output", "json")
            yield compare(
                f"runctl --once -o json instances, {machines} machines",
                (*RUNCTL, "--once", "-o", "json", "instances"),
                theirs,
                {**cloud.environment(), "AWS_DEFAULT_REGION": "us-east-1"},
                bar=0.6,
            )
