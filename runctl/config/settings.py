"""Every setting, its type, its default, and what it is for.

Plain frozen dataclasses: reading the defaults costs no pydantic. The constraints are names of `annotated_types` inside
string annotations; `runctl.config.load` resolves them only when a file or a variable gives a value to check.
The string under each field is its documentation: `docs/configuration.md` and `runctl config init` are made from it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

if TYPE_CHECKING:  # never imported at run time here: it and typing_extensions would cost each `--once` 8 ms
    from annotated_types import Ge, Gt, Le, MinLen

_T = TypeVar("_T")


def _nothing() -> Mapping[str, _T]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class UiSettings:
    """How the dashboard and the tables look."""

    theme: Literal["dark", "light", "colour-blind", "ansi"] = "dark"
    """Colours of the dashboard. `ansi` uses the terminal's own sixteen."""

    refresh_s: Annotated[float, Ge(2), Le(3600)] = 10.0
    """Seconds between two refreshes of the screen you look at; hidden screens are asked less often."""

    ascii: bool | None = None
    """Draw with ASCII only. Unset: ASCII when the locale is not UTF-8."""

    color: Literal["auto", "always", "never"] = "auto"
    """Colours of the headless commands. `auto` follows NO_COLOR, FORCE_COLOR, TERM and whether stdout is a terminal."""

    animations: bool = True
    """Allow animations in the dashboard; off over SSH anyway."""

    wide: bool = False
    """Start with the wide set of columns."""


@dataclass(frozen=True, slots=True)
class AwsSettings:
    """How AWS is asked."""

    connect_timeout_s: Annotated[float, Gt(0), Le(60)] = 3.0
    """Seconds to wait for a connection before the call is an error (or is tried again)."""

    read_timeout_s: Annotated[float, Gt(0), Le(300)] = 10.0
    """Seconds to wait for an answer on an open connection."""

    calls_per_second: Annotated[float, Gt(0), Le(100)] = 10.0
    """Most calls a second to one service in one region. EC2 refills 20 a second for the whole account."""


@dataclass(frozen=True, slots=True)
class CostSettings:
    """What may cost money to know, and what the list price leaves out."""

    allow_paid_apis: bool = False
    """Allow calls that AWS bills: Cost Explorer ($0.01 a page) and CloudWatch GetMetricData."""

    savings_plan_percent: Annotated[float, Ge(0), Le(90)] | None = None
    """Your Savings Plan's discount on on-demand machines, in percent. It is shown beside list prices, never guessed."""


@dataclass(frozen=True, slots=True)
class BudgetSettings:
    """What may be spent, in USD. At 50, 80 and 100 percent runctl says so; it never stops anything by itself."""

    stop: bool = False
    """Allow `runctl cost budgets --stop` to stop machines whose budget is used up: ours, never protected ones, and
    where a job runs only by telling the job, which saves first. Nothing but that command stops anything."""

    day_usd: Annotated[float, Gt(0)] | None = None
    """For everything, each day (UTC)."""

    month_usd: Annotated[float, Gt(0)] | None = None
    """For everything, each calendar month (UTC)."""

    job_usd: Annotated[float, Gt(0)] | None = None
    """For each job, from its first attempt to its end, unless `[budgets.jobs]` or the job itself names another."""

    notify: bool = True
    """Let the dashboard send a desktop notification through the terminal when a budget passes one of the marks."""

    projects: Mapping[str, Annotated[float, Gt(0)]] = field(default_factory=_nothing)
    """For a project each month, by its name: `[budgets.projects]`, then `llama = 1000`."""

    owners: Mapping[str, Annotated[float, Gt(0)]] = field(default_factory=_nothing)
    """For an owner each month, by name: `[budgets.owners]`, then `ana = 500`."""

    jobs: Mapping[str, Annotated[float, Gt(0)]] = field(default_factory=_nothing)
    """For one job, by its id: `[budgets.jobs]`, then `"llama-7b-a2" = 200`."""


@dataclass(frozen=True, slots=True)
class LaunchSettings:
    """Brakes on starting machines."""

    warn_running: Annotated[int, Ge(0)] = 10
    """Warn when a launch would bring our running machines above this many."""

    refuse_running: Annotated[int, Ge(1)] = 50
    """Refuse a launch that would bring our running machines above this many."""


@dataclass(frozen=True, slots=True)
class JobSettings:
    """Where training jobs keep their record."""

    bucket: Annotated[str, MinLen(3)] | None = None
    """Bucket of the records of jobs, below `runctl/`. Unset: only jobs of this computer; `runctl init` makes one."""

    instance_profile: str = "runctl-job"
    """Instance profile of machines that jobs start; `runctl init` makes it."""

    recover: bool = True
    """Let the dashboard, when it opens and when the computer wakes, do once for our own jobs what `runctl watch` does
    all the time: start the next attempt of what was interrupted, within its attempts and budget, and end machines whose
    work is over and saved. Never while read-only."""


@dataclass(frozen=True, slots=True)
class ProfileRules:
    """Rules for one AWS profile, written as `[profiles.NAME]`."""

    protected: bool = False
    """Refuse every destructive action under this profile; no flag overrides it."""

    read_only: bool = False
    """Hide and refuse everything that changes AWS under this profile."""

    regions: tuple[str, ...] = ()
    """Regions to ask under this profile; empty: the `regions` above."""

    colour: str | None = None
    """A colour that marks this profile in the strip, such as `red` or `#d20f39`."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set, resolved."""

    profile: Annotated[str, MinLen(1)] | None = None
    """AWS profile. Unset: AWS's own rules (AWS_PROFILE, environment, instance role)."""

    regions: tuple[str, ...] = ()
    """Regions to ask, or `["all"]`. Empty: the region of the profile or of AWS_REGION."""

    owner: Annotated[str, MinLen(1)] | None = None
    """Our name in the tag `runctl:owner`. Unset: the IAM user or role session name."""

    read_only: bool = False
    """Hide and refuse everything that changes AWS."""

    ui: UiSettings = UiSettings()
    """How the dashboard and the tables look."""

    aws: AwsSettings = AwsSettings()
    """How AWS is asked."""

    cost: CostSettings = CostSettings()
    """What may cost money to know."""

    budgets: BudgetSettings = BudgetSettings()
    """What may be spent."""

    launch: LaunchSettings = LaunchSettings()
    """Brakes on starting machines."""

    jobs: JobSettings = JobSettings()
    """Where training jobs keep their record."""

    keys: Mapping[str, str] = field(default_factory=_nothing)
    """Keys of the dashboard by action id, several parted by spaces: `app.refresh = "r f5"`. See docs/keys.md."""

    profiles: Mapping[str, ProfileRules] = field(default_factory=_nothing)
    """Rules by AWS profile."""

    def rules(self, profile: str | None) -> ProfileRules:
        """Rules of a profile, of the one that AWS's own rules choose for None or ""; the default rules without any."""
        if not profile and self.profiles:
            profile = os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE")
        return self.profiles.get(profile or "default", _NO_RULES)

    def is_read_only(self, profile: str | None) -> bool:
        """Whether nothing may be changed under `profile`: globally, or by its rules."""
        return self.read_only or self.rules(profile).read_only

    def regions_for(self, profile: str | None) -> tuple[str, ...]:
        """Regions to ask under `profile`; () means the session's own region, ("all",) every enabled one."""
        return self.rules(profile).regions or self.regions


_NO_RULES = ProfileRules()
DEFAULTS = Settings()
