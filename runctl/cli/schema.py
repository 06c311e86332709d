"""The JSON Schema of `runctl --once -o json`, made from the same tables of fields as the answer itself."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from runctl.cli.envelope import ERROR, OK, PARTIAL, SCHEMA_VERSION, SKIPPED
from runctl.cli.listing import FIELDS
from runctl.models.cost import CostKind
from runctl.models.instance import ActivityState, InstanceState, Market
from runctl.store.fields import Field, Kind

_TYPES: dict[Kind, dict[str, Any]] = {
    Kind.TEXT: {"type": ["string", "null"]},
    Kind.NUMBER: {"type": ["number", "null"]},
    Kind.MONEY: {
        "type": ["number", "null"],
        "minimum": 0,
        "description": "USD; null when unknown, never 0 for unknown",
    },
    Kind.SECONDS: {"type": ["number", "null"], "description": "seconds"},
    Kind.TIME: {"type": ["string", "null"], "format": "date-time", "description": "ISO-8601, UTC"},
    Kind.BYTES: {"type": ["integer", "null"], "minimum": 0},
    Kind.PERCENT: {"type": ["number", "null"], "minimum": 0, "maximum": 100},
    Kind.FLAG: {"type": "boolean"},
    Kind.OBJECT: {"type": "object"},
}


def _told(words: type[StrEnum]) -> dict[str, Any]:
    """A word of AWS's: the ones known today as examples, since AWS may say others tomorrow."""
    return {"type": ["string", "null"], "examples": [str(word) for word in words]}


_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}


_EXACT: dict[tuple[str, str], dict[str, Any]] = {
    ("instances", "state"): _told(InstanceState),
    ("instances", "market"): _told(Market),
    ("instances", "tags"): _TEXTS,
    ("volumes", "tags"): _TEXTS,
    ("jobs", "metrics"): {"type": "object", "additionalProperties": {"type": "number"}},
    ("cost", "kind"): {"enum": [str(k) for k in CostKind if k is not CostKind.LENT_ADDRESS]},
}
_COUNT = {"type": ["integer", "null"], "minimum": 0}
_MONEY = {"type": ["number", "null"], "minimum": 0}


def _object(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An object with exactly these properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        **more,
    }


def _activity() -> dict[str, Any]:
    return _object({"state": {"enum": [str(s) for s in ActivityState]}, "evidence": {"type": ["string", "null"]}})


def _property(noun: str, field: Field[Any]) -> dict[str, Any]:
    if field.name == "activity":
        return _activity()
    if field.name in ("id", "bucket", "region") and noun != "s3":
        return {"type": "string"}
    return _EXACT.get((noun, field.name), _TYPES[field.kind])


def _section(noun: str) -> dict[str, Any]:
    item = _object({f.name: _property(noun, f) for f in FIELDS[noun].columns if f.in_json})
    return _object(
        {
            "status": {"enum": [OK, PARTIAL, ERROR, SKIPPED]},
            "as_of": _TYPES[Kind.TIME],
            "complete": {"type": "boolean"},
            "items": {"type": "array", "items": item},
        }
    )


def _summary() -> dict[str, Any]:
    return _object(
        {
            "burn_usd_per_hour": {
                **_MONEY,
                "description": "sum of usd_per_hour over everything that bills, of the kinds in burn_covers; "
                "null when none of them answered",
            },
            "burn_unpriced": {**_COUNT, "description": "how many things bill at a price nobody knows"},
            "burn_covers": {
                "type": "array",
                "items": {"enum": [str(k) for k in CostKind if k is not CostKind.LENT_ADDRESS]},
                "description": "kinds the burn includes: those asked for that answered",
            },
            **dict.fromkeys(("instances_running", "instances_stopped", "jobs_running"), _COUNT),
            "volumes_unattached": _COUNT,
            "storage_usd_per_month": _MONEY,
            "storage_unpriced": _COUNT,
            **_spent(),
            "waste_usd_per_month": {**_MONEY, "description": "what is paid for and not used costs, if nothing changes"},
            "waste_unpriced": {**_COUNT, "description": "how many wasted things have no price"},
            "wasted_usd": {
                **_MONEY,
                "description": "what that has cost so far, where it is known since when",
            },
            "wasted_unknown": {**_COUNT, "description": "of how many that is not known"},
            "alerts": {"type": "array", "items": {"type": "string"}},
        }
    )


def _spent() -> dict[str, Any]:
    """What the ledger counted; days and months are UTC."""
    return {
        "today_usd": {**_MONEY, "description": "known to be spent since midnight UTC; null when nothing is known"},
        "month_usd": {**_MONEY, "description": "known to be spent since the first of the month, UTC"},
        "month_projected_usd": {**_MONEY, "description": "the likely sum at the end of the month"},
        "month_projected_low_usd": {**_MONEY, "description": "at the slowest pace known"},
        "month_projected_high_usd": {**_MONEY, "description": "at the fastest pace known"},
        "month_projected_basis": {"type": ["string", "null"], "description": "the pace the projection goes on with"},
        "observed_since": {
            **_TYPES[Kind.TIME],
            "description": "since when this machine's ledger has seen the account in the regions asked; what ended "
            "before is not in the sums",
        },
        "spent_complete": {
            "type": ["boolean", "null"],
            "description": "whether month_usd is all of it: watched since the first, no gap, nothing unpriced",
        },
    }


def once_schema() -> dict[str, Any]:
    """The schema, JSON Schema draft 2020-12. A change that breaks a reader raises `schema_version`."""
    text_or_null = {"type": ["string", "null"]}
    error = _object(
        {
            "service": {"type": "string"},
            "operation": {"type": "string"},
            "region": text_or_null,
            "code": {"type": "string"},
            "message": {"type": "string"},
            "retryable": {"type": "boolean"},
        }
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "runctl --once -o json",
        "description": "With --columns, items hold only the named fields and are not described by this schema.",
        **_object(
            {
                "schema_version": {"const": SCHEMA_VERSION},
                "generated_at": {"type": "string", "format": "date-time"},
                "duration_ms": {"type": "integer", "minimum": 0},
                "identity": _object(dict.fromkeys(("account", "arn", "profile"), text_or_null)),
                "regions": {"type": "array", "items": {"type": "string"}},
                "summary": _summary(),
                "sections": _object({noun: _section(noun) for noun in FIELDS}),
                "errors": {"type": "array", "items": error},
            }
        ),
    }
