"""The native Avro codec beside fastavro, both ways, over schemas and values that Hypothesis makes."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.formats.interface import Format, Side
from headrace.types.avro import arrow_to_avro, avro_to_arrow
from tests.unit.formats.avro_values import schemas, schemas_with_values
from tests.unit.formats.decoding import Schemas, decode, encode, examples

HEAD = b"\0\0\0\0\x05"
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


def written(schema: str, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(schema)), value)
    return HEAD + out.getvalue()


def read(schema: str, data: bytes) -> Any:
    assert data.startswith(HEAD)
    stream = io.BytesIO(data[5:])
    value = fastavro.schemaless_reader(stream, fastavro.parse_schema(json.loads(schema)), None)
    assert stream.read() == b""
    return value


def unwrapped(value: Any) -> Any:
    """Take the names of branches away."""
    match value:
        case list():  # Before the pair: a sequence pattern would take a list of two strings for one.
            return [unwrapped(item) for item in value]
        case (str(), inner):
            return unwrapped(inner)
        case dict():
            return {key: unwrapped(item) for key, item in value.items()}
    return value


@settings(max_examples=examples(40), deadline=None, suppress_health_check=SLOW)
@given(schemas_with_values())
def test_what_fastavro_writes_is_read(case: tuple[str, list[tuple[Any, Any]]]) -> None:
    schema, pairs = case
    side = Side(Format.AVRO, avro_to_arrow(schema), schema)
    data = [written(schema, value) for value, _ in pairs]
    found = decode(side, data, registry=Schemas({5: schema}))
    assert found.errors == ()
    found.columns[0].validate(full=True)
    assert found.columns[0].to_pylist() == [expected for _, expected in pairs]


@settings(max_examples=examples(40), deadline=None, suppress_health_check=SLOW)
@given(schemas_with_values())
def test_what_we_write_fastavro_reads(case: tuple[str, list[tuple[Any, Any]]]) -> None:
    schema, pairs = case
    type = avro_to_arrow(schema)
    array = pa.array([expected for _, expected in pairs], type)
    found = encode(Side(Format.AVRO, type, schema), array, 5)
    assert found.errors == ()
    assert [read(schema, data or b"") for data in found.data.to_pylist()] == [
        unwrapped(value) for value, _ in pairs
    ]


def fields(type: pa.DataType) -> list[pa.Field[Any]]:
    assert isinstance(type, pa.StructType)
    return list(type)


@settings(max_examples=examples(25), deadline=None, suppress_health_check=SLOW)
@given(schemas_with_values(), st.data())
def test_any_part_is_read_alone(case: tuple[str, list[tuple[Any, Any]]], data: st.DataObject) -> None:
    schema, pairs = case
    type = avro_to_arrow(schema)
    paths: list[tuple[str, ...]] = [()]
    for field in fields(type):
        paths.append((field.name,))
        if pa.types.is_struct(field.type):
            paths += [(field.name, inner.name) for inner in fields(field.type)]
    chosen = data.draw(st.lists(st.sampled_from(paths), min_size=1))
    bytes = [written(schema, value) for value, _ in pairs]
    found = decode(Side(Format.AVRO, type, schema), bytes, chosen, registry=Schemas({5: schema}))
    assert found.errors == ()
    for path, column in zip(chosen, found.columns, strict=True):
        expected: list[Any] = [value for _, value in pairs]
        for name in path:
            expected = [None if value is None else value[name] for value in expected]
        assert column.to_pylist() == expected


@settings(max_examples=examples(25), deadline=None, suppress_health_check=SLOW)
@given(schemas())
def test_a_type_has_a_schema_that_gives_the_type(schema: dict[str, Any]) -> None:
    type = avro_to_arrow(json.dumps(schema))
    made = arrow_to_avro(type, "R", "space")
    fastavro.parse_schema(json.loads(made))
    assert avro_to_arrow(made) == type
