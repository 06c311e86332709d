"""A style sheet that is parsed once still says what Textual's own says."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.css.stylesheet import Stylesheet
from textual.theme import Theme
from textual.widgets import Static

from runctl.widgets.stylesheet import KeptStylesheet


def test_new_variables_mean_new_rules_and_old_ones_keep_theirs() -> None:
    sheet = KeptStylesheet(variables={"ground": "red"})
    sheet.add_source("Static { background: $ground; }")
    sheet.reparse()
    before = sheet.rules
    sheet.set_variables({"ground": "red"})
    sheet.reparse()
    assert all(a is b for a, b in zip(before, sheet.rules, strict=True))
    sheet.set_variables({"ground": "blue"})
    sheet.reparse()
    plain = Stylesheet(variables={"ground": "blue"})
    plain.add_source("Static { background: $ground; }")
    assert sheet.css == plain.css
    assert "rgb(0,0,255)" in sheet.css.replace(" ", "") or "blue" in sheet.css.lower() or "#0000FF" in sheet.css


async def test_a_theme_chosen_later_is_seen() -> None:
    class Themed(App[None]):
        CSS = "Static { background: $background; }"

        def __init__(self) -> None:
            super().__init__()
            self.stylesheet = KeptStylesheet(variables=self.get_css_variables())
            self.register_theme(Theme("one", primary="#111111", background="#112233"))
            self.register_theme(Theme("two", primary="#111111", background="#445566"))
            self.theme = "one"

        def compose(self) -> ComposeResult:
            yield Static("x")

    app = Themed()
    async with app.run_test() as pilot:
        await pilot.pause()
        assert app.query_one(Static).styles.background.hex == "#112233"
        app.theme = "two"
        await pilot.pause()
        assert app.query_one(Static).styles.background.hex == "#445566"
