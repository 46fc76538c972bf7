"""Hypothesis strategies: Avro schemas, and values of them as fastavro and as Arrow see them."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_NAMES = st.sampled_from(["a", "b", "c", "d", "Speed", "long_name_of_a_field"])
_TEXT = st.text(st.characters(codec="utf-8"), max_size=8)

PRIMITIVES: list[Any] = ["boolean", "int", "long", "float", "double", "bytes", "string"]
LOGICAL: list[Any] = [
    {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 3},
    {"type": "int", "logicalType": "date"},
    {"type": "int", "logicalType": "time-millis"},
    {"type": "long", "logicalType": "time-micros"},
    {"type": "long", "logicalType": "timestamp-millis"},
    {"type": "long", "logicalType": "timestamp-micros"},
    {"type": "long", "logicalType": "local-timestamp-micros"},
]


class Namer:
    """Names that no schema has twice."""

    def __init__(self) -> None:
        self.count = 0

    def next(self, kind: str) -> str:
        self.count += 1
        return f"{kind}{self.count}"


def _types(draw: st.DrawFn, namer: Namer, depth: int) -> Any:
    kinds = ["primitive", "logical", "enum", "fixed", "decimal-fixed"]
    if depth > 0:
        kinds += ["record", "array", "map", "nullable", "union"]
    match draw(st.sampled_from(kinds)):
        case "primitive":
            return draw(st.sampled_from(PRIMITIVES))
        case "logical":
            return draw(st.sampled_from(LOGICAL))
        case "enum":
            symbols = draw(st.lists(st.sampled_from(["A", "B", "C", "DD"]), min_size=1, unique=True))
            return {"type": "enum", "name": namer.next("E"), "symbols": symbols}
        case "fixed":
            return {"type": "fixed", "name": namer.next("F"), "size": draw(st.integers(1, 5))}
        case "decimal-fixed":
            name = namer.next("D")
            return {
                "type": "fixed",
                "name": name,
                "size": 6,
                "logicalType": "decimal",
                "precision": 12,
                "scale": 2,
            }
        case "record":
            return _record(draw, namer, depth - 1)
        case "array":
            return {"type": "array", "items": _types(draw, namer, depth - 1)}
        case "map":
            return {"type": "map", "values": _types(draw, namer, depth - 1)}
        case "nullable":
            inner = _types(draw, namer, depth - 1)
            if isinstance(inner, list):
                return inner
            return draw(st.sampled_from([["null", inner], [inner, "null"]]))
        case _:
            branches = draw(st.lists(st.sampled_from(PRIMITIVES), min_size=2, max_size=4, unique=True))
            return [*branches, _record(draw, namer, 0), *draw(st.sampled_from([[], ["null"]]))]


def _record(draw: st.DrawFn, namer: Namer, depth: int) -> dict[str, Any]:
    names = draw(st.lists(_NAMES, min_size=1, max_size=4, unique=True))
    name = namer.next("R")
    fields = [{"name": field, "type": _types(draw, namer, depth)} for field in names]
    return {"type": "record", "name": name, "fields": fields}


@st.composite
def schemas(draw: st.DrawFn, depth: int = 3) -> dict[str, Any]:
    """Records with anything in them."""
    return _record(draw, Namer(), depth)


def _number(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def values(schema: Any) -> st.SearchStrategy[tuple[Any, Any]]:
    """Pairs of a value as fastavro takes it and the same value as the column should hold it."""
    if isinstance(schema, list):
        return _union_values(schema)
    kind = schema if isinstance(schema, str) else schema["type"]
    if isinstance(schema, dict) and "logicalType" in schema:
        return _logical_values(schema)
    match kind:
        case "null":
            plain: st.SearchStrategy[Any] = st.none()
        case "boolean":
            plain = st.booleans()
        case "int":
            plain = _number(32)
        case "long":
            plain = _number(64)
        case "float":
            plain = st.floats(width=32, allow_nan=False)
        case "double":
            plain = st.floats(allow_nan=False)
        case "bytes":
            plain = st.binary(max_size=8)
        case "string":
            plain = _TEXT
        case "enum":
            plain = st.sampled_from(schema["symbols"])
        case "fixed":
            plain = st.binary(min_size=schema["size"], max_size=schema["size"])
        case "array":
            items = st.lists(values(schema["items"]), max_size=3)
            return items.map(lambda pairs: ([a for a, _ in pairs], [b for _, b in pairs]))
        case "map":
            entries = st.dictionaries(_TEXT, values(schema["values"]), max_size=3)
            return entries.map(
                lambda pairs: ({k: a for k, (a, _) in pairs.items()}, [(k, b) for k, (_, b) in pairs.items()])
            )
        case "record":
            fields = st.fixed_dictionaries({f["name"]: values(f["type"]) for f in schema["fields"]})
            return fields.map(
                lambda pairs: ({k: a for k, (a, _) in pairs.items()}, {k: b for k, (_, b) in pairs.items()})
            )
        case _:
            raise AssertionError(kind)
    return plain.map(lambda value: (value, value))


def _logical_values(schema: dict[str, Any]) -> st.SearchStrategy[tuple[Any, Any]]:
    name = schema["logicalType"]
    plain: st.SearchStrategy[Any]
    match name:
        case "decimal":
            scale = schema["scale"]
            plain = st.integers(-(10**12) + 1, 10**12 - 1).map(lambda n: Decimal(n).scaleb(-scale))
        case "date":
            plain = st.dates()
        case "time-millis":
            plain = st.times().map(lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000))
        case "time-micros":
            plain = st.times()
        case _:
            plain = st.datetimes(min_value=dt.datetime(1700, 1, 1), max_value=dt.datetime(2200, 1, 1))  # noqa: DTZ001
            if name.endswith("millis"):
                plain = plain.map(lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000))
            if not name.startswith("local"):
                plain = plain.map(lambda t: t.replace(tzinfo=dt.UTC))
    return plain.map(lambda value: (value, value))


def _union_values(branches: list[Any]) -> st.SearchStrategy[tuple[Any, Any]]:
    full = [branch for branch in branches if branch != "null"]
    several = len(full) > 1
    names = [branch if isinstance(branch, str) else branch.get("name", branch["type"]) for branch in full]

    def of(branch: Any) -> st.SearchStrategy[tuple[Any, Any]]:
        if branch == "null":
            return st.just((None, None))
        name = branch if isinstance(branch, str) else branch.get("name", branch["type"])
        # (name, value) tells fastavro the branch.
        if several:
            return values(branch).map(
                lambda pair: ((name, pair[0]), {other: pair[1] if other == name else None for other in names})
            )
        return values(branch)

    return st.one_of([of(branch) for branch in branches])


@st.composite
def schemas_with_values(draw: st.DrawFn, depth: int = 3) -> tuple[str, list[tuple[Any, Any]]]:
    """A schema and some values."""
    schema = draw(schemas(depth))
    return json.dumps(schema), draw(st.lists(values(schema), min_size=1, max_size=5))
