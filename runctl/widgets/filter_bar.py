"""The filter line: checked at every key, red with the reason when it is wrong, and the earlier filters by arrow."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.geometry import Size
from textual.message import Message
from textual.reactive import Reactive
from textual.widgets import Input, Static

from runctl.format import clean_text
from runctl.keymap import Scope, bindings_for

HISTORY_MOST = 50
#: Characters of a filter; a pasted file is not one.
VALUE_MOST = 2000
#: Cells of a verdict that have their room whatever it says, as `n/m`; with its padding, `min-width` in the style sheet.
_SHORT = 15


class FilterInput(Input):
    """The field itself; its keys ask the bar."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Scope.FILTER)]

    #: How long the text is does not change the field's place on screen: a letter lays nothing out anew.
    virtual_size = Reactive(Size(0, 0))

    class Asked(Message):
        """A key of the field that means something to the bar: submit, cancel, older, newer."""

        def __init__(self, what: str) -> None:
            super().__init__()
            self.what = what

    def validate_value(self, value: str) -> str:
        """What is pasted may hold anything; it becomes one line without escapes before it is drawn."""
        return value if value.isprintable() else clean_text(value, VALUE_MOST)

    def action_older(self) -> None:
        """A filter used before."""
        self.post_message(self.Asked("older"))

    def action_newer(self) -> None:
        """Forward again."""
        self.post_message(self.Asked("newer"))

    def action_cancel(self) -> None:
        """Drop the filter."""
        self.post_message(self.Asked("cancel"))

    async def action_submit(self) -> None:
        """Keep the filter."""
        self.post_message(self.Asked("submit"))


class Verdict(Static):
    """How many rows match, or what is wrong."""

    virtual_size = Reactive(Size(0, 0))


class FilterBar(Horizontal):
    """Hidden until asked for; posts every change and says what the parser said.

    What it consists of is made when it is first needed: the first picture shows none of it.
    """

    DEFAULT_CSS = """
    FilterBar { height: 1; display: none; background: $surface; }
    FilterBar.-open { display: block; }
    FilterBar FilterInput { width: 1fr; height: 1; border: none; padding: 0; background: $surface; }
    FilterBar .slash { width: 2; color: $accent; padding: 0 0 0 1; }
    FilterBar .verdict {
        width: auto; min-width: 17; max-width: 70%; height: 1; color: $text-muted; padding: 0 1; text-align: right;
    }
    FilterBar.-invalid .slash, FilterBar.-invalid FilterInput { color: $state-bad; }
    FilterBar.-invalid .verdict { color: $state-bad; text-style: bold; }
    """

    class Changed(Message):
        """Another text."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Closed(Message):
        """The line gives the keyboard back."""

    def __init__(self, *, id: str | None = None, placeholder: str = "type:g5* cost>1.5 !owner:ana") -> None:
        super().__init__(id=id)
        self._placeholder = placeholder
        self._history: list[str] = []
        self._at = 0

        self._field: FilterInput | None = None
        self._said = Verdict("", classes="verdict", markup=False)

    def _made(self) -> FilterInput:
        """The field. It can take the keyboard at once: keys typed before it is drawn wait in its queue."""
        if self._field is None:
            self._field = FilterInput(placeholder=self._placeholder, compact=True)
            self.mount(Static("/", classes="slash", markup=False), self._field, self._said)
        return self._field

    @property
    def text(self) -> str:
        """What is typed."""
        return "" if self._field is None else self._field.value

    def open(self) -> None:
        """Show the line and take the keyboard."""
        self.add_class("-open")
        self._at = len(self._history)
        self.screen.set_focus(self._made())  # not `focus()`, which would leave the next keys to the table

    def close(self, *, keep: bool) -> None:
        """Give the keyboard back; with `keep` the filter stays and the line shows it."""
        field = self._made()
        if not keep:
            field.value = ""
        elif field.value and (not self._history or self._history[-1] != field.value):
            self._history = [*self._history, field.value][-HISTORY_MOST:]
        self.set_class(bool(field.value), "-open")
        self.post_message(self.Closed())

    def set_text(self, text: str) -> None:
        """Put a text in without opening the line."""
        if text != self.text:
            self._made().value = text
        self.set_class(bool(text), "-open")

    def verdict(self, text: str, *, valid: bool) -> None:
        """Say how many rows match, or what is wrong."""
        self.set_class(not valid, "-invalid")
        before, said = str(self._said.content), clean_text(text)
        if said != before:
            # What is short has the same room whatever it says.
            self._said.update(said, layout=max(cell_len(before), cell_len(said)) > _SHORT)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell at every key."""
        event.stop()
        self.post_message(self.Changed(event.value))

    def on_filter_input_asked(self, event: FilterInput.Asked) -> None:
        """The field's keys."""
        event.stop()
        if event.what in ("submit", "cancel"):
            self.close(keep=event.what == "submit")
            return
        self._at = max(0, min(len(self._history), self._at + (1 if event.what == "newer" else -1)))
        recalled = self._history[self._at] if self._at < len(self._history) else ""
        self._made().value = recalled
