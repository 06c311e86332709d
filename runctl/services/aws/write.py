"""The AWS implementation of `Writer`: live reads by id, and changes that carry a permit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runctl import errors
from runctl.models.identity import Identity
from runctl.models.instance import Instance
from runctl.models.volume import Address, Volume, VolumeSnapshot
from runctl.services.aws import parse
from runctl.services.aws.backend import AwsBackend
from runctl.services.permit import Permit, Request
from runctl.services.writer import MOST_VALUES


class AwsWriter:
    """Acts on one account through the session of a backend."""

    def __init__(self, backend: AwsBackend) -> None:
        self._backend, self._session, self._book = backend, backend.session, backend.book

    @property
    def profile(self) -> str:
        """The profile in use."""
        return self._session.profile

    def fetch_identity(self) -> Identity:
        """Ask STS who we are."""
        return self._backend.fetch_identity()

    def fetch_regions(self) -> tuple[str, ...]:
        """The regions enabled for the account."""
        return self._backend.fetch_regions()

    def find_instances(self, region: str, *, ids: Sequence[str] = (), name: str = "") -> tuple[Instance, ...]:
        """Machines by id or name."""
        pages = self._found("DescribeInstances", region, {"instance-id": ids, "tag:Name": _one(name)})
        return tuple(i for page in pages for i in parse.parse_instances(page, region, self._book))

    def find_volumes(
        self, region: str, *, ids: Sequence[str] = (), name: str = "", attached_to: Sequence[str] = ()
    ) -> tuple[Volume, ...]:
        """Disks by id, name or machine."""
        wanted = {"volume-id": ids, "tag:Name": _one(name), "attachment.instance-id": attached_to}
        pages = self._found("DescribeVolumes", region, wanted)
        return tuple(parse.parse_volume(v, region, self._book) for page in pages for v in page.get("Volumes", ()))

    def find_snapshots(self, region: str, *, ids: Sequence[str] = (), name: str = "") -> tuple[VolumeSnapshot, ...]:
        """Our own snapshots by id or name."""
        wanted = {"snapshot-id": ids, "tag:Name": _one(name)}
        pages = self._found("DescribeSnapshots", region, wanted, OwnerIds=["self"])
        return tuple(parse.parse_snapshot(s, region, self._book) for page in pages for s in page.get("Snapshots", ()))

    def find_addresses(self, region: str, *, ids: Sequence[str] = (), name: str = "") -> tuple[Address, ...]:
        """Addresses by allocation id or name."""
        pages = self._found("DescribeAddresses", region, {"allocation-id": ids, "tag:Name": _one(name)})
        return tuple(parse.parse_address(a, region, self._book) for page in pages for a in page.get("Addresses", ()))

    def _found(
        self, operation: str, region: str, wanted: dict[str, Sequence[str]], **more: Any
    ) -> list[dict[str, Any]]:
        """All pages of what matches the one filter that has values; nothing when none has."""
        pages: list[dict[str, Any]] = []
        for name, values in wanted.items():
            for start in range(0, len(values), MOST_VALUES):
                chosen = [{"Name": name, "Values": list(values[start : start + MOST_VALUES])}]
                pages += self._session.pages("ec2", operation, region, Filters=chosen, **more)
        return pages

    def termination_protected(self, region: str, instance_id: str) -> bool | None:
        """EC2's DisableApiTermination; None when it may not be read."""
        attribute = "disableApiTermination"
        try:
            answer = self.ask("ec2", "DescribeInstanceAttribute", region, InstanceId=instance_id, Attribute=attribute)
        except (errors.DeniedError, errors.RequestError):
            return None
        return bool((answer.get("DisableApiTermination") or {}).get("Value"))

    def ask(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        """Any other reading call."""
        return self._session.call(service, operation, region, **parameters)

    def change(self, request: Request, permit: Permit) -> dict[str, Any]:
        """Send a permitted change."""
        return self._session.change(request, permit)


def _one(name: str) -> tuple[str, ...]:
    r"""A filter's value for exactly this text: `*`, `?` and `\` mean themselves (EC2 user guide, "List and filter")."""
    return (name.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?"),) if name else ()
