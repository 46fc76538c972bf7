"""Programs with state, made by hand, and what must come out of them."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from headrace.formats.interface import Format, Side
from headrace.log.interface import TopicDescription
from headrace.plan.operators import (
    Aggregate,
    AggregateCall,
    Changes,
    Column,
    Emit,
    Feed,
    JoinKind,
    LookupJoin,
    Operator,
    Store,
    Window,
    WindowKind,
)
from headrace.plan.topology import (
    Facet,
    InputColumn,
    KeyMode,
    OutputColumn,
    Pipeline,
    RunSettings,
    Sink,
    SourceTopic,
    Topology,
    ValueMode,
)
from tests.engine.programs import read

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headrace.log.interface import Log

KEY = Side(Format.STRING, pa.string())
NUMBERS = Side(Format.JSON, pa.struct([("n", pa.int64())]))
TOTALS = Side(Format.JSON, pa.struct([("count", pa.int64()), ("sum", pa.int64())]))


def counting(
    source: str,
    sink: str,
    settings: RunSettings,
    *,
    partitions: int = 2,
    emit: Emit = Emit.RECORD,
    fingerprint: str = "counting-1",
) -> Topology:
    """Give the topology that counts the records of each key and sums their numbers up."""
    feed = Feed(
        source=source,
        query="SELECT _row, c0 AS k0, c1 AS v0 FROM input WHERE NOT _tombstone",
        key=(Column("k0", pa.string()),),
        value=(Column("v0", pa.int64()),),
    )
    calls = (AggregateCall("COUNT", (), pa.int64()), AggregateCall("SUM", (0,), pa.int64()))
    changelog = TopicDescription(
        "{application}-totals-changelog", partitions, configs={"cleanup.policy": "compact"}
    )
    operator = Operator(
        id="totals",
        kernel=Aggregate(feed, calls, emit),
        columns=(Column("k0", pa.string()), Column("a0", pa.int64()), Column("a1", pa.int64())),
        changes=Changes.UPSERT,
        store=Store("totals", changelog, fingerprint),
    )
    pipeline = Pipeline(
        id="totals",
        source="totals",
        sink=sink,
        query="SELECT _row, k0, a0 AS v0, a1 AS v1 FROM input",
        key_mode=KeyMode.ENCODE,
        value_mode=ValueMode.ENCODE,
        key_columns=(OutputColumn("k0", ()),),
        value_columns=(OutputColumn("v0", ("count",)), OutputColumn("v1", ("sum",))),
    )
    columns = (
        InputColumn("c0", Facet.KEY, (), pa.string()),
        InputColumn("c1", Facet.VALUE, ("n",), pa.int64()),
    )
    return Topology(
        sources={source: SourceTopic(source, KEY, NUMBERS, columns)},
        sinks={sink: Sink(sink, KEY, TOTALS, create=TopicDescription(sink, partitions=partitions))},
        pipelines=(pipeline,),
        settings=settings,
        operators=(operator,),
    )


def windowed(source: str, sink: str, settings: RunSettings, *, size: int = 1000) -> Topology:
    """Give the topology that counts the records of each key by second, once a second is over; of one partition."""
    counted = counting(source, sink, settings, partitions=1)
    operator = counted.operators[0]
    assert isinstance(operator.kernel, Aggregate)
    window = Window(WindowKind.TUMBLE, size, grace=0)
    return replace(
        counted,
        operators=(
            replace(
                operator,
                kernel=replace(operator.kernel, window=window, emit=Emit.FINAL),
                columns=(
                    Column("k0", pa.string()),
                    Column("w0", pa.int64()),
                    Column("w1", pa.int64()),
                    *operator.columns[1:],
                ),
            ),
        ),
        pipelines=(replace(counted.pipelines[0], query="SELECT _row, k0, w0 AS v0, a0 AS v1 FROM input"),),
    )


def rekeyed(source: str, sink: str, settings: RunSettings, *, partitions: int = 2) -> Topology:
    """Give the topology that counts by the last digit of the number: by way of a repartition topic of two partitions."""
    between = "{application}-digits-repartition"
    counted = counting(between, sink, settings, partitions=2)
    pipeline = Pipeline(
        id="digits",
        source=source,
        sink="digits",
        query="SELECT _row, CAST(c0 % 10 AS VARCHAR) AS k0, c0 AS v0 FROM input WHERE NOT _tombstone",
        key_mode=KeyMode.ENCODE,
        value_mode=ValueMode.ENCODE,
        key_columns=(OutputColumn("k0", ()),),
        value_columns=(OutputColumn("v0", ("n",)),),
    )
    columns = (InputColumn("c0", Facet.VALUE, ("n",), pa.int64()),)
    return replace(
        counted,
        sources={
            source: SourceTopic(source, KEY, NUMBERS, columns),
            between: replace(counted.sources[between], internal=True),
        },
        sinks={
            **counted.sinks,
            "digits": Sink(between, KEY, NUMBERS, create=TopicDescription(between, 2), internal=True),
        },
        pipelines=(pipeline, *counted.pipelines),
    )


def looking_up(stream: str, table: str, sink: str, settings: RunSettings, *, partitions: int = 2) -> Topology:
    """Give the topology that puts to each number of a stream the number that the table has then under its key."""

    def feed(source: str, changes: Changes) -> Feed:
        kind = "CAST(CASE WHEN _tombstone THEN -1 ELSE 1 END AS TINYINT)"
        upserts = changes is Changes.UPSERT
        return Feed(
            source=source,
            query=f"SELECT _row, c0 AS k0, c1 AS v0{f', {kind} AS _op' if upserts else ''} FROM input",
            key=(Column("k0", pa.string()),),
            value=(Column("v0", pa.int64()),),
            changes=changes,
            sets_op=upserts,
        )

    changelog = TopicDescription(
        "{application}-known-changelog", partitions, configs={"cleanup.policy": "compact"}
    )
    operator = Operator(
        id="known",
        kernel=LookupJoin(feed(stream, Changes.APPEND), feed(table, Changes.UPSERT), JoinKind.LEFT),
        columns=(Column("k0", pa.string()), Column("l0", pa.int64()), Column("r0", pa.int64())),
        changes=Changes.APPEND,
        store=Store("known", changelog, "looking-up-1"),
    )
    pipeline = Pipeline(
        id="known",
        source="known",
        sink=sink,
        query="SELECT _row, k0, l0 AS v0, r0 AS v1 FROM input",
        key_mode=KeyMode.ENCODE,
        value_mode=ValueMode.ENCODE,
        key_columns=(OutputColumn("k0", ()),),
        value_columns=(OutputColumn("v0", ("count",)), OutputColumn("v1", ("sum",))),
    )
    columns = (
        InputColumn("c0", Facet.KEY, (), pa.string()),
        InputColumn("c1", Facet.VALUE, ("n",), pa.int64()),
    )
    return Topology(
        sources={name: SourceTopic(name, KEY, NUMBERS, columns) for name in (table, stream)},
        sinks={sink: Sink(sink, KEY, TOTALS, create=TopicDescription(sink, partitions=partitions))},
        pipelines=(pipeline,),
        settings=settings,
        operators=(operator,),
    )


def histories(log: Log, sink: str) -> dict[str, list[tuple[int, int]]]:
    """Give, for each key, the counts and sums that came out, in order."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for row in read(log, sink):
        value = json.loads(row["value"])
        found[row["key"].decode()].append((value["count"], value["sum"]))
    return dict(found)


def expected_histories(records: Iterable[tuple[str, int]]) -> dict[str, list[tuple[int, int]]]:
    """Give what must come out, one update a record."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for key, number in records:
        count, total = found[key][-1] if found[key] else (0, 0)
        found[key].append((count + 1, total + number))
    return dict(found)


def last(found: dict[str, list[tuple[int, int]]]) -> dict[str, tuple[int, int]]:
    """Give the latest state of each key."""
    return {key: updates[-1] for key, updates in found.items()}
