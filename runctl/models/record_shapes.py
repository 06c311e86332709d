"""The JSON shapes of a job's record, as types. `record.py` has the keys and the bytes.

`docs/job-record.md` says both in words. Travels to the machine with the supervisor: standard library, syntax of
Python 3.8. Every field may be missing in what
an older writer left; times are seconds since 1970 (UTC, float); null is "not known", never 0.
"""

from __future__ import annotations

from typing import Any, TypedDict


class CodeRef(TypedDict, total=False):
    """The archive at `code_key(sha256)`: a gzipped tar, unpacked into the working directory."""

    sha256: str
    bytes: int
    root: str
    commit: str | None
    dirty: bool | None


class DataRef(TypedDict, total=False):
    """One input: `source` is `s3://bucket/key` or `s3://bucket/prefix/`, `target` a path in the working directory."""

    source: str
    target: str


class CheckpointRule(TypedDict, total=False):
    """What is a checkpoint and which are kept.

    `pattern` is a glob below `dir`; a match that is a directory is one checkpoint of many files. `keep` is N newest,
    besides the best by `best_metric` (`best_mode` "min" or "max") and the last. `stable_s`: size and mtime unchanged
    so long before it is read.
    """

    dir: str
    pattern: str
    keep: int
    best_metric: str | None
    best_mode: str
    stable_s: float


class Limits(TypedDict, total=False):
    """Enforced on the machine. Null: no limit. Money in USD, times in seconds.

    `grace_s` between SIGTERM and SIGKILL; `upload_s` for what is left to upload after the end; `idle_s` without log,
    metric or CPU. `budget_usd` is for the job: the supervisor adds its own hours × rate to `launch.spent_usd`.
    `on_rebalance`: "save" (upload now, run on; the default) or "stop" (as at a spot notice).
    """

    budget_usd: float | None
    ttl_s: float | None
    idle_s: float | None
    grace_s: float
    upload_s: float
    on_rebalance: str


class RetryRule(TypedDict, total=False):
    """`on_exit`: exit codes worth another attempt. An interruption is retried by default, a cancel never."""

    max_attempts: int
    on_interruption: bool
    on_exit: list[int]


class Spec(TypedDict, total=False):
    """`spec.json`: written once (`If-None-Match: *`), never changed.

    `command` is an argv list. `env` has values, `secrets` only references: `{"HF_TOKEN": "ssm:/path"}` or
    `"secretsmanager:name#json-key"`. `dependencies`: "auto" (requirements.txt, pyproject + uv.lock, PEP 723) or
    "none". `outputs` are globs below the working directory. `at_end`: "terminate", "stop" or "keep" the machine.
    `nodes` has one entry for now.
    """

    v: int
    id: str
    name: str
    created_at: float
    owner: str | None
    project: str | None
    provider: str
    region: str | None
    bucket: str | None
    command: list[str]
    env: dict[str, str]
    secrets: dict[str, str]
    code: CodeRef | None
    data: list[DataRef]
    outputs: list[str]
    checkpoints: CheckpointRule
    metrics_file: str | None
    dependencies: str
    limits: Limits
    retry: RetryRule
    resources: dict[str, Any]
    nodes: list[dict[str, Any]]
    at_end: str


class Rate(TypedDict, total=False):
    """What an hour costs where the machine turns out to be; `az` null fits every zone."""

    type: str
    az: str | None
    market: str
    usd_per_hour: float


class Launch(TypedDict, total=False):
    """`attempts/N/launch.json`: the client's intent, written once before RunInstances.

    `resume_from` is the `id` of a complete checkpoint of the index, `rates` the candidates' prices, `token` the
    client token. `ttl_at` ends the attempt whenever it began; without it `ttl_s` counts from its start. `spent_usd`: by
    the attempts before, null when nobody knows.
    """

    v: int
    job: str
    attempt: int
    at: float
    by: str
    cause: str
    token: str
    resume_from: str | None
    ttl_at: float | None
    spent_usd: float | None
    rates: list[Rate]
    candidates: list[dict[str, Any]]


class Event(TypedDict, total=False):
    """One object per event, so no concurrent update loses one. `kind` is a word, `message` a sentence."""

    v: int
    job: str
    attempt: int
    seq: int
    writer: str
    at: float
    kind: str
    message: str
    data: dict[str, Any]


class State(TypedDict, total=False):
    """`attempts/N/state.json`, the heartbeat, replaced every `heartbeat_s` seconds. Null is "not known", never 0.

    `machine`: instance_id, type, az, region, market, host. `log`: bytes, uploaded, dropped. `uploads`: pending_bytes,
    bytes_per_s, newest_complete {id, step, at}. `disk`: free, total, reserve. `load`: cpu (0-100), memory (0-100),
    gpus [{util, memory_used, …}]. `limits`: ttl_at, idle_at, budget_usd, budget_at, spent_usd, usd_per_hour. `stop`:
    {reason, at, message}. `resume`: {from, step, first_step, verified}. `problems`: [{what, since, message}]. `pid`
    is the command's process group.
    """

    v: int
    job: str
    attempt: int
    seq: int
    at: float
    heartbeat_s: float
    phase: str
    detail: str
    started_at: float | None
    running_since: float | None
    pid: int | None
    machine: dict[str, Any]
    step: int | None
    total_steps: int | None
    metrics: dict[str, float]
    progress_at: float | None
    log: dict[str, int]
    uploads: dict[str, Any]
    disk: dict[str, int]
    load: dict[str, Any]
    limits: dict[str, Any]
    stop: dict[str, Any] | None
    notice: dict[str, Any] | None
    resume: dict[str, Any] | None
    problems: list[dict[str, Any]]


class Exit(TypedDict, total=False):
    """`attempts/N/exit.json`: written once, after the uploads; without it nobody can prove the end.

    `rc` is the command's code, negative for a signal, null where it never started. `cause`: "exit", "oom", "disk",
    "setup", "stopped", "supervisor" (it died; its guard wrote this). `verified`: everything wanted is in S3; else
    `missing` names each file and why. `log_bytes`: end of the log, gaps included.
    """

    v: int
    job: str
    attempt: int
    at: float
    rc: int | None
    signal: str | None
    cause: str
    stop_reason: str | None
    message: str
    started_at: float | None
    ended_at: float
    killed: bool
    log_bytes: int
    step: int | None
    metrics: dict[str, float]
    newest_complete: dict[str, Any] | None
    verified: bool
    missing: list[dict[str, str]]
    spent_usd: float | None


class Notice(TypedDict, total=False):
    """`attempts/N/notice.json`: what IMDS said. `kind` "spot" (with `action` and its `time`, ISO) or "rebalance"."""

    v: int
    at: float
    kind: str
    action: str | None
    time: str | None


class CheckpointFile(TypedDict, total=False):
    """One file of a checkpoint; `key` is relative to the job's prefix."""

    path: str
    key: str
    bytes: int
    sha256: str


class Checkpoint(TypedDict, total=False):
    """An entry of the index. Only `complete: true`, written last, may be resumed from.

    `id` is `<attempt>/<name>`; `metric` the value of `best_metric` when it was made; `deleted_at` once retention
    removed its files.
    """

    id: str
    name: str
    attempt: int
    step: int | None
    bytes: int
    files: list[CheckpointFile]
    made_at: float
    uploaded_at: float | None
    metric: float | None
    metrics: dict[str, float]
    complete: bool
    deleted_at: float | None


class Index(TypedDict, total=False):
    """`checkpoints/INDEX.json`, changed by `If-Match` only; an attempt below `fence` may not write it."""

    v: int
    job: str
    fence: int
    at: float
    checkpoints: list[Checkpoint]
    best: str | None


class Lease(TypedDict, total=False):
    """`lease.json`, by `If-None-Match`/`If-Match` only: who may act for the job. `fence` is the attempt that may write.

    Whoever starts attempt n first raises `fence` to n. A supervisor that reads a fence above its attempt stops and
    writes no more. `expires_at` ends the *client's* right to act; the fence never goes back.
    """

    v: int
    job: str
    owner: str
    host: str
    fence: int
    at: float
    expires_at: float


class Control(TypedDict, total=False):
    """`control.json`, by `If-None-Match`/`If-Match` only; polled. Absent fields leave the spec's value.

    `desired`: "run" or "stop". `ttl_at`: a new end, seconds since 1970. `save`: raise it to ask for an upload of
    everything now.
    """

    v: int
    job: str
    at: float
    by: str
    desired: str
    reason: str
    ttl_at: float | None
    budget_usd: float | None
    idle_s: float | None
    grace_s: float | None
    save: int
