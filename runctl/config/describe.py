"""Settings in words: documentation of each, the commented file to start from, and the values in force."""

from __future__ import annotations

import ast
import inspect
import typing
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple

from runctl.config import settings as source
from runctl.config.load import SAMPLES, Leaf, Origin, OriginKind, Resolved, leaves, masked, tables, variable
from runctl.config.settings import ProfileRules, Settings


class Value(NamedTuple):
    """One setting in force: dotted name, value (masked where it is a secret), origin."""

    name: str
    value: Any
    origin: Origin


def documentation() -> Mapping[str, str]:
    """The text under each field of the settings classes, by dotted name; rules of a profile are `profiles.NAME.…`."""
    texts = _texts()
    found: dict[str, str] = {}
    for item in fields(Settings):
        found[item.name] = texts["Settings", item.name]
        if is_dataclass(section := item.default) and not isinstance(section, type):
            found |= {f"{item.name}.{f.name}": texts[type(section).__name__, f.name] for f in fields(section)}
    return found | {f"profiles.NAME.{f.name}": texts["ProfileRules", f.name] for f in fields(ProfileRules)}


def _texts() -> Mapping[tuple[str, str], str]:
    """Strings that stand under an attribute, by class and attribute."""
    found: dict[tuple[str, str], str] = {}
    for node in ast.parse(inspect.getsource(source)).body:
        if not isinstance(node, ast.ClassDef):
            continue
        for field, text in zip(node.body, node.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
                value = ast.literal_eval(text.value)
                found[node.name, field.target.id] = " ".join(str(value).split())
    return found


def allowed(kind: Any) -> str:
    """What a type with its constraints allows, in words."""
    if typing.get_origin(kind) is typing.Annotated:
        base, *limits = typing.get_args(kind)
        words = {"ge": "at least", "gt": "above", "le": "at most", "min_length": "length at least"}
        said = [f"{text} {getattr(c, name):g}" for c in limits for name, text in words.items() if hasattr(c, name)]
        return " ".join((allowed(base), ", ".join(said))).strip()
    if typing.get_origin(kind) is typing.Literal:
        return " | ".join(f'"{a}"' for a in typing.get_args(kind))
    arms = [a for a in typing.get_args(kind) if a is not type(None)]
    if type(None) in typing.get_args(kind):
        return allowed(arms[0])
    if typing.get_origin(kind) is tuple:
        return "list of texts"
    return {str: "text", bool: "true | false", int: "whole number", float: "number"}.get(kind, str(kind))


def toml_text(value: Any) -> str:
    """A value as TOML writes it; unset values have no TOML form and become an empty text."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return "[" + ", ".join(toml_text(v) for v in value) + "]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def values(resolved: Resolved) -> Iterator[Value]:
    """Every setting in force with its origin, then keys and profile rules."""
    default = Origin(OriginKind.DEFAULT)
    for leaf in leaves():
        held: Any = resolved.settings
        for part in leaf.name.split("."):
            held = getattr(held, part)
        yield Value(leaf.name, masked(leaf.name, held), resolved.origins.get(leaf.name, default))
    for table in tables():
        section, _, name = table.name.partition(".")
        for key, held in getattr(getattr(resolved.settings, section), name).items():
            yield Value(f"{table.name}.{key}", held, resolved.origins.get(f"{table.name}.{key}", default))
    for action, keys in resolved.settings.keys.items():
        yield Value(f"keys.{action}", keys, resolved.origins.get(f"keys.{action}", default))
    for profile, rules in resolved.settings.profiles.items():
        for field in fields(rules):
            name = f"profiles.{profile}.{field.name}"
            yield Value(name, getattr(rules, field.name), resolved.origins.get(name, default))


def starter() -> str:
    """A configuration file in which every setting is explained and commented out."""
    texts = documentation()
    lines = [
        "# Settings of runctl. A line without # in front is in force; every value here is the default or an example."
    ]
    table = ""
    for leaf in leaves():
        head = leaf.name.rpartition(".")[0]
        if head != table:
            lines += ["", f"# {texts[head]}", f"[{head}]"]
            table = head
        lines += ["", f"# {texts[leaf.name]}", f"# {_example(leaf)}"]
    for leaf in tables():
        lines += ["", f"# {texts[leaf.name]}", f"# [{leaf.name}]", "# NAME = 100"]
    lines += ["", f"# {texts['keys']}", "[keys]", '# "app.refresh" = "r f5"', ""]
    lines += [f"# {texts['profiles']}", "# [profiles.production]"]
    for leaf in leaves(ProfileRules):
        lines += [f"# {_example(leaf)}  # {texts[f'profiles.NAME.{leaf.name}']}"]
    return "\n".join(lines) + "\n"


def _example(leaf: Leaf) -> str:
    value = SAMPLES.get(leaf.name) if leaf.default is None else leaf.default
    return f"{leaf.name.rpartition('.')[2]} = {toml_text(value)}"


def environment_name(name: str) -> str:
    """The variable that sets a plain setting, "" for keys and profile rules."""
    return "" if name.startswith(("keys.", "profiles.")) else variable(name)
