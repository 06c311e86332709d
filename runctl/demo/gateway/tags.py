"""Tags of a resource."""

from __future__ import annotations

from typing import Any


def tag_list(backend: Any, resource_id: str) -> list[dict[str, str]]:
    """Tags of a resource, straight from moto's table (its own look-up walks over all tags of the region)."""
    return [{"Key": k, "Value": v} for k, v in backend.tags.get(resource_id, {}).items()]
