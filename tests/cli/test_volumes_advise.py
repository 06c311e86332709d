"""`runctl volumes advise` over a fleet checked by eye, and through the real binary."""

from __future__ import annotations

from dataclasses import replace

from runctl.cli.fleet import Fleet
from runctl.cli.volumes_advise import rows_of
from runctl.demo.cloud import DemoCloud
from runctl.models.instance import InstanceState
from runctl.models.snapshot import Snapshot, Source
from runctl.store.fields import Context
from tests.e2e.binary import runctl
from tests.services.acting import NOW, disk, machine


def test_the_machine_of_a_disk_is_found_in_the_snapshot() -> None:
    stopped = machine(1, state=InstanceState.STOPPED)
    volumes = [disk(1, on=stopped.id), disk(2, on="i-elsewhere"), disk(3)]
    snapshot = replace(Snapshot(), instances=(stopped,), volumes=tuple(volumes))
    seen = Fleet(snapshot, Context(NOW, snapshot), frozenset({Source.VOLUMES}))
    assert [(r.id, r.advice.rule) for r in rows_of(seen, volumes, None)] == [
        (volumes[0].id, "stopped-machine"),
        (volumes[2].id, "unattached"),
    ]


def test_the_binary_says_what_it_would_save_and_changes_nothing(cloud: DemoCloud) -> None:
    done = runctl("volumes", "advise", "-o", "json", "--region", "us-east-1")
    rows = done.json()
    assert done.code == 0
    assert rows
    assert {r["rule"] for r in rows} <= {"unattached", "stopped-machine", "gp2-to-gp3", "io-to-gp3", "provisioned"}
    assert "nothing was changed" in done.err
    assert not [c for c in cloud.calls() if "Modify" in str(c) or "Delete" in str(c)]
