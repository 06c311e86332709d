"""What makes the first picture come sooner: no collector while everything is being made, and nothing compiled twice.

`dataclasses` writes the methods of each class as source and compiles it again at every start: four hundred little
sources, a fifth of the time to the first picture. `re` does the same with a hundred patterns, an eighth. What both make
is kept in the cache directory, keyed by the source itself and by the interpreter, as Python keeps the code of modules.
"""

from __future__ import annotations

import dataclasses
import gc
import marshal
import os
import re
import sys
import threading
import zlib
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import CodeType, FunctionType, SimpleNamespace
from typing import Any

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
        self._patterns = Patterns()
        self._begun = self._fresh = False

    def begin(self) -> None:
        """Before anything big is imported; a second time does nothing."""
        if self._begun:
            return
        self._begun = True
        gc.disable()
        load_asyncio()
        with suppress(OSError, ValueError, EOFError, TypeError):
            self._codes, self._patterns.kept = _unpacked(self.file.read_bytes())
        self._patterns.begin()
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
        self._begun = False
        gc.freeze()
        gc.set_threshold(*COLLECT_AFTER)
        gc.enable()
        vars(dataclasses).pop("exec", None)
        self._patterns.end()
        if not (self._fresh or self._patterns.fresh):
            return
        beside = self.file.with_name(f"{self.file.name}.{os.getpid()}")
        with suppress(OSError, ValueError):
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            beside.write_bytes(_packed((self._codes, self._patterns.kept)))
            beside.replace(self.file)


class Patterns:
    """Regular expressions as `re` compiled them once: what it gives to its engine, by pattern and flags.

    An interpreter whose `re` is built another way is left alone.
    """

    def __init__(self) -> None:
        self.kept: dict[tuple[str, int], tuple[Any, ...]] = {}
        self.fresh = False
        self._compile: Any = None
        self._engine: Any = None

    def begin(self) -> None:
        """From now on."""
        with suppress(ImportError, AttributeError):
            compiler = import_module("re._compiler")
            made, self._engine = compiler.compile, import_module("_sre")
            if type(made) is FunctionType and "_sre" in vars(compiler):
                self._compile = made
                vars(compiler)["compile"] = self._compiled

    def end(self) -> None:
        """As ever again."""
        if self._compile is not None:
            vars(import_module("re._compiler"))["compile"] = self._compile
            self._compile = None

    def _compiled(self, pattern: Any, flags: int = 0) -> re.Pattern[Any]:
        known = self.kept.get((pattern, flags)) if type(pattern) is str else None
        if known is not None:
            return self._given(*known)
        kept: list[tuple[Any, ...]] = []

        def given(*parts: Any) -> re.Pattern[Any]:
            kept.append(parts)
            return self._given(*parts)

        # `re`'s own function, but what it ends with, the engine, is asked through us.
        scope = {**self._compile.__globals__, "_sre": SimpleNamespace(compile=given)}
        made: re.Pattern[Any] = FunctionType(self._compile.__code__, scope, argdefs=(0,))(pattern, flags)
        if type(pattern) is str:
            whose, wanted, program, *rest = kept[0]  # its numbers have names, which `marshal` does not take
            self.kept[pattern, int(flags)] = (whose, int(wanted), list(map(int, program)), *rest)
            self.fresh = True
        return made

    def _given(self, *parts: Any) -> re.Pattern[Any]:
        made: re.Pattern[Any] = self._engine.compile(*parts)
        return made


def load_asyncio() -> None:
    """Import asyncio without `ssl`, which is a fortieth of the time to the first picture and not needed for it.

    asyncio can do without, because Python can be built without. What it then cannot do, TLS of its own, nobody here
    asks of it: AWS is asked from threads, and what they ask with imports `ssl` itself.
    """
    if {"ssl", "asyncio"} & set(sys.modules):
        return
    sys.modules["ssl"] = None  # type: ignore[assignment]  # how Python is told that a module is not there
    try:
        import_module("asyncio")
    finally:
        del sys.modules["ssl"]


@lru_cache(maxsize=1)
def headstart() -> Headstart:
    """That of this interpreter."""
    return Headstart(paths.cache_dir() / f"compiled-{_KIND}.bin")


def _packed(made: tuple[dict[str, CodeType], dict[Any, Any]]) -> bytes:
    content = marshal.dumps(made)
    return zlib.crc32(content).to_bytes(4, "big") + content


def _unpacked(data: bytes) -> tuple[dict[str, CodeType], dict[Any, Any]]:
    """What was kept; a damaged file is a ValueError, because `marshal` trusts what it reads."""
    if zlib.crc32(data[4:]) != int.from_bytes(data[:4], "big"):
        raise ValueError("damaged")
    codes, patterns = marshal.loads(data[4:])  # noqa: S302  # our own directory, as private as __pycache__
    return codes, patterns
