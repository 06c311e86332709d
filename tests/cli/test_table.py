"""Columns line up, texts are cut before columns go, ids and money stay."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runctl.cli.style import Style, cell_width
from runctl.cli.table import Cell, Column, table_lines

COLUMNS = (
    Column("ID", whole=True, keep=True),
    Column("NAME", keep=True),
    Column("NOTE"),
    Column("$/H", right=True, whole=True, keep=True),
    Column("OWNER"),
)


def lines(*rows: tuple[str, ...], width: int | None = None, headers: bool = True) -> list[str]:
    cells = [[Cell(text) for text in row] for row in rows]
    return list(table_lines(COLUMNS, cells, Style(width=width), headers=headers))


def test_columns_line_up_with_wide_letters() -> None:
    assert lines(("i-1", "東京", "a", "1.0060", "zoe"), ("i-22", "x", "bcd", "10.5000", "-")) == [
        "ID    NAME  NOTE      $/H  OWNER",
        "i-1   東京  a      1.0060  zoe",
        "i-22  x     bcd   10.5000  -",
    ]


def test_rows_only_without_headers_and_nothing_for_nothing() -> None:
    assert lines(("i-1", "x", "a", "1", "z"), headers=False) == ["i-1  x     a       1  z"]
    assert lines(headers=False) == []


def test_narrow_texts_are_cut_first_then_columns_go_from_the_right() -> None:
    row = ("i-0123456789abcdef0", "a-very-long-name-indeed", "a-very-long-note-indeed", "1.0060", "zoe")
    assert lines(row, width=75)[1] == "i-0123456789abcdef0  a-very-long-n…  a-very-long-note-indeed  1.0060  zoe"
    assert lines(row, width=60)[1] == "i-0123456789abcdef0  a-very-long…  a-very-long-note…  1.0060"
    assert lines(row, width=45) == [
        "ID                   NAME                 $/H",
        "i-0123456789abcdef0  a-very-long-nam…  1.0060",
    ]


@given(
    st.lists(st.tuples(*(st.text(st.sampled_from("ab東1."), max_size=30) for _ in COLUMNS)), min_size=1, max_size=5),
    st.integers(1, 120),
)
def test_ids_and_money_are_whole_at_every_width(rows: list[tuple[str, ...]], width: int) -> None:
    drawn = lines(*rows, width=width)
    assert len(drawn) == len(rows) + 1
    for row, line in zip(rows, drawn[1:], strict=True):
        assert line.startswith(row[0])
        assert row[3] in line
    least = cell_width("ID") + 4 + 12 + max(cell_width(r[3]) for r in rows) + max(cell_width(r[0]) for r in rows) + 4
    if width >= least:
        assert all(cell_width(line) <= width for line in drawn)
