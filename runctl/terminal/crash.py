"""What stays of a crash: one line on the terminal, and a private file with the way to it and no values."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback
from datetime import datetime
from pathlib import Path

from runctl import __version__
from runctl.paths import make_private


def write_crash_log(error: BaseException, directory: Path, now: datetime) -> Path | None:
    """Write the traceback without locals, readable by the owner only; None when no directory takes it.

    Args:
        error: what was not caught.
        directory: where logs live; the system's temporary directory is used when it cannot be written.
        now: the time, for the file's name.
    """
    text = "".join(
        (
            f"runctl {__version__}, Python {platform.python_version()}, {sys.platform}, {now.isoformat()}\n\n",
            *traceback.format_exception(error),
        )
    )
    name = f"runctl-crash-{now:%Y%m%dT%H%M%S}-{os.getpid()}.log"
    for place in (directory, Path(tempfile.gettempdir())):
        try:
            make_private(place)
            descriptor = os.open(place / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError:
            continue
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        return place / name
    return None
