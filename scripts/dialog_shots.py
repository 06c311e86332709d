"""Dialogs as pictures: the keys that lead to each, and what has to be so before. Drawn by `screenshots.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runctl.app import RunctlApp
from runctl.models.transfer import SyncPreview, Transfer, TransferState
from runctl.services import probing
from runctl.services.probe import parse_probe


@dataclass(frozen=True)
class Stage:
    """What a picture may prepare: the app before it runs, and its working directory."""

    app: RunctlApp
    here: Path


@dataclass(frozen=True)
class Shot:
    """One picture.

    Args:
        name: of the file.
        keys: what is pressed from the first screen; `wait:TEXT` waits until it is on the screen.
        shown: the text that says that the picture is whole.
        faults: what goes wrong in the cloud (`runctl.demo.faults.Fault`).
        prepare: what else has to be so before.
        settings: settings beside the usual ones, by dotted name.
    """

    name: str
    keys: Sequence[str]
    shown: str
    faults: Sequence[Mapping[str, Any]] = ()
    prepare: Callable[[Stage], None] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


def _only(text: str) -> tuple[str, ...]:
    return ("slash", *text, "enter")


def _menu(entry: str) -> tuple[str, ...]:
    return ("a", *entry, "enter")


_OURS = _only("owner:alan")
_YES = ("wait:esc cancels", "tab", "enter")


_NO_ROOM = ({"kind": "capacity", "types": ["g*"]},)
_NO_QUOTA = (
    {"kind": "error", "operation": "RunInstances", "code": "VcpuLimitExceeded", "status": 400,
     "message": "You have requested more vCPU capacity than your current vCPU limit of 64 allows."},
)  # fmt: skip
_STOP_DENIED = ({"kind": "denied", "operation": "StopInstances", "times": 1},)
_LISTING_DENIED = ({"kind": "denied", "operation": "DescribeAddresses"},)
#: What hangs is dropped by the next picture's reset; that one stops there is pressed before.
_SLOW = ({"kind": "hang", "operation": "TerminateInstances", "seconds": 60.0},)
_SIGNED_OUT = ({"kind": "expired"},)


def _files(stage: Stage) -> None:
    """A directory to synchronise: one file is in the bucket as well, with other bytes."""
    folder = stage.here / "datasets" / "c4"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(3):
        (folder / f"train-{number:05}.parquet").write_bytes(b"x" * (20_000 + number))
    for number in range(200, 230):
        (folder / f"train-{number:05}.parquet").write_bytes(b"y" * 70_000)


class PaperBoard:
    """Transfers that stand still, as one moment of a busy hour."""

    def transfers(self) -> tuple[Transfer, ...]:
        """One that runs, one that waits, one that ended with failures."""
        return (
            Transfer(3, "/home/ada/datasets/c4", "s3://runctl-demo-datasets/c4/", TransferState.RUNNING, 12_031, 23_400,
                     bytes_done=44_239_000_000, bytes_total=85_899_000_000, planned=True, rate=641e6, eta_s=65.0,
                     active="train-12031.parquet"),
            Transfer(2, "s3://runctl-demo-checkpoints/runctl/jobs/job-03/checkpoints/", "/home/ada/checkpoints",
                     TransferState.PAUSED, 3, 12, bytes_done=6_100_000_000, bytes_total=24_000_000_000, planned=True,
                     active="step-00004500/model.safetensors"),
            Transfer(1, "/home/ada/runs", "s3://runctl-demo-archive/runs/", TransferState.PARTLY, 118, 120, 2,
                     bytes_done=912_000_000, bytes_total=914_000_000, planned=True,
                     failures=(("2026/07/events.out", "permission denied"),
                               ("2026/08/core.4121", "it changed while it was read")),
                     message="118 of 120 files copied, 2 failed"),
        )  # fmt: skip

    def preview(self, profile: str | None, source: str, target: str, *, delete: bool) -> SyncPreview:
        """Never asked here."""
        raise NotImplementedError

    def start(self, ticket: int) -> None:
        """Never asked here."""
        raise NotImplementedError

    def pause(self, number: int) -> None:
        """It stands still anyway."""

    def cancel(self, number: int) -> None:
        """It stands still anyway."""

    def size(self, profile: str | None, place: str) -> tuple[int, int]:
        """Never asked here."""
        raise NotImplementedError


def _moving(stage: Stage) -> None:
    stage.app.desk._board = PaperBoard()


def _golden_probe(stage: Stage) -> None:
    """The answer of a machine with one GPU: what runs on the machine that draws is nobody's business."""
    text = (Path(__file__).parents[1] / "tests" / "data" / "probe" / "gpu1-ubuntu.jsonl").read_text()
    now = stage.app.desk.clock.now()
    setattr(probing, "take_probe", lambda _door, _machine: parse_probe(text, now))  # noqa: B010  # for this process


def _project(stage: Stage) -> None:
    (stage.here / "train.py").write_text("print('step=1 loss=0.5')\n")


_BUDGETS = {
    "budgets.day_usd": 400.0,
    "budgets.month_usd": 2000.0,
    "budgets.projects": {"vision": 500.0, "llama-ft": 5000.0},
    "budgets.owners": {"alan": 900.0},
}
SHOTS: tuple[Shot, ...] = (
    Shot("describe", (*_OURS, "d"), "Whose"),
    Shot("compare", ("space", "space", "equals_sign"), "different"),
    Shot("copy", ("C",), "console URL"),
    Shot("export", ("E",), "spreadsheet"),
    Shot("regions", ("R",), "shown now"),
    Shot("profiles", ("P",), "type a name"),
    Shot("palette", ("ctrl+p", *"mark"), "Compare:"),
    Shot("errors", ("exclamation_mark",), "DescribeAddresses", faults=_LISTING_DENIED),
    Shot("hidden-marks", ("asterisk", *_only("owner:alan"), "S"), "hidden by the filter"),
    Shot("refused", (*_only("!tag:runctl:managed"), "D"), "nothing of this can be done"),
    Shot("terminate", (*_only("owner:alan state:stopped"), "D", "wait:esc cancels", *"i-1", "enter"), "that is not"),
    Shot("terminate-running", (*_only("name:asr-notebook*"), *["space"] * 3, "D", "wait:esc cancels",
         *"terminate 3", "enter", "wait:under way", "escape"), "stopping after", faults=_SLOW),
    Shot("stop-ended", (*_only("owner:alan state:running !tag:runctl:job"), "S", *_YES), "1 done"),
    Shot("stop-failed", (*_only("owner:alan state:running !tag:runctl:job"), "space", "space", "S", *_YES),
         "r tries", faults=_STOP_DENIED),
    Shot("tag", (*_OURS, *_menu("tag"), *"team"), "now:"),
    Shot("probe", (*_only("owner:alan state:running gpu>0"), *_menu("probe")), "Processes",
         prepare=_golden_probe),
    Shot("menu-disk", ("4", *_OURS, "a"), "snapshot"),
    Shot("choices", ("4", *_OURS, "i", *_menu("attach"), "wait:own zone", "space"), "enter takes"),
    Shot("detach", ("4", *_only("owner:alan state:in-use"), *_menu("detach")), "esc cancels"),
    Shot("snapshot", ("4", *_OURS, *_menu("snapshot")), "esc cancels"),
    Shot("delete-disk", ("4", *_only("owner:alan state:available"), "D"), "esc cancels"),
    Shot("restore", ("5", *_only("kind:snapshot owner:alan"), *_menu("restore")), "a month"),
    Shot("restore-asked", ("5", *_only("kind:snapshot owner:alan"), *_menu("restore"), "wait:a month", "enter"),
         "esc cancels"),
    Shot("new-disk-wrong", ("4", "n", "tab", "tab", *"99999", "tab", "tab", *"90000", "enter"), "65,536"),
    Shot("launch-failed", ("n", *"g5.xlarge,g6.xlarge", "tab", "wait:ends by itself", "enter", "wait:Cancel",
         "tab", "enter"), "edits and tries again", faults=_NO_ROOM),
    Shot("launch-quota", ("n", *"g5.xlarge,g6.xlarge", "tab", "wait:ends by itself", "enter", "wait:Cancel",
         "tab", "enter"), "edits and tries again", faults=_NO_QUOTA),
    Shot("launch-ended", ("n", *"g5.xlarge", "tab", "wait:ends by itself", "enter", "wait:Cancel", "tab", "enter"),
         "c copies"),
    Shot("sync", ("3", "n"), "ctrl+t"),
    Shot("sync-preview", ("3", *_only("name:runctl-demo-datasets"), "enter", "wait:datasets/", "n", "ctrl+t", "enter"),
         "copy", prepare=_files),
    Shot("sync-delete", ("3", *_only("name:runctl-demo-datasets"), "enter", "wait:datasets/", "n", "ctrl+t", "tab",
         "tab", "space", "shift+tab", "enter"), "to go on", prepare=_files),
    Shot("transfers", ("3", "t"), "partly", prepare=_moving),
    Shot("quit-asked", ("3", "q"), "quit and stop", prepare=_moving),
    Shot("submit", ("2", "n", *"trane.py", "enter"), "no such file", prepare=_project),
    Shot("submit-asked", ("2", "n", *"train.py", "tab", *"--epochs 10", "enter"), "code from", prepare=_project),
    Shot("budgets", ("5",), "of $2.0k", settings=_BUDGETS),
    Shot("welcome", (), "aws sso login", faults=_SIGNED_OUT),
)  # fmt: skip
