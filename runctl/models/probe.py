"""What a machine said about itself when it was asked: processor, memory, disks, network, GPUs, who is at work on it.

Everything may be unknown (`None`): an old system, a missing program, an answer that was cut off. An empty tuple is
knowledge: there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU, as nvidia-smi tells it.

    Args:
        index: its number on the machine.
        uuid: its own id, which its processes name.
        name: "NVIDIA A10G".
        utilization_percent: share of the last second in which a kernel ran.
        memory_used_mib, memory_total_mib: its own memory.
        power_w, power_limit_w: watts drawn and allowed.
        temperature_c: degrees Celsius.
    """

    index: int
    uuid: str
    name: str
    utilization_percent: float | None = None
    memory_used_mib: float | None = None
    memory_total_mib: float | None = None
    power_w: float | None = None
    power_limit_w: float | None = None
    temperature_c: float | None = None


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process that holds memory on a GPU; `gpu` is the GPU's uuid."""

    gpu: str
    pid: int
    name: str
    memory_mib: float | None = None


@dataclass(frozen=True, slots=True)
class Filesystem:
    """One mounted file system, sizes in bytes."""

    device: str
    mount: str
    total_bytes: int
    used_bytes: int


@dataclass(frozen=True, slots=True)
class Interface:
    """One network interface: bytes since it came up, and bytes a second while the machine was being asked."""

    name: str
    received_bytes: int
    sent_bytes: int
    received_per_s: float | None = None
    sent_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class Process:
    """One of the processes that use most of the processor. `cpu_percent` is of one core, since the process began."""

    pid: int
    user: str
    cpu_percent: float
    memory_percent: float
    command: str


@dataclass(frozen=True, slots=True)
class LoginSession:
    """Somebody logged in: over SSH or the console (`who`), or by Systems Manager (terminal "ssm").

    `idle_s` is how long nothing was typed, None when nobody can say.
    """

    user: str
    terminal: str
    host: str = ""
    idle_s: float | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """One answer of one machine.

    Args:
        taken_at: when it was asked, by our clock.
        system: "Ubuntu 22.04.4 LTS".
        uptime_s: seconds since it started.
        cpus: logical processors.
        load: load average of the last minute.
        cpu_percent: share of all processors that was busy while it was asked (about a second).
        memory_total_bytes, memory_available_bytes: as the kernel reckons them.
        gpus: () when it has none, None when nobody can say.
        gpu_processes: () when there is none.
        disks, network, processes, sessions: likewise.
        missing: what could not be read, and why, each in a phrase.
        truncated: the answer was cut off, so that the parts at its end are unknown.
    """

    taken_at: datetime
    system: str | None = None
    uptime_s: float | None = None
    cpus: int | None = None
    load: float | None = None
    cpu_percent: float | None = None
    memory_total_bytes: int | None = None
    memory_available_bytes: int | None = None
    gpus: tuple[Gpu, ...] | None = None
    gpu_processes: tuple[GpuProcess, ...] | None = None
    disks: tuple[Filesystem, ...] | None = None
    network: tuple[Interface, ...] | None = None
    processes: tuple[Process, ...] | None = None
    sessions: tuple[LoginSession, ...] | None = None
    missing: tuple[str, ...] = ()
    truncated: bool = False

    @property
    def gpu_percent(self) -> float | None:
        """Mean utilisation of all GPUs; None when there is none, or that of any is unknown."""
        return _mean([g.utilization_percent for g in self.gpus or ()])

    @property
    def gpu_power_w(self) -> float | None:
        """Watts of all GPUs together; None when there is none, or that of any is unknown."""
        known = [g.power_w for g in self.gpus or () if g.power_w is not None]
        return sum(known) if known and len(known) == len(self.gpus or ()) else None

    @property
    def memory_percent(self) -> float | None:
        """Share of the memory in use."""
        if not self.memory_total_bytes or self.memory_available_bytes is None:
            return None
        return 100.0 * (1 - self.memory_available_bytes / self.memory_total_bytes)


def _mean(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None
