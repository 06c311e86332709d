"""Writing what is shown to a file: the same fields as the headless output, CSV or JSON, readable by the owner only."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from runctl.errors import InputError
from runctl.store.fields import Context, Field, Fields, Kind, json_value

T = TypeVar("T")
FORMATS = ("csv", "json")
#: A spreadsheet takes a cell that begins so for a formula; a leading apostrophe makes it text (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def render_json(items: Iterable[T], fields: Fields[T], context: Context) -> str:
    """An array of the items, as in `--once`."""
    return json.dumps([fields.to_json(item, context) for item in items], indent=2, ensure_ascii=False) + "\n"


def render_csv(items: Iterable[T], fields: Fields[T], context: Context) -> str:
    """One line an item, all JSON fields as columns; unknown is empty, tags and other objects are JSON in a cell."""
    columns = [column for column in fields.columns if column.in_json]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([column.name for column in columns])
    for item in items:
        writer.writerow([_cell(column, item, context) for column in columns])
    return out.getvalue()


def _cell(column: Field[T], item: T, context: Context) -> Any:
    value = json_value(column.get(item, context))
    if value is None:
        return ""
    if column.kind is Kind.OBJECT:
        return json.dumps(value, ensure_ascii=False)
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def write_export(
    items: Sequence[T], fields: Fields[T], context: Context, *, form: str, path: str, directory: Path
) -> Path:
    """Write the items and return the file's path.

    Args:
        items: what is shown, in the order shown.
        fields: the noun's fields.
        context: the time and the snapshot.
        form: "csv" or "json".
        path: where to; "" makes a dated name in `directory`. An existing file is never written over.
        directory: for the default name and relative paths.

    Raises:
        InputError: the file exists or cannot be written.
    """
    target = directory / (Path(path).expanduser() if path else _default_name(fields.noun, form, context.now))
    text = (render_json if form == "json" else render_csv)(items, fields, context)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise InputError(f"{target} exists", allowed="a new file", example=f":export {form} other.{form}") from None
    except OSError as error:
        raise InputError(
            f"{target}: {error.strerror}", allowed="a place you may write to", example=f":export {form} ~/rows.{form}"
        ) from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return target


def _default_name(noun: str, form: str, now: datetime) -> Path:
    return Path(f"runctl-{noun}-{now:%Y%m%dT%H%M%SZ}.{form}")
