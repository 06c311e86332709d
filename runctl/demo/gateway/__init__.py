"""What moto lacks or gets wrong, one module a noun. Importing this registers every operation (see `calls`)."""

from __future__ import annotations

from runctl.demo.gateway import (
    addresses,
    agents,
    commands,
    identity,
    images,
    instances,
    launch,
    regions,
    snapshots,
    spot,
    storage_changes,
    types,
    volumes,
)

OPERATION_MODULES = (
    addresses, agents, commands, identity, images, instances, launch, regions, snapshots, spot, storage_changes, types,
    volumes,
)  # fmt: skip
