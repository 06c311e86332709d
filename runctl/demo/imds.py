"""The instance metadata service of each machine, version 2 only: no session token, no answer.

A machine's address is a path of the cloud's own port; the last part proves that whoever asks was told it. What EC2
answers where is from the Amazon EC2 User Guide, "Instance metadata categories".
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from runctl.demo.gateway.calls import ec2_of
from runctl.demo.gateway.lifecycle import index_of
from runctl.demo.imds_address import PREFIX, proof
from runctl.demo.world import ACCOUNT, World

_TOKEN_S = range(1, 21601)
_KEYS_S = 6 * 3600


class Reply(NamedTuple):
    """What the service answers."""

    status: int
    text: str = ""


def answer(world: World, method: str, path: str, headers: Mapping[str, str]) -> Reply:
    """One request below `PREFIX`; `headers` are WSGI's (`HTTP_…`)."""
    region, _, rest = path.removeprefix(PREFIX).partition("/")
    identifier, _, rest = rest.partition("/")
    given, _, rest = rest.partition("/")
    if not hmac.compare_digest(given, proof(world.key, identifier)):
        return Reply(404)
    with world.lock:
        world.settle()
        machine = index_of(ec2_of(region, ACCOUNT)).get(identifier)
        if machine is None:
            return Reply(404)
        return _metadata(world, machine, method, rest, headers)


def _metadata(world: World, machine: Any, method: str, path: str, headers: Mapping[str, str]) -> Reply:
    token = _token(world, machine)
    if (method, path) == ("PUT", "latest/api/token"):
        asked = headers.get("HTTP_X_AWS_EC2_METADATA_TOKEN_TTL_SECONDS", "")
        return Reply(200, token) if asked.isdigit() and int(asked) in _TOKEN_S else Reply(400)
    if not hmac.compare_digest(headers.get("HTTP_X_AWS_EC2_METADATA_TOKEN", ""), token):
        return Reply(401)
    found = _facts(world, machine).get(path.removeprefix("latest/").rstrip("/"))
    return Reply(404) if found is None else Reply(200, found)


def _token(world: World, machine: Any) -> str:
    return hashlib.sha256(f"{world.key} {machine.id} token".encode()).hexdigest()


def _facts(world: World, machine: Any) -> dict[str, str]:
    """Everything there is to know, by path; what is not in it is 404."""
    facts = {
        "meta-data/instance-id": machine.id,
        "meta-data/instance-type": machine.instance_type,
        "meta-data/ami-id": machine.image_id,
        "meta-data/instance-life-cycle": machine.lifecycle or "on-demand",
        "meta-data/placement/availability-zone": machine.availability_zone,
        "meta-data/placement/region": machine.region_name,
        "meta-data/local-ipv4": str(machine.private_ip),
        "meta-data/local-hostname": str(machine.private_dns_name),
        "meta-data/hostname": str(machine.private_dns_name),
        "dynamic/instance-identity/document": json.dumps(_identity(world, machine), indent=2),
    }
    if machine.user_data:
        facts["user-data"] = user_data_of(machine).decode("utf-8", "replace")
    if machine.interruption_elapsed is not None:
        at = _real(world, machine.interruption_elapsed)
        facts["meta-data/spot/instance-action"] = json.dumps({"action": _action(machine), "time": at})
        facts["meta-data/spot/termination-time"] = at
    if machine.rebalance_elapsed is not None:
        notice = {"noticeTime": _real(world, machine.rebalance_elapsed)}
        facts["meta-data/events/recommendations/rebalance"] = json.dumps(notice)
    return facts | _role(world, machine)


def _role(world: World, machine: Any) -> dict[str, str]:
    found = machine.ec2_backend.iam_instance_profile_associations.get(machine.id)
    if not found:
        return {}
    profile = found.iam_instance_profile
    name = next((r.name for r in profile.roles), profile.name)
    seed = hashlib.sha256(f"{world.key} {machine.id} role".encode()).hexdigest()
    keys = {
        "Code": "Success",
        "LastUpdated": _stamp(time.time()),
        "Type": "AWS-HMAC",
        "AccessKeyId": "ASIA" + seed[:16].upper(),
        "SecretAccessKey": seed[16:56],
        "Token": "demo-session-" + seed[32:],
        "Expiration": _stamp(time.time() + _KEYS_S),
    }
    base = "meta-data/iam/security-credentials"
    info = {"Code": "Success", "InstanceProfileArn": profile.arn}
    return {base: name, f"{base}/{name}": json.dumps(keys), "meta-data/iam/info": json.dumps(info)}


def user_data_of(machine: Any) -> bytes:
    """What the machine was launched with, decoded; empty where it is no base64 (moto keeps what it got)."""
    import base64
    import binascii

    try:
        return base64.b64decode(str(machine.user_data or ""), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _identity(world: World, machine: Any) -> dict[str, str | None]:
    """The identity document; `pendingTime` is when it began to bill, on the clock of this computer."""
    age = (world.now().replace(tzinfo=None) - machine.launch_time).total_seconds()
    return {
        "accountId": ACCOUNT,
        "architecture": machine.architecture,
        "availabilityZone": machine.availability_zone,
        "imageId": machine.image_id,
        "instanceId": machine.id,
        "instanceType": machine.instance_type,
        "pendingTime": _stamp(time.time() - max(0.0, age)),
        "privateIp": str(machine.private_ip),
        "region": machine.region_name,
        "version": "2017-09-30",
    }


def _action(machine: Any) -> str:
    spot = machine.spot or {}
    return "stop" if spot.get("InstanceInterruptionBehavior") == "stop" else "terminate"


def _real(world: World, elapsed: float) -> str:
    """A moment of the agenda on this computer's clock: programs on a machine measure by that."""
    return _stamp(time.time() + (elapsed - world.elapsed) / (world.speed or 1.0))


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
