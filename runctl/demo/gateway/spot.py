"""Spot: requests behind machines, a price history that walks around the price book, interruptions."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from runctl.demo.gateway.calls import AwsError, Call, ec2_of, operation
from runctl.demo.gateway.listing import Listing
from runctl.demo.gateway.offers import spot_usd, zones_offering
from runctl.demo.gateway.tags import tag_list
from runctl.demo.world import ACCOUNT, World

#: A zone's price changes this often. Real ones change a few times a day.
STEP = timedelta(hours=4)
#: AWS keeps 90 days; a week is all that runctl asks for.
KEPT = timedelta(days=7)
PRODUCT = "Linux/UNIX"

HISTORY = Listing(
    filters={
        "availability-zone": "AvailabilityZone",
        "availability-zone-id": "AvailabilityZoneId",
        "instance-type": "InstanceType",
        "product-description": "ProductDescription",
        "spot-price": "SpotPrice",
        "timestamp": "Timestamp",
    },
    smallest=1,
    clamp=True,
)
REQUESTS = Listing(
    filters={
        "create-time": "CreateTime",
        "instance-id": "InstanceId",
        "launched-availability-zone": "LaunchedAvailabilityZone",
        "product-description": "ProductDescription",
        "spot-instance-request-id": "SpotInstanceRequestId",
        "spot-price": "SpotPrice",
        "state": "State",
        "status-code": "Status.Code",
        "type": "Type",
        "launch.instance-type": "LaunchSpecification.InstanceType",
    }
)


def _phase(*parts: object) -> float:
    digest = hashlib.sha256(" ".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


def price_at(seed: int, region: str, instance_type: str, az: str, at: datetime) -> float | None:
    """Spot price in USD per hour of the step that `at` falls in; None where the price book knows none.

    Two slow waves and a little roughness around the book's price, at most a fifth away from it; a pure function.
    """
    base = spot_usd(region, instance_type)
    if base is None:
        return None
    step = at.timestamp() // STEP.total_seconds()
    slow = math.sin(2 * math.pi * (step / 29 + _phase(seed, instance_type, az)))
    fast = math.sin(2 * math.pi * (step / 7 + _phase(seed, az, instance_type)))
    rough = _phase(seed, instance_type, az, step) - 0.5
    return round(base * (1 + 0.1 * slow + 0.05 * fast + 0.08 * rough), 6)


def _history(call: Call, instance_type: str, start: datetime, end: datetime) -> Iterator[dict[str, Any]]:
    for az in zones_offering(call.ec2, instance_type):
        # The price in force at the start counts too, so that a history is never empty.
        at = datetime.fromtimestamp(start.timestamp() // STEP.total_seconds() * STEP.total_seconds(), UTC)
        while at <= end:
            price = price_at(call.world.seed, call.region, instance_type, az, at)
            if price is not None:
                yield {
                    "InstanceType": instance_type,
                    "ProductDescription": PRODUCT,
                    "SpotPrice": f"{price:.6f}",
                    "Timestamp": at,
                    "AvailabilityZone": az,
                }
            at += STEP


def _moment(value: Any, default: datetime) -> datetime:
    if value is None:
        return default
    at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    return at if at.tzinfo else at.replace(tzinfo=UTC)


@operation("ec2", "DescribeSpotPriceHistory")
def describe_spot_price_history(call: Call) -> dict[str, Any]:
    """Newest first; without InstanceTypes or an instance-type filter, every type of the price book."""
    from runctl.demo.gateway.offers import known_types

    now = call.world.now()
    start = max(_moment(call.params.get("StartTime"), now - KEPT), now - KEPT)
    end = min(_moment(call.params.get("EndTime"), now), now)
    filters = call.params.get("Filters") or []
    named = call.params.get("InstanceTypes") or [
        v for f in filters if f.get("Name") == "instance-type" for v in f.get("Values", ()) if not set(v) & set("*?")
    ]
    if zone := call.params.get("AvailabilityZone"):
        filters = [*filters, {"Name": "availability-zone", "Values": [zone]}]
    if products := call.params.get("ProductDescriptions"):
        plain = [p.replace(" (Amazon VPC)", "") for p in products]
        filters = [*filters, {"Name": "product-description", "Values": plain}]
    rows = [row for t in named or known_types(call.region) for row in _history(call, t, start, end)]
    chosen = HISTORY.select(rows, filters)
    # Newest first: the key counts down from a far moment.
    page, token = HISTORY.page(
        chosen,
        lambda r: f"{9e10 - r['Timestamp'].timestamp():014.0f} {r['InstanceType']} {r['AvailabilityZone']}",
        call.params,
    )
    return {"SpotPriceHistory": page, "NextToken": token or ""}


def _requests(backend: Any) -> dict[str, dict[str, Any]]:
    """Requests of one region, on moto's backend so that a reset forgets them."""
    found: dict[str, dict[str, Any]] = backend.__dict__.setdefault("runctl_spot_requests", {})
    return found


def attach_request(
    world: World, instance: Any, *, created: datetime | None = None, options: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Give a spot machine the request that brought it: active and fulfilled."""
    from moto.ec2.utils import random_spot_request_id

    options = options or {}
    now = (created or world.now()).replace(tzinfo=None, microsecond=0)
    price = options.get("MaxPrice")
    request = {
        "SpotInstanceRequestId": random_spot_request_id(),
        "CreateTime": now,
        "InstanceId": instance.id,
        "LaunchedAvailabilityZone": instance.availability_zone,
        "ProductDescription": PRODUCT,
        "SpotPrice": f"{float(price):.6f}" if price else None,
        "State": "active",
        "Status": {"Code": "fulfilled", "Message": "Your Spot request is fulfilled.", "UpdateTime": now},
        "Type": options.get("SpotInstanceType", "one-time"),
        "InstanceInterruptionBehavior": options.get("InstanceInterruptionBehavior", "terminate"),
        "LaunchSpecification": {
            "ImageId": instance.image_id,
            "InstanceType": instance.instance_type,
            "Placement": {"AvailabilityZone": instance.availability_zone},
        },
    }
    instance.spot = request
    instance.lifecycle = "spot"
    _requests(instance.ec2_backend)[str(request["SpotInstanceRequestId"])] = request
    return request


def mark(world: World, request: dict[str, Any], state: str, code: str, message: str = "") -> None:
    """Move a request on; AWS documents the codes under "Spot request status codes"."""
    request["State"] = state
    request["Status"] = {"Code": code, "Message": message, "UpdateTime": world.now().replace(microsecond=0)}


def interrupt(world: World, region: str, instance_id: str, *, notice_s: float = 120.0) -> None:
    """Announce and then carry out a spot interruption, two minutes later by default.

    Raises:
        KeyError: no such spot machine in that region.
    """
    instance = ec2_of(region, ACCOUNT).get_instance_by_id(instance_id)
    if instance is None or not instance.spot:
        raise KeyError(f"{instance_id} is not a spot machine in {region}")
    instance.interruption_elapsed = world.elapsed + notice_s
    mark(world, instance.spot, "active", "marked-for-termination", "Your instance is marked for termination.")

    def end() -> None:
        if instance.state == "running":
            mark(world, instance.spot, "closed", "instance-terminated-no-capacity")
            instance.interrupt()

    world.schedule(notice_s, end)


def recommend_rebalance(world: World, region: str, instance_id: str) -> None:
    """Tell a spot machine that it is likely to be taken soon.

    Raises:
        KeyError: no such spot machine in that region.
    """
    instance = ec2_of(region, ACCOUNT).get_instance_by_id(instance_id)
    if instance is None or not instance.spot:
        raise KeyError(f"{instance_id} is not a spot machine in {region}")
    instance.rebalance_elapsed = world.elapsed


def on_state(world: World, instance: Any, state: str) -> None:
    """Close the request of a machine whose user ended it."""
    if state == "shutting-down" and instance.spot and instance.spot["State"] == "active":
        mark(world, instance.spot, "closed", "instance-terminated-by-user")


@operation("ec2", "DescribeSpotInstanceRequests")
def describe_spot_instance_requests(call: Call) -> dict[str, Any]:
    """Filtered and paged."""
    call.check_dry_run()
    known = _requests(call.ec2)
    ids = call.params.get("SpotInstanceRequestIds") or list(known)
    for identifier in ids:
        if identifier not in known:
            raise AwsError(
                "InvalidSpotInstanceRequestID.NotFound",
                f"The spot instance request ID '{identifier}' does not exist",
            )
    tagged = [{**known[i], "Tags": tag_list(call.ec2, i)} for i in ids]
    items = REQUESTS.select(tagged, call.params.get("Filters") or [])
    page, token = REQUESTS.page(items, lambda r: str(r["SpotInstanceRequestId"]), call.params)
    return {"SpotInstanceRequests": page, "NextToken": token or ""}


@operation("ec2", "CancelSpotInstanceRequests")
def cancel_spot_instance_requests(call: Call) -> dict[str, Any]:
    """The request ends, its machine runs on."""
    call.check_dry_run()
    known = _requests(call.ec2)
    cancelled = []
    for identifier in call.params.get("SpotInstanceRequestIds") or []:
        if identifier not in known:
            raise AwsError(
                "InvalidSpotInstanceRequestID.NotFound", f"The spot instance request ID '{identifier}' does not exist"
            )
        mark(call.world, known[identifier], "cancelled", "request-canceled-and-instance-running")
        cancelled.append({"SpotInstanceRequestId": identifier, "State": "cancelled"})
    return {"CancelledSpotInstanceRequests": cancelled}


@operation("ec2", "GetSpotPlacementScores")
def get_spot_placement_scores(call: Call) -> dict[str, Any]:
    """Scores 1 to 9 of a zone or region that stay the same for a seed; the best one is never promised (10)."""
    call.check_dry_run()
    types = call.params.get("InstanceTypes") or []
    by_zone = str(call.params.get("SingleAvailabilityZone", "false")).lower() == "true"
    scores = []
    for region in call.params.get("RegionNames") or [call.region]:
        backend = ec2_of(region, call.account)
        names = {z.name: z.zone_id for z in backend.describe_availability_zones()}
        places = sorted({names[z] for t in types for z in zones_offering(backend, t)}) if by_zone else [""]
        for place in places:
            score = 1 + int(9 * _phase(call.world.seed, region, place, sorted(types)))
            scores.append({"Region": region, "AvailabilityZoneId": place or None, "Score": score})
    ordered = sorted(scores, key=lambda s: -int(s["Score"]))
    return {"SpotPlacementScores": ordered[: int(call.params.get("MaxResults", 30))]}
