"""CloudTrail's event history, as far as it says who has started, stopped, rebooted or terminated a machine.

Newest first, by one attribute, as LookupEvents has it (CloudTrail API reference); AWS takes some minutes to know an
event, here it is known at once.
"""

from __future__ import annotations

import uuid
from typing import Any

from runctl.demo.gateway.calls import AwsError, Call
from runctl.demo.gateway.identity import caller
from runctl.demo.world import World

_MOST = 50


def note(call: Call, event: str, machines: list[str]) -> None:
    """A call has changed machines."""
    _, arn, _ = caller(call.response.access_key, call.account, call.region)
    call.world.trail.append(
        {
            "EventId": str(uuid.uuid4()),
            "EventName": event,
            "EventTime": call.world.now(),
            "EventSource": "ec2.amazonaws.com",
            "ReadOnly": "false",
            "Username": arn.rpartition("/")[2],
            "Resources": [{"ResourceType": "AWS::EC2::Instance", "ResourceName": m} for m in machines],
            "_Region": call.region,
        }
    )


def answer(world: World, operation: str, region: str, params: dict[str, Any]) -> dict[str, Any]:
    """LookupEvents.

    Raises:
        AwsError: another operation, or more than one attribute.
    """
    if operation != "LookupEvents":
        raise AwsError("UnknownOperationException", f"CloudTrail's {operation} is not here.")
    wanted = params.get("LookupAttributes") or []
    if len(wanted) > 1:
        raise AwsError("InvalidLookupAttributesException", "Only one lookup attribute can be specified.")
    found = [e for e in reversed(world.trail) if e["_Region"] == region and all(_fits(e, a) for a in wanted)]
    most = min(int(params.get("MaxResults") or _MOST), _MOST)
    return {"Events": [{k: v for k, v in e.items() if not k.startswith("_")} for e in found[:most]]}


def _fits(event: dict[str, Any], attribute: dict[str, str]) -> bool:
    key, value = attribute["AttributeKey"], attribute["AttributeValue"]
    if key == "ResourceName":
        return any(r["ResourceName"] == value for r in event["Resources"])
    return bool(event.get(key) == value)
