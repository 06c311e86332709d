"""Colours can be read, and nothing depends on them."""

from __future__ import annotations

from dataclasses import fields

import pytest
from textual.app import App, ComposeResult
from textual.color import Color
from textual.widgets import Input, OptionList, Static

from runctl.theme import ASCII, GROUNDS, TOKEN_NAMES, UNICODE, glyphs, setting_of, theme_name, themes, tokens


def contrast(a: Color, b: Color) -> float:
    """WCAG 2 contrast ratio."""

    def luminance(colour: Color) -> float:
        channels = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in colour.normalized]
        return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]

    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("setting", GROUNDS)
@pytest.mark.parametrize("token", TOKEN_NAMES)
def test_every_token_can_be_read_on_every_ground(setting: str, token: str) -> None:
    colour = Color.parse(tokens(setting)[token])
    for ground in GROUNDS[setting][1:]:
        assert contrast(colour, Color.parse(ground)) >= 4.5, f"{token} on {ground}"


def test_every_theme_has_every_token() -> None:
    assert {t.name for t in themes()} == {theme_name(s) for s in ("dark", "light", "colour-blind", "ansi")}
    assert all(set(TOKEN_NAMES) <= set(t.variables) for t in themes())
    assert setting_of("somebody-else") == "dark"


class ThemedApp(App[None]):
    """A bit of everything, in one of our themes."""

    def __init__(self, setting: str) -> None:
        super().__init__()
        for theme in themes():
            self.register_theme(theme)
        self.theme = theme_name(setting, no_color=self.no_color)

    def compose(self) -> ComposeResult:
        yield Static("hello")
        yield Input("typed")
        yield OptionList("one", "two")

    def colours_of(self, y: int) -> list[tuple[str, str]]:
        """Text and ground of each piece of a line as the terminal gets it."""
        strip = self.screen._compositor.render_strips()[y]
        for line_filter in self._filters:
            if line_filter.enabled:
                strip = strip.apply_filter(line_filter, self.screen.background_colors[1])
        styles = [s.style for s in strip if s.style and s.text.strip()]
        return [(s.color.name if s.color else "", s.bgcolor.name if s.bgcolor else "") for s in styles]


@pytest.mark.parametrize("no_color", [False, True])
@pytest.mark.parametrize("setting", [*GROUNDS, "ansi"])
async def test_an_application_starts_in_every_theme_and_text_is_not_its_ground(
    setting: str, no_color: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    app = ThemedApp(setting)
    async with app.run_test(size=(30, 10)) as pilot:
        await pilot.pause()
        pairs = [pair for y in range(10) for pair in app.colours_of(y)]
    assert pairs
    # The terminal's own default for both is the one pair of equal names that can be read.
    assert [p for p in pairs if p[0] == p[1] and p[0] not in ("default", "")] == []


def test_without_colour_the_terminals_palette_is_not_used() -> None:
    assert theme_name("ansi", no_color=True) == theme_name("dark")
    assert theme_name("ansi") == "runctl-ansi"
    assert theme_name("light", no_color=True) == "runctl-light"


@pytest.mark.parametrize("ground", ["black", "white"])
def test_the_terminals_colours_are_those_read_on_both_grounds(ground: str) -> None:
    assert not [t for t, c in tokens("ansi").items() if c.startswith("bright_") or c in (ground, "black", "white")]


def test_ascii_has_a_twin_for_every_sign() -> None:
    for field in fields(ASCII):
        assert str(getattr(ASCII, field.name)).isascii()
    states = ("running", "pending", "stopped", "terminated", "odd")
    assert len({ASCII.state(s) for s in states}) == len({UNICODE.state(s) for s in states}) == 5
    assert glyphs(ascii_only=True) is ASCII
