"""The catalog of a log: what its topics hold, asked of the registry and of the records."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from headrace.catalog.declaration import primitive_type
from headrace.catalog.sampling import sample_side, take_sample
from headrace.catalog.topic import CatalogTopic, Origin
from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes import catalog as codes
from headrace.formats.interface import Format, Registry, Side
from headrace.types.avro import avro_to_arrow

if TYPE_CHECKING:
    from headrace.catalog.sampling import Sample
    from headrace.log.interface import Admin, Log, TopicDescription


class Catalog:
    """What the topics of a log hold. Looks at each topic once; belongs to one thread.

    Args:
        log: where the topics live.
        registry: where Avro schemas are, if there is one.
        sample_size: how many records of a topic are looked at, at most, where nothing else tells what it holds.
    """

    def __init__(self, log: Log, registry: Registry | None = None, *, sample_size: int = 500) -> None:
        self._log = log
        self._registry = registry
        self._sample_size = sample_size
        self._admin: Admin | None = None
        self._descriptions: dict[str, TopicDescription | None] = {}
        self._samples: dict[str, Sample] = {}
        self._topics: dict[tuple[str, Format | None, Format | None], CatalogTopic] = {}

    @property
    def registry(self) -> Registry | None:
        """The schema registry."""
        return self._registry

    def names(self) -> list[str]:
        """Give the names of all topics."""
        return sorted(self._opened().topics())

    def describe(self, name: str) -> TopicDescription | None:
        """Give partitions and settings of a topic; None if it does not exist."""
        if name not in self._descriptions:
            self._descriptions[name] = self._opened().describe(name)
        return self._descriptions[name]

    def topic(
        self, name: str, key_format: Format | None = None, value_format: Format | None = None
    ) -> CatalogTopic | None:
        """Give what a topic holds, see `TopicCatalog.topic`."""
        asked = (name, key_format, value_format)
        if asked not in self._topics:
            description = self.describe(name)
            if description is None:
                return None
            key = self._side(name, "key", key_format) or Side(Format.BYTES, _BYTES)
            value = self._side(name, "value", value_format)
            if value is None:
                raise ProgramError((_nothing_known(name, value_format),))
            origin = Origin.REGISTRY if value.schema is not None else Origin.SAMPLED
            self._topics[asked] = CatalogTopic(name, key, value, description.partitions, origin)
        return self._topics[asked]

    def close(self) -> None:
        """Close what was opened to look into the log."""
        if self._admin is not None:
            self._admin.close()
            self._admin = None

    def _opened(self) -> Admin:
        if self._admin is None:
            self._admin = self._log.admin()
        return self._admin

    def _side(self, name: str, part: str, form: Format | None) -> Side | None:
        primitive = None if form is None else primitive_type(form)
        if form is not None and primitive is not None:
            return Side(form, primitive)
        if form in (None, Format.AVRO):
            found = self._registry.latest(f"{name}-{part}") if self._registry is not None else None
            if found is not None:
                return Side(Format.AVRO, avro_to_arrow(found[1]), found[1])
        return sample_side(self._sample(name), part, form, self._registry)

    def _sample(self, name: str) -> Sample:
        if name not in self._samples:
            description = self.describe(name)
            assert description is not None
            self._samples[name] = take_sample(self._log, name, description.partitions, self._sample_size)
        return self._samples[name]


_BYTES = pa.binary()


def _nothing_known(name: str, form: Format | None) -> Diagnostic:
    if form is Format.AVRO:
        message = f"no schema is known for the Avro values of topic `{name}`"
        way_out = f"register one as `{name}-value`, or name the registry with --registry"
    else:
        message = f"topic `{name}` is empty, and nothing says what its values hold"
        way_out = f"declare it: CREATE TABLE `{name}` (column type, …) FORMAT (STRING, JSON)"
    return Diagnostic(codes.NOTHING_KNOWN, message, None, way_out)
