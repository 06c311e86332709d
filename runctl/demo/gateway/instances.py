"""DescribeInstances, DescribeInstanceStatus and the verbs that change a state."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from runctl.demo.gateway.calls import AwsError, Call, operation
from runctl.demo.gateway.lifecycle import CODES
from runctl.demo.gateway.listing import Listing
from runctl.demo.gateway.offers import cpu_options

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


def tag_list(backend: Any, resource_id: str) -> list[dict[str, str]]:
    """Tags of a resource, straight from moto's table (its own look-up walks over all tags of the region)."""
    return [{"Key": k, "Value": v} for k, v in backend.tags.get(resource_id, {}).items()]


def _disks(instance: Any) -> list[dict[str, Any]]:
    return [
        {
            "DeviceName": device,
            "Ebs": {
                "AttachTime": block.attach_time,
                "DeleteOnTermination": block.delete_on_termination,
                "Status": "attached",
                "VolumeId": block.volume_id,
            },
        }
        for device, block in instance.get_block_device_mapping
    ]


def _interfaces(instance: Any, groups: list[dict[str, str]]) -> list[dict[str, Any]]:
    return [
        {
            "NetworkInterfaceId": nic.id,
            "SubnetId": nic.subnet.id,
            "VpcId": nic.subnet.vpc_id,
            "Description": nic.description,
            "OwnerId": instance.owner_id,
            "Status": "in-use",
            "MacAddress": nic.mac_address,
            "PrivateIpAddress": nic.private_ip_address,
            "SourceDestCheck": nic.source_dest_check,
            "Groups": groups,
            "Attachment": {
                "AttachmentId": nic.attachment_id,
                "DeviceIndex": index,
                "Status": "attached",
                "AttachTime": instance.launch_time,
                "DeleteOnTermination": nic.delete_on_termination,
            },
            "InterfaceType": "interface",
        }
        for index, nic in instance.nics.items()
    ]


def instance_item(instance: Any, reservation_id: str) -> dict[str, Any]:
    """One instance in DescribeInstances' fields (plus two with an underscore, for filters only)."""
    state = instance.state
    gone = state == "terminated"
    groups = [{"GroupId": g.id, "GroupName": g.name} for g in instance.security_groups] or [
        {"GroupId": g.id, "GroupName": g.name} for nic in instance.nics.values() for g in nic.group_set
    ]
    item: dict[str, Any] = {
        "_ReservationId": reservation_id,
        "_OwnerId": instance.owner_id,
        "InstanceId": instance.id,
        "ImageId": instance.image_id,
        "State": {"Code": CODES[state], "Name": state},
        "PrivateDnsName": "" if gone else instance.private_dns_name,
        "PublicDnsName": "" if gone else instance.public_dns_name or "",
        "StateTransitionReason": instance.state_transition_reason,
        "KeyName": instance.key_name,
        "AmiLaunchIndex": instance.ami_launch_index,
        "ProductCodes": [],
        "InstanceType": instance.instance_type,
        "LaunchTime": instance.launch_time,
        "Placement": {"AvailabilityZone": instance.availability_zone, "GroupName": "", "Tenancy": "default"},
        "Monitoring": {"State": instance.monitoring_state},
        "Architecture": instance.architecture,
        "BlockDeviceMappings": _disks(instance),
        "ClientToken": instance.client_token,
        "EbsOptimized": str(instance.ebs_optimized).lower() == "true",
        "EnaSupport": True,
        "Hypervisor": "xen",
        "IamInstanceProfile": instance.iam_instance_profile,
        "InstanceLifecycle": "spot" if instance.lifecycle == "spot" else None,
        "NetworkInterfaces": [] if gone else _interfaces(instance, groups),
        "RootDeviceName": instance.root_device_name,
        "RootDeviceType": "ebs",
        "SecurityGroups": [] if gone else groups,
        "SourceDestCheck": instance.source_dest_check,
        "Tags": tag_list(instance.ec2_backend, instance.id) or None,
        "VirtualizationType": "hvm",
        "CpuOptions": cpu_options(instance.instance_type),
        "PlatformDetails": "Linux/UNIX",
        "UsageOperation": "RunInstances",
        "MetadataOptions": {
            "State": "applied",
            "HttpTokens": instance.metadata_options.http_tokens,
            "HttpPutResponseHopLimit": instance.metadata_options.http_put_response_hop_limit,
            "HttpEndpoint": instance.metadata_options.http_endpoint,
            "InstanceMetadataTags": instance.metadata_options.instance_metadata_tags,
        },
    }
    if instance.state_reason.code:
        item["StateReason"] = {"Code": instance.state_reason.code, "Message": instance.state_reason.message}
    if instance.spot:
        item["SpotInstanceRequestId"] = instance.spot["SpotInstanceRequestId"]
    if not gone:
        item |= {
            "SubnetId": instance.subnet_id,
            "VpcId": instance.vpc_id,
            "PrivateIpAddress": instance.private_ip,
            "PublicIpAddress": instance.public_ip or None,
        }
    return item


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
