"""A training job: outcome, resource and knowledge are three different things."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Job:
    """One job as the screens and `--once` show it.

    Args:
        id: the job id (tag `runctl:job`).
        name: what people call it.
        state: outcome, upper case: RUNNING, SUCCEEDED, FAILED, UNKNOWN, …
        resource_state: the machine: EC2's state name, or "none".
        last_seen: when anything was last heard of it.
        provider: "ec2", "local", "sagemaker".
        knowledge: how well the state is known: "live", "ended", "last seen 41m ago", "unreadable", "tags only".
        steps_per_s: of this attempt, while it runs.
        usd_per_hour: what its machine costs while it runs.
        at_risk_s: seconds of work that an interruption now would cost; None when nobody knows.
        submitted_at: when the job was made.
        trend: the last values of the metric that `trend_of` chose, oldest first; None where it was not a number.
        trend_of: its name, "" when there is none.
        heartbeat: what its supervisor last said of the machine (`at`, `phase`, `progress_at`, `load`); None when it has
            said nothing, or spoke from another machine.
        due: what an unattended client would do about it ("recover", "relaunch", "clean-up", "retry"), "" for nothing.
    """

    id: str
    name: str
    state: str
    resource_state: str
    region: str = ""
    last_seen: datetime | None = None
    provider: str = "ec2"
    instance_id: str | None = None
    attempt: int | None = None
    step: int | None = None
    total_steps: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    eta_s: float | None = None
    usd_so_far: float | None = None
    usd_to_finish: float | None = None
    budget_usd: float | None = None
    checkpoint_age_s: float | None = None
    exit_code: int | None = None
    reason: str = ""
    owner: str | None = None
    project: str | None = None
    knowledge: str = ""
    steps_per_s: float | None = None
    usd_per_hour: float | None = None
    at_risk_s: float | None = None
    submitted_at: datetime | None = None
    trend: tuple[float | None, ...] = ()
    trend_of: str = ""
    heartbeat: Mapping[str, object] | None = None
    due: str = ""


def main_metric(names: Iterable[str]) -> str:
    """The metric that people look at first: the loss, as trainers name it; else the first; "" when there is none."""
    listed = list(names)
    for wanted in ("loss", "train_loss", "train/loss"):
        if wanted in listed:
            return wanted
    return next((n for n in listed if "loss" in n.lower()), listed[0] if listed else "")
