"""The right side of the launch wizard and its bottom line: types, places with prices, attempts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby

from rich.text import Text

from runctl.format import UNKNOWN, clean_text, format_count, format_usd
from runctl.models.instance import Hardware
from runctl.models.launch import Attempt, AttemptClass, Candidate, LaunchResult, Offer
from runctl.screens.modals.plan_text import Look, wrap
from runctl.services.launch.form import TypeChoice
from runctl.services.launch.grid import (
    NOWHERE,
    OfferRow,
    advice,
    hours_left,
    offer_rows,
    outcome_line,
    totals,
)
from runctl.theme import UNICODE

DAY_S = 86_400.0
_TONES = {AttemptClass.LAUNCHED: "state-ok", AttemptClass.UNKNOWN: "warn"}


def types_text(choices: Sequence[TypeChoice], look: Look, region: str) -> Text:
    """Types that match what is typed, the cheapest first, with the book's prices."""
    text = Text()
    if not choices:
        look.add(text, "no type of that name or accelerator is in the book;\nAWS may know it all the same\n", "muted")
        return text
    wide = look.width >= 52
    head = f"{'TYPE':<14}{'VCPU':>4}" + (f"{'GIB':>7}" if wide else "") + f" {'GPU':<8}{'$/H':>7}{'SPOT':>7}\n"
    look.add(text, head, "muted", bold=True)
    for choice in choices:
        hardware = choice.hardware
        memory = f"{format_count(hardware.memory_gib):>7}" if wide else ""
        look.add(text, f"{choice.name:<14}", bold=True)
        look.add(text, f"{format_count(hardware.vcpus):>4}{memory} {_gpu(hardware):<8}")
        look.add(text, f"{format_usd(choice.on_demand):>7}{format_usd(choice.spot):>7}\n", "money")
    look.add(text, f"the book's prices in {region};\nlive ones when a type is complete", "muted")
    return text


def _gpu(hardware: Hardware) -> str:
    count, model = hardware.gpu_count, hardware.gpu_model
    if count == 0:
        return "-"
    return UNKNOWN if count is None else clean_text(f"{count}×{model or UNKNOWN}", 8)


def offer_text(offer: Offer, look: Look, now: datetime, attempts: Mapping[Candidate, Attempt]) -> Text:
    """Every place in the order in which it is tried, with what it costs, and what came of it where it was tried."""
    text = Text()
    rows = offer_rows(offer, now)
    for (kind, market), group in groupby(rows, key=lambda r: (r.candidate.type, r.candidate.market)):
        held = list(group)
        _heading(text, f"{kind} {market}", held[0], look)
        for row in held:
            _place(text, row, look, attempts.get(row.candidate))
    _notes(text, "refused", [f"{r.reason} [{r.rule}]" for r in offer.refusals], look, "state-bad")
    if not offer.open_candidates:
        _notes(text, "", [NOWHERE], look, "state-bad")
    _notes(text, "note", offer.warnings, look, "warn")
    text.rstrip()
    return text


def _heading(text: Text, title: str, row: OfferRow, look: Look) -> None:
    hardware = row.candidate.hardware
    parts = [f"{format_count(hardware.vcpus)} vCPU", f"{format_count(hardware.memory_gib)} GiB"]
    parts += [_gpu(hardware)] if hardware.gpu_count != 0 else []
    look.add(text, f"{title}  ", "accent", bold=True)
    look.add(text, " ".join(parts) + "\n", "muted")
    left = UNKNOWN if row.vcpus_left is None else f"{row.vcpus_left:,.0f}"
    limit = row.candidate.quota.limit if row.candidate.quota else None
    of = f" of {limit:,.0f}" if limit is not None else ""
    look.add(text, f"  quota: {left}{of} vCPU left, {format_count(row.vcpus_needed)} needed\n",
             "warn" if row.tight else "muted")  # fmt: skip


def _place(text: Text, row: OfferRow, look: Look, attempt: Attempt | None) -> None:
    place = row.candidate
    sign, token = _sign(place, attempt)
    look.add(text, f"{sign} ", token)
    look.add(text, f"{place.zone or 'any zone':<12}", "muted" if place.excluded else "")
    if row.usd_per_hour is not None:
        look.add(text, f"${format_usd(row.usd_per_hour, 3):>7}/h", "muted" if place.excluded else "money")
        if look.width >= 56:
            look.add(text, f"  ${format_usd(row.usd_per_day):>8}/day", "muted")
    else:
        look.add(text, f" {UNKNOWN:>7}/h", "warn")
    said = _said(place, attempt)
    if not said:
        text.append("\n")
        return
    first, *rest = wrap(said, max(16, look.width - 24)) if look.width >= 76 else ["", *wrap(said, look.width - 4)]
    look.add(text, f"  {first}\n" if first else "\n", token)
    for line in rest:
        look.add(text, f"    {line}\n", token)


def _sign(place: Candidate, attempt: Attempt | None) -> tuple[str, str]:
    if attempt is not None:
        good = attempt.came_to is AttemptClass.LAUNCHED
        return UNICODE.running if good else UNICODE.ended, _TONES.get(attempt.came_to, "state-bad")
    return (" ", "muted") if place.excluded else (UNICODE.stopped, "muted")


def _said(place: Candidate, attempt: Attempt | None) -> str:
    if attempt is not None:
        code = f" {attempt.code}:" if attempt.code else ""
        return clean_text(f"{attempt.came_to}{code} {attempt.message}".strip(), 400)
    return f"left out: {clean_text(place.excluded, 200)}" if place.excluded else ""


def _notes(text: Text, label: str, lines: Iterable[str], look: Look, token: str) -> None:
    for number, line in enumerate(lines):
        text.append("\n" if number == 0 else "")
        for part, piece in enumerate(wrap(clean_text(line, 400), max(20, look.width - 9))):
            look.add(text, f"{label if number == part == 0 else '':<9}", "muted")
            look.add(text, piece + "\n", token)


def result_text(result: LaunchResult, look: Look) -> Text:
    """What came of a launch, and what to do about it."""
    text = Text()
    look.add(
        text, clean_text(outcome_line(result), 600) + "\n", "state-ok" if result.launched else "state-bad", bold=True
    )
    for line in advice(result) if not result.launched else ():
        for piece in wrap(clean_text(line, 600), max(20, look.width)):
            look.add(text, piece + "\n")
    text.rstrip()
    return text


def money_line(offer: Offer, now: datetime) -> str:
    """`$0.41/h · $9.84/day · $3.28 in all · ends by itself 18:40 UTC`."""
    if not offer.open_candidates:
        return "nothing can be launched there"
    total, hours = totals(offer_rows(offer, now)), hours_left(offer.request, now)
    ends = offer.request.expires_at
    end = "never ends by itself" if ends is None else f"ends by itself {ends:%H:%M} UTC"
    if ends is not None and (ends - now).total_seconds() >= DAY_S:
        end = f"ends by itself {ends:%d %b %H:%M} UTC"
    if total.first is None:
        return f"price unknown · {end}"
    most = total.dearest if total.dearest is not None and total.dearest - total.first >= 0.005 else None
    said = f"${format_usd(total.first)}" + ("" if most is None else f" to ${format_usd(most)}") + "/h"
    said += f" · ${format_usd(total.first * 24)}/day"
    return said + (f" · ${format_usd(total.first * hours)} in all" if hours is not None else "") + f" · {end}"
