"""SET statements into the planner's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.planner.settings import PlannerSettings, TargetSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headrace.errors import Diagnostic
    from headrace.sql.nodes import Set


def read_settings(
    sets: Sequence[Set], defaults: Mapping[str, str]
) -> tuple[PlannerSettings, list[Diagnostic]]:
    """Give the settings of a program and what is wrong with them."""
    values = {".".join(item.key).lower(): str(item.value).lower() for item in sets}
    autocreate = values.get("autocreate", values.get("defaults.topic.autocreate", "false")) == "true"
    return PlannerSettings(defaults=TargetSettings(autocreate=autocreate)), []
