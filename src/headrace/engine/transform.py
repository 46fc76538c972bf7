"""All that happens to a batch between reading and sending: decode, query, encode, error policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from headrace.engine.deadletter import dead_letters
from headrace.engine.faults import Fault, Stage
from headrace.engine.pipeline import Output, PipelineRunner, SchemaIds
from headrace.engine.query import InputRelation
from headrace.engine.source import SourceReader
from headrace.log.interface import TopicPartition
from headrace.plan.topology import ROW, ErrorPolicy, Topology

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headrace.formats.interface import Registry


@dataclass(frozen=True, slots=True)
class FailedRecord:
    """A record with its place, its fault and the policy that applies; it stands for others that failed like it.

    Args:
        records: how many failed in the same stage of the same batch, with this one, the first of them.
    """

    partition: TopicPartition
    offset: int
    fault: Fault
    policy: ErrorPolicy
    records: int = 1


@dataclass(frozen=True, slots=True)
class Transformed:
    """What is to be done for a batch of one topic.

    Args:
        records: those that were processed: all of the batch, or with `stop` what stands before that record.
        outputs: to send, in this order.
        letters: to send to the dead letter topic.
        failed: records that went to the error policy, one for all of a stage.
        stop: the record at which the policy `fail` ends the run.
        cut: with `stop`, the offset in each partition from which on nothing was processed.
    """

    records: pa.RecordBatch
    outputs: Sequence[Output]
    letters: Output | None
    failed: Sequence[FailedRecord]
    stop: FailedRecord | None = None
    cut: Mapping[TopicPartition, int] | None = None


class Transformer:
    """The compiled pipelines of a topology. Belongs to one thread."""

    def __init__(
        self, topology: Topology, registry: Registry | None, ids: Mapping[str, SchemaIds], application: str
    ) -> None:
        self._settings = topology.settings
        self._application = application
        self._relations: list[InputRelation] = []
        self._readers: dict[str, SourceReader] = {}
        self._pipelines: dict[str, list[PipelineRunner]] = {}
        self._refused: dict[str, dict[tuple[int, int], str]] = {}
        try:
            for name, source in topology.sources.items():
                reader = SourceReader(source, registry)
                relation = InputRelation(reader.schema, topology.setup)
                self._relations.append(relation)
                self._readers[source.topic] = reader
                self._pipelines[source.topic] = [
                    PipelineRunner(pipeline, topology.sinks[pipeline.sink], ids[pipeline.sink], relation)
                    for pipeline in topology.pipelines
                    if pipeline.source == name
                ]
        except BaseException:
            self.close()
            raise

    def refuse(self, partition: TopicPartition, offset: int, reason: str) -> None:
        """Treat this record as failed from now on: the log has refused what came out of it."""
        self._refused.setdefault(partition.topic, {})[partition.partition, offset] = reason

    def forget(self, committed: Mapping[TopicPartition, int]) -> None:
        """Drop refused records that are behind these offsets: they are settled."""
        for partition, offset in committed.items():
            refused = self._refused.get(partition.topic, {})
            for number, place in [*refused]:
                if number == partition.partition and place < offset:
                    del refused[number, place]

    def process(self, records: pa.RecordBatch) -> Transformed:
        """Process a batch of one topic. After RegistryUnavailableError the same batch can be tried again."""
        topic = records.column("topic")[0].as_py()
        read = self._readers[topic].read(records)
        faults, rows = read.faults, read.rows
        if refused := self._find_refused(topic, records):
            faults.update(refused)
            rows = rows.filter(pc.invert(pc.is_in(rows.column(ROW), value_set=pa.array(refused, pa.int32()))))
        outputs = [
            output
            for pipeline in self._pipelines[topic]
            for output in pipeline.process(rows, records, faults)
        ]
        if not faults:
            return Transformed(records, outputs, None, ())
        by_stage: dict[Stage, list[int]] = {}
        for row in sorted(faults):
            by_stage.setdefault(faults[row].stage, []).append(row)
        policies = {stage: stage.policy(self._settings) for stage in by_stage}
        stops = sorted(
            row for stage in by_stage if policies[stage] is ErrorPolicy.FAIL for row in by_stage[stage]
        )
        if stops:
            return self._until(records, stops, self._failed(topic, records, stops[0], faults[stops[0]]))
        failed = [
            self._failed(topic, records, rows_[0], faults[rows_[0]], len(rows_))
            for rows_ in by_stage.values()
        ]
        dead = sorted(
            row for stage in by_stage if policies[stage] is ErrorPolicy.DLQ for row in by_stage[stage]
        )
        letters = self._dead(records, {row: faults[row] for row in dead}) if dead else None
        return Transformed(records, outputs, letters, failed)

    def _until(self, records: pa.RecordBatch, stops: Sequence[int], first: FailedRecord) -> Transformed:
        cut: dict[TopicPartition, int] = {}
        bad = records.select(["partition", "offset"]).take(pa.array(stops, pa.int32()))
        for number in set(bad.column("partition").to_numpy().tolist()):
            there = pc.equal(bad.column("partition"), pa.scalar(number, pa.int32()))
            lowest = pc.min(bad.column("offset").filter(there)).as_py()
            cut[TopicPartition(first.partition.topic, number)] = lowest
        before = records
        for partition, offset in cut.items():
            there = pc.equal(before.column("partition"), pa.scalar(partition.partition, pa.int32()))
            late = pc.greater_equal(before.column("offset"), pa.scalar(offset, pa.int64()))
            before = before.filter(pc.invert(pc.and_(there, late)))
        if not before.num_rows:
            return Transformed(before, (), None, (), first, cut)
        done = self.process(before)
        return Transformed(
            done.records, done.outputs, done.letters, done.failed, first, {**cut, **(done.cut or {})}
        )

    def letter(self, record: pa.RecordBatch, fault: Fault) -> Output:
        """Give the dead letter of a batch of one record."""
        return self._dead(record, {0: fault})

    def _dead(self, records: pa.RecordBatch, faults: Mapping[int, Fault]) -> Output:
        topic = self._settings.dead_letter_topic
        assert topic is not None
        return Output(topic, dead_letters(records, faults, self._application), pa.array(faults, pa.int32()))

    def _failed(
        self, topic: str, records: pa.RecordBatch, row: int, fault: Fault, count: int = 1
    ) -> FailedRecord:
        partition = TopicPartition(topic, records.column("partition")[row].as_py())
        return FailedRecord(
            partition, records.column("offset")[row].as_py(), fault, fault.stage.policy(self._settings), count
        )

    def _find_refused(self, topic: str, records: pa.RecordBatch) -> dict[int, Fault]:
        found: dict[int, Fault] = {}
        for (partition, offset), reason in self._refused.get(topic, {}).items():
            matches = pc.and_(
                pc.equal(records.column("partition"), pa.scalar(partition, pa.int32())),
                pc.equal(records.column("offset"), pa.scalar(offset, pa.int64())),
            )
            row = pc.index(matches, True).as_py()
            if row >= 0:
                found[row] = Fault(Stage.DELIVER, reason)
        return found

    def close(self) -> None:
        """Free the DuckDB connections."""
        for relation in self._relations:
            relation.close()
        self._relations.clear()
