"""How the supervisor is started, and how often it does what."""

from __future__ import annotations

from typing import NamedTuple


class Pace(NamedTuple):
    """Seconds between two times.

    Args:
        heartbeat_s: states.
        poll_s: looks at the control object and the lease.
        notice_s: questions to the instance metadata; AWS advises 5.
        scan_s: looks for checkpoints.
        log_s: age at which log and metrics leave.
        tick_s: looks at the command itself.
    """

    heartbeat_s: float = 15.0
    poll_s: float = 5.0
    notice_s: float = 5.0
    scan_s: float = 5.0
    log_s: float = 10.0
    tick_s: float = 0.2


PACES = {
    "normal": Pace(),
    "demo": Pace(5.0, 2.0, 2.0, 5.0, 4.0, 0.5),
    "fast": Pace(2.0, 0.5, 0.5, 0.5, 0.5, 0.1),
    "eager": Pace(0.5, 0.1, 0.1, 0.1, 0.1, 0.02),
}
"""`fast` costs nothing where the record is a directory or the cloud is embedded, and people wait in front of it; `demo`
is for machines that train in the embedded cloud all day and must not warm the laptop; `eager` for whoever waits for
many jobs one after the other, as tests do."""


class Options(NamedTuple):
    """One start of the supervisor.

    Args:
        store: `s3://BUCKET` or `file:///DIRECTORY`.
        job: the job's id.
        attempt: its number.
        work: directory of this attempt: `code`, `checkpoints`, `run` lie in it.
        folder: working directory of the command; empty for `work`/code.
        local: no instance metadata, no power-off: this machine is not ours to end.
        pace: see `Pace`.
    """

    store: str
    job: str
    attempt: int
    work: str
    folder: str = ""
    local: bool = False
    pace: Pace = Pace()
