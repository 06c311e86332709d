"""The first minute of somebody without credentials: three ways on."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from runctl.format import clean_text
from runctl.keymap import Keymap, Scope, bindings_for, key_label


class WelcomeModal(ModalScreen[str]):
    """The result is the way that was chosen: "demo", "login", "how", "profile" or "".

    Args:
        reason: what AWS (or this machine) said.
        login: the command line that logs in.
        keymap: the keys in force.
    """

    CSS_PATH = "modals.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Scope.WELCOME)]

    def __init__(self, reason: str, login: str, keymap: Keymap) -> None:
        super().__init__()
        self._reason, self._login, self._keymap = reason, login, keymap

    def compose(self) -> ComposeResult:
        """What is wrong, and what can be done."""
        notes = {"welcome.login": self._login, "welcome.how": "where was looked, and what was found there"}
        with Vertical(classes="dialog", id="welcome"):
            yield Static("No AWS credentials", classes="title", markup=False)
            yield Static(clean_text(self._reason), classes="reason", markup=False)
            for action in self._keymap.of(Scope.WELCOME):
                note = notes.get(action.id, "")
                key = key_label(action.keys[0])
                yield Static(f"  {key:<4} {action.help}", classes="way", markup=False)
                if note:
                    yield Static(f"       {note}", classes="note", markup=False)

    def action_demo(self) -> None:
        """Look round in the demo."""
        self.dismiss("demo")

    def action_login(self) -> None:
        """Log in."""
        self.dismiss("login")

    def action_how(self) -> None:
        """How credentials are found."""
        self.dismiss("how")

    def action_profile(self) -> None:
        """Another profile."""
        self.dismiss("profile")

    def action_close(self) -> None:
        """Go on without."""
        self.dismiss("")
