"""A few lines to fill in before a change is looked at: what a verb needs beside the thing it is done to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from runctl.keymap import Scope, bindings_for
from runctl.screens.cells import sentence
from runctl.screens.modals.fields import Field, Fields


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the lines come to.

    Args:
        parameters: what they mean, None while something is wrong.
        problems: what is wrong, by the line's name.
        note: what follows from them, in a sentence: an end, a price.
    """

    parameters: Mapping[str, Any] | None = None
    problems: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


Judge = Callable[[Mapping[str, str]], Verdict]


class FormModal(ModalScreen["Mapping[str, Any] | None"]):
    """The lines, judged at every key. The result is what they mean, None when it was closed.

    Args:
        title: what it is for.
        fields: the lines.
        judge: what they come to; pure and quick.
        intro: a sentence above them.
    """

    CSS_PATH = "modals.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Scope.DIALOG)]
    AUTO_FOCUS = ".field TextLine, .field ChoiceLine"

    def __init__(self, title: str, fields: Sequence[Field], judge: Judge, *, intro: str = "") -> None:
        super().__init__()
        self._title, self._lines, self._judge, self._intro = title, tuple(fields), judge, intro

    def compose(self) -> ComposeResult:
        """Title, lines, what follows from them, keys."""
        with Vertical(id="form", classes="dialog"):
            yield Static(self._words(self._title), classes="title", markup=False)
            if self._intro:
                yield Static(self._words(self._intro), classes="intro", markup=False)
            yield Fields(self._lines)
            yield Static("", id="note", markup=False)
            keys = "enter looks at it · tab moves · esc cancels"
            if any(f.options for f in self._lines):
                keys = "enter looks at it · tab moves · ←→ or space chooses · esc cancels"
            yield Static(self._words(keys), classes="keys", markup=False)

    def _words(self, text: str) -> str:
        return sentence(text, ascii_only=self.app.has_class("-ascii"))

    def on_mount(self) -> None:
        """Judge what is in it at first."""
        self._judged()

    @property
    def lines(self) -> Fields:
        """The lines."""
        return self.query_one(Fields)

    @on(Fields.Changed)
    def _changed(self) -> None:
        self._judged()

    def _judged(self, *, every: bool = False) -> Verdict:
        verdict = self._judge(self.lines.values())
        self.lines.show_problems(verdict.problems, every=every)
        note = self.query_one("#note", Static)
        note.update(Text(self._words(verdict.note)))
        note.display = bool(verdict.note)
        return verdict

    @on(Fields.Submitted)
    def action_submit(self) -> None:
        """Enter: done when all is well, else to the first line that is not."""
        verdict = self._judged(every=True)
        if verdict.parameters is not None:
            self.dismiss(verdict.parameters)
        elif verdict.problems:
            self.lines.focus_on(next(iter(verdict.problems)))

    def action_cancel(self) -> None:
        """Close without doing anything."""
        self.dismiss(None)
