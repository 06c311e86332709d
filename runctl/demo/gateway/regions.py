"""Regions: like a real account, the demo's has only those enabled that need no opting in (moto lists all of them)."""

from __future__ import annotations

from typing import Any

from runctl.demo.gateway.calls import AwsError, Call, operation
from runctl.demo.gateway.listing import Listing

#: AWS Account Management Reference Guide, "Regions enabled by default".
ENABLED = frozenset(
    (
        "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2",
        "ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1", "us-east-1",
        "us-east-2", "us-west-1", "us-west-2",
    )
)  # fmt: skip
REGIONS = Listing(filters={"endpoint": "Endpoint", "opt-in-status": "OptInStatus", "region-name": "RegionName"})


@operation("ec2", "DescribeRegions")
def describe_regions(call: Call) -> dict[str, Any]:
    """The enabled regions; all of them with AllRegions."""
    call.check_dry_run()
    everything = str(call.params.get("AllRegions", "false")).lower() == "true"
    items = [
        {
            "RegionName": r.name,
            "Endpoint": r.endpoint,
            "OptInStatus": "opt-in-not-required" if r.name in ENABLED else "not-opted-in",
        }
        for r in call.ec2.describe_regions([])
        if everything or r.name in ENABLED
    ]
    named = call.params.get("RegionNames") or []
    if missing := sorted(set(named) - {str(i["RegionName"]) for i in items}):
        raise AwsError("InvalidParameterValue", f"Invalid region name: {missing[0]}")
    chosen = [i for i in items if not named or i["RegionName"] in named]
    return {"Regions": REGIONS.select(chosen, call.params.get("Filters") or [])}
