"""Change records: JSON in both forms, Avro by the declared row alone."""

from __future__ import annotations

import json

import pyarrow as pa

from headrace.formats import make_decoder, make_encoder
from headrace.formats.interface import Format, Side
from headrace.types.avro import avro_to_arrow
from headrace.types.change_records import change_record
from tests.unit.formats.decoding import Schemas, binary

ROW = pa.struct([("id", pa.int64()), ("name", pa.string())])
CHANGE = {"before": None, "after": {"id": 1, "name": "a"}, "op": "c", "ts_ms": 5}


def test_the_schema_beside_a_record_makes_no_difference() -> None:
    texts = [json.dumps(CHANGE), json.dumps({"schema": {}, "payload": CHANGE})]
    side = Side(Format.DEBEZIUM_JSON, change_record(ROW, text=True))
    for values in (texts, texts[:1], texts[1:]):
        found = make_decoder(side, [("after", "id"), ("op",), ()]).decode(binary(values))
        assert found.errors == ()
        assert set(found.columns[0].to_pylist()) == {1}
        whole = {**CHANGE, "source": None, "transaction": None}
        assert found.columns[2].to_pylist() == [whole] * len(values)


def test_what_is_no_change_record_fails_alone() -> None:
    side = Side(Format.DEBEZIUM_JSON, change_record(ROW, text=True))
    texts = ["{}", json.dumps(CHANGE), "{", None, '{"payload": null}']
    found = make_decoder(side, [("after", "id"), ()]).decode(binary(texts))
    assert [error.row for error in found.errors] == [0, 2, 4]
    assert found.columns[0].to_pylist() == [None, 1, None, None, None]
    assert [row is None for row in found.columns[1].to_pylist()] == [True, False, True, True, True]


def test_operations_that_are_about_no_row_fail_alone() -> None:
    texts = [json.dumps({**CHANGE, "op": word}) for word in ("c", "z", "d", "t", "u", "m", "r")]
    side = Side(Format.DEBEZIUM_JSON, change_record(ROW, text=True))
    found = make_decoder(side, [("op",)]).decode(binary(texts))
    assert [error.row for error in found.errors] == [1, 3, 5]
    assert {error.reason for error in found.errors} == {
        "not a change of a row: `op` is none of c, u, r and d"
    }


def test_a_declared_row_is_read_from_the_envelope_of_a_writer() -> None:
    value = {
        "type": "record",
        "name": "Value",
        "fields": [
            {"name": "id", "type": "int"},
            {"name": "name", "type": "string"},
            {"name": "x", "type": "int"},
        ],
    }
    names = [("before", ["null", value]), ("after", ["null", "Value"]), ("source", "int"), ("op", "string")]
    fields = [{"name": name, "type": kind} for name, kind in [*names, ("ts_ms", ["null", "long"])]]
    schema = json.dumps({"type": "record", "name": "Envelope", "namespace": "shop", "fields": fields})
    written = Side(Format.AVRO, avro_to_arrow(schema), schema)
    row = {"id": 1, "name": "a", "x": 2}
    change = {"before": None, "after": row, "source": 3, "op": "c", "ts_ms": 5}
    truncated = {**change, "after": None, "op": "t"}
    data = make_encoder(written, 7).encode(pa.array([change, truncated], written.type)).data
    side = Side(Format.DEBEZIUM_AVRO, change_record(ROW, text=False))
    registry = Schemas({7: schema})
    found = make_decoder(side, [("after",), ("op",)], registry).decode(data)
    assert [error.row for error in found.errors] == [1]
    assert found.columns[0].to_pylist()[0] == {"id": 1, "name": "a"}
    assert found.columns[1].to_pylist()[0] == "c"
