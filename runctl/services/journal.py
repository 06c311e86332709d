"""The append-only record of every change made in AWS: written and synced before the call is sent, outcome after.

One JSON object a line. A line that a kill tore is skipped by the reader and closed by the next writer, so that it
never swallows the line after it. Scripts, user data and whatever looks like a secret are recorded as digests.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from runctl.clock import Clock
from runctl.errors import RunctlError
from runctl.paths import make_private

VERSION = 1
#: Outcome of an intent of which nothing more was heard: the process was killed, or it is still under way.
OPEN = "open"
_SECRET_NAME = re.compile(r"secret|passw|credential|private.?key|api.?key|access.?key|(?<!client)token", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----|\bgh[pousr]_\w{20,}|\bhf_\w{20,}|\bsk-[\w-]{20,}"
)
#: Parameters that hold programs: their digest proves what was sent without repeating what it may contain.
_PROGRAMS = frozenset({"UserData", "commands"})


class JournalError(RunctlError):
    """The journal cannot be written, so nothing is sent."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who acts, written into each line: account id, caller's ARN, profile."""

    account: str
    arn: str
    profile: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One change: what was about to be sent, and what came of it.

    Args:
        id: joins the two lines.
        at: when it was about to be sent.
        verb, kind, resource, region: what was done to what.
        stamp: by whom.
        operation: "ec2:StopInstances".
        request: its parameters, secrets as digests.
        inverse: the command that undoes it, "" when nothing does.
        plan: the plan it belongs to, "" for none.
        pid: the process that sent it, 0 when nobody knows.
        outcome: done, failed, unknown, adopted, none; `OPEN` while nothing more is known.
        finished_at: when the outcome was written.
        code, message: AWS's error.
        made: ids of what was created.
    """

    id: str
    at: datetime
    verb: str
    kind: str
    resource: str
    region: str
    stamp: Stamp
    operation: str
    request: Mapping[str, Any]
    inverse: str = ""
    plan: str = ""
    pid: int = 0
    outcome: str = OPEN
    finished_at: datetime | None = None
    code: str = ""
    message: str = ""
    made: tuple[str, ...] = ()


def redacted(value: Any, name: str = "") -> Any:
    """Parameters as they may be written down."""
    if name in _PROGRAMS:
        text = value if isinstance(value, str) else "\n".join(map(str, value))
        return {"sha256": hashlib.sha256(text.encode()).hexdigest(), "bytes": len(text.encode())}
    if isinstance(value, Mapping):
        named = str(value.get("Key", "")) if set(value) == {"Key", "Value"} else ""
        return {str(k): redacted(v, named if k == "Value" and named else str(k)) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(v, name) for v in value]
    if isinstance(value, str) and (_SECRET_NAME.search(name) or _SECRET_TEXT.search(value)):
        return "***"
    return value


class Journal:
    """The record of one user on one machine; several processes may write it at once.

    Args:
        path: the file; it and its directory are made private when the first line is written.
        clock: the time of the lines.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path, self._clock = path, clock

    def begin(
        self,
        stamp: Stamp,
        operation: str,
        request: Mapping[str, Any],
        *,
        verb: str,
        kind: str,
        resource: str,
        region: str,
        inverse: str = "",
        plan: str = "",
    ) -> str:
        """Write down what is about to be sent; the id of the entry. On disk when this returns.

        Raises:
            JournalError: it cannot be written: send nothing.
        """
        identifier = uuid.uuid4().hex
        self._append(
            {
                "v": VERSION, "event": "intent", "id": identifier, "at": self._clock.now().isoformat(), "verb": verb,
                "kind": kind, "resource": resource, "region": region, "account": stamp.account, "arn": stamp.arn,
                "profile": stamp.profile, "operation": operation, "request": redacted(request), "inverse": inverse,
                "plan": plan, "pid": os.getpid(),
            }
        )  # fmt: skip
        return identifier

    def finish(
        self, identifier: str, outcome: str, *, code: str = "", message: str = "", made: Iterable[str] = ()
    ) -> None:
        """Write down what came of it.

        Raises:
            JournalError: it cannot be written; the change itself has been made.
        """
        self._append(
            {
                "v": VERSION, "event": "outcome", "id": identifier, "at": self._clock.now().isoformat(),
                "outcome": outcome, "code": code, "message": str(redacted(message)), "made": list(made),
            }
        )  # fmt: skip

    def _append(self, line: Mapping[str, Any]) -> None:
        data = json.dumps(line, ensure_ascii=True, separators=(",", ":"), default=str).encode() + b"\n"
        try:
            make_private(self.path.parent)
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            os.fchmod(fd, 0o600)
            data = b"\n" + data if self._torn(fd) else data
            if os.write(fd, data) != len(data):
                raise OSError(28, os.strerror(28))  # ENOSPC: a short write on a regular file is a full disk
            os.fsync(fd)
        except OSError as error:
            raise self._unwritable(error) from error
        finally:
            os.close(fd)

    @staticmethod
    def _torn(fd: int) -> bool:
        size = os.fstat(fd).st_size
        return size > 0 and os.pread(fd, 1, size - 1) != b"\n"

    def _unwritable(self, error: OSError) -> JournalError:
        return JournalError(
            f"the journal {self.path} cannot be written: {error.strerror or error}",
            hint="nothing is changed without it; free space, or set RUNCTL_HOME to a directory that can be written",
        )

    def entries(self, since: datetime | None = None) -> list[Entry]:
        """Every change, oldest first, with what came of it; lines that cannot be read are left out."""
        found: dict[str, Entry] = {}
        for line in self._lines():
            identifier = str(line.get("id", ""))
            if line.get("event") == "intent" and (entry := _intent(line)) is not None:
                found[identifier] = entry
            elif line.get("event") == "outcome" and identifier in found:
                found[identifier] = _with_outcome(found[identifier], line)
        return [e for e in found.values() if since is None or e.at >= since]

    def open_entries(self) -> list[Entry]:
        """Changes of which nobody knows what came."""
        return [e for e in self.entries() if e.outcome == OPEN]

    def _lines(self) -> Iterator[Mapping[str, Any]]:
        try:
            raw = self.path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise JournalError(f"the journal {self.path} cannot be read: {error.strerror or error}") from error
        for line in raw.split(b"\n"):
            try:
                value = json.loads(line)
            except ValueError:  # torn, or not ours; also bytes that are no text
                continue
            if isinstance(value, dict):
                yield value


def _time(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return at if at.tzinfo else None


def _intent(line: Mapping[str, Any]) -> Entry | None:
    at = _time(line.get("at"))
    if at is None:
        return None
    request = line.get("request")

    def word(name: str) -> str:
        return str(line.get(name, ""))

    return Entry(
        id=word("id"),
        at=at,
        verb=word("verb"),
        kind=word("kind"),
        resource=word("resource"),
        region=word("region"),
        stamp=Stamp(word("account"), word("arn"), word("profile")),
        operation=word("operation"),
        request=request if isinstance(request, dict) else {},
        inverse=word("inverse"),
        plan=word("plan"),
        pid=pid if isinstance(pid := line.get("pid"), int) and pid > 0 else 0,
    )


def _with_outcome(entry: Entry, line: Mapping[str, Any]) -> Entry:
    made = line.get("made")
    return replace(
        entry,
        outcome=str(line.get("outcome", OPEN)),
        finished_at=_time(line.get("at")),
        code=str(line.get("code", "")),
        message=str(line.get("message", "")),
        made=tuple(map(str, made)) if isinstance(made, list) else (),
    )
