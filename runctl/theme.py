"""Colours and glyphs: what a state looks like, with and without colour, with and without Unicode.

Tokens are the only colours anywhere. A state is a glyph and a word; colour repeats it and never says it alone.
"""

from __future__ import annotations

import locale
from collections.abc import Mapping
from dataclasses import dataclass

from textual.theme import Theme

#: Every colour a screen may use.
TOKEN_NAMES = (
    "state-ok", "state-wait", "state-off", "state-bad", "warn", "money", "money-hot", "stale", "accent", "muted",
)  # fmt: skip

_DARK = {
    "state-ok": "#7bc96f", "state-wait": "#e3c95b", "state-off": "#a0a6b0", "state-bad": "#ff8a80", "warn": "#ffb454",
    "money": "#d7dae0", "money-hot": "#ffb454", "stale": "#a6aeb9", "accent": "#6cb6ff", "muted": "#a6aeb9",
}  # fmt: skip
_LIGHT = {
    "state-ok": "#1a6b28", "state-wait": "#7a5b00", "state-off": "#565d66", "state-bad": "#b3261e", "warn": "#8a4b00",
    "money": "#1f2328", "money-hot": "#8a4b00", "stale": "#5a626c", "accent": "#0b57a4", "muted": "#5a626c",
}  # fmt: skip
#: Blue and orange keep apart for red-green and blue-yellow weak eyes alike (Okabe and Ito, "Color Universal Design").
_SAFE = _DARK | {
    "state-ok": "#56b4e9",
    "state-wait": "#f0e442",
    "state-bad": "#e69f00",
    "warn": "#e69f00",
    "money-hot": "#e69f00",
}
#: The terminal's own colours, by name. Its ground may be black or white, so only those that are read on both: neither
#: the bright ones nor white and black, which one of the two grounds swallows.
_ANSI = {
    "state-ok": "green", "state-wait": "yellow", "state-off": "default", "state-bad": "red", "warn": "yellow",
    "money": "default", "money-hot": "magenta", "stale": "default", "accent": "cyan", "muted": "default",
}  # fmt: skip
#: What Textual's own style sheets refer to as soon as a theme says that it is made of the terminal's colours.
_ANSI_VARIABLES = {
    "ansi-background": "ansi_default",
    "ansi-foreground": "ansi_default",
    "border-blurred": "ansi_default",
    "input-cursor-background": "ansi_default",
    "input-cursor-foreground": "ansi_default",
    "input-cursor-text-style": "reverse",
    "input-selection-background": "ansi_blue",
    "input-selection-foreground": "ansi_bright_white",
    "screen-selection-background": "ansi_blue",
    "screen-selection-foreground": "ansi_bright_white",
}

#: Foreground, background, surface and the cursor's background of each theme.
GROUNDS = {
    "dark": ("#d7dae0", "#14171c", "#1b1f26", "#26344a"),
    "light": ("#1f2328", "#ffffff", "#f2f4f7", "#d5e5f7"),
    "colour-blind": ("#d7dae0", "#14171c", "#1b1f26", "#26344a"),
}
_TOKENS = {"dark": _DARK, "light": _LIGHT, "colour-blind": _SAFE, "ansi": _ANSI}
DEFAULT = "dark"


def theme_name(setting: str, *, no_color: bool = False) -> str:
    """Textual's name of a theme of ours.

    Without colour the terminal's own palette cannot be used: Textual 8 turns each of its entries into the same black,
    text and ground alike. A theme with colours of its own becomes greys that keep their contrast.
    """
    return f"runctl-{DEFAULT if no_color and setting == 'ansi' else setting}"


def setting_of(name: str) -> str:
    """Our name of one of Textual's; the default for a foreign one."""
    setting = name.removeprefix("runctl-")
    return setting if setting in _TOKENS else DEFAULT


def tokens(setting: str) -> Mapping[str, str]:
    """Colour of every token in a theme, in words Rich and Textual both read."""
    return _TOKENS.get(setting, _DARK)


def themes() -> tuple[Theme, ...]:
    """Our themes, ready to register."""
    made = []
    for setting, colours in _TOKENS.items():
        ansi = setting == "ansi"
        text, ground, surface, cursor = GROUNDS.get(
            setting, ("ansi_default", "ansi_default", "ansi_default", "ansi_blue")
        )
        named = {k: (f"ansi_{v}" if ansi else v) for k, v in colours.items()}
        made.append(
            Theme(
                name=theme_name(setting),
                primary=named["accent"],
                secondary=named["accent"],
                accent=named["accent"],
                warning=named["warn"],
                error=named["state-bad"],
                success=named["state-ok"],
                foreground=text,
                background=ground,
                surface=surface,
                panel=surface,
                boost=surface if ansi else None,
                dark=setting != "light",
                ansi=ansi,
                variables={
                    **named,
                    "cursor-ground": cursor,
                    "block-cursor-background": cursor,
                    "block-cursor-foreground": "ansi_bright_white" if ansi else text,
                    **(_ANSI_VARIABLES if ansi else {}),
                },
            )
        )
    return tuple(made)


_CHANGING = frozenset({
    "pending", "stopping", "shutting-down", "creating", "deleting", "recovering", "loading", "provisioning",
    "bootstrapping", "syncing", "cancelling", "finalizing", "interrupted",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The signs of one character set."""

    running: str = "●"
    changing: str = "◐"
    stopped: str = "○"
    ended: str = "✕"
    warning: str = "▲"
    error: str = "!"
    unknown: str = "?"
    ours: str = "◆"
    foreign: str = "·"
    mark: str = "▌"
    full: str = "▮"
    empty: str = "▯"
    up: str = "↑"
    down: str = "↓"
    dot: str = "·"
    ellipsis: str = "…"
    arrow: str = "→"

    def state(self, state: str) -> str:
        """The glyph of an instance's, volume's or job's state."""
        word = state.lower()
        if word in ("running", "in-use", "available", "completed", "succeeded", "live"):
            return self.running
        if word in _CHANGING:
            return self.changing
        if word in ("stopped", "cancelled", "none"):
            return self.stopped
        return self.ended if word in ("terminated", "failed", "error", "deleted", "lost") else self.unknown


UNICODE = Glyphs()
ASCII = Glyphs(
    running="*", changing="~", stopped="o", ended="x", warning="^", error="!", unknown="?", ours="#", foreign=".",
    mark=">", full="#", empty="-", up="^", down="v", dot="|", ellipsis="~", arrow="->",
)  # fmt: skip


def glyphs(ascii_only: bool | None = None) -> Glyphs:
    """The signs to use; None decides by the locale's encoding."""
    if ascii_only is None:
        ascii_only = "utf" not in locale.getpreferredencoding(False).lower()
    return ASCII if ascii_only else UNICODE


def state_token(state: str) -> str:
    """The colour token of a state."""
    shape = UNICODE.state(state)
    by_shape = {UNICODE.running: "state-ok", UNICODE.changing: "state-wait", UNICODE.ended: "state-bad"}
    return by_shape.get(shape, "state-off")
