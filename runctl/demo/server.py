"""The embedded cloud as a process of its own on loopback.

`start` is what others use; `python -m runctl.demo.server` is the process it starts. The process ends with its parent
whatever happens: it holds the reading end of a pipe whose writing end only the parent has, so even a parent that is
killed ends it. It says that it is ready by one line on its output.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import select
import signal
import socket
import string
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from runctl.demo.cloud import READY, DemoCloud, machine_environment
from runctl.demo.imds_address import metadata_address
from runctl.demo.machine import Sandboxes
from runctl.errors import InputError

_HINT = "in a checkout: make demo, or pipx install --force '.[demo]'"
_LOOPBACK = "127.0.0.1"
#: Variable that tells the process which access key may run scripts; other users of this computer cannot read it.
_KEY = "RUNCTL_DEMO_KEY"


def check_installed() -> None:
    """Whether the extra is there.

    Raises:
        InputError: moto or Flask is missing.
    """
    from importlib.util import find_spec

    missing = [name for name in ("moto", "flask", "flask_cors", "werkzeug") if find_spec(name) is None]
    if missing:
        raise InputError(
            f"the embedded cloud needs what is not installed: {', '.join(missing)}",
            allowed="runctl with its extra 'demo'",
            example=_HINT,
        )


def start(
    seed: int = 7,
    speed: float = 1.0,
    fleet: str = "lively",
    *,
    jobs: bool = False,
    port: int = 0,
    wait: bool = True,
    environ: Mapping[str, str] | None = None,
) -> DemoCloud:
    """Start an embedded cloud.

    Args:
        seed: decides ids, names, prices and events; same seed, same fleet.
        speed: demo seconds per real second; only how long things take, not the time of day.
        fleet: "lively" or "empty".
        jobs: with jobs that train and jobs that are over (`job_plans.py`); a handful of small processes.
        port: TCP port on 127.0.0.1; 0 takes a free one.
        wait: return when it answers. Else at once: the address is open already, and a request made now waits for it
            (about a second), so a dashboard can draw meanwhile.
        environ: the environment to start from, ours by default; AWS variables never pass.

    Raises:
        InputError: the extra is not installed, the port is taken, or the process ended before it answered.
    """
    check_installed()
    options = ("--seed", str(seed), "--speed", str(speed), "--fleet", fleet, *(("--jobs",) if jobs else ()))
    cloud = _spawn(options, port, environ or os.environ)
    if wait:
        try:
            cloud.wait_until_ready()
        except BaseException:
            cloud.stop()
            raise
    return cloud


def _spawn(options: Sequence[str], port: int, environ: Mapping[str, str]) -> DemoCloud:
    from runctl.demo.blind import blind_environment

    key = "AKIA" + "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(16))
    with _listen(port) as listener:
        log = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the handle; the terminal may show a dashboard
        process = subprocess.Popen(
            [sys.executable, "-m", "runctl.demo.server", "--fd", str(listener.fileno()), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=blind_environment(environ) | {_KEY: key},
            pass_fds=(listener.fileno(),),
            start_new_session=True,  # ctrl-c in the terminal is for the parent alone
        )
        # The child has the socket now; ours is closed, so that a dead cloud refuses connections.
        return DemoCloud(process, f"http://{_LOOPBACK}:{listener.getsockname()[1]}", log, key)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_LOOPBACK, port))
        listener.listen(256)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"port {port} of {_LOOPBACK}: {reason}", allowed="a port that nobody uses", example="--port 0 (a free one)"
        ) from error
    return listener


def _end_with_parent(sandboxes: Sandboxes) -> None:
    """Exit when our input ends, which it does when the parent closes it or is no more; no script outlives us.

    A process forked from the parent might hold the pipe open longer than it lives, so its id is looked at as well.
    """
    parent = os.getppid()

    def end(*_: object) -> None:
        sandboxes.clear()
        os._exit(0)

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.getppid() == parent:
                if select.select([0], [], [], 1.0)[0] and not os.read(0, 4096):
                    break
        end()

    signal.signal(signal.SIGTERM, end)
    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def _serve(arguments: argparse.Namespace, listener: socket.socket, key: str, sandboxes: Sandboxes) -> Any:
    from runctl.clock import clock_from_environment
    from runctl.demo.control_routes import start_fleet
    from runctl.demo.edge import Edge
    from runctl.demo.emulator import extra_services, load_moto
    from runctl.demo.faults import FaultRules
    from runctl.demo.web import make_web_server
    from runctl.demo.world import World

    world = World(arguments.seed, arguments.speed, clock_from_environment(), key=key, sandboxes=sandboxes)
    faults = FaultRules(arguments.seed)
    edge = Edge(world, load_moto(world, faults), extra_services(world), faults)
    start_fleet(edge, arguments.fleet, arguments.seed)
    if arguments.jobs:
        from runctl.demo.job_seed import add_jobs

        # The first answers do not wait for it.
        threading.Thread(target=add_jobs, args=(world,), name="jobs", daemon=True).start()
    return make_web_server(listener, edge)


def main(argv: list[str] | None = None) -> int:
    """Entry of the process."""
    parser = argparse.ArgumentParser(prog="runctl.demo.server")
    parser.add_argument("--fd", type=int, required=True, help="a listening socket, inherited")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--fleet", default="lively")
    parser.add_argument("--jobs", action="store_true")
    arguments = parser.parse_args(argv)
    listener, key = socket.socket(fileno=arguments.fd), os.environ.pop(_KEY, "")
    address = f"http://{_LOOPBACK}:{listener.getsockname()[1]}"
    sandboxes = Sandboxes(machine_environment(address), lambda region, at: metadata_address(address, key, region, at))
    _end_with_parent(sandboxes)
    server = _serve(arguments, listener, key, sandboxes)
    os.write(1, READY)
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
