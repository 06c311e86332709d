"""What a supervisor is made of, put together once the specification is known."""

from __future__ import annotations

import os
import re
import time
from typing import Any, Callable, Mapping, cast

from runctl.agent.aws import Credentials, Metadata
from runctl.agent.capture import Capture
from runctl.agent.checkpoints import Checkpoints
from runctl.agent.limits import Facts, Limits, rate_for
from runctl.agent.machine import Disk, Load, identify
from runctl.agent.metrics import points
from runctl.agent.options import Options
from runctl.agent.redact import Redactor
from runctl.agent.report import Reporter
from runctl.agent.spool import Spool
from runctl.agent.store import MissingError, Store, open_store
from runctl.agent.watch import Desired, Notices
from runctl.models import record

#: Share of one core that counts as work, and of a GPU (per cent).
_BUSY_CPU, _BUSY_GPU = 0.05, 5.0


class Places:
    """The directories of one attempt, made with the owner's rights only."""

    def __init__(self, options: Options) -> None:
        self.work = os.path.abspath(options.work)
        self.run = os.path.join(self.work, "run")
        self.folder = os.path.abspath(options.folder) if options.folder else os.path.join(self.work, "code")
        self.venv = os.path.join(self.work, "venv")
        self.stop_file = os.path.join(self.run, "STOP")
        self.metrics_file = os.path.join(self.run, "metrics.jsonl")
        self.exit_file = os.path.join(self.run, "exit.json")
        self.checkpoints = os.path.join(self.work, "checkpoints")
        os.makedirs(self.run, mode=0o700, exist_ok=True)

    def settle(self, spec: Mapping[str, Any]) -> None:
        """Take the spec's checkpoint directory and metrics file; relative ones lie in the working directory."""
        rule = spec.get("checkpoints") or {}
        if rule.get("dir"):
            self.checkpoints = os.path.normpath(os.path.join(self.folder, rule["dir"]))
        if spec.get("metrics_file"):
            self.metrics_file = os.path.normpath(os.path.join(self.folder, str(spec["metrics_file"])))
        os.makedirs(self.folder, exist_ok=True)
        os.makedirs(self.checkpoints, exist_ok=True)


class Activity:
    """When the command last showed life: output, metrics, CPU or GPU."""

    def __init__(self) -> None:
        self.at = time.time()
        self._bytes = 0
        self._progress: float | None = None
        self._cpu: tuple[float, float] | None = None

    def look(self, log_bytes: int, progress_at: float | None, cpu_s: float, gpus: list[dict[str, Any]]) -> None:
        """Compare with the last look."""
        now = time.monotonic()
        alive = log_bytes != self._bytes or progress_at != self._progress
        if self._cpu is not None and now > self._cpu[0]:
            alive = alive or (cpu_s - self._cpu[1]) / (now - self._cpu[0]) > _BUSY_CPU
        alive = alive or any((g.get("util") or 0) > _BUSY_GPU for g in gpus)
        self._bytes, self._progress, self._cpu = log_bytes, progress_at, (now, cpu_s)
        if alive:
            self.at = time.time()


class MetricsFile:
    """Follows the JSON lines that a trainer appends; half a line waits for its rest."""

    def __init__(self, path: str, take: Callable[[Any], None]) -> None:
        self._path, self._take = path, take
        self._offset = 0

    def look(self) -> None:
        """Read what is new. A file that shrank is read from its start."""
        try:
            if os.stat(self._path).st_size < self._offset:
                self._offset = 0
            with open(self._path, "rb") as file:
                file.seek(self._offset)
                whole, newline, _ = file.read(4 << 20).rpartition(b"\n")
        except OSError:
            return
        if newline:
            self._offset += len(whole) + 1
            self._take(points(whole.split(b"\n"), time.time(), json_only=True))


class Parts:
    """Everything with a state, for one attempt.

    Args:
        options: how we were started.
        metadata: the instance metadata service; None on a machine that is not EC2's.

    Raises:
        StoreError: the record cannot be read.
        ValueError: its specification is of another version.
    """

    def __init__(self, options: Options, metadata: Metadata | None) -> None:
        self.options = options
        self.began_at = time.time()
        self.credentials = Credentials(metadata or Metadata())
        self.machine = identify(metadata)
        self.store = self.open(options.store)
        self.spec = self._read(record.spec_key(options.job))
        self.launch = self._launch()
        self.places = Places(options)
        self.places.settle(self.spec)
        self.redactor = Redactor(_own_secrets())
        self.spool = Spool(os.path.join(self.places.run, "log"), _log_bound(self.places.run))
        self.reporter = Reporter(
            self.store,
            options.job,
            options.attempt,
            self.spool,
            options.pace.heartbeat_s,
            options.pace.log_s,
            self.clean,
        )
        self.capture = Capture(self.spool, self.redactor, self._lines)
        self.metrics_file = MetricsFile(self.places.metrics_file, self.reporter.points)
        self.checkpoints = self._checkpoints()
        self.desired = Desired(self.store, options.job, options.attempt)
        self.notices = None if metadata is None else Notices(metadata)
        self.limits = Limits(self.spec, self.launch, self.began_at)
        self.disk = Disk(
            [self.places.run, self.places.folder, self.places.checkpoints], os.path.join(self.places.run, "reserve")
        )
        self.load, self.activity = Load(), Activity()
        self.usd_per_hour = self._rate()

    def open(self, url: str) -> Store:
        """Another store with our credentials."""
        if url.startswith("file:"):
            return open_store(url)
        return open_store(url, region=self.machine.get("region") or "", credentials=self.credentials)

    def clean(self, text: str) -> str:
        """A message without secrets."""
        return self.redactor.text(text)

    def hide(self, values: list[str]) -> None:
        """From now on these values are secrets too; only before the command starts."""
        self.redactor = Redactor([*values, *_own_secrets()])
        self.capture = Capture(self.spool, self.redactor, self._lines)

    def _read(self, key: str) -> dict[str, Any]:
        value = record.load(self.store.get(key)[0])
        if not record.is_readable(value):
            raise ValueError(f"{key} has version {value.get('v')!r}; this supervisor reads {record.VERSION}")
        return value

    def _launch(self) -> dict[str, Any]:
        try:
            return self._read(record.attempt_key(self.options.job, self.options.attempt, "launch.json"))
        except MissingError:
            return {}

    def _lines(self, data: bytes) -> None:
        self.reporter.points(points(data.split(b"\n"), time.time()))

    def _checkpoints(self) -> Checkpoints:
        reporter = self.reporter
        rule = cast("record.CheckpointRule", self.spec.get("checkpoints") or {})
        return Checkpoints(
            self.store,
            self.options.job,
            self.options.attempt,
            rule,
            self.places.checkpoints,
            lambda: (reporter.step, dict(reporter.metrics)),
            reporter.event,
        )

    def _rate(self) -> float | None:
        return 0.0 if self.options.local else rate_for(self.launch.get("rates") or [], self.machine)

    def facts(self) -> Facts:
        """What the limits look at, now."""
        return Facts(
            now=time.time(),
            billed_since=self.machine.get("billed_since") or self.began_at,
            usd_per_hour=self.usd_per_hour,
            spent_usd=self.launch.get("spent_usd", 0.0),
            active_at=self.activity.at,
        )


def _own_secrets() -> list[str]:
    """Keys in our own environment (the `local` provider inherits the user's)."""
    wanted = re.compile(r"SECRET|TOKEN|PASSWORD|API_KEY|PRIVATE_KEY")
    return [v for n, v in os.environ.items() if wanted.search(n) and len(v) >= 8]


def _log_bound(folder: str) -> int:
    """Bytes of log that may wait on the disk: a gigabyte, a tenth of what is free where that is less."""
    try:
        status = os.statvfs(folder)
    except OSError:
        return 64 << 20
    return max(16 << 20, min(1 << 30, status.f_bavail * status.f_frsize // 10))
