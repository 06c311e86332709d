"""`runctl --once` against `aws ec2 describe-instances` on the same server, and the start of the bare program."""

from __future__ import annotations

import shutil
import sys
import tempfile
from functools import partial

from benchmarks.harness import Result, canned_process, paired, process
from runctl.demo.cloud import client_environment
from runctl.demo.server import start

RUNCTL = (sys.executable, "-m", "runctl")
BARE = (sys.executable, "-c", "pass")
ONCE = (*RUNCTL, "--once", "-o", "json", "instances")


def main() -> list[Result]:
    """Every comparison of this file."""
    found = [
        paired(
            f"runctl {flag} / python -c pass",
            partial(process, (*RUNCTL, flag), {}),
            partial(process, BARE, {}),
            bar=4.0,
            runs=15,
        )
        for flag in ("--help", "--version")
    ]
    aws = shutil.which("aws", path="/usr/bin:/usr/local/bin")
    if aws is None:
        print("aws is not installed (Debian: awscli); --once is not compared", file=sys.stderr)
        return found
    for machines in (50, 1000):
        with canned_process("--machines", str(machines)) as url:
            found.append(_against_aws(aws, url, f"--once, {machines} machines, canned pages"))
        with start(fleet="empty") as cloud:
            cloud.bulk(machines)
            found.append(_against_aws(aws, cloud.endpoint_url, f"--once, {machines} machines, the demo cloud"))
    return found


def _against_aws(aws: str, url: str, what: str) -> Result:
    theirs = (aws, "ec2", "describe-instances", "--endpoint-url", url, "--output", "json")
    with tempfile.TemporaryDirectory(prefix="runctl-bench-") as home:
        env = {**client_environment(url), "RUNCTL_HOME": home}
        return paired(f"{what} / aws", partial(process, ONCE, env), partial(process, theirs, env), bar=0.6)
