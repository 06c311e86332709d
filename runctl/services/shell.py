"""A shell on a machine: the command line of the program that opens it. Pure; who runs it suspends the screen first.

Two ways, both through Systems Manager, so that no port has to be open: its own session, or SSH with the session as the
connection (`AWS-StartSSHSession`), which brings keys, files and forwarding.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from runctl.errors import InputError

#: Programs each way needs, and where they come from.
PROGRAMS: Mapping[str, str] = {
    "aws": "the AWS CLI: https://aws.amazon.com/cli/",
    "session-manager-plugin": "AWS's Session Manager plugin, beside the AWS CLI",
    "ssh": "OpenSSH's client",
}
_SSM = ("aws", "session-manager-plugin")
#: Login names by what Systems Manager calls the system (EC2 user guide, "Default user names for AMIs").
USERS: Mapping[str, str] = {
    "Amazon Linux": "ec2-user",
    "Amazon Linux AMI": "ec2-user",
    "Ubuntu": "ubuntu",
    "Debian GNU/Linux": "admin",
    "Red Hat Enterprise Linux": "ec2-user",
    "Red Hat Enterprise Linux Server": "ec2-user",
    "SLES": "ec2-user",
    "CentOS Linux": "centos",
    "CentOS Stream": "centos",
    "Rocky Linux": "rocky",
    "Fedora Linux": "fedora",
}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a shell is wanted: instance id, region, and the profile that may reach it ("" for the environment's)."""

    instance_id: str
    region: str
    profile: str = ""


def needed(*, ssh: bool) -> tuple[str, ...]:
    """Programs that have to be on this computer."""
    return (*_SSM, "ssh") if ssh else _SSM


def check_programs(which: Callable[[str], str | None], *, ssh: bool) -> None:
    """Doubt before the screen is given up.

    Args:
        which: finds a program (`shutil.which`).
        ssh: whether SSH is wanted.

    Raises:
        InputError: one is missing; it says where to get it.
    """
    missing = [name for name in needed(ssh=ssh) if which(name) is None]
    if missing:
        listed = "; ".join(f"{name} ({PROGRAMS[name]})" for name in missing)
        verb = "is" if len(missing) == 1 else "are"
        raise InputError(f"{' and '.join(missing)} {verb} not installed here", allowed=listed)


def session_argv(target: Target, command: str = "") -> list[str]:
    """A session of Systems Manager; with a command, that instead of a login shell."""
    more = ["--document-name", "AWS-StartInteractiveCommand", "--parameters", _parameters(command=command)]
    return [*_start(target, target.instance_id), *(more if command else ())]


def ssh_argv(target: Target, user: str, command: str = "", *, options: tuple[str, ...] = ()) -> list[str]:
    """SSH through a session.

    Args:
        target: where.
        user: login name on the machine.
        command: what to run instead of a shell.
        options: more words for ssh, before the host ("-i", "key.pem").

    Raises:
        InputError: no login name.
    """
    if not user or user.startswith("-") or any(c.isspace() or c in "@'\"" for c in user):
        allowed = "a login name, such as ec2-user or ubuntu"
        raise InputError(f"{user!r} is no login name", allowed=allowed, example="--user ubuntu")
    # %h and %p are filled in by ssh; `%` of anything else would have to be doubled, and a region has none.
    proxy = [*_start(target, "%h"), "--document-name", "AWS-StartSSHSession", "--parameters", "portNumber=%p"]
    host = f"{user}@{target.instance_id}"
    return ["ssh", "-o", f"ProxyCommand={shlex.join(proxy)}", *options, host, *((command,) if command else ())]


def _start(target: Target, instance: str) -> list[str]:
    profile = ["--profile", target.profile] if target.profile else []
    return ["aws", "ssm", "start-session", "--target", instance, "--region", target.region, *profile]


def _parameters(**values: str) -> str:
    """Parameters of a document in JSON, which the AWS CLI reads whatever is in them."""
    return json.dumps({name: [value] for name, value in values.items()})
