"""What an opened job says in lines: outcome, machine and knowledge; start-up; GPUs; story; curves. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from rich.style import Style
from rich.text import Text

from runctl.format import clean_text, format_duration, format_percent, format_usd_short
from runctl.models.job import Job, main_metric
from runctl.screens.cells import Cell
from runctl.screens.job_cells import (
    has_record,
    is_over,
    loss_words,
    money_cell,
    resource_words,
    risk_cell,
    step_cell,
    step_share,
    still_bills,
)
from runctl.services.jobs.seen import Outcome
from runctl.store.fields import Context
from runctl.theme import UNICODE, state_token
from runctl.widgets.bar import percent_bar
from runctl.widgets.curve import Curve, Series
from runctl.widgets.line import Piece

if TYPE_CHECKING:
    from runctl.services.jobs.follow import Moment, Point
    from runctl.services.jobs.follower import News

#: Words for the way to the first step.
PHASES = (
    ("asked", Outcome.PENDING), ("machine", Outcome.PROVISIONING), ("set up", Outcome.BOOTSTRAPPING),
    ("data", Outcome.SYNCING), ("train", Outcome.RUNNING),
)  # fmt: skip
_STARTING = {outcome.value: n for n, (_, outcome) in enumerate(PHASES[:-1])}
#: How much of the value before a smoothed one keeps.
SMOOTHNESS = (0.0, 0.6, 0.9, 0.97)
GPU = "gpu %"


def _words(cell: Cell) -> str:
    return "".join(text for text, _ in cell)


def _tone(cell: Cell) -> str:
    return next((token for text, token in cell if token not in ("", "muted") and text.strip()), "")


def head(job: Job, context: Context) -> list[Piece]:
    """Outcome, machine, knowledge: three things."""
    attempt = f"attempt {job.attempt}" if job.attempt is not None and job.attempt > 1 else ""
    reason = job.reason.replace("; the machine still bills", "") if job.reason != job.state.lower() else ""
    if _is_starting(job):
        reason = ""  # the line below says it
    vague = job.knowledge not in ("live", "ended")
    return [
        Piece(f"{UNICODE.state(job.state)} {clean_text(job.name or job.id, 40)}", state_token(job.state), bold=True),
        Piece(clean_text(job.state, 40), state_token(job.state), bold=True),
        Piece(resource_words(job, context), "warn" if still_bills(job) else ""),
        Piece(clean_text(job.knowledge or "?", 60), "warn" if vague else "muted"),
        Piece(attempt, "muted", rank=4),
        Piece(clean_text(job.instance_id or "", 40), "muted", rank=5),
        Piece(clean_text(reason, 160)),  # last: better cut at the edge than not said
    ]


def progress(job: Job, news: News) -> list[Piece]:
    """How far it is and what it costs; before the first step, how far the start-up is."""
    if _is_starting(job):
        return _start_up(job, news)
    share = step_share(job)
    rate = f"{job.steps_per_s:.3g} steps/s" if job.steps_per_s else ""
    risk = risk_cell(job)
    budget = f" of {format_usd_short(job.budget_usd)}" if job.budget_usd is not None else ""
    checkpoint = "no checkpoint" if job.checkpoint_age_s is None else f"ckpt {format_duration(job.checkpoint_age_s)}"
    going = job.state in (Outcome.RUNNING, Outcome.CANCELLING)
    return [
        Piece(f"step {_words(step_cell(job, _NOWHERE))}", ""),
        Piece(format_percent(share) if share is not None else "", "", rank=4),
        Piece(f"loss {loss_words(job)}", "", rank=3),
        Piece(rate, "muted", rank=6),
        Piece(f"ETA {format_duration(job.eta_s)}" if going else "", "", rank=2),
        Piece(f"{_words(money_cell(job, _NOWHERE))}{budget}", "money", rank=1),
        Piece("" if is_over(job) else checkpoint, "muted", rank=5),
        Piece(_words(risk) if has_record(job) and job.state == Outcome.RUNNING else "", _tone(risk), rank=1),
    ]


_NOWHERE = Context(datetime(1970, 1, 1, tzinfo=UTC))


def _is_starting(job: Job) -> bool:
    return job.state in _STARTING and job.step is None


def _start_up(job: Job, news: News) -> list[Piece]:
    at = _STARTING[job.state]
    phase = str(news.state.get("phase") or "")
    at = max(at, _STARTING.get(phase, at))
    pieces = []
    for number, (word, _) in enumerate(PHASES):
        sign = UNICODE.running if number < at else UNICODE.changing if number == at else UNICODE.stopped
        tone = "state-ok" if number < at else "state-wait" if number == at else "muted"
        # Where it is narrow, what has been done goes first: where it is, and what comes, is said to the end.
        pieces.append(Piece(f"{sign} {word}", tone, bold=number == at, rank=9 - number if number < at else 0))
    detail = clean_text(str(news.state.get("detail") or job.reason), 200)
    return [*pieces, Piece(detail)]


def gpu_strip(state: Mapping[str, Any]) -> list[Piece]:
    """Each GPU with its use, memory, heat and power; what there is none of is not named."""
    load = state.get("load") or {}
    pieces = []
    gpus = load.get("gpus") or ()
    for number, gpu in enumerate(gpus):
        util = gpu.get("util")
        used, total = gpu.get("memory_used_mib"), gpu.get("memory_total_mib")
        memory = f" {used / 1024:.1f}/{total / 1024:.1f} GiB" if used is not None and total else ""
        heat = f" {gpu['celsius']:.0f}°" if gpu.get("celsius") is not None else ""
        watts = f" {gpu['watts']:.0f} W" if gpu.get("watts") is not None else ""
        bar = percent_bar(util, 5)
        tone = "warn" if util is not None and util < 10 else "state-ok" if util is not None else "muted"
        brief = len(gpus) > 2
        text = f"GPU{number} {bar} {format_percent(util)}" + ("" if brief else memory + heat + watts)
        pieces.append(Piece(text, tone, rank=number))
    cpu, ram = load.get("cpu"), load.get("memory")
    if cpu is not None or ram is not None:
        pieces.append(Piece(f"CPU {format_percent(cpu)}  RAM {format_percent(ram)}", "muted", rank=9))
    disk = state.get("disk") or {}
    if disk.get("free") is not None and disk.get("total"):
        pieces.append(Piece(f"disk {disk['free'] / 2**30:.0f} GiB free", "muted", rank=10))
    return pieces


# -- the story ---------------------------------------------------------------------------------------------------------

_BAD = ("failed", "refused", "lost", "oom", "stalled", "disk")
_LOUD = ("notice", "interrupted", "rebalance", "stop", "killed", "doubtful")


def story_text(
    story: Sequence[Moment], width: int, height: int, colours: Mapping[str, str], at: float | None = None
) -> Text:
    """The last events that fit, or those round a moment, which is marked; one line each, more where there is room."""
    text = Text(no_wrap=True, overflow="crop", end="")
    if not story:
        return text.append("nothing has happened yet", Style(color=colours["muted"]))
    here = len(story) - 1 if at is None else moment_at(story, at)
    first = max(0, min(here - height // 2, len(story) - height)) if at is not None else max(0, len(story) - height)
    several = len({m.attempt for m in story}) > 1
    days = len({int(m.at // 86400) for m in story}) > 1
    shown = story[first : first + height]
    stamped = 2 * several + (11 if days else 8)
    folded = _folded(shown, max(4, width - stamped), height)
    for number, (moment, message) in enumerate(zip(shown, folded, strict=True), first):
        when = datetime.fromtimestamp(moment.at, UTC)
        stamp = f"{when:%m-%d %H:%M}" if days else f"{when:%H:%M:%S}"
        mark = Style(reverse=True) if at is not None and number == here else Style()
        text.append("\n" if number > first else "")
        text.append(stamp, mark + Style(color=colours["muted"]))
        text.append(f" {moment.attempt}" if several else "", Style(color=colours["muted"]))
        line = Text()
        line.append(f" {clean_text(moment.kind, 24)}", Style(color=colours.get(_moment_tone(moment.kind)), bold=True))
        line.append(f" {message[0]}" if message[0] else "")
        line.truncate(max(4, width - stamped), overflow="ellipsis")
        text.append_text(line)
        for more in message[1:]:
            rest = Text(f"\n{' ' * (stamped + 1)}{more}")
            rest.truncate(width + 1, overflow="ellipsis")  # the line's end counts as a character
            text.append_text(rest)
    return text


def _folded(shown: Sequence[Moment], width: int, height: int) -> list[list[str]]:
    """The messages as lines; the newest are folded first, as long as every event keeps a line."""
    spare = height - len(shown)
    found: list[list[str]] = []
    for moment in reversed(shown):
        said, kind = clean_text(moment.message, 300), clean_text(moment.kind, 24)
        parts = wrap(f"{kind} {said}", max(8, width - 1), break_on_hyphens=False) or [kind]
        if len(parts) - 1 > spare or not parts[0].startswith(kind):
            parts = [said]
        else:
            parts[0] = parts[0].removeprefix(kind).lstrip()
        spare -= len(parts) - 1
        found.append(parts)
    return found[::-1]


def _moment_tone(kind: str) -> str:
    if any(word in kind for word in _BAD):
        return "state-bad"
    return "warn" if any(word in kind for word in _LOUD) else "state-ok" if kind in ("running", "ended") else "accent"


def moment_at(story: Sequence[Moment], at: float) -> int:
    """The last event at or before a time; the first when all come later."""
    return max((n for n, m in enumerate(story) if m.at <= at), default=0)


# -- curves ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wish:
    """How somebody wants to see curves.

    Args:
        last: points to show, 0 for all.
        smooth: index into `SMOOTHNESS`.
        log: a logarithmic axis.
    """

    last: int = 0
    smooth: int = 0
    log: bool = False


def names_of(series: Mapping[str, Sequence[Point]]) -> list[str]:
    """The metrics in the order in which people look at them."""
    main = main_metric(sorted(series, key=lambda n: (n == GPU, n)))
    return [main, *sorted((n for n in series if n != main), key=lambda n: (n == GPU, n))] if main else []


def curve_of(name: str, points: Sequence[Point], wish: Wish, at: float | None = None) -> Curve:
    """One metric as a curve over steps, or over time where there are none; smoothed over the raw one.

    Args:
        name: of the metric.
        points: its points.
        wish: how to show it.
        at: a time to mark, seconds since 1970.
    """
    stepped = all(p.step is not None for p in points)
    placed = sorted(((float(p.step or 0) if stepped else p.at), _scaled(p.value, log=wish.log)) for p in points)
    known = [v for _, v in placed if v is not None]
    first, last = (placed[0][0], placed[-1][0]) if placed else (0.0, 1.0)
    weight = SMOOTHNESS[wish.smooth]
    lines = [Series(f"{name} raw" if weight else name, placed, "muted" if weight else "accent")]
    if weight:
        lines.append(Series(name, smoothed(placed, weight), "accent"))
    return Curve(
        tuple(lines),
        (first, last if last > first else first + 1),
        _axis(name, known, wish),
        x_labels=((first, _x_label(first, stepped=stepped)), (last, _x_label(last, stepped=stepped))),
        y_label=(lambda v: f"{10**v:.3g}") if wish.log else (lambda v: f"{v:.3g}"),
        cursor=None if at is None else _x_of(points, at, stepped=stepped),
        note=_note(points),
    )


def _axis(name: str, known: Sequence[float], wish: Wish) -> tuple[float, float]:
    """From the least to the most with some room; shares have their own axis, what is never negative ends at 0."""
    if name == GPU:
        return 0.0, 100.0
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    room = (high - low) * 0.05 or abs(high) * 0.05 or 0.5
    return low - room if low < 0 or wish.log else max(0.0, low - room), high + room


def _scaled(value: float | None, *, log: bool) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    if not log:
        return value
    return math.log10(value) if value > 0 else None


def smoothed(points: Sequence[tuple[float, float | None]], weight: float) -> list[tuple[float, float | None]]:
    """An exponential mean that does not lean on its beginning; it goes over gaps and leaves them gaps."""
    mean, seen = 0.0, 0
    made: list[tuple[float, float | None]] = []
    for x, value in points:
        if value is None:
            made.append((x, None))
            continue
        seen += 1
        mean = weight * mean + (1 - weight) * value
        made.append((x, mean / (1 - weight**seen)))
    return made


def _x_of(points: Sequence[Point], at: float, *, stepped: bool) -> float | None:
    before = [p for p in points if p.at <= at]
    if not before:
        return None
    nearest = max(before, key=lambda p: p.at)
    return float(nearest.step or 0) if stepped else nearest.at


def _x_label(x: float, *, stepped: bool) -> str:
    return f"{x:,.0f}" if stepped else f"{datetime.fromtimestamp(x, UTC):%H:%M:%S}"


def _note(points: Sequence[Point]) -> str:
    last = next((p.value for p in reversed(points) if p.value is not None), None)
    return "now ?" if last is None else f"now {last:.4g}"


def wish_words(wish: Wish, total: int) -> list[str]:
    """How the curves are shown where that is not as they are."""
    said = [f"last {min(wish.last, total):,} of {total:,} points"] if wish.last else []
    said += [f"smooth {SMOOTHNESS[wish.smooth]:g}"] if wish.smooth else []
    return said + (["log scale"] if wish.log else [])
