"""One instance in DescribeInstances' fields."""

from __future__ import annotations

from typing import Any

from runctl.demo.gateway.lifecycle import CODES
from runctl.demo.gateway.offers import cpu_options
from runctl.demo.gateway.tags import tag_list


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
            "Association": _association(instance) if index == 0 else None,
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


def _association(instance: Any) -> dict[str, str] | None:
    """Its public address, and whose it is: "amazon" for one that EC2 lends, the account for an Elastic one."""
    if not instance.public_ip:
        return None
    elastic = any(a.instance is instance for a in instance.ec2_backend.addresses)
    owner = instance.owner_id if elastic else "amazon"
    return {"IpOwnerId": owner, "PublicIp": instance.public_ip, "PublicDnsName": instance.public_dns_name or ""}


def _groups(instance: Any) -> list[dict[str, str]]:
    own = [{"GroupId": g.id, "GroupName": g.name} for g in instance.security_groups]
    return own or [{"GroupId": g.id, "GroupName": g.name} for nic in instance.nics.values() for g in nic.group_set]


def _network(instance: Any) -> dict[str, Any]:
    """A terminated machine has lost all of it."""
    if instance.state == "terminated":
        return {"PrivateDnsName": "", "PublicDnsName": "", "NetworkInterfaces": [], "SecurityGroups": []}
    groups = _groups(instance)
    return {
        "PrivateDnsName": instance.private_dns_name,
        "PublicDnsName": instance.public_dns_name or "",
        "NetworkInterfaces": _interfaces(instance, groups),
        "SecurityGroups": groups,
        "SubnetId": instance.subnet_id,
        "VpcId": instance.vpc_id,
        "PrivateIpAddress": instance.private_ip,
        "PublicIpAddress": instance.public_ip or None,
    }


def _purchase(instance: Any) -> dict[str, Any]:
    """How it was bought, and why it ended."""
    reason = instance.state_reason
    return {
        "InstanceLifecycle": "spot" if instance.lifecycle == "spot" else None,
        "SpotInstanceRequestId": instance.spot["SpotInstanceRequestId"] if instance.spot else None,
        "StateTransitionReason": instance.state_transition_reason,
        "StateReason": {"Code": reason.code, "Message": reason.message} if reason.code else None,
        "ClientToken": instance.client_token,
    }


def _metadata(instance: Any) -> dict[str, Any]:
    options = instance.metadata_options
    return {
        "State": "applied",
        "HttpTokens": options.http_tokens,
        "HttpPutResponseHopLimit": options.http_put_response_hop_limit,
        "HttpEndpoint": options.http_endpoint,
        "InstanceMetadataTags": options.instance_metadata_tags,
    }


#: The same for every machine here.
_ALWAYS = {
    "ProductCodes": [],
    "EnaSupport": True,
    "Hypervisor": "xen",
    "RootDeviceType": "ebs",
    "VirtualizationType": "hvm",
    "PlatformDetails": "Linux/UNIX",
    "UsageOperation": "RunInstances",
}


def instance_item(instance: Any, reservation_id: str) -> dict[str, Any]:
    """One instance (plus two fields with an underscore, for filters only)."""
    return {
        "_ReservationId": reservation_id,
        "_OwnerId": instance.owner_id,
        "InstanceId": instance.id,
        "ImageId": instance.image_id,
        "State": {"Code": CODES[instance.state], "Name": instance.state},
        "KeyName": instance.key_name,
        "AmiLaunchIndex": instance.ami_launch_index,
        "InstanceType": instance.instance_type,
        "LaunchTime": instance.launch_time,
        "Placement": {"AvailabilityZone": instance.availability_zone, "GroupName": "", "Tenancy": "default"},
        "Monitoring": {"State": instance.monitoring_state},
        "Architecture": instance.architecture,
        "BlockDeviceMappings": _disks(instance),
        "CpuOptions": cpu_options(instance.instance_type),
        "EbsOptimized": str(instance.ebs_optimized).lower() == "true",
        "IamInstanceProfile": instance.iam_instance_profile,
        "RootDeviceName": instance.root_device_name,
        "SourceDestCheck": instance.source_dest_check,
        "Tags": tag_list(instance.ec2_backend, instance.id) or None,
        "MetadataOptions": _metadata(instance),
        **_ALWAYS,
        **_purchase(instance),
        **_network(instance),
    }
