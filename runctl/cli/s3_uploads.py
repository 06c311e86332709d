"""`runctl s3 uploads`: unfinished multipart uploads, which bill and which no listing shows."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from runctl.cli import arguments
from runctl.cli.arguments import Parser
from runctl.cli.dispatch import Verb
from runctl.errors import InputError, RunctlError

if TYPE_CHECKING:
    from runctl.cli.invocation import Invocation
    from runctl.services.transfer.client import S3Client
    from runctl.services.transfer.unfinished import UnfinishedUpload
    from runctl.services.transfer.uri import S3Uri

_ACTIONS = ("list", "resume", "abort")


def _configure(parser: Parser) -> None:
    parser.add_argument("action", choices=_ACTIONS, help="what to do with them")
    parser.add_argument("place", metavar="s3://BUCKET/PREFIX", help="where to look")
    parser.add_argument("--id", action="append", default=[], metavar="ID", help="only this upload; may be repeated")
    parser.add_argument("--older-than", type=arguments.duration, metavar="7d", help="only those begun before that")
    arguments.add_acting(parser)


def _run(args: Namespace) -> int:
    from runctl.cli.invocation import cloud, start
    from runctl.services.transfer.uri import parse_s3

    where = parse_s3(args.place)
    with cloud(args):
        return _uploads(start(args), where)


def _uploads(call: Invocation, where: S3Uri) -> int:
    from runctl import paths
    from runctl.cli.s3_client import open_client, refuse_read_only
    from runctl.services.transfer.journal import Journal
    from runctl.services.transfer.unfinished import find

    args = call.args
    client = open_client(call)
    oldest = client.clock.now().timestamp() - args.older_than if args.older_than else None
    found = [
        u
        for u in find(client, where, Journal(paths.state_dir() / "transfers"))
        if (not args.id or {u.upload_id, u.id} & set(args.id)) and (oldest is None or u.initiated < oldest)
    ]
    if args.id and len(found) < len(set(args.id)):
        known = {name for u in found for name in (u.upload_id, u.id)}
        raise InputError(f"no unfinished upload {', '.join(i for i in args.id if i not in known)} below {where}")
    if args.action == "abort" and found:
        return _abort(call, found)
    if args.action == "list" or args.dry_run or not found:
        _show(call, found)
        return 0
    refuse_read_only(call, f"{where}")
    return _resume(call, client, found)


def _show(call: Invocation, found: list[UnfinishedUpload]) -> None:
    from runctl.cli.output import write_json, write_lines
    from runctl.cli.s3_usage import stamp
    from runctl.format import clean_text, format_bytes

    if call.output == "json":
        write_json(
            [
                {
                    "id": u.id, "upload_id": u.upload_id, "bucket": u.bucket, "key": u.key,
                    "initiated_at": stamp(u.initiated), "parts": u.parts, "bytes": u.bytes,
                    "path": u.path or None, "total_bytes": u.total,
                }
                for u in found
            ]
        )  # fmt: skip
        return
    write_lines(
        f"{stamp(u.initiated)[:16]}  {format_bytes(u.bytes):>10} of {format_bytes(u.total):>10}  {u.parts:>5} parts  "
        f"{clean_text(u.upload_id, 200)}  {clean_text(u.key, 1024)}"
        + (f"  <- {clean_text(u.path, 1024)}" if u.path else "")
        for u in found
    )
    if not found:
        call.hint("no unfinished uploads")


def _abort(call: Invocation, found: list[UnfinishedUpload]) -> int:
    from datetime import UTC, datetime

    from runctl.cli.acting import carry_out, open_door, overrides_of
    from runctl.models.plan import Verb as Deed
    from runctl.models.s3 import Upload

    overrides, door = overrides_of(call), open_door(call, everywhere=True)
    uploads = [Upload(u.bucket, u.key, u.upload_id, u.region, datetime.fromtimestamp(u.initiated, UTC)) for u in found]
    return carry_out(call, door, door.draft_on(Deed.ABORT, uploads, {"named": True}, overrides))


def _resume(call: Invocation, client: S3Client, found: list[UnfinishedUpload]) -> int:
    from runctl import paths
    from runctl.cli.s3_report import shown
    from runctl.services.transfer.single import Single
    from runctl.services.transfer.sync import Options
    from runctl.services.transfer.uri import S3Uri

    answers: list[tuple[UnfinishedUpload, str]] = []
    for upload in found:
        if not upload.path:
            answers.append((upload, "not begun by runctl on this machine: its file is unknown; abort it instead"))
            continue
        try:
            options = Options(state=paths.state_dir() / "transfers")
            single = Single(client, Path(upload.path), S3Uri(upload.bucket, upload.key), options)
            with shown(call, single):
                outcome = single.run()
            answers.append((upload, outcome.failed[0].reason if outcome.failed else ""))
        except RunctlError as error:
            answers.append((upload, str(error)))
    return _tell(call, answers, "resume")


def _tell(call: Invocation, answers: list[tuple[UnfinishedUpload, str]], action: str) -> int:
    from runctl.cli.output import write_json
    from runctl.format import clean_text

    done = sum(not problem for _, problem in answers)
    if call.output == "json":
        write_json(
            [
                {
                    "id": u.upload_id,
                    "action": action,
                    "outcome": "failed" if p else "done",
                    "rule": None,
                    "reason": p or None,
                }
                for u, p in answers
            ]
        )
    else:
        print(f"{action}: {done} of {len(answers)} done")
    for upload, problem in answers:
        if problem:
            print(f"failed: {clean_text(upload.key, 1024)}: {clean_text(problem)}", file=sys.stderr)
    return 0 if done == len(answers) else 4 if done else 2


UPLOADS = Verb(
    _configure,
    _run,
    ("runctl s3 uploads list s3://my-bucket/", "runctl s3 uploads abort s3://my-bucket/ --older-than 7d"),
)
