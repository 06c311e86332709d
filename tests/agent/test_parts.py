"""The pure parts: metrics, redaction, limits, endings, retention."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runctl.agent.checkpoints import find, step_of
from runctl.agent.ending import Evidence, cause_of, signal_name
from runctl.agent.index import surplus
from runctl.agent.limits import Facts, Limits, rate_for, spent_usd
from runctl.agent.metrics import Curve, parse_json_line, parse_line
from runctl.agent.redact import Redactor
from runctl.agent.spool import SEGMENT, Spool

LINES: list[tuple[bytes, dict[str, Any] | None]] = [
    (b"step=10 loss=0.53 lr=1e-4", {"step": 10, "loss": 0.53, "lr": 1e-4}),
    (b"step 12/100 loss: 0.5 acc 0.9", {"step": 12, "total_steps": 100, "loss": 0.5, "acc": 0.9}),
    (b"{'loss': 0.45, 'grad_norm': 1.2, 'epoch': 0.02}", {"loss": 0.45, "grad_norm": 1.2, "epoch": 0.02}),
    (b"{'loss': nan, 'step': 4}", {"loss": None, "nan": ["loss"], "step": 4}),
    (b'{"step": 3, "loss": NaN, "time": 1764252000.5}', {"step": 3, "loss": None, "nan": ["loss"], "t": 1764252000.5}),
    (b"Epoch 3:  45%|##  | 450/1000 [00:30<00:37, 14.8it/s, v_num=0, train_loss=0.345]",
     {"epoch": 3, "step": 450, "total_steps": 1000, "steps_per_s": 14.8, "train_loss": 0.345}),
    (b" 12%|#2   | 120/1000 [00:10<01:13, 12.0it/s]", {"step": 120, "total_steps": 1000, "steps_per_s": 12.0}),
    (b"iter 500: loss 2.4345, time 120.20ms, mfu 12.3%", {"step": 500, "loss": 2.4345}),
    (b"2026-01-01 10:00:00 step: 5/100 | train_loss=3.1 | val/acc: 0.5",
     {"step": 5, "total_steps": 100, "train_loss": 3.1, "val/acc": 0.5}),
    (b"INFO: listening at http://0.0.0.0:8080", None),
    (b"Traceback (most recent call last):", None),
    (b"Epoch 2/10", None),
    (b"\xff\xfe\x00 loss=", None),
]  # fmt: skip


@pytest.mark.parametrize(("line", "point"), LINES, ids=[line.decode(errors="replace")[:30] for line, _ in LINES])
def test_a_line_of_each_trainer_is_understood(line: bytes, point: dict[str, Any] | None) -> None:
    assert parse_line(line) == point


@given(st.binary(max_size=300))
def test_no_line_breaks_the_parser(line: bytes) -> None:
    parse_line(line)
    parse_json_line(line)


def test_a_curve_stays_small_and_keeps_its_first_and_newest_point() -> None:
    curve = Curve(limit=50)
    for n in range(5000):
        curve.add({"t": float(n), "step": n, "loss": 1 / (n + 1)})
    series = curve.value()["series"]["loss"]
    assert len(series) <= 51
    assert (series[0][0], series[-1][0]) == (0, 4999)
    assert [p[0] for p in series] == sorted({p[0] for p in series})


SECRETS = st.lists(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=4, max_size=12), max_size=3)


@given(SECRETS, st.lists(st.one_of(st.binary(max_size=20), st.integers(0, 2)), max_size=12), st.integers(1, 7))
def test_no_cut_of_the_stream_lets_a_secret_through_or_moves_a_byte(
    secrets: list[str], parts: list[bytes | int], cut: int
) -> None:
    text = b"".join(
        p if isinstance(p, bytes) else secrets[p % len(secrets)].encode() if secrets else b"" for p in parts
    )
    redactor = Redactor(secrets)
    out = b"".join(redactor.feed(text[n : n + cut]) for n in range(0, len(text), cut)) + redactor.finish()
    assert len(out) == len(text)
    assert all(s.encode() not in out or s.encode() in b"*" * 20 for s in secrets)


def test_a_spool_gives_back_what_it_took(tmp_path: Any) -> None:
    spool, sent, got = Spool(str(tmp_path)), b"", b""
    for n in range(40):
        block = bytes([n]) * (300_001 + n)
        spool.append(block)
        sent += block
        piece = spool.peek() if n % 3 == 0 else None
        if piece is not None and piece.body is not None:
            assert piece.start == len(got)
            got += piece.body
            spool.done(piece)
    while (piece := spool.peek()) is not None:
        assert piece.body is not None
        got += piece.body
        spool.done(piece)
    assert got == sent
    assert sum(p.stat().st_size for p in tmp_path.iterdir()) <= SEGMENT


def test_a_spool_that_outgrows_its_bound_keeps_head_and_tail_and_says_what_is_missing(tmp_path: Any) -> None:
    bound = 5 * SEGMENT
    spool = Spool(str(tmp_path), bound=bound, head=SEGMENT, tail=SEGMENT)
    block = b"x" * (1 << 20)
    for _ in range(60):
        spool.append(block)
        assert sum(p.stat().st_size for p in tmp_path.iterdir()) <= bound + 2 * SEGMENT
    pieces = []
    while (piece := spool.peek()) is not None:
        pieces.append(piece)
        spool.done(piece)
    assert [p.start for p in pieces[1:]] == [p.end for p in pieces[:-1]]
    assert pieces[0].start == 0
    assert pieces[0].body is not None
    assert pieces[-1].body is not None
    assert pieces[-1].end == 60 << 20
    gaps = [p for p in pieces if p.body is None]
    assert len(gaps) == 1
    assert spool.dropped == gaps[0].end - gaps[0].start > 0
    assert "faster" in spool.reason


def test_a_spool_is_taken_up_by_another_process(tmp_path: Any) -> None:
    first = Spool(str(tmp_path))
    first.append(b"a" * 100)
    second = Spool(str(tmp_path))
    second.recover(40)
    piece = second.peek()
    assert piece is not None
    assert (piece.start, piece.end, piece.body) == (40, 100, b"a" * 60)


def _facts(**changed: Any) -> Facts:
    plain = {"now": 1000.0, "billed_since": 0.0, "usd_per_hour": 3.6, "spent_usd": 1.0, "active_at": 990.0}
    return Facts(**{**plain, **changed})


def test_limits_break_in_their_order_and_the_control_object_moves_them() -> None:
    limits = Limits({"limits": {"ttl_s": 500, "budget_usd": 2.5, "idle_s": 60}}, {}, 0.0)
    assert limits.broken(_facts())[0] == "ttl"  # type: ignore[index]
    limits.take({"ttl_at": 5000})
    assert limits.broken(_facts()) is None
    assert limits.broken(_facts(spent_usd=1.5))[0] == "budget"  # type: ignore[index]
    assert limits.broken(_facts(active_at=900.0))[0] == "idle"  # type: ignore[index]
    assert limits.shown(_facts())["budget_at"] == pytest.approx(1500.0)
    assert spent_usd(_facts(usd_per_hour=None)) is None
    assert limits.broken(_facts(usd_per_hour=None, spent_usd=99.0)) is None
    assert "not enforced" in limits.unenforced(_facts(usd_per_hour=None))
    unknown = _facts(spent_usd=None)  # what the attempts before cost: this one alone still counts
    assert limits.broken(unknown) is None
    assert spent_usd(unknown) is None
    assert limits.shown(unknown)["spent_usd"] is None
    assert "this attempt only" in limits.unenforced(unknown)
    assert limits.broken(_facts(spent_usd=None, now=3000.0, active_at=2990.0))[0] == "budget"  # type: ignore[index]


def test_a_minute_is_billed_at_least_and_the_price_is_the_machines_own() -> None:
    assert spent_usd(_facts(now=1.0, spent_usd=0.0)) == pytest.approx(0.06)
    rates: Any = [
        {"type": "g5.xlarge", "az": "a", "market": "spot", "usd_per_hour": 0.4},
        {"type": "g5.xlarge", "az": None, "market": "on-demand", "usd_per_hour": 1.0},
    ]
    assert rate_for(rates, {"type": "g5.xlarge", "az": "b", "market": "on-demand"}) == 1.0
    assert rate_for(rates, {"type": "g5.xlarge", "az": "b", "market": "spot"}) is None


@pytest.mark.parametrize(
    ("evidence", "cause"),
    [
        (Evidence(0, False, 0, False, b""), "exit"),
        (Evidence(0, False, 0, True, b"No space left on device"), "exit"),
        (Evidence(-9, False, 1, False, b""), "oom"),
        (Evidence(137, False, 2, False, b""), "oom"),
        (Evidence(-9, True, 1, False, b""), "exit"),
        (Evidence(1, False, 1, False, b"DataLoader worker (pid 7) is killed by signal: Killed.", 1), "oom"),
        (Evidence(1, False, 1, False, b"somebody else's process was killed"), "exit"),
        (Evidence(0, False, 1, False, b"a worker was lost, and started again", 1), "exit"),
        (Evidence(-9, False, None, False, b""), "exit"),
        (Evidence(1, False, 0, False, b"RuntimeError: CUDA out of memory. Tried"), "oom"),
        (Evidence(1, False, 0, False, b"x\nMemoryError\n"), "oom"),
        (Evidence(1, False, 0, False, b"OSError: [Errno 28] No space left on device"), "disk"),
        (Evidence(1, False, 0, True, b"killed"), "disk"),
        (Evidence(3, False, 0, False, b""), "exit"),
    ],
)
def test_the_cause_follows_the_evidence(evidence: Evidence, cause: str) -> None:
    assert cause_of(evidence)[0] == cause


def test_signals_have_names() -> None:
    assert [signal_name(rc) for rc in (-9, 137, 143, 3, None, 255)] == [
        "SIGKILL",
        "SIGKILL",
        "SIGTERM",
        None,
        None,
        None,
    ]


def test_retention_keeps_the_newest_the_best_and_everything_incomplete() -> None:
    entries = [
        {"id": f"1/{n}", "complete": n != 9, "made_at": float(n), "step": n, "metric": loss, "deleted_at": None}
        for n, loss in enumerate([5.0, 0.1, 3.0, 2.0, 1.0, 0.9, 0.8, 0.7, 0.6, 0.01])
    ]
    index = {"checkpoints": entries}
    assert surplus(index, 2, "min") == ["1/0", "1/2", "1/3", "1/4", "1/5", "1/6"]
    assert surplus(index, 2, "max") == ["1/1", "1/2", "1/3", "1/4", "1/5", "1/6"]
    assert surplus(index, 0, "min") == []


@pytest.mark.parametrize(
    ("name", "step"),
    [("step_000500.pt", 500), ("checkpoint-500", 500), ("epoch=3-step=1200.ckpt", 1200), ("last.pt", None),
     ("model_7.safetensors", 7), ("ckpt/iter-30", 30)],
)  # fmt: skip
def test_the_step_of_a_checkpoint_is_read_from_its_name(name: str, step: int | None) -> None:
    assert step_of(name) == step


def test_a_directory_is_one_checkpoint_and_half_written_files_are_none(tmp_path: Any) -> None:
    (tmp_path / "checkpoint-10").mkdir()
    for name in ("checkpoint-10/a.safetensors", "checkpoint-10/b.json", "step_1.pt", "step_2.pt.tmp", ".step_3.pt"):
        (tmp_path / name).write_text("x")
    found = {c.name: [path for path, _, _ in c.signature] for c in find(str(tmp_path), "*")}
    assert found == {
        "checkpoint-10": ["checkpoint-10/a.safetensors", "checkpoint-10/b.json"],
        "step_1.pt": ["step_1.pt"],
    }
    assert [c.name for c in find(str(tmp_path), "*.pt")] == ["step_1.pt"]
