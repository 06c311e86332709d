"""Numbers out of what a trainer prints: `step=… loss=…`, JSON lines, dicts of HF Trainer, Lightning, tqdm bars.

Pure: bytes in, points out. A point is `{"t": seconds, "step": n or None, name: number, …}`; a value that is not finite
is None and its name is in "nan".
"""

from __future__ import annotations

import ast
import json
import math
import re
from typing import Any, Dict, Iterable, Iterator

Point = Dict[str, Any]

_NUMBER = r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|nan|inf|infinity)"
_PAIR = re.compile(
    r"(?<![\w./-])([A-Za-z][\w./-]{0,63})\s*[=:]\s*(" + _NUMBER + r")(?![\w.])(?:\s*/\s*(\d+))?", re.IGNORECASE
)
_STEP_WORD = re.compile(
    r"\b(step|iter|iteration|global_step|batch|it|epoch)s?\b\s*[\[(]?\s*(\d+)\s*(?:/\s*(\d+))?", re.IGNORECASE
)
#: Names that are metrics even without "=" or ":" behind them: "iter 500: loss 2.43, acc 0.9".
_BARE = re.compile(
    r"(?<![\w./-])((?:(?:train|val|valid|eval|test)[_/ ])?(?:loss|acc|accuracy|ppl|perplexity|reward|lr|grad_norm))\s+("
    + _NUMBER
    + r")(?![\w.])",
    re.IGNORECASE,
)
_TQDM = re.compile(r"(\d+)%\|[^|]*\|\s*(\d+)/(\d+)\s*\[[^\]]*?(?:,\s*([\d.]+)\s*(it/s|s/it))?[,\]]")
#: A line without any of these holds no metric; most lines are told apart here, at the speed of a search.
_HINT = re.compile(rb"[=:{|]|loss|acc|reward", re.IGNORECASE)
_STEPS = ("step", "global_step", "iter", "iteration", "it", "batch")
_TOTALS = ("total_steps", "max_steps", "num_steps")
#: Words that look like a metric in a log line and are none.
_NOISE = frozenset(("http", "https", "port", "pid", "seed", "rank", "line", "time", "version", "at", "info", "v_num"))
_MOST = 64
_LONGEST = 4096


def parse_line(line: bytes) -> Point | None:
    """The point a line of output holds, without its time; None for a line of anything else."""
    if len(line) > _LONGEST or _HINT.search(line) is None:
        return None
    text = line.decode("utf-8", "replace").strip()
    braced = _braced(text)
    found = _from_mapping(braced) if braced is not None else _from_text(text)
    return found if found and any(k not in ("step", "epoch", "total_steps", "nan") for k in found) else None


def parse_json_line(line: bytes) -> Point | None:
    """The point of a line of the metrics file: a JSON object; a step alone counts there."""
    value = _braced(line.decode("utf-8", "replace").strip())
    return _from_mapping(value) if value is not None else None


def points(lines: Iterable[bytes], now: float, json_only: bool = False) -> Iterator[Point]:
    """Points of many lines; each carries `now` unless it names a time itself."""
    for line in lines:
        found = parse_json_line(line) if json_only else parse_line(line)
        if found:
            found.setdefault("t", now)
            yield found


def _braced(text: str) -> dict[str, Any] | None:
    """The JSON object or Python dict that a line ends with, `{'loss': 0.5}` behind a timestamp included."""
    start = text.find("{")
    if start < 0 or not text.endswith("}"):
        return None
    body = text[start:]
    try:
        value = json.loads(body)
    except ValueError:
        try:
            value = ast.literal_eval(re.sub(r"(-?\b(?:nan|inf)\b)", r"'\1'", body))
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
    return value if isinstance(value, dict) else None


def _from_mapping(given: dict[str, Any]) -> Point:
    """Numbers of an object, one level of nesting joined by dots."""
    flat: dict[str, Any] = {}
    for name, value in given.items():
        inner = value.items() if isinstance(value, dict) else ()
        flat.update({f"{name}.{k}": v for k, v in inner} if inner else {str(name): value})
    out: Point = {}
    for name, value in flat.items():
        if isinstance(value, bool) or len(out) >= _MOST:
            continue
        if isinstance(value, str):
            value = _number(value)  # noqa: PLW2901
        if isinstance(value, (int, float)):
            _put(out, name, float(value))
    return _steps(out)


def _from_text(text: str) -> Point:
    out: Point = {}
    bar = _TQDM.search(text)
    if bar:
        out["step"], out["total_steps"] = int(bar.group(2)), int(bar.group(3))
        if bar.group(4):
            rate = float(bar.group(4))
            out["steps_per_s"] = rate if bar.group(5) == "it/s" else 1 / rate if rate else 0.0
    for found in _PAIR.finditer(text):
        name, value, total = found.groups()
        if name.lower() in _NOISE or len(out) >= _MOST:
            continue
        _put(out, name, float(value))
        if total and name.lower() in _STEPS:
            out["total_steps"] = int(total)
    for found in _BARE.finditer(text):
        if found.group(1) not in out:
            _put(out, found.group(1).replace(" ", "_"), float(found.group(2)))
    for found in _STEP_WORD.finditer(text):
        name, value, total = found.groups()
        key = "epoch" if name.lower() == "epoch" else "step"
        out.setdefault(key, int(value))
        if total and key == "step":
            out.setdefault("total_steps", int(total))
    return _steps(out)


def _put(out: Point, name: str, value: float) -> None:
    if math.isfinite(value):
        out[name] = value
    else:
        out[name] = None
        out.setdefault("nan", []).append(name)


def _steps(out: Point) -> Point:
    """One name for the step, the total and the time, whatever the trainer calls them."""
    for names, target in ((_STEPS, "step"), (_TOTALS, "total_steps")):
        for name in [n for n in out if n.lower().rsplit("/", 1)[-1] in names]:
            value = out.pop(name)
            if isinstance(value, (int, float)):
                out[target] = int(value)
    at = out.pop("timestamp", out.pop("time", out.pop("t", None)))
    if isinstance(at, (int, float)) and 1e9 < at < 1e11:
        out["t"] = float(at)
    return out


def _number(text: str) -> float | None:
    """HF Trainer prints numbers as strings in some versions."""
    try:
        return float(text)
    except ValueError:
        return None


class Curve:
    """Series thinned while they grow: every second point is dropped when one is full; the newest stays.

    Args:
        limit: points a series keeps.
    """

    def __init__(self, limit: int = 500) -> None:
        self._limit = limit
        self._series: dict[str, list[list[float | None]]] = {}
        self._stride: dict[str, int] = {}
        self._seen: dict[str, int] = {}
        self.points = 0

    def add(self, point: Point) -> None:
        """Take a point in."""
        self.points += 1
        for name, value in point.items():
            if name in ("t", "step", "nan", "total_steps") or not (value is None or isinstance(value, (int, float))):
                continue
            if name not in self._series and len(self._series) >= _MOST:
                continue
            row = self._series.setdefault(name, [])
            count, stride = self._seen.get(name, 0), self._stride.get(name, 1)
            self._seen[name] = count + 1
            new = [point.get("step"), point["t"], value]
            if row and (count - 1) % stride != 0:
                row[-1] = new  # the one before was only the newest, not one of the stride
            else:
                row.append(new)
            if len(row) > self._limit:
                self._series[name] = row[::2]
                self._stride[name] = stride * 2

    def value(self) -> dict[str, Any]:
        """What `curve.json` holds."""
        return {"v": 1, "points": self.points, "series": self._series}
