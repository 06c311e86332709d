"""What disk verbs wait for: a snapshot that is complete, a disk that is free, a script that has ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from runctl.errors import CloudError, RunctlError
from runctl.format import clean_text
from runctl.services.remote import UnreachableError, run_script, why_unreachable
from runctl.services.verbs.row import Task

#: Longest waits, seconds. A first snapshot of a large disk takes hours; who waits in a plan wants to know it is whole.
SNAPSHOT_MOST_S, FREE_MOST_S = 6 * 3600.0, 300.0
#: A change of a disk takes a day at most (EBS User Guide).
MODIFIED_MOST_S = 24 * 3600.0
#: Seconds between two looks at how far a script has come.
LOOK_EVERY_S = 10.0


class NotThereYetError(RunctlError):
    """AWS did not finish in time; what was begun goes on by itself."""


def _until(done: Callable[[], bool], most_s: float, said: str) -> None:
    """Ask again and again, slower and slower.

    Raises:
        NotThereYetError: it took longer than `most_s`.
    """
    began, wait = time.monotonic(), 0.2
    while not done():
        if time.monotonic() - began > most_s:
            raise NotThereYetError(said, hint="it goes on by itself; run the same plan again later")
        time.sleep(wait)
        wait = min(wait * 1.5, 10.0)


def await_snapshot(task: Task, snapshot_id: str) -> None:
    """Wait until a snapshot is complete.

    Raises:
        RunctlError: it failed, or takes too long.
        CloudError: AWS cannot be asked.
    """
    cloud, region = task.ground.cloud, task.item.region

    said = ""

    def complete() -> bool:
        nonlocal said
        found = next((s for s in cloud.find_snapshots(region, ids=[snapshot_id])), None)
        if found is not None and found.state == "error":
            raise RunctlError(f"{snapshot_id} failed", hint="the disk is as it was; make another snapshot")
        if found is not None and found.progress and found.progress != said:
            said = found.progress
            task.ground.tell(f"{snapshot_id}: {said}")
        return found is not None and found.state == "completed"

    _until(complete, SNAPSHOT_MOST_S, f"{snapshot_id} is not complete yet")


def await_modified(task: Task, volume_id: str, *, completed: bool) -> None:
    """Wait until a change of a disk counts, or until it is done.

    Args:
        task: the verb under way.
        volume_id: the disk.
        completed: until nothing is left to do, which takes hours for large disks; else until the new size can be used,
            "optimizing" for EC2 (EBS User Guide, "Monitor the progress of volume modifications").

    Raises:
        RunctlError: it failed, or takes too long.
        CloudError: AWS cannot be asked.
    """
    ask, region = task.ground.cloud.ask, task.item.region
    wanted = [{"Name": "volume-id", "Values": [volume_id]}]
    said = ""

    def done() -> bool:
        nonlocal said
        answer = ask("ec2", "DescribeVolumesModifications", region, Filters=wanted)
        last: Mapping[str, Any] = next(iter(answer.get("VolumesModifications") or ()), {})
        state = str(last.get("ModificationState") or "completed")
        if state == "failed":
            raise RunctlError(
                f"{volume_id} could not be modified: {last.get('StatusMessage') or 'EC2 gives no reason'}"
            )
        line = f"{volume_id}: {state}, {last.get('Progress', 100)} %"
        if completed and line != said:
            said = line
            task.ground.tell(line)
        return state == "completed" or (state == "optimizing" and not completed)

    _until(done, MODIFIED_MOST_S if completed else FREE_MOST_S, f"{volume_id} is still being modified")


def await_free(task: Task, volume_id: str) -> None:
    """Wait until a disk is attached to nothing.

    Raises:
        NotThereYetError: it stays attached.
        CloudError: AWS cannot be asked.
    """
    cloud, region = task.ground.cloud, task.item.region

    def free() -> bool:
        found = next(iter(cloud.find_volumes(region, ids=[volume_id])), None)
        return found is None or found.state == "available"

    _until(free, FREE_MOST_S, f"{volume_id} is still attached")


def need_reachable(task: Task, instance_id: str, otherwise: str) -> None:
    """Nothing when scripts can run on the machine of a disk.

    Raises:
        UnreachableError: they cannot; the message begins with `otherwise`.
    """
    machine = task.live.around.machine
    ask = task.ground.cloud.ask
    try:
        why = why_unreachable(ask, task.item.region, instance_id, has_profile=bool(machine and machine.profile_arn))
    except CloudError as error:
        raise UnreachableError(f"{otherwise}: {error}") from error
    if why:
        raise UnreachableError(f"{otherwise}: {why}")


def run_on_machine(
    task: Task,
    instance_id: str,
    script: str,
    comment: str,
    otherwise: str,
    *,
    timeout_s: int = 600,
    watched_by: str = "",
) -> str:
    """Run a script on the machine of a disk; the last line of what it said.

    Args:
        task: the verb under way, whose permit covers the machine.
        instance_id: the machine.
        script: see `runctl.services.volumes.scripts`.
        comment: shown in Systems Manager's history.
        otherwise: what is the case when it fails, for the message.
        timeout_s: after this many seconds it is killed.
        watched_by: a short script whose last line says how far the long one has come; ctrl-c then ends both.

    Raises:
        UnreachableError: the machine cannot be reached.
        RunctlError: the script ended with an error; its last line is the reason.
        CloudError: AWS cannot be asked.
    """
    need_reachable(task, instance_id, otherwise)
    ask = task.ground.cloud.ask
    ran = run_script(
        task.send, ask, task.item.region, instance_id, script, timeout_s=timeout_s, comment=f"runctl: {comment}",
        cancels=bool(watched_by), pause=_watching(task, instance_id, watched_by) if watched_by else time.sleep,
    )  # fmt: skip
    if ran.code != 0:
        raise RunctlError(f"{otherwise}: {ran.complaint}")
    lines = [line for line in ran.stdout.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _watching(task: Task, instance_id: str, script: str) -> Callable[[float], None]:
    """A pause that asks the machine now and then how far it is, and tells it when it is something new.

    Looking changes nothing: like a probe, it is no line of the journal.
    """
    region, cloud = task.item.region, task.ground.cloud
    asked_at, said = time.monotonic(), ""

    def pause(seconds: float) -> None:
        nonlocal asked_at, said
        time.sleep(seconds)
        if time.monotonic() - asked_at < LOOK_EVERY_S:
            return
        asked_at = time.monotonic()
        try:
            ran = run_script(task.look, cloud.ask, region, instance_id, script, timeout_s=30, comment="how far?")
        except RunctlError:
            return  # the copy goes on; the next look may be answered
        line = clean_text(ran.stdout).strip()
        if line and line != said:
            said = line
            task.ground.tell(line)

    return pause
