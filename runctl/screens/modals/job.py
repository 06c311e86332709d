"""The dialog of what is done to a job: it looks, says what would happen, asks with Cancel focused, does, tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from runctl.errors import RunctlError
from runctl.format import clean_text
from runctl.keymap import Scope, bindings_for
from runctl.messages import CopyRequested
from runctl.screens.cells import sentence
from runctl.screens.desk import Desk, Question
from runctl.screens.modals.plan_text import wrap
from runctl.theme import setting_of, tokens

if TYPE_CHECKING:
    from runctl.services.jobs.hands import JobsDoor
    from runctl.services.jobs.offers import Offer

#: Both run off the UI's thread: the first only looks, the second does it and says what came of it.
Look = Callable[["JobsDoor"], "Offer"]
Act = Callable[["JobsDoor", "Offer"], tuple[str, ...]]


class JobModal(ModalScreen[bool]):
    """From looking to done. The result is whether anything was done.

    Args:
        title: what is going to be done: "stop llama-7b".
        look: what would happen.
        act: does it.
        desk: what the application lends.
        go: the word on the button that does it.
        ascii_only: draw ASCII only.
    """

    CSS_PATH = "modals.tcss"
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Scope.PLAN)]

    def __init__(self, title: str, look: Look, act: Act, desk: Desk, *, go: str, ascii_only: bool = False) -> None:
        super().__init__()
        self._title, self._look_at, self._act, self._desk = title, look, act, desk
        self._go, self._ascii = go, ascii_only
        self._offer: Offer | None = None
        self._question: Question | None = None
        self.stage = "looking"

    def compose(self) -> ComposeResult:
        """Title, what would happen, buttons, keys."""
        with Vertical(id="plan", classes="dialog"):
            yield Static(self._words(self._title), classes="title", markup=False)
            with VerticalScroll(id="body", can_focus=False):
                yield Static("", id="text", markup=False)
            with Horizontal(id="buttons"):
                yield Button("Cancel", compact=True, id="cancel")
                yield Button(self._go, compact=True, id="go")
            yield Static("", classes="keys", id="keys", markup=False)

    def on_mount(self) -> None:
        """Look at once."""
        self._ask()

    def _words(self, text: str) -> str:
        return sentence(text, ascii_only=self._ascii)

    def _enter(self, stage: str, lines: tuple[str, ...], keys: str, tone: str = "") -> None:
        self.stage = stage
        colours = tokens(setting_of(self.app.theme))
        text = Text(self._words("\n".join(map(self._folded, lines))), colours.get(tone, ""))
        for warning in self._offer.warnings if self._offer is not None and stage == "asking" else ():
            text.append(self._words(f"\n{self._folded(warning)}"), colours["warn"])
        self.query_one("#text", Static).update(text)
        self.query_one("#keys", Static).update(Text(self._words(keys)))
        self.query_one("#buttons").display = stage == "asking"

    def _folded(self, line: str) -> str:
        """A line in as many as it needs; the others begin below its first word."""
        said = clean_text(line, 600)
        indent = len(said) - len(said.lstrip())
        width = max(40, min(self.size.width, 118) - 5)
        return "\n".join(wrap(said, width, subsequent_indent=" " * indent)) or said

    # -- the way -------------------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        self._enter("looking", (f"looking at it as it is now: {self._title} …",), "esc cancels")
        self._question = self._desk.jobs(self._look_at, self._offered, self._failed)

    def _offered(self, offer: Offer) -> None:
        self._offer = offer
        self._enter("asking", offer.lines, "esc cancels · tab moves" if offer.jobs else "esc closes")
        self.query_one("#go").display = bool(offer.jobs)
        self.query_one("#cancel", Button).focus()

    def _failed(self, error: RunctlError) -> None:
        lines = (str(error), error.hint) if error.hint else (str(error),)
        self._enter("failed", lines, "r looks again · esc closes", "state-bad")

    @on(Button.Pressed, "#cancel")
    def _cancelled(self) -> None:
        self.action_close()

    @on(Button.Pressed, "#go")
    def _confirmed(self) -> None:
        offer, act = self._offer, self._act
        if self.stage != "asking" or offer is None or not offer.jobs:
            return
        self._enter("running", (f"{self._title} …",), "it is under way")
        self._question = self._desk.jobs(lambda door: act(door, offer), self._done, self._failed)

    def _done(self, told: tuple[str, ...]) -> None:
        self._enter("ended", told, "c copies · esc closes")
        self.set_focus(None)
        self.call_later(self.app.run_action, "app.refresh")

    # -- keys ----------------------------------------------------------------------------------------------------------

    def action_close(self) -> None:
        """Close; what is under way is told by the list of jobs."""
        if self._question is not None and self.stage == "looking":
            self._question.cancel()
        self.dismiss(self.stage == "ended")

    def action_retry(self) -> None:
        """Look again after a failure."""
        if self.stage == "failed":
            self._ask()

    def action_copy(self) -> None:
        """What is shown."""
        self.app.post_message(CopyRequested(f"{self._title}\n{self.query_one('#text', Static).content}", "the summary"))

    def action_scroll(self, pages: int) -> None:
        """A page of the text down, or up when negative."""
        body = self.query_one("#body", VerticalScroll)
        body.scroll_relative(y=pages * max(1, body.size.height - 1), animate=False)
