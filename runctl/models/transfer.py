"""Transfers to, from and within S3, as a screen shows them: what would move, what moves, what failed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TransferState(StrEnum):
    """How far a transfer has come. The value is the word on screen."""

    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    PARTLY = "partly failed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Transfer:
    """One transfer at one moment; sizes in bytes.

    Args:
        id: its number in this session.
        source: directory or s3:// address.
        target: directory or s3:// address.
        state: how far.
        files_done: moved.
        files_total: to be moved, as far as known.
        files_failed: failed or refused.
        bytes_done: of files and parts that are through.
        bytes_total: to be moved, as far as known.
        planned: the comparison is through: the totals are final.
        rate: bytes a second, None when nothing can be said.
        eta_s: seconds to go, None when nothing can be said.
        active: a file under way, "" for none.
        failures: (name, reason) of files that failed, the first 1,000.
        message: what it ended with, or what stopped it; "" while it runs.
    """

    id: int
    source: str
    target: str
    state: TransferState
    files_done: int = 0
    files_total: int = 0
    files_failed: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    planned: bool = False
    rate: float | None = None
    eta_s: float | None = None
    active: str = ""
    failures: tuple[tuple[str, str], ...] = ()
    message: str = ""

    @property
    def moving(self) -> bool:
        """Whether it is not over: a paused one is not."""
        return self.state in (TransferState.RUNNING, TransferState.PAUSED)


@dataclass(frozen=True, slots=True)
class Difference:
    """One file and what would happen to it: "copy", "replace", "compare", "delete" or "refuse", and why."""

    action: str
    name: str
    bytes: int
    reason: str


@dataclass(frozen=True, slots=True)
class SyncPreview:
    """What a sync would do.

    Args:
        ticket: starts exactly this.
        source: from where.
        target: to where.
        groups: (word, files, bytes) of what is new, changed, deleted, skipped, refused.
        first: the first differences.
        files: how many would move.
        bytes: of those.
        deletes: how many would be deleted.
        forbidden: why nothing is deleted although asked for; "" when there is no such reason.
    """

    ticket: int
    source: str
    target: str
    groups: tuple[tuple[str, int, int], ...]
    first: tuple[Difference, ...]
    files: int
    bytes: int
    deletes: int = 0
    forbidden: str = ""
