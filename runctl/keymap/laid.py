"""The table with a user's own keys laid over it; clashes are refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from textual.binding import Binding

from runctl.errors import ConfigurationError
from runctl.keymap.action import HEARD_TOGETHER, Action, Need, Scope
from runctl.keymap.actions import ACTIONS, BY_ID
from runctl.keymap.names import key_label, parse_key


@dataclass(frozen=True, slots=True)
class Situation:
    """What the footer has to know about the screen."""

    has_row: bool = False
    marks: int = 0
    filtered: bool = False
    errors: int = 0
    signed_out: bool = False
    can_change: bool = True

    def meets(self, need: Need | None) -> bool:
        """Whether `need` is fulfilled."""
        return {
            None: True,
            Need.ROW: self.has_row,
            Need.THING: self.has_row and self.can_change,
            Need.MARKS: self.marks > 0,
            Need.PAIR: self.marks == 2,
            Need.FILTER: self.filtered,
            Need.ERRORS: self.errors > 0,
            Need.SIGNED_OUT: self.signed_out,
        }[need]


@dataclass(frozen=True, slots=True)
class Keymap:
    """The table with a user's own keys laid over it, and without mutating actions in read-only mode.

    Args:
        actions: what is offered, in the order of the table.
        overrides: Textual key names (comma-separated) by action id, for `App.set_keymap`.
    """

    actions: tuple[Action, ...] = ACTIONS
    overrides: Mapping[str, str] = field(default_factory=dict)

    def get(self, action_id: str) -> Action | None:
        """The action of that id, None when there is none (or none in read-only mode)."""
        return next((action for action in self.actions if action.id == action_id), None)

    def allows(self, target: str) -> bool:
        """Whether a method such as `filter` may run: False only for what read-only mode took away."""
        return any(a.target == target for a in self.actions) or not any(a.target == target for a in ACTIONS)

    def of(self, *scopes: Scope) -> tuple[Action, ...]:
        """The actions of the scopes, in the order of the table."""
        return tuple(action for action in self.actions if action.scope in scopes)

    def bindings(self, *scopes: Scope) -> list[Binding]:
        """Textual bindings of the scopes."""
        return [_binding(action) for action in self.of(*scopes)]

    def footer(self, scopes: Iterable[Scope], situation: Situation, limit: int = 6) -> tuple[Action, ...]:
        """The actions that matter most now, best first; with marks, what can be done to them comes before the rest."""
        wanted = [a for a in self.of(*scopes) if a.weight and situation.meets(a.need)]
        wanted.sort(key=lambda a: -a.weight)
        more = next((a for a in wanted if a.id == "app.help"), None)
        if more is None:
            return tuple(wanted[:limit])
        return (*[a for a in wanted if a is not more][: limit - 1], more)


def _binding(action: Action) -> Binding:
    return Binding(
        ",".join(action.keys),
        action.method,
        action.label,
        id=action.id,
        tooltip=action.help,
        key_display=key_label(action.keys[0]),
        show=action.weight > 0,
        priority=action.priority,
    )


def build_keymap(remap: Mapping[str, str] | None = None, *, read_only: bool = False) -> Keymap:
    """Lay the user's keys over the table.

    Args:
        remap: keys by action id as in `[keys]`; several keys are separated by spaces: `{"list.filter": "f slash"}`.
        read_only: leave out everything that changes something.

    Raises:
        ConfigurationError: an unknown action, an unknown key, or one key for two actions heard at the same moment.
    """
    overrides: dict[str, tuple[str, ...]] = {}
    for action_id, keys in (remap or {}).items():
        if action_id not in BY_ID:
            near = get_close_matches(action_id, BY_ID, n=1, cutoff=0.4)
            hint = f"nearest: {near[0]}" if near else "`runctl config show` and docs/keys.md list the actions"
            raise ConfigurationError(f"[keys]: there is no action {action_id!r}", hint=hint)
        parsed = tuple(dict.fromkeys(parse_key(key) for key in keys.split()))
        if not parsed:
            raise ConfigurationError(
                f"[keys]: {action_id} has no key", hint=f'example: {action_id} = "{BY_ID[action_id].keys[0]}"'
            )
        overrides[action_id] = parsed
    changed = tuple(_with_keys(action, overrides.get(action.id)) for action in ACTIONS)
    _refuse_clashes(changed)
    actions = tuple(action for action in changed if not (read_only and action.mutates))
    return Keymap(actions, {action_id: ",".join(keys) for action_id, keys in overrides.items()})


def _with_keys(action: Action, keys: tuple[str, ...] | None) -> Action:
    return replace(action, keys=keys) if keys else action


def find_clashes(actions: Iterable[Action]) -> list[tuple[str, Action, Action]]:
    """Keys that two actions heard at the same moment both claim."""
    listed = tuple(actions)
    found: dict[tuple[str, str, str], tuple[str, Action, Action]] = {}
    for together in HEARD_TOGETHER:
        owner: dict[str, Action] = {}
        for action in (a for a in listed if a.scope in together):
            for key in action.keys:
                first = owner.setdefault(key, action)
                if first is not action:
                    found[key, first.id, action.id] = (key, first, action)
    return list(found.values())


def _refuse_clashes(actions: Iterable[Action]) -> None:
    for key, first, second in find_clashes(actions):
        raise ConfigurationError(
            f"[keys]: {key_label(key)} is both {first.id} and {second.id}",
            hint=f'give one of them another key; example: {second.id} = "f9"',
        )


DEFAULT_KEYMAP = Keymap()


def bindings_for(*scopes: Scope, remap: Mapping[str, str] | None = None) -> list[Binding]:
    """Textual bindings of the scopes, for a class's `BINDINGS`; a user's own keys come later by `App.set_keymap`."""
    return (build_keymap(remap) if remap else DEFAULT_KEYMAP).bindings(*scopes)


def footer_actions(
    scopes: Iterable[Scope], situation: Situation, keymap: Keymap = DEFAULT_KEYMAP
) -> tuple[Action, ...]:
    """The few actions that matter most now, best first."""
    return keymap.footer(scopes, situation)
