"""What the supervisor knows of the machine it runs on: who it is, its load, its disk. Unknown is None, never 0."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import subprocess
import time
from datetime import datetime
from typing import Any, Iterable, NamedTuple

from runctl.agent.aws import Metadata

#: Kept free for our own files, and given back when the disk is full (bytes).
RESERVE = 48 << 20
#: Below this a disk counts as full: less than a small checkpoint, more than rounding (bytes).
FULL = 4 << 20


def identify(metadata: Metadata | None) -> dict[str, Any]:
    """Instance id, type, zone, region, market and the moment it began to bill, as far as the machine can tell.

    Without metadata (the `local` provider) there is only the host's name, and the market is "local".
    """
    out: dict[str, Any] = dict.fromkeys(("instance_id", "type", "az", "region", "market", "billed_since"))
    out["host"] = platform.node()
    if metadata is None:
        out["market"] = "local"
        return out
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(metadata.get("dynamic/instance-identity/document") or "{}")
        out.update(instance_id=found.get("instanceId"), type=found.get("instanceType"))
        out.update(az=found.get("availabilityZone"), region=found.get("region"))
        if found.get("pendingTime"):
            out["billed_since"] = datetime.fromisoformat(found["pendingTime"].replace("Z", "+00:00")).timestamp()
    with contextlib.suppress(OSError):
        out["market"] = metadata.get("meta-data/instance-life-cycle")
    return out


class Disk:
    """The file systems a job writes to, and a reserve that lets the supervisor write when nobody else can.

    Args:
        folders: directories that matter: the run's, the working and the checkpoint directory.
        reserve: where the reserve file lies.
    """

    def __init__(self, folders: Iterable[str], reserve: str) -> None:
        self._folders = list(folders)
        self._reserve = reserve
        self.full_at = 0.0

    def hold(self) -> bool:
        """Take the reserve unless it is there or there is too little room for it; whether it is there now."""
        if os.path.exists(self._reserve):
            return True
        with contextlib.suppress(OSError):
            if self.state()["free"] > 2 * RESERVE:
                with open(self._reserve, "wb") as file:
                    os.posix_fallocate(file.fileno(), 0, RESERVE)
                return True
            return False
        self.release()
        return False

    def release(self) -> None:
        """Give the reserve back to whoever must write now."""
        with contextlib.suppress(OSError):
            os.unlink(self._reserve)

    def state(self) -> dict[str, int]:
        """Free and total bytes of the fullest of the file systems, with the reserve."""
        usage = []
        for folder in self._folders:
            with contextlib.suppress(OSError):
                usage.append(shutil.disk_usage(folder))
        if not usage:
            return {}
        least = min(usage, key=lambda u: u.free)
        held = RESERVE if os.path.exists(self._reserve) else 0
        return {"free": least.free, "total": least.total, "reserve": held}

    def check(self) -> str:
        """A sentence where a disk is full now, else empty; remembers when."""
        for folder in self._folders:
            with contextlib.suppress(OSError):
                if shutil.disk_usage(folder).free < FULL:
                    self.full_at = time.monotonic()
                    return f"the disk of {folder} is full"
        return ""

    def was_full(self, within_s: float = 120.0) -> bool:
        """Whether a disk was full a moment ago."""
        return self.full_at > 0 and time.monotonic() - self.full_at < within_s


class Load:
    """CPU, memory and GPUs in per cent; each call compares with the one before."""

    def __init__(self) -> None:
        self._before: tuple[float, float] | None = None
        self._gpus = shutil.which("nvidia-smi") is not None

    def sample(self) -> dict[str, Any]:
        """The field `load` of the state."""
        return {"cpu": self._cpu(), "memory": _memory(), "gpus": self._gpu() if self._gpus else []}

    def _cpu(self) -> float | None:
        try:
            with open("/proc/stat", encoding="ascii") as file:
                ticks = [float(f) for f in file.readline().split()[1:9]]
        except (OSError, ValueError):
            return None
        now = (sum(ticks), ticks[3] + ticks[4])
        before, self._before = self._before, now
        if before is None or now[0] <= before[0]:
            return None
        return round(100 * (1 - (now[1] - before[1]) / (now[0] - before[0])), 1)

    def _gpu(self) -> list[dict[str, Any]]:
        fields = ("uuid", "utilization.gpu", "memory.used", "memory.total", "temperature.gpu", "power.draw")
        names = ("uuid", "util", "memory_used_mib", "memory_total_mib", "celsius", "watts")
        try:
            text = subprocess.run(
                ["nvidia-smi", "--query-gpu=" + ",".join(fields), "--format=csv,noheader,nounits"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=10,
                check=True,
            ).stdout.decode("utf-8", "replace")
        except (OSError, subprocess.SubprocessError):
            return []
        rows = []
        for line in text.strip().splitlines():
            values = [v.strip() for v in line.split(",")]
            rows.append({n: v if n == "uuid" else _number(v) for n, v in zip(names, values)})
        return rows


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _memory() -> float | None:
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            found = {line.split(":")[0]: float(line.split()[1]) for line in file}
        return round(100 * (1 - found["MemAvailable"] / found["MemTotal"]), 1)
    except (OSError, KeyError, ValueError, IndexError, ZeroDivisionError):
        return None


class Kills(NamedTuple):
    """How many processes the kernel has killed for want of memory; None where it does not say.

    Args:
        ours: in our own control group, which is the command's too: surely one of its processes.
        machine: on the whole machine since boot.
    """

    ours: int | None
    machine: int | None


def oom_kills() -> Kills:
    """The kernel's counts (Linux documentation, "Control Group v2", memory.events; "Memory Resource Controller")."""
    ours = None
    with contextlib.suppress(OSError, ValueError):
        with open("/proc/self/cgroup", encoding="ascii") as file:
            groups = dict(line.strip().split(":", 2)[1:] for line in file)
        if "memory" in groups:
            ours = _count(f"/sys/fs/cgroup/memory{groups['memory']}/memory.oom_control")
        else:
            ours = _count(f"/sys/fs/cgroup{groups.get('', '')}/memory.events")
    return Kills(ours, _count("/proc/vmstat"))


def _count(path: str) -> int | None:
    with contextlib.suppress(OSError, ValueError, StopIteration), open(path, encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("oom_kill "))
    return None
