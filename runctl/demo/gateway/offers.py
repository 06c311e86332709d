"""Which types exist, where they are offered, and what they cost: moto's offerings and runctl's own price book."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from runctl.services.prices import PriceBook


@lru_cache(maxsize=1)
def _book() -> PriceBook:
    return PriceBook()


def spot_usd(region: str, instance_type: str) -> float | None:
    """The book's usual spot price in USD per hour."""
    price = _book().instance_rate(region, instance_type, "spot")
    return None if price is None else price.usd


def on_demand_usd(region: str, instance_type: str) -> float | None:
    """The book's on-demand price in USD per hour."""
    price = _book().instance_rate(region, instance_type, "on-demand")
    return None if price is None else price.usd


def _types() -> dict[str, Any]:
    from moto.ec2.models.instance_types import INSTANCE_TYPES

    found: dict[str, Any] = INSTANCE_TYPES
    return found


def known_types(region: str) -> list[str]:
    """Every type with a spot price in that region."""
    return sorted(t for t in _book().types() if spot_usd(region, t) is not None)


def exists(instance_type: str) -> bool:
    """Whether AWS has such a type at all."""
    return instance_type in _types() or _book().hardware(instance_type) is not None


def vcpus(instance_type: str) -> int | None:
    """VCPUs of a type, None when neither moto nor the book knows it."""
    if instance_type in _types():
        return int(_types()[instance_type]["VCpuInfo"]["DefaultVCpus"])
    hardware = _book().hardware(instance_type)
    return None if hardware is None else hardware.vcpus


def cpu_threads(instance_type: str) -> tuple[int, int] | None:
    """(cores, threads per core), as DescribeInstances has them under CpuOptions."""
    info = _types().get(instance_type, {}).get("VCpuInfo")
    return (int(info["DefaultCores"]), int(info["DefaultThreadsPerCore"])) if info else None


def zones(backend: Any) -> list[str]:
    """Names of the availability zones of a region."""
    return [z.name for z in backend.describe_availability_zones()]


def zones_offering(backend: Any, instance_type: str) -> list[str]:
    """Zones where a type can be launched; a type that moto's data lacks altogether is offered everywhere."""
    from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS

    offerings = INSTANCE_TYPE_OFFERINGS["availability-zone"].get(backend.region_name) or []
    found = sorted({o["Location"] for o in offerings if o["InstanceType"] == instance_type})
    return found if found or instance_type in _types() else zones(backend)
