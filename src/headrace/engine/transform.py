"""All that happens to a batch between reading and sending: decode, query, encode, error policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from headrace.engine.pipeline import Output, PipelineRunner, SchemaIds
from headrace.engine.query import InputRelation
from headrace.engine.source import SourceReader
from headrace.log.interface import TopicPartition
from headrace.plan.topology import ROW, Topology

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headrace.engine.policy import FailedRecord, Policies
    from headrace.engine.refusals import Refusals
    from headrace.formats.interface import Registry


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
        self,
        topology: Topology,
        registry: Registry | None,
        ids: Mapping[str, SchemaIds],
        policies: Policies,
        refusals: Refusals,
    ) -> None:
        self.policies = policies
        self.refusals = refusals
        self._relations: list[InputRelation] = []
        self._readers: dict[str, SourceReader] = {}
        self._pipelines: dict[str, list[PipelineRunner]] = {}
        try:
            for name, source in topology.sources.items():
                reader = SourceReader(source, registry)
                relation = InputRelation(reader.schema, topology.setup, topology.functions)
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

    def process(self, records: pa.RecordBatch) -> Transformed:
        """Process a batch of one topic. After RegistryUnavailableError the same batch can be tried again."""
        topic = records.column("topic")[0].as_py()
        read = self._readers[topic].read(records)
        faults, rows = read.faults, read.rows
        if refused := self.refusals.find(topic, records):
            faults.update(refused)
            rows = rows.filter(pc.invert(pc.is_in(rows.column(ROW), value_set=pa.array(refused, pa.int32()))))
        outputs = [
            output
            for pipeline in self._pipelines[topic]
            for output in pipeline.process(rows, records, faults)
        ]
        if not faults:
            return Transformed(records, outputs, None, ())
        judged = self.policies.judge(records, faults)
        if judged.stops:
            return self._until(records, judged.stops, judged.failed[0])
        return Transformed(records, outputs, judged.letters, judged.failed)

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

    def close(self) -> None:
        """Free the DuckDB connections."""
        for relation in self._relations:
            relation.close()
        self._relations.clear()
