"""Elastic IP addresses: EC2 lists them all at once, without pages."""

from __future__ import annotations

from typing import Any

from runctl.demo.gateway.calls import AwsError, Call, operation
from runctl.demo.gateway.listing import Listing
from runctl.demo.gateway.tags import tag_list

ADDRESSES = Listing(
    filters={
        "allocation-id": "AllocationId",
        "association-id": "AssociationId",
        "domain": "Domain",
        "instance-id": "InstanceId",
        "network-interface-id": "NetworkInterfaceId",
        "private-ip-address": "PrivateIpAddress",
        "public-ip": "PublicIp",
    }
)


def address_item(address: Any, region: str) -> dict[str, Any]:
    """One address in DescribeAddresses' fields; what it is not associated with is absent."""
    return {
        "PublicIp": address.public_ip,
        "AllocationId": address.allocation_id,
        "Domain": address.domain,
        "PublicIpv4Pool": "amazon",
        "NetworkBorderGroup": region,
        "InstanceId": address.instance_id or None,
        "AssociationId": address.association_id or None,
        "NetworkInterfaceId": address.network_interface_id or None,
        "NetworkInterfaceOwnerId": address.network_interface_owner_id,
        "PrivateIpAddress": address.private_ip_address,
        "Tags": tag_list(address.ec2_backend, address.id) or None,
    }


@operation("ec2", "DescribeAddresses")
def describe_addresses(call: Call) -> dict[str, Any]:
    """All addresses that pass the filters."""
    call.check_dry_run()
    items = [address_item(a, call.region) for a in call.ec2.addresses]
    ids = call.params.get("AllocationIds") or []
    if missing := set(ids) - {str(i["AllocationId"]) for i in items}:
        raise AwsError(
            "InvalidAllocationID.NotFound", f"The allocation ID '{', '.join(sorted(missing))}' does not exist"
        )
    chosen = [i for i in items if not ids or i["AllocationId"] in ids]
    return {"Addresses": ADDRESSES.select(chosen, call.params.get("Filters") or [])}
