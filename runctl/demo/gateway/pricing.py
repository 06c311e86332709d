"""AWS Price List: GetProducts for Linux machines and EBS volumes, answered from runctl's own price book.

So a client that asks for a price gets exactly the book's, in the shape of the real service (JSON texts in a list).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from runctl.demo.gateway import offers
from runctl.demo.gateway.calls import AwsError
from runctl.demo.gateway.listing import Listing

_PAGES = Listing(filters={}, smallest=1, largest=100)
_VOLUME_TYPES = ("gp3", "gp2", "st1", "sc1")


def _terms(sku: str, usd: float, unit: str, description: str) -> dict[str, Any]:
    offer, rate = f"{sku}.JRTCKXETXF", f"{sku}.JRTCKXETXF.6YS6EN2CT7"
    dimension = {
        "unit": unit,
        "endRange": "Inf",
        "beginRange": "0",
        "description": description,
        "appliesTo": [],
        "rateCode": rate,
        "pricePerUnit": {"USD": f"{usd:.10f}"},
    }
    return {
        "OnDemand": {
            offer: {
                "priceDimensions": {rate: dimension},
                "sku": sku,
                "effectiveDate": "2026-07-01T00:00:00Z",
                "offerTermCode": "JRTCKXETXF",
                "termAttributes": {},
            }
        }
    }


def _product(family: str, attributes: Mapping[str, str], usd: float, unit: str) -> dict[str, Any]:
    name = attributes.get("instanceType") or attributes.get("volumeApiName", "")
    sku = hashlib.sha256(f"{attributes['regionCode']} {name}".encode()).hexdigest()[:16].upper()
    return {
        "product": {"productFamily": family, "attributes": {**attributes, "servicecode": "AmazonEC2"}, "sku": sku},
        "serviceCode": "AmazonEC2",
        "terms": _terms(sku, usd, unit, f"${usd} per {unit} {name}"),
        "version": "20260701000000",
        "publicationDate": "2026-07-01T00:00:00Z",
    }


def _machine(region: str, instance_type: str) -> dict[str, Any] | None:
    usd = offers.on_demand_usd(region, instance_type)
    if usd is None:
        return None
    hardware = offers.hardware(instance_type)
    attributes = {
        "instanceType": instance_type,
        "regionCode": region,
        "locationType": "AWS Region",
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
        "marketoption": "OnDemand",
        "licenseModel": "No License required",
        "operation": "RunInstances",
        "usagetype": f"BoxUsage:{instance_type}",
        "vcpu": str(hardware.vcpus) if hardware and hardware.vcpus is not None else "NA",
        "memory": f"{hardware.memory_gib:g} GiB" if hardware and hardware.memory_gib is not None else "NA",
    }
    if hardware and hardware.gpu_count:
        attributes["gpu"] = f"{hardware.gpu_count:g}"
    return _product("Compute Instance", attributes, usd, "Hrs")


def _disk(region: str, volume_type: str) -> dict[str, Any] | None:
    usd = offers.volume_gib_usd(region, volume_type)
    attributes = {"volumeApiName": volume_type, "regionCode": region, "locationType": "AWS Region"}
    return None if usd is None else _product("Storage", attributes, usd, "GB-Mo")


def _products(wanted: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    regions = [wanted["regionCode"]] if "regionCode" in wanted else offers.regions()
    types = [wanted["instanceType"]] if "instanceType" in wanted else offers.all_types()
    for region in regions:
        if "volumeApiName" not in wanted and wanted.get("productFamily") != "Storage":
            yield from filter(None, (_machine(region, t) for t in types))
        if "instanceType" not in wanted and wanted.get("productFamily") != "Compute Instance":
            yield from filter(None, (_disk(region, v) for v in _VOLUME_TYPES))


def _fits(product: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    facts = {**product["product"]["attributes"], "productFamily": product["product"]["productFamily"]}
    return all(facts.get(field) == value for field, value in wanted.items())


def answer(operation: str, params: dict[str, Any]) -> dict[str, Any] | None:
    """GetProducts of AmazonEC2; None for operations that are not answered here.

    Raises:
        AwsError: another service code, a filter that is not TERM_MATCH, a bad page.
    """
    if operation != "GetProducts":
        return None
    if params.get("ServiceCode") != "AmazonEC2":
        raise AwsError("InvalidParameterException", "Invalid ServiceCode. Only AmazonEC2 is sold here.")
    filters = params.get("Filters") or []
    if any(f.get("Type", "TERM_MATCH") != "TERM_MATCH" for f in filters):
        raise AwsError("InvalidParameterException", "Only TERM_MATCH filters are supported.")
    wanted = {f["Field"]: f["Value"] for f in filters}
    found = [p for p in _products(wanted) if _fits(p, wanted)]
    page, token = _PAGES.page(found, lambda p: str(p["product"]["sku"]), params)
    reply: dict[str, Any] = {"FormatVersion": "aws_v1", "PriceList": [json.dumps(p) for p in page]}
    return reply | ({"NextToken": token} if token else {})
