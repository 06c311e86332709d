"""The answer of `--once` as one value: sections, summary, errors, exit code. `docs/once.schema.json` describes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runctl import errors
from runctl.cli.fleet import SOURCES_OF, Fleet
from runctl.cli.listing import FIELDS, Shape, json_items, shaped, understands
from runctl.models.cost import CostKind
from runctl.models.instance import Instance
from runctl.models.snapshot import ErrorRecord, Source
from runctl.store.fields import Context, json_value
from runctl.store.select import PanelStatus, Summary, budgets, jobs, panel_status, rows_of, summary
from runctl.store.waste import find_waste, total_waste

SCHEMA_VERSION = 1
OK, PARTIAL, ERROR, SKIPPED = "ok", "partial", "error", "skipped"
#: What bills, by the source that tells of it.
_BILLS = (
    (CostKind.INSTANCE, Source.INSTANCES),
    (CostKind.VOLUME, Source.VOLUMES),
    (CostKind.SNAPSHOT, Source.SNAPSHOTS),
    (CostKind.ADDRESS, Source.ADDRESSES),
    (CostKind.S3, Source.BUCKETS),
)


@dataclass(frozen=True, slots=True)
class Section:
    """One noun of the answer.

    Args:
        noun: "instances", …
        status: ok, partial, error or skipped.
        panel: the same state in words, with its date and errors; None when skipped.
        items: rows after filter, sort and limit.
        total: rows before them.
    """

    noun: str
    status: str
    panel: PanelStatus | None
    items: tuple[Any, ...] = ()
    total: int = 0


def section_of(noun: str, fleet: Fleet, shape: Shape) -> Section:
    """Read one noun out of what was seen."""
    panels = [panel_status(fleet.context, source) for source in main_sources(noun)]
    rows = rows_of(fleet.context, noun)
    status = _with_records(noun, status_of(main_sources(noun), fleet), fleet, rows)
    fields = FIELDS[noun]
    if not understands(shape, fields):
        return Section(noun, SKIPPED, None)
    return Section(noun, status, _worst(panels), tuple(shaped(rows, fields, shape, fleet.context)), len(rows))


def _with_records(noun: str, status: str, fleet: Fleet, rows: Sequence[Any]) -> str:
    """Jobs come from records and from machines: either missing makes the list partial, both make it an error."""
    if noun != "jobs" or Source.JOBS not in fleet.sources:
        return status
    if status == ERROR:
        return PARTIAL if rows else ERROR
    return status if status_of((Source.JOBS,), fleet) == OK else PARTIAL


def status_of(sources: Sequence[Source], fleet: Fleet) -> str:
    """ok, partial, or error when not one region of one source answered."""
    answered = [fleet.answered(source) for source in sources]
    if not any(answered):
        return ERROR
    complete = all(panel_status(fleet.context, source).complete or fleet.cached for source in sources)
    return OK if all(answered) and complete else PARTIAL


def main_sources(noun: str) -> tuple[Source, ...]:
    """The sources a section's completeness depends on: costs need all of theirs, the others their first."""
    return SOURCES_OF[noun] if noun == "cost" else SOURCES_OF[noun][:1]


def _worst(panels: Sequence[PanelStatus]) -> PanelStatus:
    """The panel with the most trouble, with the oldest date of all."""
    chosen = min(panels, key=lambda p: (p.complete, not p.errors))
    dates = [p.as_of for p in panels if p.as_of]
    failures = tuple(e for p in panels for e in p.errors)
    return PanelStatus(chosen.health, min(dates) if dates else None, chosen.text, chosen.complete, failures)


def billed_kinds(fleet: Fleet) -> tuple[CostKind, ...]:
    """Kinds of which the burn knows: their source was asked and at least one region answered."""
    return tuple(kind for kind, source in _BILLS if source in fleet.sources and fleet.answered(source))


def summary_of(fleet: Fleet) -> dict[str, Any]:
    """The figures; None where their source was not asked or did not answer.

    `burn_covers` names the kinds of resources that `burn_usd_per_hour` includes: with `--once instances` only machines.
    """
    total, covers = summary(fleet.context), billed_kinds(fleet)
    machines, disks = CostKind.INSTANCE in covers, CostKind.VOLUME in covers
    return {
        "burn_usd_per_hour": total.burn_usd_per_hour if covers else None,
        "burn_unpriced": total.burn_unpriced if covers else None,
        "burn_covers": [str(kind) for kind in covers],
        "instances_running": total.instances_running if machines else None,
        "instances_stopped": total.instances_stopped if machines else None,
        "jobs_running": total.jobs_running if machines else None,
        "volumes_unattached": total.volumes_unattached if disks else None,
        "storage_usd_per_month": total.storage_usd_per_month if disks else None,
        "storage_unpriced": total.storage_unpriced if disks else None,
        **_spent_json(total, whole=machines and disks),
        **_waste_json(fleet, known=machines and disks),
        "alerts": list(total.alerts),
    }


def _waste_json(fleet: Fleet, *, known: bool) -> dict[str, Any]:
    """What is wasted; only where machines and disks were asked can anything be known to be."""
    total = total_waste(find_waste(fleet.context))
    return {
        "waste_usd_per_month": total.usd_per_month if known else None,
        "waste_unpriced": total.unpriced if known else None,
        "wasted_usd": total.wasted_usd if known else None,
        "wasted_unknown": total.wasted_unknown if known else None,
    }


def _spent_json(total: Summary, *, whole: bool) -> dict[str, Any]:
    """What the ledger counted; a projection only where the burn covers machines and disks."""
    ahead = total.month_forecast if whole else None
    return {
        "today_usd": total.today_usd,
        "month_usd": total.month_usd,
        "month_projected_usd": ahead.usd if ahead else None,
        "month_projected_low_usd": ahead.low if ahead else None,
        "month_projected_high_usd": ahead.high if ahead else None,
        "month_projected_basis": ahead.basis if ahead else None,
        "observed_since": json_value(total.observed_since),
        "spent_complete": total.spent_complete if total.observed_since else None,
    }


def envelope(sections: Sequence[Section], fleet: Fleet, shape: Shape, *, duration_ms: int) -> dict[str, Any]:
    """The JSON answer; every section is there, those not asked for as `skipped`."""
    snapshot = fleet.snapshot
    given = {s.noun: s for s in sections}
    identity = snapshot.identity
    return {
        "schema_version": SCHEMA_VERSION,
        "generated_at": json_value(fleet.context.now),
        "duration_ms": duration_ms,
        "identity": {
            "account": identity.account if identity else None,
            "arn": identity.arn if identity else None,
            "profile": (identity.profile if identity else snapshot.profile) or None,
        },
        "regions": list(snapshot.regions),
        "summary": summary_of(fleet),
        "sections": {
            noun: _section_json(given.get(noun, Section(noun, SKIPPED, None)), shape, fleet.context) for noun in FIELDS
        },
        "errors": [error_json(e) for e in failures(fleet)],
    }


def _section_json(section: Section, shape: Shape, context: Context) -> dict[str, Any]:
    panel = section.panel
    return {
        "status": section.status,
        "as_of": json_value(panel.as_of) if panel else None,
        "complete": section.status == OK,
        "items": json_items(section.items, FIELDS[section.noun], shape, context),
    }


def failures(fleet: Fleet) -> tuple[ErrorRecord, ...]:
    """Everything that failed, in a stable order."""
    return tuple(sorted(fleet.snapshot.errors, key=lambda e: (e.service, e.operation, e.region, e.code)))


def error_json(error: ErrorRecord) -> dict[str, Any]:
    """One failure as JSON."""
    return {
        "service": error.service,
        "operation": error.operation,
        "region": error.region or None,
        "code": error.code,
        "message": error.message,
        "retryable": error.retryable,
    }


def exit_code(sections: Sequence[Section], fleet: Fleet, fail_on: Sequence[str]) -> int:
    """0 complete, 2 nothing known, 3 nothing known for want of credentials, 4 partial, 5 a condition holds.

    A condition that holds says more than "partial", which is a condition itself; no data says more than either.
    """
    asked = [s for s in sections if s.status != SKIPPED]
    if asked and all(s.status == ERROR for s in asked):
        kinds = {e.error_class for e in fleet.snapshot.errors}
        return 3 if errors.CredentialsError.__name__ in kinds else 2
    if any(holds(condition, sections, fleet) for condition in fail_on):
        return 5
    return 4 if _incomplete(sections, fleet) else 0


def _incomplete(sections: Sequence[Section], fleet: Fleet) -> bool:
    return any(s.status in (PARTIAL, ERROR) for s in sections) or bool(fleet.snapshot.errors and not fleet.cached)


def holds(condition: str, sections: Sequence[Section], fleet: Fleet) -> bool:
    """Whether a `--fail-on` condition is known to hold; what is unknown does not hold."""
    snapshot = fleet.snapshot
    tests = {
        "idle": lambda: any(i.bills and i.activity.state == "idle" for i in snapshot.instances),
        "partial": lambda: _incomplete(sections, fleet),
        "unattached": lambda: any(v.unattached for v in snapshot.volumes),
        "budget": lambda: any(line.alarms for line in budgets(fleet.context)),
        "interrupted": lambda: (
            any(_interrupted(i) for i in snapshot.instances)
            or any(j.state == "INTERRUPTED" for j in jobs(snapshot, fleet.context))
        ),
    }
    return tests[condition]()


def _interrupted(machine: Instance) -> bool:
    """EC2 names the reason a spot machine was taken away (EC2 User Guide, "Instance state change reasons")."""
    return "SpotInstance" in machine.state_reason


def condition_sources(fail_on: Sequence[str]) -> tuple[str, ...]:
    """Sections whose sources the conditions need although nobody asked to see them."""
    needs = {"idle": "instances", "unattached": "volumes", "budget": "cost", "interrupted": "instances"}
    return tuple(needs[c] for c in fail_on if c in needs)
