"""What a topic holds: formats and types, declared, from the registry, or inferred from a sample of its records."""

from headrace.catalog.catalog import Catalog
from headrace.catalog.declaration import declared_topic, format_named, primitive_type, windowed_name
from headrace.catalog.definitions import Definitions, DefinitionStore, Kind
from headrace.catalog.topic import CatalogTopic, KnownTopics, Origin, TopicCatalog

__all__ = [
    "Catalog",
    "CatalogTopic",
    "DefinitionStore",
    "Definitions",
    "Kind",
    "KnownTopics",
    "Origin",
    "TopicCatalog",
    "declared_topic",
    "format_named",
    "primitive_type",
    "windowed_name",
]
