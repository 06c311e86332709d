"""An opened job, whether its machine lives or is long gone: its keys beside those of the log."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from rich.text import Text

from runctl.errors import RunctlError
from runctl.format import clean_text, format_bytes, format_count, format_duration
from runctl.keymap import Scope
from runctl.messages import CopyRequested
from runctl.screens import modals
from runctl.screens.cells import text_to_ascii
from runctl.screens.job_acts import JobActs
from runctl.screens.job_follow import FollowedJob
from runctl.screens.job_text import SMOOTHNESS, moment_at, names_of
from runctl.screens.readings import help_text, sections_text
from runctl.theme import ASCII, setting_of, tokens
from runctl.widgets.detail import Row, Section

if TYPE_CHECKING:
    from runctl.services.jobs.hands import JobsDoor

#: The fewest points a curve is zoomed to.
FEWEST = 16


class JobScreen(FollowedJob):
    """One job, all over the screen."""

    @property
    def colours(self) -> dict[str, str]:
        """Colours of the theme."""
        return dict(tokens(setting_of(self.app.theme)))

    def _read(self, title: str, text: Text) -> None:
        shown = text_to_ascii(text) if self.signs is ASCII else text
        self.app.push_screen(modals.ViewerModal(title, shown, keymap=self.desk.keymap, ascii_only=self.signs is ASCII))

    # -- changing ------------------------------------------------------------------------------------------------------

    @property
    def _acts(self) -> JobActs:
        return JobActs(self.app, self.desk, ascii_only=self.signs is ASCII, done=self.action_look_again)

    def action_stop_job(self) -> None:
        """Stop it by its own way."""
        self._acts.stop([self.news.row if self.news is not None else self.job])

    def action_job_menu(self) -> None:
        """What can be done to it."""
        self._acts.menu(self.news.row if self.news is not None else self.job)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In read-only mode what changes something is not there."""
        if not self.desk.keymap.allows(action):
            return False
        return super().check_action(action, parameters)

    # -- curves --------------------------------------------------------------------------------------------------------

    def action_metric(self, step: int) -> None:
        """The next metric."""
        names = names_of(self.series())
        if names:
            self.metric = (self.metric + step) % len(names)
            self.show_curves()

    def action_closer(self, step: int) -> None:
        """Half as many points, or twice as many."""
        if self.news is None:
            return
        total = self.news.curves.points
        present = self.wish.last or total
        wanted = max(FEWEST, present // 2) if step > 0 else present * 2
        self.wish = replace(self.wish, last=0 if wanted >= total else wanted)
        self.action_look_again()

    def action_smooth(self) -> None:
        """Smooth more; after the most, not at all."""
        self.wish = replace(self.wish, smooth=(self.wish.smooth + 1) % len(SMOOTHNESS))
        self.show()

    def action_log_scale(self) -> None:
        """A logarithmic axis, or a plain one."""
        self.wish = replace(self.wish, log=not self.wish.log)
        self.show()

    # -- time ----------------------------------------------------------------------------------------------------------

    def action_event(self, step: int) -> None:
        """The next event, or the one before; log and curve go to its time."""
        story = self.news.story if self.news is not None else ()
        if not story or self.news is None:
            return
        here = len(story) if self.at is None else moment_at(story, self.at)
        moment = story[max(0, min(len(story) - 1, here + step))]
        if moment.attempt != self.news.attempt and moment.attempt in self.news.attempts:
            self._show_attempt(moment.attempt)
        if len(self.view.lines):
            self.view.reveal(self.view.lines.line_at(moment.at))
            self.view.follow = False
        self.at = moment.at
        self.show()

    def action_attempt(self, step: int) -> None:
        """The attempt before, or after."""
        if self.news is None:
            return
        wanted = self.news.attempt + step
        if wanted in self.news.attempts:
            self._show_attempt(wanted)
        else:
            self.say(f"attempt {self.news.attempt} is the {'last' if step > 0 else 'first'}")

    def _show_attempt(self, attempt: int) -> None:
        newest = self.news is not None and attempt == self.news.attempts[-1]
        self._attempt = None if newest else attempt
        self.say("")
        self.change_log()

    # -- reading and taking away ---------------------------------------------------------------------------------------

    def action_describe(self) -> None:
        """Everything known about it."""
        from runctl.screens.jobs import job_detail

        row = self.news.row if self.news is not None else self.job
        sections = [*job_detail(row, self.below.context), *self._more()]
        text = sections_text(sections, self.colours, self.size.width - 4)
        self._read(f"job  {clean_text(row.name or row.id, 60)}", text)

    def _more(self) -> list[Section]:
        if self.news is None:
            return []
        spec, end = self.news.spec, self.news.end or {}
        limits = spec.get("limits") or {}
        asked = [
            Row("command", " ".join(spec.get("command") or ())),
            Row("provider", str(spec.get("provider") or "?")),
            Row("ends after", format_duration(limits.get("ttl_s"))),
            Row("attempts", format_count((spec.get("retry") or {}).get("max_attempts"))),
        ]
        code = spec.get("code") or {}
        if code:
            asked.append(
                Row("code", f"{code.get('root')}  {format_bytes(code.get('bytes'))}  {code.get('commit') or ''}")
            )
        ended = [
            Row(word, str(end[word])) for word in ("cause", "message", "rc", "signal") if end.get(word) is not None
        ]
        if end and not end.get("verified", True):
            missing = end.get("missing") or []
            ended.append(Row("not saved", ", ".join(str(m.get("path") or m) for m in missing) or "?", "warn"))
        problems = [Row(str(p.get("what")), str(p.get("message"))) for p in self.news.state.get("problems") or ()]
        return [
            Section("Asked for", tuple(asked)),
            Section("Its end", tuple(ended)),
            Section("Problems", tuple(problems)),
        ]

    def action_copy(self) -> None:
        """The id."""
        self.post_message(CopyRequested(self.job.id, "the job's id"))

    def action_keys(self) -> None:
        """All keys that work here."""
        self._read(
            "keys on an opened job", help_text(self.desk.keymap, (Scope.JOB,), None, self.colours, self.size.width - 4)
        )

    def action_save(self) -> None:
        """Write the whole log to a file in the present directory, byte for byte."""
        follower, news = self._follower, self.news
        if follower is None or news is None:
            self.say("its record is not read yet")
            return
        self.say("writing the log …")
        name = "".join(c if c.isalnum() or c in "._-" else "-" for c in news.row.name)[:60] or "job"
        stem = f"{name}-{news.attempt}"

        def write(_: JobsDoor) -> tuple[Path, int]:
            with _fresh(Path.cwd(), stem) as file:
                for part in follower.read_log(news.attempt, 0):
                    file.write(part.data)
                return Path(file.name), file.tell()

        def written(made: tuple[Path, int]) -> None:
            self.say("")
            self.notify(f"{format_bytes(made[1])} in {made[0]}", markup=False, timeout=15)

        def failed(error: RunctlError) -> None:
            self.say(f"the log is not saved: {error}")

        self.desk.jobs(write, written, failed)


def _fresh(folder: Path, stem: str) -> BinaryIO:
    """A file that was not there before."""
    for number in range(1000):
        path = folder / (f"{stem}.log" if not number else f"{stem}.{number}.log")
        try:
            return path.open("xb")
        except FileExistsError:
            continue
        except OSError as error:
            raise RunctlError(
                f"{path}: {error.strerror or error}", hint="start runctl in a directory you may write"
            ) from error
    raise RunctlError(f"{folder}: a thousand logs of that name are there already")
