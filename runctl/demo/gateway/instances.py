"""DescribeInstances, DescribeInstanceStatus and the verbs that change a state."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from runctl.demo.gateway import trail
from runctl.demo.gateway.calls import AwsError, Call, operation
from runctl.demo.gateway.instance_item import instance_item
from runctl.demo.gateway.lifecycle import CODES
from runctl.demo.gateway.listing import Listing

_ID = re.compile(r"i-(?:[0-9a-f]{8}|[0-9a-f]{17})")

INSTANCES = Listing(
    filters={
        "architecture": "Architecture",
        "availability-zone": "Placement.AvailabilityZone",
        "block-device-mapping.attach-time": "BlockDeviceMappings.Ebs.AttachTime",
        "block-device-mapping.delete-on-termination": "BlockDeviceMappings.Ebs.DeleteOnTermination",
        "block-device-mapping.device-name": "BlockDeviceMappings.DeviceName",
        "block-device-mapping.status": "BlockDeviceMappings.Ebs.Status",
        "block-device-mapping.volume-id": "BlockDeviceMappings.Ebs.VolumeId",
        "client-token": "ClientToken",
        "dns-name": "PublicDnsName",
        "hypervisor": "Hypervisor",
        "iam-instance-profile.arn": "IamInstanceProfile.Arn",
        "iam-instance-profile.id": "IamInstanceProfile.Id",
        "image-id": "ImageId",
        "instance-id": "InstanceId",
        "instance-lifecycle": "InstanceLifecycle",
        "instance-state-code": "State.Code",
        "instance-state-name": "State.Name",
        "instance-type": "InstanceType",
        "instance.group-id": "SecurityGroups.GroupId",
        "instance.group-name": "SecurityGroups.GroupName",
        "ip-address": "PublicIpAddress",
        "key-name": "KeyName",
        "launch-index": "AmiLaunchIndex",
        "launch-time": "LaunchTime",
        "metadata-options.http-endpoint": "MetadataOptions.HttpEndpoint",
        "metadata-options.http-tokens": "MetadataOptions.HttpTokens",
        "monitoring-state": "Monitoring.State",
        "network-interface.network-interface-id": "NetworkInterfaces.NetworkInterfaceId",
        "network-interface.subnet-id": "NetworkInterfaces.SubnetId",
        "network-interface.vpc-id": "NetworkInterfaces.VpcId",
        "owner-id": "_OwnerId",
        "platform-details": "PlatformDetails",
        "private-dns-name": "PrivateDnsName",
        "private-ip-address": "PrivateIpAddress",
        "reservation-id": "_ReservationId",
        "root-device-name": "RootDeviceName",
        "root-device-type": "RootDeviceType",
        "spot-instance-request-id": "SpotInstanceRequestId",
        "state-reason-code": "StateReason.Code",
        "state-reason-message": "StateReason.Message",
        "subnet-id": "SubnetId",
        "tenancy": "Placement.Tenancy",
        "virtualization-type": "VirtualizationType",
        "vpc-id": "VpcId",
    }
)

STATUSES = Listing(
    filters={
        "availability-zone": "AvailabilityZone",
        "instance-state-code": "InstanceState.Code",
        "instance-state-name": "InstanceState.Name",
        "instance-status.reachability": "InstanceStatus.Details.Status",
        "instance-status.status": "InstanceStatus.Status",
        "system-status.reachability": "SystemStatus.Details.Status",
        "system-status.status": "SystemStatus.Status",
    }
)


def all_instances(backend: Any) -> list[tuple[str, Any]]:
    """(reservation id, instance) of everything listed in one region."""
    return [(r.id, i) for r in list(backend.reservations.values()) for i in list(r.instances)]


def find_instances(backend: Any, ids: Iterable[str]) -> list[tuple[str, Any]]:
    """The instances named `ids`, in that order.

    Raises:
        AwsError: InvalidInstanceID.Malformed or InvalidInstanceID.NotFound.
    """
    wanted = list(ids)
    for text in wanted:
        if not _ID.fullmatch(text):
            raise AwsError("InvalidInstanceID.Malformed", f'Invalid id: "{text}"')
    known = {i.id: (r, i) for r, i in all_instances(backend)}
    if missing := [i for i in wanted if i not in known]:
        many = len(missing) > 1
        raise AwsError(
            "InvalidInstanceID.NotFound",
            f"The instance ID{'s' if many else ''} '{', '.join(missing)}' do{'' if many else 'es'} not exist",
        )
    return [known[i] for i in wanted]


def public(item: Mapping[str, Any]) -> dict[str, Any]:
    """Without the fields that are there for filters only."""
    return {k: v for k, v in item.items() if not k.startswith("_")}


def reservations(items: Iterable[Mapping[str, Any]], owner: str) -> list[dict[str, Any]]:
    """Instances of one page under the reservation that launched them."""
    return [
        {"ReservationId": key, "OwnerId": owner, "Groups": [], "Instances": [public(i) for i in group]}
        for key, group in groupby(items, key=lambda i: str(i["_ReservationId"]))
    ]


@operation("ec2", "DescribeInstances")
def describe_instances(call: Call) -> dict[str, Any]:
    """Filtered, and paged by instance (moto counts reservations)."""
    call.check_dry_run()
    ids = call.params.get("InstanceIds") or []
    if ids and "MaxResults" in call.params:
        raise AwsError(
            "InvalidParameterCombination", "The parameter instancesSet cannot be used with the parameter maxResults"
        )
    found = find_instances(call.ec2, dict.fromkeys(ids)) if ids else all_instances(call.ec2)
    items = INSTANCES.select([instance_item(i, r) for r, i in found], call.params.get("Filters") or [])
    page, token = INSTANCES.page(items, lambda i: f"{i['_ReservationId']} {i['InstanceId']}", call.params)
    return {"Reservations": reservations(page, call.account), "NextToken": token}


def _check_item(status: str) -> dict[str, Any]:
    if status == "not-applicable":
        return {"Status": status}
    detail = {"ok": "passed"}.get(status, status)
    return {"Status": status, "Details": [{"Name": "reachability", "Status": detail}]}


@operation("ec2", "DescribeInstanceStatus")
def describe_instance_status(call: Call) -> dict[str, Any]:
    """Status checks: initializing for a while, then ok; running machines only unless IncludeAllInstances."""
    call.check_dry_run()
    ids = call.params.get("InstanceIds") or []
    found = find_instances(call.ec2, ids) if ids else all_instances(call.ec2)
    everything = str(call.params.get("IncludeAllInstances", "false")).lower() == "true"
    items = [
        {
            "InstanceId": i.id,
            "AvailabilityZone": i.availability_zone,
            "InstanceState": {"Code": CODES[i.state], "Name": i.state},
            "InstanceStatus": _check_item(i.checks()),
            "SystemStatus": _check_item(i.checks()),
        }
        for _, i in found
        if everything or i.state == "running"
    ]
    chosen = STATUSES.select(items, call.params.get("Filters") or [])
    page, token = STATUSES.page(chosen, lambda i: str(i["InstanceId"]), call.params)
    return {"InstanceStatuses": page, "NextToken": token}


def _change(call: Call, verb: str) -> list[dict[str, Any]]:
    """All or none: every id is checked before the first machine changes."""
    ids = call.params.get("InstanceIds") or []
    if not ids:
        raise AwsError("MissingParameter", "The request must contain the parameter InstanceId")
    found = [i for _, i in find_instances(call.ec2, dict.fromkeys(ids))]
    call.check_dry_run()
    for instance in found:
        instance.check(verb)
    changes = []
    for instance in found:
        previous = getattr(instance, verb)()
        state = instance.state
        changes.append(
            {
                "InstanceId": instance.id,
                "CurrentState": {"Code": CODES[state], "Name": state},
                "PreviousState": {"Code": CODES[previous.name], "Name": previous.name} if previous else None,
            }
        )
    trail.note(call, f"{verb.capitalize()}Instances", [i.id for i in found])
    return changes


@operation("ec2", "StartInstances")
def start_instances(call: Call) -> dict[str, Any]:
    """Stopped machines become pending."""
    return {"StartingInstances": _change(call, "start")}


@operation("ec2", "StopInstances")
def stop_instances(call: Call) -> dict[str, Any]:
    """Running machines become stopping."""
    return {"StoppingInstances": _change(call, "stop")}


@operation("ec2", "TerminateInstances")
def terminate_instances(call: Call) -> dict[str, Any]:
    """Machines become shutting-down."""
    return {"TerminatingInstances": _change(call, "terminate")}


@operation("ec2", "RebootInstances")
def reboot_instances(call: Call) -> dict[str, Any]:
    """Only running machines reboot."""
    _change(call, "reboot")
    return {}
