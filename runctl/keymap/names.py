"""Names of keys: as Textual has them, as a person writes them, as they are shown."""

from __future__ import annotations

from textual.keys import KEY_NAME_REPLACEMENTS, Keys

from runctl.errors import ConfigurationError

_WORDS = {
    "colon": ":", "slash": "/", "question_mark": "?", "exclamation_mark": "!", "equals_sign": "=", "asterisk": "*",
    "less_than_sign": "<", "greater_than_sign": ">", "left_square_bracket": "[", "right_square_bracket": "]",
    "plus": "+", "minus": "-", "comma": ",", "full_stop": ".", "semicolon": ";", "backslash": "\\", "at": "@",
    "number_sign": "#", "dollar_sign": "$", "percent_sign": "%", "ampersand": "&", "apostrophe": "'",
    "quotation_mark": '"', "left_parenthesis": "(", "right_parenthesis": ")", "underscore": "_", "grave_accent": "`",
    "circumflex_accent": "^", "tilde": "~", "vertical_line": "|", "left_curly_bracket": "{",
    "right_curly_bracket": "}",
}  # fmt: skip
_NAMES = {character: name for name, character in _WORDS.items()} | {" ": "space"}
_SHOWN = {
    "enter": "⏎", "escape": "esc", "pagedown": "pgdn", "pageup": "pgup", "left": "←", "right": "→",
    "up": "↑", "down": "↓",
}  # fmt: skip
_SHOWN_ASCII = {"enter": "enter", "left": "left", "right": "right", "up": "up", "down": "down"}
_ALIASES = {"esc": "escape", "return": "enter", "pgup": "pageup", "pgdn": "pagedown", "del": "delete", "ins": "insert"}
_PLAIN = {key.value for key in Keys if "+" not in key.value and "<" not in key.value} | set(_WORDS)


def key_label(key: str, *, ascii_only: bool = False) -> str:
    """How a Textual key name is shown to a person: `question_mark` is `?`, `ctrl+r` is `^r`."""
    modifier, _, plain = key.rpartition("+")
    table = (_SHOWN | _SHOWN_ASCII) if ascii_only else _SHOWN
    shown = table.get(plain) or _WORDS.get(plain, plain)
    return f"{modifier}+{shown}".replace("ctrl+", "^") if modifier else shown


def parse_key(text: str) -> str:
    """The Textual name of a key as a person writes it: `?`, `G`, `shift+g`, `F5`, `ctrl+r`, `Esc`.

    Raises:
        ConfigurationError: no keyboard has such a key.
    """
    *modifiers, plain = [part.strip() for part in text.strip().split("+")] if text.strip() != "+" else ["plus"]
    plain = _ALIASES.get(plain.lower(), plain)
    if len(plain) == 1:
        plain = _NAMES.get(plain, plain)
    elif plain.lower() in _PLAIN:
        plain = plain.lower()
    plain = KEY_NAME_REPLACEMENTS.get(plain, plain)
    modifiers = sorted(m.lower() for m in modifiers)
    known = (len(plain) == 1 and plain.isprintable()) or plain in _PLAIN
    if not known or not set(modifiers) <= {"ctrl", "shift", "alt"} or (len(modifiers) != len(set(modifiers))):
        raise ConfigurationError(
            f"[keys]: {text!r} is not a key",
            hint='allowed: a character or a name ("enter", "space", "f5", "ctrl+r"); example: "app.refresh" = "f5"',
        )
    if modifiers == ["shift"] and len(plain) == 1 and plain.isalpha():
        return plain.upper()  # terminals send the capital, not shift and a letter
    return "+".join([*modifiers, plain.lower() if "ctrl" in modifiers and len(plain) == 1 else plain])
