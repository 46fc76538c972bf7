"""SELECTs as users write them, over topics in three formats: the rows are those of DuckDB over plain tables."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest

from headrace.catalog import Catalog
from headrace.engine.snapshot import LocalStates, SnapshotQuery
from headrace.engine.statements import Rows, Runner, Workspace, parse_statements
from headrace.errors import ProgramError, RunError, Span
from headrace.formats import make_encoder
from headrace.formats.interface import Format, Side
from headrace.formats.registry import open_registry
from headrace.log import open_log
from headrace.planner.snapshot import plan_query
from headrace.sql import parse_program
from headrace.types.avro import avro_to_arrow
from tests.engine.programs import create, fill
from tests.engine.queries import IN_DUCKDB, QUERIES, Pair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.log.interface import Log

START = datetime(2024, 2, 27, 22, 30, tzinfo=UTC)

PAYMENT = json.dumps(
    {
        "type": "record",
        "name": "Payment",
        "fields": [
            {"name": "id", "type": "long"},
            {"name": "order_id", "type": ["null", "long"], "default": None},
            {
                "name": "sum",
                "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2},
            },
            {"name": "made", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "day", "type": {"type": "int", "logicalType": "date"}},
            {
                "name": "method",
                "type": {"type": "enum", "name": "Method", "symbols": ["CARD", "CASH", "WIRE"]},
            },
            {"name": "fee", "type": ["null", "double"], "default": None},
            {"name": "counts", "type": {"type": "map", "values": "long"}},
        ],
    }
)

_ORDER: list[tuple[str, pa.DataType]] = [
    ("id", pa.int64()),
    ("customer", pa.string()),
    ("country", pa.string()),
    ("amount", pa.float64()),
    ("quantity", pa.int64()),
    ("paid", pa.bool_()),
    ("note", pa.string()),
    ("placed", pa.string()),
    ("tags", pa.list_(pa.string())),
    (
        "address",
        pa.struct(
            [
                ("street", pa.string()),
                ("zip", pa.int64()),
                ("geo", pa.struct([("lat", pa.float64()), ("lon", pa.float64())])),
            ]
        ),
    ),
    (
        "lines",
        pa.list_(pa.struct([("item", pa.string()), ("count", pa.int64()), ("price", pa.float64())])),
    ),
    ("raw", pa.string()),
]
_COUNTRY: list[tuple[str, pa.DataType]] = [
    ("code", pa.string()),
    ("name", pa.string()),
    ("people", pa.int64()),
]
DECLARED = "CREATE TABLE countries (code string, name string, people long) FORMAT (STRING, CSV);\n"

Row = dict[str, Any]


def order(number: int) -> Row:
    return {
        "id": number,
        "customer": ("ann", "bob", "cid", "Dora", "Émile")[number % 5],
        "country": ("DE", "FR", "GB", None)[number % 4],
        "amount": number * 12.25 - 40,
        "quantity": number % 7,
        "paid": None if number % 11 == 0 else number % 3 == 0,
        "note": None if number % 4 else f"note {number}, 50% off_",
        "placed": (START + timedelta(hours=7 * number)).strftime("%Y-%m-%d %H:%M:%S"),
        "tags": ["red", "green", "blue", "red"][: number % 5],
        "address": None
        if number % 9 == 0
        else {
            "street": f"{number} High St.",
            "zip": 10_000 + number,
            "geo": {"lat": number / 8, "lon": -number / 4},
        },
        "lines": [
            {"item": f"i{index}", "count": number + index, "price": 0.5 * index}
            for index in range(number % 3)
        ],
        "raw": json.dumps(
            {"a": {"b": [number, number + 1]}, "kind": "x" if number % 2 else "y", "n": number}
        ),
    }


def payment(number: int) -> Row:
    at = START + timedelta(minutes=97 * number)
    return {
        "id": 1000 + number,
        "order_id": None if number % 6 == 5 else (number * 3) % 40,
        "sum": Decimal(number * 1999) / 100,
        "made": at,
        "day": date(2024, 2, 26) + timedelta(days=number % 5),
        "method": ("CARD", "CASH", "WIRE")[number % 3],
        "fee": None if number % 5 == 0 else number / 16,
        "counts": [(f"k{index}", number + index) for index in range(number % 3)],
    }


ORDER_ROWS = [order(number) for number in range(30)]
PAYMENT_ROWS = [payment(number) for number in range(40)]
COUNTRY_ROWS: list[Row] = [
    {"code": "DE", "name": "Germany", "people": 83_000_000},
    {"code": "FR", "name": "France, the", "people": 68_000_000},
    {"code": "IT", "name": "Italy", "people": None},
]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    path = tmp_path_factory.mktemp("queries") / "log.db"
    with open_log(f"sqlite:{path}") as opened:
        create(opened, "orders", 3)
        fill(
            opened,
            "orders",
            [json.dumps(row).encode() for row in ORDER_ROWS],
            keys=[row["customer"].encode() for row in ORDER_ROWS],
        )
        registry = open_registry(None, opened)
        assert registry is not None
        side = Side(Format.AVRO, avro_to_arrow(PAYMENT), PAYMENT)
        encoder = make_encoder(side, registry.register("payments-value", PAYMENT))
        create(opened, "payments", 2)
        values = encoder.encode(pa.array(PAYMENT_ROWS, side.type))
        assert not values.errors
        fill(opened, "payments", values.data.to_pylist())
        create(opened, "countries", 1)
        lines = [
            f'{row["code"]},"{row["name"]}",{"" if row["people"] is None else row["people"]}'.encode()
            for row in COUNTRY_ROWS
        ]
        fill(opened, "countries", lines)
        yield opened


@pytest.fixture(scope="module")
def tables() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("orders_arrow", pa.Table.from_pylist(ORDER_ROWS, pa.schema(_ORDER)))
    payments: Any = pa.array(PAYMENT_ROWS, avro_to_arrow(PAYMENT))
    connection.register("payments_arrow", pa.Table.from_struct_array(payments))
    connection.register("countries_arrow", pa.Table.from_pylist(COUNTRY_ROWS, pa.schema(_COUNTRY)))
    for name in ("orders", "payments", "countries"):
        connection.execute(f"CREATE TABLE {name} AS FROM {name}_arrow")
    yield connection
    connection.close()


def answered(log: Log, text: str) -> pa.Table:
    registry = open_registry(None, log)
    program = (DECLARED if "countries" in text else "") + text
    catalog = Catalog(log, registry)
    plan = plan_query(parse_program(program, "query"), catalog)
    catalog.close()
    with SnapshotQuery(plan, log, registry) as query:
        return pa.Table.from_batches(query.batches(), query.schema)


def plain(value: Any) -> Any:
    """Give a value so that equal ones compare equal whatever numeric type carries them."""
    if isinstance(value, dict):
        return tuple(plain(item) for item in value.values())
    if isinstance(value, list | tuple):
        return tuple(plain(item) for item in value)
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int | float | Decimal):
        number = float(value)
        return "nan" if math.isnan(number) else f"{number:.9g}"
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat()
    return str(value)


def rows(table: pa.Table) -> list[tuple[Any, ...]]:
    columns = [column.to_pylist() for column in table.columns]
    return [tuple(plain(item) for item in row) for row in zip(*columns, strict=True)]


@pytest.mark.parametrize("pair", QUERIES, ids=lambda pair: pair.name)
def test_the_rows_are_those_of_duckdb(pair: Pair, log: Log, tables: duckdb.DuckDBPyConnection) -> None:
    expected = tables.sql(pair.duckdb).to_arrow_table()
    assert expected.num_rows, "the query shows nothing"
    found, wanted = rows(answered(log, pair.headrace)), rows(expected)
    if not pair.ordered:
        found, wanted = sorted(found), sorted(wanted)
    assert found == wanted


def run(log: Log, text: str) -> pa.Table:
    """Run statements as the command line does, and give the rows of the last."""
    registry = open_registry(None, log)
    catalog = Catalog(log, registry)
    runner = Runner(Workspace(log, registry, catalog, LocalStates(None, log), None, ()))
    program = parse_statements(text, "query")
    for statement in program.statements:
        answer = runner.run(statement, program)
        if isinstance(answer, Rows):
            with answer.while_read:
                found = pa.Table.from_batches(answer.batches, answer.schema)
    catalog.close()
    return found


@pytest.mark.parametrize("text", IN_DUCKDB, ids=lambda text: " ".join(text.split())[:60])
def test_forms_of_duckdb_alone_give_what_duckdb_gives(
    text: str, log: Log, tables: duckdb.DuckDBPyConnection
) -> None:
    expected = tables.sql(text).to_arrow_table()
    if "::BIT" in text:
        expected = tables.sql(f"SELECT bits::VARCHAR AS bits, who FROM ({text})").to_arrow_table()
    assert expected.num_rows, "the query shows nothing"
    found = run(log, text)
    assert found.column_names == expected.column_names
    if "ORDER BY" in text:
        assert rows(found) == rows(expected)
    else:
        assert sorted(rows(found), key=str) == sorted(rows(expected), key=str)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("SELECT id // 4 AS n FROM orders WHERE id = 9", [{"n": 2}]),
        ("SELECT id // their number\nFROM orders WHERE id = 9", [{"id": 9}]),
        ("SELECT id FROM orders WHERE id = 9 // the ninth", [{"id": 9}]),
        ("SELECT '//' AS s FROM orders WHERE id = 9", [{"s": "//"}]),
    ],
)
def test_two_slashes_divide_where_duckdb_can_run_that(
    text: str, found: list[dict[str, Any]], log: Log
) -> None:
    assert run(log, text).to_pylist() == found


def test_names_of_the_session_are_tables_of_a_duckdb_query(log: Log) -> None:
    text = "WITH few AS (SELECT id, country FROM orders WHERE id < 6); PIVOT few ON country USING count(*)"
    assert sorted(run(log, text).column_names) == ["DE", "FR", "GB", "id"]
    places = "SELECT n: count(DISTINCT _meta.offset), t: any_value(_meta.topic), k: min(_key) FROM orders"
    assert run(log, places).to_pylist() == [{"n": 12, "t": "orders", "k": "Dora"}]
    assert run(log, "SELECT n: count(COLUMNS(*)) FROM payments").num_columns == 8


def test_a_pivot_makes_columns_of_what_is_there(log: Log) -> None:
    found = run(log, "PIVOT (SELECT country, id FROM orders) ON country USING max(id)")
    assert found.to_pylist() == [{"DE": 28, "FR": 29, "GB": 26}]
    with pytest.raises(RunError) as refused:
        run(log, "PIVOT (SELECT country, id FROM orders WHERE id > 99) ON country USING max(id)")
    assert "no values for PIVOT" in refused.value.diagnostics[0].message


WRONG = {
    "PIVOT «nothing» ON a USING count(*)": ("CAT0101", "there is no topic `nothing`"),
    "PIVOT «Orders» ON country USING count(*)": ("CAT0101", "there is no topic `Orders`"),
    "SELECT n: «idd» FROM orders": ("SQL0332", 'Referenced column "idd" not found in FROM clause'),
    "SELECT id,\n  n: id\nFROM orders\nWHERE «nope» > 'id'": ("SQL0332", 'column "nope" not found'),
    "«SUMMARIZE FROM read_csv('/etc/passwd')»": ("SQL0332", "disabled by configuration"),
    "«SELECT n: count(*) FROM range(3), orders, read_text('x')»": ("SQL0332", "disabled by configuration"),
    "PIVOT orders ON country USING count(*) LIMITS «1»": ("SQL0332", "syntax error at or near"),
    "SELECT «nope».* FROM orders": ("SQL0332", 'Referenced table "nope" not found'),
}


@pytest.mark.parametrize("marked", WRONG)
def test_what_duckdb_has_against_a_query_is_shown_at_its_place(marked: str, log: Log) -> None:
    code, message = WRONG[marked]
    start, end = marked.index("«"), marked.index("»") - 1
    with pytest.raises(ProgramError) as refused:
        run(log, marked.replace("«", "").replace("»", ""))
    (found,) = refused.value.diagnostics
    assert found.code.id == code
    assert message in found.message
    assert found.span == Span(start, end)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT n: id FROM orders SELECT 1",
        "COPY orders TO 'x.csv'",
        "CREATE TABLE x AS FROM orders",
        "DELETE FROM orders USING payments WHERE id = 1",
        "ATTACH 'x.db'",
        "SET threads TO 4",
        "CALL pragma_version()",
        "EXPLAIN ANALYZE SELECT 1",
        "INSTALL httpfs",
    ],
)
def test_nothing_but_queries_goes_to_duckdb(text: str) -> None:
    with pytest.raises(ProgramError):
        parse_statements(text, "query")


def test_functions_that_mean_something_else_in_duckdb_are_told_of(log: Log) -> None:
    registry = open_registry(None, log)
    catalog = Catalog(log, registry)
    runner = Runner(Workspace(log, registry, catalog, LocalStates(None, log), None, ()))
    program = parse_statements("SELECT w: upper(substring(customer, 1, 2)) FROM orders", "query")
    runner.plan(program.statements[0], program)  # type: ignore[arg-type]
    catalog.close()
    (warning,) = runner.warnings
    assert (warning.code.id, warning.span) == ("SQL0333", Span(16, 25))
