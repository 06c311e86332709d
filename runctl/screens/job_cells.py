"""What a job looks like in one line: progress, loss, money, and what an interruption now would cost. Pure."""

from __future__ import annotations

from runctl.format import clean_text, format_duration, format_usd_short
from runctl.models.job import Job, main_metric
from runctl.models.snapshot import Snapshot
from runctl.screens.cells import NOT_KNOWN, NOTHING, Cell, outside, plain
from runctl.services.jobs.seen import Outcome
from runctl.store.fields import Context
from runctl.theme import ASCII, UNICODE
from runctl.widgets.bar import percent_bar, sparkline

#: What the store says of a job of which only the tags of a machine tell.
TAGS_ONLY = "tags only"
_OVER = frozenset(o.value for o in Outcome if o.over)
#: Machine states that cost money, and those that are on their way there or out.
_BILLING = frozenset({"running", "pending", "stopping", "shutting-down"})
#: Outcomes that are explained by how long nothing was heard, and those that the verdict's reason explains.
_DOUBTFUL = frozenset({Outcome.UNKNOWN.value, Outcome.UNREACHABLE.value})


def is_over(job: Job) -> bool:
    """Whether nothing more will come of it by itself."""
    return job.state in _OVER


def has_record(job: Job) -> bool:
    """Whether there is more to read than the tags of a machine."""
    return job.knowledge != TAGS_ONLY


def job_name(job: Job) -> Cell:
    """The name, and which attempt it is from the second on."""
    again = f"-a{job.attempt}" if has_record(job) and job.attempt is not None and job.attempt > 1 else ""
    return (*outside(job.name or job.id), *(plain(again, "muted") if again else ()))


def short_count(value: float) -> str:
    """A number of steps in few characters: 812, 41,200, 80k, 1.5M."""
    for limit, divisor, suffix in ((1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if value >= limit and (value / divisor * 10).is_integer():
            return f"{value / divisor:g}{suffix}"
    return f"{value:,.0f}"


def step_words(job: Job) -> str:
    """`41,200/80k`."""
    if job.step is None:
        return "?"
    return f"{job.step:,}" + (f"/{short_count(job.total_steps)}" if job.total_steps else "")


def step_share(job: Job) -> float | None:
    """How much of it is done, in percent; None when nobody knows."""
    return 100 * job.step / job.total_steps if job.step is not None and job.total_steps else None


def step_cell(job: Job, _context: Context) -> Cell:
    """The step, and how much that is of all."""
    if job.step is None:
        return NOTHING if is_over(job) else NOT_KNOWN
    share = step_share(job)
    if share is None:
        return plain(step_words(job))
    drawn = percent_bar(share, 4)
    full = drawn.count(UNICODE.full)
    tone = "muted" if is_over(job) else "state-ok"
    return ((step_words(job), ""), (" ", ""), (drawn[:full], tone), (drawn[full:], "muted"))


def loss_of(job: Job) -> float | None:
    """The newest value of the metric that people look at first."""
    return job.metrics.get(job.trend_of or main_metric(sorted(job.metrics)))


def loss_words(job: Job) -> str:
    """The newest loss in few digits; `nan` where the trainer said so."""
    if job.trend and job.trend[-1] is None:
        return "nan"
    value = loss_of(job)
    return "?" if value is None else f"{value:.4g}"


def loss_cell(job: Job, context: Context) -> Cell:
    """The loss and where it came from, from the least to the most of what is shown."""
    words = loss_words(job)
    if words == "?":
        return NOTHING if is_over(job) or job.step is None else NOT_KNOWN
    signs = ASCII if context.settings.ui.ascii else UNICODE
    return (
        (f"{words:<6}", "state-bad" if words == "nan" else ""),
        (trend(job, 8, ascii_only=signs is ASCII), "accent"),
    )


def trend(job: Job, width: int, *, ascii_only: bool = False) -> str:
    """The last values as a short curve, scaled to what is shown; "" for fewer than two."""
    known = [v for v in job.trend if v is not None]
    if len(known) < 2:
        return ""
    low, high = min(known), max(known)
    scaled = [None if v is None else 50.0 if high == low else 100 * (v - low) / (high - low) for v in _thin(job, width)]
    return sparkline(scaled, width, ASCII if ascii_only else UNICODE).strip()


def _thin(job: Job, width: int) -> list[float | None]:
    values = job.trend
    return list(values) if len(values) <= width else [values[(n + 1) * len(values) // width - 1] for n in range(width)]


def money_cell(job: Job, _context: Context) -> Cell:
    """What it cost so far and what it would cost in the end."""
    said = "?" if job.usd_so_far is None else format_usd_short(job.usd_so_far)
    tone = "warn" if job.usd_so_far is None else "money"
    if is_over(job):
        return plain(said, tone)
    if job.state == Outcome.INTERRUPTED:
        return plain(said, tone)
    known = job.usd_so_far is not None and job.usd_to_finish is not None
    end = format_usd_short((job.usd_so_far or 0.0) + (job.usd_to_finish or 0.0)) if known else "?"
    return ((said, tone), (f"→{end}", "money" if known else "muted"))


def hourly(job: Job, snapshot: Snapshot) -> float | None:
    """USD an hour of its machine: as the job knows it, else as the list of machines does."""
    if job.usd_per_hour is not None:
        return job.usd_per_hour
    machine = next((i for i in snapshot.instances if i.id == job.instance_id), None)
    return machine.rate.usd if machine is not None and machine.rate is not None else None


def resource_words(job: Job, context: Context) -> str:
    """`machine running on $3.06/h`: what there is of the machine, and what it costs where it bills."""
    if job.provider == "local":
        return "this computer"
    if job.resource_state in ("none", "not-found"):
        return "no machine" if job.resource_state == "none" else "machine gone"
    if job.resource_state in ("", "?"):
        return "machine not known"
    if job.resource_state not in _BILLING:
        return f"machine {job.resource_state}"
    usd = hourly(job, context.snapshot)
    price = "$?/h" if usd is None else f"${usd:.2f}/h"
    word = "still on" if is_over(job) else job.resource_state
    return f"machine {word} {price}"


def still_bills(job: Job) -> bool:
    """The work is over and its machine still costs money."""
    return is_over(job) and job.provider != "local" and job.resource_state in _BILLING


def safety_cell(job: Job, context: Context) -> Cell:
    """Whether it would survive an interruption now, and what it would lose; else what there is to say of it."""
    if not has_record(job):
        return plain(TAGS_ONLY, "muted")
    if is_over(job):
        return _afterwards(job, context)
    if job.state in _DOUBTFUL:
        return plain(clean_text(job.knowledge or job.reason, 120), "warn")
    if job.state == Outcome.RUNNING:
        return risk_cell(job)
    return outside(job.reason, "muted") if job.reason else NOTHING


def _afterwards(job: Job, context: Context) -> Cell:
    why = _reason(job)
    if not still_bills(job):
        return why or NOTHING
    return ((resource_words(job, context).replace("still ", ""), "warn"), *((" · ", "muted"),) * bool(why), *why)


def risk_cell(job: Job) -> Cell:
    """`yes`, or what would be lost."""
    if job.at_risk_s is None:
        return NOT_KNOWN
    if job.at_risk_s < 1:
        return plain("yes", "state-ok")
    usd = None if job.usd_per_hour is None else job.at_risk_s / 3600 * job.usd_per_hour
    price = "" if not usd or usd < 0.005 else f" {format_usd_short(usd)}"
    return plain(f"{UNICODE.warning} loses {format_duration(job.at_risk_s)}{price}", "warn")


def _reason(job: Job) -> Cell:
    """Why it ended, where that is more than the outcome says."""
    if job.state == Outcome.SUCCEEDED:
        return ()
    if job.exit_code not in (None, 0):
        return plain(f"exit {job.exit_code}", "state-bad" if job.state == Outcome.FAILED else "muted")
    return plain(clean_text(job.reason, 120), "muted") if job.reason else ()
