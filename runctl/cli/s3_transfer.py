"""`runctl s3 sync` and `runctl s3 cp`."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from runctl.cli import arguments, s3_options
from runctl.cli.arguments import Parser
from runctl.cli.dispatch import Verb
from runctl.errors import InputError

if TYPE_CHECKING:
    from runctl.cli.invocation import Invocation
    from runctl.services.transfer.client import S3Client
    from runctl.services.transfer.plan import Outcome, Plan
    from runctl.services.transfer.single import Single
    from runctl.services.transfer.sync import Options, Sync
    from runctl.services.transfer.uri import S3Uri


def _configure_sync(parser: Parser) -> None:
    parser.add_argument("source", metavar="SRC", help="directory or s3://BUCKET/PREFIX")
    parser.add_argument("target", metavar="DST", help="directory or s3://BUCKET/PREFIX")
    compare = parser.add_mutually_exclusive_group()
    compare.add_argument("--size-only", action="store_true", help="files of the same size are the same")
    compare.add_argument("--checksum", action="store_true", help="compare content with the checksums S3 keeps")
    parser.add_argument("--delete", action="store_true", help="delete in DST what SRC has not, after showing it")
    parser.add_argument("--watch", action="store_true", help="stay, and synchronise again after each change")
    parser.add_argument("--every", type=arguments.duration, default=2.0, metavar="2s", help="how often --watch looks")
    s3_options.add_yes(parser)
    s3_options.add_names(parser)
    s3_options.add_moving(parser)
    s3_options.add_result(parser)


def _configure_cp(parser: Parser) -> None:
    parser.add_argument("source", metavar="SRC", help="file or s3://BUCKET/KEY; with -r directory or prefix")
    parser.add_argument("target", metavar="DST", help="file, directory, s3://BUCKET/KEY or s3://BUCKET/PREFIX/")
    parser.add_argument("-r", "--recursive", action="store_true", help="everything below SRC")
    s3_options.add_names(parser)
    s3_options.add_moving(parser)
    s3_options.add_result(parser)
    parser.set_defaults(delete=False, watch=False, size_only=False, checksum=False, yes=False)


def _run_sync(args: Namespace) -> int:
    from runctl.cli.invocation import cloud, start
    from runctl.services.transfer.uri import parse_location

    source, target = parse_location(args.source), parse_location(args.target)
    _check_watch(args, source)
    with cloud(args):
        call = start(args)
        return _synchronise(call, source, target)


def _check_watch(args: Namespace, source: Path | S3Uri) -> None:
    if args.watch and args.dry_run:
        raise InputError("--watch with --dry-run shows the same plan for ever", allowed="one of the two")
    if args.watch and args.delete and not args.yes:
        raise InputError("--watch --delete deletes again and again without asking: it needs --yes")
    if args.watch and isinstance(source, Path) and not source.is_dir():
        raise InputError(f"{source} is not a directory", allowed="a directory to watch")


def _synchronise(call: Invocation, source: Path | S3Uri, target: Path | S3Uri) -> int:
    from runctl.cli.s3_client import open_client, refuse_read_only
    from runctl.services.transfer.sync import Sync

    if not isinstance(target, Path) and not call.args.dry_run:
        refuse_read_only(call, f"{target}")
    options = _options(call)
    client = open_client(call, patient=not isinstance(source, Path) and not isinstance(target, Path))
    if call.args.dry_run:
        return _dry_run(call, Sync(client, source, target, options))
    if not call.args.watch:
        return _report(call, _once(call, Sync(client, source, target, options)), _verb(source, target))
    return _watch(call, client, source, target, options)


def _watch(call: Invocation, client: S3Client, source: Path | S3Uri, target: Path | S3Uri, options: Options) -> int:
    from runctl.clock import SystemClock
    from runctl.services.transfer.sync import Sync
    from runctl.services.transfer.watch import watch

    def once() -> Outcome:
        outcome = _once(call, Sync(client, source, target, options))
        if outcome.files or outcome.deleted or outcome.failed_count:
            _report(call, outcome, _verb(source, target))
        return outcome

    root = source if isinstance(source, Path) else None
    every = call.args.every if root is not None else max(30.0, call.args.every)
    call.hint(f"watching {source}; Ctrl-C ends it")
    return watch(once, root, client.control, SystemClock(), every_s=every, follow=options.follow).exit_code


def _options(call: Invocation) -> Options:
    from runctl import paths
    from runctl.cli.s3_client import record_for
    from runctl.clock import SystemClock
    from runctl.services.transfer.changes import How, NameFilter
    from runctl.services.transfer.context import Tuning
    from runctl.services.transfer.sync import Options

    args = call.args
    how = How.CHECKSUM if args.checksum else How.SIZE if args.size_only else How.TIME
    if getattr(args, "recursive", False):
        how = How.ALWAYS
    return Options(
        state=paths.state_dir() / "transfers",
        cache=paths.cache_dir() / "sync",
        how=how,
        delete=args.delete,
        names=NameFilter(args.names),
        bandwidth=args.bandwidth,
        follow=not args.no_follow_symlinks,
        tuning=Tuning(workers=args.concurrency),
        record=record_for(call.settings, call.settings.profile, SystemClock()) if args.delete else None,
    )


def _dry_run(call: Invocation, sync: Sync) -> int:
    from runctl.cli.output import write_json, write_lines
    from runctl.cli.s3_report import plan_json, plan_lines

    plan = sync.plan()
    delete = call.args.delete
    if call.output == "json":
        write_json(plan_json(plan, delete=delete))
    else:
        write_lines(plan_lines(plan, delete=delete))
        if delete and plan.forbidden and plan.deletions.count:
            call.hint(f"would delete nothing: {plan.forbidden}")
    return 0


def _once(call: Invocation, sync: Sync | Single) -> Outcome:
    from runctl.cli.s3_report import shown
    from runctl.services.transfer.sync import Sync

    plan = _agreed(call, sync) if isinstance(sync, Sync) and call.args.delete else None
    with shown(call, sync):
        return sync.run(plan) if isinstance(sync, Sync) else sync.run()


def _agreed(call: Invocation, sync: Sync) -> Plan:
    """The plan of a sync that deletes, shown and agreed to.

    Raises:
        InputError: it would empty the target for an empty source, or nobody said yes.
    """
    from runctl.cli.confirm import confirm
    from runctl.cli.s3_report import plan_lines
    from runctl.format import format_bytes

    plan = sync.plan()
    count = plan.deletions.count
    if count and plan.forbidden == "the source is empty":
        raise InputError(
            f"{sync.source} is empty: --delete would empty {sync.target} ({count} files, "
            f"{format_bytes(plan.deletions.bytes)})",
            allowed="check SRC; to delete on purpose use `aws s3 rm --recursive`",
        )
    if count and not plan.forbidden and not call.args.yes:
        for line in plan_lines(plan, delete=True, limit=40):
            call.hint(line)
        confirm(call, f"{count} files will be deleted in {sync.target}", word=f"delete {count}")
    return plan


def _verb(source: Path | S3Uri, target: Path | S3Uri) -> str:
    if isinstance(source, Path):
        return "uploaded"
    return "downloaded" if isinstance(target, Path) else "copied"


def _report(call: Invocation, outcome: Outcome, verb: str) -> int:
    from runctl.cli.s3_report import outcome_json, outcome_line, tell_failures

    if call.output == "json":
        from runctl.cli.output import write_json

        write_json(outcome_json(outcome))
    elif not call.args.quiet:
        print(outcome_line(outcome, verb))
    tell_failures(call, outcome)
    return outcome.exit_code


def _run_cp(args: Namespace) -> int:
    from runctl.cli.invocation import cloud, start
    from runctl.services.transfer.uri import parse_location

    source, target = parse_location(args.source), parse_location(args.target)
    if args.names and not args.recursive:
        raise InputError("--exclude and --include need -r", allowed="one file, or -r with patterns")
    with cloud(args):
        call = start(args)
        if args.recursive:
            return _synchronise(call, source, target)
        return _copy_one(call, source, target, into=args.target.endswith(("/", os.sep)))


def _copy_one(call: Invocation, source: Path | S3Uri, target: Path | S3Uri, *, into: bool) -> int:
    from runctl.cli.s3_client import open_client, refuse_read_only
    from runctl.format import clean_text, format_bytes
    from runctl.services.transfer.single import Single

    client = open_client(call, patient=True)
    single = Single(client, source, target, _options(call), into=into)
    if call.args.dry_run:
        change = single.change()
        if call.output == "json":
            from runctl.cli.output import write_json

            write_json({"dry_run": True, "source": str(source), "target": str(single.target), "bytes": change.size})
        else:
            ends = (clean_text(str(end), 2048) for end in (source, single.target))
            print(f"copy {format_bytes(change.size)}  {' -> '.join(ends)}")
        return 0
    if not isinstance(target, Path):
        refuse_read_only(call, f"{target}")
    return _report(call, _once(call, single), _verb(source, target))


SYNC = Verb(
    _configure_sync,
    _run_sync,
    (
        "runctl s3 sync ./data s3://my-bucket/data/",
        "runctl s3 sync s3://my-bucket/checkpoints/ ./checkpoints --include '*.pt' --bandwidth 50MB/s",
        "runctl s3 sync ./data s3://my-bucket/data/ --delete --dry-run",
    ),
)
CP = Verb(
    _configure_cp,
    _run_cp,
    ("runctl s3 cp model.pt s3://my-bucket/models/", "runctl s3 cp -r s3://my-bucket/runs/7/ ./run-7"),
)
