"""Command lines of shells: what is run, word by word, and what is said when it cannot be."""

from __future__ import annotations

import json
import shlex

import pytest

from runctl.errors import InputError
from runctl.services.shell import PROGRAMS, USERS, Target, check_programs, needed, session_argv, ssh_argv

ONE = Target("i-0123456789abcdef0", "eu-west-1")
LAB = Target("i-0123456789abcdef0", "eu-west-1", "my lab")
START = ["aws", "ssm", "start-session", "--target", ONE.instance_id, "--region", "eu-west-1"]


def test_a_session_and_the_profile_it_needs() -> None:
    assert session_argv(ONE) == START
    assert session_argv(LAB) == [*START, "--profile", "my lab"]


def test_a_command_arrives_as_one_text_whatever_is_in_it() -> None:
    said = "echo \"a b\" 'c' $HOME; x"
    argv = session_argv(ONE, said)
    assert argv[len(START) : len(START) + 3] == ["--document-name", "AWS-StartInteractiveCommand", "--parameters"]
    assert json.loads(argv[-1]) == {"command": [said]}


def test_ssh_goes_through_a_session_and_needs_no_open_port() -> None:
    argv = ssh_argv(LAB, "ubuntu", "nvidia-smi", options=("-i", "k.pem"))
    assert argv[:2] == ["ssh", "-o"]
    name, _, proxy = argv[2].partition("=")
    assert name == "ProxyCommand"
    assert shlex.split(proxy) == [
        "aws", "ssm", "start-session", "--target", "%h", "--region", "eu-west-1", "--profile", "my lab",
        "--document-name", "AWS-StartSSHSession", "--parameters", "portNumber=%p",
    ]  # fmt: skip
    assert argv[3:] == ["-i", "k.pem", f"ubuntu@{ONE.instance_id}", "nvidia-smi"]


@pytest.mark.parametrize("user", ["", "-oProxyCommand=x", "a b", "a@b", "a'b"])
def test_a_login_name_that_ssh_would_read_as_something_else_is_refused(user: str) -> None:
    with pytest.raises(InputError, match="no login name"):
        ssh_argv(ONE, user)


def test_a_missing_program_is_named_with_where_it_comes_from() -> None:
    check_programs(lambda name: f"/bin/{name}", ssh=True)
    with pytest.raises(InputError, match="session-manager-plugin is not installed here") as error:
        check_programs(lambda name: None if "plugin" in name else name, ssh=False)
    assert "Session Manager plugin" in error.value.hint
    with pytest.raises(InputError, match="aws and session-manager-plugin and ssh are not"):
        check_programs(lambda _: None, ssh=True)


def test_every_program_has_a_source_and_every_system_a_name() -> None:
    assert set(needed(ssh=True)) == set(PROGRAMS)
    assert all(ssh_argv(ONE, user) for user in USERS.values())
