"""`runctl s3 ls`."""

from __future__ import annotations

import re
from argparse import Namespace

from runctl.cli import nouns, output, s3_usage
from runctl.cli.cells import column_of, text_of
from runctl.cli.connect import connect
from runctl.cli.invocation import Invocation, cloud, start
from runctl.cli.listing import dump
from runctl.cli.style import Tone
from runctl.cli.table import Cell, table_lines
from runctl.errors import InputError
from runctl.models.s3 import S3Entry
from runctl.store.fields import Field, Kind, json_value

#: Amazon S3 User Guide, "General purpose bucket naming rules".
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_COLUMNS: tuple[Field[S3Entry], ...] = (
    Field("modified_at", "MODIFIED", Kind.TIME, lambda e, _: e.modified_at),
    Field("bytes", "SIZE", Kind.BYTES, lambda e, _: e.bytes),
    Field("storage_class", "CLASS", Kind.TEXT, lambda e, _: e.storage_class or None),
    Field("key", "KEY", Kind.TEXT, lambda e, _: e.key),
)


def parse_place(text: str) -> tuple[str, str]:
    """Bucket and prefix of `s3://bucket/prefix`.

    Raises:
        InputError: not an S3 URI, or no bucket can have that name.
    """
    scheme, separator, rest = text.partition("://")
    bucket, _, prefix = (rest if separator else text).partition("/")
    if (separator and scheme != "s3") or not _BUCKET.fullmatch(bucket) or ".." in bucket or "\0" in prefix:
        raise InputError(
            f"{text!r} is not a place in S3",
            allowed="s3://BUCKET or s3://BUCKET/PREFIX; a bucket has 3 to 63 of a-z 0-9 . -",
            example="runctl s3 ls s3://my-bucket/checkpoints/",
        )
    return bucket, prefix


def run(args: Namespace) -> int:
    """List buckets, a level, or everything below; returns the exit code."""
    place = parse_place(args.place) if args.place else None
    with cloud(args):
        call = start(args)
        if place is not None and (args.recursive or args.du):
            return _below(call, *place)
        return nouns.list_items(call, "s3") if place is None else list_level(call, *place)


def _below(call: Invocation, bucket: str, prefix: str) -> int:
    """Everything below a prefix (-r), or how much it is (--du)."""
    from runctl.services.transfer.uri import S3Uri

    if call.args.filter or call.args.sort or call.args.columns or call.output == "csv":
        raise InputError(
            "runctl s3 ls -r: no --filter, --sort, --columns or -o csv", allowed="-o table, json, ndjson, name"
        )
    where = S3Uri(bucket, prefix)
    return (
        s3_usage.measure_place(call, where, 99 if call.args.recursive else 1)
        if call.args.du
        else s3_usage.list_below(call, where)
    )


def list_level(call: Invocation, bucket: str, prefix: str) -> int:
    """List one level under a prefix, page by page as it arrives; returns the exit code.

    Raises:
        InputError: a filter or sort order, which one level does not offer.
    """
    if call.args.filter or call.args.sort or call.args.columns or call.output == "csv":
        raise InputError(
            "runctl s3 ls: --filter, --sort, --columns and -o csv are for the list of buckets",
            allowed="-o table, json, ndjson, name; --limit",
        )
    pages = connect(call.settings).list_prefix(bucket, prefix)
    entries = [entry for page in pages for entry in page][: call.args.limit]
    match call.output:
        case "json":
            output.write_json([_json(bucket, e) for e in entries])
        case "ndjson":
            output.write_lines(
                dump({"kind": "prefix" if e.is_prefix else "object", **_json(bucket, e)}) for e in entries
            )
        case "name":
            output.write_lines(f"s3://{bucket}/{call.style.clean(e.key, 2048)}" for e in entries)
        case _:
            _table(call, entries)
    if not entries:
        call.hint(f"nothing under s3://{bucket}/{prefix}")
    return 0


def _json(bucket: str, entry: S3Entry) -> dict[str, object]:
    return {
        "bucket": bucket,
        "key": entry.key,
        "is_prefix": entry.is_prefix,
        "bytes": entry.bytes,
        "modified_at": json_value(entry.modified_at),
        "storage_class": entry.storage_class or None,
        "etag": entry.etag or None,
    }


def _table(call: Invocation, entries: list[S3Entry]) -> None:
    columns = [column_of(f)._replace(whole=True, keep=True) for f in _COLUMNS]
    rows = []
    for entry in entries:
        values = (entry.modified_at, entry.bytes, entry.storage_class or None)
        dim = Tone.DIM if entry.is_prefix else Tone.PLAIN
        cells = [Cell("-" if v is None else text_of(f, v), dim) for f, v in zip(_COLUMNS, values, strict=False)]
        rows.append([*cells, Cell(call.style.clean(entry.key, 2048), dim)])
    if rows:
        output.write_lines(table_lines(columns, rows, call.style, headers=not call.args.no_headers))
