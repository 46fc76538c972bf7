"""Which Avro schema can follow which."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headrace.formats.registry.compatibility import Compatibility, obstacles
from headrace.formats.registry.schema import SchemaSyntaxError, canonical


def record(*fields: dict[str, Any], name: str = "R", **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields), **more}


def field(name: str, kind: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


def backward(new: Any, old: Any) -> list[str]:
    return obstacles(Compatibility.BACKWARD, json.dumps(new), [json.dumps(old)])


PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
PROMOTED = {
    ("int", "long"),
    ("int", "float"),
    ("int", "double"),
    ("long", "float"),
    ("long", "double"),
    ("float", "double"),
    ("string", "bytes"),
    ("bytes", "string"),
}


@pytest.mark.parametrize("written", PRIMITIVES)
@pytest.mark.parametrize("read", PRIMITIVES)
def test_primitives_are_read_as_themselves_or_promoted(read: str, written: str) -> None:
    assert (backward(read, written) == []) == (read == written or (written, read) in PROMOTED)


ENUM = {"type": "enum", "name": "E", "symbols": ["A", "B"]}
WIDER = {"type": "enum", "name": "E", "symbols": ["A", "B", "C"]}
FIXED = {"type": "fixed", "name": "F", "size": 4}
X = field("x", "int")
NODE = record(X, field("next", ["null", "Node"]), name="Node")
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (record(X), record(X)),
        (record(X), record(X, field("y", "string"))),
        (record(X, field("y", "string", default="")), record(X)),
        (record(field("x", "long")), record(X)),
        (record(field("z", "int", aliases=["x"])), record(X)),
        (record(X, name="New", aliases=["R"]), record(X)),
        (record(X, namespace="a.b"), record(X, namespace="c")),
        (["null", "int"], "int"),
        (["null", "string", "long"], ["int", "null"]),
        ("int", ["int"]),
        (WIDER, ENUM),
        ({**ENUM, "default": "A"}, WIDER),
        (FIXED, FIXED),
        ({"type": "array", "items": "long"}, {"type": "array", "items": "int"}),
        ({"type": "map", "values": ["null", "int"]}, {"type": "map", "values": "int"}),
        (NODE, NODE),
        (record(X, field("next", ["null", "Node"]), field("more", "int", default=0), name="Node"), NODE),
        ({"type": {"type": "string"}}, "string"),
        ({"type": "long", "logicalType": "timestamp-millis"}, "long"),
        (DECIMAL, DECIMAL),
    ],
)
def test_data_of_the_old_can_be_read_with_the_new(new: Any, old: Any) -> None:
    assert backward(new, old) == []


@pytest.mark.parametrize(
    ("new", "old", "reason"),
    [
        (
            record(X, field("y", "int")),
            record(X),
            "at `y` the field is absent from the data and has no default",
        ),
        (record(field("x", "string")), record(X), "at `x` `int` cannot be read as `string`"),
        (record(X, name="Other"), record(X), "at the top `R` cannot be read as `Other`"),
        ("int", ["null", "int"], "at the top `null` cannot be read as `int`"),
        (["null", "int"], ["null", "string"], "at the top no branch of the union reads `string`"),
        (ENUM, WIDER, "at the top the enum has no symbol `C` and no default"),
        ({**FIXED, "size": 8}, FIXED, "at the top 4 fixed bytes cannot be read as 8"),
        (
            {"type": "array", "items": "int"},
            {"type": "array", "items": "long"},
            "at `[]` `long` cannot be read as `int`",
        ),
        (
            {"type": "map", "values": "int"},
            {"type": "array", "items": "int"},
            "at the top `array` cannot be read as `map`",
        ),
        (
            record(field("a", record(field("b", "int"), name="Inner"))),
            record(field("a", record(field("b", "string"), name="Inner"))),
            "at `a.b` `string` cannot be read as `int`",
        ),
        (
            record(field("x", "string"), field("next", ["null", "Node"]), name="Node"),
            NODE,
            "at `x` `int` cannot be read as `string`",
        ),
        ({**DECIMAL, "scale": 3}, DECIMAL, "at the top decimal(10, 2) cannot be read as decimal(10, 3)"),
    ],
)
def test_what_is_in_the_way_is_named_with_its_place(new: Any, old: Any, reason: str) -> None:
    assert backward(new, old) == [f"the new schema cannot read the registered one: {reason}"]


OLD = json.dumps(record(X))
MORE = json.dumps(record(X, field("y", "int")))
LESS = json.dumps(record())


@pytest.mark.parametrize(
    ("level", "schema", "good"),
    [
        (Compatibility.BACKWARD, MORE, False),
        (Compatibility.BACKWARD, LESS, True),
        (Compatibility.FORWARD, MORE, True),
        (Compatibility.FORWARD, LESS, False),
        (Compatibility.FULL, MORE, False),
        (Compatibility.FULL, LESS, False),
        (Compatibility.FULL, json.dumps(record(X, field("y", "int", default=1))), True),
        (Compatibility.NONE, json.dumps("string"), True),
    ],
)
def test_levels_say_who_must_read_whom(level: Compatibility, schema: str, good: bool) -> None:
    assert (obstacles(level, schema, [OLD]) == []) == good


@pytest.mark.parametrize(
    ("latest", "all_versions"),
    [
        (Compatibility.BACKWARD, Compatibility.BACKWARD_TRANSITIVE),
        (Compatibility.FORWARD, Compatibility.FORWARD_TRANSITIVE),
        (Compatibility.FULL, Compatibility.FULL_TRANSITIVE),
    ],
)
def test_only_transitive_levels_look_at_all_versions(
    latest: Compatibility, all_versions: Compatibility
) -> None:
    versions = [json.dumps(record(field("x", "string"))), json.dumps(record())]
    new = json.dumps(record(field("x", "int", default=0)))
    assert obstacles(latest, new, versions) == []
    assert obstacles(all_versions, new, versions) != []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "the schema is no JSON text"),
        ('"number"', "the schema has the unknown type `number`"),
        ("{}", "the schema has no `type`"),
        ('{"type": "record", "fields": []}', "the schema is a record without a name"),
        ('{"type": "record", "name": "R"}', "`R` has no fields"),
        (
            '{"type": "record", "name": "R", "fields": [{"name": "x"}]}',
            "a field of `R` has no name or no type",
        ),
        (
            '{"type": "record", "name": "R", "fields": [{"name": "x", "type": "S"}]}',
            "field `x` of `R` has the unknown type `S`",
        ),
        ('{"type": "fixed", "name": "F"}', "fixed `F` has no size"),
        ('{"type": "array"}', "items of the schema has no `type`"),
        ("[" * 100_000, "the schema is no JSON text"),
    ],
)
def test_what_is_no_schema_is_refused(text: str, message: str) -> None:
    with pytest.raises(SchemaSyntaxError) as caught:
        canonical(text)
    assert str(caught.value) == message


def test_white_space_makes_no_other_schema() -> None:
    assert canonical(' { "type" :"string",\n"doc":"ü" } ') == '{"type":"string","doc":"ü"}'
