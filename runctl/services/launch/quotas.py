"""vCPU quotas: which one a machine counts against, and what is left of it.

Codes: EC2 User Guide, "Amazon EC2 instance type quotas" (Service Quotas lists the same). Spot and on-demand are counted
apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from runctl.models.instance import Instance, InstanceState, Market
from runctl.models.launch import Quota


class _Bucket(NamedTuple):
    """Families that share a quota, by what their name must be, with the codes of the two markets."""

    families: re.Pattern[str]
    on_demand: str
    spot: str


_BUCKETS = (
    _Bucket(re.compile(r"(?:g|gr|vt)\d.*"), "L-DB2E81BA", "L-3819A6DF"),
    _Bucket(re.compile(r"p[234].*"), "L-417A185B", "L-7212CCBC"),
    _Bucket(re.compile(r"p5.*"), "L-417A185B", "L-C4BD4855"),
    _Bucket(re.compile(r"p\d.*"), "L-417A185B", ""),
    _Bucket(re.compile(r"trn.*"), "L-2C3B7624", "L-6B0D517C"),
    _Bucket(re.compile(r"inf.*"), "L-1945791B", "L-B5D1601B"),
    _Bucket(re.compile(r"dl.*"), "L-6E869C2A", "L-85EED4F7"),
    _Bucket(re.compile(r"f\d.*"), "L-74FC7D96", "L-88CF9481"),
    _Bucket(re.compile(r"x\d.*"), "L-7295265B", "L-E3A00192"),
    # Hpc and High Memory have quotas of their own that nobody trains on; anything else of these letters is Standard.
    _Bucket(re.compile(r"(?!hpc|u-|dl|inf|trn|mac)[acdhimrtz][a-z]*\d.*"), "L-1216C47A", "L-34B43A08"),
)


def code_of(instance_type: str, market: Market) -> str:
    """The code of the quota that a machine counts against, "" for families whose quota is not known here."""
    family = instance_type.partition(".")[0]
    found = next((b for b in _BUCKETS if b.families.fullmatch(family)), None)
    if found is None:
        return ""
    # A capacity block is bought apart from the quotas (EC2 User Guide, "Capacity Blocks for ML").
    return {Market.SPOT: found.spot, Market.ON_DEMAND: found.on_demand}.get(market, "")


def used_vcpus(machines: Iterable[Instance], code: str) -> int | None:
    """VCPUs of the running machines of one region that count against a quota; None when one's size is unknown.

    Source: EC2 User Guide, "On-Demand Instance quotas": pending counts too, stopped does not.
    """
    total = 0
    for machine in machines:
        if machine.state not in (InstanceState.PENDING, InstanceState.RUNNING):
            continue
        if code_of(machine.type, machine.market) != code:
            continue
        if machine.hardware.vcpus is None:
            return None
        total += machine.hardware.vcpus
    return total


def quotas_of(
    wanted: Iterable[tuple[str, Market]],
    machines: Iterable[Instance] | None,
    limit_of: Callable[[str], float | None],
) -> Mapping[tuple[str, Market], Quota]:
    """The quotas of some types and markets.

    Args:
        wanted: (type, market).
        machines: every machine of the region, ours or not; None when they could not be listed.
        limit_of: the limit of a code, None when it may not be read; asked once for each code.
    """
    held = None if machines is None else tuple(machines)
    by_code: dict[str, Quota] = {}
    found = {}
    for pair in wanted:
        if code := code_of(*pair):
            if code not in by_code:
                used = None if held is None else used_vcpus(held, code)
                by_code[code] = Quota(code, limit_of(code), used)
            found[pair] = by_code[code]
    return found


def console_url(region: str, code: str) -> str:
    """Where a quota can be seen and raised."""
    return f"https://{region}.console.aws.amazon.com/servicequotas/home/services/ec2/quotas/{code}"
