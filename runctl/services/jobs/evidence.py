"""Finding out what a record does not say: asked only where a verdict is in doubt, and no question changes anything.

What may not be asked, or is not answered, stays unknown; a denied question costs nothing but its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runctl.clock import SystemClock
from runctl.errors import CloudError, CredentialsError
from runctl.models.instance import Instance, InstanceState
from runctl.models.tags import JOB
from runctl.services.jobs.look import Look
from runctl.services.jobs.seen import Machine

if TYPE_CHECKING:  # it imports this module
    from runctl.services.aws.backend import AwsBackend
    from runctl.services.jobs.inquiry import Answer

#: Rows of the verdict's table that more can be learnt about: a silent machine, one that was ended, one that is gone.
DOUBTFUL_ROWS = frozenset({5, 6, 8, 10})
#: An answer is good for so long, in seconds, for who looks again and again.
KEPT_S = 60.0


#: Asks a machine for the supervisor of a job's attempt; None where it may not be asked or does not answer.
AskSupervisor = Callable[[Instance, str, int], "Answer | None"]


def nobody_asks(machine: Instance, job: str, attempt: int) -> None:
    """Lists of jobs send no script to any machine."""
    del machine, job, attempt


def find_evidence(backend: AwsBackend, found: Look, ask_supervisor: AskSupervisor = nobody_asks) -> dict[str, Any]:
    """More fields of `Seen`; {} where nothing more could be learnt.

    Args:
        backend: asks.
        found: the look that is in doubt.
        ask_supervisor: asks a machine that Systems Manager has online, once nothing else explains its silence.
    """
    region = str(found.spec.get("region") or "")
    if found.verdict.row not in DOUBTFUL_ROWS or not region:
        return {}
    machine = found.machine
    said = ((found.seen.state or {}).get("machine") or {}).get("instance_id")
    host = machine.id if machine is not None else str(said or "")
    more: dict[str, Any] = {}
    if machine is not None and machine.state is InstanceState.RUNNING:
        health = _health(backend, region, host, found.seen.machine)
        if health.agent == "Online" and not health.impaired:
            answer = ask_supervisor(machine, found.job, found.seen.attempt)
            if answer is not None:
                health = replace(health, supervisor=answer.alive, last_words=answer.last_words)
        more["machine"] = health
    else:
        if status := _spot_status(backend, region, found.job, host):
            more["spot_status"] = status
        if host and (who := _ended_by(backend, region, host)):
            more["ended_by"] = who
    return more


class KeptEvidence:
    """Evidence that is kept for a minute while the doubt is the same.

    A list of jobs is read every few seconds; a fleet of silent machines would cost calls for each of them each time.

    Args:
        find: finds it out.
        monotonic: seconds, for how old it is.
    """

    def __init__(self, find: Callable[[Look], Mapping[str, Any]], monotonic: Callable[[], float] | None = None) -> None:
        self._find, self._monotonic = find, monotonic or SystemClock().monotonic
        self._kept: dict[str, tuple[float, tuple[object, ...], Mapping[str, Any]]] = {}

    def __call__(self, found: Look) -> Mapping[str, Any]:
        """As `find_evidence`; of any thread."""
        doubt = (found.verdict.row, found.seen.attempt, found.seen.machine)
        at, before, answer = self._kept.get(found.job, (-KEPT_S, (), {}))
        if before != doubt or self._monotonic() - at >= KEPT_S:
            answer = self._find(found)
            self._kept[found.job] = (self._monotonic(), doubt, answer)
        return answer


def _ask(backend: AwsBackend, service: str, operation: str, region: str, **parameters: Any) -> Mapping[str, Any]:
    """The answer, {} where there is none.

    Raises:
        CredentialsError: nothing can be asked any more.
    """
    try:
        return backend.session.call(service, operation, region, **parameters)
    except CredentialsError:
        raise
    except CloudError:
        return {}


def _health(backend: AwsBackend, region: str, host: str, machine: Machine) -> Machine:
    """Status checks, and whether Systems Manager has the machine."""
    checks = _ask(backend, "ec2", "DescribeInstanceStatus", region, InstanceIds=[host])
    words = {
        str((one.get(kind) or {}).get("Status", ""))
        for one in checks.get("InstanceStatuses") or ()
        for kind in ("SystemStatus", "InstanceStatus")
    }
    wanted = [{"Key": "InstanceIds", "Values": [host]}]
    agents = _ask(backend, "ssm", "DescribeInstanceInformation", region, Filters=wanted)
    ping = next((str(a.get("PingStatus")) for a in agents.get("InstanceInformationList") or ()), None)
    return replace(machine, agent=ping, impaired=is_impaired(words))


def is_impaired(words: Collection[str]) -> bool | None:
    """Whether one of EC2's checks fails; None while they begin, or have too little to say anything."""
    if "impaired" in words:
        return True
    return None if not words or {"insufficient-data", "initializing"} & set(words) else False


def _spot_status(backend: AwsBackend, region: str, job: str, host: str) -> str:
    """Status code of the job's spot request for this machine; EC2 keeps requests for about four hours."""
    wanted = [{"Name": f"tag:{JOB}", "Values": [job]}]
    answer = _ask(backend, "ec2", "DescribeSpotInstanceRequests", region, Filters=wanted)
    requests = answer.get("SpotInstanceRequests") or ()
    return next((str((r.get("Status") or {}).get("Code", "")) for r in requests if r.get("InstanceId") == host), "")


def _ended_by(backend: AwsBackend, region: str, host: str) -> str:
    """Who called TerminateInstances, as CloudTrail's event history has it for 90 days; "" when it does not say."""
    wanted = [{"AttributeKey": "ResourceName", "AttributeValue": host}]
    answer = _ask(backend, "cloudtrail", "LookupEvents", region, LookupAttributes=wanted, MaxResults=50)
    ends = [e for e in answer.get("Events") or () if e.get("EventName") in ("TerminateInstances", "StopInstances")]
    return str(ends[0].get("Username") or "") if ends else ""
