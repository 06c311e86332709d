"""Run Command of Systems Manager: AWS-RunShellScript really runs, in the sandbox of each machine."""

from __future__ import annotations

import signal
import threading
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from runctl.demo.gateway.agents import online
from runctl.demo.gateway.calls import AwsError, Call, operation
from runctl.demo.gateway.instances import all_instances
from runctl.demo.gateway.listing import Listing
from runctl.demo.gateway.tags import tag_list
from runctl.demo.machine import Outcome, Sandboxes
from runctl.demo.world import World
from runctl.models.tags import JOB
from runctl.services.prices import PriceBook

_BOOK = PriceBook()
_DOCUMENT = "AWS-RunShellScript"
_PAGES = Listing(filters={}, smallest=1, largest=50)
#: How much output AWS keeps (Systems Manager API reference, GetCommandInvocation and CommandPlugin).
_STDOUT, _STDERR, _BRIEF = 24_000, 8_000, 2_500
_ENDED = frozenset({"Success", "Failed", "TimedOut", "Cancelled"})


@dataclass(slots=True)
class Invocation:
    """One command on one machine."""

    instance_id: str
    status: str = "Pending"
    code: int = -1
    stdout: str = ""
    stderr: str = ""
    started: datetime | None = None
    ended: datetime | None = None


@dataclass(slots=True)
class Command:
    """One SendCommand."""

    id: str
    comment: str
    parameters: dict[str, list[str]]
    requested: datetime
    invocations: dict[str, Invocation] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """The worst end of all, or what is still going on."""
        states = [i.status for i in self.invocations.values()]
        if all(s in _ENDED for s in states):
            return next((s for s in ("Failed", "TimedOut", "Cancelled") if s in states), "Success")
        return "Pending" if set(states) == {"Pending"} else "InProgress"


def _commands(call: Call) -> dict[str, Command]:
    """Commands of one region, on moto's backend so that a reset forgets them."""
    found: dict[str, Command] = call.response.ssm_backend.__dict__.setdefault("runctl_commands", {})
    return found


def _targets(call: Call) -> list[str]:
    ids = [str(i) for i in call.params.get("InstanceIds") or ()]
    for target in call.params.get("Targets") or ():
        name, values = str(target["Key"]), target["Values"]
        for _, instance in all_instances(call.ec2):
            tags = {t["Key"]: t["Value"] for t in tag_list(call.ec2, instance.id)}
            hit = instance.id in values if name == "InstanceIds" else tags.get(name.removeprefix("tag:")) in values
            if hit and online(instance):
                ids.append(instance.id)
    return list(dict.fromkeys(ids))


def _check(call: Call) -> list[str]:
    if call.response.access_key != call.world.key:
        raise AwsError("AccessDeniedException", "Scripts run only for the keys that this cloud has given out.")
    if call.params.get("DocumentName") != _DOCUMENT:
        raise AwsError("InvalidDocument", f"The only document here is {_DOCUMENT}.")
    reachable = {i.id for _, i in all_instances(call.ec2) if online(i)}
    wanted = _targets(call)
    if bad := [i for i in wanted if i not in reachable]:
        raise AwsError(
            "InvalidInstanceId", f"Instances [[{', '.join(bad)}]] not in a valid state for account {call.account}"
        )
    return wanted


@operation("ssm", "SendCommand")
def send_command(call: Call) -> dict[str, Any]:
    """Start a script on each target; it runs in real time, whatever the demo's speed."""
    wanted = _check(call)
    command = Command(
        str(uuid.uuid4()), str(call.params.get("Comment", "")), call.params.get("Parameters") or {}, call.world.now()
    )
    command.invocations = {i: Invocation(i) for i in wanted}
    _commands(call)[command.id] = command
    for invocation in command.invocations.values():
        machine = call.ec2.get_instance(invocation.instance_id)
        threading.Thread(target=_run, args=(call.world, machine, command, invocation), daemon=True).start()
    return {"Command": _command_item(command)}


def _gpus(machine: Any) -> str:
    """What the machine's `nvidia-smi` shows: "number;name;MiB;busy"; a machine with a job is at work."""
    made_of = _BOOK.hardware(machine.instance_type)
    if made_of is None or not made_of.gpu_count or not (made_of.gpu_model or "").strip():
        return "0;;0;0"
    tags = {t["Key"] for t in tag_list(machine.ec2_backend, machine.id)}
    mib = int((made_of.gpu_memory_gib or 16) * 1024)
    return f"{max(1, int(made_of.gpu_count))};NVIDIA {made_of.gpu_model};{mib};{int(JOB in tags)}"


def _run(world: World, machine: Any, command: Command, invocation: Invocation) -> None:
    given = command.parameters
    invocation.started = world.now()
    with world.lock:
        if invocation.status == "Pending":
            invocation.status = "InProgress"
    try:
        disks = [block.volume_id for _, block in machine.get_block_device_mapping]
        world.sandboxes.plug(invocation.instance_id, disks)
        outcome = world.sandboxes.run(
            invocation.instance_id,
            command.id,
            "\n".join(given.get("commands", [])),
            region=machine.region_name,
            folder=(given.get("workingDirectory") or [""])[0],
            timeout_s=float((given.get("executionTimeout") or ["3600"])[0]),
            more={"RUNCTL_DEMO_GPUS": _gpus(machine)},
            wanted=lambda: invocation.status == "InProgress" and machine.state == "running",
        )
    except OSError as error:
        outcome = Outcome(1, "", str(error))
    invocation.stdout, invocation.stderr = outcome.stdout[:_STDOUT], outcome.stderr[:_STDERR]
    invocation.code, invocation.ended = outcome.code, world.now()
    with world.lock:
        if invocation.status == "Cancelling":
            invocation.status = "Cancelled"
        elif outcome.timed_out:
            invocation.status = "TimedOut"
        else:
            invocation.status = "Success" if outcome.code == 0 else "Failed"


def on_state(sandboxes: Sandboxes, instance_id: str, state: str) -> None:
    """A machine that shuts down asks its processes to end; one that is off has none."""
    if state in ("stopping", "shutting-down"):
        sandboxes.end(instance_id, signal.SIGTERM)
    elif state in ("stopped", "terminated"):
        sandboxes.end(instance_id, signal.SIGKILL)
        if state == "terminated":
            sandboxes.remove(instance_id)


def _command_item(command: Command) -> dict[str, Any]:
    states = [i.status for i in command.invocations.values()]
    return {
        "CommandId": command.id,
        "DocumentName": _DOCUMENT,
        "Comment": command.comment,
        "Parameters": command.parameters,
        "InstanceIds": list(command.invocations),
        "RequestedDateTime": command.requested,
        "Status": command.status,
        "StatusDetails": command.status,
        "TargetCount": len(states),
        "CompletedCount": sum(s in _ENDED for s in states),
        "ErrorCount": sum(s in ("Failed", "TimedOut") for s in states),
    }


def _find(call: Call, identifier: str) -> Command:
    found = _commands(call).get(identifier)
    if found is None:
        raise AwsError("InvalidCommandId", f"Command {identifier} does not exist.")
    return found


@operation("ssm", "GetCommandInvocation")
def get_command_invocation(call: Call) -> dict[str, Any]:
    """State, exit code and output of one command on one machine."""
    command = _commands(call).get(str(call.params["CommandId"]))
    invocation = command.invocations.get(str(call.params["InstanceId"])) if command else None
    if command is None or invocation is None:
        raise AwsError("InvocationDoesNotExist", "")
    spent = (invocation.ended - invocation.started).total_seconds() if invocation.ended and invocation.started else 0.0
    return {
        "CommandId": command.id,
        "InstanceId": invocation.instance_id,
        "Comment": command.comment,
        "DocumentName": _DOCUMENT,
        "PluginName": "aws:runShellScript",
        "ResponseCode": invocation.code,
        "ExecutionStartDateTime": invocation.started.isoformat() if invocation.started else "",
        "ExecutionEndDateTime": invocation.ended.isoformat() if invocation.ended else "",
        "ExecutionElapsedTime": f"PT{spent:.3f}S",
        "Status": invocation.status,
        "StatusDetails": invocation.status,
        "StandardOutputContent": invocation.stdout,
        "StandardErrorContent": invocation.stderr,
    }


def _brief(command: Command, invocation: Invocation, details: bool) -> dict[str, Any]:
    plugin = {
        "Name": "aws:runShellScript",
        "Status": invocation.status,
        "StatusDetails": invocation.status,
        "ResponseCode": invocation.code,
        "Output": invocation.stdout[:_BRIEF],
    }
    return {
        "CommandId": command.id,
        "InstanceId": invocation.instance_id,
        "Comment": command.comment,
        "DocumentName": _DOCUMENT,
        "RequestedDateTime": command.requested,
        "Status": invocation.status,
        "StatusDetails": invocation.status,
        "CommandPlugins": [plugin] if details else [],
    }


@operation("ssm", "ListCommandInvocations")
def list_command_invocations(call: Call) -> dict[str, Any]:
    """By command, by machine, or all."""
    one, machine = call.params.get("CommandId"), call.params.get("InstanceId")
    found = [
        _brief(c, i, bool(call.params.get("Details")))
        for c in list(_commands(call).values())
        for i in c.invocations.values()
        if (not one or c.id == one) and (not machine or i.instance_id == machine)
    ]
    page, token = _PAGES.page(found, lambda i: f"{i['CommandId']} {i['InstanceId']}", call.params)
    return {"CommandInvocations": page, **({"NextToken": token} if token else {})}


@operation("ssm", "ListCommands")
def list_commands(call: Call) -> dict[str, Any]:
    """All, or the one named."""
    one = call.params.get("CommandId")
    found = [_command_item(c) for c in _commands(call).values() if not one or c.id == one]
    page, token = _PAGES.page(found, lambda c: str(c["CommandId"]), call.params)
    return {"Commands": page, **({"NextToken": token} if token else {})}


@operation("ssm", "CancelCommand")
def cancel_command(call: Call) -> dict[str, Any]:
    """Ask what still runs to end; what has ended stays as it is."""
    command = _find(call, str(call.params["CommandId"]))
    for identifier in call.params.get("InstanceIds") or list(command.invocations):
        invocation = command.invocations.get(str(identifier))
        if invocation and invocation.status not in _ENDED:
            invocation.status = "Cancelling"
            call.world.sandboxes.cancel(invocation.instance_id, command.id)
    return {}
