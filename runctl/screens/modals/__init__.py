"""Dialogs, each imported when it is first opened: the first picture shows none of them.

Use them as `modals.PickModal(…)` after `from runctl.screens import modals`; for an annotation, import from the module
itself under `TYPE_CHECKING`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runctl.screens.modals.command import CommandModal as CommandModal
    from runctl.screens.modals.confirm import ConfirmModal as ConfirmModal
    from runctl.screens.modals.fields import Field as Field
    from runctl.screens.modals.form import FormModal as FormModal
    from runctl.screens.modals.form import Verdict as Verdict
    from runctl.screens.modals.job import JobModal as JobModal
    from runctl.screens.modals.pick import Option as Option
    from runctl.screens.modals.pick import PickModal as PickModal
    from runctl.screens.modals.plan import PlanModal as PlanModal
    from runctl.screens.modals.sync import SyncModal as SyncModal
    from runctl.screens.modals.sync import TransfersModal as TransfersModal
    from runctl.screens.modals.viewer import RawModal as RawModal
    from runctl.screens.modals.viewer import ViewerModal as ViewerModal
    from runctl.screens.modals.welcome import WelcomeModal as WelcomeModal
    from runctl.screens.modals.wizard import WizardModal as WizardModal

_HOMES = {
    "CommandModal": "command",
    "ConfirmModal": "confirm",
    "Field": "fields",
    "FormModal": "form",
    "JobModal": "job",
    "Option": "pick",
    "PickModal": "pick",
    "PlanModal": "plan",
    "RawModal": "viewer",
    "SyncModal": "sync",
    "TransfersModal": "sync",
    "Verdict": "form",
    "ViewerModal": "viewer",
    "WelcomeModal": "welcome",
    "WizardModal": "wizard",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(name)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
