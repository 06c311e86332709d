"""Systems Manager's view of machines: which ones have an agent that answers."""

from __future__ import annotations

from typing import Any

from runctl.demo.gateway.calls import Call, operation
from runctl.demo.gateway.instances import all_instances
from runctl.demo.gateway.listing import Listing

_PAGES = Listing(filters={}, smallest=5, largest=50)


def online(instance: Any) -> bool:
    """Whether commands reach it: it runs, has had time to boot, and carries a role."""
    return bool(
        instance.state == "running"
        and instance.ailment != "agent"
        and instance.ec2_backend.iam_instance_profile_associations.get(instance.id)
        and instance.running_since is not None
        and instance.world.elapsed - instance.running_since >= instance.world.timings.agent_online
    )


def ping(instance: Any) -> str:
    """PingStatus, "" for a machine that Systems Manager does not list."""
    if online(instance):
        return "Online"
    return "ConnectionLost" if instance.ailment == "agent" and instance.state == "running" else ""


def _item(call: Call, instance: Any) -> dict[str, Any]:
    ubuntu = instance.root_device_name == "/dev/sda1"
    return {
        "InstanceId": instance.id,
        "PingStatus": ping(instance),
        "LastPingDateTime": call.world.now(),
        "AgentVersion": "3.3.3050.0",
        "IsLatestVersion": True,
        "PlatformType": "Linux",
        "PlatformName": "Ubuntu" if ubuntu else "Amazon Linux",
        "PlatformVersion": "22.04" if ubuntu else "2023",
        "ResourceType": "EC2Instance",
        "IPAddress": instance.private_ip,
        "ComputerName": instance.private_dns_name,
    }


@operation("ssm", "DescribeInstanceInformation")
def describe_instance_information(call: Call) -> dict[str, Any]:
    """Machines whose agent is online, or was; filters InstanceIds and PingStatus."""
    filters = {f["Key"]: f["Values"] for f in call.params.get("Filters") or ()}
    filters |= {f["key"]: f["valueSet"] for f in call.params.get("InstanceInformationFilterList") or ()}
    ids, states = filters.get("InstanceIds"), filters.get("PingStatus", ["Online", "ConnectionLost"])
    items = [_item(call, i) for _, i in all_instances(call.ec2) if ping(i) in states and (not ids or i.id in ids)]
    page, token = _PAGES.page(items, lambda i: str(i["InstanceId"]), call.params)
    return {"InstanceInformationList": page, **({"NextToken": token} if token else {})}
