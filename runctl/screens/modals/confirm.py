"""A question before something that costs: Cancel has the focus, and what is meant stands above it."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from runctl.keymap import Scope, bindings_for
from runctl.screens.cells import sentence


class ConfirmModal(ModalScreen[bool]):
    """Yes or no. The result is whether it was confirmed.

    Args:
        title: what is asked.
        text: what it means.
        go: the word on the button that confirms.
    """

    CSS_PATH = "modals.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Scope.DIALOG)]
    AUTO_FOCUS = "#cancel"

    def __init__(self, title: str, text: Text, *, go: str) -> None:
        super().__init__()
        self._title, self._text, self._go = title, text, go

    def compose(self) -> ComposeResult:
        """Title, text, buttons, keys."""
        with Vertical(id="confirm", classes="dialog"):
            yield Static(self._title, classes="title", markup=False)
            with VerticalScroll(id="body", can_focus=False):
                yield Static(self._text, markup=False)
            with Horizontal(id="buttons"):
                yield Button("Cancel", compact=True, id="cancel")
                yield Button(self._go, compact=True, id="go")
            keys = "esc cancels · tab moves · enter takes"
            yield Static(sentence(keys, ascii_only=self.app.has_class("-ascii")), classes="keys", markup=False)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "go")

    def action_cancel(self) -> None:
        """Close without doing anything."""
        self.dismiss(False)
