"""Plans of snapshot queries: what is scanned, what is bound, what stops early."""

from __future__ import annotations

import time

import pyarrow as pa
import pytest

from headrace.catalog import CatalogTopic, KnownTopics
from headrace.errors import ProgramError
from headrace.formats.interface import Format, Side
from headrace.plan.snapshot import Bounds, SnapshotPlan
from headrace.plan.topology import Facet
from headrace.planner.snapshot import plan_query
from headrace.sql import parse_program
from headrace.types.change_records import change_record
from tests.unit.planner.topics import known


def query(text: str) -> SnapshotPlan:
    return plan_query(parse_program(text), known())


@pytest.mark.parametrize(
    ("condition", "bounds"),
    [
        ("_meta.partition = 1", Bounds(partitions=frozenset({1}))),
        ("_partition IN (0, 2) AND _partition IN (2, 3)", Bounds(partitions=frozenset({2}))),
        ("_meta.offset > 5 AND _meta.offset <= 9", Bounds(first_offset=6, end_offset=10)),
        ("_offset BETWEEN 3 AND 7", Bounds(first_offset=3, end_offset=8)),
        ("7 = _meta.offset", Bounds(first_offset=7, end_offset=8)),
        ("10 <= _meta.offset", Bounds(first_offset=10)),
        ("_meta.timestamp >= 1000 AND _ts > 2000", Bounds(first_time=2000)),
        ("_meta.offset >= LAST_OFFSET() - 100", Bounds(last_offsets=101)),
        ("_meta.offset > (LAST_OFFSET() + 1) - 10 * 10", Bounds(last_offsets=99)),
        ("LAST_OFFSET() - 7 <= _offset", Bounds(last_offsets=8)),
        ("_offset > LAST_OFFSET() - 7 AND _offset > LAST_OFFSET() - 5", Bounds(last_offsets=5)),
        ("_offset = LAST_OFFSET()", Bounds(last_offsets=1)),
        ("_offset > -3 + LAST_OFFSET() + 9", Bounds(last_offsets=0)),
        ("_offset BETWEEN LAST_OFFSET() - 7 AND LAST_OFFSET()", Bounds(last_offsets=8)),
        ("_meta.offset > 5 OR id = 1", Bounds()),
        ("NOT _meta.offset > 5", Bounds()),
        ("_meta.offset > id", Bounds()),
    ],
)
def test_conditions_on_the_place_become_bounds(condition: str, bounds: Bounds) -> None:
    (scan,) = query(f"SELECT id FROM orders WHERE {condition}").scans
    assert scan.bounds == bounds


@pytest.mark.parametrize(
    "condition",
    [
        "_meta.offset > LAST_OFFSET() - quantity",
        "_meta.offset > LAST_OFFSET() * 2",
        "quantity > LAST_OFFSET() - 1",
        "LAST_OFFSET() > _meta.offset",
        "_meta.offset = LAST_OFFSET() - 1",
        "_meta.offset BETWEEN LAST_OFFSET() - 7 AND 100",
    ],
)
def test_what_last_offset_cannot_say_is_refused(condition: str) -> None:
    with pytest.raises(ProgramError, match=r"LAST_OFFSET\(\) goes with"):
        query(f"SELECT id FROM orders WHERE {condition}")


def test_bounds_of_a_join_belong_to_their_side() -> None:
    plan = query(
        "SELECT a.id FROM orders AS a JOIN orders_by_id AS b ON a.id = b.id WHERE a._meta.offset > 5 AND b._partition = 1"
    )
    assert [scan.bounds for scan in plan.scans] == [
        Bounds(first_offset=6),
        Bounds(partitions=frozenset({1})),
    ]


def test_only_what_is_named_is_decoded() -> None:
    (scan,) = query("SELECT address.zip, UPPER(customer) FROM orders WHERE quantity > 1").scans
    assert {column.path for column in scan.source.columns} == {
        ("address", "zip"),
        ("customer",),
        ("quantity",),
    }


def test_result_columns_have_the_names_of_the_user() -> None:
    plan = query("SELECT id AS a, customer AS A, COUNT(*), address.zip FROM orders GROUP BY ALL")
    assert plan.names == ("a", "A", "COUNT", "zip")


META = ("topic", "partition", "offset", "timestamp", "__keysize", "__valuesize")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("SELECT _meta.* FROM orders", META),
        ("SELECT k._meta.*, k.id FROM orders AS k", (*META, "id")),
        ("SELECT _meta.* EXCLUDE (topic, offset) FROM orders", ("partition", "timestamp", *META[4:])),
        ("SELECT a._meta.* FROM orders AS a JOIN positions AS b ON a.id = b.MMSI", META),
        ("SELECT _meta.__valsize, _meta.__valuesize FROM orders", ("__valsize", "__valuesize")),
    ],
)
def test_all_of_the_place_of_a_record(text: str, names: tuple[str, ...]) -> None:
    plan = query(text)
    assert plan.names == names
    (scan, *_) = plan.scans
    assert {column.facet for column in scan.source.columns} >= {Facet.META}


def test_help_names_every_field_of_the_place() -> None:
    with pytest.raises(ProgramError) as refused:
        query("SELECT _meta FROM orders")
    assert refused.value.diagnostics[0].help == "there are " + ", ".join(f"`_meta.{name}`" for name in META)


@pytest.mark.parametrize(
    ("text", "limit", "follows"),
    [
        ("SELECT id FROM orders", None, True),
        ("SELECT id FROM orders LIMIT 3", 3, False),
        ("SELECT id FROM orders ORDER BY id LIMIT 3", None, False),
        ("SELECT COUNT(*) FROM orders", None, False),
        ("SELECT DISTINCT id FROM orders", None, False),
        ("SELECT o.id FROM orders AS o, positions AS p", None, False),
        ("SELECT UPPER(customer) FROM orders LATERAL `lines` AS l WHERE l.quantity > 1", None, True),
        ("SELECT b.id FROM (SELECT id FROM orders WHERE paid) AS b", None, True),
        ("WITH b AS (SELECT id FROM orders) SELECT id FROM b", None, True),
        ("WITH n AS (SELECT COUNT(*) AS c FROM orders) SELECT c FROM n", None, False),
        ("WITH n AS (SELECT id FROM orders LIMIT 2) SELECT id FROM n", None, False),
        ("SELECT x.c FROM (SELECT customer AS c FROM orders GROUP BY customer) AS x", None, False),
        ("SELECT median(quantity) FROM orders", None, False),
        ("SELECT SUM(id) OVER () FROM orders", None, False),
        ("SELECT (SELECT MAX(id) FROM orders)", None, False),
        ("SELECT 1 AS one UNION ALL SELECT id FROM orders", None, False),
        ("SELECT id FROM orders UNION ALL SELECT MMSI FROM positions LIMIT 4", 4, False),
    ],
)
def test_what_stops_early_and_what_can_follow(text: str, limit: int | None, follows: bool) -> None:
    plan = query(text)
    assert (plan.limit, plan.follows) == (limit, follows)


def test_a_table_of_change_records_has_the_rows_after_the_changes() -> None:
    row = pa.struct([("id", pa.int64()), ("city", pa.string())])
    changes = Side(Format.DEBEZIUM_JSON, change_record(row, text=True))
    topics = KnownTopics.of([CatalogTopic("customers", Side(Format.LONG, pa.int64()), changes, 1)])

    def read(text: str) -> tuple[tuple[str, ...] | None, list[tuple[str, ...]]]:
        plan = plan_query(parse_program(text), topics)
        return plan.names, [column.path for scan in plan.scans for column in scan.source.columns]

    rows = ("id", "city"), [("after", "id"), ("after", "city")]
    assert read("SELECT TABLE * FROM customers") == rows
    assert read("WITH c AS (SELECT TABLE c.id, c.city FROM customers AS c) SELECT * FROM c") == rows
    assert read("SELECT STREAM op FROM customers") == read("SELECT op FROM customers")
    assert read("SELECT op FROM customers") == (("op",), [("op",)])


def test_a_long_chain_costs_no_more_than_its_length() -> None:
    began = time.process_time()
    query(f"SELECT {' + '.join(['id'] * 200)} AS total FROM orders")
    assert time.process_time() - began < 1.0


def test_a_name_of_a_lambda_is_no_column() -> None:
    (scan,) = query(
        "SELECT list_transform(l.notes, lambda id: id || '!') FROM orders LATERAL `lines` AS l"
    ).scans
    assert [column.path for column in scan.source.columns] == [("lines",)]


@pytest.mark.parametrize(
    "text",
    [
        "WITH big AS (SELECT id, amount FROM orders WHERE amount > 3) SELECT b.id FROM big AS b JOIN big AS c USING (id)",
        "SELECT customer, SUM(amount) / COUNT(*) AS mean FROM orders GROUP BY customer HAVING COUNT(*) > 1 ORDER BY mean DESC",
        "SELECT id FROM orders WHERE id IN (SELECT MMSI FROM positions WHERE Speed > orders.quantity)",
        "SELECT id FROM orders WHERE id IN (SELECT MMSI FROM positions WHERE orders.paid) AND UPPER('a') = customer",
        "SELECT ROW_NUMBER() OVER (PARTITION BY customer ORDER BY id) AS n FROM orders QUALIFY n = 1",
        "SELECT id FROM orders UNION ALL SELECT MMSI FROM positions ORDER BY id LIMIT 3",
        "SELECT line.item FROM orders LATERAL `lines` AS line WHERE line.quantity > 1",
        "SELECT COUNT(DISTINCT customer) FILTER (WHERE paid), COLLECT(id, 3) FROM orders",
        "SELECT (SELECT MAX(Speed) FROM positions) AS top, id FROM orders",
        "SELECT 1 + 1",
    ],
)
def test_ordinary_queries_bind(text: str) -> None:
    assert query(text).query


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("SELECT cstomer FROM orders", "SQL0201"),
        ("SELECT id FROM orders AS a JOIN orders_by_id AS b ON a.id = b.id", "SQL0209"),
        ("SELECT customer, id FROM orders GROUP BY customer", "SQL0318"),
        ("SELECT id FROM orders WHERE COUNT(*) > 1", "SQL0318"),
        ("SELECT id FROM nothing", "CAT0101"),
        ("SELECT id FROM orders WHERE customer > 3", "SQL0301"),
        ("SELECT id FROM orders EVENTTIME BY placed", "SQL0303"),
        ("SELECT _meta FROM orders", "SQL0201"),
        ("SELECT x._meta.* FROM (SELECT id FROM orders) AS x", "SQL0201"),
        ("SELECT COLLECT(id, -2) FROM orders", "SQL0320"),
        ("SELECT COLLECT(customer, 0) FROM orders", "SQL0320"),
        ("SELECT TOPK(id, -1) FILTER (WHERE paid) FROM orders", "SQL0320"),
        ("SELECT MAXK(customer, 0) FROM orders", "SQL0320"),
        ("SELECT mink(id, quantity) OVER () FROM orders", "SQL0320"),
        ("SELECT COLLECT_UNIQUE(id, 2147483648) FROM orders", "SQL0320"),
        ("INSERT INTO archive SELECT STREAM id FROM orders", "SQL0317"),
    ],
)
def test_wrong_queries_are_refused(text: str, code: str) -> None:
    with pytest.raises(ProgramError) as refused:
        query(text)
    assert refused.value.diagnostics[0].code.id == code
    assert refused.value.source is not None


def test_a_map_of_null_keys_has_a_type_though_its_value_fails() -> None:
    plan = query("SELECT MAP_OF([NULL], [1]) AS m")
    assert plan.names == ("m",)
