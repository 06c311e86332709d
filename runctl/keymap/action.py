"""What an action is, where it is offered, and which scopes listen at the same moment."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """Who offers an action. The value is the heading used in help and in docs/keys.md."""

    GLOBAL = "Everywhere"
    LIST = "Lists"
    TABLE = "Moving and marking"
    INSTANCES = "Instances"
    JOBS = "Jobs"
    S3 = "S3"
    VOLUMES = "Volumes"
    COST = "Cost"
    JOB = "An opened job"
    VIEWER = "Reading"
    FILTER = "Filter line"
    DIALOG = "Dialogs"
    PLAN = "Changes"
    WIZARD = "Launching"
    FORM = "Forms"
    CHOICE = "Choices in forms"
    WELCOME = "First minute"


_NOUNS = (Scope.INSTANCES, Scope.JOBS, Scope.S3, Scope.VOLUMES, Scope.COST)

HEARD_TOGETHER: tuple[frozenset[Scope], ...] = (
    *(frozenset({Scope.GLOBAL, Scope.LIST, Scope.TABLE, noun}) for noun in _NOUNS),
    frozenset({Scope.JOB}),
    frozenset({Scope.VIEWER}),
    frozenset({Scope.FILTER}),
    frozenset({Scope.DIALOG}),
    frozenset({Scope.PLAN}),
    frozenset({Scope.FORM, Scope.CHOICE, Scope.DIALOG}),
    frozenset({Scope.FORM, Scope.CHOICE, Scope.WIZARD}),
    frozenset({Scope.WELCOME}),
)
"""Scopes that listen at the same moment: one key may mean only one thing within each set.

The filter line, readers and dialogs take the keyboard for themselves.
"""


class Need(StrEnum):
    """What must be there before an action makes sense; without it the footer keeps quiet about the action."""

    ROW = "a row under the cursor"
    THING = "a row that something can be done to"
    MARKS = "marked rows"
    PAIR = "two marked rows"
    FILTER = "a filter"
    ERRORS = "errors seen"
    SIGNED_OUT = "expired credentials"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a key does.

    Args:
        id: `scope.verb`; what `[keys]` in the configuration and the tests call it.
        scope: where it is offered.
        keys: Textual key names; the first is the one that is shown.
        method: Textual action string with its target.
        label: one or two words for the footer.
        help: one sentence for help, tooltip, palette and docs.
        danger: asks first, and is drawn in the colour of danger.
        mutates: changes something outside this terminal; gone in read-only mode.
        weight: how much it deserves a place in the footer; 0 is never.
        need: what must be there for it to make sense.
        priority: heard before whatever has the focus, also while typing.
    """

    id: str
    scope: Scope
    keys: tuple[str, ...]
    method: str
    label: str
    help: str
    danger: bool = False
    mutates: bool = False
    weight: int = 0
    need: Need | None = None
    priority: bool = False

    @property
    def target(self) -> str:
        """The method without its place and arguments: `screen.filter` gives `filter`."""
        return self.method.partition("(")[0].rpartition(".")[2]
