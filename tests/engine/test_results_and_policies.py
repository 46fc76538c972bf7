from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from headrace.engine import Processor, ProcessorOptions
from headrace.errors import RunError
from headrace.formats.interface import Format, Side
from headrace.log.interface import TopicPartition
from headrace.plan.topology import ErrorPolicy, Guarantee, RunSettings
from tests.engine.programs import committed, create, doubling, expected, fill, numbers, read, results, unique

if TYPE_CHECKING:
    from headrace.log.interface import Log
    from headrace.plan.topology import Topology


def run(log: Log, topology: Topology, application: str | None = None, batch: int = 16_384) -> Processor:
    """Process up to the end of the inputs."""
    options = ProcessorOptions(application or unique("app"), until_end=True, batch_records=batch)
    processor = Processor(topology, log, None, options)
    processor.run()
    return processor


@pytest.mark.parametrize("guarantee", list(Guarantee))
@pytest.mark.parametrize("batch", [1, 7, 16_384])
def test_results_do_not_depend_on_the_batch_size(log: Log, guarantee: Guarantee, batch: int) -> None:
    source, sink = create(log, unique("in")), unique("out")
    fill(log, source, numbers(range(300)))
    run(log, doubling(source, sink, RunSettings(guarantee=guarantee)), batch=batch)
    assert results(log, sink) == expected(range(300))


def test_order_within_a_partition_is_kept(log: Log) -> None:
    source, sink = create(log, unique("in"), 1), unique("out")
    fill(log, source, numbers(range(3000)))
    run(log, doubling(source, sink, RunSettings(), partitions=1), batch=100)
    assert [json.loads(row["value"])["n"] for row in read(log, sink)] == expected(range(3000))


def test_keys_headers_and_timestamps_pass(log: Log) -> None:
    source, sink = create(log, unique("in"), 1), unique("out")
    fill(
        log,
        source,
        numbers([1, 2, 4, 5]),
        keys=[b"a", None, b"", b"d"],
        headers=[
            [{"key": "h", "value": b"1"}, {"key": "h", "value": None}],
            None,
            [],
            [{"key": "g", "value": b""}],
        ],
        timestamps=[1_500_000_000_000, 1_500_000_000_001, 5, 1_500_000_000_003],
    )
    run(log, doubling(source, sink, RunSettings(), partitions=1))
    rows = read(log, sink)
    assert [row["key"] for row in rows] == [b"a", None, b"", b"d"]
    assert rows[0]["headers"] == [{"key": "h", "value": b"1"}, {"key": "h", "value": None}]
    assert [bool(row["headers"]) for row in rows] == [True, False, False, True]
    assert [int(row["timestamp"].timestamp() * 1000) for row in rows] == [
        1_500_000_000_000,
        1_500_000_000_001,
        5,
        1_500_000_000_003,
    ]


def test_a_second_run_goes_on_where_the_first_stopped(log: Log) -> None:
    source, sink, application = create(log, unique("in")), unique("out"), unique("app")
    topology = doubling(source, sink, RunSettings())
    fill(log, source, numbers(range(100)))
    run(log, topology, application)
    fill(log, source, numbers(range(100, 200)))
    run(log, topology, application)
    run(log, topology, application)
    assert results(log, sink) == expected(range(200))


def test_several_threads_share_the_partitions(log: Log) -> None:
    source, sink = create(log, unique("in"), 6), unique("out")
    fill(log, source, numbers(range(2000)))
    processor = run(log, doubling(source, sink, RunSettings(threads=3)), batch=50)
    assert results(log, sink) == expected(range(2000))
    assert sum(processor.metrics.snapshot().consumed.values()) == 2000


BROKEN: list[bytes | None] = [*numbers([1, 2]), b'{"n": "no number"}', *numbers([4]), b"{", *numbers([5, 7])]


@pytest.mark.parametrize("guarantee", list(Guarantee))
def test_a_record_that_cannot_be_decoded_is_left_out_alone(log: Log, guarantee: Guarantee) -> None:
    source, sink = create(log, unique("in"), 1), unique("out")
    fill(log, source, BROKEN)
    settings = RunSettings(guarantee=guarantee, on_read_error=ErrorPolicy.CONTINUE)
    processor = run(log, doubling(source, sink, settings))
    assert results(log, sink) == [1, 2, 4, 5, 7]
    ((kind, count),) = processor.metrics.snapshot().errors.items()
    assert (kind.topic, kind.stage, kind.policy, count) == (source, "decode.value", "continue", 2)


@pytest.mark.parametrize("batch", [1, 3, 16_384])
def test_a_dead_letter_keeps_its_bytes_and_says_why(log: Log, batch: int) -> None:
    source, sink, letters = create(log, unique("in"), 1), unique("out"), unique("dead")
    fill(
        log,
        source,
        BROKEN,
        keys=[b"0", b"1", b"2", b"3", None, b"5", b"6"],
        headers=[None, None, [{"key": "own", "value": b"\xff"}], None, None, None, None],
        timestamps=[100, 101, 102, 103, 104, 105, 106],
    )
    settings = RunSettings(on_read_error=ErrorPolicy.DLQ, dead_letter_topic=letters)
    application = unique("app")
    run(log, doubling(source, sink, settings), application, batch)
    assert results(log, sink) == [1, 2, 4, 5, 7]
    found = sorted(read(log, letters), key=lambda row: row["timestamp"])
    assert [(row["key"], row["value"]) for row in found] == [(b"2", b'{"n": "no number"}'), (None, b"{")]
    assert [int(row["timestamp"].timestamp() * 1000) for row in found] == [102, 104]
    own, *facts = found[0]["headers"]
    assert own == {"key": "own", "value": b"\xff"}
    named = {fact["key"].removeprefix("headrace.error."): fact["value"].decode() for fact in facts}
    assert named.pop("reason")
    assert named == {
        "topic": source,
        "partition": "0",
        "offset": "2",
        "stage": "decode.value",
        "application": application,
    }


@pytest.mark.parametrize("batch", [1, 3, 16_384])
@pytest.mark.parametrize("guarantee", list(Guarantee))
def test_fail_stops_before_the_record_and_a_restart_meets_it_again(
    log: Log, guarantee: Guarantee, batch: int
) -> None:
    source, sink, application = create(log, unique("in"), 1), unique("out"), unique("app")
    fill(log, source, BROKEN)
    topology = doubling(source, sink, RunSettings(guarantee=guarantee))
    for _ in range(2):
        with pytest.raises(
            RunError, match=rf"RUN0101: record {source}\[0\]@2 failed in decode.value"
        ) as caught:
            run(log, topology, application, batch)
        assert "no number" not in str(caught.value)
        assert results(log, sink) == [1, 2]
        assert committed(log, application, source) == {TopicPartition(source, 0): 2}


FAILING_QUERY = "SELECT _row, c0 AS v0, (c0 * 2)::INTEGER AS v1 FROM input WHERE 12 // (c0 - 5) IS NOT NULL"


@pytest.mark.parametrize("batch", [1, 7, 16_384])
def test_an_expression_that_fails_takes_no_neighbour_with_it(log: Log, batch: int) -> None:
    source, sink, letters = create(log, unique("in"), 1), unique("out"), unique("dead")
    huge = 3_000_000_000
    fill(log, source, numbers([*range(10), huge, *range(10, 20), huge, huge, 20]))
    settings = RunSettings(on_read_error=ErrorPolicy.DLQ, dead_letter_topic=letters)
    processor = run(log, doubling(source, sink, settings, query=FAILING_QUERY, partitions=1), batch=batch)
    rows = [json.loads(row["value"])["n"] for row in read(log, sink)]
    assert rows == [number for number in range(21) if number != 5]
    assert [json.loads(row["value"])["n"] for row in read(log, letters)] == [5, huge, huge, huge]
    assert {kind.stage for kind in processor.metrics.snapshot().errors} == {"compute"}


NEVER_NULL = Side(
    Format.JSON, pa.struct([pa.field("n", pa.int64()), pa.field("ratio", pa.float64(), nullable=False)])
)
NOT_A_NUMBER = "SELECT _row, c0 AS v0, CASE WHEN c0 % 4 = 0 THEN 'nan'::DOUBLE ELSE c0 END AS v1 FROM input"


def test_a_record_that_cannot_be_encoded_goes_to_the_policy_of_writing(log: Log) -> None:
    source, sink, letters = create(log, unique("in"), 1), unique("out"), unique("dead")
    fill(log, source, numbers(range(1, 10)))
    settings = RunSettings(on_write_error=ErrorPolicy.DLQ, dead_letter_topic=letters)
    run(log, doubling(source, sink, settings, query=NOT_A_NUMBER, result=NEVER_NULL, partitions=1))
    assert [json.loads(row["value"])["n"] for row in read(log, sink)] == [1, 2, 3, 5, 6, 7, 9]
    found = read(log, letters)
    assert [json.loads(row["value"])["n"] for row in found] == [4, 8]
    assert {"key": "headrace.error.stage", "value": b"encode.value"} in found[0]["headers"]


def test_a_missing_target_is_refused_before_anything_is_read(log: Log) -> None:
    source, sink = create(log, unique("in")), unique("out")
    topology = doubling(source, sink, RunSettings())
    sinks = {sink: type(topology.sinks[sink])(sink, topology.sinks[sink].key, topology.sinks[sink].value)}
    refused = type(topology)(topology.sources, sinks, topology.pipelines, topology.settings)
    with pytest.raises(RunError, match="RUN0102"):
        run(log, refused)


@pytest.mark.parametrize("policy", list(ErrorPolicy))
def test_a_record_that_fails_in_one_insert_is_written_by_the_others(log: Log, policy: ErrorPolicy) -> None:
    """Under `fail` by none of them: the run stops before the record."""
    source, doubled, copied, letters = (
        create(log, unique("in"), 1),
        unique("out"),
        unique("out"),
        unique("dead"),
    )
    fill(log, source, numbers([1, 2_000_000_000, 4]))
    settings = RunSettings(on_read_error=policy, on_write_error=policy, dead_letter_topic=letters)
    one = doubling(source, doubled, settings, partitions=1)
    other = doubling(
        source,
        copied,
        settings,
        partitions=1,
        query="SELECT _row, c0 AS v0, 0::INTEGER AS v1 FROM input",
    )
    both = replace(
        one,
        sinks={**one.sinks, **other.sinks},
        # The failing one first and last: their order makes no difference.
        pipelines=(*one.pipelines, *(replace(item, id="copying") for item in other.pipelines)),
    )
    for topology in (both, replace(both, pipelines=both.pipelines[::-1])):
        try:
            run(log, topology)
            stopped = False
        except RunError:
            stopped = True
        assert stopped == (policy is ErrorPolicy.FAIL)
    good, all_of_them = ([1], [1]) if policy is ErrorPolicy.FAIL else ([1, 4], [1, 2_000_000_000, 4])
    assert [json.loads(row["value"])["n"] for row in read(log, doubled)] == good * 2
    assert [json.loads(row["value"])["n"] for row in read(log, copied)] == all_of_them * 2
    if policy is ErrorPolicy.DLQ:
        assert [json.loads(row["value"])["n"] for row in read(log, letters)] == [2_000_000_000] * 2
