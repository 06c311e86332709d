"""Whatever a tag, a key or a message holds: every widget draws it, on its line, and sends no escape."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.text import Text
from textual.app import App, ComposeResult

from runctl.theme import themes
from runctl.widgets.columns import Column, fit_cell
from runctl.widgets.detail import Detail, Row, Section, render_sections
from runctl.widgets.filter_bar import FilterBar
from runctl.widgets.line import Line, Piece, fit_pieces
from runctl.widgets.lines import StatusLine, TabStrip
from runctl.widgets.money_strip import MoneyStrip, Whereabouts
from runctl.widgets.virtual_table import VirtualTable

HOSTILE = {
    "closing markup, clear screen": "[/x]\x1b[2J",
    "markup": "[bold red]x",
    "window title": "\x1b]0;title\x07after",
    "combining": "e\u0301" * 60,
    "wide": "漢字" * 60,
    "joined emoji": "🤖👩\u200d👩\u200d👧🤖",
    "10 kB": "x" * 10_000,
    "breaks": "a\nb\r\nc\td",
    "right to left": "\u202eevil\u2066",
    "other breaks": "\u2028\u2029\x85",
    "controls": "\x00\x7f\x9b31m",
    "bracket": "[",
    "escaped bracket": "\\[",
    "variable": "$name",
    "nothing": "",
}


def is_harmless(text: str) -> bool:
    """Nothing that moves a terminal's cursor, and nothing that turns the direction of the line round."""
    return not any(unicodedata.category(c) == "Cc" or c in "\u2028\u2029\u202e\u2066" for c in text)


class EverythingApp(App[None]):
    """Every widget of ours with the same text in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        for theme in themes():
            self.register_theme(theme)
        self.theme = "runctl-dark"

    def compose(self) -> ComposeResult:
        yield MoneyStrip()
        yield TabStrip()
        yield FilterBar()
        yield VirtualTable[str](lambda row: row)
        yield Detail()
        yield StatusLine()

    def on_mount(self) -> None:
        text = self.text
        self.query_one(MoneyStrip).show_summary(None, Whereabouts(text, text, (text, text), text))
        self.query_one(TabStrip).show_tabs([("1", "instances", text, 3)], "instances", hint=text)
        bar = self.query_one(FilterBar)
        bar.set_text(text)
        bar.verdict(text, valid=False)
        table = self.query_one(VirtualTable)
        columns: list[Column[str]] = [
            Column("name", "NAME", 12, Text),
            Column("again", "AGAIN", 6, Text, align="right", flex=True),
        ]
        table.set_columns(columns)
        table.set_rows([text, "after"])
        self.query_one(Detail).show([Section(text, (Row(text, text, "warn"), Row("k", text)))])
        self.query_one(StatusLine).show_status([Piece(text, "warn"), Piece(text, rank=1)])


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_every_widget_draws_it_and_sends_no_escape(text: str) -> None:
    app = EverythingApp(text)
    async with app.run_test(size=(60, 24)) as pilot:
        await pilot.pause()
        strips = app.screen._compositor.render_strips()
        assert len(strips) == 24
        for y, strip in enumerate(strips):
            assert is_harmless(strip.text), f"line {y}: {strip.text!r}"
            assert strip.cell_length == 60, f"line {y}"
        table = app.query_one(VirtualTable)
        assert table.render_line(2).text.startswith(" after")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=st.text(max_size=80), width=st.integers(1, 40), align=st.sampled_from(["left", "right"]))
def test_a_cell_has_its_width_and_is_one_line(text: str, width: int, align: str) -> None:
    cell = fit_cell(Text(text), width, align)
    assert cell.cell_len == width
    assert is_harmless(cell.plain)


@settings(max_examples=100, deadline=None)
@given(texts=st.lists(st.text(max_size=30), max_size=6), width=st.integers(0, 120))
def test_pieces_that_may_leave_do_until_the_rest_fits(texts: list[str], width: int) -> None:
    kept = fit_pieces([Piece(t, rank=n) for n, t in enumerate(texts)], width, Line.GAP)
    used = sum(Text(p.text).cell_len for p in kept) + len(Line.GAP) * max(0, len(kept) - 1) + 2
    assert used <= width or not [p for p in kept if p.rank]


@settings(max_examples=100, deadline=None)
@given(title=st.text(max_size=20), key=st.text(max_size=40), value=st.text(max_size=200), width=st.integers(21, 80))
def test_details_have_one_line_a_value_unless_folded(title: str, key: str, value: str, width: int) -> None:
    plain = render_sections([Section(title, (Row(key, value),))], width=width).plain
    assert is_harmless(plain.replace("\n", ""))
