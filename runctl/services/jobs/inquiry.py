"""Asking a machine for the supervisor of an attempt, where its record has fallen silent: a script that changes nothing.

It goes through the door like any other look: machines that are not ours, and read-only profiles, are not asked.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from runctl.errors import CredentialsError, RunctlError
from runctl.format import clean_text
from runctl.models.instance import Instance
from runctl.models.record import is_job_id
from runctl.services.actions import Actions
from runctl.services.probing import look_with
from runctl.services.remote import Ran

#: Opens the door in a region.
OpenDoor = Callable[[str], Actions]
#: The same machine is asked no more often than this: Systems Manager keeps every question in its history.
ASK_AGAIN_S = 120.0
TIMEOUT_S = 30
_COMMENT = "runctl: is the supervisor there?"
_WORDS = 200
#: The path of the supervisor's file is in its command line and in no other: the pattern comes by a pipe, so that the
#: search does not find itself (proc(5), cmdline). Where systemd keeps its output, the journal has its last words.
_SCRIPT = """\
RUN="${{RUNCTL_HOME:-/var/lib/runctl}}/{job}/{attempt}"
if printf '%s' "$RUN/agent.pyz" | grep -qF -f - /proc/[0-9]*/cmdline 2>/dev/null; then
    echo "supervisor alive"
    exit 0
fi
echo "supervisor gone"
if [ -s "$RUN/agent.log" ]; then tail -n 20 "$RUN/agent.log"
elif command -v journalctl >/dev/null 2>&1 && [ -z "${{RUNCTL_SANDBOX:-}}" ]; then
    journalctl -q --no-pager -o cat -n 20 -u "runctl-{job}-{attempt}" 2>/dev/null
fi
exit 0
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a machine says of a supervisor.

    Args:
        alive: whether its process is there.
        last_words: the last line it wrote beside the record, "" for none.
    """

    alive: bool
    last_words: str = ""


def script_for(job: str, attempt: int) -> str:
    """The question, as POSIX sh.

    Raises:
        ValueError: not an id of a job.
    """
    if not is_job_id(job):
        raise ValueError(f"{job!r} is not an id of a job")
    return _SCRIPT.format(job=job, attempt=int(attempt))


def parse_answer(text: str) -> Answer | None:
    """What the script printed; None when it is not an answer."""
    found = re.match(r"supervisor (alive|gone)\n?", text)
    if found is None:
        return None
    lines = [line.strip() for line in text[found.end() :].splitlines() if line.strip()]
    return Answer(found[1] == "alive", clean_text(lines[-1], _WORDS) if lines else "")


@dataclass
class Inquiry:
    """Asks machines, and remembers for a while what they said.

    Args:
        open_door: opens the door in a region.
        monotonic: seconds that never run backwards.
        pause: waits between two looks for the answer.
    """

    open_door: OpenDoor
    monotonic: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep
    _known: dict[tuple[str, int], tuple[float, Answer | None]] = field(default_factory=dict)

    def __call__(self, machine: Instance, job: str, attempt: int) -> Answer | None:
        """The answer; None when it may not be asked, or does not answer.

        Raises:
            CredentialsError: nothing can be asked any more.
        """
        kept = self._known.get((job, attempt))
        if kept is not None and self.monotonic() - kept[0] < ASK_AGAIN_S:
            return kept[1]
        answer = self._ask(machine, job, attempt)
        self._known[job, attempt] = (self.monotonic(), answer)
        return answer

    def _ask(self, machine: Instance, job: str, attempt: int) -> Answer | None:
        try:
            door = self.open_door(machine.region)
            ran = look_with(
                door, machine, script_for(job, attempt), comment=_COMMENT, timeout_s=TIMEOUT_S, pause=self.pause
            )
        except CredentialsError:
            raise
        except (RunctlError, ValueError):
            return None
        return parse_answer(ran.stdout) if isinstance(ran, Ran) else None
