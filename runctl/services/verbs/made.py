"""Tags of what runctl makes, and tokens under which the same request makes one thing only."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from runctl.models.plan import Plan, PlanItem
from runctl.models.tags import MANAGED, OWNER, PROJECT

#: Tag that joins what was made to the request that made it, where EC2 has no client token (CreateSnapshot).
REQUEST = "runctl:request"


def token_of(plan: Plan, item: PlanItem) -> str:
    """The same text for the same item of the same plan, also after a kill; at most 64 characters, as EC2 wants."""
    return hashlib.sha256(f"{plan.id} {item.key}".encode()).hexdigest()[:40]


def tags_for(owner: str, *, name: str = "", project: str = "", more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours, from the first moment on."""
    tags = {MANAGED: "1", OWNER: owner, **(more or {})}
    if name:
        tags["Name"] = name
    if project:
        tags[PROJECT] = project
    return tags


def specification(kind: str, tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """Tags in the form of a request: they come with the thing, never after it."""
    return [{"ResourceType": kind, "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}]
