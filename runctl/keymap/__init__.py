"""The one table of keys: bindings, footer, help, palette and docs/keys.md are all made from `ACTIONS`.

A new key is one row here and one `action_*` method where its `method` points. Nothing is listed before it works, and
a key that changes something in AWS says so (`mutates`), which is how read-only mode makes it vanish from every list.

`method` is a Textual action string with the place that answers it: `app.` the application, `screen.` the screen on
top, `focused.` the widget that has the focus.
"""

from runctl.keymap.action import HEARD_TOGETHER, Action, Need, Scope
from runctl.keymap.actions import ACTIONS, BY_ID
from runctl.keymap.laid import (
    DEFAULT_KEYMAP,
    Keymap,
    Situation,
    bindings_for,
    build_keymap,
    find_clashes,
    footer_actions,
)
from runctl.keymap.names import key_label, parse_key

__all__ = [
    "ACTIONS",
    "BY_ID",
    "DEFAULT_KEYMAP",
    "HEARD_TOGETHER",
    "Action",
    "Keymap",
    "Need",
    "Scope",
    "Situation",
    "bindings_for",
    "build_keymap",
    "find_clashes",
    "footer_actions",
    "key_label",
    "parse_key",
]
