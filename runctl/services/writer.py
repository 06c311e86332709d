"""What acting needs of a cloud: what is there at this moment, by id, and a way to send a change that was permitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from runctl.models.identity import Identity
from runctl.models.instance import Instance
from runctl.models.plan import Kind
from runctl.models.volume import Address, Volume, VolumeSnapshot
from runctl.services.permit import Permit, Request


class Writer(Protocol):
    """Live reads and permitted changes; every method may raise `runctl.errors.CloudError`.

    `find_*` answer with what exists of what was asked for; what does not is simply not among the answers.
    """

    @property
    def profile(self) -> str:
        """The profile in use, "" for the environment's credentials."""
        ...

    def fetch_identity(self) -> Identity:
        """Ask STS who we are."""
        ...

    def fetch_regions(self) -> tuple[str, ...]:
        """All regions enabled for the account, sorted."""
        ...

    def find_instances(self, region: str, *, ids: Sequence[str] = (), name: str = "") -> tuple[Instance, ...]:
        """Machines by id, or by their Name tag."""
        ...

    def find_volumes(
        self, region: str, *, ids: Sequence[str] = (), name: str = "", attached_to: Sequence[str] = ()
    ) -> tuple[Volume, ...]:
        """Disks by id, by their Name tag, or by the machines they are attached to."""
        ...

    def find_snapshots(self, region: str, *, ids: Sequence[str] = (), name: str = "") -> tuple[VolumeSnapshot, ...]:
        """Our account's snapshots by id, or by their Name tag."""
        ...

    def find_addresses(self, region: str, *, ids: Sequence[str] = (), name: str = "") -> tuple[Address, ...]:
        """Elastic IP addresses by allocation id, or by their Name tag."""
        ...

    def termination_protected(self, region: str, instance_id: str) -> bool | None:
        """EC2's termination protection; None when it may not be read."""
        ...

    def ask(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        """Any other reading call, by its API name.

        Raises:
            ForbiddenError: it is not a reading one.
        """
        ...

    def change(self, request: Request, permit: Permit) -> Mapping[str, Any]:
        """Send a change.

        Raises:
            ForbiddenError: the permit does not cover it, or the profile forbids it.
        """
        ...


#: Values of one filter (EC2 API reference, "Filter": at most 200).
MOST_VALUES = 200
#: What AWS calls ids of each kind.
PREFIXES: Mapping[Kind, str] = {
    Kind.INSTANCE: "i-",
    Kind.VOLUME: "vol-",
    Kind.SNAPSHOT: "snap-",
    Kind.ADDRESS: "eipalloc-",
}
