"""`runctl jobs stop|resume|retry|adopt`, and what `runctl watch` does unattended."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runctl.cli import arguments
from runctl.cli.arguments import Parser
from runctl.cli.dispatch import Verb
from runctl.cli.jobs_read import add_job, open_found
from runctl.errors import InputError

if TYPE_CHECKING:
    from runctl.cli.invocation import Invocation
    from runctl.services.jobs.service import Found, Jobs

_POLL_S = 1.0
#: Beside grace and uploads: how long a machine may take to be gone.
_MARGIN_S = 120.0


def add_safety(parser: Parser) -> None:
    """Options of every verb here."""
    group = parser.add_argument_group("safety")
    group.add_argument("--dry-run", action="store_true", help="show what would happen; change nothing")
    group.add_argument("-y", "--yes", action="store_true", help="do not ask")
    arguments.add_format(parser.add_argument_group("output"), ("table", "json"))


def _verb(run: Callable[[Invocation], int], configure: Callable[[Parser], None], *examples: str) -> Verb:
    def started(args: Namespace) -> int:
        from runctl.cli.invocation import cloud, start

        with cloud(args):
            return run(start(args))

    return Verb(configure, started, examples)


def _add_override(parser: Parser) -> None:
    parser.add_argument(
        "--override",
        action="append",
        default=[],
        choices=("other-owner",),
        metavar="RULE",
        help="act on another owner's job: other-owner",
    )


def _is_refused(call: Invocation, jobs: Jobs, found: Found, action: str) -> bool:
    """Whether it is another owner's job, which is told; a shared bucket holds the jobs of many."""
    from runctl.cli.jobs_connect import known_jobs
    from runctl.services.jobs.recover import foreign

    if call.args.override:
        return False
    theirs = foreign(found, lambda: known_jobs(call, jobs).owner)
    if theirs:
        said = f"{theirs} (--override other-owner sets it aside)"
        tell(call, found.record.job, action, "refused", said, rule="other-owner")
    return bool(theirs)


def tell(call: Invocation, job: str, action: str, outcome: str, reason: str = "", **more: Any) -> None:
    """One result, as an array of one object or as a line."""
    from runctl.cli.output import write_json, write_lines

    if call.output == "json":
        write_json([{"id": job, "action": action, "outcome": outcome, "rule": None, "reason": reason or None} | more])
    else:
        write_lines([f"{outcome:<8} {action} {job}" + (f": {call.style.clean(reason, 600)}" if reason else "")])


# --- stop ---


def _configure_stop(parser: Parser) -> None:
    add_job(parser)
    parser.add_argument("--reason", default="", metavar="TEXT", help="why, for the record")
    parser.add_argument("--grace", type=arguments.duration, metavar="2m", help="time to save after SIGTERM")
    parser.add_argument("--wait", action="store_true", help="wait until it has saved, uploaded and ended")
    _add_override(parser)
    add_safety(parser)


def _stop(call: Invocation) -> int:
    from runctl.cli.confirm import confirm

    jobs, found = open_found(call)
    job, name = found.record.job, found.spec.get("name")
    if not call.args.dry_run and found.provider != "local" and call.read_only:
        raise InputError("read-only: stopping changes S3 and ends a machine", allowed="looking, and --dry-run")
    if _is_refused(call, jobs, found, "stop"):
        return 1
    seen = jobs.look(found)
    if call.args.dry_run:
        tell(call, job, "stop", "planned", f"{seen.verdict.outcome} on {seen.verdict.resource}: save, upload, end")
        return 0
    confirm(call, f"stop {name} ({job}), which is {seen.verdict.outcome}; it saves and uploads first")
    reason = call.args.reason or f"stopped by {jobs.owner}"
    jobs.stop(found, reason, grace_s=call.args.grace)
    if not call.args.wait:
        tell(call, job, "stop", "done", "asked for; its machine saves, uploads and ends by itself")
        return 0
    return _await_end(call, jobs, found)


def _await_end(call: Invocation, jobs: Jobs, found: Found) -> int:
    limits = found.spec.get("limits") or {}
    grace = float(call.args.grace or limits.get("grace_s") or 120.0)
    deadline = time.monotonic() + grace + float(limits.get("upload_s") or 1800.0) + _MARGIN_S
    said = ""
    while True:
        seen = jobs.look(found)
        now = f"{seen.verdict.outcome} ({seen.verdict.resource}) {seen.verdict.reason}".rstrip()
        if now != said:
            call.hint(now)
            said = now
        if seen.verdict.outcome.over:
            end = seen.seen.exit or {}
            saved = (end.get("newest_complete") or {}).get("id")
            kept = f"; saved {saved}" if saved else "; nothing was saved"
            tell(call, found.record.job, "stop", "done", f"{seen.verdict.outcome}: {seen.verdict.reason}{kept}")
            return 0
        if time.monotonic() > deadline:
            tell(call, found.record.job, "stop", "failed", f"still {now}")
            call.hint("its machine does not answer; end it yourself: runctl instances terminate "
                      + (seen.machine.id if seen.machine else "ID"))  # fmt: skip
            return 2
        time.sleep(_POLL_S)


# --- resume, retry, adopt ---


def _configure_resume(parser: Parser) -> None:
    add_job(parser)
    parser.add_argument("--from", dest="checkpoint", metavar="ID", help="checkpoint (default: the newest complete one)")
    _add_override(parser)
    add_safety(parser)


def _configure_retry(parser: Parser) -> None:
    add_job(parser)
    parser.add_argument("--fresh", action="store_true", help="begin anew, even where there is a checkpoint")
    _add_override(parser)
    add_safety(parser)


def _resume(call: Invocation) -> int:
    return _go_on(call, "resume", call.args.checkpoint, fresh=False)


def _retry(call: Invocation) -> int:
    return _go_on(call, "retry", None, fresh=call.args.fresh)


def _go_on(call: Invocation, cause: str, checkpoint: str | None, *, fresh: bool) -> int:
    from runctl.cli.confirm import confirm
    from runctl.cli.jobs_connect import hands_for

    jobs, found = open_found(call)
    job = found.record.job
    if _is_refused(call, jobs, found, cause):
        return 1
    seen = jobs.look(found)
    newest = found.record.newest_checkpoint()
    whence = "the start" if fresh else checkpoint or (newest or {}).get("id") or "the start"
    what = f"attempt {seen.seen.attempt + 1} of {found.spec.get('name')} ({job}) from {whence}"
    if call.args.dry_run:
        tell(call, job, cause, "planned", what)
        return 0
    confirm(call, f"start {what}; it is {seen.verdict.outcome}")
    started = hands_for(call, jobs, found).go_on(found, cause=cause, checkpoint=checkpoint, fresh=fresh)
    outcome = "failed" if started.problem else "done"
    tell(call, job, cause, outcome, started.message or f"{what} on {started.machine}", machine=started.machine or None)
    return started.exit_code


def _configure_adopt(parser: Parser) -> None:
    add_job(parser)
    add_safety(parser)


def _adopt(call: Invocation) -> int:
    from runctl.cli.confirm import confirm
    from runctl.cli.jobs_connect import hands_for
    from runctl.services.jobs.recover import adopt

    jobs, found = open_found(call)
    if call.args.dry_run:
        seen = jobs.look(found)
        tell(call, found.record.job, "adopt", "planned", f"{seen.verdict.outcome}: {seen.verdict.action} is open")
        return 0
    confirm(call, f"take {found.spec.get('name')} ({found.record.job}) over from {found.spec.get('owner') or 'nobody'}")
    done = adopt(hands_for(call, jobs, found), found)
    tell(call, found.record.job, "adopt", "done", f"{done.did}: {done.message}")
    return 0


# --- watch ---


def _configure_watch(parser: Parser) -> None:
    parser.add_argument("jobs", nargs="*", metavar="JOB", help="only these; all that can be reached when none is named")
    parser.add_argument("--every", type=arguments.duration, default=30.0, metavar="30s", help="time between two rounds")
    parser.add_argument("--rounds", type=arguments.limit, metavar="N", help="end after N rounds (default: never)")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done; do nothing")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    arguments.add_format(parser.add_argument_group("output"), ("table", "ndjson"))


def _watch(call: Invocation) -> int:
    from runctl.cli.confirm import confirm
    from runctl.cli.jobs_connect import hands_for, known_jobs, open_jobs
    from runctl.services.jobs.hands import once_a_place
    from runctl.services.jobs.recover import sweep

    if not call.args.dry_run:
        confirm(call, "recover interrupted jobs within their budgets and end machines whose work is over and saved")
    jobs = known_jobs(call, open_jobs(call))
    if "ec2" in jobs.stores and call.read_only and not call.args.dry_run:
        raise InputError("read-only: this changes AWS", allowed="looking, and --dry-run")
    only = [jobs.find(text).record.job for text in call.args.jobs] or None
    hands = once_a_place(lambda found: hands_for(call, jobs, found))
    rounds, before = 0, dict[str, str]()
    while True:
        failed = False
        for done in sweep(jobs, dry_run=call.args.dry_run, only=only, hands=hands):
            failed = failed or done.did == "failed"
            if before.get(done.job) != (now := f"{done.did}: {done.message}"):
                before[done.job] = now
                _said(call, done.job, done.did, done.message)
        rounds += 1
        if call.args.rounds and rounds >= call.args.rounds:
            return 4 if failed else 0
        time.sleep(call.args.every)


def _said(call: Invocation, job: str, did: str, message: str) -> None:
    from runctl.cli.listing import dump
    from runctl.cli.output import write_lines

    if call.output == "ndjson":
        write_lines([dump({"kind": "job", "id": job, "did": did, "message": message})])
    elif did != "none" or call.args.verbose:
        at = time.strftime("%H:%M:%SZ", time.gmtime())
        write_lines([f"{at} {job} {did}: {call.style.clean(message, 400)}"])


STOP = _verb(_stop, _configure_stop, "runctl jobs stop vit-small --wait", "runctl jobs stop vit-small --yes --grace 5m")
RESUME = _verb(
    _resume, _configure_resume, "runctl jobs resume vit-small", "runctl jobs resume vit-small --from 1/step-000200.pt"
)
RETRY = _verb(_retry, _configure_retry, "runctl jobs retry vit-small --fresh")
ADOPT = _verb(_adopt, _configure_adopt, "runctl jobs adopt 01JDQ5V7N8")
WATCH = _verb(_watch, _configure_watch, "runctl watch --yes", "runctl watch --dry-run --rounds 1")
