"""Machines on paper: a /proc, a /sys, an /etc and a few programs, so that the probe script can be run for each kind."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from runctl.services.probe import probe_script

UBUNTU = "Ubuntu 22.04.4 LTS"
AMAZON = "Amazon Linux 2023.6.20250303"
#: What the script may use beside the shell's own; everything else is absent on a machine on paper.
_PLAIN = ("awk", "sort")
_WHO = """\
ubuntu   pts/0        Jan 31 11:02 00:05        1234 (10.0.0.1)
ada      pts/1        Jan 31 11:40   .          1300 (h"x)
root     tty1         Jan 30 09:00  old          700
"""
_DF = """\
Filesystem     1024-blocks     Used Available Capacity Mounted on
/dev/root        129886128 61234567  68635177      48% /
tmpfs              8027404        0   8027404       0% /dev/shm
/dev/nvme1n1     244070364  1048576 243021788       1% /mnt/local disk
"""
_PS = """\
    1 root      0.0  0.1 /sbin/init
 4321 ubuntu   98.7 12.5 python train.py --epochs 10 --name "a\\b"
 4400 root      1.5  0.2 /usr/bin/ssm-session-worker ada-0abc123
"""
_NET = """\
Inter-|   Receive  |  Transmit
 face |bytes packets|bytes
    lo: 5 0 0 0 0 0 0 0 5 0
  ens5:1000 1 0 0 0 0 0 0 2000 2
"""
#: `ps` is asked twice: for the arguments alone, and for everything.
_PS_ARGS = 'case "$2" in args) while read -r a b c d e; do echo "$e"; done <ROOT/ps.txt; exit;; esac\n'
#: What programs on paper print their files with: there is no `cat` there.
_PRINT = "while IFS= read -r l; do printf '%s\\n' \"$l\"; done <"


@dataclass(frozen=True)
class Paper:
    """One machine.

    Args:
        system: PRETTY_NAME.
        cpus, memory_kib: what /proc says.
        pci: whether an NVIDIA device is on the bus; None leaves out the bus.
        gpus, apps: what nvidia-smi answers to its two questions; None leaves out the program.
        smi_fails: its exit code.
        programs: what `who`, `df` and `ps` print; those not named are absent.
    """

    system: str = UBUNTU
    cpus: int = 4
    memory_kib: int = 16_000_000
    pci: bool | None = False
    gpus: str | None = None
    apps: str = ""
    smi_fails: int = 0
    programs: dict[str, str] = field(default_factory=lambda: {"who": _WHO, "df": _DF, "ps": _PS})


def gpu(index: int, name: str = "NVIDIA A10G", figures: str = "97, 20480, 23028, 287.31, 300.00, 71") -> str:
    return f"{index}, GPU-{index:08x}-aaaa-bbbb-cccc-000000000000, {name}, {figures}\n"


def app(index: int, pid: int, name: str = "python", memory: str = "20470") -> str:
    return f"GPU-{index:08x}-aaaa-bbbb-cccc-000000000000, {pid}, {name}, {memory}\n"


PAPERS = {
    "gpu0-amazon-1gib": Paper(AMAZON, cpus=2, memory_kib=957_000),
    "gpu1-ubuntu": Paper(gpus=gpu(0), apps=app(0, 4321)),
    "gpu2-amazon-idle": Paper(
        AMAZON, 48, 190_000_000, gpus="".join(gpu(n, "Tesla T4", "0, 0, 15360, 9.52, 70.00, 27") for n in range(2))
    ),
    "gpu8-ubuntu": Paper(
        UBUNTU, 96, 1_150_000_000,
        gpus="".join(gpu(n, "NVIDIA A100-SXM4", f"{90 + n}, 39000, 40960, 39{n}.10, 400.00, 6{n}") for n in range(8)),
        apps="".join(app(n, 5000 + n, "/opt/conda/bin/python, worker") for n in range(8)),
    ),
    "gpu1-mig": Paper(
        gpus=gpu(0, "NVIDIA H100", "[N/A], 100, 81559, [Unknown Error], 700.00, ERR!"), apps=app(0, 1, memory="[N/A]")
    ),
    "no-nvidia-smi": Paper(pci=True),
    "driver-broken": Paper(pci=True, gpus="NVIDIA-SMI has failed\n", smi_fails=9),
    "bare": Paper(AMAZON, 2, 957_000, pci=None, programs={}),
}  # fmt: skip


def build(paper: Paper, root: Path) -> Path:
    """Write a machine down; its directory of programs."""
    files = {
        "etc/os-release": f'NAME=x\nPRETTY_NAME="{paper.system}"\n',
        "proc/stat": "cpu  1000 0 500 8000 100 0 0 0 0 0\ncpu0 1 0 0 0\n",
        "proc/uptime": "86400.50 300000.00\n",
        "proc/loadavg": "3.91 3.50 2.00 4/300 12345\n",
        "proc/meminfo": f"MemTotal: {paper.memory_kib} kB\nMemFree: 1 kB\nMemAvailable: {paper.memory_kib // 4} kB\n",
        "proc/cpuinfo": "".join(f"processor\t: {n}\nmodel name\t: x\n\n" for n in range(paper.cpus)),
        "proc/net/dev": _NET,
    }
    if paper.pci is not None:
        files["sys/bus/pci/devices/0000:00:1e.0/vendor"] = "0x10de\n" if paper.pci else "0x1d0f\n"
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    programs = root / "bin"
    programs.mkdir()
    for name in _PLAIN:
        os.symlink(str(shutil.which(name)), programs / name)
    _program(programs / "sleep", "exit 0")
    for name, text in paper.programs.items():
        (root / f"{name}.txt").write_text(text)
        _program(
            programs / name, f"{_PS_ARGS if name == 'ps' else ''}{_PRINT}{root}/{name}.txt".replace("ROOT", str(root))
        )
    if paper.gpus is not None:
        (root / "gpus.txt").write_text(paper.gpus)
        (root / "apps.txt").write_text(paper.apps)
        asked = f'case "$1" in *gpu=*) {_PRINT}{root}/gpus.txt;; *) {_PRINT}{root}/apps.txt;; esac'
        _program(programs / "nvidia-smi", f"{asked}\nexit {paper.smi_fails}")
    return programs


def _program(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def answer(paper: Paper, root: Path, shell: str = "dash") -> str:
    """What the machine answers to the probe."""
    programs = build(paper, root)
    done = subprocess.run(
        [str(shutil.which(shell)), "-c", probe_script()],
        env={"PATH": str(programs), "RUNCTL_PROBE_ROOT": str(root)},
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout
