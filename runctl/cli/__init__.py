"""The command line. Importing this package loads no Textual, Rich, boto3 or pydantic."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code: `runctl.cli.dispatch` lists them."""
    args = list(sys.argv[1:] if argv is None else argv)
    if args in (["--version"], ["-V"]):
        from runctl import __version__

        print(f"runctl {__version__}")
        return 0
    from runctl.cli.dispatch import run

    return run(args)
