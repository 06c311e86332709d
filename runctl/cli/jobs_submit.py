"""`runctl jobs submit`: what would be sent, the question, the job."""

from __future__ import annotations

import argparse
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runctl.cli import arguments
from runctl.cli.arguments import Parser
from runctl.cli.dispatch import Verb

if TYPE_CHECKING:
    from runctl.cli.invocation import Invocation
    from runctl.services.jobs.providers import Started
    from runctl.services.jobs.spec import Job
    from runctl.services.jobs.submit import Submission

#: Dotted names of job.toml by flag: what a flag sets, and which flag an error names.
_FLAGS = {
    "name": "name", "project": "project", "provider": "provider", "root": "root", "at_end": "at-end",
    "metrics_file": "metrics-file", "resources.types": "type", "resources.market": "market", "resources.disk": "disk",
    "resources.image": "image", "resources.zones": "az", "resources.max_usd_per_hour": "max-price",
    "resources.profile": "instance-profile", "resources.on": "on", "checkpoints.dir": "checkpoint-dir",
    "checkpoints.pattern": "checkpoint-pattern", "checkpoints.keep": "keep", "checkpoints.best": "best",
    "limits.budget": "budget", "limits.ttl": "ttl", "limits.idle": "idle", "limits.grace": "grace",
    "limits.on_rebalance": "on-rebalance",
    "retry.attempts": "attempts", "retry.exit_codes": "retry-exit", "outputs": "outputs", "data": "data",
    "env": "env", "env_from": "env", "secrets": "secret", "allow_files": "allow-file",
}  # fmt: skip


def _configure(parser: Parser) -> None:
    parser.add_argument("script", nargs="?", help="what runs: a .py or .sh file, or any program of the project")
    parser.add_argument("--spec", metavar="FILE", help="job.toml to start from; flags stand over it")
    job = parser.add_argument_group("the job")
    job.add_argument("--name", metavar="N", help="what people call it (default: the script's name)")
    job.add_argument("--project", metavar="P", help="project, for costs")
    job.add_argument("--provider", choices=("ec2", "local"), help="a machine of its own, or this computer for $0")
    job.add_argument("--root", metavar="DIR", help="the directory that goes up (default: see --dry-run)")
    job.add_argument("--allow-file", action="append", metavar="PATH", help="let this one go up although it is refused")
    job.add_argument("--no-deps", action="store_true", help="install no dependencies")
    job.add_argument("--metrics-file", metavar="PATH", help="JSON lines with metrics, beside what the log tells")
    _configure_machine(parser)
    _configure_data(parser)
    end = parser.add_argument_group("its end")
    end.add_argument("--budget", type=_usd, metavar="USD", help="stop when it has cost so much")
    end.add_argument("--ttl", metavar="8h", help="stop after this long (default 24h)")
    end.add_argument("--idle", metavar="30m", help="stop after this long without progress (default 30m)")
    end.add_argument("--grace", metavar="2m", help="time to save after SIGTERM (default 2m)")
    end.add_argument(
        "--on-rebalance",
        choices=("save", "stop"),
        help="when EC2 expects to take a spot machine: save and run on, or end",
    )
    end.add_argument("--attempts", type=arguments.limit, metavar="N", help="most attempts, interruptions included")
    end.add_argument("--retry-exit", action="append", type=int, metavar="CODE", help="exit code worth another attempt")
    end.add_argument("--at-end", choices=("terminate", "stop", "keep"), help="what becomes of the machine")
    safety = parser.add_argument_group("safety")
    safety.add_argument("--dry-run", action="store_true", help="show what would be sent and started; do neither")
    safety.add_argument("-y", "--yes", action="store_true", help="do not ask")
    arguments.add_format(parser.add_argument_group("output"), ("table", "json"))


def _configure_machine(parser: Parser) -> None:
    machine = parser.add_argument_group("the machine")
    machine.add_argument("--type", type=arguments.words, metavar="T[,T2]", help="instance types, the preferred first")
    machine.add_argument("--spot", dest="market", action="store_const", const="spot", help="buy spot, never on-demand")
    machine.add_argument(
        "--market", choices=("on-demand", "spot", "spot-or-on-demand"), help="how to buy (default on-demand)"
    )
    machine.add_argument("--disk", metavar="100GiB", help="size of its disk")
    machine.add_argument("--image", metavar="AMI", help="ami-… or a Systems Manager parameter")
    machine.add_argument("--az", type=arguments.words, metavar="Z[,Z2]", help="zones to try")
    machine.add_argument("--max-price", type=_usd, metavar="USD", help="leave out what costs more an hour")
    machine.add_argument("--on", metavar="INSTANCE", help="a machine that runs already, by Systems Manager")
    machine.add_argument("--instance-profile", metavar="NAME", help="its instance profile")


def _configure_data(parser: Parser) -> None:
    data = parser.add_argument_group("data")
    data.add_argument("--data", action="append", type=_data, metavar="S3URI=DIR", help="put it there before the start")
    data.add_argument("--outputs", action="append", metavar="GLOB", help="keep these files too")
    data.add_argument("--checkpoint-dir", metavar="DIR", help="where it saves (default checkpoints)")
    data.add_argument("--checkpoint-pattern", metavar="GLOB", help="what there is a checkpoint (default *)")
    data.add_argument("--keep", type=arguments.limit, metavar="N", help="checkpoints to keep beside the best")
    data.add_argument("--best", metavar="METRIC[:max]", help="what makes one the best")
    data.add_argument("--env", action="append", metavar="N[=V]", help="a variable, with its value here or as given")
    data.add_argument("--secret", action="append", type=_pair, metavar="N=REF", help="ssm:/path, secretsmanager:name")


def _usd(text: str) -> float:
    try:
        value = float(text.removeprefix("$"))
    except ValueError:
        value = 0.0
    if not 0 < value <= 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount of dollars; write for example 20")
    return value


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name or not value:
        raise argparse.ArgumentTypeError("write NAME=REFERENCE, for example HF_TOKEN=ssm:/ml/hf-token")
    return name, value


def _data(text: str) -> dict[str, str]:
    source, sign, target = text.rpartition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"{text!r}: write s3://bucket/prefix/=directory")
    return {"source": source, "target": target}


def _wanted(args: Namespace) -> dict[str, Any]:
    """The flags that were given, nested like job.toml."""
    given: dict[str, Any] = {}

    def put(name: str, value: object) -> None:
        if value is None:
            return
        *tables, last = name.split(".")
        here = given
        for table in tables:
            here = here.setdefault(table, {})
        here[last] = value

    for dotted, flag in _FLAGS.items():
        if dotted not in ("env", "env_from", "secrets"):
            put(dotted, getattr(args, flag.replace("-", "_"), None))
    pairs = [word.partition("=") for word in args.env or ()]
    put("env", {n: v for n, sign, v in pairs if sign} or None)
    put("env_from", tuple(n for n, sign, _ in pairs if not sign) or None)
    put("secrets", dict(args.secret) if args.secret else None)
    put("dependencies", "none" if args.no_deps else None)
    put("script", args.script)
    put("args", tuple(args.rest) or None)
    return given


def _run(args: Namespace) -> int:
    from runctl.cli.invocation import cloud, start

    with cloud(args):
        return _submit(start(args))


def _submit(call: Invocation) -> int:
    import os

    from runctl import paths
    from runctl.cli.confirm import confirm
    from runctl.cli.jobs_connect import open_jobs, region_of, with_hands
    from runctl.services.jobs.spec import JOB_FILE, build_job
    from runctl.services.jobs.submit import Place, prepare, submit

    args = call.args
    here = Path.cwd()
    spec = (
        Path(args.spec) if args.spec else (here / JOB_FILE if not args.script and (here / JOB_FILE).exists() else None)
    )
    job = build_job(_wanted(args), path=spec, flags=_FLAGS)
    jobs = open_jobs(call)
    region = None
    if job.provider == "ec2":
        from runctl.cli.connect import connect

        region = job.resources.region or region_of(call, connect(call.settings))
    jobs = with_hands(call, jobs, job.provider, region)
    bucket = call.settings.jobs.bucket if job.provider == "ec2" else None
    made = prepare(jobs, job, Place(spec.parent if spec else here, paths.home(), os.environ, region, bucket))
    if args.dry_run:
        return _planned(call, job, made)
    if not args.yes:
        for line in _lines(call, job, made):
            print(line, file=sys.stderr)
    confirm(call, f"submit {made.spec['name']}" + (f" in {region}" if region else " on this computer"))
    return _tell(call, made, submit(jobs, made))


def _planned(call: Invocation, job: Job, made: Submission) -> int:
    from runctl.cli.output import write_json, write_lines

    if call.output == "json":
        write_json([{**_result(made, "planned", ""), "spec": dict(made.spec), "files": _files(made),
                     "candidates": [dict(c) for c in made.intent.candidates], "how": made.intent.how}])  # fmt: skip
    else:
        write_lines(_lines(call, job, made))
    return 0


def _files(made: Submission) -> list[dict[str, Any]]:
    return [{"path": f.path, "bytes": f.size} for f in made.preview.files] if made.preview else []


def _result(made: Submission, outcome: str, reason: str) -> dict[str, Any]:
    return {"id": made.job.job, "action": "submit", "outcome": outcome, "rule": None, "reason": reason or None,
            "name": made.spec["name"]}  # fmt: skip


def _lines(call: Invocation, job: Job, made: Submission) -> list[str]:
    """What is going to happen, for people."""
    from runctl.format import format_bytes, format_duration
    from runctl.services.jobs.tree import largest

    clean = call.style.clean
    said = [f"job         {made.spec['name']}", f"runs        {clean(' '.join(made.spec['command']), 300)}"]
    if made.preview is not None and made.archive is not None:
        root, files = made.preview.root, made.preview.files
        there = "already there" if made.known else f"{format_bytes(len(made.archive.data))} to send"
        said.append(f"code        {clean(str(root.path), 200)}: {root.reason}")
        said.append(f"            {len(files)} files, {format_bytes(made.preview.size)}; {there}")
        said += [f"            {format_bytes(f.size):>10}  {clean(f.path, 200)}" for f in largest(list(files), 5)]
        kept = sum(made.preview.ignored.values())
        said.append(f"            {kept} paths stay at home by {len(made.preview.ignored)} ignore lines")
        said += [f"            left out: {clean(x.path, 200)} ({clean(x.reason, 200)})" for x in made.preview.left_out]
    said += [f"data        {d['source']} -> {d['target']}" for d in made.spec["data"]]
    said.append(f"where       {made.intent.how}")
    said += [f"            {line}" for line in _places(made)]
    limits = job.limits
    ends = [f"after {format_duration(limits.ttl)}", f"after {format_duration(limits.idle)} without progress"]
    ends += [f"at ${limits.budget:,.2f}"] if limits.budget is not None else []
    said.append(f"ends        {', or '.join(ends)}")
    said += [f"warning     {clean(w, 400)}" for w in made.warnings]
    return [clean(line, 1000) for line in said]


def _places(made: Submission) -> list[str]:
    from runctl.format import format_usd

    found = []
    for place in made.intent.candidates:
        price = f"${format_usd(place['usd_per_hour'], 3)}/h" if place["usd_per_hour"] is not None else "$?/h"
        tail = f"  not tried: {place['excluded']}" if place["excluded"] else ""
        found.append(f"{place['type']:<14} {place['az'] or 'any zone':<12} {place['market']:<10} {price}{tail}")
    return found


def _tell(call: Invocation, made: Submission, started: Started) -> int:
    from runctl.cli.output import write_json

    outcome = "failed" if started.problem else "done"
    if call.output == "json":
        write_json([{**_result(made, outcome, started.message), "machine": started.machine or None,
                     "rule": started.problem or None, "tries": [dict(t) for t in started.tries]}])  # fmt: skip
    else:
        print(made.job.job)
    for one in started.tries:
        if one["code"]:
            call.hint(f"{one['type']} {one['az']} {one['market']}: {one['came_to']}: {one['code']} {one['message']}")
    if not started.problem:
        call.hint(f"{made.spec['name']} starts on {started.machine}; follow it: runctl jobs logs -f {made.job.job}")
        return 0
    call.hint(f"{made.spec['name']} has no machine: {started.problem}: {started.message}")
    if started.problem == "capacity":
        call.hint("it waits; `runctl watch` asks again by itself")
    return started.exit_code or 2


SUBMIT = Verb(
    _configure,
    _run,
    (
        "runctl jobs submit train.py --type g5.xlarge --spot --budget 20 --ttl 8h -- --epochs 10",
        "runctl jobs submit train.py --provider local -- --epochs 1",
        "runctl jobs submit --spec job.toml --dry-run",
    ),
    takes_rest=True,
)
