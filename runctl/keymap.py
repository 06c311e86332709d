"""The one table of keys: bindings, footer, help, palette and docs/keys.md are all made from `ACTIONS`.

A new key is one row here and one `action_*` method where its `method` points. Nothing is listed before it works, and
a key that changes something in AWS says so (`mutates`), which is how read-only mode makes it vanish from every list.

`method` is a Textual action string with the place that answers it: `app.` the application, `screen.` the screen on
top, `focused.` the widget that has the focus.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from enum import StrEnum

from textual.binding import Binding
from textual.keys import KEY_NAME_REPLACEMENTS, Keys

from runctl.errors import ConfigurationError


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
    LOG = "Logs"
    VIEWER = "Reading"
    FILTER = "Filter line"
    DIALOG = "Dialogs"
    WELCOME = "First minute"


_NOUNS = (Scope.INSTANCES, Scope.JOBS, Scope.S3, Scope.VOLUMES, Scope.COST)

HEARD_TOGETHER: tuple[frozenset[Scope], ...] = (
    *(frozenset({Scope.GLOBAL, Scope.LIST, Scope.TABLE, noun}) for noun in _NOUNS),
    frozenset({Scope.GLOBAL, Scope.LOG}),
    frozenset({Scope.VIEWER}),
    frozenset({Scope.FILTER}),
    frozenset({Scope.DIALOG}),
    frozenset({Scope.WELCOME}),
)
"""Scopes that listen at the same moment: one key may mean only one thing within each set.

The filter line, readers and dialogs take the keyboard for themselves.
"""


class Need(StrEnum):
    """What must be there before an action makes sense; without it the footer keeps quiet about the action."""

    ROW = "a row under the cursor"
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


def _at(line: str, method: str, label: str, help_text: str, **more: object) -> Action:
    """A row: `line` is the id and its keys, separated by spaces; the scope is found from the id's first word."""
    identifier, *keys = line.split()
    scope = _SCOPE_OF[identifier.partition(".")[0]]
    return Action(identifier, scope, tuple(keys), method, label, help_text, **more)  # type: ignore[arg-type]  # typed by Action at every row


_SCOPE_OF = {scope.name.lower(): scope for scope in Scope} | {"app": Scope.GLOBAL}

# One row a line, so that the table can be read as one.
# fmt: off
ACTIONS: tuple[Action, ...] = (
    # -- everywhere ---------------------------------------------------------------------------------------------------
    _at("app.instances 1", "app.switch_mode('instances')", "Instances", "Machines: state, price, activity."),
    _at("app.jobs 2", "app.switch_mode('jobs')", "Jobs", "Training jobs and the machines they run on."),
    _at("app.s3 3", "app.switch_mode('s3')", "S3", "Buckets and what is in them."),
    _at("app.volumes 4", "app.switch_mode('volumes')", "Volumes", "Disks, snapshots and addresses."),
    _at("app.cost 5", "app.switch_mode('cost')", "Cost", "Everything that bills now, sorted by price."),
    _at("app.command colon", "app.command_line", "command", "Type a command: a screen, profile, region, sort.", weight=12),
    _at("app.help question_mark f1", "app.help", "more", "All keys that work here, and how to filter.", weight=90),
    _at("app.palette ctrl+p f2", "app.command_palette", "palette", "Find any action by name."),
    _at("app.refresh r ctrl+r f5", "app.refresh", "refresh", "Ask AWS again now.", weight=10),
    _at("app.pause p", "app.pause", "pause", "Stop asking AWS, or go on."),
    _at("app.profile P", "app.profile", "profile", "Choose another AWS profile."),
    _at("app.region R", "app.region", "region", "Choose the regions to look at."),
    _at("app.login L", "app.login", "log in", "Log in again in this terminal.", weight=95, need=Need.SIGNED_OUT),
    _at("app.errors exclamation_mark", "app.errors", "errors", "Errors seen, newest first.", weight=70, need=Need.ERRORS),
    _at("app.history_back left_square_bracket", "app.history(-1)", "last view", "The view before this one."),
    _at("app.history_forward right_square_bracket", "app.history(1)", "next view", "Forward again after `[`."),
    _at("app.back escape backspace", "app.back", "back", "One step back: leave the filter, clear it, close the view.",
        weight=54, need=Need.FILTER),
    _at("app.leave q", "app.leave", "quit", "One step back; on a top screen, quit.", weight=5),
    _at("app.quit ctrl+q ctrl+c f10", "app.quit", "quit now", "Quit from anywhere. Jobs are not affected.", priority=True),
    # -- every list ---------------------------------------------------------------------------------------------------
    _at("list.filter slash f", "screen.filter", "filter", "Show only matching rows.", weight=60),
    _at("list.describe d", "screen.describe", "describe", "Everything known about the row.", weight=48, need=Need.ROW),
    _at("list.raw y", "screen.raw", "raw", "The row as AWS describes it, in YAML or JSON.", weight=20, need=Need.ROW),
    _at("list.sort o", "screen.sort", "sort", "Choose the column to sort by.", weight=50),
    _at("list.sort_flip O", "screen.sort_flip", "flip", "Turn the order of the rows round."),
    _at("list.sort_left less_than_sign", "screen.sort_move(-1)", "sort left", "Sort by the column to the left."),
    _at("list.sort_right greater_than_sign", "screen.sort_move(1)", "sort right", "Sort by the column to the right."),
    _at("list.wide w", "screen.wide", "wide", "All columns, scrolled sideways; again for those that fit.", weight=18),
    _at("list.waste i", "screen.waste_only", "waste", "Only what is idle or wasted.", weight=45),
    _at("list.compare equals_sign", "screen.compare", "compare", "Two marked rows together.", weight=80, need=Need.PAIR),
    _at("list.copy c", "screen.copy_id", "copy id", "Copy the id of the row, or of all marks.", weight=30, need=Need.ROW),
    _at("list.copy_menu C", "screen.copy_menu", "copy…", "Copy the ARN, ssh line, console URL or JSON.", need=Need.ROW),
    _at("list.console b", "screen.open_console", "console", "Open the row in the AWS console.", weight=15, need=Need.ROW),
    _at("list.export E ctrl+s", "screen.export", "export", "Write the rows shown to a file.", weight=8),
    _at("list.zoom z", "screen.zoom", "zoom", "Give one pane the whole screen; again for all.", weight=6),
    # -- the table ----------------------------------------------------------------------------------------------------
    _at("table.open enter", "focused.open", "open", "Open the row under the cursor.", weight=100, need=Need.ROW),
    _at("table.mark space", "focused.mark", "mark", "Mark the row and go down one.", weight=55, need=Need.ROW),
    _at("table.mark_range v", "focused.mark_range", "range", "Start a range; again marks all rows up to the cursor."),
    _at("table.mark_all asterisk", "focused.mark_all", "mark all", "Mark every row shown.", weight=52, need=Need.MARKS),
    _at("table.unmark u ctrl+backslash", "focused.unmark", "unmark", "Forget all marks.", weight=75, need=Need.MARKS),
    _at("table.down j down", "focused.move(1)", "down", "One row down."),
    _at("table.up k up", "focused.move(-1)", "up", "One row up."),
    _at("table.first g home ctrl+home", "focused.first", "top", "First row."),
    _at("table.last G end ctrl+end", "focused.last", "bottom", "Last row."),
    _at("table.page_down pagedown ctrl+f", "focused.page(1)", "page down", "One page down."),
    _at("table.page_up pageup ctrl+b", "focused.page(-1)", "page up", "One page up."),
    _at("table.half_down J ctrl+d", "focused.page(0.5)", "half down", "Half a page down. It never deletes."),
    _at("table.half_up K ctrl+u", "focused.page(-0.5)", "half up", "Half a page up."),
    _at("table.left left h", "focused.sideways(-8)", "left", "Scroll left when all columns are shown."),
    _at("table.right right", "focused.sideways(8)", "right", "Scroll right when all columns are shown."),
    # -- one noun -----------------------------------------------------------------------------------------------------
    # Verbs that change something go here, each with mutates=True, once their action exists:
    # list.new `n`, list.menu `a`, list.adopt `A`, instances.stop `S`, list.delete `D` (danger), instances.extend `+`,
    # instances.shell `s`; and of the jobs: jobs.logs `l`, jobs.metrics `m`.
    _at("cost.group t", "screen.group", "total by", "Total by owner, project, kind, type, region; again for the next.", weight=58),
    # -- readers: raw view, help, errors ------------------------------------------------------------------------------
    _at("viewer.down j down", "screen.scroll(1)", "down", "One line down."),
    _at("viewer.up k up", "screen.scroll(-1)", "up", "One line up."),
    _at("viewer.page_down pagedown space J ctrl+f ctrl+d", "screen.scroll_page(1)", "page down", "One page down."),
    _at("viewer.page_up pageup K ctrl+b ctrl+u", "screen.scroll_page(-1)", "page up", "One page up."),
    _at("viewer.first g home", "screen.scroll_first", "top", "The first line."),
    _at("viewer.last G end", "screen.scroll_last", "bottom", "The last line."),
    _at("viewer.search slash", "screen.search", "search", "Find a text.", weight=55),
    _at("viewer.next n", "screen.search_next(1)", "next", "The next place where it was found."),
    _at("viewer.previous N", "screen.search_next(-1)", "previous", "The place before."),
    _at("viewer.toggle y", "screen.switch_form", "YAML/JSON", "Turn between YAML and JSON.", weight=60),
    _at("viewer.copy c", "screen.copy", "copy", "Copy all of it.", weight=50),
    _at("viewer.close escape q backspace", "screen.close", "close", "Back to where you were.", weight=40),
    # -- the filter line ----------------------------------------------------------------------------------------------
    _at("filter.apply enter", "focused.submit", "keep", "Keep the filter and go back to the rows.", weight=60),
    _at("filter.clear escape", "focused.cancel", "clear", "Drop the filter.", weight=50),
    _at("filter.older up", "focused.older", "older", "A filter used before.", weight=40),
    _at("filter.newer down", "focused.newer", "newer", "Forward again after `up`.", weight=30),
    # -- dialogs ------------------------------------------------------------------------------------------------------
    _at("dialog.cancel escape", "screen.cancel", "cancel", "Close without doing anything.", weight=40),
    # -- no credentials -----------------------------------------------------------------------------------------------
    _at("welcome.demo d", "screen.demo", "demo", "Look round in the demo: an embedded cloud, no account.", weight=90),
    _at("welcome.login L", "screen.login", "log in", "Log in to AWS in this terminal.", weight=80),
    _at("welcome.how question_mark", "screen.how", "how", "How credentials are found, and what was found.", weight=70),
    _at("welcome.profile P", "screen.profile", "profile", "Choose another AWS profile.", weight=60),
    _at("welcome.close escape", "screen.close", "go on", "Go on without credentials.", weight=50),
    _at("welcome.quit q", "app.quit", "quit", "Quit.", weight=40),
)
# fmt: on

BY_ID: Mapping[str, Action] = {action.id: action for action in ACTIONS}

_WORDS = {
    "colon": ":", "slash": "/", "question_mark": "?", "exclamation_mark": "!", "equals_sign": "=", "asterisk": "*",
    "less_than_sign": "<", "greater_than_sign": ">", "left_square_bracket": "[", "right_square_bracket": "]",
    "plus": "+", "minus": "-", "comma": ",", "full_stop": ".", "semicolon": ";", "backslash": "\\", "at": "@",
    "number_sign": "#", "dollar_sign": "$", "percent_sign": "%", "ampersand": "&", "apostrophe": "'",
    "quotation_mark": '"', "left_parenthesis": "(", "right_parenthesis": ")", "underscore": "_", "grave_accent": "`",
    "circumflex_accent": "^", "tilde": "~", "vertical_line": "|", "left_curly_bracket": "{",
    "right_curly_bracket": "}",
}  # fmt: skip
_NAMES = {character: name for name, character in _WORDS.items()} | {" ": "space"}
_SHOWN = {
    "enter": "⏎", "escape": "esc", "pagedown": "pgdn", "pageup": "pgup", "left": "←", "right": "→", "up": "↑", "down": "↓",
}  # fmt: skip
_SHOWN_ASCII = {"enter": "enter", "left": "left", "right": "right", "up": "up", "down": "down"}
_ALIASES = {"esc": "escape", "return": "enter", "pgup": "pageup", "pgdn": "pagedown", "del": "delete", "ins": "insert"}
_PLAIN = {key.value for key in Keys if "+" not in key.value and "<" not in key.value} | set(_WORDS)


def key_label(key: str, *, ascii_only: bool = False) -> str:
    """How a Textual key name is shown to a person: `question_mark` is `?`, `ctrl+r` is `^r`."""
    modifier, _, plain = key.rpartition("+")
    table = (_SHOWN | _SHOWN_ASCII) if ascii_only else _SHOWN
    shown = table.get(plain) or _WORDS.get(plain, plain)
    return f"{modifier}+{shown}".replace("ctrl+", "^") if modifier else shown


def parse_key(text: str) -> str:
    """The Textual name of a key as a person writes it: `?`, `G`, `shift+g`, `F5`, `ctrl+r`, `Esc`.

    Raises:
        ConfigurationError: no keyboard has such a key.
    """
    *modifiers, plain = [part.strip() for part in text.strip().split("+")] if text.strip() != "+" else ["plus"]
    plain = _ALIASES.get(plain.lower(), plain)
    if len(plain) == 1:
        plain = _NAMES.get(plain, plain)
    elif plain.lower() in _PLAIN:
        plain = plain.lower()
    plain = KEY_NAME_REPLACEMENTS.get(plain, plain)
    modifiers = sorted(m.lower() for m in modifiers)
    known = (len(plain) == 1 and plain.isprintable()) or plain in _PLAIN
    if not known or not set(modifiers) <= {"ctrl", "shift", "alt"} or (len(modifiers) != len(set(modifiers))):
        raise ConfigurationError(
            f"[keys]: {text!r} is not a key",
            hint='allowed: a character or a name ("enter", "space", "f5", "ctrl+r"); example: "app.refresh" = "f5"',
        )
    if modifiers == ["shift"] and len(plain) == 1 and plain.isalpha():
        return plain.upper()  # terminals send the capital, not shift and a letter
    return "+".join([*modifiers, plain.lower() if "ctrl" in modifiers and len(plain) == 1 else plain])


@dataclass(frozen=True, slots=True)
class Situation:
    """What the footer has to know about the screen."""

    has_row: bool = False
    marks: int = 0
    filtered: bool = False
    errors: int = 0
    signed_out: bool = False

    def meets(self, need: Need | None) -> bool:
        """Whether `need` is fulfilled."""
        return {
            None: True,
            Need.ROW: self.has_row,
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
