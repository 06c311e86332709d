"""`runctl config`: what is set, where it comes from, and whether it is right."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path
from typing import Any

from runctl import paths
from runctl.cli import arguments, output
from runctl.cli.arguments import Parser
from runctl.cli.dispatch import Verb, complain
from runctl.cli.invocation import start
from runctl.cli.style import Tone
from runctl.cli.table import Cell, Column, table_lines
from runctl.config import Resolved, config_files, validate_file
from runctl.config.describe import Value, starter, toml_text, values
from runctl.config.load import OriginKind
from runctl.errors import ConfigurationError, InputError


def settings_json(resolved: Resolved) -> list[dict[str, Any]]:
    """Every setting in force as JSON."""
    return [
        {"name": v.name, "value": v.value, "from": str(v.origin), "layer": str(v.origin.kind)} for v in values(resolved)
    ]


def setting_rows(resolved: Resolved) -> list[list[Cell]]:
    """Every setting in force as cells: name, value, origin."""
    return [[Cell(v.name), _value_cell(v), Cell(str(v.origin), _tone(v))] for v in values(resolved)]


def _value_cell(value: Value) -> Cell:
    return Cell(toml_text(value.value) or "unset", _tone(value))


def _tone(value: Value) -> Tone:
    return Tone.DIM if value.origin.kind is OriginKind.DEFAULT else Tone.PLAIN


COLUMNS = (Column("NAME", whole=True, keep=True), Column("VALUE", keep=True), Column("FROM", whole=True, keep=True))


def check_keys(resolved: Resolved) -> None:
    """Whether `[keys]` names actions and keys that exist and do not clash; needs Textual, so only where that is fine.

    Raises:
        ConfigurationError: they do not; file and line are named.
    """
    keys = resolved.settings.keys
    if not keys:
        return
    from runctl.keymap import build_keymap

    for part in (*({action: key} for action, key in keys.items()), keys):  # each alone, then together for clashes
        try:
            build_keymap(part)
        except ConfigurationError as error:
            where = resolved.origins.get(f"keys.{next(iter(part))}", "")
            raise ConfigurationError(f"{where}: {error.message}", hint=error.hint) from error


def _show(args: Namespace) -> int:
    call = start(args)
    if call.output == "json":
        output.write_json(settings_json(call.resolved))
        return 0
    output.write_lines(table_lines(COLUMNS, setting_rows(call.resolved), call.style))
    if not call.settings.profile and (name := os.environ.get("AWS_PROFILE")):
        call.hint(f"profile is unset, so AWS's own rules hold: AWS_PROFILE={call.style.clean(name)}")
    return 0


def _init(args: Namespace) -> int:
    target = Path.cwd() / paths.CONFIG_NAME if args.project else paths.user_config_file()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8") as file:  # "x": an existing file is never overwritten
            file.write(starter())
    except FileExistsError as error:
        raise InputError(
            f"runctl config init: {target} exists already", allowed="edit it, or move it away first"
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"{target}: cannot be written: {error.strerror}", hint="RUNCTL_CONFIG names another place"
        ) from error
    output.write_lines((str(target),))
    return 0


def _validate(args: Namespace) -> int:
    if not args.files:
        call = start(args)
        check_keys(call.resolved)
        for path in call.resolved.files:
            output.write_lines((f"{path}: ok",))
        if not call.resolved.files:
            call.hint("no configuration file; the defaults hold (runctl config init writes one)")
        return 0
    failed: ConfigurationError | None = None
    for path in map(Path, args.files):
        try:
            count = validate_file(path)
        except ConfigurationError as error:
            complain(error)
            failed = error
        else:
            output.write_lines((f"{path}: ok, {count} value{'s' * (count != 1)}",))
    return failed.exit_code if failed else 0


def _path(args: Namespace) -> int:
    del args
    here, env = Path.cwd(), os.environ
    found = {path for _, path in config_files(env, here)}
    project = next((p for p in paths.project_config_candidates(here, env) if p in found), here / paths.CONFIG_NAME)
    for kind, path in (("project", project), ("user", paths.user_config_file())):
        output.write_lines((f"{kind}  {path}" + ("" if path.exists() else "  (not there)"),))
    return 0


def _configure_show(parser: Parser) -> None:
    arguments.add_format(parser, ("table", "json"))


def _configure_init(parser: Parser) -> None:
    parser.add_argument("--project", action="store_true", help="write runctl.toml here instead of the user's file")


def _configure_validate(parser: Parser) -> None:
    parser.add_argument("files", nargs="*", metavar="FILE", help="files to check; none: those in force, and variables")


VERBS = {
    "show": Verb(_configure_show, _show, ("runctl config show -o json",)),
    "init": Verb(_configure_init, _init, ("runctl config init --project",)),
    "validate": Verb(_configure_validate, _validate, ("runctl config validate runctl.toml",)),
    "path": Verb(lambda _: None, _path),
}
