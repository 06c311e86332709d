"""The timer and the caller's script, run by real shells in a directory that stands for the machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runctl.errors import InputError
from runctl.services.launch.user_data import LARGEST, ROOT, timer_script, user_data

SHELLS = [name for name in ("dash", "bash", "sh") if shutil.which(name)]
LATER = timedelta(hours=1)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


class Machine:
    """A directory with a `shutdown` of its own, which notes that it was called."""

    def __init__(self, root: Path, shell: str) -> None:
        self.root, self.shell = root, shell
        tools = root / "tools"
        tools.mkdir()
        shutdown = tools / "shutdown"
        shutdown.write_text(f"#!/bin/sh\necho \"$@\" >> '{root}/ended'\n")
        shutdown.chmod(0o755)
        self.env = {"PATH": f"{tools}:{os.environ['PATH']}", ROOT: str(root), "HOME": str(root)}

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        file = self.root / "script"
        file.write_text(script)
        return subprocess.run(
            [self.shell, str(file)], env=self.env, capture_output=True, text=True, timeout=30, check=False
        )

    def boot(self) -> None:
        """What cloud-init does at each start, after what ran before has gone."""
        self.kill()
        (boot,) = (self.root / "var/lib/cloud/scripts/per-boot").iterdir()
        assert boot.stat().st_mode & stat.S_IXUSR
        subprocess.run([self.shell, str(boot)], env=self.env, check=True, timeout=30)

    def kill(self) -> None:
        """End the loop and see it gone: a busy system keeps a killed process for a while, and a boot would find it."""
        pid = self.root / "var/lib/runctl/ttl.pid"
        if not pid.exists():
            return
        loop = int(pid.read_text())
        with contextlib.suppress(ProcessLookupError):
            os.kill(loop, signal.SIGKILL)
        until(lambda: not _runs(loop))

    @property
    def ended(self) -> bool:
        note = self.root / "ended"
        return note.exists() and note.stat().st_size > 0


def _runs(pid: int) -> bool:
    """Whether a process is there and no zombie, which has no command line any more."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


@pytest.fixture(params=SHELLS)
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    one = Machine(tmp_path, request.param)
    yield one
    one.kill()


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_it_ends_when_its_time_is_over(machine: Machine) -> None:
    done = machine.run(user_data("", now()))
    assert (done.returncode, done.stderr) == (0, "")
    until(lambda: machine.ended)
    assert (machine.root / "ended").read_text().splitlines()[0] == "-h now"


def test_it_does_not_end_before_and_a_later_time_counts(machine: Machine) -> None:
    ends = now() + LATER
    assert machine.run(user_data("", ends)).returncode == 0
    assert (machine.root / "var/lib/runctl/expires").read_text().strip() == str(int(ends.timestamp()))
    moved = machine.run(timer_script(now() + 2 * LATER))
    assert (moved.returncode, moved.stderr) == (0, "")
    loop = (machine.root / "var/lib/runctl/ttl.pid").read_text()
    machine.boot()
    assert (machine.root / "var/lib/runctl/ttl.pid").read_text() != loop
    assert not machine.ended


def test_setting_it_twice_starts_one_loop(machine: Machine) -> None:
    assert machine.run(user_data("", now() + LATER)).returncode == 0
    loop = (machine.root / "var/lib/runctl/ttl.pid").read_text()
    assert machine.run(timer_script(now() + 2 * LATER)).returncode == 0
    assert (machine.root / "var/lib/runctl/ttl.pid").read_text() == loop


def test_a_machine_started_again_after_its_time_ends(machine: Machine) -> None:
    assert machine.run(user_data("", now() + LATER)).returncode == 0
    (machine.root / "var/lib/runctl/expires").write_text(f"{int(now().timestamp()) - 1}\n")
    machine.boot()
    until(lambda: machine.ended)


def test_a_damaged_file_does_not_make_it_immortal(machine: Machine) -> None:
    assert machine.run(user_data("", now())).returncode == 0
    until(lambda: machine.ended)
    (machine.root / "ended").unlink()
    (machine.root / "var/lib/runctl/expires").write_text("whenever\n")
    machine.boot()
    until(lambda: machine.ended)


@pytest.mark.parametrize("ttl", [None, LATER])
def test_the_callers_script_runs_with_its_own_interpreter(machine: Machine, ttl: timedelta | None) -> None:
    script = f"#!{sys.executable}\nimport sys\nprint('its ä $HOME', \"'runctl-end'\")\nsys.exit(3)\n"
    text = user_data(script, None if ttl is None else now() + ttl)
    file = machine.root / "user-data"
    file.write_text(text)
    file.chmod(0o700)
    done = subprocess.run([str(file)], env=machine.env, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (3, "its ä $HOME 'runctl-end'\n")
    assert not machine.ended


def test_nothing_to_run_is_no_user_data() -> None:
    assert user_data("", None) == ""
    assert user_data("#!/bin/sh\n", None) == "#!/bin/sh\n"


def test_the_same_request_has_the_same_bytes() -> None:
    at = now()
    assert user_data("#!/bin/sh\ntrue\n", at) == user_data("#!/bin/sh\ntrue\n", at)


def test_it_fits_and_what_does_not_is_refused() -> None:
    assert len(user_data("", now())) < 2048
    noise = "#!/bin/sh\n# " + os.urandom(LARGEST).hex()
    assert len(user_data(noise[: LARGEST // 2], now())) < LARGEST
    with pytest.raises(InputError, match="bytes"):
        user_data(noise, now())
