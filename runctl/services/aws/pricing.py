"""What AWS asks for machines: the Price List and the history of spot prices. Both are free, both are read by pages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from runctl.services.aws.parse import parse_time
from runctl.services.aws.session import AwsSession
from runctl.services.price_cache import believable

#: The Price List answers in few regions, for all of them (AWS Price List Query API, "Endpoints").
PRICE_LIST_REGION = "us-east-1"
_SPOT_PAGE, _LIST_PAGE = 1000, 100
#: What makes the price that runctl means: Linux, shared, nothing installed, in use, no upfront.
_MEANT = {
    "operatingSystem": "Linux", "tenancy": "Shared", "preInstalledSw": "NA", "capacitystatus": "Used",
    "marketoption": "OnDemand",
}  # fmt: skip


def list_prices(session: AwsSession, region: str) -> Iterator[tuple[str, float]]:
    """(type, USD per hour) of every Linux machine sold on demand in a region, a page of a hundred at a time.

    Raises:
        CloudError: what AWS said.
    """
    filters = [
        {"Type": "TERM_MATCH", "Field": k, "Value": v}
        for k, v in {"regionCode": region, "productFamily": "Compute Instance", **_MEANT}.items()
    ]
    token: dict[str, str] = {}
    while True:
        page = session.call(
            "pricing", "GetProducts", PRICE_LIST_REGION, ServiceCode="AmazonEC2", Filters=filters,
            MaxResults=_LIST_PAGE, **token,
        )  # fmt: skip
        yield from (priced for text in page.get("PriceList") or () if (priced := _listed(text)) is not None)
        before, token = token, {"NextToken": page["NextToken"]} if page.get("NextToken") else {}
        if not token or token == before:
            return


def _listed(text: str | Mapping[str, Any]) -> tuple[str, float] | None:
    """Type and price of one product; None for what is priced otherwise, or absurdly."""
    try:
        product = json.loads(text) if isinstance(text, str) else text
        kind = str(product["product"]["attributes"]["instanceType"])
        dimensions = [d for term in product["terms"]["OnDemand"].values() for d in term["priceDimensions"].values()]
        prices = {believable(d["pricePerUnit"]["USD"]) for d in dimensions if d.get("unit") == "Hrs"}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    only = prices.pop() if len(prices) == 1 else None
    return None if only is None else (kind, only)


def spot_prices(
    session: AwsSession, region: str, types: Sequence[str], now: datetime
) -> dict[tuple[str, str], tuple[float, datetime]]:
    """The newest (USD per hour, since when) by (zone, type); without types, of every type of the region.

    Raises:
        CloudError: what AWS said.
    """
    newest: dict[tuple[str, str], tuple[float, datetime]] = {}
    asked: dict[str, Any] = {"InstanceTypes": list(types)} if types else {}
    token: dict[str, str] = {}
    while True:
        page = session.call(
            "ec2", "DescribeSpotPriceHistory", region, StartTime=now, MaxResults=_SPOT_PAGE,
            ProductDescriptions=["Linux/UNIX", "Linux/UNIX (Amazon VPC)"], **asked, **token,
        )  # fmt: skip
        for row in page.get("SpotPriceHistory") or ():
            usd, at = believable(row.get("SpotPrice")), parse_time(row.get("Timestamp"))
            key = (str(row.get("AvailabilityZone", "")), str(row.get("InstanceType", "")))
            if usd is not None and at is not None and (key not in newest or at > newest[key][1]):
                newest[key] = usd, at
        before, token = token, {"NextToken": page["NextToken"]} if page.get("NextToken") else {}
        if not token or token == before:
            return newest
