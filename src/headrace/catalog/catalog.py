"""The catalog of a log: what its topics hold, asked of the registry and of the records."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from headrace.catalog.declaration import declared_topic, primitive_type
from headrace.catalog.definitions import Definitions, DefinitionStore
from headrace.catalog.infer import look_at_json
from headrace.catalog.sampling import sample_of, sample_side, take_sample
from headrace.catalog.topic import CatalogTopic, Origin
from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes import catalog as codes
from headrace.formats.interface import CHANGE_RECORDS, Format, Registry, Side
from headrace.formats.registered import FORMATS, KINDS, asked_for, has_choice, registered_side
from headrace.sql import parse_program
from headrace.sql.nodes import CreateTable

if TYPE_CHECKING:
    from headrace.catalog.infer import JsonSample
    from headrace.catalog.sampling import Sample
    from headrace.formats.registry.kinds import SchemaKind
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
        self._definitions: Definitions | None = None
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
            declared = self._declared(name, description.partitions)
            if declared is not None and declared.value.format in CHANGE_RECORDS:
                value_format = value_format or declared.value.format
            known_key = _if_of(declared.key if declared else None, key_format)
            known_value = _if_of(declared.value if declared else None, value_format)
            key = known_key or self._side(name, "key", key_format) or Side(Format.BYTES, _BYTES)
            value = known_value or self._side(name, "value", value_format)
            if value is None:
                raise ProgramError((_nothing_known(name, value_format, self._sample(name)),))
            origin = Origin.REGISTRY if value.schema is not None else Origin.SAMPLED
            origin = Origin.DECLARED if known_value is not None else origin
            self._topics[asked] = CatalogTopic(name, key, value, description.partitions, origin)
        return self._topics[asked]

    def sides(self, name: str) -> tuple[Side | None, Side | None] | None:
        """Give key and value of a topic, each None where nothing tells what it holds; None if there is no such topic."""
        description = self.describe(name)
        if description is None:
            return None
        declared = self._declared(name, description.partitions)
        change = declared.value.format if declared and declared.value.format in CHANGE_RECORDS else None
        key = _if_of(declared.key if declared else None, None) or self._side(name, "key", None)
        value = _if_of(declared.value if declared else None, change) or self._side(name, "value", change)
        return key, value

    def learn(self, name: str, records: pa.RecordBatch) -> None:
        """Take these records of a topic, just read, for the sample of it, and look anew at what it holds."""
        self.forget()
        self._samples[name] = sample_of(name, [records], self._sample_size)

    def seen_json(self, name: str, part: str) -> JsonSample | None:
        """Give what some records of a topic hold, see `TopicCatalog.seen_json`."""
        sample = self._sample(name)
        data = sample.keys if part == "key" else sample.values
        return look_at_json(data) if data else None

    @property
    def definitions(self) -> Definitions:
        """Tables, views and synonyms that users have defined on the log."""
        if self._definitions is None:
            self._definitions = DefinitionStore(self._log).load()
        return self._definitions

    def forget(self) -> None:
        """Look anew at everything from now on: topics or definitions have changed."""
        self._definitions = None
        self._descriptions.clear()
        self._samples.clear()
        self._topics.clear()

    def close(self) -> None:
        """Close what was opened to look into the log."""
        if self._admin is not None:
            self._admin.close()
            self._admin = None

    def _opened(self) -> Admin:
        if self._admin is None:
            self._admin = self._log.admin()
        return self._admin

    def _declared(self, name: str, partitions: int) -> CatalogTopic | None:
        text = self.definitions.tables.get(name)
        if text is None:
            return None
        (statement,) = parse_program(text, f"definition of {name}").statements
        assert isinstance(statement, CreateTable)
        return declared_topic(statement, partitions)

    def _side(self, name: str, part: str, form: Format | None) -> Side | None:
        primitive = None if form is None else primitive_type(form)
        if form is not None and primitive is not None:
            return Side(form, primitive)
        if self._registry is not None and (form is None or form in KINDS):
            found = self._registry.latest(f"{name}-{part}")
            if found is not None and (kind := self._registry.kind(found[0])) in FORMATS:
                side = registered_side(kind, found[1], self._seen(name, part, kind, found[1]))
                asked = asked_for(side, form)
                if asked is not None:
                    return asked
        return sample_side(self._sample(name), part, form, self._registry)

    def _seen(self, name: str, part: str, kind: SchemaKind, text: str) -> tuple[bytes, ...]:
        """Give some records where the schema alone does not say what they hold."""
        if not has_choice(kind, text):
            return ()
        sample = self._sample(name)
        return sample.keys if part == "key" else sample.values

    def _sample(self, name: str) -> Sample:
        if name not in self._samples:
            description = self.describe(name)
            assert description is not None
            self._samples[name] = take_sample(self._log, name, description.partitions, self._sample_size)
        return self._samples[name]


_BYTES = pa.binary()


def _if_of(side: Side | None, form: Format | None) -> Side | None:
    """Give a declared side where the format asked for is its own; what has a registered schema is the registry's to say."""
    if side is None or side.format in KINDS or form not in (None, side.format):
        return None
    return side


def _nothing_known(name: str, form: Format | None, sample: Sample) -> Diagnostic:
    if form in KINDS:
        message = f"no schema is known for the {form} values of topic `{name}`"
        way_out = f"register one as `{name}-value`, or name the registry with --registry"
    else:
        state = "has no values in the records looked at, only tombstones" if sample.records else "is empty"
        message = f"topic `{name}` {state}, and nothing says what its values hold"
        way_out = f"declare it: CREATE TABLE `{name}` (column type, …) FORMAT (STRING, JSON)"
    return Diagnostic(codes.NOTHING_KNOWN, message, None, way_out)
