"""What makes the first picture come sooner: no collector while everything is being made, and nothing compiled twice.

`dataclasses` writes the methods of each class as source and compiles it again at every start: four hundred little
sources, a fifth of the time to the first picture. Their code is kept in the cache directory, keyed by the source itself
and by the interpreter, as Python keeps the code of modules in `__pycache__`.
"""

from __future__ import annotations

import dataclasses
import gc
import marshal
import os
import sys
import threading
import zlib
from contextlib import suppress
from pathlib import Path
from types import CodeType

from runctl import paths

#: Later on: young objects are looked at seldom, because almost all of ours die by reference count.
COLLECT_AFTER = (20_000, 20, 20)
#: What the first data need is imported and made after the first picture.
END_AFTER_S = 2.0
_KIND = f"{sys.implementation.cache_tag}-{sys.hexversion:x}"


class Headstart:
    """From the first import to the first picture.

    Args:
        file: where compiled code is kept; what cannot be read or written is done without.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._codes: dict[str, CodeType] = {}
        self._fresh = False

    def begin(self) -> None:
        """Before anything big is imported."""
        gc.disable()
        with suppress(OSError, ValueError, EOFError, TypeError):
            self._codes = _unpacked(self.file.read_bytes())
        # A module's own name hides the builtin one; everything else of the module stays as it is.
        vars(dataclasses)["exec"] = self._execute

    def _execute(self, source: str, scope: dict[str, object] | None, names: dict[str, object]) -> None:
        code = self._codes.get(source)
        if code is None:
            code = self._codes[source] = compile(source, "<string>", "exec", dont_inherit=True)
            self._fresh = True
        exec(code, scope, names)  # noqa: S102  # what dataclasses does with its own source

    def end(self) -> None:
        """The first picture is there, and the first data soon: then everything is as ever again."""
        later = threading.Timer(END_AFTER_S, self.keep)
        later.daemon = True
        later.start()

    def keep(self) -> None:
        """Collect and compile as ever from now on, and write what had to be compiled until now.

        What lives now lives to the end as a rule, so the collector need not look at it again.
        """
        gc.freeze()
        gc.set_threshold(*COLLECT_AFTER)
        gc.enable()
        vars(dataclasses).pop("exec", None)
        if not self._fresh:
            return
        beside = self.file.with_name(f"{self.file.name}.{os.getpid()}")
        with suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            beside.write_bytes(_packed(self._codes))
            beside.replace(self.file)


def headstart() -> Headstart:
    """That of this interpreter."""
    return Headstart(paths.cache_dir() / f"dataclasses-{_KIND}.bin")


def _packed(codes: dict[str, CodeType]) -> bytes:
    content = marshal.dumps(codes)
    return zlib.crc32(content).to_bytes(4, "big") + content


def _unpacked(data: bytes) -> dict[str, CodeType]:
    """The codes; a damaged file is a ValueError, because `marshal` trusts what it reads."""
    if zlib.crc32(data[4:]) != int.from_bytes(data[:4], "big"):
        raise ValueError("damaged")
    found: dict[str, CodeType] = marshal.loads(data[4:])  # noqa: S302  # our own directory, as private as __pycache__
    return found
