"""What a launch shows: the offer as a table, each refusal in a grid, and the result in the chosen format."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from runctl.cli import output
from runctl.cli.invocation import Invocation
from runctl.cli.style import Tone
from runctl.cli.table import Cell, Column, table_lines
from runctl.format import UNKNOWN, format_count, format_usd
from runctl.models.instance import Instance, InstanceState
from runctl.models.launch import Attempt, AttemptClass, Candidate, LaunchResult, Offer
from runctl.services.launch.grid import NOWHERE, OfferRow, advice, offer_rows, outcome_line, summary_lines
from runctl.services.prices import source_name

_OFFER = (
    *(Column(h, keep=True, whole=True) for h in ("TYPE", "ZONE", "MARKET")),
    *(Column(h, right=True, whole=True, keep=True) for h in ("$/H", "ALL $/H", "$/DAY", "TO TTL")),
    Column("NOTE"),
    Column("VCPUS LEFT", right=True, whole=True),
    Column("PRICE FROM"),
)
_ATTEMPTS = (
    *(Column(h, keep=True, whole=True) for h in ("TYPE", "ZONE", "MARKET", "CAME TO")),
    Column("CODE", whole=True),
    Column("S", right=True, whole=True),
    Column("MESSAGE"),
)
_TONES = {AttemptClass.LAUNCHED: Tone.GOOD, AttemptClass.UNKNOWN: Tone.WARN}


def show_offer(call: Invocation, offer: Offer) -> None:
    """What would happen, on stdout for a dry run in a table, else on stderr."""
    lines = list(_offer_lines(call, offer))
    if call.args.dry_run and call.output == "table":
        output.write_lines(lines)
    else:
        for line in lines:
            call.hint(line)
    for warning in offer.warnings:
        call.hint(f"warning: {call.style.clean(warning, 400)}")


def _offer_lines(call: Invocation, offer: Offer) -> Iterator[str]:
    now = call.clock.now()
    yield from (call.style.clean(line, 400) for line in summary_lines(offer, now))
    rows = [_offer_cells(call, r) for r in offer_rows(offer, now)]
    yield from table_lines(_OFFER, rows, call.style)


def _offer_cells(call: Invocation, row: OfferRow) -> list[Cell]:
    place = row.candidate
    tone = Tone.DIM if place.excluded else Tone.PLAIN
    left = UNKNOWN if row.vcpus_left is None else format_count(row.vcpus_left)
    texts = (
        *(place.type, place.zone or "any", place.market),
        *(format_usd(row.machine_usd_per_hour, 4), format_usd(row.usd_per_hour, 4), format_usd(row.usd_per_day)),
        format_usd(row.usd_total) if row.ends else "-",
    )
    money = [Cell(call.style.clean(t), tone) for t in texts]
    source = source_name(row.price_source) if row.price_source else UNKNOWN
    note = f"left out: {place.excluded}" if place.excluded else ""
    return [
        *money,
        Cell(call.style.clean(note, 200), tone),
        Cell(left, Tone.WARN if row.tight else tone),
        Cell(call.style.clean(source, 60), tone),
    ]


def tell_planned(call: Invocation, offer: Offer) -> int:
    """The result of a dry run; returns the exit code."""
    if call.output == "json":
        now = call.clock.now()
        planned = bool(offer.open_candidates)
        one = _promised(offer, None, "planned" if planned else "failed")
        reason = None if planned else NOWHERE
        rows = [_row_json(r) for r in offer_rows(offer, now)]
        output.write_json([{**one, "reason": reason, "candidates": rows, "warnings": list(offer.warnings)}])
    if not offer.open_candidates:
        print(f"runctl: not launched: {NOWHERE}", file=sys.stderr)
        return 2
    return 0


def _promised(told: Offer | LaunchResult, identifier: str | None, outcome: str) -> dict[str, Any]:
    refusal = told.refusals[0] if told.refusals else None
    return {
        "id": identifier, "action": "launch", "outcome": outcome, "rule": refusal.rule if refusal else None,
        "reason": refusal.reason if refusal else None, "region": told.request.region, "request": told.request.id,
    }  # fmt: skip


def _place_json(place: Candidate) -> dict[str, Any]:
    return {
        "type": place.type, "zone": place.zone or None, "market": place.market,
        "usd_per_hour": place.price.usd if place.price else None, "image": place.image.id if place.image else None,
        "user": place.image.user if place.image else None,
    }  # fmt: skip


def _row_json(row: OfferRow) -> dict[str, Any]:
    place = row.candidate
    return {
        **_place_json(place),
        "usd_per_hour": row.machine_usd_per_hour,
        "usd_per_hour_all": row.usd_per_hour,
        "usd_per_day": row.usd_per_day,
        "usd_until_ttl": row.usd_total,
        "price_source": row.price_source or None,
        "vcpus_left": row.vcpus_left,
        "vcpus_needed": row.vcpus_needed,
        "left_out": place.excluded or None,
    }


def tell(call: Invocation, result: LaunchResult, machines: Sequence[Instance] | None = None) -> int:
    """What came of it; returns the exit code.

    Args:
        call: the command under way.
        result: what the launch came to.
        machines: the machines as they are after waiting, None when nobody waited.
    """
    gone = [m for m in machines or () if m.state not in (InstanceState.PENDING, InstanceState.RUNNING)]
    late = [i for i in result.instances if machines is not None and not _runs(i, machines)]
    if call.output == "json":
        output.write_json(_results_json(result, machines))
    elif result.launched:
        output.write_lines(_machine_lines(call, result, machines))
    _tell_attempts(call, result)
    for machine in gone:
        reason = call.style.clean(machine.state_reason or "EC2 gives no reason", 400)
        print(f"runctl: {machine.id} is {machine.state}: {reason}", file=sys.stderr)
    for identifier in late:
        if identifier not in [m.id for m in gone]:
            print(f"runctl: {identifier} does not run yet; runctl instances show {identifier}", file=sys.stderr)
    return result.exit_code or (2 if late else 0)


def _runs(identifier: str, machines: Sequence[Instance]) -> bool:
    return any(m.id == identifier and m.state is InstanceState.RUNNING for m in machines)


def _tell_attempts(call: Invocation, result: LaunchResult) -> None:
    """The grid on stderr where something was refused, and what to do about it where nothing was launched."""
    if any(a.code for a in result.attempts):
        for line in table_lines(_ATTEMPTS, [_attempt_cells(call, a) for a in result.attempts], call.style):
            print(line, file=sys.stderr)
    if not result.launched:
        print(f"runctl: {call.style.clean(outcome_line(result), 1000)}", file=sys.stderr)
        for line in advice(result):
            call.hint(f"  {call.style.clean(line, 600)}")


def _attempt_cells(call: Invocation, attempt: Attempt) -> list[Cell]:
    place = attempt.candidate
    tone = _TONES.get(attempt.came_to, Tone.BAD)
    return [
        *(Cell(call.style.clean(t)) for t in (place.type, place.zone or "any", place.market)),
        Cell(attempt.came_to, tone),
        Cell(call.style.clean(attempt.code)),
        Cell(f"{attempt.took_s:.1f}"),
        Cell(call.style.clean(attempt.message, 400)),
    ]


def _machine_lines(call: Invocation, result: LaunchResult, machines: Sequence[Instance] | None) -> Iterator[str]:
    states = {m.id: m.state.value for m in machines or ()}
    place = result.candidate
    columns = [Column(h, keep=True, whole=True) for h in ("ID", "TYPE", "ZONE", "MARKET", "STATE")]
    columns += [Column("$/H", right=True, whole=True, keep=True), Column("USER"), Column("EXPIRES", whole=True)]
    ends = result.request.expires_at
    rows = [
        [
            Cell(identifier),
            *(Cell(t) for t in ((place.type, place.zone or "any", place.market) if place else ("", "", ""))),
            Cell(states.get(identifier, "pending" if machines is None else UNKNOWN)),
            Cell(format_usd(place.price.usd if place and place.price else None, 4)),
            Cell(call.style.clean((place.image.user if place and place.image else None) or UNKNOWN)),
            Cell(f"{ends:%Y-%m-%dT%H:%MZ}" if ends else "never"),
        ]
        for identifier in result.instances
    ]
    yield from table_lines(columns, rows, call.style)


def _results_json(result: LaunchResult, machines: Sequence[Instance] | None) -> list[dict[str, Any]]:
    """One object for each machine; one with a null id when there is none."""
    tried = [
        {
            **_place_json(a.candidate), "came_to": a.came_to, "code": a.code or None, "message": a.message or None,
            "took_s": round(a.took_s, 3),
        }
        for a in result.attempts
    ]  # fmt: skip
    if not result.launched:
        outcome = "refused" if result.refusals else "failed"
        one = _promised(result, None, outcome)
        return [{**one, "reason": one["reason"] or outcome_line(result), "attempts": tried}]
    states = {m.id: m.state.value for m in machines or ()}
    place = _place_json(result.candidate) if result.candidate else {}
    ends = result.request.expires_at
    return [
        {
            **_promised(result, identifier, "done"), **place, "state": states.get(identifier),
            "spot_request": result.spot_requests[n] if n < len(result.spot_requests) else None,
            "expires_at": ends.isoformat() if ends else None, "adopted": result.adopted, "attempts": tried,
        }
        for n, identifier in enumerate(result.instances)
    ]  # fmt: skip
