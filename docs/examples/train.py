"""A small training run in plain Python: logistic regression on made-up points, so that a first job needs no GPU.

It prints `step=… loss=…`, saves a checkpoint every 50 steps and when it is told to stop, and goes on from one.
"""

import argparse
import json
import math
import os
import random
import signal
import time

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=600)
parser.add_argument("--lr", type=float, default=0.5)
parser.add_argument("--pause", type=float, default=0.1, help="seconds between two steps, so that there is something to watch")
options = parser.parse_args()

draw = random.Random(7)
points = [(draw.gauss(0, 1), draw.gauss(0, 1)) for _ in range(400)]
labels = [1.0 if 2 * x - y + draw.gauss(0, 0.5) > 0 else 0.0 for x, y in points]
weights, first = [0.0, 0.0, 0.0], 1

folder = os.environ.get("RUNCTL_CHECKPOINT_DIR", ".")
if came := os.environ.get("RUNCTL_RESUME_FROM"):
    with open(came) as file:
        saved = json.load(file)
    weights, first = saved["weights"], saved["step"] + 1

told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(True))


def save(step):
    """Write beside and rename: nobody ever sees half a checkpoint."""
    part = os.path.join(folder, ".part")
    with open(part, "w") as file:
        json.dump({"step": step, "weights": weights}, file)
    os.replace(part, os.path.join(folder, f"step-{step:06d}.json"))


for step in range(first, options.steps + 1):
    loss, slope = 0.0, [0.0, 0.0, 0.0]
    for (x, y), label in zip(points, labels):
        guess = 1 / (1 + math.exp(-(weights[0] * x + weights[1] * y + weights[2])))
        loss -= math.log(guess if label else 1 - guess) / len(points)
        for index, value in enumerate((x, y, 1.0)):
            slope[index] += (guess - label) * value / len(points)
    weights = [w - options.lr * s for w, s in zip(weights, slope)]
    print(f"step={step}/{options.steps} loss={loss:.4f}", flush=True)
    if step % 50 == 0 or step == options.steps or told:
        save(step)
    if told:
        break
    time.sleep(options.pause)
