"""Colours can be read, and nothing depends on them."""

from __future__ import annotations

from dataclasses import fields

import pytest
from textual.color import Color

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


def test_ascii_has_a_twin_for_every_sign() -> None:
    for field in fields(ASCII):
        assert str(getattr(ASCII, field.name)).isascii()
    states = ("running", "pending", "stopped", "terminated", "odd")
    assert len({ASCII.state(s) for s in states}) == len({UNICODE.state(s) for s in states}) == 5
    assert glyphs(ascii_only=True) is ASCII
