"""Which types exist, where they are offered, and what they cost: moto's offerings and runctl's own price book."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from runctl.models.instance import Hardware
from runctl.services.prices import PriceBook


@lru_cache(maxsize=1)
def _book() -> PriceBook:
    return PriceBook()


def _types() -> dict[str, Any]:
    from moto.ec2.models.instance_types import INSTANCE_TYPES

    return INSTANCE_TYPES


def _offerings(kind: str) -> dict[str, Any]:
    from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS

    found: dict[str, Any] = INSTANCE_TYPE_OFFERINGS[kind]
    return found


def _usd(region: str, instance_type: str, market: str) -> float | None:
    price = _book().instance_rate(region, instance_type, market)
    return None if price is None else price.usd


def spot_usd(region: str, instance_type: str) -> float | None:
    """The book's usual spot price in USD per hour."""
    return _usd(region, instance_type, "spot")


def on_demand_usd(region: str, instance_type: str) -> float | None:
    """The book's on-demand price in USD per hour."""
    return _usd(region, instance_type, "on-demand")


def volume_gib_usd(region: str, volume_type: str) -> float | None:
    """The book's price of one GiB-month of a volume type."""
    return _book().volume_usd_per_month(region, volume_type, 1)[0]


def all_types() -> list[str]:
    """Every type that moto's data or the price book knows."""
    return sorted({*_types(), *_book().types()})


def regions() -> list[str]:
    """Every region that moto has offerings for."""
    return sorted(_offerings("region"))


def known_types(region: str) -> list[str]:
    """Every type with a spot price in that region."""
    return sorted(t for t in _book().types() if spot_usd(region, t) is not None)


def hardware(instance_type: str) -> Hardware | None:
    """What the price book says a type is made of."""
    return _book().hardware(instance_type)


@lru_cache(maxsize=4096)
def type_item(instance_type: str) -> dict[str, Any] | None:
    """A type in DescribeInstanceTypes' fields: moto's, else the little that the book knows; None for no such type."""
    if instance_type in _types():
        found: dict[str, Any] = _types()[instance_type]
        return found
    known = hardware(instance_type)
    if known is None or known.vcpus is None or known.memory_gib is None:
        return None
    item: dict[str, Any] = {
        "InstanceType": instance_type,
        "CurrentGeneration": False,
        "VCpuInfo": {"DefaultVCpus": known.vcpus},
        "MemoryInfo": {"SizeInMiB": int(known.memory_gib * 1024)},
        "ProcessorInfo": {"SupportedArchitectures": [known.arch or "x86_64"]},
    }
    if known.gpu_count and known.gpu_model:
        each = int((known.gpu_memory_gib or 0) * 1024)
        item["GpuInfo"] = {
            "Gpus": [{"Name": known.gpu_model, "Count": int(known.gpu_count), "MemoryInfo": {"SizeInMiB": each}}],
            "TotalGpuMemoryInMiB": each * int(known.gpu_count),
        }
    return item


def exists(instance_type: str) -> bool:
    """Whether AWS has such a type at all."""
    return type_item(instance_type) is not None


def vcpus(instance_type: str) -> int | None:
    """VCPUs of a type, None when neither moto nor the book knows it."""
    item = type_item(instance_type)
    return None if item is None else int(item["VCpuInfo"]["DefaultVCpus"])


def cpu_options(instance_type: str) -> dict[str, int] | None:
    """Cores and threads, as DescribeInstances has them; None when unknown."""
    info = (type_item(instance_type) or {}).get("VCpuInfo", {})
    if "DefaultCores" not in info:
        return None
    return {"CoreCount": info["DefaultCores"], "ThreadsPerCore": info["DefaultThreadsPerCore"]}


def zones(backend: Any) -> list[str]:
    """Names of the availability zones of a region."""
    return [z.name for z in backend.describe_availability_zones()]


def offerings(kind: str, region: str) -> list[dict[str, Any]]:
    """What is offered in a region, by "region", "availability-zone" or "availability-zone-id"."""
    return list(_offerings(kind).get(region) or []) if kind in _location_kinds() else []


def _location_kinds() -> tuple[str, ...]:
    return ("region", "availability-zone", "availability-zone-id")


def zones_offering(backend: Any, instance_type: str) -> list[str]:
    """Zones where a type can be launched; a type that moto's data lacks altogether is offered everywhere."""
    here = offerings("availability-zone", backend.region_name)
    found = sorted({str(o["Location"]) for o in here if o["InstanceType"] == instance_type})
    return found if found or instance_type in _types() else zones(backend)
