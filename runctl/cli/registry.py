"""Every command by name, as plain data: help and dispatch read it without importing a single command.

A new verb is one row here and one entry in `VERBS` of its module; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Noun(NamedTuple):
    """A group of commands.

    Args:
        module: module under `runctl.cli` that answers it.
        summary: one line for the root help.
        verbs: verb to its one line of help; "" alone for a command without verbs.
        default: the verb meant when none is written.
    """

    module: str
    summary: str
    verbs: Mapping[str, str]
    default: str = ""


def _alone(module: str, summary: str) -> Noun:
    return Noun(module, summary, {"": summary})


NOUNS: Mapping[str, Noun] = {
    "instances": Noun(
        "instances",
        "machines: what runs, what it costs",
        {
            "list": "all machines",
            "show": "one machine in full",
            "start": "start stopped machines",
            "stop": "stop machines; their disks stay and bill",
            "reboot": "reboot machines",
            "terminate": "end machines for good",
            "extend": "give machines more time before they end themselves",
            "tag": "set and remove tags of a machine",
            "launch": "start a machine: prices first, then one zone or type after the other",
            "wait": "return when machines are in a state",
            "shell": "a shell on a machine, through Systems Manager",
            "probe": "ask a machine how it is: processor, memory, disks, GPUs, who is on it",
        },
        "list",
    ),
    "jobs": Noun(
        "jobs",
        "training jobs",
        {
            "list": "all jobs, from their records and from the tags of machines",
            "show": "one job in full, also after its machine is gone",
            "submit": "run a script on a machine of its own, or here",
            "logs": "what it wrote, byte for byte; -f follows",
            "metrics": "loss and whatever else it reported",
            "stop": "let it save, upload and end",
            "resume": "start the next attempt from a checkpoint",
            "retry": "start the next attempt of a job that is over",
            "adopt": "take a job over from another client",
            "checkpoints": "list, look into, fetch and let go of checkpoints",
        },
        "list",
    ),
    "s3": Noun(
        "s3",
        "buckets, and data to and from them",
        {
            "ls": "buckets, or one level of a bucket, or everything below (-r, --du)",
            "sync": "make a directory or prefix equal to another",
            "cp": "copy one file, or with -r everything below",
            "du": "how much lies below a prefix",
            "prune": "delete old checkpoints, keeping the last and the best",
            "uploads": "unfinished multipart uploads: list, resume, abort",
        },
        "ls",
    ),
    "volumes": Noun(
        "volumes",
        "disks and snapshots",
        {
            "list": "all disks",
            "show": "one disk in full",
            "snapshots": "all snapshots of ours",
            "advise": "what disks should rather be, and what that saves",
            "create": "make a disk, in the zone of the machine it is meant for",
            "attach": "attach a disk to a machine of its zone, and mount it",
            "detach": "unmount and detach a disk",
            "modify": "make a disk bigger, faster or of another type",
            "snapshot": "copy disks to snapshots",
            "restore": "make a disk from a snapshot",
            "delete": "delete disks and snapshots",
            "prewarm": "copy a data set of S3 onto a disk, through a machine",
        },
        "list",
    ),
    "cost": Noun(
        "cost",
        "what bills, what was spent, what is wasted",
        {
            "now": "everything that bills now, dearest first, or totals by a field",
            "ledger": "what was spent: intervals or sums out of the ledger, for export",
            "waste": "what is paid for and not used, so far and a month",
            "budgets": "budgets, how much is used, where they lead",
            "forecast": "today and this month at their end, with a band",
            "billed": "what AWS has billed, beside the estimate (Cost Explorer, $0.01 a page)",
        },
        "now",
    ),
    "cleanup": Noun(
        "cleanup",
        "what could go, and what that saves",
        {
            "plan": "make a plan: what is ours and idle, expired, unattached or unused; nothing is changed",
            "apply": "do what is left of a plan, of a cleanup or of whatever was cut off",
            "list": "plans that are kept, and what came of them",
        },
        "plan",
    ),
    "adopt": _alone("adopt", "make something ours, so that runctl may act on it"),
    "journal": _alone("journal", "every change made from here, and how to undo it"),
    "prices": Noun(
        "prices",
        "what a machine type costs",
        {
            "show": "price and hardware of a type",
            "refresh": "ask AWS for today's list and spot prices (free), and keep them with their date",
        },
    ),
    "config": Noun(
        "config",
        "settings",
        {
            "show": "every setting with its value and where it comes from",
            "init": "write a commented file to start from",
            "validate": "check the files and variables in force, or the files named",
            "path": "where the files are looked for",
        },
        "show",
    ),
    "watch": _alone("watch", "recover interrupted jobs and end idle machines of finished ones, unattended"),
    "init": _alone("init", "make what jobs need in an account: bucket, role, instance profile"),
    "info": _alone("info", "versions, paths and settings, secrets masked: for a bug report"),
    "doctor": _alone("doctor", "check credentials, permissions, clock, terminal and programs"),
    "completion": _alone("completion", "print the completion script of a shell"),
    "demo": Noun(
        "demo",
        "the embedded cloud",
        {
            "serve": "keep it up for other clients and print their environment",
            "interrupt": "take a spot machine of it, with notice, and watch what its job does",
        },
    ),
}

#: Options that may stand before or after the words of a command and take a value: a word scan must step over the value.
VALUE_OPTIONS = frozenset(
    (
        *("-o", "--output", "--columns", "--filter", "--sort", "--limit", "--profile", "--region"),
        *("--timeout", "--color", "--fail-on"),
    )
)
SECTIONS = ("instances", "jobs", "s3", "volumes", "cost")
OUTPUTS = ("table", "wide", "json", "ndjson", "csv", "name")
FAIL_ON = ("idle", "budget", "partial", "unattached", "interrupted")
