"""Operators of plans: their queries fit their columns, their stores keep their names and fingerprints."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from headrace.plan.operators import OP, TIME, Aggregate, Changes, Emit, Rank, Table
from headrace.plan.subtopologies import subtopologies
from headrace.plan.topology import ROW
from headrace.planner.connection import connection
from tests.unit.planner.test_plan_cases import PLANS, name_of, read
from tests.unit.planner.topics import TOPICS, plan

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.plan.operators import Operator
    from headrace.plan.topology import Topology
    from headrace.types.shape import Field

STATEFUL = [path for path in PLANS if "\noperator " in path.read_text(encoding="utf-8")]


@cache
def planned(path: Path) -> Topology:
    return plan(read(path)["sql"])


def input_schema(topology: Topology, source: str, *, whole: bool = False) -> pa.Schema:
    fields: list[Field] = [pa.field(ROW, pa.int32()), pa.field("_tombstone", pa.bool_())]
    topics = topology.tables if whole else topology.sources
    if source in topics:
        columns = topics[source].columns
        return pa.schema([*(pa.field(column.name, column.type) for column in columns), *fields])
    columns_of = next(item for item in topology.operators if item.id == source).columns
    own: list[Field] = [pa.field(OP, pa.int8()), pa.field(TIME, pa.int64()), fields[0]]
    return pa.schema([*(pa.field(column.name, column.type) for column in columns_of), *own])


def result_schema(topology: Topology, source: str, query: str, *, whole: bool = False) -> pa.Schema:
    """Give what DuckDB says a query over the rows of a source or operator gives."""
    duck = connection()
    try:
        for statement in topology.setup:
            duck.execute(statement)
        duck.register("input", input_schema(topology, source, whole=whole).empty_table())
        found: pa.Table = duck.sql(query).to_arrow_table()
        return found.schema
    finally:
        duck.close()


@pytest.mark.parametrize("path", STATEFUL, ids=name_of)
def test_queries_give_the_columns_that_operators_and_sinks_take(path: Path) -> None:
    topology = planned(path)
    for operator in topology.operators:
        for feed in operator.feeds:
            whole = feed not in operator.task_feeds
            found = result_schema(topology, feed.source, feed.query, whole=whole)
            expected = [pa.field(column.name, column.type) for column in feed.columns]
            expected += [pa.field(TIME, pa.int64())] if feed.sets_time else []
            expected += [pa.field(OP, pa.int8())] if feed.sets_op else []
            assert found == pa.schema([pa.field(ROW, pa.int32()), *expected])
    for pipeline in topology.pipelines:
        found = result_schema(topology, pipeline.source, pipeline.query)
        names = [column.name for column in (*pipeline.key_columns, *pipeline.value_columns)]
        assert found.names == [ROW, *names, *([TIME] if pipeline.sets_time else [])]
        if pipeline.combined is not None:
            combined = result_schema(topology, pipeline.source, pipeline.combined.query)
            plain = [*found][: 1 + len(names)]
            assert [*combined][: len(plain)] == plain
            assert combined.names[len(plain) :] == [TIME, "_least", "_undated"]


@pytest.mark.parametrize("path", STATEFUL, ids=name_of)
def test_tasks_of_a_sub_topology_have_one_number_of_partitions(path: Path) -> None:
    topology = planned(path)
    counts = {topic.name: topic.partitions for topic in TOPICS}
    for sink in topology.sinks.values():
        if sink.create is not None:
            counts[sink.topic] = sink.create.partitions
    by_id = {operator.id: operator for operator in topology.operators}
    for part in subtopologies(topology):
        found = {counts[topology.sources[name].topic] for name in part.sources}
        found |= {by_id[name].store.changelog.partitions for name in part.operators}
        assert len(found) == 1, part


def operators(program: str) -> dict[str, Operator]:
    return {item.id: item for item in plan(program).operators}


COUNT = (
    "INSERT INTO a SELECT STREAM customer, SUM(amount) AS s FROM orders WHERE paid "
    "WINDOW BY TUMBLE 1m GRACE BY 1s GROUP BY customer;"
)


@pytest.mark.parametrize(
    "edited",
    [
        COUNT.replace("GRACE BY 1s", "GRACE BY 9s"),
        COUNT.replace("AS s", "AS total"),
        "INSERT INTO b SELECT STREAM COUNT(*) AS n FROM orders GROUP BY customer;" + COUNT,
        "INSERT INTO b SELECT STREAM id FROM orders;" + COUNT.replace("orders", "orders AS o"),
    ],
)
def test_a_store_goes_on_after_edits_that_leave_its_meaning(edited: str) -> None:
    assert operators(edited)["a-aggregate"].store == operators(COUNT)["a-aggregate"].store


OVER_TABLE = "INSERT INTO a SELECT TABLE customer, SUM(amount) AS s FROM orders WHERE paid GROUP BY customer"


@pytest.mark.parametrize(
    ("program", "old", "new"),
    [
        (COUNT, "WHERE paid", "WHERE paid AND quantity > 3"),
        (COUNT, "WHERE paid ", ""),
        (COUNT, "FROM orders", "FROM (SELECT STREAM customer, paid, -amount AS amount FROM orders)"),
        (OVER_TABLE, "WHERE paid", "WHERE NOT paid"),
    ],
)
def test_a_store_says_when_other_rows_go_in(program: str, old: str, new: str) -> None:
    first, second = (
        operators(text)[name].store
        for text in (program, program.replace(old, new))
        for name in operators(text)
        if name == ("a-aggregate" if program is COUNT else "a-table")
    )
    assert first.inputs is not None
    assert second.inputs is not None
    assert first.fingerprint == second.fingerprint
    assert first.inputs.rows != second.inputs.rows
    assert first.inputs.topics == second.inputs.topics == (("orders",),)


@pytest.mark.parametrize(
    "edited",
    [
        COUNT.replace("SUM(amount)", "SUM(quantity)"),
        COUNT.replace("SUM(amount)", "MAX(amount)"),
        COUNT.replace("TUMBLE 1m", "TUMBLE 2m"),
        COUNT.replace("GROUP BY customer", "GROUP BY customer, id"),
        COUNT.replace(" AS s", " AS s, COUNT(*) AS n"),
    ],
)
def test_a_store_that_means_something_else_has_another_fingerprint(edited: str) -> None:
    changed = operators(edited)["a-aggregate"].store.fingerprint
    assert changed != operators(COUNT)["a-aggregate"].store.fingerprint


def test_a_store_goes_on_when_another_reader_comes() -> None:
    program = (
        "WITH c AS (SELECT STREAM customer, COUNT(*) AS n FROM orders GROUP BY customer);"
        "INSERT INTO a SELECT TABLE customer, n FROM c;"
    )
    filtering = "INSERT INTO b SELECT TABLE customer FROM c WHERE n > 9"
    assert operators(program + filtering)["a-aggregate"].changes is Changes.RETRACT
    assert operators(program + filtering)["a-aggregate"].store == operators(program)["a-aggregate"].store


def test_stores_of_one_target_are_numbered() -> None:
    program = (
        "WITH c AS (SELECT STREAM customer, COUNT(*) AS n FROM orders GROUP BY customer);"
        "INSERT INTO out SELECT TABLE n, COUNT(*) AS m FROM c GROUP BY n"
    )
    assert list(operators(program)) == ["out-aggregate", "out-aggregate-2"]


def test_internal_topics_are_named_after_the_application_and_the_store() -> None:
    topology = plan(COUNT)
    internal = [sink for sink in topology.sinks.values() if sink.internal]
    assert [sink.topic for sink in internal] == ["{application}-a-aggregate-repartition"]
    assert topology.operators[0].store.changelog.name == "{application}-a-aggregate-changelog"


@pytest.mark.parametrize(
    ("group", "repartitioned"),
    [
        ("_key", False),
        ("customer, _key", False),
        ("customer", True),
        ("UPPER(_key)", True),
        ("orders._key", False),
    ],
)
def test_rows_go_through_a_topic_unless_the_key_keeps_them_together(group: str, repartitioned: bool) -> None:
    topology = plan(f"INSERT INTO a SELECT STREAM COUNT(*) AS n FROM orders GROUP BY {group}")
    assert any(sink.internal for sink in topology.sinks.values()) is repartitioned


def test_results_of_an_aggregate_are_together_by_its_group() -> None:
    program = (
        "WITH c AS (SELECT STREAM customer AS who, id, COUNT(*) AS n FROM orders GROUP BY customer, id);"
        "INSERT INTO a SELECT TABLE SUM(n) AS n FROM c GROUP BY {};"
    )
    topics = {
        group: sum(sink.internal for sink in plan(program.format(group)).sinks.values())
        for group in ("who, id", "id, who, n", "who", "id, n")
    }
    assert topics == {"who, id": 1, "id, who, n": 1, "who": 2, "id, n": 2}


def test_the_setting_decides_when_results_come_out() -> None:
    program = "SET emit='record'; INSERT INTO a SELECT STREAM COUNT(*) AS n FROM orders GROUP BY _key"
    kernel = operators(program)["a-aggregate"].kernel
    assert isinstance(kernel, Aggregate)
    assert kernel.emit is Emit.RECORD


def test_old_rows_come_out_only_where_a_reader_takes_them() -> None:
    plain = "INSERT INTO a SELECT STREAM customer AS c, COUNT(*) AS n FROM orders GROUP BY customer"
    assert operators(plain)["a-aggregate"].changes is Changes.UPSERT
    assert operators(plain + " HAVING c LIKE 'a%'")["a-aggregate"].changes is Changes.UPSERT
    assert operators(plain + " HAVING n > 1")["a-aggregate"].changes is Changes.RETRACT


def test_a_table_keeps_what_is_read_of_it_alone() -> None:
    program = "INSERT INTO a SELECT TABLE SUM(amount) AS s FROM orders WHERE paid GROUP BY customer"
    table = operators(program)["a-table"]
    assert isinstance(table.kernel, Table)
    assert table.labels == ("_key", "customer", "amount")


def test_the_bound_of_a_rank_may_stand_in_several_readers() -> None:
    program = (
        "WITH r AS (SELECT STREAM id, ROW_NUMBER() OVER (ORDER BY amount DESC) AS n FROM orders);"
        "INSERT INTO a SELECT TABLE id FROM r WHERE n <= 3; INSERT INTO b SELECT TABLE id FROM r WHERE n < 8"
    )
    (rank,) = plan(program).operators
    assert isinstance(rank.kernel, Rank)
    assert rank.kernel.limit == 7


def test_a_bare_select_says_that_it_reads_a_table() -> None:
    (warning,) = plan("INSERT INTO a SELECT COUNT(*) AS n FROM orders GROUP BY customer").warnings
    assert warning.code.id == "SQL0324"
    assert not plan("INSERT INTO a SELECT COUNT(*) AS n FROM orders GROUP BY TUMBLE(1, m)").warnings


def test_final_results_say_which_grace_they_wait_for() -> None:
    program = "INSERT INTO a SELECT STREAM COUNT(*) AS n FROM orders WINDOW BY TUMBLE 1h{} GROUP BY customer EMIT FINAL"
    (warning,) = plan(program.format("")).warnings
    assert "23h" in warning.message
    assert not plan(program.format(" GRACE BY 1m")).warnings
