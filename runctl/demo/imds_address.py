"""Where a machine finds its metadata service; apart from the service, whose imports take a second."""

from __future__ import annotations

import hmac

PREFIX = "/runctl-demo-imds/"


def is_embedded(endpoint: str) -> bool:
    """Whether an address can be an embedded cloud's: they listen on loopback only."""
    return endpoint.startswith(("http://127.0.0.1:", "http://localhost:"))


def proof(key: str, instance_id: str) -> str:
    """The part of a machine's address that cannot be guessed."""
    return hmac.digest(key.encode() or b"-", instance_id.encode(), "sha256").hex()[:24]


def metadata_address(endpoint: str, key: str, region: str, instance_id: str) -> str:
    """What `AWS_EC2_METADATA_SERVICE_ENDPOINT` says on a machine."""
    return f"{endpoint}{PREFIX}{region}/{instance_id}/{proof(key, instance_id)}"
