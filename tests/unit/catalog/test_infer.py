"""The type of JSON values, from some of them."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from headrace.catalog.infer import infer_json


def inferred(*values: Any) -> pa.DataType | None:
    kind, bad = infer_json([json.dumps(value).encode() for value in values])
    assert bad == 0
    return kind


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ((1, 2), pa.int64()),
        ((1, 2.5), pa.float64()),
        ((1, 2**62), pa.int64()),
        ((1, 2**70), pa.decimal128(38, 0)),
        ((True, None), pa.bool_()),
        ((1, "a"), pa.string()),
        ((True, 1), pa.string()),
        (([1], [2.5]), pa.list_(pa.float64())),
        (([1], {"a": 1}), pa.string()),
        (([],), pa.string()),
    ],
)
def test_types_are_merged(values: tuple[Any, ...], kind: pa.DataType) -> None:
    assert inferred(*values) == kind


def test_fields_keep_the_order_of_first_appearance() -> None:
    found = inferred({"b": 1, "a": {"x": 1}}, {"c": "t", "a": {"y": None, "x": 2.5}})
    assert found == pa.struct(
        [
            ("b", pa.int64()),
            ("a", pa.struct([("x", pa.float64()), ("y", pa.string())])),
            ("c", pa.string()),
        ]
    )


def test_null_says_nothing() -> None:
    assert inferred(None) is None
    assert inferred({"a": None}) == pa.struct([("a", pa.string())])


def test_what_is_no_json_is_counted() -> None:
    assert infer_json([b"{", b'{"a": 1}', b"\xff"]) == (pa.struct([("a", pa.int64())]), 2)


@pytest.mark.parametrize(
    "bad", [b'{"a": NaN}', b'{"a": -Infinity}', b'\xef\xbb\xbf{"a": "x"}', '{"a": 1.5}'.encode("utf-16")]
)
def test_what_cannot_be_read_has_no_say(bad: bytes) -> None:
    assert infer_json([b'{"a": 1}', bad]) == (pa.struct([("a", pa.int64())]), 1)


def test_deep_nesting_ends_in_text() -> None:
    value: Any = 1
    for _ in range(100):
        value = {"a": value}
    kind: Any = inferred(value)
    depth = 0
    while pa.types.is_struct(kind):
        kind = kind.field(0).type
        depth += 1
    assert depth == 32
    assert kind == pa.string()
