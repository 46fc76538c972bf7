"""The tables that the text of a snapshot query declares, over those of the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.catalog import declared_topic
from headrace.sql.nodes import CreateTable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headrace.catalog import CatalogTopic, TopicCatalog
    from headrace.catalog.infer import JsonSample
    from headrace.formats.interface import Format, Registry
    from headrace.log.interface import TopicDescription
    from headrace.sql.nodes import Program


class DeclaredTables:
    """A catalog with the CREATE TABLEs of a query's text over it."""

    def __init__(self, below: TopicCatalog, declared: Mapping[str, CatalogTopic]) -> None:
        self._below = below
        self._declared = declared

    @classmethod
    def over(cls, program: Program, below: TopicCatalog) -> TopicCatalog:
        """Give the catalog as a query sees it."""
        declared = {}
        for statement in program.statements:
            if isinstance(statement, CreateTable):
                there = below.describe(statement.name)
                declared[statement.name] = declared_topic(statement, there.partitions if there else 1)
        return cls(below, declared)

    @property
    def registry(self) -> Registry | None:
        """The schema registry."""
        return self._below.registry

    def names(self) -> list[str]:
        """Give the names of all topics."""
        return self._below.names()

    def describe(self, name: str) -> TopicDescription | None:
        """Give partitions and settings."""
        return self._below.describe(name)

    def topic(
        self, name: str, key_format: Format | None = None, value_format: Format | None = None
    ) -> CatalogTopic | None:
        """Give what a topic holds: as declared, else as the log and the registry say."""
        return self._declared.get(name) or self._below.topic(name, key_format, value_format)

    def seen_json(self, name: str, part: str) -> JsonSample | None:
        """Give what some records hold."""
        return self._below.seen_json(name, part)
