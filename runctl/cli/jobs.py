"""`runctl jobs`."""

from __future__ import annotations

from runctl.cli.jobs_change import ADOPT, RESUME, RETRY, STOP
from runctl.cli.jobs_checkpoints import CHECKPOINTS
from runctl.cli.jobs_list import LIST
from runctl.cli.jobs_read import LOGS, METRICS, SHOW
from runctl.cli.jobs_submit import SUBMIT

VERBS = {
    "list": LIST,
    "show": SHOW,
    "submit": SUBMIT,
    "logs": LOGS,
    "metrics": METRICS,
    "stop": STOP,
    "resume": RESUME,
    "retry": RETRY,
    "adopt": ADOPT,
    "checkpoints": CHECKPOINTS,
}
