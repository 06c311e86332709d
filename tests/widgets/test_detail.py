"""What a detail folds, and where."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from runctl.widgets.detail import Row, Section, render_sections


@pytest.mark.parametrize(
    "value",
    [
        "Client.UserInitiatedShutdown: User initiated shutdown of it", "short", "", "x" * 200, "two  spaces kept",
        "東京" * 30 + " é́ wide",
    ],
)  # fmt: skip
def test_values_fold_below_themselves_and_long_words_are_cut(value: str) -> None:
    lines = render_sections([Section("Facts", (Row("why", value), Row("since", "1d")))], width=30).plain.splitlines()
    assert lines[0] == "Facts"
    first = next(n for n, line in enumerate(lines) if line.startswith("why"))
    last = next(n for n, line in enumerate(lines) if line.startswith("since"))
    assert all(line.startswith(" " * 7) for line in lines[first + 1 : last])
    assert all(cell_len(line) <= 30 for line in lines)
    told = "".join(line[7:] for line in lines[first:last])
    assert told.replace(" ", "") == value.replace(" ", "")
