from __future__ import annotations

import json
import threading
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from headrace.catalog import Catalog
from headrace.engine.snapshot import Ending, Limits, SnapshotQuery
from headrace.errors import RunError
from headrace.plan.snapshot import Bounds, Scan, SnapshotPlan
from headrace.plan.topology import Facet, InputColumn, RunSettings, SourceTopic
from headrace.planner.snapshot import plan_query
from headrace.sql import parse_query
from tests.engine.programs import BYTES, NUMBERS, create, doubling, fill, numbers, unique

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.log.interface import Consumer, ConsumerOptions, Log


def scan(topic: str, relation: str = "t0", bounds: Bounds | None = None) -> Scan:
    source = doubling(topic, "unused", RunSettings()).sources[topic]
    columns = (
        *source.columns,
        InputColumn("c2", Facet.META, ("partition",), pa.int32()),
        InputColumn("c3", Facet.META, ("offset",), pa.int64()),
        InputColumn("c4", Facet.META, ("timestamp",), pa.int64()),
    )
    return Scan(relation, SourceTopic(topic, BYTES, NUMBERS, columns), bounds or Bounds())


def rows(log: Log, plan: SnapshotPlan) -> list[dict[str, object]]:
    with SnapshotQuery(plan, log, None) as query:
        return [row for batch in query.batches() for row in batch.to_pylist()]


def test_a_query_aggregates_over_all_partitions(log: Log) -> None:
    topic = create(log, unique("in"))
    fill(log, topic, numbers(range(1000)))
    plan = SnapshotPlan(
        (scan(topic),), "SELECT count(*) AS a, sum(c0)::BIGINT AS b FROM t0", ("Count", "count")
    )
    assert rows(log, plan) == [{"Count": 1000, "count": 499_500}]


def test_two_topics_join(log: Log) -> None:
    left, right = create(log, unique("left")), create(log, unique("right"))
    fill(log, left, numbers(range(100)))
    fill(log, right, numbers(range(50, 150)))
    plan = SnapshotPlan(
        (scan(left), scan(right, "t1")), "SELECT count(*) AS a FROM t0 JOIN t1 ON t0.c0 = t1.c0", ("both",)
    )
    assert rows(log, plan) == [{"both": 50}]


def test_an_empty_topic_gives_no_rows_but_a_schema(log: Log) -> None:
    topic = create(log, unique("in"))
    plan = SnapshotPlan((scan(topic),), "SELECT c0 AS a, c1 AS b FROM t0", ("N", "n"))
    with SnapshotQuery(plan, log, None) as query:
        assert [(field.name, field.type) for field in query.schema] == [("N", pa.int64()), ("n", pa.string())]
        assert list(query.batches()) == []


def test_a_limit_stops_the_scan_early(log: Log) -> None:
    topic = create(log, unique("in"), 1)
    fill(log, topic, numbers(range(20_000)))
    plan = SnapshotPlan((scan(topic),), "SELECT c0 AS n FROM t0 WHERE c0 % 10 = 0 LIMIT 5", ("n",), limit=5)
    with SnapshotQuery(plan, log, None, batch_records=500) as query:
        found = [row["n"] for batch in query.batches() for row in batch.to_pylist()]
        assert found == [0, 10, 20, 30, 40]
        assert query.read < 20_000


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        (Bounds(partitions=frozenset({1})), list(range(100, 200))),
        (Bounds(first_offset=97), [97, 98, 99, 197, 198, 199]),
        (Bounds(first_offset=10, end_offset=12), [10, 11, 110, 111]),
        (Bounds(last_offsets=1), [99, 199]),
        (Bounds(first_time=1098), [98, 99, *range(100, 200)]),
        (Bounds(partitions=frozenset({0}), first_offset=500), []),
    ],
)
def test_bounds_become_seeks(log: Log, bounds: Bounds, expected: list[int]) -> None:
    topic = create(log, unique("in"), 2)
    fill(log, topic, numbers(range(100)), partition=0, timestamps=range(1000, 1100))
    fill(log, topic, numbers(range(100, 200)), partition=1, timestamps=range(2000, 2100))
    plan = SnapshotPlan((scan(topic, bounds=bounds),), "SELECT c0 AS n FROM t0", ("n",))
    with SnapshotQuery(plan, log, None) as query:
        found = sorted(row["n"] for batch in query.batches() for row in batch.to_pylist())
        assert found == expected
        assert query.read == len(expected)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("_meta.offset >= 2990", 20),
        ("_meta.offset BETWEEN 100 AND 119", 40),
        ("_meta.partition = 1 AND _meta.offset < 30", 30),
        ("_meta.partition IN (0) AND n % 2 = 0", 3000),
        ("_meta.timestamp >= 5990", 1010),
        ("_meta.timestamp > 5990 AND _meta.partition = 1", 1010),
        ("_meta.offset > LAST_OFFSET() - 5", 10),
        ("_meta.offset = 7 OR n = 1", 6000),
    ],
)
def test_conditions_on_the_place_of_a_record_are_not_read_past(
    log: Log, monkeypatch: pytest.MonkeyPatch, where: str, expected: int
) -> None:
    """What the log gives is counted, not only what the query uses."""
    topic = create(log, unique("in"), 2)
    fill(log, topic, numbers(range(3000)), partition=0, timestamps=range(1000, 4000))
    fill(log, topic, numbers(range(3000)), partition=1, timestamps=range(4000, 7000))
    with closing(Catalog(log)) as catalog:
        plan = plan_query(parse_query(f"SELECT n FROM `{topic}` WHERE {where}", "query"), catalog)
    given = 0
    open_consumer = log.consumer

    def counting(options: ConsumerOptions) -> Consumer:
        consumer = open_consumer(options)
        poll = consumer.poll

        def count(most: int, timeout: float, linger: float = 0.0) -> list[pa.RecordBatch]:
            nonlocal given
            batches = poll(most, timeout, linger)
            given += sum(batch.num_rows for batch in batches)
            return batches

        monkeypatch.setattr(consumer, "poll", count)
        return consumer

    monkeypatch.setattr(log, "consumer", counting)
    with SnapshotQuery(plan, log, None, batch_records=20) as query:
        assert sum(batch.num_rows for batch in query.batches()) <= expected
        assert query.read == expected
    # A batch may reach over the upper bound of a partition.
    assert expected <= given <= expected + 2 * 20


def test_a_limit_of_bytes_cuts_inside_a_batch(log: Log) -> None:
    topic = create(log, unique("in"), 1)
    values = numbers(range(10_000, 14_000))
    fill(log, topic, [*values, None], keys=[*[b"ab"] * len(values), b"cd"])
    each = len(values[0] or b"") + 2
    plan = SnapshotPlan((scan(topic),), "SELECT c0 AS n FROM t0", ("n",))

    def taken(most: int) -> tuple[int, int, Ending]:
        with SnapshotQuery(plan, log, None, limits=Limits(max_bytes=most)) as query:
            list(query.batches())
            return query.read, query.bytes_read, query.ending

    assert taken(each * 1000) == (1000, each * 1000, Ending.SIZE)
    assert taken(each * 1000 - 1) == (999, each * 999, Ending.SIZE)
    assert taken(1) == (0, 0, Ending.SIZE)
    assert taken(each * 4000 + 2) == (4001, each * 4000 + 2, Ending.END)


def test_records_that_cannot_be_read_are_left_out_and_counted(log: Log) -> None:
    topic = create(log, unique("in"), 1)
    fill(log, topic, [*numbers([1]), b"{", *numbers([2])])
    plan = SnapshotPlan((scan(topic),), "SELECT c0 AS n FROM t0", ("n",))
    with SnapshotQuery(plan, log, None) as query:
        assert [row["n"] for batch in query.batches() for row in batch.to_pylist()] == [1, 2]
        assert query.failed == 1


def test_an_expression_that_fails_ends_the_query_without_telling_values(log: Log) -> None:
    topic = create(log, unique("in"), 1)
    fill(log, topic, [json.dumps({"n": 1, "s": "secret"}).encode()])
    plan = SnapshotPlan((scan(topic),), "SELECT c1::INTEGER AS n FROM t0", ("n",))
    with pytest.raises(RunError, match="RUN0106") as caught:
        rows(log, plan)
    assert "secret" not in str(caught.value)


def test_an_expression_that_fails_behind_the_first_rows_ends_the_query_too(log: Log) -> None:
    topic = create(log, unique("in"), 1)
    fill(log, topic, [*numbers(range(30_000)), json.dumps({"n": 1, "s": "secret"}).encode()])
    plan = SnapshotPlan((scan(topic),), "SELECT c1::INTEGER AS n FROM t0", ("n",))
    with pytest.raises(RunError, match="cannot be converted") as caught:
        rows(log, plan)
    assert "secret" not in str(caught.value)


def test_rows_that_are_found_do_not_wait_for_a_full_batch(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.engine.snapshot.query._PART_SECONDS", 0.0)
    topic = create(log, unique("in"), 1)
    fill(log, topic, numbers(range(5000)))
    text = "SELECT c0 AS n, now() AS at FROM t0 WHERE c0 % 500 = 7"
    plan = SnapshotPlan((scan(topic),), text, ("n", "at"), follows=True)
    found: list[tuple[int | None, int]] = []
    times = set()
    with SnapshotQuery(plan, log, None, batch_records=100) as query:
        for batch in query.batches():
            found += [(value, query.read) for value in batch.column("n").to_pylist()]
            times |= set(batch.column("at").to_pylist())
        assert query.read == 5000
    assert [value for value, _ in found] == list(range(7, 5000, 500))
    assert found[0][1] < 500
    assert len(times) == 1


def test_a_query_that_needs_no_record_reads_no_parts(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.engine.snapshot.query._PART_SECONDS", 0.0)
    topic = create(log, unique("in"), 1)
    fill(log, topic, numbers(range(1000)))
    plan = SnapshotPlan((scan(topic),), "SELECT c0 AS n FROM t0 WHERE 1 = 2", ("n",), follows=True)
    with SnapshotQuery(plan, log, None, batch_records=100) as query:
        assert list(query.batches()) == []
        assert list(query.batches()) == []


CUBE = "FROM t0 AS a, t0 AS b, t0 AS c WHERE a.c0 * b.c0 * c.c0 % 7 = 3"


@pytest.mark.parametrize("ending", [Ending.TIME, Ending.KILLED])
def test_a_limit_ends_what_is_computed_after_the_last_read(log: Log, ending: Ending) -> None:
    topic = create(log, unique("in"), 1)
    fill(log, topic, numbers(range(5000)))
    threads = threading.active_count()
    began = time.monotonic()
    limits = (
        Limits(max_seconds=1.0)
        if ending is Ending.TIME
        else Limits(killed=lambda: time.monotonic() - began > 1.0)
    )
    plan = SnapshotPlan((scan(topic),), f"SELECT count(*) AS a {CUBE}", ("n",))
    with (
        SnapshotQuery(plan, log, None, limits=limits) as query,
        pytest.raises(RunError, match=f"{ending} ended the query before") as caught,
    ):
        list(query.batches())
    assert query.ending is ending
    assert ("SET max.query.time" in str(caught.value.diagnostics[0].help)) is (ending is Ending.TIME)
    # It has a second for what was read until then.
    assert time.monotonic() - began < 10
    assert threading.active_count() == threads


def test_rows_that_came_before_the_limit_stay(log: Log) -> None:
    topic = create(log, unique("in"), 1)
    fill(log, topic, numbers(range(5000)))
    plan = SnapshotPlan((scan(topic),), f"SELECT a.c0 AS a {CUBE}", ("n",))
    # A busy machine may not get to the first row in so short a time.
    for seconds in (0.5, 2.0, 8.0):
        with SnapshotQuery(plan, log, None, limits=Limits(max_seconds=seconds)) as query, suppress(RunError):
            rows = sum(batch.num_rows for batch in query.batches())
            assert query.ending is Ending.TIME
            if rows:
                return
    pytest.fail("no row came before the limit")


def test_a_pivot_without_the_time_to_find_its_columns_gives_none(log: Log) -> None:
    topic = create(log, unique("in"), 1)
    fill(log, topic, numbers(range(10)))
    pivot = "PIVOT (SELECT c0 % 2 AS x FROM t0) ON x USING count(*)"
    plan = SnapshotPlan((scan(topic),), pivot, None)
    with SnapshotQuery(plan, log, None, limits=Limits(max_seconds=60.0)) as query:
        assert [row for batch in query.batches() for row in batch.to_pylist()] == [{"0": 5, "1": 5}]
    for ending, limits in (
        (Ending.TIME, Limits(max_seconds=0.0)),
        (Ending.KILLED, Limits(killed=lambda: True)),
    ):
        with pytest.raises(RunError, match=f"{ending} ended the query before"):
            SnapshotQuery(plan, log, None, limits=limits)


def test_a_pivot_whose_look_for_its_columns_was_cut_says_so(log: Log) -> None:
    topic = create(log, unique("in"), 1)
    fill(log, topic, numbers(range(10)))
    plan = SnapshotPlan((scan(topic),), "PIVOT (SELECT c0 AS x FROM t0) ON x USING count(*)", None)
    for ending, limits in ((Ending.SIZE, Limits(max_bytes=0)), (Ending.IDLE, Limits(idle_seconds=0.0))):
        with pytest.raises(
            RunError, match=f"{ending} ended the query before .*no values for PIVOT"
        ) as caught:
            SnapshotQuery(plan, log, None, limits=limits)
        assert caught.value.diagnostics[0].code.id == "RUN0115"
    for size, ending in ((20, Ending.SIZE), (1000, Ending.END)):
        with SnapshotQuery(plan, log, None, limits=Limits(max_bytes=size)) as query:
            assert query.cut_columns is ending
            assert query.schema.names == [str(number) for number in range(10)][: len(query.schema)]
            assert (0 < len(query.schema) < 10) is (ending is Ending.SIZE)
            assert len(list(query.batches())) == 1
            assert (query.ending, query.cut_columns) == (ending, ending)


@pytest.mark.parametrize(
    ("ending", "limits"),
    [
        (Ending.TIME, lambda seconds: Limits(max_seconds=seconds)),
        (Ending.IDLE, lambda seconds: Limits(idle_seconds=seconds)),
        (Ending.SIZE, lambda seconds: Limits(max_bytes=200)),
    ],
)
def test_limits_end_a_query_that_follows(log: Log, ending: Ending, limits: Callable[[float], Limits]) -> None:
    topic = create(log, unique("in"), 1)
    fill(log, topic, numbers(range(30)))
    plan = SnapshotPlan((scan(topic),), "SELECT c0 AS n FROM t0", ("n",), follows=True)
    found: list[int | None] = []
    # A busy machine may not have read anything by then.
    for seconds in (0.5, 2.0, 8.0):
        with SnapshotQuery(plan, log, None, limits=limits(seconds)) as query:
            found = [n for batch in query.follow() for n in batch.column("n").to_pylist()]
            assert query.ending is ending
        if found:
            break
    assert found == list(range(len(found)))
    assert 0 < len(found) <= 30
    assert (len(found) < 30) is (ending is Ending.SIZE)


def test_a_limit_ends_what_a_query_that_follows_computes(log: Log) -> None:
    topic = create(log, unique("in"), 1)
    fill(log, topic, numbers(range(5000)))
    plan = SnapshotPlan((scan(topic),), f"SELECT count(*) AS a {CUBE}", ("n",), follows=True)
    messages = []
    # A busy machine may not have read by then what there is to compute with.
    for seconds in (0.2, 1.0, 5.0):
        began = time.monotonic()
        with SnapshotQuery(plan, log, None, limits=Limits(max_seconds=seconds)) as query:
            try:
                list(query.follow())
            except RunError as fault:
                messages = [item.message for item in fault.diagnostics]
                break
    assert len(messages) == 1
    assert f"{Ending.TIME} ended the query before" in messages[0]
    assert time.monotonic() - began < seconds + 10


def test_follow_goes_on_after_the_end(log: Log) -> None:
    topic = create(log, unique("in"), 2)
    fill(log, topic, numbers(range(10)))
    plan = SnapshotPlan((scan(topic),), "SELECT c0 AS n FROM t0 WHERE c0 % 2 = 0", ("n",), follows=True)

    def later() -> None:
        time.sleep(0.3)
        fill(log, topic, numbers(range(10, 20)))

    producing = threading.Thread(target=later)
    producing.start()
    found: list[int | None] = []
    with SnapshotQuery(plan, log, None) as query:
        for batch in query.follow():
            found += batch.column("n").to_pylist()
            if len(found) == 10:
                break
    producing.join()
    assert set(found) == set(range(0, 20, 2))
