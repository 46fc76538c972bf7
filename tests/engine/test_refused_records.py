"""Outputs that the log refuses, and policies that differ by side: what is good is written, what is bad goes to its policy."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from headrace.engine import Processor, ProcessorOptions
from headrace.errors import RunError
from headrace.log.interface import Log, ProducerOptions, TopicDescription, TopicPartition
from headrace.plan.topology import Guarantee
from tests.engine.hostile import planned
from tests.engine.programs import committed, create, fill, read, unique

if TYPE_CHECKING:
    from headrace.plan.topology import Topology

LARGE = 5_000


def run(log: Log, topology: Topology, application: str, batch: int = 16_384) -> Processor:
    options = ProcessorOptions(application, until_end=True, batch_records=batch, lag_interval=0)
    processor = Processor(topology, log, None, options)
    processor.run()
    return processor


def with_limit(log: Log, topic: str, limit: int, partitions: int = 1) -> str:
    admin = log.admin()
    try:
        admin.create(TopicDescription(topic, partitions, configs={"max.message.bytes": str(limit)}))
    finally:
        admin.close()
    return topic


def numbers_in(log: Log, topic: str) -> list[int]:
    return [json.loads(row["value"])["n"] for row in read(log, topic)]


@pytest.mark.parametrize("guarantee", list(Guarantee))
@pytest.mark.parametrize("policy", ["continue", "dlq"])
def test_records_too_large_for_the_target_go_alone(log: Log, guarantee: Guarantee, policy: str) -> None:
    """Many records fit into the target one by one and not in one batch; a broker refuses batches."""
    source, sink, letters = (
        create(log, unique("in"), 1),
        with_limit(log, unique("out"), 2_000),
        unique("dead"),
    )
    large = {0, 57, 58, 199}
    fill(
        log,
        source,
        [
            json.dumps({"n": number, "s": "x" * (LARGE if number in large else 60)}).encode()
            for number in range(200)
        ],
    )
    topology = planned(
        log,
        None,
        f"SET processing.guarantee='{guarantee}'; SET error.policy='{policy}'; SET dead.letter.queue='{letters}';"
        f"CREATE TABLE `{source}` (n INT, s STRING) FORMAT (BYTES, JSON);"
        f"INSERT INTO `{sink}` SELECT STREAM n, s FROM `{source}`",
    )
    processor = run(log, topology, unique("app"))
    found = numbers_in(log, sink)
    if guarantee is Guarantee.EXACTLY_ONCE:
        assert found == [number for number in range(200) if number not in large]
    else:
        assert sorted(set(found)) == [number for number in range(200) if number not in large]
    assert sum(processor.metrics.snapshot().errors.values()) == len(large)
    if policy == "dlq":
        dead = read(log, letters)
        assert [json.loads(row["value"])["n"] for row in dead] == sorted(large)
        assert {"key": "headrace.error.stage", "value": b"deliver"} in dead[0]["headers"]


def test_a_dead_letter_topic_takes_what_its_source_takes(log: Log) -> None:
    """The source takes records larger than the default of a topic; the dead letter topic is made for it."""
    source, sink, letters = with_limit(log, unique("in"), 4_000_000), unique("out"), unique("dead")
    value = b'{"n":"no number", "s":"' + b"x" * 3_000_000 + b'"}'
    producer = log.producer(ProducerOptions(record_limits=(4_000_000, 4_000_000)))
    try:
        producer.send(
            source, pa.record_batch({"value": pa.array([b'{"n":1}', value, b'{"n":2}'], pa.binary())})
        )
        assert producer.flush(30) == []
    finally:
        producer.close()
    topology = planned(
        log,
        None,
        f"SET error.policy='dlq'; SET dead.letter.queue='{letters}';"
        f"CREATE TABLE `{source}` (n INT, s STRING) FORMAT (BYTES, JSON);"
        f"INSERT INTO `{sink}` SELECT STREAM n FROM `{source}`",
    )
    run(log, topology, unique("app"))
    assert numbers_in(log, sink) == [1, 2]
    assert [row["value"] for row in read(log, letters)] == [value]


MIXED = [b'{"n":1,"d":1}', b'{"n":"wrong"}', b'{"n":2,"d":0}', b'{"n":3,"d":-1}', b'{"n":4,"d":4}']
"""Fine, not decoded, fails in an expression, gives NaN that JSON cannot hold, fine."""


@pytest.mark.parametrize(
    ("reading", "writing", "stop", "stage", "batch"),
    [
        ("continue", "continue", None, None, 16_384),
        ("dlq", "continue", None, None, 1),
        ("continue", "dlq", None, None, 16_384),
        ("fail", "continue", 1, "decode.value", 16_384),
        ("continue", "fail", 3, "encode.value", 1),
        ("dlq", "fail", 3, "encode.value", 16_384),
    ],
)
def test_each_side_has_its_policy(
    log: Log, reading: str, writing: str, stop: int | None, stage: str | None, batch: int
) -> None:
    source, sink, letters, application = (
        create(log, unique("in"), 1),
        unique("out"),
        unique("dead"),
        unique("app"),
    )
    fill(log, source, MIXED)
    topology = planned(
        log,
        None,
        f"SET error.policy.read='{reading}'; SET error.policy.write='{writing}'; SET dead.letter.queue='{letters}';"
        f"CREATE TABLE `{source}` (n INT, d INT) FORMAT (BYTES, JSON);"
        f"INSERT INTO `{sink}` SELECT STREAM n, 12 % d AS rest, SQRT(d) AS root FROM `{source}`",
    )
    policies = {1: reading, 2: reading, 3: writing}
    end = len(MIXED) if stop is None else stop
    for _ in range(2):
        if stop is None:
            run(log, topology, application, batch)
        else:
            place = rf"record {source}\[0\]@{stop} failed in {stage}: "
            with pytest.raises(RunError, match=place) as caught:
                run(log, topology, application, batch)
            assert "wrong" not in str(caught.value)
        assert committed(log, application, source) == {TopicPartition(source, 0): end}
        assert numbers_in(log, sink) == [number for place, number in ((0, 1), (4, 4)) if place < end]
    dead = [place for place, policy in policies.items() if policy == "dlq" and place < end]
    if "dlq" in (reading, writing):
        assert [row["value"] for row in read(log, letters)] == [MIXED[place] for place in dead]


@pytest.mark.parametrize("value", ['"bad"', "0"])
def test_a_flood_of_bad_records_is_a_trickle_of_lines(
    log: Log, caplog: pytest.LogCaptureFixture, value: str
) -> None:
    """All are bad, in decoding or in an expression; the good one behind them comes out."""
    source, sink = create(log, unique("in"), 1), unique("out")
    count = 30_000
    fill(log, source, [f'{{"n":{value}}}'.encode()] * count + [b'{"n":1}'])
    topology = planned(
        log,
        None,
        f"SET error.policy='continue'; CREATE TABLE `{source}` (n INT) FORMAT (BYTES, JSON);"
        f"INSERT INTO `{sink}` SELECT STREAM 10 % n AS n FROM `{source}`",
    )
    with caplog.at_level(logging.WARNING, "headrace"):
        processor = run(log, topology, unique("app"), batch=2_000)
    assert numbers_in(log, sink) == [0]
    assert sum(processor.metrics.snapshot().errors.values()) == count
    lines = [record.getMessage() for record in caplog.records if "failed in" in record.getMessage()]
    assert 1 <= len(lines) <= 4
    assert sum(int(line.split("(and ")[1].split(" more")[0]) + 1 for line in lines) == count
