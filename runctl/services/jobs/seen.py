"""The words of a verdict and what it is made from: plain values, no rule among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from runctl.models.record import Exit, Launch, Notice, State

#: A heartbeat is fresh for so many of its own intervals, by S3's LastModified.
FRESH_INTERVALS = 3.0
HEARTBEAT_S = 15.0
#: Why jobs on machines of EC2 cannot be reached, and what to do.
NO_BUCKET = "no bucket is set: jobs.bucket in runctl.toml (runctl init makes one)"


class Outcome(StrEnum):
    """What came of the work."""

    PENDING = "PENDING"
    PROVISIONING = "PROVISIONING"
    BOOTSTRAPPING = "BOOTSTRAPPING"
    SYNCING = "SYNCING"
    RUNNING = "RUNNING"
    CANCELLING = "CANCELLING"
    FINALIZING = "FINALIZING"
    RECOVERING = "RECOVERING"
    UNREACHABLE = "UNREACHABLE"
    UNKNOWN = "UNKNOWN"
    INTERRUPTED = "INTERRUPTED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    LOST = "LOST"

    @property
    def over(self) -> bool:
        """Nothing more will come of it by itself."""
        return self in _OVER


_OVER = frozenset({Outcome.SUCCEEDED, Outcome.FAILED, Outcome.CANCELLED, Outcome.LOST})


class Action(StrEnum):
    """What may be done about it now; whoever does it asks the policy, the budget and the lease first."""

    NONE = "none"
    CLEAN_UP = "clean-up"  # the work is over and saved, and the machine still bills
    RECOVER = "recover"  # another attempt, where the retry policy allows one
    RELAUNCH = "relaunch"  # an intent without a machine: send the same request again


@dataclass(frozen=True, slots=True)
class Machine:
    """What EC2 (or this computer, for `local`) says of the machine of the attempt.

    Args:
        state: "running", …; "none" when there never was one; "not-found" when it is not listed (any more); None when
            it could not be asked.
        reason: code of EC2's StateReason ("Server.SpotInstanceTermination"), "" for none.
        agent: Systems Manager's PingStatus, None when it has no agent or was not asked.
        impaired: a status check fails; None when not asked.
        supervisor: what the machine answered when asked for the supervisor's process; None when not asked.
        last_words: the end of what the supervisor wrote beside the record, "" when not asked, or nothing.
        local: it is this computer.
        begun: a process was started on this computer, whatever became of it.
    """

    state: str | None
    reason: str = ""
    agent: str | None = None
    impaired: bool | None = None
    supervisor: bool | None = None
    local: bool = False
    last_words: str = ""
    begun: bool = True


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that is known of one attempt.

    Args:
        readable: the record could be read at all.
        attempt: its number; 0 before the first.
        launch: the intent.
        launch_age_s: seconds since it was written, or since its machine was launched, whichever is later; before the
            first, since the job was made.
        state: the newest heartbeat.
        heartbeat_age_s: its age by S3's LastModified; None when there is none.
        exit: the exit record.
        notice: what the machine was told by IMDS.
        machine: the machine.
        stop_wanted: the control object says stop.
        spot_status: status code of the spot request, "" when unknown or none.
        ended_by: who terminated the machine, "" when nobody is known.
        fence: the attempt that may write.
        recovering: somebody holds the lease for the next attempt.
        beating: attempts whose heartbeat is fresh.
        last_known: outcome at the last look, kept when nothing can be read.
        refused: what came of the launch when it brought no machine: `{class, message, …}`.
    """

    readable: bool = True
    attempt: int = 0
    launch: Launch | None = None
    launch_age_s: float = 0.0
    state: State | None = None
    heartbeat_age_s: float | None = None
    exit: Exit | None = None
    notice: Notice | None = None
    machine: Machine = Machine("none")
    stop_wanted: bool = False
    spot_status: str = ""
    ended_by: str = ""
    fence: int = 0
    recovering: bool = False
    beating: tuple[int, ...] = ()
    last_known: str = ""
    refused: Mapping[str, Any] | None = None

    @property
    def fresh(self) -> bool:
        """Whether the heartbeat is recent."""
        return is_fresh(self.state or {}, self.heartbeat_age_s)


def is_fresh(state: State, age_s: float | None) -> bool:
    """Whether a heartbeat of that age is recent, by its own interval."""
    every = float(state.get("heartbeat_s") or HEARTBEAT_S)
    return age_s is not None and age_s < every * FRESH_INTERVALS


@dataclass(frozen=True, slots=True)
class Verdict:
    """Three columns, the reason in words, and what may be done.

    Args:
        outcome: what came of the work.
        resource: the machine: EC2's state name, "none", "not-found", "?" when it could not be asked.
        knowledge: how well that is known: "live", "ended", "last seen 41m ago", "unreadable".
        reason: one phrase.
        action: what may be done about it.
        question: what would settle it ("supervisor"), "" when nothing is open; asking changes nothing.
        row: row of the table that decided.
        zombies: older attempts that still beat though they may not write.
    """

    outcome: Outcome
    resource: str
    knowledge: str
    reason: str = ""
    action: Action = Action.NONE
    question: str = ""
    row: int = 0
    zombies: tuple[int, ...] = field(default=())
