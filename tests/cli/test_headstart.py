"""What makes the first picture come sooner must change nothing but time."""

from __future__ import annotations

import dataclasses
import gc
import importlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runctl.cli.headstart import Headstart


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """The collector as it was."""
    thresholds = gc.get_threshold()
    compiled = importlib.import_module("re._compiler").compile
    yield
    vars(dataclasses).pop("exec", None)
    vars(importlib.import_module("re._compiler"))["compile"] = compiled
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    gc.enable()


def machine() -> type:
    """A class as the models have them, made now."""

    @dataclasses.dataclass(frozen=True, slots=True, order=True)
    class Machine:
        name: str
        tags: tuple[str, ...] = ()

    return Machine


def behaves(made: type) -> bool:
    """Whether the methods that dataclasses writes do what they are for."""
    one, other = made("a", ("x",)), made("b")
    assert repr(one).endswith("Machine(name='a', tags=('x',))")
    assert one == made("a", ("x",))
    assert len({one, made("a", ("x",)), other}) == 2
    assert one < other
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.name = "c"
    return True


def test_kept_code_makes_the_same_classes(tmp_path: Path) -> None:
    file = tmp_path / "cache" / "codes.bin"
    for run in range(3):
        early = Headstart(file)
        early.begin()
        assert behaves(machine())
        early.keep()
        assert file.stat().st_size > 500, run
    assert behaves(machine())


PATTERNS = (
    (r"(?P<n>[0-9]+)(?:px|%)?", 0, "12px 3%"),
    (r"^\s*(?P<key>[\w.]+)\s*=\s*(.*)$", re.MULTILINE | re.IGNORECASE, "a.b = 1\nÄö = 2"),
    (r"[a-zà-ÿ]+(?=!)|(?<=\?)\d", re.IGNORECASE, "HÉLLO! ?7"),
    (r"(a|b)\1{2,3} # twice", re.VERBOSE, "aaa bbbb"),
)


def found(pattern: str, flags: int, text: str) -> list[object]:
    """Everything that a pattern compiled now finds."""
    re.purge()
    made = re.compile(pattern, flags)
    matches = [(m.span(), m.groups(), m.groupdict()) for m in made.finditer(text)]
    return [matches, made.flags, made.groups, dict(made.groupindex), made.pattern, made.sub("<>", text)]


def test_kept_patterns_find_the_same(tmp_path: Path) -> None:
    expected = [found(*given) for given in PATTERNS]
    file, written = tmp_path / "codes.bin", 0
    for _ in range(3):
        early = Headstart(file)
        early.begin()
        assert [found(*given) for given in PATTERNS] == expected
        with pytest.raises(re.error, match="unterminated"):
            re.compile("[a")
        assert re.compile(rb"a+").findall(b"aab") == [b"aa"]
        early.keep()
        written = written or file.stat().st_mtime_ns
        assert file.stat().st_mtime_ns == written, "nothing new, and written again"
    assert [found(*given) for given in PATTERNS] == expected
    re.purge()


@pytest.mark.parametrize("content", [b"", b"abc", b"\0" * 64, b"\xff" * 4096])
def test_a_damaged_file_is_made_anew(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "codes.bin"
    file.write_bytes(content)
    early = Headstart(file)
    early.begin()
    assert behaves(machine())
    early.keep()
    assert len(file.read_bytes()) > 500
    assert os.listdir(tmp_path) == ["codes.bin"]


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "codes.bin"
    early = Headstart(file)
    early.begin()
    machine()
    early.keep()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    again = Headstart(file)
    again.begin()
    assert behaves(machine())


def test_no_place_to_keep_it_is_no_error() -> None:
    early = Headstart(Path("/proc/nowhere/codes.bin"))
    early.begin()
    assert behaves(machine())
    early.keep()


def test_the_collector_works_again_soon_after_the_first_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runctl.cli.headstart.END_AFTER_S", 0.01)
    early = Headstart(tmp_path / "codes.bin")
    early.begin()
    assert not gc.isenabled()
    early.end()
    deadline = time.monotonic() + 30
    while not gc.isenabled():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_first_picture_imports_nothing_that_is_only_opened_later() -> None:
    probe = (
        "import sys\n"
        "from runctl.cli.headstart import headstart\n"
        "headstart().begin()\n"
        "import runctl.app, runctl.cli.dashboard\n"
        "runctl.app.import_module('runctl.screens.instances')\n"
        "print(*sorted(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout.split()
    assert "runctl.screens.instances" in found
    late = ("runctl.screens.modals.", "runctl.services", "runctl.agent", "runctl.demo")
    assert [m for m in found if m.startswith(late)] == []
    screens = {
        f"runctl.screens.{name}" for name in ("s3", "volumes", "cost", "jobs", "readings", "export", "verb_menu")
    }
    assert screens.isdisjoint(found)
    # What judges, filters, counts and keeps: none of it has anything to do before there are rows.
    stores = {f"runctl.store.{name}" for name in ("filter", "syntax", "budget", "forecast", "cache", "waste", "totals")}
    models = {f"runctl.models.{name}" for name in ("plan", "probe", "ledger", "spent", "billed", "transfer", "launch")}
    assert (stores | models).isdisjoint(found)
    assert {"pydantic", "boto3", "botocore", "yaml", "moto", "csv", "configparser", "tomllib"}.isdisjoint(found)
    assert {"ssl", "_ssl", "hashlib", "_hashlib", "json", "queue", "http", "sqlite3", "email"}.isdisjoint(found)


def test_asyncio_works_without_tls_and_everything_else_has_it() -> None:
    probe = (
        "from runctl.cli.headstart import load_asyncio\n"
        "load_asyncio()\n"
        "import asyncio, ssl, sys\n"
        "from urllib.request import HTTPSHandler\n"
        "assert ssl is sys.modules['ssl'] and ssl.create_default_context().check_hostname\n"
        "async def shell():\n"
        "    child = await asyncio.create_subprocess_exec(sys.executable, '-c', 'print(6 * 7)', stdout=-1)\n"
        "    return await child.communicate()\n"
        "print(asyncio.run(shell()))\n"
    )
    found = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout
    assert found == "(b'42\\n', None)\n"
