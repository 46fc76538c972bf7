"""The compiled sources, operators and pipelines of a topology with state: what runs in one thread, for all of its tasks.

A step takes records of the sources through decoding, queries and kernels, in the order of the topology. All partitions of
the thread go together: rows carry the partition of their task, and kernels keep the tasks apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headrace.engine.deadletter import late_records
from headrace.engine.faults import Fault, Stage
from headrace.engine.guarded import GuardedQuery
from headrace.engine.operators.feed import Fed, FeedRunner, Lineage
from headrace.engine.operators.gathering import gathered
from headrace.engine.operators.pipeline import ChangePipeline
from headrace.engine.operators.step import Sending, Step
from headrace.engine.pipeline import Output, PipelineRunner, SchemaIds
from headrace.engine.query import InputRelation
from headrace.engine.source import SourceReader
from headrace.engine.state.kernels import LEADING, make_kernel
from headrace.log.records import HEADERS, TIMESTAMP
from headrace.plan.operators import OP, PARTITION, SEQ, TIME, Over, RowKind
from headrace.plan.topology import ROW

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from headrace.engine.operators.step import Arrived
    from headrace.engine.policy import FailedRecord, Judged, Policies
    from headrace.engine.refusals import Refusals
    from headrace.engine.state.kernels import NativeKernel
    from headrace.formats.interface import Registry
    from headrace.plan.operators import Feed, Operator
    from headrace.plan.topology import SourceTopic, Topology

WHOLE = -1
"""The partition under which a kernel keeps a table that is whole in every thread."""


@dataclass(slots=True)
class _Input:
    """Rows on their way into one input of an operator, with what they came from.

    Args:
        records, faults: of the source that they came straight from; None behind an operator.
    """

    fed: Fed
    records: pa.RecordBatch | None = None
    faults: dict[int, Fault] | None = None


@dataclass(slots=True)
class _Feeding:
    runner: FeedRunner
    operator: str
    index: int


@dataclass(slots=True)
class SourceNode:
    """A source with all that reads it."""

    name: str
    topic: SourceTopic
    reader: SourceReader
    relation: InputRelation
    time: GuardedQuery[tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]] | None = None
    pipelines: list[PipelineRunner] = field(default_factory=list)
    feeds: list[_Feeding] = field(default_factory=list)


@dataclass(slots=True)
class OperatorNode:
    """An operator with all that reads it, and what waits to be processed by it."""

    operator: Operator
    kernel: NativeKernel
    relation: InputRelation
    relation_schema: pa.Schema
    pipelines: list[ChangePipeline] = field(default_factory=list)
    feeds: list[_Feeding] = field(default_factory=list)
    waiting: list[list[_Input]] = field(default_factory=list)
    latest: dict[int, int] | None = None
    """The largest event time of each task, where somebody wants to know."""
    is_repartitioned: bool = False
    """Rows go on through a repartition topic: they meet those of other tasks there."""


class Graph:
    """Belongs to one thread."""

    def __init__(
        self,
        topology: Topology,
        registry: Registry | None,
        ids: Mapping[str, SchemaIds],
        policies: Policies,
        refusals: Refusals,
        application: str,
    ) -> None:
        self.policies = policies
        self.refusals = refusals
        self._application = application
        self._late_topic = topology.settings.late_topic
        self._repartitions = frozenset(sink.topic for sink in topology.sinks.values() if sink.internal)
        self.sources: dict[str, SourceNode] = {}
        self.tables: dict[str, SourceNode] = {}
        self.operators: dict[str, OperatorNode] = {}
        try:
            for name, source in topology.sources.items():
                reader = SourceReader(source, registry)
                relation = InputRelation(reader.schema, topology.setup, topology.functions)
                node = self.sources[name] = SourceNode(name, source, reader, relation)
                if source.time_query is not None:
                    node.time = GuardedQuery(relation, source.time_query, _time_of)
            for name, source in topology.tables.items():
                reader = SourceReader(source, registry)
                relation = InputRelation(reader.schema, topology.setup, topology.functions)
                self.tables[name] = SourceNode(name, source, reader, relation)
            for operator in topology.operators:
                columns = [pa.field(column.name, column.type) for column in operator.columns]
                schema = pa.schema(
                    [*columns, pa.field(ROW, pa.int32()), pa.field(OP, pa.int8()), pa.field(TIME, pa.int64())]
                )
                relation = InputRelation(schema, topology.setup, topology.functions)
                stage = OperatorNode(operator, make_kernel(operator, topology.functions), relation, schema)
                stage.waiting = [[] for _ in operator.feeds]
                self._feed(operator)
                self.operators[operator.id] = stage
            read_as = {feed.source: feed.changes for item in topology.operators for feed in item.feeds}
            over = {item.kernel.feed.source for item in topology.operators if isinstance(item.kernel, Over)}
            for pipeline in topology.pipelines:
                sink, known = topology.sinks[pipeline.sink], ids[pipeline.sink]
                if pipeline.source in self.sources:
                    found = self.sources[pipeline.source]
                    # Of a row that is late the record itself is to be kept, where somebody wants it.
                    combines = self._late_topic is None
                    found.pipelines.append(
                        PipelineRunner(pipeline, sink, known, found.relation, combines=combines)
                    )
                else:
                    stage = self.operators[pipeline.source]
                    stage.is_repartitioned |= sink.internal
                    changes = stage.operator.changes
                    stage.pipelines.append(
                        ChangePipeline(
                            pipeline,
                            sink,
                            known,
                            stage.relation,
                            changes,
                            refusals,
                            read_as.get(pipeline.sink),
                            old_first=pipeline.sink in over,
                        )
                    )
        except BaseException:
            self.close()
            raise

    def _feed(self, operator: Operator) -> None:
        for index, feed in enumerate(operator.feeds):
            known = self.sources if feed in operator.task_feeds else self.tables
            if feed.source in known:
                source = known[feed.source]
                runner = FeedRunner(feed, source.relation, None)
                source.feeds.append(_Feeding(runner, operator.id, index))
            else:
                node = self.operators[feed.source]
                runner = FeedRunner(feed, node.relation, node.operator.changes)
                node.feeds.append(_Feeding(runner, operator.id, index))

    # -- one step

    def process(self, arrived: Sequence[Arrived]) -> Step:
        """Take records through; raises RegistryUnavailableError before any state has changed."""
        step = Step()
        meeting: dict[str, list[tuple[Output, Arrived]]] = {}
        read = []
        for item in arrived:
            node = self.sources[item.source]
            found = node.reader.read(item.records)
            read.append((item, node, found.rows, found.faults))
        for item, node, rows, faults in read:
            if refused := self.refusals.find(node.topic.topic, item.records):
                faults.update(refused)
                rows = rows.filter(
                    pc.invert(pc.is_in(rows.column(ROW), value_set=pa.array(refused, pa.int32())))
                )
            for pipeline in node.pipelines:
                for output in pipeline.process(rows, item.records, faults):
                    if output.topic in self._repartitions:
                        meeting.setdefault(output.topic, []).append((output, item))
                    else:
                        step.sendings.append(Sending(output, item.records))
            if node.feeds:
                lineage = _lineage_of(item)
                for feeding in node.feeds:
                    fed = feeding.runner.run(rows, lineage, faults)
                    if fed is not None:
                        waiting = self.operators[feeding.operator].waiting[feeding.index]
                        waiting.append(_Input(fed, item.records, faults))
        for parts in meeting.values():
            step.sendings += gathered(parts)
        for operator in self.operators.values():
            self._work(operator, step)
        for item, _, _, faults in read:
            self._judge(item.records, faults, step)
        return step

    def update(self, table: str, records: pa.RecordBatch) -> Judged:
        """Bring a table that is whole here up to date, and say what is to be done about records that failed.

        What it holds is there at once, and stays: a rollback does not concern it.

        Raises:
            RegistryUnavailableError: nothing was taken.
        """
        node = self.tables[table]
        found = node.reader.read(records)
        count = records.num_rows
        kinds = np.full(count, RowKind.INSERT, np.int8)
        whole = np.full(count, WHOLE, np.int32)
        lineage = Lineage(whole, np.arange(count, dtype=np.int64), _record_times(records), kinds)
        for feeding in node.feeds:
            fed = feeding.runner.run(found.rows, lineage, found.faults)
            if fed is not None:
                kernel = self.operators[feeding.operator].kernel
                kernel.process([None, fed.batch])
                kernel.changes()
                kernel.committed({WHOLE: 0})
        return self.policies.judge(records, found.faults)

    def advance(self, times: Mapping[int, int], operators: Sequence[str]) -> Step:
        """Move the stream time of tasks on, by partition, for these operators."""
        step = Step()
        for name, node in self.operators.items():
            self._work(node, step)
            if name in operators:
                for partition, time in times.items():
                    self._pass_on(node, node.kernel.advance(partition, time).rows, step)
        return step

    def flush(self) -> Step:
        """Give what waits for a commit, and what comes of it further on."""
        step = Step()
        for node in self.operators.values():
            self._work(node, step)
            self._pass_on(node, node.kernel.flush(), step)
        return step

    def _work(self, node: OperatorNode, step: Step) -> None:
        """Let an operator process what waits for it."""
        if not any(node.waiting):
            return
        inputs = [_joined(items) for items in node.waiting]
        node.waiting = [[] for _ in inputs]
        if node.latest is not None:
            _note_latest(node.latest, [item.fed.batch for item in inputs if item is not None])
        done = node.kernel.process([None if item is None else item.fed.batch for item in inputs])
        for index, row, reason in done.failed:
            self._kernel_failed(node, inputs[index], row, reason, step)
        for feed, item, late in zip(node.operator.feeds, inputs, done.late, strict=True):
            if item is not None and len(late):
                self._late(node, feed, item, late, step)
        self._pass_on(node, done.rows, step)

    def _pass_on(self, node: OperatorNode, rows: pa.RecordBatch, step: Step) -> None:
        """Hand rows of an operator to everything that reads it."""
        if not rows.num_rows:
            return
        if node.is_repartitioned:
            rows = _in_order(rows)
        faults: dict[int, Fault] = {}
        lineage = Lineage(*(rows.column(index).to_numpy() for index in range(len(LEADING))))
        relation = pa.RecordBatch.from_arrays(
            [
                *rows.columns[len(LEADING) :],
                pa.array(np.arange(rows.num_rows, dtype=np.int32)),
                rows.column(OP),
                rows.column(TIME),
            ],
            schema=node.relation_schema,
        )
        for pipeline in node.pipelines:
            for output in pipeline.process(relation, lineage, faults):
                step.sendings.append(Sending(output, None))
        for feeding in node.feeds:
            fed = feeding.runner.run(relation, lineage, faults)
            if fed is not None:
                self.operators[feeding.operator].waiting[feeding.index].append(_Input(fed))
        if faults:
            self._judge(_stand_in(node.operator.id, lineage, sorted(faults)), _renumbered(faults), step)

    def _kernel_failed(
        self, node: OperatorNode, item: _Input | None, row: int, reason: str, step: Step
    ) -> None:
        assert item is not None
        fault = Fault(Stage.COMPUTE, reason)
        if item.faults is not None:
            item.faults.setdefault(int(item.fed.rows[row]), fault)
            return
        batch = item.fed.batch.slice(row, 1)
        lineage = Lineage(*(batch.column(index).to_numpy() for index in range(len(LEADING))))
        self._judge(_stand_in(node.operator.id, lineage, [0]), {0: fault}, step)

    def _late(self, node: OperatorNode, feed: Feed, item: _Input, late: pa.Int32Array, step: Step) -> None:
        rows = np.unique(item.fed.rows[late.to_numpy()])
        count = len(rows)
        if feed.parts:
            stands_for = item.fed.batch.column(len(LEADING) + len(feed.key))
            count = int(pc.sum(stands_for.take(late)).as_py())
        name = node.operator.id
        step.late[name] = step.late.get(name, 0) + count
        if self._late_topic is None or item.records is None:
            return
        chosen = pa.array(rows, pa.int32())
        letters = late_records(item.records, chosen, name, self._application)
        step.sendings.append(Sending(Output(self._late_topic, letters, chosen), item.records))

    def _judge(self, records: pa.RecordBatch, faults: Mapping[int, Fault], step: Step) -> None:
        judged = self.policies.judge(records, faults)
        if judged.stops:
            step.stops += _first_of_each(records, judged.stops, faults, self.policies)
            return
        step.failed += judged.failed
        if judged.letters is not None:
            step.sendings.append(Sending(judged.letters, records, letter=True))

    # -- state

    def limit(self, memory: int) -> None:
        """Share so many bytes out among the kernels, for what need not be in memory."""
        for node in self.operators.values():
            node.kernel.limit(memory // len(self.operators))

    def rollback(self) -> None:
        """Go back to what was last committed."""
        for node in self.operators.values():
            node.waiting = [[] for _ in node.waiting]
            node.kernel.rollback()

    def times(self, source: str, records: pa.RecordBatch) -> npt.NDArray[np.int64]:
        """Give the time by which n records of a source are put in order with those of other inputs.

        A record that cannot be read, or whose time cannot be computed, stands by its timestamp until it fails.
        """
        node = self.sources[source]
        times = _record_times(records)
        if node.time is not None:
            found = node.reader.read(records)
            for rows, values in node.time.run(found.rows, found.faults):
                times = times.copy()
                times[rows] = np.maximum(values, 0)
        return times

    def close(self) -> None:
        """Free the DuckDB connections."""
        for source in (*self.sources.values(), *self.tables.values()):
            source.relation.close()
        for operator in self.operators.values():
            operator.relation.close()
        self.sources.clear()
        self.tables.clear()
        self.operators.clear()


def _in_order(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Put rows of several tasks in the order of what they came of; a kernel gives them task by task."""
    seq = rows.column(SEQ).to_numpy()
    if (seq[1:] >= seq[:-1]).all():
        return rows
    return rows.take(pa.array(np.argsort(seq, kind="stable"), pa.int64()))


def _lineage_of(arrived: Arrived) -> Lineage:
    records = arrived.records
    kinds = np.full(records.num_rows, RowKind.INSERT, np.int8)
    return Lineage(records.column("partition").to_numpy(), arrived.seq, _record_times(records), kinds)


def _record_times(records: pa.RecordBatch) -> npt.NDArray[np.int64]:
    """Give the timestamps in ms; a record without one, or from before 1970, counts as of 1970."""
    times = records.column("timestamp").cast(pa.int64()).fill_null(0)
    return np.maximum(cast("npt.NDArray[np.int64]", times.to_numpy(zero_copy_only=False)), 0)


def _time_of(batch: pa.RecordBatch) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    there = batch.filter(pc.is_valid(batch.column(1)))
    return there.column(0).to_numpy(), there.column(1).cast(pa.int64()).to_numpy()


def _note_latest(latest: dict[int, int], batches: Sequence[pa.RecordBatch]) -> None:
    for batch in batches:
        partitions, times = batch.column(PARTITION).to_numpy(), batch.column(TIME).to_numpy()
        for partition in np.unique(partitions).tolist():
            most = int(times[partitions == partition].max())
            latest[partition] = max(most, latest.get(partition, most))


def _joined(items: Sequence[_Input]) -> _Input | None:
    """Put what came in several pieces together; only what operators give does."""
    if not items:
        return None
    if len(items) == 1:
        return items[0]
    table = pa.Table.from_batches([item.fed.batch for item in items]).combine_chunks()
    return _Input(Fed(table.to_batches()[0], np.concatenate([item.fed.rows for item in items])))


def _stand_in(operator: str, lineage: Lineage, rows: Sequence[int]) -> pa.RecordBatch:
    """Give what stands for records where rows of an operator have failed: there is no single record behind them."""
    count = len(rows)
    return pa.RecordBatch.from_arrays(
        [
            pa.repeat(pa.scalar(operator), count),
            pa.array(lineage.partition[rows], pa.int32()),
            pa.array([-1] * count, pa.int64()),
            pa.array(lineage.time[rows], pa.int64()).cast(TIMESTAMP),
            pa.nulls(count, pa.binary()),
            pa.nulls(count, pa.binary()),
            pa.nulls(count, HEADERS),
        ],
        names=["topic", "partition", "offset", "timestamp", "key", "value", "headers"],
    )


def _renumbered(faults: Mapping[int, Fault]) -> dict[int, Fault]:
    return {place: faults[row] for place, row in enumerate(sorted(faults))}


def _first_of_each(
    records: pa.RecordBatch, stops: Sequence[int], faults: Mapping[int, Fault], policies: Policies
) -> list[FailedRecord]:
    """Give the first record of each partition that ends the run."""
    first: dict[int, int] = {}
    partitions = records.column("partition").to_numpy()
    for row in stops:
        first.setdefault(int(partitions[row]), row)
    return [policies.failed(records, row, faults[row]) for row in first.values()]
