"""Instance types and where they are offered, paged and with wildcards, from moto's data."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from runctl.demo.gateway import offers
from runctl.demo.gateway.calls import AwsError, Call, operation
from runctl.demo.gateway.listing import Listing

OFFERINGS = Listing(filters={"instance-type": "InstanceType", "location": "Location"})


@lru_cache(maxsize=1)
def _types() -> Listing:
    from moto.ec2.models.instance_types import InstanceType

    paths = {name: ".".join(path) for name, path in InstanceType._filter_attributes.items()}
    return Listing(filters=paths | {"processor-info.supported-architecture": "ProcessorInfo.SupportedArchitectures"},
                   largest=100)  # fmt: skip


@operation("ec2", "DescribeInstanceTypes")
def describe_instance_types(call: Call) -> dict[str, Any]:
    """All types, or the named ones, that pass the filters."""
    call.check_dry_run()
    named = call.params.get("InstanceTypes") or []
    if missing := [t for t in named if offers.type_item(t) is None]:
        raise AwsError(
            "InvalidInstanceType", f"The following supplied instance types do not exist: [{', '.join(missing)}]"
        )
    items = [item for t in named or offers.all_types() if (item := offers.type_item(t))]
    chosen = _types().select(items, call.params.get("Filters") or [])
    page, token = _types().page(chosen, lambda t: str(t["InstanceType"]), call.params)
    return {"InstanceTypes": page, "NextToken": token}


@operation("ec2", "DescribeInstanceTypeOfferings")
def describe_instance_type_offerings(call: Call) -> dict[str, Any]:
    """By region unless LocationType says otherwise."""
    call.check_dry_run()
    kind = str(call.params.get("LocationType", "region"))
    chosen = OFFERINGS.select(offers.offerings(kind, call.region), call.params.get("Filters") or [])
    page, token = OFFERINGS.page(chosen, lambda o: f"{o['InstanceType']} {o['Location']}", call.params)
    return {"InstanceTypeOfferings": page, "NextToken": token}
