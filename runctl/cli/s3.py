"""`runctl s3`: its verbs. What they do is imported when they run: a transfer does not wait for what a listing needs."""

from __future__ import annotations

from argparse import Namespace

from runctl.cli import arguments, s3_prune, s3_transfer, s3_uploads, s3_usage
from runctl.cli.arguments import Parser
from runctl.cli.dispatch import Verb


def _configure(parser: Parser) -> None:
    parser.add_argument(
        "place", nargs="?", metavar="s3://BUCKET/PREFIX", help="one level of a bucket; none: all buckets"
    )
    parser.add_argument("-r", "--recursive", action="store_true", help="every key below the prefix")
    parser.add_argument("--du", action="store_true", help="sizes of what lies below; with -r at every level")
    arguments.add_output(parser)
    arguments.add_fetch(parser)


def _ls(args: Namespace) -> int:
    from runctl.cli import s3_ls

    return s3_ls.run(args)


VERBS = {
    "ls": Verb(_configure, _ls, ("runctl s3 ls", "runctl s3 ls -r s3://my-bucket/checkpoints/")),
    "sync": s3_transfer.SYNC,
    "cp": s3_transfer.CP,
    "du": s3_usage.DU,
    "prune": s3_prune.PRUNE,
    "uploads": s3_uploads.UPLOADS,
}
