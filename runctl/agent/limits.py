"""What ends a job without anybody asking: time to live, budget, idleness. Pure; enforced on the machine."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, NamedTuple

from runctl.models import record

#: Default seconds between SIGTERM and SIGKILL, and for the uploads after the end.
GRACE_S, UPLOAD_S = 120.0, 1800.0
#: A spot machine is taken two minutes after its notice; everything must be done ten seconds before.
NOTICE_S, MARGIN_S = 120.0, 10.0


class Stop(NamedTuple):
    """Why the command has to end, and what to tell people."""

    reason: str
    message: str


class Facts(NamedTuple):
    """What is known at one moment. Times in seconds since 1970; `usd_per_hour` None: no price is known.

    `billed_since`: since when the machine bills; `spent_usd`: by earlier attempts, None when nobody knows; `active_at`:
    the last sign of work.
    """

    now: float
    billed_since: float
    usd_per_hour: float | None
    spent_usd: float | None
    active_at: float


class Limits:
    """The limits in force: the spec's, with what the control object changed.

    Args:
        spec: the job's specification.
        launch: the attempt's; may bring an absolute end (`ttl_at`) of its own.
        started_at: when this attempt began.
    """

    def __init__(self, spec: Mapping[str, Any], launch: Mapping[str, Any], started_at: float) -> None:
        given = spec.get("limits") or {}
        ttl_s = given.get("ttl_s")
        self.ttl_at: float | None = launch.get("ttl_at") or (started_at + ttl_s if ttl_s is not None else None)
        self.budget_usd: float | None = given.get("budget_usd")
        self.idle_s: float | None = given.get("idle_s")
        self.grace_s: float = GRACE_S if given.get("grace_s") is None else given["grace_s"]
        self.upload_s: float = UPLOAD_S if given.get("upload_s") is None else given["upload_s"]

    def take(self, control: Mapping[str, Any]) -> None:
        """Let the control object's fields replace the spec's."""
        for name in ("ttl_at", "budget_usd", "idle_s", "grace_s"):
            if control.get(name) is not None:
                setattr(self, name, float(control[name]))

    def broken(self, facts: Facts) -> Stop | None:
        """The first limit that is reached, or None. A budget without a price cannot be reached: see `unenforced`.

        What earlier attempts cost counts where it is known; this attempt alone may use the budget up too.
        """
        if self.ttl_at is not None and facts.now >= self.ttl_at:
            return Stop("ttl", "its time to live is over")
        spent = _at_least(facts)
        if self.budget_usd is not None and spent is not None and spent >= self.budget_usd:
            return Stop("budget", f"${spent:.2f} of a budget of ${self.budget_usd:.2f} is spent")
        if self.idle_s is not None and facts.now - facts.active_at >= self.idle_s:
            quiet = facts.now - facts.active_at
            return Stop("idle", f"no log, no metric and no work of CPU or GPU for {quiet:.0f} s")
        return None

    def unenforced(self, facts: Facts) -> str:
        """What is limited and cannot be watched, in words; empty where everything can."""
        if self.budget_usd is not None and facts.usd_per_hour is None:
            return f"the budget of ${self.budget_usd:.2f} is not enforced: no price is known for this machine"
        if self.budget_usd is not None and facts.spent_usd is None:
            return f"the budget of ${self.budget_usd:.2f} counts this attempt only: nobody knows what those before cost"
        return ""

    def shown(self, facts: Facts) -> dict[str, Any]:
        """The field `limits` of the state: each limit, and when it will be reached."""
        spent = spent_usd(facts)
        budget_at = None
        if self.budget_usd is not None and spent is not None and facts.usd_per_hour:
            budget_at = facts.now + (self.budget_usd - spent) / facts.usd_per_hour * 3600
        return {
            "ttl_at": self.ttl_at,
            "idle_at": None if self.idle_s is None else facts.active_at + self.idle_s,
            "budget_usd": self.budget_usd,
            "budget_at": budget_at,
            "spent_usd": spent,
            "usd_per_hour": facts.usd_per_hour,
        }


def spent_usd(facts: Facts) -> float | None:
    """Money of all attempts so far; None without a price, or where nobody knows what those before cost."""
    return None if facts.spent_usd is None else _at_least(facts)


def _at_least(facts: Facts) -> float | None:
    """What is known to be spent. Billed by the second, one minute at least (EC2 pricing)."""
    if facts.usd_per_hour is None:
        return None
    own = max(60.0, facts.now - facts.billed_since) / 3600 * facts.usd_per_hour
    return own + (facts.spent_usd or 0.0)


def rate_for(rates: Iterable[record.Rate], machine: Mapping[str, Any]) -> float | None:
    """The candidates' price that fits the machine: type and market must, a zone where the price names one."""
    for rate in rates:
        fits = rate.get("type") == machine.get("type") and rate.get("market") == machine.get("market")
        if fits and rate.get("az") in (None, machine.get("az")):
            return rate.get("usd_per_hour")
    return None
