"""What a plan looks like before, while and after it is done. Pure: a plan and colours give a text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from textwrap import wrap as _wrap

from rich.cells import cell_len
from rich.text import Text

from runctl.format import clean_text, format_usd
from runctl.models.cost import HOURS_PER_MONTH
from runctl.models.plan import IRREVERSIBLE, ItemResult, Outcome, Plan, PlanItem, Refusal
from runctl.screens.cells import to_ascii
from runctl.theme import UNICODE

#: Ids and rules stay in one piece.
wrap = partial(_wrap, break_on_hyphens=False)
_OUTCOMES = {
    Outcome.DONE: (UNICODE.running, "state-ok"),
    Outcome.STARTED: (UNICODE.changing, "state-wait"),
    Outcome.FAILED: (UNICODE.error, "state-bad"),
    Outcome.REFUSED: (UNICODE.ended, "warn"),
    Outcome.CANCELLED: (UNICODE.stopped, "muted"),
    Outcome.PLANNED: (" ", ""),
}
#: Facts beside the name, in this order; the rest of what a verb tells follows.
_MARGIN = 11
_FIRST = ("type", "size", "state", "market", "az", "age", "owner", "job")


@dataclass(frozen=True, slots=True)
class Look:
    """How it is drawn.

    Args:
        colours: colour of each token.
        width: cells there are.
        ascii_only: draw ASCII only.
    """

    colours: Mapping[str, str]
    width: int
    ascii_only: bool = False

    def add(self, text: Text, words: str, token: str = "", *, bold: bool = False) -> None:
        """Append words in the colour of a token."""
        style = " ".join(p for p in ("bold" if bold else "", self.colours.get(token, "")) if p)
        text.append(to_ascii(words) if self.ascii_only else words, style or None)


def standing(item: PlanItem, plan: Plan) -> tuple[Refusal, ...]:
    """What still speaks against an item."""
    return tuple(r for r in item.refusals if not (r.overridable and r.rule in plan.overrides))


def going(plan: Plan) -> list[PlanItem]:
    """The items that nothing speaks against."""
    return [i for i in plan.items if not standing(i, plan)]


def phrase_of(plan: Plan) -> str:
    """What has to be typed first: the name of one thing, `terminate 3` of several; "" when everything can be undone."""
    items = going(plan)
    if not any(i.verb in IRREVERSIBLE for i in items):
        return ""
    verbs = {i.verb for i in items}
    if len(items) == 1:
        return items[0].typed
    return f"{next(iter(verbs))} {len(items)}" if len(verbs) == 1 else f"change {len(items)}"


def plan_text(plan: Plan, look: Look) -> Text:
    """What would be done, to what, what is lost, what is left out and why, what it saves."""
    text = Text()
    many_verbs = len({i.verb for i in plan.items}) > 1
    items = going(plan)
    for item in items:
        _item(text, item, look, many_verbs)
    if not plan.items:
        look.add(text, "there is nothing to do\n", "state-ok")
    elif not items:
        look.add(text, "nothing of this can be done\n", "warn")
    _lines(text, "lost", _lost(items), look, "state-bad")
    _lines(text, "left out", _left_out(plan), look, "warn")
    _lines(text, "not seen", (clean_text(n, 300) for n in plan.notes), look, "warn")
    _lines(text, "undone by", _ways_back(items), look)
    text.rstrip()
    return text


def _item(text: Text, item: PlanItem, look: Look, many_verbs: bool) -> None:
    name = "" if item.id.startswith("s3://") else clean_text(item.name, 40)  # its place ends with it
    if many_verbs:
        look.add(text, f"{item.verb:<10}", "accent", bold=True)
    look.add(text, f"{item.region:<11}", "muted")
    if name:
        look.add(text, f"{name}  ", bold=True)
    look.add(text, clean_text(item.place, 1100), "" if name else "accent")
    facts = [clean_text(str(item.about[k]), 60) for k in _FIRST if item.about.get(k)]
    facts += [f"{k} {clean_text(str(v), 60)}" for k, v in item.about.items() if v and k not in (*_FIRST, "project")]
    facts.append(f"${_hourly(item.usd_per_hour)}/h")
    margin = 21 if many_verbs else _MARGIN
    said = "  ".join(facts)
    used = margin + (cell_len(name) + 2 if name else 0) + cell_len(clean_text(item.place, 1100)) + 2
    if used + cell_len(said) <= look.width:
        look.add(text, f"  {said}\n")
    else:
        text.append("\n")
        for piece in wrap(said, look.width - margin):
            look.add(text, " " * margin + piece + "\n")
    if item.reason:
        look.add(text, " " * margin + clean_text(item.reason, 160) + "\n", "muted")


def _hourly(usd: float | None) -> str:
    """Cents need four decimals: a disk bills a fraction of one an hour."""
    return format_usd(usd, 4 if usd is not None and 0 < usd < 0.1 else 2)


def _lost(items: Sequence[PlanItem]) -> Iterator[str]:
    several = len(items) > 1
    for item in items:
        for lost in item.lost:
            whose = f"{clean_text(item.name, 30) or item.id}: " if several else ""
            yield whose + clean_text(lost, 200)


def _ways_back(items: Sequence[PlanItem]) -> Iterator[str]:
    """How each is undone; the name stands there only where not all are undone the same way."""
    ways: dict[str, list[str]] = {}
    for item in items:
        ways.setdefault(clean_text(item.recoverable) or "nothing", []).append(clean_text(item.name, 30) or item.id)
    for way, names in ways.items():
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        yield f"{', '.join(names[:3])}{more}: {way}" if len(ways) > 1 else way


def _left_out(plan: Plan) -> Iterator[str]:
    for item in plan.items:
        if against := standing(item, plan):
            what = clean_text(item.name, 30) or item.id
            reasons = "; ".join(f"{clean_text(r.reason, 200)} [{r.rule}]" for r in against)
            yield f"{what}: {reasons}"


def _lines(text: Text, label: str, lines: Iterable[str], look: Look, token: str = "") -> None:
    """Lines under a label in the margin; long ones go on below themselves, not below the label."""
    for number, line in enumerate(lines):
        if number == 0:
            text.append("\n")
        pieces = wrap(line, max(20, look.width - _MARGIN)) or [""]
        for part, piece in enumerate(pieces):
            look.add(text, f"{label if number == part == 0 else '':<{_MARGIN}}", "muted")
            look.add(text, piece + "\n", token)


def sums(plan: Plan) -> str:
    """How many go, and what that saves or costs, in a phrase."""
    items = going(plan)
    said = f"{len(items)} of {len(plan.items)}" if len(items) < len(plan.items) else ""
    known = [i.saves_usd_per_month for i in items if i.saves_usd_per_month is not None]
    unknown, total = len(items) - len(known), sum(known)
    money = ""
    if known and abs(total) >= 0.005:
        word = "saves" if total > 0 else "costs"
        hourly = abs(total) / HOURS_PER_MONTH
        money = f"{word} ${_hourly(hourly)}/h, ${format_usd(hourly * 24)}/day, ${format_usd(abs(total))}/month"
    more = f"+{unknown} unpriced" if unknown else ""
    return " · ".join(p for p in (said, money, more) if p)


def overridable(plan: Plan) -> list[str]:
    """Names of the rules that may be set aside, where nothing else stands in the way of an item as well."""
    against = [standing(i, plan) for i in plan.items]
    return sorted({str(r.rule) for refusals in against if all(r.overridable for r in refusals) for r in refusals})


def progress_text(plan: Plan, look: Look, now: str = "") -> Text:
    """How far each item has come; `now` is the key of the one under way."""
    text = Text()
    for item in plan.items:
        result = plan.results.get(item.key)
        outcome = result.outcome if result else (Outcome.STARTED if item.key == now else Outcome.PLANNED)
        glyph, token = _OUTCOMES[outcome]
        word = "" if outcome is Outcome.PLANNED else "under way" if outcome is Outcome.STARTED else str(outcome)
        look.add(text, f"{glyph} ", token)
        look.add(text, f"{item.verb:<10}", "muted")
        look.add(text, f"{clean_text(item.name, 30) or item.id}  ", bold=True)
        look.add(text, word, token)
        for piece in _told(result, look.width - _MARGIN - 1) if result is not None else ():
            look.add(text, f"\n{'':<{_MARGIN + 1}}{piece}", "muted")
        text.append("\n")
    text.rstrip()
    return text


def _told(result: ItemResult, width: int) -> Iterator[str]:
    """Why, and how it is undone, in lines."""
    rule = f" [{result.rule}]" if result.rule else ""
    yield from wrap(f"{clean_text(result.reason, 400)}{rule}".strip(), max(20, width))
    if result.inverse:
        yield from wrap(f"undo: {clean_text(result.inverse, 200)}", max(20, width))
