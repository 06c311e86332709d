"""Start the dashboard. Textual is imported here, after it is certain that there is a terminal to draw on.

Nearly everything is imported in the functions: what `headstart` is there for comes before it.
"""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Literal

from runctl.cli.headstart import headstart

if TYPE_CHECKING:
    from runctl.app import RunctlApp
    from runctl.cli.invocation import Invocation
    from runctl.config import Settings
    from runctl.services.actions import Actions
    from runctl.services.backend import Backend
    from runctl.services.jobs.hands import JobsDoor
    from runctl.services.transfer.board import Board
    from runctl.services.transfer.record import Record

#: Hears a sentence on a launch that was cut off, and whether it brought a machine.
Tell = Callable[[str, bool], None]


def run_dashboard(args: Namespace) -> int:
    """Open the dashboard and stay until it is left; returns the exit code.

    Without credentials the first screen offers a look round in the demo: the app then leaves with that wish.
    """
    wish, code = _stay(args)
    return run_dashboard(Namespace(**{**vars(args), "demo": True})) if wish == "demo" and not args.demo else code


def open_board(settings: Settings) -> Board:
    """What moves files, with a client of its own for each transfer; called when somebody looks at S3."""
    from runctl import paths
    from runctl.cli.s3_client import record_for
    from runctl.clock import SystemClock
    from runctl.services.transfer.board import Board
    from runctl.services.transfer.opening import open_client
    from runctl.services.transfer.sync import Options

    options = Options(state=paths.state_dir() / "transfers", cache=paths.cache_dir() / "sync")

    def rules(profile: str | None) -> tuple[bool, Record]:
        return settings.is_read_only(profile), record_for(settings, profile, SystemClock())

    return Board(partial(open_client, settings), options, rules)


def _open_door(call: Invocation, tell: Tell, backend: Backend, regions: tuple[str, ...]) -> Actions:
    """Open the door to acting; called in a thread when somebody acts.

    Launches that were cut off are looked for first, and told when they brought a machine: it bills. Without such a
    launch in the journal AWS is not asked.
    """
    from runctl.services.aws.backend import AwsBackend
    from runctl.services.aws.door import open_actions
    from runctl.services.launch.earlier import ADOPTED, reconcile, settled_line
    from runctl.services.verbs.row import JobLookup, no_job_known

    if not isinstance(backend, AwsBackend):
        raise TypeError(f"{type(backend).__name__} cannot be acted on")
    known: JobLookup = no_job_known
    if call.settings.jobs.bucket is not None:
        from runctl.cli.jobs_connect import open_jobs_door

        known = open_jobs_door(call, backend, regions).jobs.lookup()
    door = open_actions(backend, call.settings, call.clock, regions, jobs=known)
    for settled in reconcile(door.ground):
        if line := settled_line(settled):
            tell(line, settled.outcome == ADOPTED)
    return door


def _look_for_launches(call: Invocation, tell: Tell, backend: Backend, regions: tuple[str, ...]) -> None:
    """At the start: launches of which nobody knows what came; what cannot be asked now is asked at the next change."""
    from runctl import paths
    from runctl.errors import RunctlError
    from runctl.services.journal import Journal
    from runctl.services.launch.earlier import is_open

    with suppress(RunctlError):
        if any(map(is_open, Journal(paths.journal_file(), call.clock).entries())):
            _open_door(call, tell, backend, regions)


def _open_jobs(call: Invocation, backend: Backend, regions: tuple[str, ...]) -> JobsDoor:
    """Open the door to jobs; called in a thread when somebody opens one."""
    from runctl.cli.jobs_connect import open_jobs_door

    return open_jobs_door(call, backend, regions)


class _Notices:
    """Says a sentence in the dashboard, once each, from any thread.

    Args:
        clean: makes text from outside fit for one line.
    """

    app: RunctlApp | None = None

    def __init__(self, clean: Callable[[str, int], str]) -> None:
        self._clean, self._told = clean, set[str]()

    def __call__(self, line: str, found: bool) -> None:
        """Say it; that something was found may be read a minute later too."""
        from runctl.messages import Answered

        if self.app is None or line in self._told:
            return
        self._told.add(line)
        severity: Literal["warning", "information"] = "warning" if found else "information"
        timeout = 60 if found else 15
        notify = partial(self.app.notify, self._clean(line, 600), severity=severity, timeout=timeout, markup=False)
        self.app.post_message(Answered(notify))


def _stay(args: Namespace) -> tuple[object, int]:
    """Open the dashboard once; what the app was left with, and the exit code."""
    early = headstart()
    early.begin()
    from runctl.cli.invocation import cloud, start

    with cloud(args):
        call = start(args)
        if call.settings.ui.color == "never":
            os.environ["NO_COLOR"] = "1"  # how Textual is told, before it is imported
        os.environ.setdefault("TEXTUAL_FPS", "120")  # a picture waits for the next frame, also the first one
        from runctl.app import RunctlApp

        if call.settings.keys:
            from runctl.cli.config import check_keys

            check_keys(call.resolved)

        def connect(profile: str | None) -> Backend:
            """Open a session; called in a poller's thread, so that the first paint does not wait for botocore."""
            from runctl.services.aws.backend import open_backend

            return open_backend(call.settings, profile)

        tell = _Notices(call.style.clean)
        board = partial(open_board, call.settings)
        app = RunctlApp(call.settings, connect, clock=call.clock, demo=args.demo, painted=early.end,
                        open_door=partial(_open_door, call, tell), open_board=board)  # fmt: skip
        tell.app = app
        app.desk.open_jobs = partial(_open_jobs, call)
        app.desk.connected = partial(_look_for_launches, call, tell)
        wish = app.run()
        return wish, app.return_code or 0
