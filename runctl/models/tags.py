"""Tags: what they say about ownership. Pure functions of a tag mapping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

MANAGED = "runctl:managed"
OWNER = "runctl:owner"
PROJECT = "runctl:project"
JOB = "runctl:job"
ATTEMPT = "runctl:attempt"
TTL = "runctl:ttl"
PROTECTION = ("runctl:protected", "runctl:important", "runctl:persistent")

Tags = Mapping[str, str]
_NO = ("0", "false", "no", "off")


@dataclass(frozen=True, slots=True)
class Ownership:
    """What the tags of one resource say. `owner` and `project` fall back to the common tags, for display only.

    Args:
        managed: `runctl:managed` is set: runctl made or adopted it.
        owner: `runctl:owner`, else `owner`/`Owner`; None when nobody is named.
        managed_owner: `runctl:owner` alone, the one the safety rules look at.
        project: `runctl:project`, else `project`/`Project`.
        job: `runctl:job`.
        protected: one of `runctl:protected|important|persistent` is there and does not say no.
        ttl: raw `runctl:ttl`, an ISO-8601 time at which it may be ended; None when there is none.
    """

    managed: bool = False
    owner: str | None = None
    managed_owner: str | None = None
    project: str | None = None
    job: str | None = None
    protected: bool = False
    ttl: str | None = None


def ends_at(ttl: str | None) -> datetime | None:
    """The time that a `runctl:ttl` tag says (UTC without an offset), None when there is none or it is no time."""
    try:
        at = datetime.fromisoformat(ttl or "")
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _first(tags: Tags, *names: str) -> str | None:
    return next((tags[n] for n in names if tags.get(n)), None)


def parse_ownership(tags: Tags) -> Ownership:
    """Read ownership from tags, in doubt against the act: an empty claim claims nothing, an empty guard guards."""
    return Ownership(
        managed=tags.get(MANAGED, "").lower() not in ("", *_NO),
        owner=_first(tags, OWNER, "owner", "Owner"),
        managed_owner=_first(tags, OWNER),
        project=_first(tags, PROJECT, "project", "Project"),
        job=_first(tags, JOB),
        protected=any(tags.get(n, "no").strip().lower() not in _NO for n in PROTECTION),
        ttl=_first(tags, TTL),
    )
