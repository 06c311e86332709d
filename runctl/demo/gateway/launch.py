"""RunInstances: checks what moto accepts blindly, then lets moto build, then adds what moto forgets."""

from __future__ import annotations

import re
from typing import Any

from moto.ec2.responses.instances import InstanceResponse

from runctl.demo.faults import FaultRules
from runctl.demo.gateway import offers, quotas
from runctl.demo.gateway.calls import AwsError, Call, operation
from runctl.demo.gateway.images import add_images, resolve_alias
from runctl.demo.gateway.instance_item import instance_item
from runctl.demo.gateway.instances import find_instances, public
from runctl.demo.gateway.spot import attach_request, price_at
from runctl.demo.gateway.tokens import once

#: moto's own method; ours goes on the class that inherits it.
_moto_run = InstanceResponse.run_instances
_AMI = re.compile(r"ami-(?:[0-9a-f]{8}|[0-9a-f]{17})")
_rules = FaultRules()


def use_faults(rules: FaultRules) -> None:
    """Where missing capacity is looked up."""
    global _rules  # noqa: PLW0603  # one cloud per process; moto's backends are global as well
    _rules = rules


def _market(call: Call) -> str:
    wanted = (call.params.get("InstanceMarketOptions") or {}).get("MarketType", "on-demand")
    return "spot" if wanted == "spot" else "on-demand"


def _count(call: Call) -> int:
    least, most = int(call.params.get("MinCount", 1)), int(call.params.get("MaxCount", 1))
    if least < 1 or most < 1:
        raise AwsError("InvalidParameterValue", f"Value ({min(least, most)}) for parameter count is invalid.")
    if least > most:
        raise AwsError("InvalidParameterValue", f"Value ({least}) for parameter minCount is invalid. "
                       f"minCount is larger than maxCount ({most}).")  # fmt: skip
    return most


def _check_type(instance_type: str) -> None:
    if not offers.exists(instance_type):
        raise AwsError("InvalidParameterValue", f"Invalid value '{instance_type}' for InstanceType.")


def _from_template(call: Call, name: str) -> Any:
    """A parameter of the request, else of its launch template."""
    template = call.params.get("LaunchTemplate")
    if call.params.get(name) is not None or not template:
        return call.params.get(name)
    return call.ec2._get_template_from_args(template).data.get(name)


def _image(call: Call) -> str:
    wanted = str(_from_template(call, "ImageId") or "")
    if wanted.startswith("resolve:ssm:"):
        name = wanted.removeprefix("resolve:ssm:")
        found = resolve_alias(call.region, name)
        if found is None:
            raise AwsError("InvalidParameterValue", f"The SSM parameter '{name}' could not be resolved.")
        wanted = found
    if not _AMI.fullmatch(wanted):
        raise AwsError("InvalidAMIID.Malformed", f'Invalid id: "{wanted}"')
    add_images(call.ec2)
    if wanted not in call.ec2.amis:
        raise AwsError("InvalidAMIID.NotFound", f"The image id '[{wanted}]' does not exist")
    return wanted


def _check_names(call: Call) -> None:
    key = call.params.get("KeyName")
    if key and key not in call.ec2.key_pairs:
        raise AwsError("InvalidKeyPair.NotFound", f"The key pair '{key}' does not exist")
    profile = call.params.get("IamInstanceProfile") or {}
    if not profile:
        return
    from moto.iam.models import iam_backends

    known = iam_backends[call.account]["global"].instance_profiles.values()
    part, value = next(iter(profile.items()))
    if value not in {p.arn if part == "Arn" else p.name for p in known}:
        raise AwsError(
            "InvalidParameterValue",
            f"Value ({value}) for parameter iamInstanceProfile.{part.lower()} is invalid. "
            f"Invalid IAM Instance Profile {'ARN' if part == 'Arn' else 'name'}",
        )


def _wanted_zone(call: Call) -> str | None:
    if subnet := call.params.get("SubnetId"):
        return str(call.ec2.get_subnet(subnet).availability_zone)
    zone = (call.params.get("Placement") or {}).get("AvailabilityZone")
    if zone and zone not in offers.zones(call.ec2):
        raise AwsError("InvalidParameterValue", f"Invalid availability zone: [{zone}]")
    return str(zone) if zone else None


def _zone(call: Call, instance_type: str, market: str) -> str:
    """The zone it will run in: the wanted one, else the first that has room.

    Raises:
        AwsError: not offered there, or no capacity.
    """
    offered = offers.zones_offering(call.ec2, instance_type)
    wanted = _wanted_zone(call)
    if not offered or (wanted and wanted not in offered):
        where = f" in your requested Availability Zone ({wanted})" if wanted else ""
        raise AwsError(
            "Unsupported",
            f"Your requested instance type ({instance_type}) is not supported{where}. Please retry your request by not "
            f"specifying an Availability Zone or choosing {', '.join(offered) or 'another region'}.",
        )
    for zone in [wanted] if wanted else offered:
        if _rules.short_of(call.region, instance_type, zone) is None:
            return zone
    raise NoCapacityError(instance_type, wanted or call.region, market)


class NoCapacityError(AwsError):
    """AWS has no such machine now; HTTP 500, which is what makes it special."""

    def __init__(self, instance_type: str, where: str, market: str) -> None:
        if market == "spot":
            text = "There is no Spot capacity available that matches your request."
        else:
            text = (
                f"We currently do not have sufficient {instance_type} capacity in the Availability Zone you requested "
                f"({where}). Our system will be working on provisioning additional capacity."
            )
        super().__init__("InsufficientInstanceCapacity", text, status=500)


def _check_price(call: Call, instance_type: str, zone: str) -> None:
    options = (call.params.get("InstanceMarketOptions") or {}).get("SpotOptions") or {}
    now = price_at(call.world.seed, call.region, instance_type, zone, call.world.now())
    limit = options.get("MaxPrice")
    if limit and now and float(limit) < now:
        raise AwsError(
            "SpotMaxPriceTooLow",
            f"Your Spot request price of {limit} is lower than the minimum required Spot request fulfillment price of "
            f"{now:.4f}.",
        )


def _complete(call: Call, instance: Any, market: str) -> None:
    """What moto leaves out of a launch: every machine's role, disks as asked for, the spot request."""
    profile = call.params.get("IamInstanceProfile") or {}
    if profile and not call.ec2.iam_instance_profile_associations.get(instance.id):
        names = {"iam_instance_profile_name": profile.get("Name"), "iam_instance_profile_arn": profile.get("Arn")}
        call.ec2.associate_iam_instance_profile(instance_id=instance.id, **names)
    tags = {s["ResourceType"]: {t["Key"]: t["Value"] for t in s.get("Tags", ())}
            for s in call.params.get("TagSpecifications") or []}  # fmt: skip
    for interface in instance.nics.values():
        call.ec2.create_tags([interface.id], tags.get("network-interface", {}))
    instance.complete_disks(call.params.get("BlockDeviceMappings") or [], tags.get("volume", {}))
    if market == "spot":
        options = (call.params.get("InstanceMarketOptions") or {}).get("SpotOptions")
        request = attach_request(call.world, instance, options=options)
        call.ec2.create_tags([request["SpotInstanceRequestId"]], tags.get("spot-instances-request", {}))


def _launch(call: Call, image: str, zone: str, count: int) -> Any:
    params = call.response.params
    params["MinCount"], params["ImageId"] = count, image
    if not params.get("SubnetId"):
        params.setdefault("Placement", {})["AvailabilityZone"] = zone
    reservation: Any = _moto_run(call.response).result
    for instance in reservation.instances:
        instance.trusted = bool(call.world.key) and call.response.access_key == call.world.key
        _complete(call, instance, _market(call))
    return reservation


@operation("ec2", "RunInstances")
def run_instances(call: Call) -> dict[str, Any]:
    """Checks first, then the dry run's answer, then at most one launch for each client token."""
    instance_type = str(_from_template(call, "InstanceType") or "m1.small")
    count, market = _count(call), _market(call)
    _check_type(instance_type)
    image = _image(call)
    _check_names(call)
    call.check_dry_run()

    def work() -> tuple[str, list[str]]:
        quotas.check(call, instance_type, market, count)
        zone = _zone(call, instance_type, market)
        if market == "spot":
            _check_price(call, instance_type, zone)
        made = _launch(call, image, zone, count)
        return made.id, [i.id for i in made.instances]

    reservation_id, ids = once(call, "RunInstances", work)
    items = [public(instance_item(i, r)) for r, i in find_instances(call.ec2, ids)]
    return {"ReservationId": reservation_id, "OwnerId": call.account, "Groups": [], "Instances": items}
