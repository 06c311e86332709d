"""Settings: what they are (`settings`), where they come from (`load`), and at which line (`toml_lines`)."""

from __future__ import annotations

from runctl.config.load import (
    Origin,
    OriginKind,
    Resolved,
    config_files,
    is_region_name,
    load_settings,
    masked,
    validate_file,
)
from runctl.config.settings import (
    DEFAULTS,
    AwsSettings,
    BudgetSettings,
    CostSettings,
    LaunchSettings,
    ProfileRules,
    Settings,
    UiSettings,
)

__all__ = [
    "DEFAULTS",
    "AwsSettings",
    "BudgetSettings",
    "CostSettings",
    "LaunchSettings",
    "Origin",
    "OriginKind",
    "ProfileRules",
    "Resolved",
    "Settings",
    "UiSettings",
    "config_files",
    "is_region_name",
    "load_settings",
    "masked",
    "validate_file",
]
