"""Reading something long: raw answers, help, errors, comparisons, details on a narrow terminal. With search."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from runctl.keymap import Keymap, Scope, Situation, bindings_for
from runctl.messages import CopyRequested
from runctl.screens.cells import text_to_ascii
from runctl.widgets.lines import KeyFooter


class Page(VerticalScroll, inherit_bindings=False):
    """What is read; its keys are those of the table of keys, not Textual's own."""


class ViewerModal(ModalScreen[None]):
    """A text over the whole screen.

    Args:
        title: what it is.
        text: what it says; more may come by `show`.
        keymap: the keys in force, for the footer.
        ascii_only: draw ASCII only.
    """

    CSS_PATH = "modals.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Scope.VIEWER)]
    AUTO_FOCUS = "#page"
    toggles = False

    def __init__(self, title: str, text: Text, *, keymap: Keymap, ascii_only: bool = False) -> None:
        super().__init__()
        self._title, self._text = title, text
        self._keymap, self._ascii = keymap, ascii_only
        self._needle = ""
        self._hits: list[int] = []
        self._hit = -1

    def compose(self) -> ComposeResult:
        """Title, page, search line, keys."""
        yield Static(self._title, id="title", markup=False)
        with Page(id="page"):
            yield Static(self._drawable(self._text), id="text", markup=False)
        yield Input(placeholder="search", id="search", compact=True)
        yield KeyFooter(id="keys")

    def on_mount(self) -> None:
        """The keys that work here."""
        actions = self._keymap.footer((Scope.VIEWER,), Situation(), limit=8)
        shown = [a for a in actions if a.id != "viewer.toggle" or self.toggles]
        self.query_one(KeyFooter).show_keys(shown, ascii_only=self._ascii)

    def show(self, text: Text, title: str | None = None) -> None:
        """Another text (an answer arrived, the form changed); the place is kept."""
        self._text = text
        if not self.is_mounted:
            return
        if title is not None:
            self.query_one("#title", Static).update(Text(title))
        self._paint()

    def _paint(self) -> None:
        drawn = self._drawable(self._text.copy())
        if self._needle:
            drawn.highlight_words([self._needle], "reverse", case_sensitive=False)
        self.query_one("#text", Static).update(drawn)

    def _drawable(self, text: Text) -> Text:
        """What can be drawn here; what is copied stays as it is."""
        return text_to_ascii(text) if self._ascii else text

    @property
    def _page(self) -> VerticalScroll:
        return self.query_one("#page", VerticalScroll)

    # -- scrolling -----------------------------------------------------------------------------------------------------

    def action_scroll(self, lines: int) -> None:
        """Some lines down, or up when negative."""
        self._page.scroll_relative(y=lines, animate=False)

    def action_scroll_page(self, pages: int) -> None:
        """Pages down, or up when negative."""
        self._page.scroll_relative(y=pages * max(1, self._page.size.height - 1), animate=False)

    def action_scroll_first(self) -> None:
        """The first line."""
        self._page.scroll_home(animate=False)

    def action_scroll_last(self) -> None:
        """The last line."""
        self._page.scroll_end(animate=False)

    # -- search --------------------------------------------------------------------------------------------------------

    def action_search(self) -> None:
        """Open the search line."""
        field = self.query_one("#search", Input)
        field.add_class("-open")
        field.focus()

    @on(Input.Changed, "#search")
    def _searching(self, event: Input.Changed) -> None:
        self._needle = event.value
        needle = event.value.casefold()
        lines = self._text.plain.casefold().split("\n")
        self._hits = [n for n, line in enumerate(lines) if needle and needle in line]
        self._hit = -1
        self._paint()
        self.action_search_next(1)

    @on(Input.Submitted, "#search")
    def _found(self) -> None:
        self._page.focus()

    def action_search_next(self, step: int) -> None:
        """The next place where it was found, or the one before."""
        if not self._hits:
            return
        self._hit = (self._hit + step) % len(self._hits) if self._hit >= 0 else 0
        self._page.scroll_to(y=max(0, self._hits[self._hit] - 2), animate=False)
        self.query_one("#title", Static).update(Text(f"{self._title}   {self._hit + 1} of {len(self._hits)} found"))

    # -- the rest ------------------------------------------------------------------------------------------------------

    def action_switch_form(self) -> None:
        """Nothing to turn here."""

    def action_copy(self) -> None:
        """All of it."""
        self.post_message(CopyRequested(self._text.plain, "all of it"))

    def action_close(self) -> None:
        """One step: leave the search, then the reader."""
        field = self.query_one("#search", Input)
        if field.has_class("-open"):
            with field.prevent(Input.Changed):
                field.value = ""
            field.remove_class("-open")
            self._needle, self._hits = "", []
            self.query_one("#title", Static).update(Text(self._title))
            self._paint()
            self._page.focus()
        else:
            self.dismiss(None)


class RawModal(ViewerModal):
    """A resource as AWS describes it, as YAML or JSON.

    Args:
        title: which resource.
        waiting: what is said until the answer arrives.
        keymap: the keys in force.
        ascii_only: draw ASCII only.
    """

    toggles = True

    def __init__(self, title: str, waiting: str, *, keymap: Keymap, ascii_only: bool = False) -> None:
        super().__init__(title, Text(waiting), keymap=keymap, ascii_only=ascii_only)
        self._yaml = True
        self._answer: object = None

    def answer(self, value: object) -> None:
        """The answer is there."""
        self._answer = value
        self.show(Text(render_raw(value, yaml_form=self._yaml)))

    def action_switch_form(self) -> None:
        """Between YAML and JSON."""
        if self._answer is not None:
            self._yaml = not self._yaml
            self.answer(self._answer)


def render_raw(value: object, *, yaml_form: bool) -> str:
    """An AWS answer as text; control characters are escaped by both forms, times become ISO-8601."""
    import json

    plain = json.loads(json.dumps(value, default=str))
    if yaml_form:
        import yaml

        return str(yaml.safe_dump(plain, sort_keys=True, allow_unicode=True, width=1000))
    return json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False)
