"""The command line at the bottom: completion while typing, and a mistake said in words."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from runctl.commands import Choices, Invocation, complete, parse_command
from runctl.errors import InputError
from runctl.keymap import Scope, bindings_for


class CommandInput(Input):
    """The line itself: tab completes, arrows recall."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", show=False),
        Binding("up", "recall(-1)", show=False),
        Binding("down", "recall(1)", show=False),
    ]

    def action_complete(self) -> None:
        """Take the first completion, or what all have in common."""
        if isinstance(self.screen, CommandModal):
            self.screen.complete()

    def action_recall(self, step: int) -> None:
        """Lines of before."""
        if isinstance(self.screen, CommandModal):
            self.screen.recall(step)


class CommandModal(ModalScreen[Invocation | None]):
    """One line. The result is what was asked for, None when it was left.

    Args:
        choices: what arguments may be, for completion.
        history: earlier lines, oldest first; the new one is appended.
    """

    CSS_PATH = "modals.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Scope.DIALOG)]

    def __init__(self, choices: Choices, history: list[str]) -> None:
        super().__init__()
        self._choices, self._history = choices, history
        self._at = len(history)

    def compose(self) -> ComposeResult:
        """Completions above the line, and the mistake between them."""
        with Vertical(id="command"):
            yield Static("", id="found", markup=False)
            yield Static("", id="wrong", markup=False)
            with Horizontal():
                yield Static(":", classes="colon", markup=False)
                yield CommandInput(compact=True, id="line")

    def on_mount(self) -> None:
        """All commands, to begin with."""
        self._offer("")

    def _offer(self, text: str) -> list[str]:
        found = complete(text, self._choices)
        self.query_one("#found", Static).update(Text("   ".join(found)))
        return found

    @on(Input.Changed, "#line")
    def _typed(self, event: Input.Changed) -> None:
        self.query_one("#wrong").remove_class("-said")
        self._offer(event.value)

    @on(Input.Submitted, "#line")
    def _submitted(self, event: Input.Submitted) -> None:
        line = event.value.strip()
        if not line:
            self.dismiss(None)
            return
        try:
            invocation = parse_command(line)
        except InputError as error:
            wrong = self.query_one("#wrong", Static)
            wrong.update(Text(f"{error.message}\n{error.hint}"))
            wrong.add_class("-said")
            return
        if not self._history or self._history[-1] != line:
            self._history.append(line)
        self.dismiss(invocation)

    def complete(self) -> None:
        """Write the first completion into the line."""
        field = self.query_one(CommandInput)
        found = self._offer(field.value)
        if found:
            field.value = found[0] + (" " if len(found) == 1 and " " not in found[0] else "")
            field.cursor_position = len(field.value)

    def recall(self, step: int) -> None:
        """An earlier line, or a later one again."""
        self._at = max(0, min(len(self._history), self._at + step))
        field = self.query_one(CommandInput)
        field.value = self._history[self._at] if self._at < len(self._history) else ""
        field.cursor_position = len(field.value)

    def action_cancel(self) -> None:
        """Leave it."""
        self.dismiss(None)
