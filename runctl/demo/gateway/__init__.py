"""What moto lacks or gets wrong, one module a noun. Importing this registers every operation (see `calls`)."""

from __future__ import annotations

from runctl.demo.gateway import addresses, images, instances, snapshots, spot, volumes

OPERATION_MODULES = (addresses, images, instances, snapshots, spot, volumes)
