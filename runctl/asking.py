"""Questions and changes that must not hold up the UI's thread: each in a thread of its own, its answer handed back.

The session lends this to its screens; what a screen sees of it is `runctl.screens.desk.Desk`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from textual.message import Message

from runctl.errors import RunctlError
from runctl.messages import Answered

if TYPE_CHECKING:  # acting is imported when somebody acts
    from runctl.models.launch import Attempt, LaunchRequest, LaunchResult, Offer
    from runctl.models.plan import ItemResult, Plan
    from runctl.services.actions import Actions
    from runctl.services.backend import Backend
    from runctl.services.jobs.hands import JobsDoor
    from runctl.services.jobs.recover import Done

P = TypeVar("P")
T = TypeVar("T")
Post = Callable[[Message], bool]
#: Opens the door to acting for a backend, with references looked up in some regions.
OpenDoor = Callable[["Backend", tuple[str, ...]], "Actions"]
#: Opens the door to jobs and their records.
OpenJobs = Callable[["Backend", tuple[str, ...]], "JobsDoor"]


@dataclass
class Asked:
    """A question under way; see `runctl.screens.desk.Question`."""

    scope: int
    cancelled: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """Deliver nothing any more."""
        self.cancelled.set()


class Asking:
    """Puts questions and changes to the backend of the moment.

    Args:
        post: hands a message to the app from any thread; False once the app is closing.
        open_door: opens the door to acting, None where nothing may be changed.
    """

    regions: tuple[str, ...]
    #: Given once the app is made; None where there is nothing of jobs but what the snapshot says.
    open_jobs: OpenJobs | None = None

    @property
    def scope(self) -> int:
        """Number of the present choice of profile and regions."""
        raise NotImplementedError

    def __init__(self, post: Post, open_door: OpenDoor | None) -> None:
        self._post, self._open_door = post, open_door
        self._backend: Backend | None = None
        self._jobs: tuple[Backend, JobsDoor] | None = None

    def ask(
        self, question: Callable[[Backend], T], answered: Callable[[T], None], failed: Callable[[RunctlError], None]
    ) -> Asked:
        """Put one question to the cloud off the UI's thread; see `Desk.ask`."""
        return self.ask_pages(lambda backend: (question(backend),), answered, lambda: None, failed)

    def ask_pages(
        self,
        question: Callable[[Backend], Iterable[T]],
        page: Callable[[T], None],
        done: Callable[[], None],
        failed: Callable[[RunctlError], None],
    ) -> Asked:
        """Put a question whose answer comes in pages; see `Desk.ask_pages`."""
        asked = Asked(self.scope)

        def run() -> None:
            try:
                if (backend := self._backend) is None:
                    raise RunctlError(
                        "not connected yet", hint="wait for the first answer of AWS, or press L to log in"
                    )
                for answer in question(backend):
                    if asked.cancelled.is_set():
                        return
                    self._deliver(asked, lambda answer=answer: page(answer))  # type: ignore[misc]  # a lambda's default
            except Exception as raised:  # noqa: BLE001  # the thread's last line of defence: a person reads it
                error = readable(raised)
                self._deliver(asked, lambda: failed(error))
            else:
                self._deliver(asked, done)

        spawn("ask", run)
        return asked

    def outside(self, work: Callable[[], T], done: Callable[[T], None]) -> None:
        """Do something slow off the UI's thread; see `Desk.outside`."""

        def run() -> None:
            self._post(Answered(partial(done, work())))

        spawn("outside", run)

    def _deliver(self, asked: Asked, call: Callable[[], None]) -> None:
        def checked() -> None:
            if not asked.cancelled.is_set() and asked.scope == self.scope:
                call()

        self._post(Answered(checked))

    def plan(
        self, question: Callable[[Actions], T], answered: Callable[[T], None], failed: Callable[[RunctlError], None]
    ) -> Asked:
        """Look and judge off the UI's thread; see `Desk.plan`."""
        return self.ask(lambda backend: question(self._door(backend)), answered, failed)

    def _door(self, backend: Backend) -> Actions:
        if self._open_door is None:
            raise RunctlError("this dashboard only looks: nothing can be changed from it")
        return self._open_door(backend, self.regions)

    def jobs(
        self, question: Callable[[JobsDoor], T], answered: Callable[[T], None], failed: Callable[[RunctlError], None]
    ) -> Asked:
        """Ask about jobs, or have something done to one, off the UI's thread; see `Desk.jobs`."""
        return self.ask(lambda backend: question(self._jobs_door(backend)), answered, failed)

    def recover(self, jobs: Sequence[str], told: Callable[[tuple[Done, ...]], None]) -> None:
        """Do what is due to jobs of ours in a thread of its own; see `Desk.recover`."""
        backend = self._backend
        if backend is None or self.open_jobs is None:
            return

        def run() -> None:
            from runctl.services.jobs.recover import Done

            try:
                done = self._jobs_door(backend).recover(jobs)
            except Exception as raised:  # noqa: BLE001  # the thread's last line of defence: a person reads it
                done = (Done("jobs", "failed", str(readable(raised))),)
            self._post(Answered(partial(told, done)))  # whatever is looked at by now: what was started has to be told

        spawn("recover", run)

    def _jobs_door(self, backend: Backend) -> JobsDoor:
        """One door for each backend: finding credentials again for every look would cost more than the look."""
        kept = self._jobs
        if kept is not None and kept[0] is backend:
            return kept[1]
        if self.open_jobs is None:
            raise RunctlError("this dashboard reads no records of jobs")
        door = self.open_jobs(backend, self.regions)
        self._jobs = (backend, door)
        return door

    def carry_out(
        self,
        plan: Plan,
        progress: Callable[[ItemResult], None],
        done: Callable[[Plan], None],
        failed: Callable[[RunctlError], None],
    ) -> Asked:
        """Apply a plan off the UI's thread; see `Desk.carry_out`."""
        return self._act(
            lambda door, tell, cancelled: door.apply(plan, progress=tell, cancelled=cancelled), progress, done, failed
        )

    def offer(
        self, request: LaunchRequest, answered: Callable[[Offer], None], failed: Callable[[RunctlError], None]
    ) -> Asked:
        """What a launch would be; see `Desk.offer`."""

        def question(door: Actions) -> Offer:
            from runctl.services.launch.offer import make_offer
            from runctl.services.launch.quarantine import open_quarantine
            from runctl.services.prices import PriceBook

            ground = door.ground
            counted = ground.cloud.fetch_regions() if "all" in door.regions else door.regions
            return make_offer(ground, request, PriceBook(), open_quarantine(ground.clock), regions=counted)

        return self.plan(question, answered, failed)

    def launch(
        self,
        offer: Offer,
        tried: Callable[[Attempt], None],
        done: Callable[[LaunchResult], None],
        failed: Callable[[RunctlError], None],
    ) -> Asked:
        """Launch what was offered off the UI's thread; see `Desk.launch`."""

        def work(door: Actions, tell: Callable[[Attempt], None], cancelled: Callable[[], bool]) -> LaunchResult:
            from runctl.services.launch.attempts import Launcher
            from runctl.services.launch.quarantine import open_quarantine

            return Launcher(door.ground, open_quarantine(door.ground.clock), tell, cancelled).launch(offer)

        return self._act(work, tried, done, failed)

    def _act(
        self,
        work: Callable[[Actions, Callable[[P], None], Callable[[], bool]], T],
        told: Callable[[P], None],
        done: Callable[[T], None],
        failed: Callable[[RunctlError], None],
    ) -> Asked:
        """Change something in a thread of its own; `cancel` of what is returned begins nothing more."""
        asked, backend = Asked(self.scope), self._backend

        def hand_over(call: Callable[[], None]) -> None:
            self._post(Answered(call))  # whatever is looked at by now: what was changed has to be told

        def run() -> None:
            try:
                if backend is None:
                    raise RunctlError("not connected to AWS any more", hint="press r, then try again")
                door = self._door(backend)
                result = work(door, lambda part: hand_over(partial(told, part)), asked.cancelled.is_set)
            except Exception as raised:  # noqa: BLE001  # the thread's last line of defence: a person reads it
                hand_over(partial(failed, readable(raised)))
            else:
                hand_over(partial(done, result))

        spawn("act", run)
        return asked


def spawn(name: str, body: Callable[[], None]) -> None:
    """Start a daemon thread."""
    threading.Thread(target=body, name=name, daemon=True).start()


def readable(error: Exception) -> RunctlError:
    """Any failure as one that a person can read."""
    if isinstance(error, RunctlError):
        return error
    return RunctlError(f"{type(error).__name__}: {error}", hint="a defect of runctl; please report it")
