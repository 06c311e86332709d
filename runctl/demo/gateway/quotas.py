"""vCPU quotas of EC2: Service Quotas answers them, RunInstances respects them.

Codes as in the EC2 User Guide, "Instance type quotas"; the values are this account's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from runctl.demo.gateway import offers
from runctl.demo.gateway.calls import AwsError, Call, ec2_of
from runctl.demo.world import ACCOUNT, World


@dataclass(frozen=True, slots=True)
class Quota:
    """One vCPU quota: `families` is what an instance type's family must match."""

    code: str
    name: str
    market: str
    families: str
    value: float


QUOTAS = (
    Quota("L-1216C47A", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", "on-demand",
          r"(?:[acdhimrz]\d.*|t\d.*)", 640),
    Quota("L-DB2E81BA", "Running On-Demand G and VT instances", "on-demand", r"(?:g|gr|vt)\d.*", 512),
    Quota("L-417A185B", "Running On-Demand P instances", "on-demand", r"p\d.*", 384),
    Quota("L-2C3B7624", "Running On-Demand Trn instances", "on-demand", r"trn.*", 128),
    Quota("L-1945791B", "Running On-Demand Inf instances", "on-demand", r"inf.*", 64),
    Quota("L-34B43A08", "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests", "spot",
          r"(?:[acdhimrz]\d.*|t\d.*)", 640),
    Quota("L-3819A6DF", "All G and VT Spot Instance Requests", "spot", r"(?:g|gr|vt)\d.*", 384),
    Quota("L-7212CCBC", "All P4, P3 and P2 Spot Instance Requests", "spot", r"p[234].*", 384),
    Quota("L-C4BD4855", "All P5 Spot Instance Requests", "spot", r"p5.*", 192),
    Quota("L-6B0D517C", "All Trn Spot Instance Requests", "spot", r"trn.*", 256),
    Quota("L-B5D1601B", "All Inf Spot Instance Requests", "spot", r"inf.*", 64),
)  # fmt: skip


def quota_of(instance_type: str, market: str) -> Quota | None:
    """The quota that a machine counts against, None for families without one here."""
    family = instance_type.partition(".")[0]
    return next((q for q in QUOTAS if q.market == market and re.fullmatch(q.families, family)), None)


def value_of(world: World, region: str, quota: Quota) -> float:
    """Its value, as changed by a test where it was."""
    return world.quotas.get((region, quota.code), quota.value)


def used(region: str, quota: Quota) -> int:
    """VCPUs that count against a quota now."""
    from runctl.demo.gateway.instances import all_instances

    total = 0
    for _, instance in all_instances(ec2_of(region, ACCOUNT)):
        if instance.state in ("pending", "running"):
            market = "spot" if instance.lifecycle == "spot" else "on-demand"
            if quota_of(instance.instance_type, market) is quota:
                total += offers.vcpus(instance.instance_type) or 0
    return total


def check(call: Call, instance_type: str, market: str, count: int) -> None:
    """Whether `count` more fit.

    Raises:
        AwsError: VcpuLimitExceeded or MaxSpotInstanceCountExceeded.
    """
    quota, each = quota_of(instance_type, market), offers.vcpus(instance_type)
    if quota is None or each is None:
        return
    limit = value_of(call.world, call.region, quota)
    if used(call.region, quota) + count * each <= limit:
        return
    if market == "spot":
        raise AwsError("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")
    raise AwsError(
        "VcpuLimitExceeded",
        f"You have requested more vCPU capacity than your current vCPU limit of {limit:.0f} allows for the instance "
        "bucket that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request "
        "to request an adjustment to this limit.",
    )


def _item(world: World, region: str, quota: Quota) -> dict[str, Any]:
    return {
        "ServiceCode": "ec2",
        "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)",
        "QuotaArn": f"arn:aws:servicequotas:{region}:{ACCOUNT}:ec2/{quota.code}",
        "QuotaCode": quota.code,
        "QuotaName": quota.name,
        "Value": value_of(world, region, quota),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }


def answer(world: World, operation: str, region: str, params: dict[str, Any]) -> dict[str, Any]:
    """GetServiceQuota, GetAWSDefaultServiceQuota, ListServiceQuotas, ListAWSDefaultServiceQuotas for EC2.

    Raises:
        AwsError: NoSuchResourceException.
    """
    if params.get("ServiceCode") != "ec2":
        raise AwsError("NoSuchResourceException", "The request failed because the specified service does not exist.")
    if operation in ("ListServiceQuotas", "ListAWSDefaultServiceQuotas"):
        return {"Quotas": [_item(world, region, q) for q in QUOTAS]}
    found = next((q for q in QUOTAS if q.code == params.get("QuotaCode")), None)
    if found is None:
        raise AwsError("NoSuchResourceException", "The request failed because the specified quota does not exist.")
    return {"Quota": _item(world, region, found)}
