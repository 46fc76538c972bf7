"""Records behind a transaction that does not end are told of, whoever wrote them."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from headrace.engine import Processor, ProcessorOptions
from headrace.engine.open_transactions import OpenTransactions
from headrace.engine.state.naming import named
from headrace.log.interface import ConsumerOptions, ProducerOptions, TopicPartition
from headrace.plan.topology import RunSettings
from headrace.telemetry.metrics import Metrics
from tests.engine.programs import create, doubling, fill, numbers, unique
from tests.engine.running import running, wait_for
from tests.engine.stateful import counting

if TYPE_CHECKING:
    from headrace.log.interface import Log, Producer

EVENT = "transaction_open"


class Clock:
    """A clock that a test moves, in seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def begun(log: Log, topic: str) -> Producer:
    """Give a producer whose transaction holds a record of partition 0."""
    producer = log.producer(ProducerOptions(transactional_id=unique("writer")))
    producer.begin()
    records = {"value": pa.array(numbers([1]), pa.binary()), "partition": pa.array([0], pa.int32())}
    producer.send(topic, pa.record_batch(records))
    assert producer.flush(20.0) == []
    return producer


def told(metrics: Metrics) -> int:
    return metrics.snapshot().events.get(EVENT, 0)


@pytest.mark.kafka
@pytest.mark.parametrize("which", ["input", "changelog"])
def test_records_that_wait_for_a_minute_are_told_of_once(
    kafka_log: Log, which: str, caplog: pytest.LogCaptureFixture
) -> None:
    source, sink = create(kafka_log, unique("source"), 2), create(kafka_log, unique("sink"), 2)
    topology = named(counting(source, sink, RunSettings(), partitions=2), unique("app"))
    changelog = create(kafka_log, topology.operators[0].store.changelog.name, 2)
    topic = {"input": source, "changelog": changelog}[which]
    fill(kafka_log, source, numbers(range(10)))
    metrics, clock = Metrics(), Clock()
    owned = {TopicPartition(source, 0), TopicPartition(source, 1)}
    with closing(OpenTransactions(topology, kafka_log, metrics, clock=clock)) as transactions:

        def look(at: float) -> int:
            clock.now = at
            transactions.look(owned)
            return told(metrics)

        with (
            closing(begun(kafka_log, topic)) as producer,
            closing(kafka_log.consumer(ConsumerOptions(group=unique("group")))) as member,
        ):
            assert look(20.0) == 0
            assert look(79.0) == 0
            assert look(100.0) == 1
            assert f"`{topic}`[0] from offset" in caplog.text
            assert look(130.0) == 1
            producer.commit({}, member)
        # Another one counts from its own beginning.
        with closing(begun(kafka_log, topic)):
            assert look(160.0) == 1
            assert look(700.0) == 2


@pytest.mark.kafka
def test_a_processor_looks_at_what_it_owns(kafka_log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_LOOK", "_LONG"):
        monkeypatch.setattr(f"headrace.engine.open_transactions.{name}", 0.1)
    source, sink = create(kafka_log, unique("source"), 1), create(kafka_log, unique("sink"), 1)
    processor = Processor(
        doubling(source, sink, RunSettings()), kafka_log, None, ProcessorOptions(unique("app"))
    )
    with running(processor):
        with closing(begun(kafka_log, source)):
            wait_for(lambda: told(processor.metrics) > 0)
        assert told(processor.metrics) == 1
