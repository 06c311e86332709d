"""Probes through the door: a script that really runs, and who is not asked."""

from __future__ import annotations

import threading

from runctl import paths
from runctl.demo.cloud import DemoCloud
from runctl.models.plan import ItemResult, Rule
from runctl.models.probe import Probe
from runctl.services.probing import take_probe
from runctl.services.remote import UnreachableError
from tests.services.doors import EAST, OURS, fleet_of, machine, open_door


def quick(seconds: float) -> None:
    """A shorter pause between two looks."""
    threading.Event().wait(min(seconds, 0.1))


def test_a_machine_answers_and_nothing_is_written_down(cloud: DemoCloud) -> None:
    ids = fleet_of(cloud, machine(agent=True), machine(), machine(tags={}, agent=True), machine(state="stopped"))
    door = open_door()
    found = {m.id: m for m in door.ground.cloud.find_instances(EAST, ids=ids)}
    answered, mute, foreign, stopped = (take_probe(door, found[i], pause=quick) for i in ids)
    assert isinstance(answered, Probe)
    assert answered.cpu_percent is not None
    assert 0 <= answered.cpu_percent <= 100
    assert answered.memory_total_bytes
    assert not answered.truncated
    assert isinstance(mute, UnreachableError)
    assert "instance profile" in str(mute)
    assert isinstance(foreign, ItemResult)
    assert foreign.rule is Rule.NOT_OURS
    assert isinstance(stopped, ItemResult)
    assert stopped.rule is Rule.STATE
    assert not paths.journal_file().exists(), "a look changes nothing"
    assert {i for _, _, named in cloud.changes() for i in named} == set(ids[:2])


def test_a_protected_machine_may_be_looked_at(cloud: DemoCloud) -> None:
    (one,) = fleet_of(cloud, machine(tags=OURS | {"runctl:protected": "true"}, agent=True))
    door = open_door()
    (found,) = door.ground.cloud.find_instances(EAST, ids=[one])
    assert isinstance(take_probe(door, found, pause=quick), Probe)


def test_a_gpu_machine_of_the_demo_shows_its_gpus(cloud: DemoCloud) -> None:
    """The real script asks the machine's nvidia-smi; a machine with a job on it is at work."""
    busy, idle = fleet_of(
        cloud, machine(tags=OURS | {"runctl:job": "llama"}, type="g5.12xlarge", agent=True),
        machine(type="g4dn.xlarge", agent=True),
    )  # fmt: skip
    door = open_door()
    found = {m.id: m for m in door.ground.cloud.find_instances(EAST, ids=[busy, idle])}
    at_work, at_rest = (take_probe(door, found[i], pause=quick) for i in (busy, idle))
    assert isinstance(at_work, Probe)
    assert isinstance(at_rest, Probe)
    assert at_work.gpus is not None
    assert [g.name for g in at_work.gpus] == ["NVIDIA A10G"] * 4
    assert (at_work.gpu_percent or 0) > 80
    assert len(at_work.gpu_processes or ()) == 4
    assert (at_rest.gpu_percent, at_rest.gpu_processes) == (0.0, ())
