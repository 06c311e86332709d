"""Random keys and pasted random text on every screen: nothing in read-only, and nothing that nobody has confirmed.

The short form runs with the suite; `make fuzz` presses five thousand keys in each mode (FUZZ_KEYS).
"""

from __future__ import annotations

import os
import random
import string
import sys
from collections import Counter, deque
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual import _wait, events, on
from textual.keys import _character_to_key
from textual.widgets import Button

from runctl import paths
from runctl.app import RunctlApp
from runctl.demo.cloud import DemoCloud
from runctl.keymap import ACTIONS
from runctl.models.plan import IRREVERSIBLE
from runctl.screens.modals.confirm import ConfirmModal
from runctl.screens.modals.form import FormModal
from runctl.screens.modals.plan import PlanModal
from runctl.screens.modals.wizard import WizardModal
from runctl.services.plan import PlanStore
from tests.screens.acting_app import HERE, acting
from tests.screens.driving import Driver
from tests.services.doors import OURS, disk, fleet_of, machine

KEYS = int(os.environ.get("FUZZ_KEYS", "150"))
SEED = int(os.environ.get("FUZZ_SEED", "20261127"))
#: What the table of keys knows, with what moves and confirms in dialogs.
KNOWN = sorted({key for action in ACTIONS for key in action.keys})
MOVING = ("enter", "enter", "tab", "tab", "shift+tab", "down", "up", "right", "left", "space", "escape")
CHANGING = ("S", "D", "a", "A", "plus", "n", "X", "s")
#: What nothing but a typed phrase may send, and what only asks a machine how it is.
GRAVE = {"TerminateInstances", "DeleteVolume", "DeleteSnapshot", "ReleaseAddress", "AbortMultipartUpload"}
ASKS = {"SendCommand"}


class WatchedApp(RunctlApp):
    """The app, which does not end, and counts who says yes to what."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.confirmed: Counter[str] = Counter()

    def exit(self, *args: Any, **kwargs: Any) -> None:
        """A walk goes on where a person would have quit."""

    @on(Button.Pressed, "#go")
    def _said_yes(self, event: Button.Pressed) -> None:
        assert event.button.has_focus, "only what has the focus is pressed"
        self.confirmed["launch" if isinstance(self.screen, ConfirmModal) else "plan"] += 1


def drawn(rng: random.Random, ids: list[str], *, dialog: bool) -> tuple[str, str]:
    """("key", its name) or ("paste", a text); in dialogs more of what moves and confirms."""
    roll = rng.random()
    if dialog and rng.random() < 0.5:
        return "key", rng.choice(("tab", "enter", "tab", "space", "down"))
    if roll < 0.25:
        return "key", rng.choice(MOVING)
    if roll < 0.40:
        return "key", rng.choice(CHANGING)
    if roll < 0.48:
        return "key", rng.choice("12345")
    if roll < 0.70:
        return "key", rng.choice(KNOWN)
    if roll < 0.94:
        return "key", _character_to_key(rng.choice(string.printable[:95]))
    words = [
        rng.choice(ids),
        "terminate 3",
        "change 2",
        "delete 2",
        "override not-ours",
        "g5.xlarge",
        "4h",
        "💥\x1b[2J\n",
    ]
    return "paste", rng.choice(words) + "".join(rng.choices(string.printable, k=rng.randrange(4)))


async def walk(driver: Driver, ids: list[str], count: int, last: deque[str]) -> None:
    """Press and paste."""
    rng = random.Random(SEED)
    for _ in range(count):
        dialog = isinstance(driver.app.screen, PlanModal | ConfirmModal | FormModal | WizardModal)
        kind, what = drawn(rng, ids, dialog=dialog)
        last.append(f"{kind} {what!r}")
        if kind == "paste":
            (driver.app.focused or driver.app.screen).post_message(events.Paste(what))
            await driver.pilot.pause()
        else:
            await driver.pilot.press(what)
        assert driver.app.is_running, "keys that nobody hears prove nothing"
        if dialog and rng.random() < 0.3:
            await driver.pilot.pause(0.1)  # a person reads; answers arrive
    screen = driver.app.screen
    if isinstance(screen, PlanModal) and screen.stage == "running":
        await driver.until(lambda: screen.stage == "ended", "for what runs")


def fleet(cloud: DemoCloud) -> list[str]:
    """Machines that may be stopped, extended and terminated, others that may not, and disks of both kinds."""
    foreign: dict[str, str] = {}
    ids = fleet_of(
        cloud,
        *[machine(f"ours-{n}") for n in range(4)], machine("stopped", state="stopped"), machine("theirs", tags=foreign),
        machine("kept", OURS | {"runctl:protected": "true"}),
        disks=(disk(name="free", age_s=41 * 86400.0), disk(0, name="used"), disk(name="not-ours", tags=foreign)),
    )  # fmt: skip
    cloud.set_timings(snapshot_per_gib=0.001, stopping=0.5, pending=0.5)
    return ids


@pytest.mark.parametrize("read_only", [True, False], ids=["read-only", "normal"])
async def test_random_keys_change_nothing_that_nobody_confirmed(
    cloud: DemoCloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, read_only: bool
) -> None:
    monkeypatch.chdir(tmp_path)  # exports go there
    # The driver sleeps a fiftieth of a second, twice, before it sees that a key's work is done.
    monkeypatch.setattr(_wait, "SLEEP_GRANULARITY", 1 / 200)
    ids = fleet(cloud)
    last: deque[str] = deque(maxlen=40)
    async with acting(replace(HERE, read_only=read_only), app_class=WatchedApp) as driver:
        app = driver.app
        assert isinstance(app, WatchedApp)
        try:
            await walk(driver, ids, KEYS, last)
        except BaseException:
            sys.stderr.write("\n".join(("the last keys:", *last, "")))
            raise
        confirmed = app.confirmed
    changes = [(o.rpartition(":")[2], named) for o, _, named in cloud.changes()]
    sent = [(o, named) for o, named in changes if o not in ASKS]
    told = f"{KEYS} keys, seed {SEED}: confirmed {dict(confirmed)}, sent {dict(Counter(o for o, _ in changes))}"
    sys.stderr.write(f"{told}\n")
    if read_only:
        assert changes == []
        assert not confirmed
        return
    assert not GRAVE & {o for o, _ in sent}, "what cannot be undone needs a phrase that chance does not type"
    store = PlanStore(paths.plans_dir())
    plans = [store.load(i) for i in store.ids()]
    assert len(plans) <= confirmed["plan"]
    assert not [i for p in plans for i in p.items if i.verb in IRREVERSIBLE]
    assert sum(o == "RunInstances" for o, _ in sent) <= 2 * 8 * confirmed["launch"], "places that a yes allows to try"
    planned = {i.id for p in plans for i in p.items} | {r["instance_id"] for p in plans for i in p.items
               for r in [i.parameters] if "instance_id" in r}  # fmt: skip
    assert {i for o, named in sent if o != "RunInstances" for i in named} <= planned
