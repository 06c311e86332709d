"""`runctl watch`: recovery of jobs, unattended, in tmux or from cron."""

from __future__ import annotations

from runctl.cli.jobs_change import WATCH

VERBS = {"": WATCH}
