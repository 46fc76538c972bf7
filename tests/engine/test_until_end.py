"""`until_end` comes to its end whatever stands, or no longer stands, at the ends of the inputs."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from headrace.engine import Processor, ProcessorOptions
from headrace.engine.ends import EndOfInput
from headrace.formats.interface import Format, Side
from headrace.log.interface import ConsumerOptions, Log, ProducerOptions, TopicDescription, TopicPartition
from headrace.log.kafka import KafkaConsumer, KafkaProducer
from headrace.plan.topology import ErrorPolicy, Guarantee, RunSettings
from tests.engine.programs import (
    committed,
    create,
    doubling,
    expected,
    fill,
    numbers,
    read,
    results,
    unique,
)
from tests.recovery.programs import Workload, plan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headrace.plan.topology import Topology

SECONDS = 20.0


def transact(log: Log, topic: str, values: Iterable[int], partition: int, *, commit: bool = True) -> None:
    """Write a transaction: on Kafka its marker is the last offset of the partition, and no record."""
    producer, member = (
        log.producer(ProducerOptions(transactional_id=unique("writer"))),
        log.consumer(ConsumerOptions(group=unique("group"))),
    )
    try:
        data = pa.array(numbers(values), pa.binary())
        producer.begin()
        producer.send(
            topic,
            pa.record_batch({"value": data, "partition": pa.array([partition] * len(data), pa.int32())}),
        )
        assert producer.flush(SECONDS) == []
        if commit:
            producer.commit({}, member)
        else:
            producer.abort()
    finally:
        producer.close()
        member.close()


def run(log: Log, topology: Topology, *applications: str) -> None:
    """Run a processor for each name, all at once, until each has come to the end."""
    processors = [
        Processor(topology, log, None, ProcessorOptions(name, until_end=True)) for name in applications
    ]
    threads = [threading.Thread(target=processor.run) for processor in processors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    late = [thread for thread in threads if thread.is_alive()]
    for processor in processors:
        processor.stop()
    for thread in late:
        thread.join(SECONDS)
    assert not late, "the end was not reached"


@pytest.mark.parametrize("guarantee", list(Guarantee))
@pytest.mark.parametrize("members", [1, 2])
def test_only_the_end_of_a_transaction_is_left(log: Log, guarantee: Guarantee, members: int) -> None:
    source, sink, application = create(log, unique("in"), 3), unique("out"), unique("app")
    for partition in range(3):
        transact(log, source, range(partition * 10, partition * 10 + 10), partition)
    member = log.consumer(ConsumerOptions(group=application))
    member.commit({TopicPartition(source, partition): 10 for partition in (0, 1)})
    member.close()
    run(log, doubling(source, sink, RunSettings(guarantee=guarantee)), *[application] * members)
    assert results(log, sink) == expected(range(20, 30))


def test_partitions_without_a_committed_record(log: Log) -> None:
    source, sink = create(log, unique("in"), 3), unique("out")
    transact(log, source, range(10), 0, commit=False)
    transact(log, source, range(10, 20), 1)
    run(log, doubling(source, sink, RunSettings()), unique("app"))
    assert results(log, sink) == expected(range(10, 20))


def test_the_end_of_a_transaction_is_met_again_after_a_rewind(log: Log) -> None:
    """A target refuses a record of one partition: the others are sent back too, and have nothing left to give."""
    source, sink, letters, application = (
        create(log, unique("in"), 2),
        unique("out"),
        unique("dead"),
        unique("app"),
    )
    admin = log.admin()
    admin.create(TopicDescription(sink, partitions=1, configs={"max.message.bytes": "10000"}))
    admin.close()
    settings = RunSettings(
        on_write_error=ErrorPolicy.DLQ,
        dead_letter_topic=letters,
        producer_client={"compression.type": "none", "batch.num.messages": "1"},
    )
    query = "SELECT _row, c0 AS v0, repeat('x', CASE WHEN c0 = 77 THEN 20000 ELSE 10 END) AS v1 FROM input"
    wide = Side(Format.JSON, pa.struct([("n", pa.int64()), ("wide", pa.string())]))
    topology = doubling(source, sink, settings, query=query, result=wide, partitions=1)
    transact(log, source, range(10), 0)
    member = log.consumer(ConsumerOptions(group=application))
    member.commit({TopicPartition(source, 0): 10})
    member.close()
    fill(log, source, numbers([77]), partition=1)
    run(log, topology, application)
    assert [json.loads(row["value"])["n"] for row in read(log, letters)] == [77]
    assert committed(log, application, source)[TopicPartition(source, 1)] == 1


@pytest.mark.kafka
def test_a_transaction_of_a_killed_member_is_waited_for(kafka_log: Log) -> None:
    """Until the broker ends it, Kafka does not say how far the group has come; other partitions go on meanwhile."""
    source, sink, application = create(kafka_log, unique("in"), 2), unique("out"), unique("app")
    for partition in range(2):
        fill(kafka_log, source, numbers(range(partition * 10, partition * 10 + 10)), partition=partition)
    killed = kafka_log.producer(
        ProducerOptions(
            transactional_id=unique("killed"),
            properties={
                "transaction.timeout.ms": "5000",
                "socket.timeout.ms": "4000",
                "message.timeout.ms": "4000",
            },
        )
    )
    member = kafka_log.consumer(ConsumerOptions(group=application))
    assert isinstance(killed, KafkaProducer)
    assert isinstance(member, KafkaConsumer)
    killed.begin()
    killed._native.send_offsets([(source, 0, 10)], member.group_metadata(), SECONDS)
    begun = time.monotonic()
    ends = EndOfInput({TopicPartition(source, 0): 10}, member)
    assert not ends.reached({})
    assert time.monotonic() - begun < 4.0
    run(kafka_log, doubling(source, sink, RunSettings()), application)
    assert results(kafka_log, sink) == expected(range(20))
    killed.close()
    member.close()


@pytest.mark.kafka
def test_what_stands_behind_the_transaction_of_a_killed_member_belongs_to_the_program(kafka_log: Log) -> None:
    """The records go on to a repartition topic, and come to be seen there when the broker has ended the transaction."""
    work = Workload(kafka_log, "windows", unique("app"))
    work.grow(100)
    topology = plan(kafka_log, "windows", work.name, RunSettings())

    def run_to_the_end() -> None:
        Processor(topology, kafka_log, None, ProcessorOptions(work.name, until_end=True)).run()

    run_to_the_end()
    repartition = f"{work.name}-{work.name}-windows-aggregate-repartition"
    killed = kafka_log.producer(ProducerOptions(transactional_id=unique("killed")))
    killed.begin()
    everywhere = pa.array(range(4), pa.int32())
    killed.send(repartition, pa.record_batch({"value": pa.array([b"x"] * 4), "partition": everywhere}))
    assert killed.flush(SECONDS) == []
    work.end()
    ending = threading.Thread(target=run_to_the_end)
    ending.start()
    ending.join(1.5)
    assert ending.is_alive(), "ended before what had come of the last records was seen"
    killed.abort()
    killed.close()
    ending.join(SECONDS)
    assert not ending.is_alive()
    assert work.faults() == []
