"""`runctl s3 du`, and `runctl s3 ls -r` and `--du`: everything below a prefix, streamed."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING

from runctl.cli import s3_options
from runctl.cli.arguments import Parser, limit
from runctl.cli.dispatch import Verb

if TYPE_CHECKING:
    from runctl.cli.invocation import Invocation
    from runctl.services.transfer.uri import S3Uri
    from runctl.services.transfer.usage import Usage
    from runctl.services.transfer.wire import RemoteFile


def _configure(parser: Parser) -> None:
    parser.add_argument("place", metavar="s3://BUCKET/PREFIX", help="what to measure")
    parser.add_argument("--depth", type=limit, default=1, metavar="N", help="levels to show apart (1)")
    parser.add_argument("-s", "--summarize", action="store_true", help="the sum only")
    s3_options.add_result(parser)


def _run(args: Namespace) -> int:
    from runctl.cli.invocation import cloud, start
    from runctl.services.transfer.uri import parse_s3

    where = parse_s3(args.place)
    with cloud(args):
        return measure_place(start(args), where, 0 if args.summarize else args.depth)


def measure_place(call: Invocation, where: S3Uri, depth: int) -> int:
    """Print what lies below a prefix, level by level; returns the exit code.

    Raises:
        CloudError: it could not be listed in full: no sum is better than a wrong one.
    """
    from runctl.cli.output import write_json, write_lines
    from runctl.cli.s3_client import open_client
    from runctl.format import format_bytes, format_count
    from runctl.services.transfer.usage import measure

    tree = measure(open_client(call), where, depth=depth)
    groups = sorted(tree.groups.items(), key=lambda item: -item[1].bytes)
    if call.output in ("json", "ndjson"):
        write_json({**_json(str(where), tree.total), "groups": [_json(f"{where}{n}", u) for n, u in groups]})
        return 0
    rows = [(f"{where}{name}", usage) for name, usage in groups] + [(str(where), tree.total)]
    write_lines(
        f"{format_bytes(u.bytes):>10} {format_count(u.objects):>9}  {call.style.clean(name, 2048)}" for name, u in rows
    )
    return 0


def _json(name: str, usage: Usage) -> dict[str, object]:
    from datetime import UTC, datetime

    newest = datetime.fromtimestamp(usage.newest, UTC).isoformat() if usage.newest else None
    return {
        "uri": name,
        "objects": usage.objects,
        "bytes": usage.bytes,
        "newest": newest,
        "storage_classes": dict(sorted(usage.classes.items())),
    }


def list_below(call: Invocation, where: S3Uri) -> int:
    """Print every key below a prefix as pages arrive; returns the exit code.

    Raises:
        CloudError: a page failed; what was printed before it is right.
    """
    from itertools import islice

    from runctl.cli.output import write_lines
    from runctl.cli.s3_client import open_client
    from runctl.services.transfer.listing import list_remote

    pages = list_remote(open_client(call), where.bucket, where.key)
    files = islice((file for page in pages for file in page), call.args.limit)
    write_lines(_lines(call, where.bucket, files))
    return 0


def _lines(call: Invocation, bucket: str, files: Iterator[RemoteFile]) -> Iterator[str]:
    """Each key in the chosen format; JSON is written piece by piece too, so that memory stays flat."""
    from runctl.cli.listing import dump
    from runctl.format import format_bytes

    if call.output in ("json", "ndjson"):
        array = call.output == "json"
        between = "[" if array else ""
        for file in files:
            yield between + dump(_entry(bucket, file))
            between = "," if array else ""
        if array:
            yield "[]" if between == "[" else "]"
        return
    for file in files:
        if call.output == "name":
            yield f"s3://{bucket}/{call.style.clean(file.key, 2048)}"
        else:
            when, size = stamp(file.modified).replace("T", " ")[:19], format_bytes(file.size)
            yield f"{when}  {size:>10}  {file.storage_class or '-':<12}  {call.style.clean(file.key, 2048)}"


def stamp(modified: float) -> str:
    """ISO-8601, UTC, of seconds since the epoch."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(modified, UTC).isoformat()


def _entry(bucket: str, file: RemoteFile) -> dict[str, object]:
    return {
        "bucket": bucket,
        "key": file.key,
        "is_prefix": False,
        "bytes": file.size,
        "modified_at": stamp(file.modified) if file.modified else None,
        "storage_class": file.storage_class or None,
        "etag": file.etag or None,
    }


DU = Verb(_configure, _run, ("runctl s3 du s3://my-bucket/", "runctl s3 du s3://my-bucket/runs/ --depth 2"))
