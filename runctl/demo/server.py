"""The embedded cloud as a process of its own on loopback.

`start` is what others use; `python -m runctl.demo.server` is the process it starts. The process ends with its parent
whatever happens: it holds the reading end of a pipe whose writing end only the parent has, so even a parent that is
killed ends it; on Linux the kernel is asked to do the same. It says that it is ready by one line on its output.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import Any

from runctl.demo.cloud import DemoCloud
from runctl.errors import InputError

_HINT = "pipx install 'runctl[demo]', or in a checkout: make demo"
_LOOPBACK = "127.0.0.1"


def check_installed() -> None:
    """Whether the extra is there.

    Raises:
        InputError: moto or Flask is missing.
    """
    from importlib.util import find_spec

    missing = [name for name in ("moto", "flask", "flask_cors", "werkzeug") if find_spec(name) is None]
    if missing:
        raise InputError(
            f"the embedded cloud needs {', '.join(missing)}, which is not installed",
            allowed="runctl with its extra 'demo'",
            example=_HINT,
        )


def start(
    seed: int = 7, speed: float = 1.0, fleet: str = "lively", *, port: int = 0, environ: dict[str, str] | None = None
) -> DemoCloud:
    """Start an embedded cloud and wait until it answers.

    Args:
        seed: decides ids, names, prices and events; same seed, same fleet.
        speed: demo seconds per real second; only how long things take, not the time of day.
        fleet: "lively", "empty" or a scenario's name.
        port: TCP port on 127.0.0.1; 0 takes a free one.
        environ: the environment to start from, ours by default; AWS variables never pass.

    Raises:
        InputError: the extra is not installed, the port is taken, or the fleet is unknown.
    """
    check_installed()
    from runctl.demo.emulator import blind_environment

    command = [sys.executable, "-m", "runctl.demo.server", "--seed", str(seed), "--speed", str(speed)]
    command += ["--fleet", fleet, "--port", str(port)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=blind_environment(dict(os.environ if environ is None else environ)),
        start_new_session=True,  # ctrl-c in the terminal is for the parent alone
        text=True,
    )
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        process.wait()
        raise InputError(f"the embedded cloud did not start (exit code {process.returncode}); its reason is above")
    ready = json.loads(line)
    if "error" in ready:
        process.wait()
        raise InputError(ready["error"], allowed=ready.get("allowed", ""), example=ready.get("example", ""))
    return DemoCloud(process, f"http://{_LOOPBACK}:{ready['port']}")


def _end_with_parent() -> None:
    """Exit when our input ends, which it does when the parent closes it or is no more."""

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        os._exit(0)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig = 1
        # Beside the pipe: nothing else may inherit and keep open its other end, but nobody can promise that.
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGTERM)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((_LOOPBACK, port))
    listener.listen(256)
    return listener


def _serve(arguments: argparse.Namespace, listener: socket.socket) -> Any:
    from runctl.clock import clock_from_environment
    from runctl.demo import seed
    from runctl.demo.edge import FLEETS, Edge
    from runctl.demo.emulator import load_moto
    from runctl.demo.web import make_web_server
    from runctl.demo.world import World

    world = World(arguments.seed, arguments.speed, clock_from_environment())
    edge = Edge(world, load_moto(world))
    seed.reset(world, FLEETS[arguments.fleet](arguments.seed), arguments.seed)
    return make_web_server(listener, edge)


def _say(**line: Any) -> None:
    """The one line that the parent waits for."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main(argv: list[str] | None = None) -> int:
    """Entry of the process."""
    parser = argparse.ArgumentParser(prog="runctl.demo.server")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--fleet", default="lively")
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args(argv)
    _end_with_parent()
    try:
        listener = _listen(arguments.port)
    except OSError as error:
        _say(error=f"port {arguments.port}: {error.strerror}", example="--port 0")
        return 1
    server = _serve(arguments, listener)
    _say(port=listener.getsockname()[1])
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
