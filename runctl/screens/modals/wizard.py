"""The launch wizard: left what is wanted, right where it could run at what price, below what it comes to.

Prices are asked off the UI's thread a moment after the last key; an answer to an older form is dropped. Nothing is
launched that was not on the screen, and not before somebody said yes with Cancel focused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.timer import Timer
from textual.widgets import Static

from runctl.errors import InputError, RunctlError
from runctl.format import clean_text
from runctl.keymap import Scope, bindings_for
from runctl.messages import CopyRequested
from runctl.models.launch import Attempt, AttemptClass, LaunchRequest, LaunchResult, Offer
from runctl.screens import modals
from runctl.screens.desk import Desk, Question
from runctl.screens.modals.fields import Fields
from runctl.screens.modals.wizard_view import WizardView
from runctl.screens.wizard_form import problems_of, read_wizard
from runctl.services.launch.form import plain
from runctl.services.launch.grid import summary_lines
from runctl.services.launch.request import new_request_id
from runctl.store.fields import Context

if TYPE_CHECKING:
    from runctl.screens.modals.confirm import ConfirmModal

#: Seconds after the last key before AWS is asked, and how old an offer may be when it is accepted.
PAUSE_S, FRESH_S = 0.4, 300.0
#: After these nobody knows whether there is a machine: the same request is tried again, which finds it.
_DOUBT = AttemptClass.UNKNOWN


class WizardModal(WizardView):
    """One launch, from the first key to what came of it. The result is that, None when nothing was launched.

    `stage` is "typing", "asking" (AWS, for prices), "offered", "failed", "running" or "ended".

    Args:
        desk: what the application lends.
        context: what is known of the fleet.
        ascii_only: draw ASCII only.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Scope.WIZARD)]

    def __init__(self, desk: Desk, context: Context, *, ascii_only: bool = False) -> None:
        super().__init__(desk, context, ascii_only=ascii_only)
        self._request_id = new_request_id()
        self._request: LaunchRequest | None = None
        self._offered_at = 0.0
        self._question: Question | None = None
        self._pause: Timer | None = None
        self._wanted = False

    def on_mount(self) -> None:
        """Begin with the types of the book."""
        self._read()

    # -- reading the form ----------------------------------------------------------------------------------------------

    @on(Fields.Changed)
    def _changed(self) -> None:
        if self.stage not in ("running", "ended"):
            self._read()

    def _read(self, *, every: bool = False) -> None:
        """Judge the form; a good one is priced a moment later, and whatever was asked for an older one is dropped."""
        self._drop()
        reading = read_wizard(self.lines.values(), self._book, self._desk.clock.now(), self._request_id)
        problems = problems_of(reading)
        if not every and self._types():
            problems.pop("types", None)  # half a name, and the right side shows what it may become
        self.lines.show_problems(problems, every=every)
        self._request, self._offer = reading.request, None
        if reading.request is None:
            self._enter("typing")
            self._show_types()
            if every:
                self.lines.focus_on(next(iter(reading.problems)))
            return
        self._enter("asking")
        self._show(Text("asking AWS for prices, zones and quotas …", self._look().colours["muted"]))
        self._pause = self.set_timer(PAUSE_S, self._ask)

    def _drop(self) -> None:
        self._wanted = False
        if self._pause is not None:
            self._pause.stop()
            self._pause = None
        if self._question is not None:
            self._question.cancel()
            self._question = None

    def _ask(self) -> None:
        if self._request is not None and self.stage == "asking":
            self._question = self._desk.offer(self._request, self._answered, self._failed)

    def _answered(self, offer: Offer) -> None:
        if offer.request is not self._request or self.stage != "asking":
            return  # an older form's
        self._offer, self._offered_at = offer, self._desk.clock.monotonic()
        self._enter("offered")
        self._show_offer()
        if self._wanted:
            self.action_submit()

    def _failed(self, error: RunctlError) -> None:
        self._enter("failed")
        told = plain(error) if isinstance(error, InputError) else str(error)  # its option is a line here
        said = Text(clean_text(told, 1000), self._look().colours["state-bad"])
        if error.hint and not isinstance(error, InputError):
            said.append(f"\n\n{clean_text(error.hint, 1000)}", "default")
        self._show(said)

    # -- asking and launching ------------------------------------------------------------------------------------------

    @on(Fields.Submitted)
    def action_submit(self) -> None:
        """Enter: ask, once there is an offer that is not too old."""
        if self.stage in ("running", "ended"):
            return
        if self._request is None:
            self._read(every=True)
        elif self._offer is None or self._desk.clock.monotonic() - self._offered_at > FRESH_S:
            self._again()
        elif self._offer.refusals or not self._offer.open_candidates:
            self.notify("nothing can be launched like this: the right side says why", markup=False)
        else:
            self._confirm(self._offer)

    def _again(self) -> None:
        """Enter came before the prices, or long after them: they are asked for, then it is asked."""
        if self.stage != "asking":
            self._read()
        self._wanted = self._request is not None

    def _confirm(self, offer: Offer) -> None:
        self._wanted = False
        look, now, count = self._look(), self._desk.clock.now(), offer.request.count
        text = Text()
        for line in summary_lines(offer, now):
            look.add(text, clean_text(line, 400) + "\n")
        for line in offer.warnings:
            look.add(text, clean_text(line, 400) + "\n", "warn")
        identity = self._known.snapshot.identity
        account = f" in account {identity.account}" if identity else ""
        machines = "machine" if count == 1 else "machines"
        modal: ConfirmModal = modals.ConfirmModal(f"launch {count} {machines}{account}", text, go="launch")

        def answered(yes: bool | None) -> None:
            if yes and self.stage == "offered" and self._offer is offer:
                self._launch(offer)

        text.rstrip()
        self.app.push_screen(modal, answered)

    def _launch(self, offer: Offer) -> None:
        self._attempts = {}
        self._enter("running")
        self.set_focus(None)
        self.lines.disabled = True
        self._show_offer()
        self._question = self._desk.launch(offer, self._tried, self._ended, self._broke)

    def _tried(self, attempt: Attempt) -> None:
        self._attempts[attempt.candidate] = attempt
        self._show_offer()

    def _ended(self, result: LaunchResult) -> None:
        self._result = result
        self._attempts = {a.candidate: a for a in result.attempts}
        self._enter("ended")
        self._show_offer()
        self.call_later(self.app.run_action, "app.refresh")

    def _broke(self, error: RunctlError) -> None:
        """Nobody could go on (the journal cannot be written, EC2 cannot be asked about an earlier try)."""
        self._enter("ended")
        self._show_offer()
        said = Text(clean_text(f"{error}. {error.hint}", 600), self._look().colours["state-bad"])
        self.query_one("#sum", Static).update(said)

    # -- keys ----------------------------------------------------------------------------------------------------------

    def action_close(self) -> None:
        """One step: what runs tries no other place, everything else closes."""
        if self.stage == "running":
            if self._question is not None:
                self._question.cancel()
            self._sum(Text("stopping after the place that is being tried"))
            return
        self._drop()
        self.dismiss(self._result)

    def action_edit(self) -> None:
        """After the end: back to the form, for another try."""
        if self.stage != "ended":
            return
        doubt = self._result is None or self._result.pending or any(a.came_to is _DOUBT for a in self._result.attempts)
        if not doubt:
            self._request_id = new_request_id()
        self._attempts, self._result = {}, None
        self.lines.disabled = False
        self.lines.focus_on("types")
        self.stage = "typing"
        self._read()

    def action_scroll(self, pages: int) -> None:
        """A page of the places down, or up when negative."""
        places = self.query_one("#offers", VerticalScroll)
        places.scroll_relative(y=pages * max(1, places.size.height - 1), animate=False)

    def action_copy(self) -> None:
        """What the right side and the bottom say."""
        if self.stage in ("ended", "failed"):
            said = "\n".join(str(self.query_one(f"#{part}", Static).content) for part in ("grid", "sum"))
            self.app.post_message(CopyRequested(said, "the attempts"))
