"""Before the command: code that is what the specification says, dependencies with their progress; outputs after."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from runctl.agent.prepare import SetupError, dependency_steps, fetch_code, outputs
from runctl.models import record
from tests.agent.conftest import Job


def _archive(**files: str | tarfile.TarInfo) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in files.items():
            if isinstance(text, tarfile.TarInfo):
                tar.addfile(text)
                continue
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return out.getvalue()


def _send(job: Job, body: bytes) -> dict[str, str]:
    digest = hashlib.sha256(body).hexdigest()
    job.store.put(record.code_key(digest), body)
    return {"sha256": digest}


def test_code_is_unpacked_run_and_its_outputs_are_kept(job: Job) -> None:
    code = _send(job, _archive(**{"train.py": "open('out.txt','w').write('made'); print('step=1 loss=2')"}))
    job.submit(sys.executable, "train.py", code=code, outputs=["*.txt", "missing/*"]).start()
    assert job.wait() == 0
    assert (job.exit()["rc"], job.exit()["verified"]) == (0, True)
    assert job.store.get(record.output_key(job.id, 1, "out.txt"))[0] == b"made"


def test_code_that_is_not_what_the_specification_says_is_not_run(job: Job) -> None:
    body = _archive(**{"train.py": "print('changed')"})
    job.store.put(record.code_key("0" * 64), body)
    job.submit(sys.executable, "train.py", code={"sha256": "0" * 64}).start()
    assert job.wait() == 0
    end = job.exit()
    assert (end["rc"], end["cause"]) == (None, "setup")
    assert "digest" in end["message"]
    assert b"changed" not in job.log()


def _link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


@pytest.mark.parametrize(
    "bad",
    [{"../outside": "x"}, {"/etc/x": "x"}, {"link": _link("link", "/etc/passwd")}, {"l": _link("l", "../../x")},
     {"dev": _link("dev", "", tarfile.CHRTYPE)}, {"hard": _link("hard", "../x", tarfile.LNKTYPE)}],
    ids=lambda b: next(iter(b)),
)  # fmt: skip
def test_an_archive_cannot_leave_its_directory(job: Job, bad: dict[str, str | tarfile.TarInfo]) -> None:
    body = _archive(**bad)
    digest = _send(job, body)["sha256"]
    folder = job.root / "deep" / "code"
    folder.mkdir(parents=True)
    with pytest.raises(SetupError, match="may not be unpacked"):
        fetch_code(job.store, digest, str(folder), str(job.root), lambda _: None)
    assert list(folder.iterdir()) == []


def _wheel(folder: Path) -> None:
    """A package made by hand, so that installing it needs no network."""
    name = "tinydep-1.0"
    with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tinydep.py", "value = 42\n")
        wheel.writestr(f"{name}.dist-info/METADATA", "Metadata-Version: 2.1\nName: tinydep\nVersion: 1.0\n")
        wheel.writestr(f"{name}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{name}.dist-info/RECORD", "")


def test_requirements_are_installed_before_the_command_and_their_progress_is_in_the_log(job: Job) -> None:
    wheels = job.root / "wheels"
    wheels.mkdir()
    _wheel(wheels)
    requirements = f"--no-index\n--find-links {wheels}\ntinydep\n"
    code = _send(
        job, _archive(**{"requirements.txt": requirements, "train.py": "import tinydep; print(tinydep.value)"})
    )
    job.submit("python", "train.py", code=code, dependencies="auto").start()
    assert job.wait(120) == 0
    log = job.log()
    assert job.exit()["rc"] == 0, log
    assert b"tinydep" in log
    assert log.endswith(b"42\n")
    assert job.kinds().count("dependencies") == 2


@pytest.mark.parametrize("installer", ["uv", *(["pip"] if "LONG_TESTS" in os.environ else [])])
def test_what_cannot_be_installed_is_a_failed_setup(job: Job, installer: str) -> None:
    """Making an environment for pip takes seconds; by default a program that refuses stands in uv's place."""
    programs = job.root / "programs"
    programs.mkdir()
    if installer == "uv":
        (programs / "uv").write_text('#!/bin/sh\n[ "$1" = venv ] && exit 0\necho "no-such-thing: not known"\nexit 2\n')
        (programs / "uv").chmod(0o755)
    code = _send(job, _archive(**{"requirements.txt": "--no-index\nno-such-thing\n", "train.py": "print('ran')"}))
    job.submit("python", "train.py", code=code, dependencies="auto")
    job.start(PATH=f"{programs}{os.pathsep}{os.environ['PATH']}")
    assert job.wait(120) == 0
    assert job.exit()["cause"] == "setup"
    assert "installing requirements.txt ended with code" in job.exit()["message"]
    assert b"no-such-thing" in job.log()
    assert b"ran" not in job.log().replace(b"requirements", b"")


def test_each_project_says_its_dependencies_in_one_place(tmp_path: Path) -> None:
    assert dependency_steps(str(tmp_path), ["python", "train.py"], "/v") == []
    script = "# /// script\n# dependencies = [\n#   'numpy>=2',\n# ]\n# ///\nprint()\n"
    (tmp_path / "train.py").write_text(script)
    steps = dependency_steps(str(tmp_path), ["python", "train.py"], "/v")
    assert steps[-1].title == "the script's own list"
    assert steps[-1].argv[-1] == "numpy>=2"
    (tmp_path / "requirements.txt").write_text("numpy\n")
    assert dependency_steps(str(tmp_path), ["python", "train.py"], "/v")[-1].title == "requirements.txt"


def test_outputs_are_files_below_the_directory_only(tmp_path: Path) -> None:
    (tmp_path / "out" / "deep").mkdir(parents=True)
    for name in ("out/a.txt", "out/deep/b.txt", "c.log"):
        (tmp_path / name).write_text("x")
    (tmp_path / "out" / "link").symlink_to("/etc/passwd")
    assert outputs(str(tmp_path), ["out"]) == ["out/a.txt", "out/deep/b.txt"]
    assert outputs(str(tmp_path), ["*.log", "out/*.txt"]) == ["c.log", "out/a.txt"]
    (tmp_path.parent / "beside.txt").write_text("not ours")
    assert not any("beside" in name for name in outputs(str(tmp_path), ["../*", "../beside.txt"]))
