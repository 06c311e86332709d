"""job.toml and flags: what they mean together, and what is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from runctl.errors import InputError
from runctl.models import record
from runctl.services.jobs.spec import build_job

JOB = record.job_id(1_700_000_000_000, b"0123456789")
FULL = """\
name = "vit-small"
project = "vision"
script = "train.py"
args = ["--epochs", "10"]
outputs = ["out/*.csv"]
env_from = ["WANDB_PROJECT"]

[resources]
types = ["g5.xlarge", "g6.xlarge"]
market = "spot"
disk = "1TiB"

[[data]]
source = "s3://sets/imagenet/"
target = "data/imagenet"

[checkpoints]
dir = "ckpt"
pattern = "step-*.pt"
keep = 2
best = "val_accuracy:max"

[env]
WANDB_MODE = "offline"

[secrets]
HF_TOKEN = "ssm:/ml/hf-token"

[limits]
budget = 20.0
ttl = "8h"
idle = "20m"
on_rebalance = "stop"

[retry]
attempts = 5
exit_codes = [75]
"""


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "job.toml"
    path.write_text(text)
    return path


def test_everything_a_file_says_is_in_the_record(tmp_path: Path) -> None:
    job = build_job({}, path=_file(tmp_path, FULL))
    spec = job.to_record(JOB, at=5.0, code={"sha256": "ab"}, env={"WANDB_PROJECT": "p"})
    assert record.load(record.dump(spec)) == spec
    assert spec["command"] == ["python3", "-u", "train.py", "--epochs", "10"]
    assert spec["env"] == {"WANDB_PROJECT": "p", "WANDB_MODE": "offline"}
    assert spec["secrets"] == {"HF_TOKEN": "ssm:/ml/hf-token"}
    assert spec["data"] == [{"source": "s3://sets/imagenet/", "target": "data/imagenet"}]
    assert spec["checkpoints"] == {
        "dir": "ckpt",
        "pattern": "step-*.pt",
        "keep": 2,
        "best_metric": "val_accuracy",
        "best_mode": "max",
        "stable_s": 2.0,
    }
    assert spec["limits"] == {
        "budget_usd": 20.0,
        "ttl_s": 28800.0,
        "idle_s": 1200.0,
        "grace_s": 120.0,
        "upload_s": 1800.0,
        "on_rebalance": "stop",
    }
    assert spec["retry"] == {"max_attempts": 5, "on_interruption": True, "on_exit": [75]}
    assert spec["resources"]["types"] == ["g5.xlarge", "g6.xlarge"]
    assert spec["resources"]["disk"] == 1024
    assert len(spec["nodes"]) == 1


def test_flags_stand_over_the_file_key_by_key(tmp_path: Path) -> None:
    flags = {"limits": {"ttl": "2h"}, "resources": {"market": "on-demand"}, "args": ("--fast",)}
    job = build_job(flags, path=_file(tmp_path, FULL))
    assert (job.limits.ttl, job.limits.budget, job.resources.market) == (7200.0, 20.0, "on-demand")
    assert job.resources.types == ("g5.xlarge", "g6.xlarge")
    assert job.args == ("--fast",)


def test_a_job_ends_by_itself_even_when_nobody_said_so() -> None:
    job = build_job({"script": "train.py"})
    assert (job.limits.ttl, job.limits.idle, job.at_end) == (86400.0, 1800.0, "terminate")
    assert job.limits.on_rebalance == "save"
    assert job.resources.market == "on-demand"


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ('name = "a"\nnmae = "b"\n', ":2: unknown key nmae; did you mean name?", "name"),
        ("[limits]\nbugdet = 3\n", ":2: unknown key limits.bugdet; did you mean budget?", "budget"),
        ("[resources]\n\ntype = 'g5.xlarge'\n", ":3: unknown key resources.type; did you mean types?", "types"),
        ("[limits]\non_rebalance = 'go'\n", ":2: limits.on_rebalance: input should be 'save' or 'stop'", ""),
        ("[limits]\nttl = 8\n", ":2: limits.ttl: 8 what?", ""),
        ("[limits]\nttl = '8x'\n", ":2: limits.ttl: '8x' is not a duration", ""),
        ("[resources]\nnodes = 2\n", ":2: resources.nodes: input should be 1", ""),
        ("[resources]\ndisk = '12x'\n", ":2: resources.disk: '12x' is not the size of a disk", ""),
        ("[[data]]\nsource = 'gs://b/'\ntarget = 'd'\n", ":2: data.source: 'gs://b/' is not an S3 URI", ""),
        ("[[data]]\nsource = 's3://bucket/'\ntarget = '../d'\n", ":3: data.target: '../d' must lie below", ""),
        ("[checkpoints]\nbest = 'loss:up'\n", ":1: checkpoints: 'loss:up': write METRIC", ""),
        ("name = 'a b'\n", ":1: name: 'a b' is not a name", ""),
        ("at_end = 'stop'\n[resources]\nmarket = 'spot'\n", "a spot machine cannot be stopped", ""),
        ("name = \n", "not TOML", ""),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_with_its_line(tmp_path: Path, text: str, said: str, hint: str) -> None:
    path = _file(tmp_path, text)
    with pytest.raises(InputError) as caught:
        build_job({}, path=path)
    assert said in caught.value.message
    assert str(path) in caught.value.message
    assert hint in caught.value.hint


def test_a_bad_flag_is_named_as_a_flag() -> None:
    with pytest.raises(InputError, match=r"^--limits-ttl: "):
        build_job({"script": "a.py", "limits": {"ttl": "soon"}})


@pytest.mark.parametrize(
    "job",
    [
        {"env": {"WANDB_API_KEY": "abc"}},
        {"env": {"X": "AKIA" + "Q7RT2M5N8PLK3JHG"}},
        {"args": ("--token", "hf" + "_" + "a1B2" * 8 + "xy")},
    ],
)
def test_a_secret_by_value_is_refused_and_not_repeated(job: dict[str, object]) -> None:
    with pytest.raises(InputError, match="name it under secrets") as caught:
        build_job({"script": "a.py", **job})
    assert "Q7RT2M5N8PLK3JHG" not in str(caught.value) + caught.value.hint
    assert "a1B2" not in str(caught.value) + caught.value.hint


def test_a_secret_is_a_reference(tmp_path: Path) -> None:
    for good in ("ssm:/ml/hf", "ssm:plain", "secretsmanager:prod/hf#token", "secretsmanager:hf"):
        assert build_job({"script": "a.py", "secrets": {"HF_TOKEN": good}}).secrets == {"HF_TOKEN": good}
    with pytest.raises(InputError, match="a secret is named, never written") as caught:
        build_job({"secrets": {"HF_TOKEN": "hunter2-very-secret"}})
    assert "hunter2" not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize(
    ("given", "argv"),
    [
        ({"script": "a/train.py"}, ("python3", "-u", "a/train.py")),
        ({"script": "run.sh", "args": ("x y",)}, ("bash", "run.sh", "x y")),
        ({"script": "bin/train"}, ("./bin/train",)),
        ({"command": ("torchrun", "t.py"), "args": ("-x",)}, ("torchrun", "t.py", "-x")),
    ],
)
def test_what_is_started(given: dict[str, object], argv: tuple[str, ...]) -> None:
    assert build_job(given).argv == argv
