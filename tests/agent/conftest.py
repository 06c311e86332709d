"""Jobs on this machine: a directory for a bucket, and the shipped file run by an interpreter of its own."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runctl.agent import bundle
from runctl.agent.directory import DirectoryStore
from runctl.agent.store import MissingError, Store
from runctl.models import record


def until(condition: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
    """The first true answer of `condition`; a generous deadline, for the machine may be busy."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"never: {what}")


class Job:
    """One job of the `local` provider, and what its record says."""

    def __init__(self, root: Path, agent: Path, store: Store | None = None, url: str = "") -> None:
        self.root, self.agent = root, agent
        self.url = url or f"file://{root / 'store'}"
        self.store: Store = store or DirectoryStore(str(root / "store"))
        self.id = record.job_id(int(time.time() * 1000), os.urandom(10))
        self.process: subprocess.Popen[bytes] | None = None
        self.pace, self.place = "eager", root

    def submit(self, *command: str, attempt: int = 1, launch: dict[str, Any] | None = None, **spec: Any) -> Job:
        """Write the specification (once) and the launch of an attempt."""
        plain = {"limits": {"grace_s": 5.0, "upload_s": 20.0}, "checkpoints": {"pattern": "*.pt", "stable_s": 0.0}}
        whole = {"v": 1, "id": self.id, "name": "job", "command": list(command), "dependencies": "none"}
        whole["at_end"] = "keep"  # whatever a test does, the computer it runs on stays on
        if attempt == 1:
            self.store.put(record.spec_key(self.id), record.dump(whole | plain | spec), absent=True)
        started = {"v": 1, "job": self.id, "attempt": attempt, "spent_usd": 0.0, **(launch or {})}
        self.store.put(record.attempt_key(self.id, attempt, "launch.json"), record.dump(started), absent=True)
        return self

    def start(self, attempt: int = 1, *, python: str = sys.executable, local: bool = True, **environ: str) -> Job:
        """Run the supervisor in the background."""
        argv = [python, str(self.agent), "run", "--store", self.url, "--job", self.id, "--attempt", str(attempt)]
        argv += ["--work", str(self.work(attempt)), "--pace", self.pace, *(["--local"] if local else [])]
        errors = (self.root / f"agent-{attempt}.log").open("wb")
        with errors:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stderr=errors, env=dict(os.environ) | environ, start_new_session=True
            )
        return self

    def work(self, attempt: int = 1) -> Path:
        return self.place / f"work-{attempt}"

    def wait(self, seconds: float = 60.0) -> int:
        """Until the supervisor ends."""
        assert self.process is not None
        return self.process.wait(seconds)

    def json(self, name: str, attempt: int = 1) -> dict[str, Any] | None:
        """An object of an attempt; None where it is not there."""
        try:
            return record.load(self.store.get(record.attempt_key(self.id, attempt, name))[0])
        except MissingError:
            return None

    def exit(self, attempt: int = 1) -> dict[str, Any]:
        found = self.json("exit.json", attempt)
        assert found is not None, (self.root / f"agent-{attempt}.log").read_text()
        return found

    def state(self, attempt: int = 1) -> dict[str, Any]:
        return self.json("state.json", attempt) or {}

    def control(self, **fields: Any) -> None:
        """Write the control object."""
        self.store.put(record.control_key(self.id), record.dump({"v": 1, "job": self.id, "by": "test", **fields}))

    def events(self) -> list[dict[str, Any]]:
        return [record.load(self.store.get(f.key)[0]) for f in self.store.list(record.events_prefix(self.id))]

    def kinds(self) -> list[str]:
        return [e["kind"] for e in self.events()]

    def log(self, attempt: int = 1) -> bytes:
        """The whole log; a gap becomes a line that says so. Chunks must follow each other without a hole."""
        out, at = b"", 0
        for found in self.store.list(record.log_prefix(self.id, attempt)):
            chunk = record.parse_log_key(found.key)
            assert chunk is not None
            assert chunk.start == at, f"hole at {at}"
            body = self.store.get(found.key)[0]
            out += f"<gap {chunk.end - chunk.start}>".encode() if chunk.gap else gzip.decompress(body)
            at = chunk.end
        return out

    def index(self) -> dict[str, Any]:
        try:
            return record.load(self.store.get(record.index_key(self.id))[0])
        except MissingError:
            return {}

    def end(self) -> None:
        """Whatever still runs of this job is ended."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        for pid in marked(self.id):
            os.kill(pid, signal.SIGKILL)


def marked(job: str) -> list[int]:
    """Processes that bear the job's mark in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if f"RUNCTL_PROCESS_MARK={job}".encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


@pytest.fixture(scope="session")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped file."""
    path = tmp_path_factory.mktemp("agent") / "agent.pyz"
    path.write_bytes(bundle.build())
    return path


@pytest.fixture
def job(tmp_path: Path, agent: Path) -> Iterator[Job]:
    """A job of its own; nothing of it outlives the test."""
    one = Job(tmp_path, agent)
    yield one
    one.end()
