"""Exports: the rows shown, private, never over another file, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import stat
from pathlib import Path

import pytest

from runctl.errors import InputError
from runctl.models.snapshot import Snapshot
from runctl.screens.export import render_csv, write_export
from runctl.store.fields import INSTANCE_FIELDS, Context
from tests.screens.fleet import NOW, machine, machines

CONTEXT = Context(NOW, Snapshot(instances=machines()))


def test_json_is_the_items_of_the_headless_output(tmp_path: Path) -> None:
    path = write_export(machines(), INSTANCE_FIELDS, CONTEXT, form="json", path="", directory=tmp_path)
    items = json.loads(path.read_text())
    assert items == json.loads(json.dumps([INSTANCE_FIELDS.to_json(m, CONTEXT) for m in machines()]))
    assert path.name == "runctl-instances-20260314T092653Z.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_csv_keeps_unknown_empty_and_formulas_as_text() -> None:
    rows = [machine(1, "=HYPERLINK(1)", rate=None), machine(2, 'quote " and, comma')]
    read = list(csv.DictReader(io.StringIO(render_csv(rows, INSTANCE_FIELDS, CONTEXT))))
    assert read[0]["name"] == "'=HYPERLINK(1)"
    assert read[0]["usd_per_hour"] == ""
    assert read[1]["name"] == 'quote " and, comma'
    assert json.loads(read[0]["tags"]) == {"Name": "=HYPERLINK(1)"}


def test_an_existing_file_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("precious")
    with pytest.raises(InputError, match="exists"):
        write_export([], INSTANCE_FIELDS, CONTEXT, form="csv", path="rows.csv", directory=tmp_path)
    assert (tmp_path / "rows.csv").read_text() == "precious"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/rows\.csv"):
        write_export([], INSTANCE_FIELDS, CONTEXT, form="csv", path="file/rows.csv", directory=tmp_path)
