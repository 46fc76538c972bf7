"""What the log or the registry does wrong while a processor runs."""

from __future__ import annotations

import json
import logging
import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from headrace.catalog import Catalog
from headrace.engine import Processor, ProcessorOptions
from headrace.errors import RunError
from headrace.errors.codes import log as codes
from headrace.formats.interface import Format, Side
from headrace.log import open_log
from headrace.log.errors import LogError
from headrace.log.interface import ProducerOptions, TopicDescription, TopicPartition
from headrace.plan.topology import ErrorPolicy, Guarantee, RunSettings
from headrace.planner import plan_program
from headrace.sql import parse_program
from tests.engine.programs import committed, create, doubling, expected, fill, numbers, read, results, unique
from tests.engine.running import running

if TYPE_CHECKING:
    from headrace.log.interface import Log
    from headrace.plan.topology import Topology
    from tests.servers.kafka import KafkaAddress, KafkaServer

WIDE = Side(Format.JSON, pa.struct([("n", pa.int64()), ("wide", pa.string())]))
WIDENING = "SELECT _row, c0 AS v0, repeat('x', CASE WHEN c0 % 5 = 2 THEN 20000 ELSE 10 END) AS v1 FROM input"


def wait_until_committed(log: Log, application: str, topic: str, count: int, timeout: float = 40.0) -> None:
    """Wait for the committed offsets: records that are done again after an abort are counted as consumed again."""
    deadline = time.monotonic() + timeout
    while sum(committed(log, application, topic).values()) < count:
        assert time.monotonic() < deadline, "the records were not committed in time"
        time.sleep(0.1)


def wait_until_consumed(processor: Processor, count: int, timeout: float = 40.0) -> None:
    deadline = time.monotonic() + timeout
    while sum(processor.metrics.snapshot().consumed.values()) < count:
        assert time.monotonic() < deadline, "the records were not read in time"
        time.sleep(0.05)


def widening(log: Log, settings: RunSettings) -> Topology:
    """Give a topology whose target refuses the records that are wide."""
    source, sink = create(log, unique("in"), 1), unique("out")
    admin = log.admin()
    admin.create(TopicDescription(sink, partitions=1, configs={"max.message.bytes": "10000"}))
    admin.close()
    fill(log, source, numbers(range(10)))
    return doubling(source, sink, settings, query=WIDENING, result=WIDE, partitions=1)


# Compression would make the wide records small again; batches of one let Kafka refuse one record alone.
CLIENT = {"compression.type": "none", "batch.num.messages": "1"}


def run(log: Log, topology: Topology, application: str) -> Processor:
    processor = Processor(topology, log, None, ProcessorOptions(application, until_end=True))
    processor.run()
    return processor


@pytest.mark.parametrize("guarantee", list(Guarantee))
def test_a_record_that_the_log_refuses_becomes_a_dead_letter(log: Log, guarantee: Guarantee) -> None:
    letters = unique("dead")
    settings = RunSettings(
        guarantee=guarantee,
        on_write_error=ErrorPolicy.DLQ,
        dead_letter_topic=letters,
        producer_client=CLIENT,
    )
    topology = widening(log, settings)
    processor = run(log, topology, unique("app"))
    (sink,) = topology.sinks
    assert [json.loads(row["value"])["n"] for row in read(log, sink)] == [0, 1, 3, 4, 5, 6, 8, 9]
    found = read(log, letters)
    assert sorted(json.loads(row["value"])["n"] for row in found) == [2, 7]
    assert {"key": "headrace.error.stage", "value": b"deliver"} in found[0]["headers"]
    assert sum(processor.metrics.snapshot().errors.values()) == 2


@pytest.mark.parametrize("guarantee", list(Guarantee))
def test_fail_stops_at_a_record_that_the_log_refuses(log: Log, guarantee: Guarantee) -> None:
    topology, application = (
        widening(log, RunSettings(guarantee=guarantee, producer_client=CLIENT)),
        unique("app"),
    )
    (source,), (sink,) = topology.sources, topology.sinks
    for _ in range(2):
        with pytest.raises(RunError, match=rf"RUN0101: record {source}\[0\]@2 failed in deliver"):
            run(log, topology, application)
        assert committed(log, application, source) == {TopicPartition(source, 0): 2}
    if guarantee is Guarantee.EXACTLY_ONCE:
        assert [json.loads(row["value"])["n"] for row in read(log, sink)] == [0, 1]


@pytest.mark.kafka
@pytest.mark.parametrize("guarantee", list(Guarantee))
def test_a_broker_that_restarts_is_waited_for_with_one_line_each_way(
    own_kafka: KafkaServer, guarantee: Guarantee, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "headrace")
    with open_log(own_kafka.url) as log:
        source, sink, application = create(log, unique("in")), unique("out"), unique("app")
        # Asked while it shuts down, the broker says that there are no brokers.
        settings = RunSettings(guarantee=guarantee, client={"topic.metadata.refresh.interval.ms": "20"})
        processor = Processor(
            doubling(source, sink, settings),
            log,
            None,
            ProcessorOptions(application),
        )
        with running(processor):
            fill(log, source, numbers(range(500)))
            wait_until_consumed(processor, 500)
            # What a slow start had to say does not count.
            caplog.clear()
            own_kafka.nodes[0].stop()
            deadline = time.monotonic() + 20
            while processor.ready() and time.monotonic() < deadline:
                time.sleep(0.05)
            assert not processor.ready()
            cpu = time.process_time()
            time.sleep(2)
            assert time.process_time() - cpu < 1.0
            own_kafka.nodes[0].launch()
            own_kafka.nodes[0].await_ready()
            fill(log, source, numbers(range(500, 1000)))
            wait_until_committed(log, application, source, 1000)
            deadline = time.monotonic() + 20
            while not processor.ready() and time.monotonic() < deadline:
                time.sleep(0.05)
            assert processor.ready()
            time.sleep(0.5)
        found = results(log, sink)
        assert sorted(set(found)) == expected(range(1000))
        if guarantee is Guarantee.EXACTLY_ONCE:
            assert found == expected(range(1000))
    lines = [record.getMessage() for record in caplog.records]
    assert len([line for line in lines if "cannot be reached" in line]) == 1
    assert len([line for line in lines if "is back after" in line]) == 1
    assert len(lines) < 15, lines


@pytest.mark.kafka
def test_a_source_that_is_deleted_while_running_ends_the_run(kafka: KafkaAddress) -> None:
    with open_log(kafka.url) as log:
        source, sink = create(log, unique("in")), unique("out")
        fill(log, source, numbers(range(10)))
        processor = Processor(
            doubling(source, sink, RunSettings()), log, None, ProcessorOptions(unique("app"))
        )
        with pytest.raises(LogError, match=f"topic `{source}` does not exist"):
            run_until_it_ends(processor, log, source)


@pytest.mark.parametrize("protocol", ["consumer", "classic"])
def test_one_of_several_sources_that_is_deleted_ends_the_run(log: Log, protocol: str) -> None:
    kept, gone, sink = create(log, unique("in")), create(log, unique("in")), unique("out")
    for topic in (kept, gone):
        fill(log, topic, numbers(range(5)))
    # The classic protocol leaves it to the client to notice, at its next look at the topics.
    client = {"group.protocol": protocol, "topic.metadata.refresh.interval.ms": "1000"}
    settings = RunSettings(client=client)
    one, other = doubling(kept, sink, settings), doubling(gone, sink, settings)
    topology = replace(
        one,
        sources={**one.sources, **other.sources},
        pipelines=(*one.pipelines, *(replace(item, id="other") for item in other.pipelines)),
    )
    processor = Processor(topology, log, None, ProcessorOptions(unique("app")))
    with pytest.raises(LogError, match=gone) as caught:
        run_until_it_ends(processor, log, gone)
    assert caught.value.diagnostics[0].code == codes.NO_SUCH_TOPIC


def run_until_it_ends(processor: Processor, log: Log, source: str) -> None:
    with running(processor):
        wait_until_consumed(processor, 10)
        admin = log.admin()
        admin.delete(source)
        admin.close()
        deadline = time.monotonic() + 30
        while processor.live() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not processor.live()


def test_a_fenced_processor_joins_anew_and_doubles_nothing(log: Log) -> None:
    """A second producer with the same transactional id takes over in the middle."""
    source, sink, application = create(log, unique("in")), unique("out"), unique("app")
    fill(log, source, numbers(range(3000)))
    processor = Processor(
        doubling(source, sink, RunSettings(client={"group.protocol": "classic"}, commit_interval=0.05)),
        log,
        None,
        ProcessorOptions(application, instance="one", batch_records=50),
    )
    with running(processor):
        wait_until_consumed(processor, 200)
        intruder = log.producer(ProducerOptions(transactional_id=f"{application}-one-0"))
        intruder.begin()
        intruder.abort()
        intruder.close()
        wait_until_consumed(processor, 3000)
        fill(log, source, numbers(range(3000, 3100)))
        time.sleep(1.0)
        wait_until_consumed(processor, 3100)
    Processor(
        doubling(source, sink, RunSettings()), log, None, ProcessorOptions(application, until_end=True)
    ).run()
    assert results(log, sink) == expected(range(3100))
    assert processor.metrics.snapshot().events["member_fenced"] >= 1


@pytest.mark.kafka
def test_no_topic_is_made_if_the_broker_would_refuse_one_of_them(kafka: KafkaAddress) -> None:
    names = {"source": unique("seen"), "first": unique("first"), "second": unique("second")}
    text = """
        SET defaults.topic.autocreate = true;
        SET topic.`{second}`.cleanup.policy = 'compcat';
        INSERT INTO {first} SELECT STREAM n, COUNT(*) AS many FROM {source} GROUP BY n;
        INSERT INTO {second} SELECT STREAM n FROM {source};
    """
    with open_log(kafka.url) as log:
        create(log, names["source"], 1)
        fill(log, names["source"], [b'{"n": 1}'])
        with closing(Catalog(log, None)) as catalog:
            topology = plan_program(parse_program(text.format(**names)), catalog)
        with pytest.raises(LogError) as refused:
            Processor(topology, log, None, ProcessorOptions(names["first"], until_end=True)).run()
        assert names["second"] in refused.value.diagnostics[0].message
        assert "compcat" in refused.value.diagnostics[0].message
        with closing(log.admin()) as admin:
            assert [name for name in admin.topics() if name in names.values() or names["first"] in name] == [
                names["source"]
            ]
