"""Words to commands; every mistake is one line with the nearest right word, and every end has its exit code."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

import pytest

from runctl.cli import main
from runctl.cli.dispatch import EXIT_CLOSED_PIPE, EXIT_INTERRUPTED, Command, Verb, resolve, run
from runctl.cli.registry import NOUNS, SECTIONS, VALUE_OPTIONS
from runctl.errors import ConfigurationError, InputError


def err(capsys: pytest.CaptureFixture[str], *argv: str, code: int = 1) -> str:
    assert main(argv) == code
    out, said = capsys.readouterr()
    assert out == ""
    return said


def test_the_registry_names_exactly_what_the_modules_offer() -> None:
    for noun in NOUNS.values():
        verbs = import_module(f"runctl.cli.{noun.module}").VERBS
        assert set(verbs) == set(noun.verbs)
        assert noun.default == "" or noun.default in verbs


def test_value_options_are_those_of_the_common_parsers_that_take_a_value() -> None:
    from runctl.cli.completion import parsers

    root = dict(parsers())[""]
    taking = {o for a in root.actions if a.option_strings and a.nargs != 0 for o in a.option_strings}
    assert taking == VALUE_OPTIONS


@pytest.mark.parametrize(
    ("argv", "name", "rest"),
    [
        (["instances", "list", "-q"], "runctl instances list", ["-q"]),
        (["-o", "json", "instances", "--limit", "3", "list"], "runctl instances list", ["-o", "json", "--limit", "3"]),
        (["--region", "us-east-1", "instances"], "runctl instances list", ["--region", "us-east-1"]),
        (["instances", "show", "list"], "runctl instances show", ["list"]),
        (["--profile=lab", "cost"], "runctl cost now", ["--profile=lab"]),
        (["doctor", "-o", "json"], "runctl doctor", ["-o", "json"]),
        (["-1", "instances", "cost"], "runctl", ["-1", "instances", "cost"]),
        (["instances", "--once"], "runctl", ["instances", "--once"]),
        (["-o", "json"], "runctl", ["-o", "json"]),
        ([], "runctl", []),
    ],
)
def test_words_are_found_before_and_after_options(argv: list[str], name: str, rest: list[str]) -> None:
    command = resolve(argv)
    assert (command.name, command.args) == (name, rest)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["instnces"], "'instnces' is not a command; did you mean runctl instances?"),
        (["zzzz"], "allowed: instances, jobs"),
        (["volumes", "shw"], "'shw' is not a verb; did you mean runctl volumes show?"),
        (["demo"], "a verb is missing"),
        (["--onc"], "did you mean --once?"),
        (["instances", "list", "--ouput", "json"], "did you mean --output?"),
        (["instances", "list", "-o", "xml"], "invalid choice: 'xml'"),
        (["instances", "list", "--limit", "0"], "'0' is not a number of rows"),
        (["instances", "list", "--limit", "-3"], "--limit"),
        (["instances", "list", "--region", "us-esat"], "'us-esat' is not a region name"),
        (["instances", "list", "--region", ""], "is not a region name"),
        (["-1", "--timeout", "soon"], "'soon' is not a duration"),
        (["-1", "--timeout", "0s"], "longer than 0"),
        (["-1", "--fail-on", "idel"], "did you mean idle?"),
        (["-1", "instanses"], "'instanses' is not a section; did you mean instances?"),
        (["-1", "--filter", "typ:x"], "no field 'typ'"),
        (["-1", "--sort", "prize"], "did you mean price?"),
        (["instances", "list", "--sort", "tags"], "tags has no order"),
        (["-1", "--columns", "id,nme", "instances"], "did you mean name?"),
        (["instances", "show"], "required: ID"),
        (["instances", "show", "i-0123456789zzz"], "is not an id of instances"),
        (["instances", "show", "i-01", "i-02"], "unexpected i-02"),
        (["s3", "ls", "http://x"], "is not a place in S3"),
        (["s3", "ls", "s3://A_B"], "is not a place in S3"),
        (["prices", "show", "g5.xlrge"], "nearest: g5.xlarge"),
        (["--tui"], "there is no terminal"),
        (["completion", "tcsh"], "invalid choice"),
    ],
)
def test_a_mistake_is_one_line_with_the_nearest_right_word(
    capsys: pytest.CaptureFixture[str], argv: list[str], words: str
) -> None:
    said = err(capsys, *argv)
    assert words in said
    assert said.startswith("runctl")
    assert len(said.splitlines()) <= 2
    assert "Traceback" not in said


def _ending(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def body(_: object) -> int:
        raise error

    monkeypatch.setattr("runctl.cli.dispatch.resolve", lambda _: Command("runctl info", Verb(lambda _: None, body), []))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("bad"), 1),
        (ConfigurationError("bad"), 3),
        (KeyboardInterrupt(), EXIT_INTERRUPTED),
    ],
)
def test_each_end_has_its_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int
) -> None:
    _ending(monkeypatch, error)
    assert run([]) == code
    assert "Traceback" not in capsys.readouterr().err


def test_a_closed_pipe_is_quiet(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    _ending(monkeypatch, BrokenPipeError())
    monkeypatch.setattr("runctl.cli.dispatch._silence_stdout", lambda: None)
    assert run([]) == EXIT_CLOSED_PIPE
    assert capfd.readouterr().err == ""


def test_a_defect_of_ours_is_one_line_and_a_private_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("RUNCTL_HOME", str(tmp_path))
    _ending(monkeypatch, ZeroDivisionError("x"))
    assert run([]) == 2
    said = capsys.readouterr().err
    assert said.startswith("runctl: unexpected ZeroDivisionError")
    path = said.split("details in ")[1].split(";")[0]
    assert path.startswith(str(tmp_path))
    assert oct(os.stat(path).st_mode & 0o777) == "0o600"
    with pytest.raises(ZeroDivisionError):
        run(["--debug"])


@pytest.mark.parametrize(
    "argv", [["--help"], ["-h"], ["help"], ["help", "cost"], ["instances", "-h"], ["instances", "list", "--help"]]
)
def test_help_goes_to_stdout_and_is_no_error(capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(argv)
    assert left.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: runctl")


def test_the_root_help_names_every_command_and_section(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for word in (*NOUNS, *SECTIONS):
        assert word in text


@pytest.mark.parametrize("argv", [["--version"], ["-V"], ["-q", "--version"]])
def test_version(capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    from runctl import __version__

    assert main(argv) == 0
    assert capsys.readouterr().out == f"runctl {__version__}\n"


def test_a_frozen_clock_that_is_none_is_a_configuration_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RUNCTL_NOW", "yesterday")
    assert "RUNCTL_NOW" in err(capsys, "config", "show", code=3)
