"""The shape of change records."""

from __future__ import annotations

import pyarrow as pa

from headrace.types.change_records import change_record, row_of, seen_change_record

ROW = pa.struct([("id", pa.int64()), ("name", pa.string())])


def test_the_rows_of_a_declared_table_are_found_again() -> None:
    assert row_of(change_record(ROW, text=True)) == ROW
    assert row_of(ROW) is None


def test_a_row_that_was_never_seen_is_like_the_other() -> None:
    seen = pa.struct([("before", pa.string()), ("after", ROW), ("op", pa.string())])
    assert seen_change_record(seen) == pa.struct([("before", ROW), ("after", ROW), ("op", pa.string())])


def test_rows_of_both_places_are_joined_in_the_order_of_the_newer() -> None:
    older = pa.struct([("old", pa.int64()), ("id", pa.int64())])
    seen = pa.struct([("before", older), ("after", ROW), ("op", pa.string())])
    found = seen_change_record(seen)
    assert found is not None
    assert [field.name for field in found.field(1).type] == ["id", "name", "old"]


def test_the_schema_beside_the_record_does_not_count() -> None:
    inner = pa.struct([("after", ROW), ("op", pa.string())])
    found = seen_change_record(pa.struct([("schema", pa.string()), ("payload", inner)]))
    assert found is not None
    assert row_of(found) == ROW


def test_other_records_are_no_change_records() -> None:
    assert seen_change_record(ROW) is None
    assert seen_change_record(pa.struct([("after", ROW)])) is None
    assert seen_change_record(pa.struct([("after", pa.string()), ("op", pa.string())])) is None
