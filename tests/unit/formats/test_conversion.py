from __future__ import annotations

import pyarrow as pa
import pytest

from headrace.formats.conversion import why_not
from headrace.formats.interface import Format

F = Format
RECORD = pa.struct([("a", pa.int32())])


@pytest.mark.parametrize("format", list(Format))
def test_a_format_may_stay(format: Format) -> None:
    assert why_not(format, format, pa.int32()) is None


@pytest.mark.parametrize(
    ("source", "targets"),
    [
        (F.INT, {F.LONG, F.STRING, F.AVRO, F.JSON_SR}),
        (F.LONG, {F.STRING, F.AVRO, F.JSON_SR}),
        (F.STRING, {F.AVRO, F.JSON_SR}),
        (F.JSON, {F.INT, F.LONG, F.STRING, F.AVRO, F.JSON_SR, F.CSV}),
        (F.AVRO, {F.INT, F.LONG, F.STRING, F.JSON, F.JSON_SR, F.CSV}),
        (F.JSON_SR, {F.INT, F.LONG, F.STRING, F.JSON, F.AVRO, F.CSV}),
        (F.CSV, {F.JSON, F.AVRO, F.JSON_SR}),
        (F.PROTOBUF, {F.INT, F.LONG, F.STRING, F.JSON, F.AVRO, F.JSON_SR, F.CSV}),
        (F.DEBEZIUM_JSON, {F.JSON, F.AVRO, F.JSON_SR}),
        (F.DEBEZIUM_AVRO, {F.JSON, F.AVRO, F.JSON_SR}),
        (F.XML, {F.JSON, F.AVRO, F.JSON_SR}),
        (F.BYTES, set()),
    ],
)
def test_a_single_value_may_become(source: Format, targets: set[Format]) -> None:
    assert {target for target in F if why_not(source, target, pa.int32()) is None} - {source} == targets


@pytest.mark.parametrize("source", [F.JSON, F.AVRO])
@pytest.mark.parametrize("target", [F.INT, F.LONG])
def test_a_record_is_no_number(source: Format, target: Format) -> None:
    assert "single value" in (why_not(source, target, RECORD) or "")


@pytest.mark.parametrize("source", [F.JSON, F.AVRO, F.CSV])
def test_only_a_record_is_a_message(source: Format) -> None:
    assert why_not(source, F.PROTOBUF, RECORD) is None
    assert (
        why_not(source, F.PROTOBUF, pa.int32())
        == f"{source} can be stored as PROTOBUF only if it is a record"
    )
