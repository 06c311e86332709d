"""A shell script on a machine through Systems Manager: sent, waited for, its end told as it was.

Facts: GetCommandInvocation keeps 24,000 characters of output and 8,000 of errors, both empty until the command has
ended (Systems Manager API reference); SendCommand takes a script as a list of lines; right after it the invocation may
not be known yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from runctl.errors import CloudError, RequestError, RunctlError

DOCUMENT = "AWS-RunShellScript"
STDOUT_MOST, STDERR_MOST = 24_000, 8_000
_ENDED = frozenset({"Success", "Failed", "TimedOut", "Cancelled", "Undeliverable", "Terminated"})
#: Seconds in which a command just sent may be unknown to GetCommandInvocation.
_UNKNOWN_FOR_S = 10.0


class Ask(Protocol):
    """A reading call by its API name, as `Writer.ask`."""

    def __call__(self, service: str, operation: str, region: str, **parameters: Any) -> Mapping[str, Any]:
        """The answer."""
        ...


class Send(Protocol):
    """A change that is journalled and permitted, as `Task.send`; the region is the task's."""

    def __call__(self, service: str, operation: str, **parameters: Any) -> Mapping[str, Any]:
        """The answer."""
        ...


class UnreachableError(RunctlError):
    """The machine cannot be reached through Systems Manager; the message says why and what to do."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Ran:
    """How a script ended.

    Args:
        code: its exit code; -1 when it never ran to its end.
        stdout, stderr: what it wrote, cut by Systems Manager at `STDOUT_MOST` and `STDERR_MOST` characters.
        status: Systems Manager's word: Success, Failed, TimedOut, Cancelled.
    """

    code: int
    stdout: str
    stderr: str
    status: str

    @property
    def cut(self) -> bool:
        """Whether output is missing at the end."""
        return len(self.stdout) >= STDOUT_MOST or len(self.stderr) >= STDERR_MOST

    @property
    def complaint(self) -> str:
        """The last thing it said on stderr, else its status and code."""
        lines = [line.strip() for line in self.stderr.splitlines() if line.strip()]
        return lines[-1] if lines else f"{self.status}, exit code {self.code}"


def why_unreachable(ask: Ask, region: str, instance_id: str, *, has_profile: bool) -> str:
    """Why no script can run on a machine, "" when Systems Manager has it online.

    Raises:
        CloudError: Systems Manager could not be asked.
    """
    wanted = [{"Key": "InstanceIds", "Values": [instance_id]}]
    answer = ask("ssm", "DescribeInstanceInformation", region, Filters=wanted)
    status = next((str(i.get("PingStatus", "")) for i in answer.get("InstanceInformationList") or ()), "")
    if status == "Online":
        return ""
    if not status:
        if not has_profile:
            return "it has no instance profile, so Systems Manager does not know it (runctl init makes one)"
        return "Systems Manager does not know it: no agent, no network, or no AmazonSSMManagedInstanceCore in its role"
    return f"Systems Manager has lost it ({status})"


def run_script(
    send: Send,
    ask: Ask,
    region: str,
    instance_id: str,
    script: str,
    *,
    timeout_s: int = 600,
    comment: str = "runctl",
    cancels: bool = False,
    pause: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> Ran:
    """Run a script to its end.

    Args:
        send: how the change is sent.
        ask: how the result is asked for.
        region: where the machine is.
        instance_id: which.
        script: POSIX sh; Systems Manager runs it as root with `sh`.
        timeout_s: after this many seconds Systems Manager kills it.
        comment: shown in the history of commands.
        cancels: a ctrl-c ends the script too; the permit has to cover CancelCommand then.
        pause: waits between two questions.
        monotonic: seconds that never run backwards.

    Raises:
        CloudError: it could not be sent, or the result could not be asked for.
        UnreachableError: Systems Manager did not deliver it in time.
    """
    answer = send(
        "ssm", "SendCommand", InstanceIds=[instance_id], DocumentName=DOCUMENT, Comment=comment[:100],
        Parameters={"commands": script.splitlines(), "executionTimeout": [str(timeout_s)]},
    )  # fmt: skip
    command = str((answer.get("Command") or {}).get("CommandId", ""))
    try:
        ran = _awaited(partial(_result, ask, region, command, instance_id), timeout_s, pause, monotonic)
    except KeyboardInterrupt:
        if cancels:
            send("ssm", "CancelCommand", CommandId=command, InstanceIds=[instance_id])
        raise
    if ran is not None:
        return ran
    raise UnreachableError(
        f"{instance_id}: the command {command} did not end in {timeout_s} s", hint="see: runctl doctor"
    )


def _awaited(
    look: Callable[..., Mapping[str, Any]],
    timeout_s: int,
    pause: Callable[[float], None],
    monotonic: Callable[[], float],
) -> Ran | None:
    """How a command ended, None when it takes longer than Systems Manager itself would let it."""
    began, wait = monotonic(), 0.2
    while monotonic() - began < timeout_s + 60:
        pause(wait)
        wait = min(wait * 1.5, 3.0)
        found = look(new=monotonic() - began < _UNKNOWN_FOR_S)
        if found.get("Status") in _ENDED:
            return Ran(
                int(found.get("ResponseCode", -1)),
                str(found.get("StandardOutputContent") or ""),
                str(found.get("StandardErrorContent") or ""),
                str(found["Status"]),
            )
    return None


def _result(ask: Ask, region: str, command: str, instance_id: str, *, new: bool) -> Mapping[str, Any]:
    """What is known of a command; nothing when the question failed in a way that another one may not.

    Raises:
        CloudError: asking again would not help.
    """
    try:
        return ask("ssm", "GetCommandInvocation", region, CommandId=command, InstanceId=instance_id)
    except RequestError as error:
        if error.site.code != "InvocationDoesNotExist" or not new:
            raise
    except CloudError as error:
        if not error.retryable:
            raise
    return {}
