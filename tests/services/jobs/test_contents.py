"""Checkpoints looked into, hostile ones too: nothing in them ever runs."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest

from runctl.services.jobs.contents import inspect


def _look(name: str, data: bytes) -> Any:
    return inspect(name, io.BytesIO(data), len(data))


def _safetensors(**changes: Any) -> bytes:
    header = {
        "__metadata__": {"step": "120", "format": "pt"},
        "w": {"dtype": "F16", "shape": [3, 4], "data_offsets": [0, 24]},
        "b": {"dtype": "F32", "shape": [2], "data_offsets": [24, 32]},
        **changes,
    }
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"\0" * 32


class Evil:
    """What a hostile checkpoint does when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.path}",)


def _torch(state: object, *, with_pickle: bool = True) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        if with_pickle:
            archive.writestr("ckpt/data.pkl", pickle.dumps(state, protocol=2))
        archive.writestr("ckpt/data/0", b"\0" * 64)
        archive.writestr("ckpt/data/1", b"\0" * 16)
        archive.writestr("ckpt/version", "3\n")
    return out.getvalue()


def test_safetensors_says_what_it_holds() -> None:
    found = _look("m.safetensors", _safetensors())
    assert (found.kind, found.whole, found.tensors, found.parameters) == ("safetensors", True, 2, 14)
    assert found.facts == {"types": "F16, F32", "step": "120", "format": "pt"}


def test_a_cut_off_file_is_told() -> None:
    assert "cut off" in _look("m.safetensors", _safetensors()[:-8]).problem
    assert not _look("m.safetensors", b"\xff" * 100).whole
    assert not _look("m.safetensors", b"abc").whole
    assert "cut off" in _look("s.pkl", pickle.dumps({"step": 1, "model": list(range(50))})[:-5]).problem
    assert not _look("m.pt", _torch({"a": 1})[:-30]).whole


def test_torch_and_pickle_are_walked_never_loaded(tmp_path: Path) -> None:
    trap = tmp_path / "ran"
    for name, data in (
        ("m.pt", _torch({"model": 1, "x": Evil(trap)})),
        ("m.pkl", pickle.dumps(Evil(trap))),
        ("m.ckpt", pickle.dumps({"e": Evil(trap)}, protocol=0)),
        ("m.pth", pickle.dumps({"e": Evil(trap)}, protocol=5)),
    ):
        found = _look(name, data) if name != "m.ckpt" else _look("m.pkl", data)
        assert found.danger == ("posix.system",), name
        assert found.whole
    assert not trap.exists()


def test_a_harmless_one_is_not_called_dangerous() -> None:
    found = _look("m.pt", _torch({"model": {"w": 1.0}, "step": 7, "s": {1, 2}}))
    assert (found.kind, found.tensors, found.danger, found.problem) == ("torch zip", 2, (), "")
    assert found.facts["format"] == "3"
    assert "model" in found.facts["names in it"]
    assert "no data.pkl" in _look("m.pt", _torch(1, with_pickle=False)).problem


def test_json_and_what_is_nothing_of_it() -> None:
    assert _look("state.json", b'{"step": 5, "loss": 0.5, "nested": {}}').facts == {
        "step": "5", "loss": "0.5", "keys": "3",
    }  # fmt: skip
    assert not _look("state.json", b"{").whole
    assert "neither" in _look("weights.bin", b"hello").problem


@pytest.mark.parametrize("name", ["m.safetensors", "m.pt", "m.pkl", "m.json"])
def test_noise_never_raises(name: str) -> None:
    rng = random.Random(4)
    base = {"m.safetensors": _safetensors(), "m.pt": _torch({"a": [1, 2]}), "m.pkl": pickle.dumps({"a": 1})}
    for _ in range(300):
        data = bytearray(base.get(name, b'{"a": [1, 2, {"b": null}]}'))
        for _ in range(rng.randint(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        _look(name, bytes(data[: rng.randint(0, len(data))]))
