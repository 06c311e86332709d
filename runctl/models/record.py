"""The S3 record of a job: which object says what, and in which shape.

This file is the only place that spells a key of the record, `record_shapes.py` its fields. The client writes `spec`,
`launch`, `lease` and `control`; the supervisor on the machine (`runctl/agent`) writes everything else. It travels to
the machine, so it is standard library only and keeps to the syntax of Python 3.8. `docs/job-record.md` says the same
in words.

All times are seconds since 1970 (UTC, float) by the writer's clock; S3's own LastModified decides freshness, never a
machine's clock. A reader accepts any `v` with the same major number (`is_readable`) and ignores fields it does not
know.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Mapping, NamedTuple

from runctl.models.record_shapes import (
    Checkpoint,
    CheckpointFile,
    CheckpointRule,
    CodeRef,
    Control,
    DataRef,
    Event,
    Exit,
    Index,
    Launch,
    Lease,
    Limits,
    Notice,
    Rate,
    RetryRule,
    Spec,
    State,
)

__all__ = [
    "JOBS",
    "PHASES",
    "ROOT",
    "STOP_REASONS",
    "VERSION",
    "Checkpoint",
    "CheckpointFile",
    "CheckpointRule",
    "CodeRef",
    "Control",
    "DataRef",
    "Event",
    "Exit",
    "Index",
    "Launch",
    "Lease",
    "Limits",
    "LogChunk",
    "Notice",
    "Rate",
    "RetryRule",
    "Spec",
    "State",
    "agent_key",
    "attempt_key",
    "attempt_prefix",
    "checkpoint_key",
    "code_key",
    "control_key",
    "dump",
    "event_key",
    "events_prefix",
    "index_key",
    "is_job_id",
    "is_readable",
    "job_id",
    "job_prefix",
    "lease_key",
    "load",
    "log_after",
    "log_key",
    "log_prefix",
    "metrics_key",
    "metrics_prefix",
    "newest_complete",
    "output_key",
    "parse_event_key",
    "parse_log_key",
    "parse_metrics_key",
    "spec_key",
]

VERSION = 1
"""Number in the field `v` of every object. A change that an older reader would misread raises it."""

ROOT = "runctl"
JOBS = ROOT + "/jobs/"

PHASES = (
    "PENDING",
    "PROVISIONING",
    "BOOTSTRAPPING",
    "SYNCING",
    "RUNNING",
    "CANCELLING",
    "FINALIZING",
    "ENDED",
)
"""What `state.json` may say in `phase`. The supervisor writes BOOTSTRAPPING … ENDED; the outcome is a verdict."""

STOP_REASONS = ("cancel", "spot-notice", "rebalance", "ttl", "idle", "budget", "disk", "stalled", "fenced", "shutdown")
"""Why the supervisor stopped the command; `exit.json` has null where the command ended by itself."""

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_JOB_ID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}\Z")
_LOG_NAME = re.compile(r"(\d{16})-(\d{16})-(\d+)-(\d+)\.(gz|gap)\Z")
_METRICS_NAME = re.compile(r"(\d{9})-(\d{9})\.jsonl\Z")
_EVENT_NAME = re.compile(r"(\d{6})-(\d{6})-([A-Za-z0-9_.-]+)\.json\Z")


class LogChunk(NamedTuple):
    """Bytes `[start, end)` of the attempt's log, captured between two times (ms since 1970); a gap has none."""

    start: int
    end: int
    first_ms: int
    last_ms: int
    gap: bool


def job_id(now_ms: int, entropy: bytes) -> str:
    """A ULID: 48 bits of time, 80 bits from `entropy` (10 bytes); sorts by submission."""
    number = (now_ms << 80) | int.from_bytes(entropy[:10].rjust(10, b"\0"), "big")
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5))


def is_job_id(text: str) -> bool:
    """Whether a text may stand in a key as a job id: nothing else is ever joined into one."""
    return _JOB_ID.match(text) is not None


def job_prefix(job: str) -> str:
    """`runctl/jobs/<id>/`.

    Raises:
        ValueError: where `job` is no job id.
    """
    if not is_job_id(job):
        raise ValueError(f"not a job id: {job!r}; expected 26 letters and digits such as 01JDQ5V7N8R2X4T6W9Y0ABCDEF")
    return JOBS + job + "/"


def spec_key(job: str) -> str:
    """Key of the specification."""
    return job_prefix(job) + "spec.json"


def lease_key(job: str) -> str:
    """Key of the lease."""
    return job_prefix(job) + "lease.json"


def control_key(job: str) -> str:
    """Key of the control object."""
    return job_prefix(job) + "control.json"


def index_key(job: str) -> str:
    """Key of the checkpoint index."""
    return job_prefix(job) + "checkpoints/INDEX.json"


def attempt_prefix(job: str, attempt: int) -> str:
    """`…/attempts/0001/`; `attempt` counts from 1."""
    return f"{job_prefix(job)}attempts/{attempt:04d}/"


def attempt_key(job: str, attempt: int, name: str) -> str:
    """Key of `launch.json`, `claim.json`, `state.json`, `exit.json`, `notice.json` or `curve.json` of an attempt."""
    return attempt_prefix(job, attempt) + name


def log_prefix(job: str, attempt: int) -> str:
    """Where the log's chunks lie; a listing in order is the log in order."""
    return attempt_prefix(job, attempt) + "log/"


def log_key(job: str, attempt: int, chunk: LogChunk) -> str:
    """Key of one chunk (`.gz`, gzip of the bytes) or gap (`.gap`, JSON with `reason` and `bytes`)."""
    ending = "gap" if chunk.gap else "gz"
    return f"{log_prefix(job, attempt)}{chunk.start:016d}-{chunk.end:016d}-{chunk.first_ms}-{chunk.last_ms}.{ending}"


def parse_log_key(key: str) -> LogChunk | None:
    """The chunk a key names, or None for anything else that lies there."""
    found = _LOG_NAME.search(key.rsplit("/", 1)[-1])
    if found is None:
        return None
    start, end, first_ms, last_ms = (int(found.group(n)) for n in range(1, 5))
    return LogChunk(start, end, first_ms, last_ms, found.group(5) == "gap")


def log_after(job: str, attempt: int, offset: int) -> str:
    """`StartAfter` for a listing of the chunks that begin at `offset` or later."""
    return f"{log_prefix(job, attempt)}{offset:016d}-"[:-1]


def metrics_prefix(job: str, attempt: int) -> str:
    """Where the metrics' chunks lie."""
    return attempt_prefix(job, attempt) + "metrics/"


def metrics_key(job: str, attempt: int, first: int, end: int) -> str:
    """Key of the points number `[first, end)`: one JSON object a line, `{"t": …, "step": …, "loss": …}`."""
    return f"{metrics_prefix(job, attempt)}{first:09d}-{end:09d}.jsonl"


def parse_metrics_key(key: str) -> tuple[int, int] | None:
    """First and end number of the points a key holds, or None."""
    found = _METRICS_NAME.search(key.rsplit("/", 1)[-1])
    return None if found is None else (int(found.group(1)), int(found.group(2)))


def events_prefix(job: str) -> str:
    """Where the events lie; they sort by attempt, then number."""
    return job_prefix(job) + "events/"


def event_key(job: str, attempt: int, seq: int, writer: str) -> str:
    """Key of one event; `writer` is "agent" or the client's name (letters, digits, `._-`), which counts its own."""
    return "{}{:06d}-{:06d}-{}.json".format(events_prefix(job), attempt, seq, re.sub(r"[^A-Za-z0-9_.-]", "-", writer))


def parse_event_key(key: str) -> tuple[int, int, str] | None:
    """Attempt, number and writer of an event's key, or None."""
    found = _EVENT_NAME.search(key.rsplit("/", 1)[-1])
    return None if found is None else (int(found.group(1)), int(found.group(2)), found.group(3))


def checkpoint_key(job: str, attempt: int, path: str) -> str:
    """Key of a checkpoint's file; `path` is relative to its directory. No attempt overwrites another's."""
    return f"{job_prefix(job)}checkpoints/{attempt:04d}/{path}"


def output_key(job: str, attempt: int, path: str) -> str:
    """Key of an output file; `path` is relative to the working directory, with `/`."""
    return f"{job_prefix(job)}outputs/{attempt:04d}/{path}"


def code_key(sha256: str) -> str:
    """Key of a code archive, named by its content and shared by every job that uses it."""
    return f"{ROOT}/code/{sha256}.tar.gz"


def agent_key(sha256: str) -> str:
    """Key of the supervisor's file, named by its content."""
    return f"{ROOT}/agent/{sha256}.pyz"


def dump(value: Mapping[str, Any]) -> bytes:
    """Any object of the record as bytes: UTF-8 JSON, sorted keys, one newline at the end; NaN becomes null."""
    return (json.dumps(_finite(value), sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def load(body: bytes) -> dict[str, Any]:
    """The object in `body`.

    Raises:
        ValueError: not a JSON object.
    """
    value = json.loads(body.decode("utf-8"))
    if not isinstance(value, dict):
        raise ValueError(f"expected a JSON object, found {type(value).__name__}")
    return value


def is_readable(value: Mapping[str, Any]) -> bool:
    """Whether this version may interpret an object."""
    return value.get("v") == VERSION


def newest_complete(index: Mapping[str, Any]) -> Checkpoint | None:
    """The checkpoint to resume from: complete, not deleted, of the highest step, then the latest."""
    usable = [c for c in index.get("checkpoints", []) if c.get("complete") is True and c.get("deleted_at") is None]
    if not usable:
        return None
    best: Checkpoint = max(usable, key=lambda c: (-1 if c.get("step") is None else c["step"], c.get("made_at", 0.0)))
    return best


def _finite(value: Any) -> Any:
    """JSON has no NaN: a metric that is one is null here, and its line in the metrics says `"nan": ["loss"]`."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return value
