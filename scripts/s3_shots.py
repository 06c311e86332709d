"""The S3 screen as pictures: this machine's files beside a bucket, and transfers that stand still."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from dialog_shots import PaperBoard, Shot, Stage

from runctl.models.transfer import Transfer, TransferState

MIB, GIB = 1 << 20, 1 << 30
#: Files of the directory beside the rows: name and bytes.
_FILES = {
    "config.yaml": 2_311, "data/shard-0000.bin": 256 * MIB, "runs/7/metrics.jsonl": 48_112, "README.md": 1_204,
    "requirements.txt": 311, "tokenizer.model": 493_443, "train.py": 18_220, "checkpoints/step-4000.pt": 3 * GIB,
}  # fmt: skip
_HERE = "/home/ada/llama/data"
_MOVING = Transfer(
    1, _HERE, "s3://runctl-demo-datasets/tokenized/", TransferState.RUNNING, 12_031, 23_400, 0, 41 * GIB, 80 * GIB,
    planned=True, rate=612e6, eta_s=68, active="train/shard-04120.bin",
)  # fmt: skip
_DONE = Transfer(
    2, "s3://runctl-demo-checkpoints/llama-7b-a2/", "/home/ada/llama/checkpoints", TransferState.DONE, 4, 4, 0,
    12 * GIB, 12 * GIB, planned=True, message="4 moved, 31 the same in 21 s",
)  # fmt: skip
_PARTLY = Transfer(
    3, _HERE, "s3://runctl-demo-archive/", TransferState.PARTLY, 1_996, 2_000, 4, 31 * GIB, 32 * GIB, planned=True,
    failures=(
        ("raw/part-0007.parquet", "it changed while it was read"), ("raw/part-0012.parquet", "Permission denied"),
        ("raw/loop", "a symbolic link that leads back to a directory above it"),
        ("raw/" + "very-long-name-" * 9 + ".parquet", "503 SlowDown after 8 tries"),
    ),
    message="1996 moved, 0 the same in 84 s",
)  # fmt: skip
_FAILED = replace(
    _PARTLY, id=4, state=TransferState.FAILED, files_done=0, files_failed=0, bytes_done=0, failures=(),
    target="s3://prod-weights/", message="stopped: not allowed: s3:PutObject on prod-weights in us-east-1",
)  # fmt: skip
_COMPARING = replace(_MOVING, planned=False, rate=None, eta_s=None, files_done=0, bytes_done=0)
_PAUSED = replace(_MOVING, state=TransferState.PAUSED, rate=0.0, eta_s=None)


class _Scene(PaperBoard):
    def __init__(self, *transfers: Transfer) -> None:
        self._transfers = transfers

    def transfers(self) -> tuple[Transfer, ...]:
        return self._transfers


def _with(*transfers: Transfer) -> Callable[[Stage], None]:
    """Files of the sizes above, without their bytes, and these transfers."""

    def prepare(stage: Stage) -> None:
        for name, size in _FILES.items():
            path = stage.here / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            os.truncate(path, size)
        stage.app.desk._board = _Scene(*transfers)

    return prepare


_FILES_SHOWN = ("3", "tab", "wait:train.py")
SHOTS: tuple[Shot, ...] = (
    Shot("s3-local", _FILES_SHOWN, "n: upload", prepare=_with()),
    Shot("s3-local-download", (*_FILES_SHOWN, "tab"), "n: download", prepare=_with()),
    Shot("s3-inside", ("3", "down", "down", "enter"), "listed", prepare=_with()),
    Shot("s3-moving", ("3",), "ETA", prepare=_with(_MOVING, _DONE)),
    Shot("s3-moving-local", _FILES_SHOWN, "ETA", prepare=_with(_MOVING, _DONE)),
    Shot("s3-comparing", ("3",), "comparing", prepare=_with(_COMPARING, _DONE)),
    Shot("s3-paused", ("3",), "paused", prepare=_with(_PAUSED, _DONE)),
    Shot("s3-failed", ("3",), "partly failed", prepare=_with(_FAILED, _PARTLY, _DONE)),
    Shot("s3-errors", ("3", "t", "down"), "changed while", prepare=_with(_FAILED, _PARTLY, _DONE)),
)
