"""Addresses that lead nowhere: a shell or browser opened from the demo must not reach somebody's real machine."""

from __future__ import annotations


def _unrouted() -> str:
    """An address of 198.18.0.0/15, which RFC 2544 keeps for benchmarks and no network routes."""
    from moto.moto_api._internal import mock_random

    number = mock_random.getrandbits(17)
    return f"198.{18 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def install() -> None:
    """Replace moto's sources of public addresses (54.214.0.0/16, which is AWS's own, and 127.0.0.0/8)."""
    from moto.ec2.models import elastic_ip_addresses, elastic_network_interfaces

    vars(elastic_network_interfaces).update(random_public_ip=_unrouted)
    vars(elastic_ip_addresses).update(random_ip=_unrouted)
