"""The verdict table, row by row as a laptop finds it after three hours of sleep, and what holds in every case."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runctl.models.record import Exit, State
from runctl.services.jobs.verdict import Action, Machine, Outcome, Seen, judge

SLEPT = 3 * 3600.0
RUNNING: State = {"phase": "RUNNING", "at": 1000.0, "progress_at": 990.0, "heartbeat_s": 15.0}
STALE = Seen(attempt=1, fence=1, launch={}, launch_age_s=4 * 3600.0, state=RUNNING, heartbeat_age_s=SLEPT)
FRESH = replace(STALE, heartbeat_age_s=10.0)
ON, OFF, GONE = Machine("running"), Machine("terminated"), Machine("not-found")


def _exit(**words: Any) -> Exit:
    end: Any = {"rc": 0, "cause": "exit", "stop_reason": None, "verified": True, "missing": [], **words}
    return end  # type: ignore[no-any-return]


def _ended(**words: Any) -> Seen:
    return replace(STALE, exit=_exit(**words), machine=OFF)


#: row of the table, what is seen, outcome, a word of the reason, action
ROWS: tuple[tuple[str, Seen, Outcome, str, Action], ...] = (
    ("1", _ended(), Outcome.SUCCEEDED, "", Action.NONE),
    ("1 alive", replace(_ended(), machine=ON), Outcome.SUCCEEDED, "still bills", Action.CLEAN_UP),
    ("1 machine unknown", replace(_ended(), machine=Machine(None)), Outcome.SUCCEEDED, "", Action.NONE),
    ("1 unsaved alive", replace(_ended(verified=False, missing=[{"path": "m.pt"}]), machine=ON), Outcome.FINALIZING,
     "m.pt", Action.NONE),
    ("1 unsaved gone", _ended(verified=False, missing=[{"path": "m.pt"}]), Outcome.FAILED, "m.pt", Action.NONE),
    ("2", _ended(rc=-15, stop_reason="spot-notice"), Outcome.INTERRUPTED, "spot", Action.RECOVER),
    ("2 clean exit", _ended(rc=0, stop_reason="spot-notice"), Outcome.INTERRUPTED, "spot", Action.RECOVER),
    ("2 recommended", _ended(rc=0, stop_reason="rebalance"), Outcome.INTERRUPTED, "recommendation", Action.RECOVER),
    ("2 shut down by EC2", replace(_ended(rc=-15, stop_reason="shutdown"),
     machine=Machine("terminated", "Server.SpotInstanceTermination")), Outcome.INTERRUPTED, "spot", Action.RECOVER),
    ("2 taken over", replace(_ended(rc=-15, stop_reason="spot-notice"), recovering=True), Outcome.RECOVERING,
     "next attempt", Action.NONE),
    ("2 while stopping", replace(_ended(rc=-15, stop_reason="spot-notice"), stop_wanted=True), Outcome.CANCELLED,
     "being stopped", Action.NONE),
    ("3 exit", _ended(rc=3), Outcome.FAILED, "exit 3", Action.NONE),
    ("3 signal", _ended(rc=-11, signal="SIGSEGV"), Outcome.FAILED, "SIGSEGV", Action.NONE),
    ("3 oom", _ended(rc=-9, cause="oom"), Outcome.FAILED, "oom", Action.NONE),
    ("3 disk", _ended(rc=1, cause="disk"), Outcome.FAILED, "disk is full", Action.NONE),
    ("3 setup", _ended(rc=None, cause="setup", message="pip failed"), Outcome.FAILED, "setup: pip failed", Action.NONE),
    ("3 alive", replace(_ended(rc=3), machine=ON), Outcome.FAILED, "still bills", Action.CLEAN_UP),
    ("3 cancel", _ended(rc=0, stop_reason="cancel"), Outcome.CANCELLED, "request", Action.NONE),
    ("2 unsaved", _ended(rc=0, stop_reason="spot-notice", verified=False,
     missing=[{"path": f"s{n}.pt"} for n in range(5)]), Outcome.INTERRUPTED,
     "5 files are not saved: s0.pt, s1.pt, s2.pt and 2 more", Action.RECOVER),
    ("3 unsaved", _ended(rc=3, verified=False, missing=[{"path": "m.pt"}]), Outcome.FAILED,
     "exit 3; 1 file is not saved: m.pt", Action.NONE),
    ("3 cancel unsaved", replace(_ended(rc=0, stop_reason="cancel", verified=False, missing=[{"path": "m.pt"}]),
     machine=ON), Outcome.CANCELLED, "still bills; 1 file is not saved: m.pt", Action.NONE),
    ("3 ttl", _ended(rc=0, stop_reason="ttl"), Outcome.FAILED, "ttl: the time to live", Action.NONE),
    ("3 budget", _ended(rc=-9, stop_reason="budget"), Outcome.FAILED, "budget is spent", Action.NONE),
    ("3 user shutdown", replace(_ended(rc=-15, stop_reason="shutdown"),
     machine=Machine("terminated", "Client.UserInitiatedShutdown"), ended_by="ana"), Outcome.CANCELLED, "ana",
     Action.NONE),
    ("4", replace(FRESH, machine=ON), Outcome.RUNNING, "", Action.NONE),
    ("4 no ec2", replace(FRESH, machine=Machine(None)), Outcome.RUNNING, "", Action.NONE),
    ("4 stalled", replace(FRESH, machine=ON, state={**RUNNING, "progress_at": 0.0}), Outcome.RUNNING, "stalled",
     Action.NONE),
    ("4 resumed in vain", replace(FRESH, machine=ON,
     state={**RUNNING, "resume": {"step": 200, "first_step": 0, "verified": False}}), Outcome.RUNNING,
     "resume not verified: it began at step 0, not after 200", Action.NONE),
    ("4 syncing", replace(FRESH, machine=ON, state={**RUNNING, "phase": "SYNCING", "detail": "pip"}), Outcome.SYNCING,
     "pip", Action.NONE),
    ("4 stopping", replace(FRESH, machine=ON, stop_wanted=True), Outcome.CANCELLING, "", Action.NONE),
    ("4 uploading", replace(FRESH, machine=ON, state={**RUNNING, "phase": "ENDED"}), Outcome.FINALIZING, "",
     Action.NONE),
    ("5 ask", replace(STALE, machine=Machine("running", agent="Online")), Outcome.UNKNOWN, "silent", Action.NONE),
    ("5 alive", replace(STALE, machine=Machine("running", agent="Online", supervisor=True)), Outcome.RUNNING,
     "do not arrive", Action.NONE),
    ("5 dead", replace(STALE, machine=Machine("running", agent="Online", supervisor=False, last_words="MemoryError")),
     Outcome.FAILED, "(MemoryError); the machine still bills, and may hold", Action.NONE),
    ("6", replace(STALE, machine=Machine("running", agent="ConnectionLost")), Outcome.UNREACHABLE, "connection",
     Action.NONE),
    ("6 impaired", replace(STALE, machine=Machine("running", impaired=True)), Outcome.UNREACHABLE, "status check",
     Action.RECOVER),
    ("6 impaired a moment", replace(STALE, heartbeat_age_s=60.0, machine=Machine("running", impaired=True)),
     Outcome.UNREACHABLE, "status check", Action.NONE),
    ("6 nothing to ask", replace(STALE, machine=ON), Outcome.UNREACHABLE, "silent", Action.NONE),
    ("7", replace(STALE, machine=Machine("terminated", "Server.SpotInstanceTermination")), Outcome.INTERRUPTED, "spot",
     Action.RECOVER),
    ("7 host", replace(STALE, machine=Machine("stopped", "Server.InternalError")), Outcome.INTERRUPTED, "host failure",
     Action.RECOVER),
    ("8", replace(STALE, machine=Machine("terminated", "Client.UserInitiatedShutdown"), ended_by="ana"),
     Outcome.CANCELLED, "external: ended by ana", Action.NONE),
    ("8 ours", replace(STALE, machine=Machine("terminated", "Client.UserInitiatedShutdown"), stop_wanted=True),
     Outcome.CANCELLED, "before it wrote", Action.NONE),
    ("9 ttl", replace(STALE, machine=Machine("terminated", "Client.InstanceInitiatedShutdown"),
     state={**RUNNING, "stop": {"reason": "ttl"}}), Outcome.FAILED, "ttl", Action.NONE),
    ("9 shutdown", replace(STALE, machine=Machine("stopped", "Client.InstanceInitiatedShutdown")), Outcome.FAILED,
     "from inside", Action.NONE),
    ("9 cancel", replace(STALE, machine=Machine("terminated", "Client.InstanceInitiatedShutdown"), stop_wanted=True),
     Outcome.CANCELLED, "on request", Action.NONE),
    ("10 spot", replace(STALE, machine=GONE, spot_status="instance-terminated-no-capacity"), Outcome.INTERRUPTED,
     "gone", Action.RECOVER),
    ("10 notice", replace(STALE, machine=GONE, notice={"kind": "spot"}), Outcome.INTERRUPTED, "gone", Action.RECOVER),
    ("10 rebalance is no notice", replace(STALE, machine=GONE, notice={"kind": "rebalance"}), Outcome.LOST, "",
     Action.NONE),
    ("10 by somebody", replace(STALE, machine=GONE, ended_by="ana"), Outcome.CANCELLED, "ana", Action.NONE),
    ("10 by itself", replace(STALE, machine=GONE, state={**RUNNING, "stop": {"reason": "ttl"}},
     spot_status="instance-terminated-by-user"), Outcome.FAILED, "ttl", Action.NONE),
    ("10 lost", replace(STALE, machine=GONE), Outcome.LOST, "without an exit record", Action.NONE),
    ("10 not listed yet", replace(FRESH, machine=GONE), Outcome.RUNNING, "", Action.NONE),
    ("11", replace(STALE, readable=False, machine=Machine(None), last_known="RUNNING"), Outcome.UNKNOWN,
     "last known RUNNING", Action.NONE),
    ("11 no ec2", replace(STALE, machine=Machine(None)), Outcome.UNKNOWN, "cannot be asked", Action.NONE),
    ("12", replace(FRESH, attempt=2, fence=2, machine=ON, beating=(1,)), Outcome.RUNNING, "attempt 1 still runs",
     Action.NONE),
    ("12 replaced", _ended(rc=-9, stop_reason="fenced"), Outcome.CANCELLED, "replaced by a newer attempt", Action.NONE),
    ("0 no attempt", Seen(launch_age_s=SLEPT), Outcome.PENDING, "", Action.RELAUNCH),
    ("0 being submitted", Seen(launch_age_s=5.0), Outcome.PENDING, "being submitted", Action.NONE),
    ("0 looking", Seen(attempt=1, launch={}, launch_age_s=20.0), Outcome.PROVISIONING, "", Action.NONE),
    ("0 killed in between", Seen(attempt=1, launch={}, launch_age_s=SLEPT), Outcome.PROVISIONING, "no machine",
     Action.RELAUNCH),
    ("0 booting", Seen(attempt=1, launch={}, launch_age_s=90.0, machine=ON), Outcome.BOOTSTRAPPING, "first word",
     Action.NONE),
    ("0 never spoke", Seen(attempt=1, launch={}, launch_age_s=SLEPT, machine=ON), Outcome.FAILED, "bootstrap",
     Action.CLEAN_UP),
    ("0 no capacity", Seen(attempt=1, launch={}, launch_age_s=SLEPT,
     machine=Machine("terminated", "Server.InsufficientInstanceCapacity")), Outcome.FAILED, "capacity", Action.RECOVER),
    ("0 stopped before", Seen(attempt=1, launch={}, launch_age_s=SLEPT, stop_wanted=True), Outcome.CANCELLED, "before",
     Action.NONE),
    ("local gone", replace(STALE, machine=Machine("none", local=True)), Outcome.FAILED, "supervisor", Action.NONE),
    ("local stopped", replace(STALE, machine=Machine("none", local=True), stop_wanted=True), Outcome.CANCELLED, "",
     Action.NONE),
    ("local ended", replace(_ended(), machine=Machine("running", local=True)), Outcome.SUCCEEDED, "", Action.NONE),
)  # fmt: skip


@pytest.mark.parametrize(("seen", "outcome", "reason", "action"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS])
def test_each_row_after_three_hours_of_sleep(seen: Seen, outcome: Outcome, reason: str, action: Action) -> None:
    found = judge(seen)
    assert (found.outcome, found.action) == (outcome, action)
    assert reason in found.reason


def test_every_row_of_the_table_has_its_cases() -> None:
    """The rows of docs/jobs.md: each is here by its number, in one case at least that the row itself decides."""
    table = (Path(__file__).parents[3] / "docs" / "jobs.md").read_text()
    rows = {int(n) for n in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    assert rows == set(range(1, 13))
    decided = {judge(seen).row for name, seen, *_ in ROWS if name.partition(" ")[0] == str(judge(seen).row)}
    assert rows <= decided
    assert {int(n) for name, *_ in ROWS if (n := name.partition(" ")[0]).isdigit()} == rows | {0}


def test_an_older_attempt_that_still_beats_is_named_a_zombie() -> None:
    found = judge(replace(FRESH, attempt=3, fence=3, machine=ON, beating=(1, 2)))
    assert (found.outcome, found.zombies) == (Outcome.RUNNING, (1, 2))
    assert "attempt 1, 2 still runs" in found.reason


def test_knowledge_is_a_column_of_its_own() -> None:
    assert judge(replace(FRESH, machine=ON)).knowledge == "live"
    assert judge(replace(STALE, heartbeat_age_s=41 * 60.0, machine=ON)).knowledge == "last seen 41m ago"
    assert judge(replace(STALE, readable=False)).knowledge == "unreadable"
    alive = judge(replace(_ended(), machine=ON))
    assert (alive.outcome, alive.resource, alive.knowledge) == (Outcome.SUCCEEDED, "running", "ended")


def _everything() -> Any:
    machines = [
        Machine(state, reason, agent, impaired, supervisor, local)
        for state in (None, "none", "not-found", "pending", "running", "stopping", "stopped", "terminated")
        for reason in ("", "Server.SpotInstanceTermination", "Client.UserInitiatedShutdown", "Server.InternalError")
        for agent in (None, "Online", "ConnectionLost")
        for impaired in (None, True)
        for supervisor in (None, True, False)
        for local in (False, True)
    ]
    exits = (
        None,
        _exit(),
        _exit(rc=1),
        _exit(verified=False),
        _exit(stop_reason="spot-notice"),
        _exit(stop_reason="ttl"),
    )
    states = ((None, None), (RUNNING, 5.0), (RUNNING, SLEPT))
    for machine, end, (state, age), readable, stop in itertools.product(
        machines, exits, states, (True, False), (True, False)
    ):
        yield Seen(readable, 1, {}, SLEPT, state, age, end, None, machine, stop)


def test_what_holds_whatever_is_seen() -> None:
    count = 0
    for seen in _everything():
        found = judge(seen)
        count += 1
        if not seen.readable:
            assert found.outcome is Outcome.UNKNOWN
        if found.outcome is Outcome.UNKNOWN:
            assert found.action is Action.NONE
        if found.action is Action.CLEAN_UP:
            # Only what is surely over, and whose machine is seen to bill, is ever cleaned up.
            assert found.outcome.over
            assert seen.machine.state in ("pending", "running")
            assert seen.exit is None or seen.exit["verified"]
        if found.action is Action.RECOVER:
            assert seen.machine.state is not None or seen.exit is not None
            assert not (seen.stop_wanted and seen.exit)
        if seen.machine.state is None and seen.exit is None and not seen.fresh:
            assert found.outcome is Outcome.UNKNOWN
        if seen.exit is not None and seen.readable and seen.exit["rc"] == 1 and not seen.exit["stop_reason"]:
            assert found.outcome is Outcome.FAILED
        if found.outcome is Outcome.SUCCEEDED:
            assert seen.exit is not None
            assert seen.exit["verified"]
        assert found.resource == (seen.machine.state or "?")
    assert count > 20_000
