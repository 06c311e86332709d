"""`runctl jobs`: what the tags of machines tell of jobs."""

from __future__ import annotations

from runctl.cli.verbs import list_verb, show_verb

VERBS = {
    "list": list_verb("jobs", "runctl jobs list --filter state:RUNNING -o json"),
    "show": show_verb("jobs", "ID", "runctl jobs show llama-7b"),
}
