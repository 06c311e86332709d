"""A candidate as RunInstances wants it: one call that brings machine, disk, tags and timer, or nothing."""

from __future__ import annotations

from typing import Any

from runctl.models.instance import Market
from runctl.models.launch import Candidate, LaunchRequest
from runctl.services.launch.images import disk_size
from runctl.services.launch.request import tags_of, token_of
from runctl.services.launch.user_data import user_data


def run_parameters(request: LaunchRequest, candidate: Candidate, owner: str) -> dict[str, Any]:
    """The parameters of RunInstances, client token included (EC2 API reference, "RunInstances").

    Raises:
        InputError: the disk is smaller than the image needs, or the user data is too long.
        ValueError: the candidate has no image.
    """
    if candidate.image is None:
        raise ValueError(f"{candidate.type} has no image to start from")
    spot = candidate.market is Market.SPOT
    script = user_data(request.user_data, request.expires_at)
    ends = spot or ((request.expires_at is not None or bool(request.job)) and not request.stops)
    profile = request.instance_profile
    optional: dict[str, Any] = {
        "BlockDeviceMappings": _root_disk(request, candidate),
        "InstanceMarketOptions": _spot(request) if spot else None,
        "IamInstanceProfile": {"Arn" if profile.startswith("arn:") else "Name": profile} if profile else None,
        "KeyName": request.key_name,
        "SecurityGroupIds": list(request.security_groups),
        "SubnetId": candidate.subnet,
        "Placement": {"AvailabilityZone": candidate.zone} if candidate.zone and not candidate.subnet else None,
        "UserData": script,
        # A `shutdown` inside ends it for good: what its own timer, or a job that is done, counts on. Without either, or
        # where its disk shall be kept, it stops, as EC2's own default is. A one-time spot machine cannot be stopped.
        "InstanceInitiatedShutdownBehavior": "terminate" if ends else None,
    }
    return {
        "ImageId": candidate.image.id,
        "InstanceType": candidate.type,
        # All or none, and in one zone: EC2 launches nothing when it has fewer than MinCount.
        "MinCount": request.count,
        "MaxCount": request.count,
        "ClientToken": token_of(request, candidate.type, candidate.zone, candidate.market),
        # Two hops, so that a container can ask for its spot notice too.
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
        "TagSpecifications": _tags(request, owner, spot=spot),
        **{k: v for k, v in optional.items() if v},
    }


def _root_disk(request: LaunchRequest, candidate: Candidate) -> list[dict[str, Any]]:
    image = candidate.image
    if image is None or not image.root_device:
        return []
    ebs = {"VolumeSize": disk_size(image, request.disk_gib), "VolumeType": "gp3", "DeleteOnTermination": True}
    return [{"DeviceName": image.root_device, "Ebs": ebs}]


def _spot(request: LaunchRequest) -> dict[str, Any]:
    """One-time, ended when interrupted. AWS advises against a maximum price: it only brings more interruptions."""
    options = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}
    if request.max_usd_per_hour is not None:
        options["MaxPrice"] = f"{request.max_usd_per_hour:g}"
    return {"MarketType": "spot", "SpotOptions": options}


def _tags(request: LaunchRequest, owner: str, *, spot: bool) -> list[dict[str, Any]]:
    """The same tags on everything that the call makes; a spot request can be tagged only where there is one."""
    tags = [{"Key": k, "Value": v} for k, v in tags_of(request, owner).items()]
    kinds = ("instance", "volume", "network-interface", *(("spot-instances-request",) if spot else ()))
    return [{"ResourceType": kind, "Tags": tags} for kind in kinds]
