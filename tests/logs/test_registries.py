"""Schema registries: the one in the embedded log and a real server with Confluent's API."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference

from headrace.formats.errors import IncompatibleSchemaError, UnknownSchemaError
from headrace.formats.interface import Format
from headrace.formats.registered import registered_side, schema_text
from headrace.formats.registry.compatibility import Compatibility
from headrace.formats.registry.confluent import ConfluentRegistry
from headrace.formats.registry.embedded import EmbeddedRegistry
from headrace.formats.registry.kinds import SchemaKind
from headrace.log.embedded import EmbeddedLog
from headrace.types.json_schema import arrow_to_json_schema, json_schema_to_arrow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.formats.interface import Registry

ONE = '{"type":"record","name":"R","fields":[{"name":"x","type":"int"}]}'
TWO = '{"type":"record","name":"R","fields":[{"name":"x","type":"int"},{"name":"y","type":"string","default":""}]}'
OTHER = '{"type":"record","name":"R","fields":[{"name":"x","type":"int"},{"name":"z","type":"string"}]}'


@pytest.fixture(params=["embedded", pytest.param("confluent", marks=pytest.mark.kafka)])
def registry(request: pytest.FixtureRequest) -> Iterator[Registry]:
    if request.param == "confluent":
        registry = ConfluentRegistry(request.getfixturevalue("registry_url"))
        yield registry
        registry.close()
        return
    with EmbeddedLog(":memory:") as log:
        yield EmbeddedRegistry(log)


@pytest.fixture
def subject() -> str:
    return f"subject-{uuid.uuid4().hex[:8]}-value"


def test_versions_follow_each_other(registry: Registry, subject: str) -> None:
    assert registry.latest(subject) is None
    assert list(registry.check(subject, ONE)) == []
    first = registry.register(subject, ONE)
    assert registry.latest(subject) == (first, ONE)
    assert list(registry.check(subject, TWO)) == []
    second = registry.register(subject, TWO)
    assert first != second
    assert registry.latest(subject) == (second, TWO)
    assert (registry.schema(first), registry.schema(second)) == (ONE, TWO)
    assert subject in registry.subjects()
    assert list(registry.versions(subject)) == [(first, ONE), (second, TWO)]
    assert list(registry.versions(f"{subject}-none")) == []


def test_registering_again_gives_the_same_id(registry: Registry, subject: str) -> None:
    assert (
        registry.register(subject, ONE)
        == registry.register(subject, ONE)
        == registry.register(f"{subject}-b", ONE)
    )


def test_an_id_that_was_never_given_is_unknown(registry: Registry) -> None:
    with pytest.raises(UnknownSchemaError):
        registry.schema(2_000_000_000)


def test_what_is_not_compatible_is_refused(registry: Registry, subject: str) -> None:
    if isinstance(registry, ConfluentRegistry):
        # The server under test checks nothing unless it is told to; Confluent's own begins with BACKWARD.
        registry._client.set_compatibility(f"{subject}", "BACKWARD")
    first = registry.register(subject, ONE)
    assert list(registry.check(subject, OTHER)) == [
        "the new schema cannot read the registered one: at `z` the field is absent from the data and has no default"
    ]
    with pytest.raises(IncompatibleSchemaError) as caught:
        registry.register(subject, OTHER)
    assert caught.value.diagnostics[0].notes
    assert registry.latest(subject) == (first, ONE)


def test_text_that_is_no_schema_is_refused(registry: Registry, subject: str) -> None:
    registry.register(subject, ONE)
    with pytest.raises(IncompatibleSchemaError):
        registry.register(subject, '{"type":"record"}')


def test_a_registry_keeps_json_schemas_too(registry: Registry, subject: str) -> None:
    def schema(*names: str, required: tuple[str, ...] = ()) -> str:
        kind = pa.struct([pa.field(name, pa.string(), name not in required) for name in names])
        return arrow_to_json_schema(kind, "orders")

    first = registry.register(subject, schema("a"), SchemaKind.JSON)
    if isinstance(registry, ConfluentRegistry):
        # As of the other registries.
        registry._client.set_compatibility(subject, "BACKWARD")
    assert registry.level(subject) is Compatibility.BACKWARD
    assert registry.kind(first) is SchemaKind.JSON
    found = registry.latest(subject)
    assert found is not None
    assert json_schema_to_arrow(found[1]) == pa.struct([pa.field("a", pa.string())])
    assert registry.register(subject, schema("a"), SchemaKind.JSON) == first
    assert list(registry.check(subject, schema("a", "b"), SchemaKind.JSON)) == []
    assert registry.check(subject, schema("a", "b", required=("b",)), SchemaKind.JSON)


def test_a_registry_keeps_protobuf_schemas_too(registry: Registry, subject: str) -> None:
    def schema(*fields: str) -> str:
        return f'syntax = "proto3"; package p; message M {{ {" ".join(f"{field};" for field in fields)} }}'

    kind = pa.struct(
        [("amount", pa.decimal128(12, 2)), ("day", pa.date32()), ("at", pa.timestamp("us", "UTC"))]
    )
    whole = schema_text(Format.PROTOBUF, kind, "M", "p")
    made = registry.register(f"{subject}-types", whole, SchemaKind.PROTOBUF)
    assert (registry.kind(made), registry.schema(made)) == (SchemaKind.PROTOBUF, whole)
    first = registry.register(subject, schema("int32 a = 1"), SchemaKind.PROTOBUF)
    if isinstance(registry, ConfluentRegistry):
        # As of the other registries.
        registry._client.set_compatibility(subject, "BACKWARD")
    assert registry.register(subject, schema("int32 a = 1"), SchemaKind.PROTOBUF) == first
    assert list(registry.check(subject, schema("int32 a = 1", "string b = 2"), SchemaKind.PROTOBUF)) == []
    assert registry.check(subject, schema("string a = 1"), SchemaKind.PROTOBUF)


@pytest.mark.kafka
def test_references_are_followed(registry_url: str, subject: str) -> None:
    item = 'syntax = "proto3"; message Item { int32 x = 1; }'
    order = 'syntax = "proto3"; import "item.proto"; message Order { Item item = 1; }'
    unit = '{"type":"enum","name":"Unit","symbols":["KG"]}'
    weight = '{"type":"record","name":"Weight","fields":[{"name":"unit","type":"Unit"}]}'
    registry = ConfluentRegistry(registry_url)
    try:
        for kind, name, other, text in (
            ("PROTOBUF", "item.proto", item, order),
            ("AVRO", "Unit", unit, weight),
        ):
            registry._client.register_schema(f"{subject}-{name}", Schema(other, kind))
            reference = SchemaReference(name, f"{subject}-{name}", 1)
            id = registry._client.register_schema(f"{subject}-{kind}", Schema(text, kind, [reference]))
            found = registry.latest(f"{subject}-{kind}")
            assert found is not None
            assert registered_side(SchemaKind(kind), found[1]).type.num_fields == 1
            assert found == (id, registry.schema(id))
            assert list(registry.versions(f"{subject}-{kind}")) == [found]
            assert registry.register(f"{subject}-{kind}", found[1], SchemaKind(kind)) == id
    finally:
        registry.close()
