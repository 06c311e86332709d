"""The script that brings the supervisor to life, as user data or by Systems Manager: POSIX sh, so dash runs it too."""

from __future__ import annotations

import ast
import base64
import re
import shlex
import sys
import zlib
from importlib import resources

from runctl.models import record

#: EC2 takes this much user data (bytes, before base64).
USER_DATA_MOST = 16_384
_LEFT_OUT = ("__future__", "runctl.agent.aws")

_SCRIPT = """\
#!/bin/sh
# Starts the supervisor of runctl job {job}, attempt {attempt}. Running it again changes nothing.
set -u
umask 077
{exports}RUN="${{RUNCTL_HOME:-/var/lib/runctl}}/{job}/{attempt}"
mkdir -p "$RUN" || exit 1
if ! mkdir "$RUN/started" 2>/dev/null; then echo "runctl: attempt {attempt} was started already"; exit 0; fi
give_up() {{
    echo "runctl: $1" >&2
    if [ -w /dev/console ] && [ -z "${{RUNCTL_SANDBOX:-}}" ]; then echo "runctl: $1" >/dev/console; fi
    {power_off}
    exit 1
}}
PYTHON=""
for candidate in python3 /usr/bin/python3 /opt/pytorch/bin/python3 /usr/libexec/platform-python; do
    "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null || continue
    PYTHON="$candidate"
    break
done
if [ -z "$PYTHON" ]; then give_up "no Python 3.8 or newer on this machine"; fi
"$PYTHON" -c 'import base64,zlib;exec(compile(zlib.decompress(base64.b64decode("{loader}")),"loader","exec"))' \\
    {bucket} {region} {key} {digest} "$RUN/agent.pyz" {end} {job} {attempt} {patience} \\
    || give_up "the supervisor could not be fetched from {bucket}"
set -- "$PYTHON" "$RUN/agent.pyz" run --store s3://{bucket} --job {job} --attempt {attempt} --work "$RUN" --pace {pace}
if [ -d /run/systemd/system ] && [ -z "${{RUNCTL_SANDBOX:-}}" ] && command -v systemd-run >/dev/null 2>&1; then
    systemd-run --quiet --collect --unit="runctl-{job}-{attempt}" \\
        --property=KillMode=mixed --property=TimeoutStopSec=90 {setenv}"$@" && exit 0
fi
if command -v setsid >/dev/null 2>&1; then set -- setsid "$@"; fi
nohup "$@" </dev/null >>"$RUN/agent.log" 2>&1 &
exit 0
"""


def user_data(
    *,
    bucket: str,
    region: str,
    job: str,
    attempt: int,
    agent_sha256: str,
    endpoint: str | None = None,
    pace: str = "normal",
    power_off: bool = True,
    patience_s: float = 600.0,
) -> str:
    """The script for one attempt.

    Args:
        bucket: where the record lies.
        region: the bucket's.
        job: the job's id.
        attempt: its number.
        agent_sha256: digest of the supervisor, which lies at `agent_key` of it.
        endpoint: address of S3 and of the other services, for clouds that are not AWS.
        pace: "normal" or "fast".
        patience_s: seconds to try to fetch the supervisor, before the record and the console say that it did not come.
        power_off: end the machine where the supervisor cannot be started; False on a machine that is not the job's.

    Raises:
        ValueError: a value that could not stand in a script, or a script that EC2 would not take.
    """
    for name, value in (("bucket", bucket), ("region", region), ("agent_sha256", agent_sha256), ("pace", pace)):
        if not re.fullmatch(r"[A-Za-z0-9.-]+", value):
            raise ValueError(f"{name} {value!r}: expected letters, digits, dots and dashes")
    record.job_prefix(job)
    environment = {"AWS_ENDPOINT_URL": endpoint} if endpoint else {}
    text = _SCRIPT.format(
        job=job,
        attempt=int(attempt),
        bucket=bucket,
        region=region,
        key=record.agent_key(agent_sha256),
        digest=agent_sha256,
        end=record.attempt_key(job, int(attempt), "exit.json"),
        patience=float(patience_s),
        pace=pace,
        loader=loader(),
        exports="".join(f"export {n}={shlex.quote(v)}\n" for n, v in environment.items()),
        setenv="".join(f"--setenv={n}={shlex.quote(v)} " for n, v in environment.items()),
        power_off="shutdown -h now" if power_off else ":",
    )
    if len(text.encode()) > USER_DATA_MOST:
        raise ValueError(f"the script has {len(text.encode())} bytes; EC2 takes {USER_DATA_MOST}")
    return text


def loader() -> str:
    """The program that fetches the supervisor, compressed: `aws.py` and `loader.py` as one text."""
    package = resources.files("runctl") / "agent"
    first, last = (_bare((package / name).read_text("utf-8")) for name in ("aws.py", "loader.py"))
    text = f"from __future__ import annotations\n{first}\n{last}\nsys.exit(main())\n"
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def _bare(text: str) -> str:
    """A module without docstrings, comments and its imports from the future: what the machine does not need."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    tree.body = [n for n in tree.body if not (isinstance(n, ast.ImportFrom) and n.module in _LEFT_OUT)]
    return ast.unparse(tree)


def local_command(agent: str, *, store: str, job: str, attempt: int, work: str, folder: str = "") -> list[str]:
    """What runs the supervisor on this machine for the `local` provider.

    Args:
        agent: path of the file that `bundle.build` made.
        store: `file:///DIRECTORY`.
        job: the job's id.
        attempt: its number.
        work: directory for this attempt.
        folder: run the command here; empty for the code archive.
    """
    argv = [sys.executable, agent, "run", "--local", "--pace", "fast", "--store", store, "--job", job]
    argv += ["--attempt", str(attempt), "--work", work]
    return [*argv, "--folder", folder] if folder else argv
