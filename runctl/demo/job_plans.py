"""The demo's jobs as plain data: who trained what, how long ago, and how it went. Pure; `job_seed.py` builds them.

All of them run `examples/train.py`. What is over was trained as well: in a moment, at the start of the demo, by the
same code, with the times it would have taken.
"""

from __future__ import annotations

from dataclasses import dataclass

HOUR = 3600.0
BUCKET = "runctl-demo-jobs"


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt that is over.

    Args:
        steps: how far it came.
        ends: how long ago it ended, in seconds.
        step_s: seconds a step took.
        rc: exit code; negative for a signal.
        cause: of the exit record.
        stop_reason: of the exit record, None where it ended by itself.
        message: of the exit record.
        last_words: what the log ends with.
    """

    steps: int
    ends: float
    step_s: float
    rc: int = 0
    cause: str = "exit"
    stop_reason: str | None = None
    message: str = "it ended by itself with code 0"
    last_words: str = "done"


@dataclass(frozen=True, slots=True)
class JobPlan:
    """One job.

    Args:
        name: what people call it.
        live: it trains now, on a machine of its own; otherwise it is over.
        arguments: of the trainer.
        past: attempts that are over, in order.
    """

    name: str
    owner: str
    project: str
    type: str
    market: str
    usd_per_hour: float
    arguments: tuple[str, ...]
    live: bool = False
    past: tuple[Run, ...] = ()
    budget: float = 20.0


_TRACE = (
    "Traceback (most recent call last):\n"
    '  File "train.py", line 103, in <module>\n'
    "    sys.exit(main())\n"
    "RuntimeError: the gradient exploded (this is a demonstration)"
)
_TAKEN = Run(
    140, 900.0, 6.0, 0, "stopped", "spot-notice", "EC2 takes the machine back", "stopped behind step 140, saved"
)

JOBS = (
    JobPlan("sine-wide", "ada", "vision", "g5.xlarge", "spot", 0.4021,
            ("--steps", "6000", "--sleep", "0.9", "--save-every", "50"), True, (_TAKEN,)),
    JobPlan("sine-deep", "ada", "vision", "g5.2xlarge", "on-demand", 1.212,
            ("--steps", "4000", "--sleep", "1.1", "--seed", "3", "--save-every", "60"), True),
    JobPlan("sine-lr-1", "ada", "speech", "g6.xlarge", "spot", 0.3218,
            ("--steps", "4000", "--sleep", "1.3", "--rate", "0.9", "--nan-at", "40"), True),
    JobPlan("sine-stuck", "grace", "speech", "g4dn.xlarge", "on-demand", 0.526,
            ("--steps", "4000", "--sleep", "1", "--hang-at", "45"), True),
    JobPlan("sine-base", "ada", "vision", "g5.xlarge", "spot", 0.4021, ("--steps", "400"), False,
            (Run(400, 5 * HOUR, 9.0),)),
    JobPlan("sine-crash", "alan", "protein", "g5.xlarge", "on-demand", 1.006, ("--steps", "400", "--crash-at", "95"),
            False, (Run(95, 3 * HOUR, 7.0, 1, message="it ended by itself with code 1", last_words=_TRACE),)),
    JobPlan("sine-memory", "katherine", "protein", "g4dn.xlarge", "spot", 0.1578, ("--steps", "400"), False,
            (Run(60, 8 * HOUR, 8.0, -9, "oom", None, "the kernel killed it for want of memory", "loading the rest"),)),
    JobPlan("sine-stopped", "ada", "vision", "g5.xlarge", "on-demand", 1.006, ("--steps", "900"), False,
            (Run(210, 26 * HOUR, 10.0, 0, "stopped", "cancel", "the loss is good enough",
                 "stopped behind step 210, saved"),)),
    JobPlan("sine-two-lives", "grace", "vision", "g5.xlarge", "spot", 0.4021, ("--steps", "320"), False,
            (Run(150, 13 * HOUR, 9.0, 0, "stopped", "spot-notice", "EC2 takes the machine back",
                 "stopped behind step 150, saved"),
             Run(320, 12 * HOUR, 9.0))),
)  # fmt: skip
