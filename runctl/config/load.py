"""Read settings: flags over `RUNCTL_*` variables over the project's file over the user's file over defaults.

Every value remembers where it came from. A bad value or an unknown key is a `ConfigurationError` that names file and
line, says what is allowed, and suggests the nearest valid key.
"""

from __future__ import annotations

import difflib
import os
import re
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from runctl import paths
from runctl.config.settings import DEFAULTS, ProfileRules, Settings
from runctl.config.toml_lines import key_lines, line_of
from runctl.errors import ConfigurationError

#: `RUNCTL_*` names that mean something but are no setting: for this tool itself, and those a training job sees.
OTHER_VARIABLES = frozenset(
    f"RUNCTL_{name}"
    for name in (
        *("HOME", "CONFIG", "NOW", "DEBUG"),
        *("JOB", "ATTEMPT", "CHECKPOINT_DIR", "RESUME_FROM", "STOP_FILE", "METRICS_FILE"),
    )
)
_ALIASES = {"RUNCTL_REGION": "regions"}
#: An example of each setting that is unset or empty.
SAMPLES: Mapping[str, Any] = {
    "jobs.bucket": "runctl-123456789012-us-east-1",
    "profile": "lab",
    "owner": "zoe",
    "regions": ("us-east-1",),
    "ui.ascii": True,
    "colour": "red",
    "cost.savings_plan_percent": 30.0,
    "budgets.day_usd": 200.0,
    "budgets.month_usd": 3000.0,
    "budgets.job_usd": 50.0,
}
_SECRET = re.compile(r"secret|token|password|passwd|credential|api_?key", re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_AT_LINE = re.compile(r"\s*\(at line (\d+), column (\d+)\)")
_AT_END = re.compile(r"\s*\(at end of document\)")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}")  # a shape, not a list: new regions need no new runctl


class OriginKind(StrEnum):
    """Which layer a value comes from, weakest first."""

    DEFAULT = "default"
    USER = "user file"
    PROJECT = "project file"
    ENVIRONMENT = "environment"
    FLAG = "flag"


class Origin(NamedTuple):
    """Where a value comes from: the layer, and `file:line`, the variable or the flag."""

    kind: OriginKind
    where: str = ""

    def __str__(self) -> str:
        return self.where or self.kind.value


class Leaf(NamedTuple):
    """One setting: dotted name, type with its constraints, and default."""

    name: str
    type: Any
    default: Any


@dataclass(frozen=True, slots=True)
class Resolved:
    """Settings with the origin of each dotted name, the files that were read, and what looked odd but is no error."""

    settings: Settings
    origins: Mapping[str, Origin]
    files: tuple[Path, ...] = ()
    warnings: tuple[str, ...] = ()


class _Given(NamedTuple):
    """A value somebody gave, not yet checked."""

    path: tuple[str, ...]
    value: Any
    origin: Origin


def leaves(model: type = Settings, prefix: str = "") -> Iterator[Leaf]:
    """Every plain setting of a settings class, in order; `keys`, `profiles` and other tables are left out."""
    import annotated_types  # the constraint names in settings.py are resolved against it

    hints = typing.get_type_hints(model, localns=vars(annotated_types), include_extras=True)
    for item in fields(model):
        hint = hints[item.name]
        if is_dataclass(hint):
            yield from leaves(typing.cast("type", hint), f"{prefix}{item.name}.")
        elif typing.get_origin(hint) is not Mapping:
            yield Leaf(prefix + item.name, hint, item.default)


def tables(model: type = Settings, prefix: str = "") -> Iterator[Leaf]:
    """Tables whose keys the user names, such as `budgets.projects`, with the type of their values."""
    import annotated_types

    hints = typing.get_type_hints(model, localns=vars(annotated_types), include_extras=True)
    for item in fields(model):
        hint = hints[item.name]
        if is_dataclass(hint):
            yield from tables(typing.cast("type", hint), f"{prefix}{item.name}.")
        elif typing.get_origin(hint) is Mapping and prefix:
            yield Leaf(prefix + item.name, typing.get_args(hint)[1], None)


def is_region_name(text: str) -> bool:
    """Whether a region could have this name, such as `us-gov-west-1`."""
    return _REGION.fullmatch(text) is not None


def variable(name: str) -> str:
    """Environment variable of a setting: `ui.refresh_s` is `RUNCTL_UI_REFRESH_S`."""
    return "RUNCTL_" + name.replace(".", "_").upper()


def masked(name: str, value: Any) -> Any:
    """The value, or asterisks where the name or a URL's user part says that it is a secret."""
    if value not in (None, "") and _SECRET.search(name):
        return "****"
    return _USERINFO.sub("****", value) if isinstance(value, str) else value


def config_files(env: Mapping[str, str], cwd: Path) -> tuple[tuple[OriginKind, Path], ...]:
    """Files that exist and count, weakest first."""
    user = paths.user_config_file(env)
    project = next((p for p in paths.project_config_candidates(cwd, env) if p.exists()), None)
    found = [(OriginKind.USER, user)] if user.exists() or env.get("RUNCTL_CONFIG") else []
    if project is not None and project != user:
        found.append((OriginKind.PROJECT, project))
    return tuple(found)


def load_settings(
    env: Mapping[str, str] | None = None, cwd: Path | None = None, flags: Mapping[str, Any] | None = None
) -> Resolved:
    """Resolve all settings.

    Args:
        env: environment; the process's own by default.
        cwd: where the search for the project's file begins; the current directory by default.
        flags: dotted name to a typed value, as the command line parsed it; None values are ignored.

    Raises:
        ConfigurationError: a file cannot be read or holds a bad value, or a variable does.
    """
    env = os.environ if env is None else env
    files = config_files(env, cwd or _here())
    given = [g for kind, path in files for g in _read_file(kind, path)]
    from_environment, warnings = _read_environment(env)
    given += from_environment
    checked = _check(given) if given else []
    checked += [
        _Given(tuple(name.split(".")), value, Origin(OriginKind.FLAG, f"--{name.split('.')[-1].replace('_', '-')}"))
        for name, value in (flags or {}).items()
        if value is not None
    ]
    return Resolved(
        _build(checked),
        MappingProxyType({".".join(g.path): g.origin for g in checked}),
        tuple(path for _, path in files),
        warnings,
    )


def validate_file(path: Path, kind: OriginKind = OriginKind.USER) -> int:
    """Check one file; returns how many values it sets. Raises ConfigurationError as `load_settings` does."""
    given = _read_file(kind, path)
    return len(_check(given)) if given else 0


def _here() -> Path:
    try:
        return Path.cwd()
    except OSError:  # the directory was deleted under us: there is no project then
        return Path("/")


def _read_file(kind: OriginKind, path: Path) -> list[_Given]:
    import tomllib

    try:
        text = path.read_bytes().decode("utf-8-sig")
        data = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8 (byte {error.start})", hint="save the file as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(path, text, error) from error
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be read: {error.strerror}", hint="mend its permissions, or move it away"
        ) from error
    lines = key_lines(text)
    return [_Given(key, value, Origin(kind, f"{path}:{line_of(lines, key) or 1}")) for key, value in _flatten(data, ())]


def _syntax_error(path: Path, text: str, error: Exception) -> ConfigurationError:
    said = str(error)
    if at := _AT_LINE.search(said):
        where = f"{path}:{at.group(1)}:{at.group(2)}"
    else:
        where = f"{path}:{len(text.splitlines()) or 1}"
    what = _AT_END.sub(" at the end of the file", _AT_LINE.sub("", said))
    return ConfigurationError(f"{where}: not TOML: {what}", hint='write for example: [ui] and below it theme = "dark"')


def _flatten(data: Mapping[str, Any], prefix: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in data.items():
        path = (*prefix, key)
        if isinstance(value, dict) and value:
            yield from _flatten(value, path)
        elif value != {}:  # an empty table sets nothing
            yield path, tuple(value) if isinstance(value, list) else value


def _read_environment(env: Mapping[str, str]) -> tuple[list[_Given], tuple[str, ...]]:
    names = [name for name in env if name.startswith("RUNCTL_") and name not in OTHER_VARIABLES]
    if not names:
        return [], ()
    known = {variable(leaf.name): leaf for leaf in leaves()}
    known |= {alias: next(x for x in leaves() if x.name == name) for alias, name in _ALIASES.items()}
    given: list[_Given] = []
    warnings: list[str] = []
    for name in sorted(names):
        leaf = known.get(name)
        if leaf is None:
            near = difflib.get_close_matches(name, known, n=1)
            warnings.append(f"{name} is not a setting" + (f"; did you mean {near[0]}?" if near else ""))
        elif text := env[name].strip():  # set but empty means unset, as with AWS's own variables
            value: Any = tuple(filter(None, re.split(r"[,\s]+", text))) if leaf.name == "regions" else text
            given.append(_Given(tuple(leaf.name.split(".")), value, Origin(OriginKind.ENVIRONMENT, name)))
    return given, tuple(warnings)


def _check(given: list[_Given]) -> list[_Given]:
    """Validate each value against its leaf's type; files strictly, variables (always text) leniently."""
    plain = {leaf.name: leaf.type for leaf in leaves()}
    rules = {leaf.name: leaf.type for leaf in leaves(ProfileRules)}
    named = {leaf.name: leaf.type for leaf in tables()}
    checked = []
    for item in given:
        path = item.path
        if path[0] == "keys" and len(path) > 1:
            kind: Any = str
            path = ("keys", ".".join(path[1:]))  # `instances.stop = "S"` nests in TOML, and is one action's id
        elif path[0] == "profiles" and len(path) > 2:
            kind = rules.get(".".join(path[2:]))
        elif len(path) > 2 and (table := ".".join(path[:2])) in named:
            kind, path = named[table], (*path[:2], ".".join(path[2:]))
        else:
            kind = plain.get(".".join(path))
        if kind is None:
            raise _unknown_key(item, plain, rules)
        checked.append(item._replace(path=path, value=_validated(item, kind)))
    return checked


def _validated(item: _Given, kind: Any) -> Any:
    from pydantic import TypeAdapter, ValidationError

    name = ".".join(item.path)
    try:
        value = TypeAdapter(kind).validate_python(item.value, strict=item.origin.kind is not OriginKind.ENVIRONMENT)
    except ValidationError as error:
        said = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigurationError(
            f"{item.origin}: {name} = {_shown(name, item.value)}: {said[:1].lower()}{said[1:]}", hint=_example(name)
        ) from error
    if item.path[-1] == "regions":
        _check_regions(item, value)
    return value


def _check_regions(item: _Given, regions: tuple[str, ...]) -> None:
    for region in regions:
        if region != "all" and not is_region_name(region):
            raise ConfigurationError(
                f"{item.origin}: {'.'.join(item.path)}: {region!r} is not a region name",
                hint='write for example: regions = ["us-east-1", "eu-west-1"], or ["all"]',
            )


def _shown(name: str, value: Any) -> str:
    value = masked(name, value)
    if isinstance(value, bool):
        return str(value).lower()
    text = f'"{value}"' if isinstance(value, str) else str(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= 60 else text[:57] + "..."


def _example(name: str) -> str:
    default = {leaf.name: leaf.default for leaf in leaves()}.get(name)
    value = SAMPLES.get(name, default) if default in (None, ()) else default
    return "" if value is None else f"write for example: {name} = {_shown(name, value)}"


def _unknown_key(item: _Given, plain: Mapping[str, Any], rules: Mapping[str, Any]) -> ConfigurationError:
    name = ".".join(item.path)
    heads = {"keys", "profiles", *(v.split(".")[0] for v in plain if "." in v), *(leaf.name for leaf in tables())}
    if name in heads or (item.path[0] == "profiles" and len(item.path) == 2):
        return ConfigurationError(
            f"{item.origin}: {name} is a table, not a value", hint=f"write [{name}] on a line of its own"
        )
    if item.path[0] == "profiles":
        valid = [f"profiles.{item.path[1]}.{rule}" for rule in rules]
    else:
        valid = [*plain, "keys", "profiles", *(f"{leaf.name}.NAME" for leaf in tables())]
    near = difflib.get_close_matches(name, valid, n=1, cutoff=0.5)
    if not near:  # the right key in the wrong table
        near = [v for v in valid if v.rsplit(".", 1)[-1] == item.path[-1]]
    hint = f"did you mean {near[0]}?" if near else f"valid keys: {', '.join(valid)}"
    return ConfigurationError(f"{item.origin}: unknown key {name}", hint=hint)


def _build(given: list[_Given]) -> Settings:
    """Lay the checked values over the defaults, weakest first."""
    sections: dict[str, dict[str, Any]] = {}
    top: dict[str, Any] = {}
    keys: dict[str, str] = {}
    profiles: dict[str, dict[str, Any]] = {}
    for path, value, _ in given:
        if path[0] == "keys":
            keys[path[1]] = value
        elif path[0] == "profiles":
            profiles.setdefault(path[1], {})[path[2]] = value
        elif len(path) == 1:
            top[path[0]] = value
        elif len(path) == 3:
            sections.setdefault(path[0], {}).setdefault(path[1], {})[path[2]] = value
        else:
            sections.setdefault(path[0], {})[path[1]] = value
    for name, values in sections.items():
        top[name] = replace(getattr(DEFAULTS, name), **values)
    if keys:
        top["keys"] = MappingProxyType(keys)
    if profiles:
        top["profiles"] = MappingProxyType({name: ProfileRules(**values) for name, values in profiles.items()})
    return replace(DEFAULTS, **top) if top else DEFAULTS
