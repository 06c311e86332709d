"""The probe script on machines on paper against golden answers, and what the parser makes of whole and torn ones."""

from __future__ import annotations

import os
import shutil
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runctl.models.probe import GpuProcess, LoginSession, Probe
from runctl.services.probe import parse_probe, probe_script
from runctl.services.remote import STDOUT_MOST
from tests.services.acting import NOW
from tests.services.paper import AMAZON, PAPERS, UBUNTU, answer

GOLDEN = Path(__file__).parents[1] / "data" / "probe"


def golden(name: str) -> str:
    return (GOLDEN / f"{name}.jsonl").read_text()


def probe(name: str) -> Probe:
    return parse_probe(golden(name), NOW)


@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize("name", list(PAPERS))
def test_each_machine_answers_as_it_did(name: str, shell: str, tmp_path: Path) -> None:
    """`GOLDEN=write` writes the answers anew; look at the difference before you commit it."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    said = answer(PAPERS[name], tmp_path, shell)
    if os.environ.get("GOLDEN") == "write":
        (GOLDEN / f"{name}.jsonl").write_text(said)
    assert said == golden(name)


def test_a_gpu_machine_at_work() -> None:
    seen = probe("gpu1-ubuntu")
    assert (seen.system, seen.cpus, seen.load, seen.uptime_s) == (UBUNTU, 4, 3.91, 86400.5)
    assert (seen.gpu_percent, seen.gpu_power_w) == (97.0, 287.31)
    assert seen.memory_percent == pytest.approx(75.0)
    assert seen.gpu_processes == (GpuProcess("GPU-00000000-aaaa-bbbb-cccc-000000000000", 4321, "python", 20470.0),)
    assert seen.disks is not None
    assert [d.mount for d in seen.disks] == ["/", "/mnt/local disk"], "only real disks, blanks and all"
    assert seen.processes is not None
    assert (seen.processes[0].pid, seen.processes[0].command) == (4321, 'python train.py --epochs 10 --name "a\\b"')
    assert seen.network is not None
    assert [(n.name, n.received_bytes, n.sent_bytes) for n in seen.network] == [("ens5", 1000, 2000)]
    assert (seen.missing, seen.truncated) == ((), False)


def test_everybody_logged_in_is_seen_also_by_systems_manager() -> None:
    assert probe("gpu1-ubuntu").sessions == (
        LoginSession("ubuntu", "pts/0", "10.0.0.1", 300.0),
        LoginSession("ada", "pts/1", 'h"x', 0.0),
        LoginSession("root", "tty1", "", 86400.0),
        LoginSession("ssm-user", "ssm", "ada-0abc123", None),
    )


def test_none_is_known_and_unknown_is_none() -> None:
    small = probe("gpu0-amazon-1gib")
    assert (small.system, small.gpus, small.gpu_processes, small.gpu_percent) == (AMAZON, (), (), None)
    assert small.memory_total_bytes == 957_000 * 1024
    for name, said in (("no-nvidia-smi", "no nvidia-smi"), ("driver-broken", "nvidia-smi failed")):
        seen = probe(name)
        assert (seen.gpus, seen.gpu_processes, seen.gpu_percent) == (None, None, None)
        assert said in seen.missing[0]
    bare = probe("bare")
    assert (bare.gpus, bare.sessions, bare.disks, bare.processes) == (None, None, None, None)
    assert len(bare.missing) == 4
    assert not bare.truncated


def test_two_idle_and_eight_busy_gpus() -> None:
    idle = probe("gpu2-amazon-idle")
    assert (idle.gpu_percent, idle.gpu_processes) == (0.0, ())
    assert idle.gpu_power_w == pytest.approx(19.04)
    busy = probe("gpu8-ubuntu")
    assert busy.gpus is not None
    assert [g.utilization_percent for g in busy.gpus] == [90.0 + n for n in range(8)]
    assert busy.gpu_percent == pytest.approx(93.5)
    assert busy.gpu_processes is not None
    assert {p.name for p in busy.gpu_processes} == {"/opt/conda/bin/python, worker"}


def test_a_figure_that_the_driver_does_not_know_is_unknown_and_so_is_the_mean() -> None:
    seen = probe("gpu1-mig")
    assert seen.gpus is not None
    assert (seen.gpus[0].utilization_percent, seen.gpus[0].power_w, seen.gpus[0].temperature_c) == (None, None, None)
    assert seen.gpus[0].memory_used_mib == 100.0
    assert (seen.gpu_percent, seen.gpu_power_w) == (None, None)


def test_the_longest_answer_is_short_enough_and_so_is_the_script() -> None:
    assert max(len(golden(name)) for name in PAPERS) < STDOUT_MOST
    assert len(probe_script()) < 24_000


@given(cut=st.integers(0, len(golden("gpu8-ubuntu"))))
def test_an_answer_cut_off_anywhere_loses_its_end_and_invents_nothing(cut: int) -> None:
    whole, text = probe("gpu8-ubuntu"), golden("gpu8-ubuntu")
    seen = parse_probe(text[:cut], NOW)
    assert seen.truncated == ('"end":true}' not in text[:cut])
    for name in (f.name for f in fields(Probe) if f.name not in ("missing", "truncated")):
        assert getattr(seen, name) in (None, getattr(whole, name)), name
    assert bool(seen.missing) == seen.truncated


def test_an_answer_of_24_000_characters_keeps_what_tells_most() -> None:
    filler = '{"noise":"' + "x" * STDOUT_MOST + '"}\n'
    lines = golden("gpu8-ubuntu").splitlines(keepends=True)
    seen = parse_probe(("".join(lines[:4]) + filler + "".join(lines[4:]))[:STDOUT_MOST], NOW)
    assert seen.truncated
    assert (len(seen.gpus or ()), len(seen.gpu_processes or ()), len(seen.sessions or ())) == (8, 8, 4)
    assert seen.processes is None


@given(st.text())
def test_nonsense_is_unknown_and_never_an_error(text: str) -> None:
    seen = parse_probe(text, NOW)
    assert seen.gpus is None
    assert seen.truncated


@pytest.mark.parametrize(
    "line",
    [
        '{"gpus":[{"index":"0"},{"index":0,"utilization_percent":true,"power_w":"9"},7]}',
        '{"gpus":7}',
        '{"cpus":true}',
        '{"system":["x"]}',
        "[]",
        "null",
        '{"sessions":[{}]}',
        '{"disks":[{"total_bytes":1}]}',
    ],
)
def test_odd_values_cost_themselves_only(line: str) -> None:
    seen = parse_probe(f'{line}\n{{"load":1.5}}\n{{"end":true}}\n', NOW)
    assert (seen.load, seen.cpus, seen.system) == (1.5, None, None)
    assert all(g.utilization_percent is None and g.power_w is None for g in seen.gpus or ())
    assert not seen.sessions
    assert not seen.disks
