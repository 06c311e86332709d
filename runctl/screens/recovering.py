"""Jobs that were interrupted while nobody was here go on when the dashboard opens, and when it wakes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runctl.clock import Clock
from runctl.format import clean_text
from runctl.models.snapshot import Snapshot, Source, SourceKey
from runctl.screens.budget_watch import BudgetWatching

if TYPE_CHECKING:
    from runctl.services.jobs.recover import Done

#: A tick this many seconds late means that nothing ran here in between.
ASLEEP_S = 30.0
_JOBS = SourceKey(Source.JOBS, "")
#: How what was done begins, by its word; what is not here is not worth a notice.
_SAID = {
    "recovered": "goes on", "relaunched": "is started again", "cleaned-up": "is over", "waits": "goes on later",
    "refused": "does not go on", "failed": "cannot be looked after",
}  # fmt: skip


class Alarm:
    """Tells when nothing has run here for a while: the computer slept, or the process was stopped and continued.

    Asleep, only the time of day goes on: the monotonic clock "does not count time that the system is suspended"
    (clock_gettime(2)). A process that was stopped finds both ahead.

    Args:
        clock: the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = self._now()

    def _now(self) -> tuple[float, float]:
        return self._clock.now().timestamp(), self._clock.monotonic()

    def woke(self) -> bool:
        """Whether the last look was too long ago; asked every second."""
        before, self._last = self._last, self._now()
        return max(now - then for now, then in zip(self._last, before, strict=True)) >= ASLEEP_S


class Recovering(BudgetWatching):
    """The application's care for our own jobs: once when it opens, once whenever it wakes.

    It waits for a listing of jobs that is younger than that, so that nothing old decides.
    """

    _alarm: Alarm | None = None
    #: Listings from then on count; None when everything due has been done.
    _armed: datetime | None = datetime.min.replace(tzinfo=UTC)

    def mind_the_time(self) -> None:
        """A second has passed, or so it should be."""
        self._alarm = self._alarm or Alarm(self.desk.clock)
        if self._alarm.woke():
            self._arm()

    def _arm(self) -> None:
        self._armed = self.desk.clock.now()
        if not self.desk.paused:
            self.desk.refresh()

    def watch_snapshot(self, snapshot: Snapshot) -> None:
        """A listing of jobs may have arrived that was waited for."""
        super().watch_snapshot(snapshot)
        status = snapshot.status.get(_JOBS)
        if self._armed is None or status is None or not status.complete or status.cached:
            return
        if status.as_of is None or status.as_of < self._armed:
            return
        self._armed = None
        settings = self.desk.settings
        due = tuple(job.id for job in snapshot.jobs if job.due)
        if due and settings.jobs.recover and not settings.is_read_only(self.desk.profile):
            self.desk.recover(due, self._recovered)

    def _recovered(self, done: tuple[Done, ...]) -> None:
        """Say what was done; what has to wait is looked at again when its time has come."""
        for one in done:
            if one.did not in _SAID:
                continue
            said = f"{clean_text(one.name or one.job, 60)} {_SAID[one.did]}: {clean_text(one.message, 300)}"
            bad = one.did in ("refused", "failed")
            self.notify(said, severity="warning" if bad else "information", markup=False, timeout=20)
        if any(one.did == "cleaned-up" for one in done):
            self._arm()  # a failure that is worth another attempt gets it once its machine has gone
        elif any(one.started is not None for one in done):
            self.desk.refresh()
        if waits := [one.wait_s for one in done if one.did == "waits"]:
            self.set_timer(min(waits) + 1.0, self._arm)
