"""What an opened job looks like: strip, lines, curves beside the story, the log. It draws news and asks nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from runctl.format import clean_text, format_bytes
from runctl.keymap import Scope, Situation, bindings_for
from runctl.screens.cells import text_to_ascii, to_ascii
from runctl.screens.desk import Desk
from runctl.screens.job_text import GPU, Wish, curve_of, gpu_strip, head, names_of, progress, story_text, wish_words
from runctl.services.jobs.seen import Outcome
from runctl.store.fields import Context
from runctl.theme import ASCII, glyphs, setting_of, tokens
from runctl.widgets.curve import Curve, CurveView
from runctl.widgets.line import Line, Piece
from runctl.widgets.lines import KeyFooter
from runctl.widgets.log_lines import LogLines
from runctl.widgets.log_view import LogView
from runctl.widgets.money_strip import MoneyStrip

if TYPE_CHECKING:
    from runctl.models.job import Job
    from runctl.screens.table_screen import TableScreen
    from runctl.services.jobs.follow import Point
    from runctl.services.jobs.follower import News


_HEIGHTS = [(0, "-short"), (32, "-tall")]


class JobPanes(ModalScreen[None]):
    """The panes.

    Args:
        desk: what the application lends.
        job: the row that was opened.
        below: the list it was opened from.
        pane: "" for everything, "log" or "curve" for one over the whole screen.
    """

    CSS_PATH = "job.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Scope.JOB)]
    AUTO_FOCUS = "#log"
    VERTICAL_BREAKPOINTS = _HEIGHTS

    def __init__(self, desk: Desk, job: Job, below: TableScreen[Job], pane: str = "") -> None:
        super().__init__()
        self.desk, self.job, self.below, self.shown_pane = desk, job, below, pane
        self.signs = glyphs(desk.settings.ui.ascii)
        self.news: News | None = None
        self.lines = LogLines()
        self.wish = Wish()
        self.metric = 0
        self.at: float | None = None
        self.trouble = ""
        self._used: dict[int, list[Point]] = {}

    def compose(self) -> ComposeResult:
        """Top to bottom."""
        yield MoneyStrip(id="strip")
        for name in ("head", "progress"):
            line = Line(id=name)
            line.GAP = f" {self.signs.dot} "
            yield line
        with Horizontal(id="middle"):
            with Vertical(id="curves"):
                yield CurveView(ascii_only=self.signs is ASCII, id="curve")
                yield CurveView(ascii_only=self.signs is ASCII, id="curve2")
            yield Static("", id="story", markup=False)
        yield Line(id="gpus")
        yield LogView(id="log")
        yield Input(placeholder="search", id="search", compact=True)
        yield Static("", id="said", markup=False)
        status = Line(id="place")
        status.GAP = f" {self.signs.dot} "
        yield status
        yield KeyFooter(id="keys")

    @property
    def view(self) -> LogView:
        """The log."""
        return self.query_one(LogView)

    # -- showing -------------------------------------------------------------------------------------------------------

    def show_pane(self) -> None:
        """One pane, or all."""
        for name in ("log", "curve"):
            self.set_class(self.shown_pane == name, f"-pane-{name}")
        self.show_keys()
        self.call_after_refresh(self.show)

    def show(self) -> None:
        """Everything, from the news and the time."""
        if not self.is_mounted:
            return
        self.below.show_strip(self.query_one(MoneyStrip))
        context = Context(self.desk.clock.now(), self.below.snapshot, self.desk.settings)
        row = self.news.row if self.news is not None else self.job
        self._line("#head", head(row, context))
        if self.news is None:
            self._line("#progress", [Piece(self.trouble or "reading its record …", "muted")])
            self.show_place()
            return
        self._line("#progress", progress(row, self.news))
        running = row.knowledge == "live" and row.state != Outcome.INTERRUPTED
        gpus = gpu_strip(self.news.state) if self.news.live and running else []
        self.set_class(bool(gpus), "-gpus")
        self._line("#gpus", gpus)
        self.show_curves()
        self.show_story()
        self.show_place()

    def _line(self, where: str, pieces: list[Piece]) -> None:
        drawn = [replace(p, text=to_ascii(p.text)) for p in pieces] if self.signs is ASCII else pieces
        self.query_one(where, Line).show([p for p in drawn if p.text])

    def series(self) -> dict[str, tuple[Point, ...]]:
        """The metrics there are, and how much the GPUs were used since this was opened."""
        if self.news is None:
            return {}
        used = self._used.get(self.news.attempt, [])
        return {**self.news.curves.series, **({GPU: tuple(used)} if used else {})}

    def remember_use(self) -> None:
        """How much the GPUs were used at one look."""
        heard = self.news is not None and self.news.live and self.news.row.knowledge == "live"
        if self.news is not None and heard and (point := self.news.used) is not None:
            used = self._used.setdefault(self.news.attempt, [])
            if not used or used[-1] != point:
                used.append(point)

    def show_curves(self) -> None:
        """The chosen metric, and where there is room the next one below it."""
        if self.news is None:
            return
        series = self.series()
        names = names_of(series)
        self.set_class(len(names) > 1, "-two")
        first = self.query_one("#curve", CurveView)
        if not names:
            first.show(Curve(note="no metrics yet" if self.news.live else "it reported no metrics"))
            return
        for number, view in enumerate((first, self.query_one("#curve2", CurveView))):
            name = names[(self.metric + number) % len(names)]
            view.show(curve_of(clean_text(name, 40), series[name], self.wish, self.at))

    def show_story(self) -> None:
        """What happened."""
        if self.news is None:
            return
        pane = self.query_one("#story", Static)
        size = pane.content_size
        colours = tokens(setting_of(self.app.theme))
        text = story_text(self.news.story, max(10, size.width), max(1, size.height), colours, self.at)
        pane.update(text_to_ascii(text) if self.signs is ASCII else text)

    def show_place(self) -> None:
        """Where in the log one is, and which attempt."""
        view, lines, news = self.view, self.lines, self.news
        pieces = []
        if news is not None:
            count = len(news.attempts)
            pieces.append(Piece(f"attempt {news.attempt} of {count}" if count > 1 else "attempt 1", "muted", rank=3))
        if not len(lines):
            view.notice = self._silence()
        else:
            where = "following" if view.follow and (news is None or news.live) else "end" if view.follow else (
                f"line {view.bottom + 1:,}")  # fmt: skip
            pieces.append(Piece(where, "state-ok" if where == "following" else "accent", bold=True))
            earlier = f", from byte {lines.start:,}" if lines.start else ""
            pieces.append(
                Piece(f"{len(lines):,} lines, {format_bytes(lines.end - lines.start)}{earlier}", "muted", rank=5)
            )
        pieces += self._modes()
        if self.trouble:
            pieces.insert(0, Piece(clean_text(self.trouble, 200), "state-bad"))
        self._line("#place", pieces)

    def _modes(self) -> list[Piece]:
        view = self.view
        dropped = ((self.news.state if self.news else {}).get("log") or {}).get("dropped")
        told = [Piece(f"{format_bytes(dropped)} of log were dropped", "warn")] if dropped else []
        if view.needle:
            told.append(Piece(f"search {clean_text(view.needle, 30)}", "accent", rank=1))
        total = self.news.curves.points if self.news is not None else 0
        told += [Piece(words, "muted", rank=3) for words in wish_words(self.wish, total)]
        told += [Piece(word, "muted", rank=4) for word, on in (("wrapped", view.wrap), ("UTC", view.times)) if on]
        if self.at is not None:
            told.append(Piece(f"at {datetime.fromtimestamp(self.at, UTC):%m-%d %H:%M:%S} UTC", "muted", rank=2))
        return told

    def _silence(self) -> str:
        if self.news is None:
            return "waiting for the log"
        return "it has written nothing yet" if self.news.live else "it wrote nothing"

    def show_keys(self) -> None:
        """The keys that matter now."""
        actions = self.desk.keymap.footer((Scope.JOB,), Situation(has_row=True), limit=9)
        more = self.desk.keymap.get("job.help")
        shown = [a for a in actions if a is not more][: 7 if self.size.width >= 110 else 6]
        self.query_one(KeyFooter).show_keys([*shown, *([more] if more else [])], ascii_only=self.signs is ASCII)

    def say(self, words: str) -> None:
        """One line above the keys; "" takes it away."""
        line = self.query_one("#said", Static)
        line.update(Text(words))
        line.set_class(bool(words), "-open")
