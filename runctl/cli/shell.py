"""`runctl instances shell`: a shell on a machine, through Systems Manager."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from runctl.cli.arguments import Parser
from runctl.cli.dispatch import Verb

if TYPE_CHECKING:
    from runctl.cli.invocation import Invocation
    from runctl.models.instance import Instance
    from runctl.services.actions import Actions


def _configure(parser: Parser) -> None:
    parser.add_argument("id", metavar="ID", help="id, or a name that only one machine has")
    parser.add_argument("command", nargs="*", metavar="COMMAND", help="run this instead of a shell; write -- before it")
    parser.add_argument("--ssh", action="store_true", help="SSH through the session: your keys, your forwarding")
    parser.add_argument("--user", metavar="NAME", help="login name for SSH (by the machine's system)")
    parser.add_argument("--identity", metavar="FILE", help="private key for SSH")
    parser.add_argument("--dry-run", action="store_true", help="print the command line; run nothing")


def _run(args: Namespace) -> int:
    from runctl.cli.acting import open_door
    from runctl.cli.invocation import cloud, start
    from runctl.cli.machine_verbs import check_references
    from runctl.errors import InputError

    check_references([args.id])
    if not args.ssh and (args.user or args.identity):
        raise InputError("--user and --identity are for --ssh", example=f"runctl instances shell {args.id} --ssh")
    with cloud(args):
        call = start(args)
        return open_shell(call, open_door(call))


def open_shell(call: Invocation, door: Actions) -> int:
    """Check, then become the program; returns its exit code.

    Raises:
        InputError: it is refused, out of reach, or a program is missing.
    """
    import shlex
    import shutil
    import subprocess

    from runctl.cli import output
    from runctl.services.reach import login_name
    from runctl.services.shell import Target, check_programs, session_argv, ssh_argv

    args = call.args
    machine = allowed(door, args.id)
    target = Target(machine.id, machine.region, door.ground.cloud.profile)
    command = shlex.join(args.command) if len(args.command) > 1 else "".join(args.command)
    if args.ssh:
        options = ("-i", args.identity) if args.identity else ()
        argv = ssh_argv(target, args.user or login_name(door, machine), command, options=options)
    else:
        argv = session_argv(target, command)
    if args.dry_run:
        output.write_lines([shlex.join(argv)])
        return 0
    check_programs(shutil.which, ssh=args.ssh)
    sys.stdout.flush()
    return subprocess.call(argv)


def allowed(door: Actions, reference: str) -> Instance:
    """The machine, if a shell on it may be opened and can be.

    Raises:
        InputError: a rule refuses it, or Systems Manager does not reach it.
    """
    from runctl.models.instance import Instance
    from runctl.models.plan import Kind
    from runctl.services.reach import check_reach
    from runctl.services.references import resolve

    (found,) = resolve(door.ground.cloud, Kind.INSTANCE, [reference], door.regions)
    if not isinstance(found, Instance):
        raise TypeError(f"a machine was expected, not {found!r}")
    check_reach(door, found)
    return found


SHELL = Verb(
    _configure,
    _run,
    (
        "runctl instances shell trainer",
        "runctl instances shell trainer -- nvidia-smi",
        "runctl instances shell trainer --ssh --identity ~/.ssh/lab.pem",
    ),
)
