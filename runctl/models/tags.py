"""Tags: what they say about ownership. Pure functions of a tag mapping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MANAGED = "runctl:managed"
OWNER = "runctl:owner"
PROJECT = "runctl:project"
JOB = "runctl:job"
ATTEMPT = "runctl:attempt"
TTL = "runctl:ttl"
PROTECTION = ("runctl:protected", "runctl:important", "runctl:persistent")

Tags = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Ownership:
    """What the tags of one resource say. `owner` and `project` fall back to the common tags, for display only.

    Args:
        managed: `runctl:managed` is set: runctl made or adopted it.
        owner: `runctl:owner`, else `owner`/`Owner`; None when nobody is named.
        managed_owner: `runctl:owner` alone, the one the safety rules look at.
        project: `runctl:project`, else `project`/`Project`.
        job: `runctl:job`.
        protected: one of `runctl:protected|important|persistent` is "true".
        ttl: raw `runctl:ttl`, an ISO-8601 time at which it may be ended; None when there is none.
    """

    managed: bool = False
    owner: str | None = None
    managed_owner: str | None = None
    project: str | None = None
    job: str | None = None
    protected: bool = False
    ttl: str | None = None


def _first(tags: Tags, *names: str) -> str | None:
    return next((tags[n] for n in names if tags.get(n)), None)


def parse_ownership(tags: Tags) -> Ownership:
    """Read ownership from tags. A managed tag of "", "0" or "false" is not managed."""
    return Ownership(
        managed=tags.get(MANAGED, "").lower() not in ("", "0", "false", "no"),
        owner=_first(tags, OWNER, "owner", "Owner"),
        managed_owner=_first(tags, OWNER),
        project=_first(tags, PROJECT, "project", "Project"),
        job=_first(tags, JOB),
        protected=any(tags.get(n, "").lower() in ("true", "1", "yes") for n in PROTECTION),
        ttl=_first(tags, TTL),
    )
