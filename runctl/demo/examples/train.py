"""A model small enough for any laptop, whose loss falls: a network of one hidden layer learns a noisy sine.

Plain Python, no packages. Prints `step=… loss=…`, saves to `RUNCTL_CHECKPOINT_DIR`, continues from
`RUNCTL_RESUME_FROM`, and ends itself when `RUNCTL_STOP_FILE` appears; it runs just as well without any of them.

    python3 train.py --steps 500 --sleep 0.2
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import sys
import time


class Model:
    """y = sum(v * tanh(w * x + b)), trained by plain stochastic gradient descent."""

    def __init__(self, seed: int, width: int = 8) -> None:
        self.random = random.Random(seed)
        self.step = 0
        self.weights = [[self.random.gauss(0, 1) for _ in range(3)] for _ in range(width)]
        self.average = 0.0

    def train(self, rate: float, batch: int = 16) -> float:
        """One step; the smoothed loss."""
        total = 0.0
        for _ in range(batch):
            x = self.random.uniform(-3, 3)
            wanted = math.sin(x) + self.random.gauss(0, 0.05)
            hidden = [math.tanh(w * x + b) for w, b, _ in self.weights]
            error = sum(v * h for (_, _, v), h in zip(self.weights, hidden)) - wanted
            total += error * error
            for unit, h in zip(self.weights, hidden):
                back = error * unit[2] * (1 - h * h)
                unit[0] -= rate * back * x
                unit[1] -= rate * back
                unit[2] -= rate * error * h
        self.step += 1
        self.average = total / batch if self.step == 1 else 0.95 * self.average + 0.05 * total / batch
        return self.average

    def save(self, folder: str) -> str:
        """Write a checkpoint, whole or not at all; its path."""
        path = os.path.join(folder, f"step_{self.step:06d}.json")
        with open(path + ".tmp", "w", encoding="utf-8") as file:
            json.dump({"step": self.step, "loss": self.average, "weights": self.weights}, file)
        os.replace(path + ".tmp", path)
        return path

    def load(self, path: str) -> None:
        """Continue from a checkpoint."""
        with open(path, encoding="utf-8") as file:
            kept = json.load(file)
        self.step, self.average, self.weights = kept["step"], kept["loss"], kept["weights"]


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Trains a very small model.")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--sleep", type=float, default=0.2, help="seconds between two steps")
    parser.add_argument("--rate", type=float, default=0.02, help="learning rate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--save-every", type=int, default=50, metavar="STEPS")
    for name, what in (("crash", "raise an error"), ("hang", "say nothing more"), ("nan", "let the loss be no number")):
        parser.add_argument(f"--{name}-at", type=int, default=0, metavar="STEP", help=f"{what} at this step")
    return parser.parse_args(argv)


def line_of(model: Model, loss: float, options: argparse.Namespace) -> str:
    """What one step prints."""
    if options.nan_at and model.step >= options.nan_at:
        loss = math.nan
    return f"step={model.step}/{options.steps} loss={loss:.5f} lr={options.rate:g}"


def main(argv: list[str] | None = None) -> int:
    """Train until the last step or until asked to stop."""
    options = parse(argv)
    folder = os.environ.get("RUNCTL_CHECKPOINT_DIR", ".")
    stop = os.environ.get("RUNCTL_STOP_FILE", "")
    model = Model(options.seed)
    if os.environ.get("RUNCTL_RESUME_FROM"):
        model.load(os.environ["RUNCTL_RESUME_FROM"])
        print(f"continuing behind step {model.step}", flush=True)
    while model.step < options.steps:
        print(line_of(model, model.train(options.rate), options), flush=True)
        if options.crash_at and model.step >= options.crash_at:
            raise RuntimeError("the gradient exploded (this is a demonstration)")
        while options.hang_at and model.step >= options.hang_at and not os.path.exists(stop):
            time.sleep(1)
        if model.step % options.save_every == 0:
            model.save(folder)
        if stop and os.path.exists(stop):
            model.save(folder)
            print(f"stopped behind step {model.step}, saved", flush=True)
            return 0
        time.sleep(options.sleep)
    model.save(folder)
    print("done", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
