"""Following an opened job: one look after the other, the log read on from where it was, moved through and searched."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from textual import on
from textual.timer import Timer
from textual.widgets import Input

from runctl.errors import RunctlError
from runctl.format import clean_text
from runctl.screens.desk import Question
from runctl.screens.job_panes import JobPanes
from runctl.widgets.log_lines import LogLines
from runctl.widgets.log_view import LogView

if TYPE_CHECKING:
    from runctl.services.jobs.follower import Follower, News
    from runctl.services.jobs.hands import JobsDoor

#: Seconds between two looks: at a record on this computer, in a bucket, at a job that is over, after a failure.
HERE_S, BUCKET_S, OVER_S, FAILED_S = 1.0, 2.0, 15.0, 5.0
#: Bytes of log fetched at once when somebody scrolls back.
BACK_BYTES = 4 << 20


class _Looked(NamedTuple):
    """What one look brought: the news, and the log it was appended to."""

    news: News
    log: LogLines


class FollowedJob(JobPanes):
    """Asks, and moves through the log."""

    _follower: Follower | None = None
    _attempt: int | None = None
    _question: Question | None = None
    _timer: Timer | None = None
    _fetching = False

    def on_mount(self) -> None:
        """Look at once."""
        self.view.show(self.lines)
        self.show_pane()
        self.watch(self.app, "snapshot", self._snapshot_changed, init=False)
        self.set_interval(1.0, self._tick)
        self._ask()

    def on_unmount(self) -> None:
        """Nobody looks any more."""
        if self._question is not None:
            self._question.cancel()

    def _snapshot_changed(self) -> None:
        if self.is_mounted:
            self.show()

    def _tick(self) -> None:
        if self.is_current:
            self.show_place()

    def on_resize(self) -> None:
        """Another size: other lines fit."""
        self.call_after_refresh(self.show)
        self.show_keys()

    # -- asking --------------------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        self._timer = None
        if self.desk.paused and self.news is not None:
            self._later(HERE_S)
            return
        log, attempt, last, job = self.lines, self._attempt, self.wish.last, self.job.id

        def look(door: JobsDoor) -> _Looked:
            follower = self._follower = self._follower or door.follow(job)
            news = follower.look(attempt, last)
            _read_on(follower, news.attempt, log)
            return _Looked(news, log)

        self._question = self.desk.jobs(look, self._looked, self._failed)

    def _later(self, seconds: float) -> None:
        if self.is_mounted:
            self._timer = self.set_timer(seconds, self._ask)

    def _looked(self, looked: _Looked) -> None:
        if not self.is_mounted:
            return
        news, self.trouble = looked.news, ""
        if looked.log is self.lines and (self._attempt in (None, news.attempt)):
            moved_on = self.news is not None and self.news.attempt != news.attempt and self._attempt is None
            self.news = news
            if moved_on:
                self.change_log()
            else:
                self.remember_use()
                self.show()
                self.view.grown()
        quick = HERE_S if news.row.provider == "local" else BUCKET_S
        self._later(quick if news.live else OVER_S)

    def _failed(self, error: RunctlError) -> None:
        self.trouble = f"{error}" + (f"; {error.hint}" if error.hint else "")
        self.show()
        self._later(FAILED_S)

    def action_look_again(self) -> None:
        """Now."""
        if self._timer is not None:
            self._timer.stop()
            self._ask()

    def change_log(self) -> None:
        """Another attempt: its log from the beginning of what is fetched."""
        old, self.lines = self.lines, LogLines()
        old.close()
        self.at = None
        self.view.show(self.lines)
        if self._timer is not None:
            self._timer.stop()
            self._ask()

    # -- the log -------------------------------------------------------------------------------------------------------

    def action_pane(self, name: str) -> None:
        """One pane over the whole screen, or all again."""
        self.shown_pane = "" if self.shown_pane == name else name
        self.show_pane()

    def action_scroll(self, lines: int) -> None:
        """Some lines."""
        self.view.move(lines)

    def action_scroll_page(self, pages: int) -> None:
        """Some pages."""
        self.view.page(pages)

    def action_first(self) -> None:
        """The first line there is."""
        self.view.go(0)

    def action_follow(self) -> None:
        """The end, and what comes."""
        self.at = None
        self.view.marked = -1
        self.view.go(len(self.view.lines))
        self.show()

    def action_sideways(self, cells: int) -> None:
        """Long lines."""
        self.view.sideways(cells)

    def action_wrap(self) -> None:
        """Fold long lines, or cut them."""
        self.view.wrap = not self.view.wrap
        self.view.redraw()
        self.show_place()

    def action_times(self) -> None:
        """Times before the lines, or not."""
        self.view.times = not self.view.times
        self.view.redraw()
        self.show_place()

    @on(LogView.Moved)
    def _moved(self) -> None:
        """Curve and story go where the log goes."""
        self.at = None if self.view.follow else self.view.lines.time_of(self.view.bottom)
        self.show_curves()
        self.show_story()
        self.show_place()

    @on(LogView.TopReached)
    def _back(self) -> None:
        """Fetch what lies before the first line."""
        follower, log, news = self._follower, self.view.lines, self.news
        if self._fetching or follower is None or news is None:
            return
        self._fetching = True
        self.say("fetching earlier lines …")

        def fetch(_: JobsDoor) -> int:
            begin = max(0, log.start - BACK_BYTES)
            parts = [(p.start, p.data, p.at_ms) for p in follower.read_log(news.attempt, begin, log.start)]
            return log.prepend(parts)

        def fetched(added: int) -> None:
            self._fetching = False
            self.say("")
            if log is self.view.lines:
                self.view.earlier(added)

        def failed(error: RunctlError) -> None:
            self._fetching = False
            self.say(f"earlier lines: {error}")

        self.desk.jobs(fetch, fetched, failed)

    # -- search --------------------------------------------------------------------------------------------------------

    def action_search(self) -> None:
        """Open the search line."""
        field = self.query_one("#search", Input)
        field.add_class("-open")
        field.focus()

    @on(Input.Submitted, "#search")
    def _search(self, event: Input.Submitted) -> None:
        self.view.needle = event.value
        self.view.focus()
        self.view.redraw()
        if event.value:
            self.action_search_next(-1 if self.view.follow else 1)
        else:
            self._end_search()

    def action_search_next(self, step: int) -> None:
        """The next line with the text, or the one before."""
        view = self.view
        if not view.needle:
            self.action_search()
            return
        lines, origin = view.lines, view.marked
        origin = max(0, origin + step) if origin >= 0 else view.top if step > 0 else view.bottom
        needle = view.needle
        self.desk.outside(lambda: lines.find(needle, origin, step), self._found)

    def _found(self, line: int | None) -> None:
        if line is None:
            self.say(f"not found in what is fetched: {clean_text(self.view.needle, 60)}")
            return
        self.say("")
        self.view.follow = False
        self.view.reveal(line)
        self.at = self.view.lines.time_of(line)
        self.show()

    def _end_search(self) -> None:
        field = self.query_one("#search", Input)
        field.value = ""
        field.remove_class("-open")
        self.view.needle, self.view.marked = "", -1
        self.view.redraw()
        self.view.focus()
        self.say("")
        self.show_place()

    def action_close(self) -> None:
        """One step: the search, the one pane, then the job."""
        if self.query_one("#search", Input).has_class("-open"):
            self._end_search()
        else:
            self.dismiss(None)


def _read_on(follower: Follower, attempt: int, log: LogLines) -> None:
    """Append what the log has grown by; in the asking thread, so that the screen never waits for a disk."""
    offset = follower.log_begin(attempt) if log.empty else log.end
    for part in follower.read_log(attempt, offset):
        log.append(part.start, part.data, part.end, part.at_ms, gap=part.gap)
