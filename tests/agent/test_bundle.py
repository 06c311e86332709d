"""What travels to a machine: one file of old syntax, a script that every sh runs, a loader that fits into user data."""

from __future__ import annotations

import ast
import base64
import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import pytest

from runctl.agent import bootstrap, bundle
from runctl.demo.machine import PROGRAMS
from runctl.models import record

JOB = record.job_id(1764252000000, b"0123456789")


def _script(**changed: object) -> str:
    plain = {"bucket": "my.bucket-1", "region": "eu-west-1", "job": JOB, "attempt": 2, "agent_sha256": "a" * 64}
    return bootstrap.user_data(**(plain | changed))  # type: ignore[arg-type]


def test_the_file_is_the_same_every_time_and_holds_nothing_of_the_clients() -> None:
    first = bundle.build()
    assert first == bundle.build()
    names = set(zipfile.ZipFile(io.BytesIO(first)).namelist())
    assert {"__main__.py", "runctl/agent/supervisor.py", "runctl/models/record.py"} <= names
    assert not {n for n in names if "bundle" in n or "bootstrap" in n or n.count("/") != 2} - {
        "__main__.py",
        "runctl/__init__.py",
    }


def test_every_module_of_it_is_python_3_8_and_imports_the_standard_library_only() -> None:
    archive = zipfile.ZipFile(io.BytesIO(bundle.build()))
    for name in archive.namelist():
        tree = ast.parse(archive.read(name), name, feature_version=(3, 8))
        for node in ast.walk(tree):
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for module in modules:
                assert module.split(".")[0] in sys.stdlib_module_names | {"runctl"}, f"{name} imports {module}"
                assert not module.startswith("runctl.") or module.startswith(("runctl.agent", "runctl.models"))


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_the_script_is_plain_sh_and_has_room_to_grow(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell}")
    text = _script(endpoint="http://127.0.0.1:5000/x?a=b&c")
    assert len(text.encode()) < bootstrap.USER_DATA_MOST / 2
    argv = ["busybox", "sh"] if shell == "busybox" else [shell]
    subprocess.run([*argv, "-n"], input=text.encode(), check=True)
    assert "export AWS_ENDPOINT_URL='http://127.0.0.1:5000/x?a=b&c'\n" in text


def test_values_that_could_break_out_of_the_script_are_refused() -> None:
    for changed in ({"bucket": "a;rm -rf /"}, {"region": "$(x)"}, {"job": "../x"}, {"pace": "fast\n"}):
        with pytest.raises(ValueError, match=r"expected|not a job id"):
            _script(**changed)


def test_the_loader_is_python_3_8_too() -> None:
    found = re.search(r'b64decode\("([^"]+)"\)', _script())
    assert found is not None
    ast.parse(zlib.decompress(base64.b64decode(found.group(1))), feature_version=(3, 8))


def test_without_any_store_the_console_says_why_and_the_machine_is_powered_off(tmp_path: Path) -> None:
    """The programs of a machine of the embedded cloud stand before this computer's own `shutdown`."""
    environ = {"PATH": f"{PROGRAMS}:{os.environ['PATH']}", "RUNCTL_MACHINE_ROOT": str(tmp_path), "RUNCTL_SANDBOX": "1"}
    environ |= {"RUNCTL_HOME": str(tmp_path / "home"), "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}
    script = _script(endpoint="http://127.0.0.1:9", patience_s=0.2)
    for powered_off in (True, False):  # a second start does nothing: the directory says that it was started
        done = subprocess.run(["sh", "-c", script], env=environ, capture_output=True, text=True, check=False)
        assert (done.returncode, (tmp_path / ".powered-off").exists()) == (1 if powered_off else 0, powered_off)
        (tmp_path / ".powered-off").unlink(missing_ok=True)
        if powered_off:
            assert "runctl: the supervisor could not be fetched: [Errno 111]" in done.stderr
            assert done.stderr.endswith("runctl: the supervisor could not be fetched from my.bucket-1\n")
