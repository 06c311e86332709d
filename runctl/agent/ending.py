"""How a command ended, told from the evidence. Pure."""

from __future__ import annotations

import os
import re
import signal
from typing import NamedTuple

_NO_SPACE = re.compile(
    rb"No space left on device|OSError: \[Errno (?:28|122)\]|Disk quota exceeded|ENOSPC|file write failed"
)
_GPU_MEMORY = re.compile(rb"CUDA out of memory|OutOfMemoryError|CUBLAS_STATUS_ALLOC_FAILED|HIP out of memory")
_MEMORY = re.compile(
    rb"^MemoryError|Cannot allocate memory|std::bad_alloc|DefaultCPUAllocator: can't allocate", re.MULTILINE
)
_SHORT = ((_GPU_MEMORY, "a GPU ran out of memory"), (_MEMORY, "it could get no more memory"))


class Evidence(NamedTuple):
    """What is known when a command has ended.

    Args:
        rc: its code as `subprocess` gives it.
        killed: we sent SIGKILL.
        oom_kills: how many more processes the kernel killed for memory meanwhile; None where it does not say.
        disk_full: a disk of the job was full within the last two minutes.
        tail: the end of its output.
        own_kills: how many of these were surely the command's own processes.
    """

    rc: int
    killed: bool
    oom_kills: int | None
    disk_full: bool
    tail: bytes
    own_kills: int = 0


def cause_of(evidence: Evidence) -> tuple[str, str]:
    """`cause` and `message` of the exit record, for a command that was not asked to stop."""
    rc, tail = evidence.rc, evidence.tail
    by_kill = rc in (-signal.SIGKILL, 128 + signal.SIGKILL) and not evidence.killed
    if by_kill and evidence.oom_kills:
        return "oom", "the kernel killed it for want of memory"
    if rc == 0:
        return "exit", "it ended by itself with code 0"
    short = next((said for pattern, said in _SHORT if pattern.search(tail)), None)
    if evidence.own_kills and not evidence.killed:
        short = "the kernel killed one of its processes for want of memory"
    if short is not None:
        return "oom", f"{short}; exit code {rc}"
    if _NO_SPACE.search(tail) or evidence.disk_full or rc == -signal.SIGXFSZ:
        return "disk", f"the disk is full; exit code {rc}"
    if by_kill:
        unread = " and the kernel's count of such kills cannot be read" if evidence.oom_kills is None else ""
        return "exit", f"something killed it by SIGKILL{unread}; want of memory is the usual reason"
    name = signal_name(rc)
    return "exit", f"{name} ended it" if name else f"it ended by itself with code {rc}"


def signal_name(rc: int | None) -> str | None:
    """SIGKILL for -9 and for a shell's 137; None for a plain code."""
    if rc is None:
        return None
    number = -rc if rc < 0 else rc - 128 if 128 < rc <= 192 else 0
    try:
        return signal.Signals(number).name
    except ValueError:
        return None


def describe(argv: list[str]) -> str:
    """A command as people read it."""
    return " ".join(a if re.fullmatch(r"[\w@%+=:,./-]+", a) else repr(a) for a in argv) or os.devnull
