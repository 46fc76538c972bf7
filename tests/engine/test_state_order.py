"""Programs with several inputs, and with repartition topics: what comes out depends on the records' times alone."""

from __future__ import annotations

import json
import random
from contextlib import closing
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from headrace.catalog import Catalog
from headrace.engine import Processor, ProcessorOptions
from headrace.log.embedded.partitioner import partition_of
from headrace.log.interface import ConsumerOptions, TopicPartition
from headrace.plan.topology import Guarantee, RunSettings
from headrace.planner import plan_program
from headrace.sql import parse_program
from tests.engine.processes import Child
from tests.engine.programs import create, fill, numbers, read, unique
from tests.engine.running import running, wait_for
from tests.engine.stateful import expected_histories, histories, last, looking_up, rekeyed

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.log.interface import Log
    from headrace.plan.topology import Topology

QUICK = RunSettings(commit_interval=0.05)
KEYS = ("a", "b", "c", "d", "e", "f")

Event = tuple[int, str, int | None]
"""Time, key, number (None: a tombstone)."""


def run(topology: Topology, log: Log, application: str, batch: int = 16_384) -> None:
    options = ProcessorOptions(application, until_end=True, batch_records=batch, lag_interval=0)
    Processor(topology, log, None, options).run()


def give(log: Log, topic: str, events: list[Event]) -> None:
    fill(
        log,
        topic,
        [None if number is None else json.dumps({"n": number}).encode() for _, _, number in events],
        keys=[key.encode() for _, key, _ in events],
        timestamps=[time for time, _, _ in events],
    )


def events(seed: int, count: int, tombstones: bool) -> list[Event]:
    """Give events of which some are older than those before them."""
    chance = random.Random(seed)
    times = sorted(chance.randrange(1_000_000, 1_000_400) for _ in range(count))
    return [
        (
            time - chance.choice((0, 0, 0, 25)),
            chance.choice(KEYS),
            None if tombstones and chance.random() < 0.2 else number,
        )
        for number, time in enumerate(times)
    ]


def found_by_key(log: Log, sink: str) -> dict[str, list[tuple[int, int | None]]]:
    return {key: list(values) for key, values in histories(log, sink).items()}


def expected(stream: list[Event], table: list[Event], partition: dict[str, int]) -> dict[str, list[object]]:
    """Pick the smallest head of the two topics of each partition; the table goes first at the same time."""
    results: dict[str, list[object]] = {}
    for number in set(partition.values()):
        heads = [[event for event in topic if partition[event[1]] == number] for topic in (table, stream)]
        known: dict[str, int | None] = {}
        while any(heads):
            at = min((index for index in (0, 1) if heads[index]), key=lambda index: heads[index][0][0])
            _, key, value = heads[at].pop(0)
            if at == 0:
                known[key] = value
            else:
                results.setdefault(key, []).append((value, known.get(key)))
    return results


@pytest.mark.parametrize("batch", [1, 7, 16_384])
def test_a_stream_meets_the_table_as_it_was_then(log: Log, batch: int) -> None:
    stream, table, sink = create(log, unique("s"), 2), create(log, unique("t"), 2), unique("out")
    facts, states = events(1, 150, tombstones=False), events(2, 60, tombstones=True)
    give(log, stream, facts)
    give(log, table, states)
    run(looking_up(stream, table, sink, QUICK), log, unique("app"), batch)
    places = partition_of(pa.array([key.encode() for key in KEYS], pa.binary()), 2).tolist()
    assert found_by_key(log, sink) == expected(facts, states, dict(zip(KEYS, places, strict=True)))


JOINED = """\
SET autocreate=true;
INSERT INTO `{sink}`
SELECT STREAM l.n AS x, r.n AS y FROM `{left}` AS l LEFT JOIN `{right}` AS r ON l.n % 7 = r.n % 7 WITHIN 2s
"""

COLLECTED = """\
SET autocreate=true;
INSERT INTO `{sink}`
SELECT STREAM COLLECT(n) AS found FROM `{left}` WINDOW BY TUMBLE 5s GRACE BY 0s GROUP BY n % 7 EMIT FINAL
"""


@pytest.mark.parametrize("batch", [1, 7, 16_384])
@pytest.mark.parametrize("program", [JOINED, COLLECTED])
def test_what_goes_through_repartition_topics_stays_in_the_order_of_time(
    log: Log, program: str, batch: int
) -> None:
    left, right, sink = create(log, unique("l"), 3), create(log, unique("r"), 2), unique("out")
    for topic in (left, right):
        fill(
            log,
            topic,
            numbers(range(60)),
            keys=[f"k{number}".encode() for number in range(60)],
            timestamps=[1_000_000 + number * 1000 for number in range(60)],
        )
    text = program.format(sink=sink, left=left, right=right)
    with closing(Catalog(log, None)) as catalog:
        topology = plan_program(parse_program(text, "order.sql"), catalog)
    run(topology, log, unique("app"), batch)
    values = [json.loads(row["value"]) for row in read(log, sink)]
    if program == JOINED:
        # Each meets its equal of the other side alone: the next one of its remainder comes seven seconds later.
        assert sorted((value["x"], value["y"]) for value in values) == [(at, at) for at in range(60)]
    else:
        # The last window is open still.
        assert sorted(value["found"] for value in values) == [[at] for at in range(55)]


@pytest.mark.parametrize("batch", [1, 16_384])
def test_the_end_is_behind_the_repartition_topics(log: Log, batch: int) -> None:
    source, sink, application = create(log, unique("in")), unique("out"), unique("app")
    topology = rekeyed(source, sink, QUICK)
    count = 60 if batch == 1 else 2000
    for half in (range(count // 2), range(count // 2, count)):
        fill(log, source, numbers(half))
        run(topology, log, application, batch)
    wanted = expected_histories((str(value % 10), value) for value in range(count))
    assert last(histories(log, sink)) == last(wanted)
    assert {key: len(updates) for key, updates in histories(log, sink).items()} == {
        key: len(updates) for key, updates in wanted.items()
    }


@pytest.mark.parametrize("guarantee", list(Guarantee))
def test_threads_share_the_tasks_of_two_sub_topologies(log: Log, guarantee: Guarantee) -> None:
    source, sink = create(log, unique("in")), unique("out")
    fill(log, source, numbers(range(3000)))
    settings = RunSettings(commit_interval=0.05, threads=3, guarantee=guarantee)
    run(rekeyed(source, sink, settings), log, unique("app"), 200)
    wanted = expected_histories((str(value % 10), value) for value in range(3000))
    assert last(histories(log, sink)) == last(wanted)


def test_a_kill_between_two_sub_topologies_loses_nothing(
    url: str, log: Log, commands: Path, tmp_path: Path
) -> None:
    source, sink, application = create(log, unique("in")), unique("out"), unique("app")
    fill(log, source, numbers(range(12_000)))
    facts = ("program=rekeyed", "protocol=classic", "batch=50", "instance=one")
    arguments = (url, source, sink, application, *facts, f"state={tmp_path / 'state'}")
    for round_ in range(2):
        with Child(commands, tmp_path / f"{round_}.log", *arguments) as child:
            child.wait_for("is ready")
            child.kill()
    with Child(commands, tmp_path / "last.log", *arguments, "until_end=yes") as child:
        assert child.wait() == 0, child.lines.read_text()
    found = histories(log, sink)
    wanted = expected_histories((str(value % 10), value) for value in range(12_000))
    assert last(found) == last(wanted)
    assert {key: [count for count, _ in updates] for key, updates in found.items()} == {
        key: [count for count, _ in updates] for key, updates in wanted.items()
    }


@pytest.mark.kafka
def test_repartition_topics_are_emptied_behind(
    kafka_log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.engine.state.purge._INTERVAL", 0.1)
    source, sink, application = create(kafka_log, unique("in")), unique("out"), unique("app")
    topology = rekeyed(source, sink, QUICK)
    fill(kafka_log, source, numbers(range(1000)))
    processor = Processor(
        topology, kafka_log, None, ProcessorOptions(application, lag_interval=0, state_dir=tmp_path)
    )
    places = [TopicPartition(f"{application}-digits-repartition", number) for number in range(2)]
    with running(processor), closing(kafka_log.consumer(ConsumerOptions())) as looker:
        wait_for(processor.ready)
        wait_for(lambda: all(0 < low == end for low, end in looker.watermarks(places).values()))
    fill(kafka_log, source, numbers(range(1000, 1100)))
    run(topology, kafka_log, application)
    wanted = expected_histories((str(value % 10), value) for value in range(1100))
    assert last(histories(kafka_log, sink)) == last(wanted)
