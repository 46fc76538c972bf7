"""What SET decides, in the shape that the planner needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headrace.plan.topology import RunSettings

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class TargetSettings:
    """How a target topic is made and what its schemas are called; None where nothing was said."""

    autocreate: bool = False
    partitions: int | None = None
    replication: int | None = None
    configs: Mapping[str, str] = field(default_factory=dict)
    key_record: str | None = None
    key_namespace: str | None = None
    value_record: str | None = None
    value_namespace: str | None = None


@dataclass(frozen=True, slots=True)
class PlannerSettings:
    """The settings of a program.

    Args:
        run: for the engine.
        defaults: for every target.
        topics: for single targets, complete (the defaults are in them).
    """

    run: RunSettings = field(default_factory=RunSettings)
    defaults: TargetSettings = field(default_factory=TargetSettings)
    topics: Mapping[str, TargetSettings] = field(default_factory=dict)

    def target(self, topic: str) -> TargetSettings:
        """Give the settings of a target."""
        return self.topics.get(topic, self.defaults)
