"""The table of keys: no key means two things, a user's own keys are checked, the footer says what matters now."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import replace

import pytest
from textual.binding import Binding
from textual.keys import KEY_NAME_REPLACEMENTS

import runctl.screens
import runctl.widgets
from runctl import app
from runctl.errors import ConfigurationError
from runctl.keymap import (
    ACTIONS,
    BY_ID,
    HEARD_TOGETHER,
    Action,
    Keymap,
    Need,
    Scope,
    Situation,
    bindings_for,
    build_keymap,
    find_clashes,
    key_label,
    parse_key,
)

LIST_SCOPES = (Scope.GLOBAL, Scope.LIST, Scope.TABLE, Scope.INSTANCES)
#: Keys that must never change anything in AWS, whatever is added to the table.
HARMLESS = {"ctrl+d", "ctrl+k", "x", "r", "enter", "escape", "space"}


def test_one_key_means_one_thing_wherever_it_is_heard() -> None:
    assert find_clashes(ACTIONS) == []
    assert len(BY_ID) == len(ACTIONS)
    assert {scope for together in HEARD_TOGETHER for scope in together} >= {a.scope for a in ACTIONS}


def test_a_clash_in_one_scope_and_across_two_is_found() -> None:
    within = replace(BY_ID["list.raw"], id="list.again", keys=("o",))
    across = replace(BY_ID["table.mark"], id="table.again", keys=("slash",))
    elsewhere = replace(BY_ID["viewer.copy"], id="viewer.again", keys=("o",))
    found = [(key, a.id, b.id) for key, a, b in find_clashes([*ACTIONS, within, across, elsewhere])]
    assert found == [("o", "list.sort", "list.again"), ("slash", "list.filter", "table.again")]


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: a.id)
def test_every_row_can_be_bound_and_read(action: Action) -> None:
    assert action.id.partition(".")[0] in {s.name.lower() for s in Scope} | {"app"}
    assert action.keys
    assert action.label
    assert action.help.endswith(".")
    for key in action.keys:
        assert KEY_NAME_REPLACEMENTS.get(key, key) == parse_key(key), f"Textual does not send {key!r}"
    assert action.method.partition(".")[0] in ("app", "screen", "focused")


def test_every_ctrl_key_has_a_plain_twin_because_tmux_and_screen_take_some() -> None:
    lonely = [a.id for a in ACTIONS if all("+" in k for k in a.keys)]
    assert lonely == []


def test_harmless_keys_stay_harmless() -> None:
    assert not [a.id for a in ACTIONS if a.mutates and HARMLESS & set(a.keys)]
    assert not [a.id for a in ACTIONS if a.danger and not a.mutates]


def test_every_advertised_method_exists_somewhere() -> None:
    """A row without an `action_*` is a dead key; whether it is the right one is tested where the screens are."""
    for package in (runctl.screens, runctl.widgets):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            importlib.import_module(module.name)
    known = {name for cls in _all_widgets() for name in dir(cls) if name.startswith("action_")}
    known |= {name for name in dir(app.RunctlApp) if name.startswith("action_")}
    assert [a.id for a in ACTIONS if f"action_{a.target}" not in known] == []


def _all_widgets() -> set[type[object]]:
    from textual.widget import Widget

    def below(cls: type[Widget]) -> set[type[Widget]]:
        return {cls}.union(*(below(sub) for sub in cls.__subclasses__()))

    return {cls for cls in below(Widget) if cls.__module__.startswith("runctl.")}


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("?", "question_mark"), ("G", "G"), ("shift+g", "G"), ("F5", "f5"), ("Ctrl+R", "ctrl+r"), ("Esc", "escape"),
        ("+", "plus"), ("ctrl+shift+a", "ctrl+shift+a"), ("shift+ctrl+a", "ctrl+shift+a"), ("pgdn", "pagedown"),
        ("return", "enter"), ("é", "é"), ("slash", "slash"), ("/", "slash"), ("ctrl++", None), ("hyper+a", None),
        ("entr", None), ("ctrl+", None), ("f25", None), ("ctrl+ctrl+a", None), ("\x1b", None),
    ],
)  # fmt: skip
def test_keys_are_read_as_people_write_them(written: str, name: str | None) -> None:
    if name is not None:
        assert parse_key(written) == name
        return
    with pytest.raises(ConfigurationError, match="is not a key") as caught:
        parse_key(written)
    assert "example" in caught.value.hint


def test_own_keys_replace_those_of_the_table() -> None:
    mine = build_keymap({"list.filter": "F3 ctrl+g", "list.sort": "f"})
    assert mine.overrides == {"list.filter": "f3,ctrl+g", "list.sort": "f"}
    bound = {b.key: b for b in Binding.make_bindings(mine.bindings(Scope.LIST)) if b.id in mine.overrides}
    assert set(bound) == {"f3", "ctrl+g", "f"}
    assert (bound["f"].action, bound["f"].tooltip) == ("screen.sort", BY_ID["list.sort"].help)
    assert build_keymap({}).overrides == {}


@pytest.mark.parametrize(
    ("remap", "says", "hint"),
    [
        ({"list.sort": "r"}, "r is both app.refresh and list.sort", "another key"),
        ({"table.mark": "?"}, "? is both app.help and table.mark", "another key"),
        ({"list.fliter": "f"}, "no action 'list.fliter'", "nearest: list.filter"),
        ({"zzz": "f"}, "no action 'zzz'", "docs/keys.md"),
        ({"list.sort": "blob"}, "'blob' is not a key", "allowed"),
        ({"list.sort": "  "}, "list.sort has no key", "example"),
    ],
)
def test_wrong_own_keys_say_what_is_wrong_and_what_to_write(remap: dict[str, str], says: str, hint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        build_keymap(remap)
    assert says in caught.value.message
    assert hint in caught.value.hint


def test_two_actions_may_change_places() -> None:
    assert build_keymap({"list.sort": "d", "list.describe": "o"}).overrides == {"list.sort": "d", "list.describe": "o"}


def test_read_only_takes_away_what_changes_something() -> None:
    free, bound = build_keymap(), build_keymap(read_only=True)
    delete = free.get("list.delete")
    assert delete is not None
    assert bound.get("list.delete") is None
    assert (free.allows("delete"), bound.allows("delete"), bound.allows("filter")) == (True, False, True)
    assert "D" in {b.key for b in free.bindings(Scope.LIST)} - {b.key for b in bound.bindings(Scope.LIST)}
    assert delete in free.footer(LIST_SCOPES, Situation(has_row=True))
    assert delete not in bound.footer(LIST_SCOPES, Situation(has_row=True))
    assert {a.id for a in free.actions} - {a.id for a in bound.actions} == {a.id for a in ACTIONS if a.mutates}


def _footer(situation: Situation, limit: int = 6) -> list[str]:
    return [a.id for a in Keymap().footer(LIST_SCOPES, situation, limit)]


def test_the_footer_shows_what_can_be_done_here_and_now() -> None:
    nothing, row = Situation(), Situation(has_row=True)
    assert "table.open" not in _footer(nothing)
    assert _footer(row)[0] == "table.open"
    assert "list.delete" in _footer(row)
    assert "list.delete" not in _footer(Situation(has_row=True, can_change=False)), "a bucket is not deleted"
    assert "table.unmark" not in _footer(row)
    assert {"table.unmark", "list.compare"} <= set(_footer(Situation(has_row=True, marks=2)))
    assert "list.compare" not in _footer(Situation(has_row=True, marks=3))
    assert "app.errors" in _footer(Situation(has_row=True, errors=1))
    assert "app.login" in _footer(Situation(has_row=True, signed_out=True))


@pytest.mark.parametrize("limit", [2, 6, 12])
def test_the_way_to_all_other_keys_is_always_last(limit: int) -> None:
    shown = _footer(Situation(has_row=True, marks=2, errors=1), limit)
    assert len(shown) == limit
    assert shown[-1] == "app.help"


@pytest.mark.parametrize("need", Need)
def test_every_need_can_be_met(need: Need) -> None:
    assert not Situation().meets(need)
    assert Situation(True, 2, True, 1, True).meets(need)


def test_bindings_carry_what_footer_and_palette_need() -> None:
    mark = next(b for b in bindings_for(Scope.TABLE) if b.id == "table.mark")
    assert (mark.key, mark.action, mark.tooltip) == ("space", "focused.mark", BY_ID["table.mark"].help)
    assert bindings_for(Scope.LIST, remap={"list.sort": "f4"}) != bindings_for(Scope.LIST)


@pytest.mark.parametrize(
    ("key", "shown", "in_ascii"),
    [
        ("question_mark", "?", "?"),
        ("ctrl+r", "^r", "^r"),
        ("enter", "⏎", "enter"),
        ("left", "←", "left"),
        ("G", "G", "G"),
    ],
)
def test_keys_are_shown_as_they_are_on_the_keyboard(key: str, shown: str, in_ascii: str) -> None:
    assert (key_label(key), key_label(key, ascii_only=True)) == (shown, in_ascii)
