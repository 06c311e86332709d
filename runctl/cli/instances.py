"""`runctl instances`."""

from __future__ import annotations

from runctl.cli import machine_verbs
from runctl.cli.launch import LAUNCH
from runctl.cli.probe import PROBE
from runctl.cli.shell import SHELL
from runctl.cli.verbs import list_verb, show_verb
from runctl.cli.waiting import WAIT

VERBS = {
    "list": list_verb(
        "instances",
        "runctl instances list --filter 'state:running !owner:ana' --sort usd_per_hour",
        "runctl instances list --region all -o name",
    ),
    "show": show_verb("instances", "ID", "runctl instances show i-0123456789abcdef0 -o json", kind="instance"),
    **machine_verbs.VERBS,
    "launch": LAUNCH,
    "wait": WAIT,
    "shell": SHELL,
    "probe": PROBE,
}
