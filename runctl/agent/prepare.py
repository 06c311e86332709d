"""Before the command starts: its code, its data, its dependencies."""

from __future__ import annotations

import ast
import os
import re
import shutil
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Mapping, NamedTuple
from urllib.parse import urlsplit

from runctl.agent.checkpoints import file_digest
from runctl.agent.store import Store
from runctl.models import record

#: Python environments of deep learning images that already hold the frameworks (AWS DLAMI release notes).
_IMAGES = ("/opt/pytorch/bin/python3", "/opt/tensorflow/bin/python3")
_SCRIPT_BLOCK = re.compile(r"^# /// script\s*$(.*?)^# ///\s*$", re.MULTILINE | re.DOTALL)
_DEPENDENCIES = re.compile(r"^dependencies\s*=\s*(\[.*?\])", re.MULTILINE | re.DOTALL)


class SetupError(Exception):
    """The command cannot be started; the message says what is wrong and where. Another attempt would not help."""


class Step(NamedTuple):
    """One command of the installation, and what it is called on the timeline."""

    title: str
    argv: list[str]


def fetch_code(store: Store, sha256: str, folder: str, scratch: str, moved: Callable[[int], None]) -> None:
    """Unpack the code archive into the working directory, after its digest was compared.

    Raises:
        SetupError: the archive is not the one of the spec, or has a member that leaves the directory.
        StoreError: it cannot be fetched.
    """
    path = os.path.join(scratch, "code.tar.gz")
    store.download(record.code_key(sha256), path, moved)
    found = file_digest(path)
    if found != sha256:
        raise SetupError(f"the code archive has the digest {found[:12]}…, the spec says {sha256[:12]}…")
    try:
        with tarfile.open(path, "r:gz") as archive:
            members = archive.getmembers()
            for member in members:
                _check_member(member, folder)
            if hasattr(tarfile, "tar_filter"):
                archive.extraction_filter = tarfile.tar_filter
            archive.extractall(folder, members)  # noqa: S202  # every member was checked above
    except (tarfile.TarError, OSError, EOFError) as error:
        raise SetupError(f"the code archive cannot be unpacked: {error}") from error
    os.unlink(path)


def _check_member(member: tarfile.TarInfo, folder: str) -> None:
    root = os.path.realpath(folder)
    target = os.path.realpath(os.path.join(root, member.name))
    inside = target == root or target.startswith(root + os.sep)
    if inside and member.issym():
        at = os.path.realpath(os.path.join(os.path.dirname(target), member.linkname))
        inside = at.startswith(root + os.sep)
    if inside and member.islnk():
        inside = os.path.realpath(os.path.join(root, member.linkname)).startswith(root + os.sep)
    if not inside or not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
        raise SetupError(f"the code archive has a member that may not be unpacked: {member.name!r}")


def fetch_data(
    data: list[Mapping[str, Any]], folder: str, bucket: Callable[[str], Store], moved: Callable[[int], None]
) -> int:
    """Bring the inputs to the disk, eight files at a time; what is there with the right size stays. Files fetched.

    Raises:
        SetupError: a source that names nothing, or a target outside the working directory.
        StoreError: it cannot be fetched.
    """
    wanted: list[tuple[Store, str, str]] = []
    for item in data:
        source, target = str(item["source"]), _inside(folder, str(item["target"]))
        at = urlsplit(source)
        if at.scheme != "s3" or not at.netloc:
            raise SetupError(f"data {source}: expected s3://bucket/key or s3://bucket/prefix/")
        store, key = bucket(at.netloc), at.path.lstrip("/")
        if not key.endswith("/") and key:
            name = os.path.join(target, os.path.basename(key)) if str(item["target"]).endswith("/") else target
            wanted.append((store, key, name))
            continue
        found = [f for f in store.list(key) if not f.key.endswith("/")]
        if not found:
            raise SetupError(f"data {source}: nothing is there")
        wanted += [
            (store, f.key, _inside(target, f.key[len(key) :]))
            for f in found
            if not _there(target, f.key[len(key) :], f.size)
        ]
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(s.download, k, path, moved) for s, k, path in wanted]:
            done.result()
    return len(wanted)


def _there(target: str, name: str, size: int) -> bool:
    try:
        return os.stat(os.path.join(target, name)).st_size == size
    except OSError:
        return False


def _inside(folder: str, name: str) -> str:
    path = os.path.normpath(os.path.join(folder, name))
    if path != os.path.normpath(folder) and not path.startswith(os.path.normpath(folder) + os.sep):
        raise SetupError(f"{name!r} leads out of {folder}")
    return path


def dependency_steps(folder: str, command: list[str], venv: str) -> list[Step]:
    """What installs the dependencies, in order; empty where the project names none.

    uv.lock with uv, else requirements.txt, else the PEP 723 block of the script, else pyproject.toml. The environment
    sees the packages of the machine's image, so that a framework that is there is not fetched again.
    """
    uv = shutil.which("uv")
    python = next((p for p in _IMAGES if os.access(p, os.X_OK)), shutil.which("python3") or sys.executable)
    make = Step("environment", [python, "-m", "venv", "--system-site-packages", venv])
    if uv:
        make = Step("environment", [uv, "venv", "--quiet", "--system-site-packages", "--python", python, venv])
    pip = [uv, "pip", "install", "--python", os.path.join(venv, "bin", "python")] if uv else []
    pip = pip or [
        os.path.join(venv, "bin", "python"),
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
    ]
    here = set(os.listdir(folder))
    if "uv.lock" in here and "pyproject.toml" in here and uv:
        return [make, Step("uv.lock", [uv, "sync", "--frozen", "--active", "--no-progress"])]
    if "requirements.txt" in here:
        return [make, Step("requirements.txt", [*pip, "-r", "requirements.txt"])]
    inline = _inline(folder, command)
    if inline:
        return [make, Step("the script's own list", [*pip, *inline])]
    if "pyproject.toml" in here and _has_project(os.path.join(folder, "pyproject.toml")):
        return [make, Step("pyproject.toml", [*pip, "-e", "."])]
    return []


def image_programs() -> str:
    """The directory of the image's own Python environment, which is on no PATH; empty where there is none."""
    return next((os.path.dirname(p) for p in _IMAGES if os.access(p, os.X_OK)), "")


def _inline(folder: str, command: list[str]) -> list[str]:
    """Requirements of the PEP 723 block of the first script that the command names."""
    script = next((a for a in command if a.endswith(".py") and os.path.isfile(os.path.join(folder, a))), None)
    if script is None:
        return []
    with open(os.path.join(folder, script), encoding="utf-8", errors="replace") as file:
        block = _SCRIPT_BLOCK.search(file.read())
    text = "\n".join(re.sub(r"^# ?", "", line) for line in block.group(1).splitlines()) if block else ""
    found = _DEPENDENCIES.search(text)
    if found is None:
        return []
    try:
        return [str(r) for r in ast.literal_eval(found.group(1))]
    except (ValueError, SyntaxError) as error:
        raise SetupError(f"{script}: the dependencies of its script block cannot be read") from error


def _has_project(path: str) -> bool:
    with open(path, encoding="utf-8", errors="replace") as file:
        return re.search(r"^\[(project|tool\.poetry)\]", file.read(), re.MULTILINE) is not None


def outputs(folder: str, patterns: list[str]) -> list[str]:
    """Files below the working directory that match, as relative paths with `/`, sorted; links out of it are left."""
    import glob

    root, found = os.path.realpath(folder), set()
    for pattern in patterns:
        for path in glob.glob(os.path.join(glob.escape(root), pattern), recursive=True):
            below = ((here, names) for here, _, names in os.walk(path)) if os.path.isdir(path) else [("", [path])]
            for name in (os.path.normpath(os.path.join(here, n)) for here, names in below for n in names):
                inside = all(p.startswith(root + os.sep) for p in (name, os.path.realpath(name)))
                if inside and os.path.isfile(name):
                    found.add(os.path.relpath(name, root).replace(os.sep, "/"))
    return sorted(found)
