"""Names of types: what users write, what messages say, what DuckDB is told."""

from __future__ import annotations

import pyarrow as pa
import pytest

from headrace.types.coercion import common_type, fits
from headrace.types.sql import duckdb_type, parse_type, type_name


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("int", pa.int32()),
        ("LONG", pa.int64()),
        ("double", pa.float64()),
        ("string", pa.string()),
        ("bytes", pa.binary()),
        ("decimal(10, 2)", pa.decimal128(10, 2)),
        ("timestamp", pa.timestamp("ms", tz="UTC")),
        ("int[]", pa.list_(pa.int32())),
        ("struct(a int, b string)", pa.struct([("a", pa.int32()), ("b", pa.string())])),
        ("map(string, long)", pa.map_(pa.string(), pa.int64())),
    ],
)
def test_type_names_are_read(text: str, kind: pa.DataType) -> None:
    assert parse_type(text).equals(kind)


def test_unknown_type_is_refused() -> None:
    with pytest.raises(ValueError, match="is not a type"):
        parse_type("strang(")


def test_messages_use_the_words_of_the_language() -> None:
    kind = pa.struct([("a", pa.list_(pa.int64())), ("b", pa.decimal128(10, 2))])
    assert type_name(kind) == "record(a long[], b decimal(10,2))"


def test_duckdb_names_keep_the_case_of_fields() -> None:
    assert duckdb_type(pa.struct([("A b", pa.int32())])) == 'STRUCT("A b" INTEGER)'


@pytest.mark.parametrize(
    ("left", "right", "common"),
    [
        (pa.int32(), pa.int64(), pa.int64()),
        (pa.int64(), pa.float64(), pa.float64()),
        (pa.int32(), pa.decimal128(10, 2), pa.decimal128(12, 2)),
        (pa.null(), pa.string(), pa.string()),
        (pa.string(), pa.int32(), None),
        (pa.list_(pa.int32()), pa.list_(pa.int64()), pa.list_(pa.int64())),
    ],
)
def test_common_type(left: pa.DataType, right: pa.DataType, common: pa.DataType | None) -> None:
    assert common_type(left, right) == common
    assert common_type(right, left) == common


def test_fields_that_only_one_record_has_become_nullable() -> None:
    left = pa.struct([pa.field("a", pa.int32(), nullable=False)])
    right = pa.struct([pa.field("b", pa.int32(), nullable=False)])
    found = common_type(left, right)
    assert found == pa.struct([("a", pa.int32()), ("b", pa.int32())])


def test_a_wider_value_does_not_fit_a_narrower_place() -> None:
    assert fits(pa.int32(), pa.int64())
    assert not fits(pa.int64(), pa.int32())
    assert not fits(pa.decimal128(12, 2), pa.decimal128(10, 2))
    assert not fits(pa.string(), pa.int32())


def test_a_record_fits_if_what_it_lacks_may_be_null() -> None:
    target = pa.struct([pa.field("a", pa.int64(), nullable=False), pa.field("b", pa.string())])
    assert fits(pa.struct([pa.field("a", pa.int32(), nullable=False)]), target)
    assert not fits(pa.struct([pa.field("b", pa.string())]), target)
