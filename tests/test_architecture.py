"""Rules about the code that a person would forget: sizes, who may import what, where a thing may appear."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "runctl"
SOURCES = sorted(PACKAGE.rglob("*.py"))
TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split("\n")


def _loaded(code: str) -> set[str]:
    """Top-level packages a fresh interpreter has loaded after `code`."""
    probe = f"{code}\nimport sys; print(' '.join(sorted({{m.split('.')[0] for m in sys.modules}})))"
    out = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(out.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "code",
    [
        "import runctl.cli",
        "import runctl.cli\ntry: runctl.cli.main(['--version'])\nexcept SystemExit: pass",
        "import runctl.cli\ntry: runctl.cli.main(['--help'])\nexcept SystemExit: pass",
    ],
)
def test_starting_the_command_line_loads_nothing_heavy(code: str) -> None:
    assert not _loaded(code) & {"textual", "rich", "boto3", "botocore", "pydantic", "moto"}


def test_the_headless_listing_loads_no_textual(tmp_path: Path) -> None:
    code = (
        "import os; os.environ.update(AWS_ENDPOINT_URL='http://127.0.0.1:9', AWS_ACCESS_KEY_ID='x',"
        " AWS_SECRET_ACCESS_KEY='y', AWS_REGION='us-east-1')\n"
        "import runctl.cli\ntry: runctl.cli.main(['--once', '-o', 'json', '--timeout', '2s'])\nexcept SystemExit: pass"
    )
    assert not _loaded(code) & {"textual", "moto"}


def test_a_transfer_loads_no_tables_and_no_policy() -> None:
    """What a sync that moves nothing imports is most of what it costs."""
    parts = ("cli", "cli.s3_transfer", "cli.s3_client", "cli.s3_report", "services.transfer.sync")
    probe = f"import {', '.join(f'runctl.{part}' for part in parts)}, sys; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=ROOT)
    heavy = {
        "runctl.services.policy",
        "runctl.services.journal",
        "runctl.store",
        "runctl.models",
        "tempfile",
        "botocore",
    }
    assert not heavy & set(out.stdout.split())


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_classes_and_functions_stay_readable(path: Path) -> None:
    text = path.read_text()
    lines = text.count("\n")
    assert lines <= (200 if path.name == "app.py" and path.parent == PACKAGE else 400), f"{lines} lines: find the seam"
    for node in ast.walk(ast.parse(text)):
        size = getattr(node, "end_lineno", 0) - getattr(node, "lineno", 0) + 1
        if isinstance(node, ast.ClassDef):
            assert size <= 250, f"class {node.name} has {size} lines"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            doc = ast.get_docstring(node, clean=False) or ""
            body = size - doc.count("\n") - bool(doc)
            assert body <= 40, f"{node.name} has {body} lines"


def _grep(pattern: str) -> set[str]:
    """Package files with a match in code (comments and strings count too: they mislead as well)."""
    return {str(p.relative_to(PACKAGE)) for p in SOURCES if re.search(pattern, p.read_text())}


def test_only_the_clock_reads_the_time_of_day() -> None:
    apart = {p for p in _grep(r"datetime\.now\(|time\.time\(\)") if not p.startswith(("agent/", "demo/"))}
    assert apart <= {"clock.py"}


def test_the_aws_library_is_imported_in_two_places_only() -> None:
    users = _grep(r"(?m)^\s*(import|from) (boto3|botocore)\b")
    assert {u for u in users if not u.startswith(("services/aws/", "services/transfer/", "demo/"))} == set()


def test_threads_for_polling_start_in_one_file() -> None:
    starters = {p for p in _grep(r"\bThread\(") if not p.startswith(("demo/", "agent/", "services/transfer/"))}
    # One question of a person is a thread too (Textual's own workers hold up the exit), so is the hang-up watch, and so
    # is each question of `runctl doctor`: a hung one must not hold up the report. The ledger is written in a thread of
    # its own, and loaded in one while a command waits for AWS.
    known = {"asking.py", "terminal/hangup.py", "cli/checks_aws.py", "services/bookkeeper.py", "cli/fleet.py"}
    assert {p for p in starters if "poll" not in p} <= known


@pytest.mark.parametrize(
    "path", [p for p in SOURCES if "textual" in p.read_text()], ids=lambda p: str(p.relative_to(ROOT))
)
def test_a_notice_never_reads_its_text_as_markup(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "notify":
            markup = {k.arg: k.value for k in node.keywords}.get("markup")
            assert isinstance(markup, ast.Constant), f"line {node.lineno}: say markup=False"
            assert markup.value is False, f"line {node.lineno}: say markup=False"


_FORBIDDEN = re.compile(
    "/wo" + r"rk/|\.\./shared|\bfa" + "rm[-_]|" + "|".join(("pypi" + r"\.org", "registry" + r"\.npmjs")), re.IGNORECASE
)


def test_no_tracked_file_names_a_place_that_only_exists_here() -> None:
    guilty = []
    for name in TRACKED:
        path = ROOT / name
        if not name or path == Path(__file__) or path.suffix in {".png", ".gz", ".svg"} or not path.is_file():
            continue
        guilty += [f"{name}: {m.group()}" for m in _FORBIDDEN.finditer(path.read_text(errors="replace"))]
    assert guilty == []


def test_every_test_file_mirrors_a_module_or_lives_in_a_named_place() -> None:
    places = {"e2e", "data", "fixtures"}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        below = path.relative_to(ROOT / "tests")
        if below.parent != Path() and below.parts[0] not in places:
            assert (PACKAGE / below.parent).is_dir(), f"{below} mirrors no package"
