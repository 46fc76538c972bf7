"""What the catalog says of a topic."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from headrace.formats.windowed import key_of, windowed
from headrace.log.interface import TopicDescription

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from headrace.catalog.infer import JsonSample
    from headrace.formats.interface import Format, Registry, Side, Windowing


class Origin(StrEnum):
    """Where the knowledge of a topic's value comes from, the strongest first."""

    DECLARED = "declared"
    REGISTRY = "registry"
    SAMPLED = "sampled"
    PLANNED = "planned"
    """An earlier statement of the same program writes it."""


@dataclass(frozen=True, slots=True)
class CatalogTopic:
    """A topic and what it holds.

    Args:
        name: of the topic.
        key, value: format and type.
        partitions: how many it has.
        origin: where the type of the value comes from.
    """

    name: str
    key: Side
    value: Side
    partitions: int
    origin: Origin = Origin.DECLARED

    def with_window(self, window: Windowing | None) -> CatalogTopic:
        """Give the topic with these windows behind its keys; as it is where none are named, or they are there."""
        if window in (None, self.key.window):
            return self
        assert window is not None
        bare = self.key if self.key.window is None else key_of(self.key)
        return replace(self, key=windowed(bare, window))


class TopicCatalog(Protocol):
    """What the planner asks; `Catalog` answers from a log and a registry, `KnownTopics` from memory."""

    @property
    def registry(self) -> Registry | None:
        """The schema registry that the program will write to."""

    def names(self) -> list[str]:
        """Give the names of all topics, for suggestions."""

    def describe(self, name: str) -> TopicDescription | None:
        """Give partitions and settings of a topic without looking into it; None if it does not exist."""

    def topic(
        self, name: str, key_format: Format | None = None, value_format: Format | None = None
    ) -> CatalogTopic | None:
        """Give what a topic holds; None if it does not exist.

        Args:
            name: of the topic.
            key_format: the format of the key, if the program says it (`_ktype`).
            value_format: the format of the value, if the program says it (`_vtype`).

        Raises:
            ProgramError: nothing is known of the value, and no sample of it tells; the diagnostic has no span.
        """

    def seen_json(self, name: str, part: str) -> JsonSample | None:
        """Give what some records of a topic that exists hold, read as JSON; None if there are none.

        Args:
            name: of the topic.
            part: `key` or `value`.
        """


@dataclass(frozen=True, slots=True)
class KnownTopics:
    """A catalog that holds its topics in memory."""

    topics: Mapping[str, CatalogTopic]
    registry: Registry | None = None
    configs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, topics: Iterable[CatalogTopic], registry: Registry | None = None) -> KnownTopics:
        """Make a catalog of these topics."""
        return cls({topic.name: topic for topic in topics}, registry)

    def names(self) -> list[str]:
        """Give the names of all topics."""
        return sorted(self.topics)

    def describe(self, name: str) -> TopicDescription | None:
        """Give partitions and settings of a topic; None if it does not exist."""
        topic = self.topics.get(name)
        if topic is None:
            return None
        return TopicDescription(name, topic.partitions, configs=self.configs.get(name, {}))

    def topic(
        self, name: str, key_format: Format | None = None, value_format: Format | None = None
    ) -> CatalogTopic | None:
        """Give what a topic holds; the formats asked for do not change it."""
        return self.topics.get(name)

    def seen_json(self, name: str, part: str) -> JsonSample | None:
        """Give None: what is known here has no records."""
        return None
