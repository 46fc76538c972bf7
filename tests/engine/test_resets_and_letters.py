"""Offsets set by hand, and dead letters sent again: on the embedded log and on Kafka."""

from __future__ import annotations

import json
import uuid
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from headrace.catalog import Catalog
from headrace.engine import Processor, ProcessorOptions
from headrace.engine.letters import Filter, Replayed, read_letters, replay
from headrace.engine.reset import Reset, Target
from headrace.errors import RunError
from headrace.log.embedded import EmbeddedLog
from headrace.log.interface import ConsumerOptions, TopicDescription, TopicPartition
from headrace.planner import plan_program
from headrace.sql import parse_program
from headrace.testing.records import read_topic
from tests.logs.members import Reader, produce

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from headrace.log.interface import Log
    from headrace.plan.topology import Topology


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def log(request: pytest.FixtureRequest) -> Iterator[Log]:
    if request.param == "kafka":
        yield request.getfixturevalue("kafka_log")
        return
    with EmbeddedLog(":memory:") as embedded:
        yield embedded


@pytest.fixture
def name() -> str:
    """A part of names that no other test uses."""
    return uuid.uuid4().hex[:8]


def create(log: Log, *topics: str, partitions: int = 1) -> None:
    with closing(log.admin()) as admin:
        for topic in topics:
            admin.create(TopicDescription(topic, partitions))


def planned(log: Log, text: str) -> Topology:
    with closing(Catalog(log)) as catalog:
        return plan_program(parse_program(text), catalog)


def run(log: Log, topology: Topology, application: str, state_dir: Path | None = None) -> None:
    options = ProcessorOptions(application, until_end=True, lag_interval=0, state_dir=state_dir)
    Processor(topology, log, None, options).run()


def values(log: Log, topic: str) -> list[Any]:
    return [json.loads(item or b"null") for item in read_topic(log, topic).column("value").to_pylist()]


def as_sent(row: dict[str, Any]) -> list[Any]:
    return [row["key"], row["value"], row["timestamp"], row["headers"] or []]


def moved(reset: Reset) -> list[tuple[int | None, int]]:
    return [(item.before, item.after) for item in reset.moves]


def test_offsets_go_where_they_are_told(log: Log, name: str) -> None:
    topic, group = f"in-{name}", f"app-{name}"
    create(log, topic, partitions=2)
    produce(
        log, topic, value=[b"0", b"1", b"2", b"3"], partition=[0, 0, 0, 1], timestamp=[1000, 2000, 3000, 2000]
    )
    with closing(log.consumer(ConsumerOptions(group=group))) as outsider:
        outsider.commit({TopicPartition(topic, 0): 1})
    for target, wanted in (
        (Target(earliest=True), [(1, 0), (None, 0)]),
        (Target(), [(1, 3), (None, 1)]),
        (Target(time=2001), [(1, 2), (None, 1)]),
        (Target(offset=2), [(1, 2), (None, 1)]),
    ):
        reset = Reset(log, group)
        reset.plan(target)
        assert moved(reset) == wanted
    reset.carry_out(None)
    with closing(log.admin()) as admin:
        assert admin.group_offsets(group) == {TopicPartition(topic, 0): 2, TopicPartition(topic, 1): 1}
    with pytest.raises(RunError, match="does not read"):
        reset.plan(Target(), ["other"])
    with pytest.raises(RunError, match="has committed no offset"):
        Reset(log, f"none-{name}").plan(Target())


def test_a_running_application_is_left_alone(log: Log, name: str) -> None:
    topic, group = f"in-{name}", f"app-{name}"
    create(log, topic)
    produce(log, topic, value=[b"0"])
    with closing(log.consumer(ConsumerOptions(group=group))) as outsider:
        outsider.commit({TopicPartition(topic, 0): 1})
    reset = Reset(log, group)
    reset.plan(Target(earliest=True))
    with Reader(log, group=group).subscribe(topic) as reader:
        while not reader.owned:
            reader.poll()
        with pytest.raises(RunError, match="RUN0120"):
            Reset(log, group).plan(Target(earliest=True))
        with pytest.raises(RunError, match="RUN0120"):
            reset.carry_out(None)
    with closing(log.admin()) as admin:
        assert admin.group_offsets(group) == {TopicPartition(topic, 0): 1}


def test_state_goes_with_the_offsets_or_it_is_said_that_it_stays(tmp_path: Path) -> None:
    with EmbeddedLog(":memory:") as log:
        check_state(log, tmp_path)


def check_state(log: Log, tmp_path: Path) -> None:
    topic, out, group = "src", "out", "app"
    create(log, topic, out)
    produce(log, topic, key=[b"a", b"a"], value=[b'{"n": 1}', b'{"n": 2}'])
    text = f"INSERT INTO `{out}` SELECT STREAM _key AS k, COUNT(*) AS n FROM `{topic}` GROUP BY _key"
    topology = planned(log, text)
    run(log, topology, group, tmp_path)
    with pytest.raises(RunError, match="seems to keep state"):
        Reset(log, group).plan(Target(earliest=True))
    with pytest.raises(RunError, match="RUN0121"):
        Reset(log, group, topology).plan(Target(earliest=True))
    for state, wanted in ((False, 4), (True, 2)):
        reset = Reset(log, group, topology)
        reset.plan(Target(earliest=True), state=state)
        reset.carry_out(tmp_path)
        run(log, topology, group, tmp_path)
        assert values(log, out)[-1]["n"] == wanted


def test_letters_are_sent_again_once(log: Log, name: str) -> None:
    topic, out, errors, group = f"in-{name}", f"out-{name}", f"err-{name}", f"app-{name}"
    create(log, topic, out, partitions=2)
    produce(
        log,
        topic,
        key=[b"a", None, b"c", b"d"],
        value=[b'{"n": "1"}', b"{", b'{"n": "x"}', b"\xff"],
        timestamp=[1000, 2000, 3000, 4000],
        partition=[0, 1, 1, 0],
        headers=[
            None,
            [{"key": "own", "value": b"\xff"}, {"key": "headrace.error.stage", "value": None}],
            [],
            None,
        ],
    )
    text = (
        f"SET error.policy = dlq; SET dead.letter.queue = '{errors}';"
        f"INSERT INTO `{out}` SELECT STREAM CAST(n AS INT) AS n FROM `{topic}`"
    )
    topology = planned(log, text)
    run(log, topology, group)
    assert values(log, out) == [{"n": 1}]
    ((letters, before),) = read_letters(log, errors)
    assert before.to_pylist() == [False] * 3
    facts = {fact: column.to_pylist() for fact, column in letters.facts.items()}
    assert sorted(
        zip(facts["topic"], facts["partition"], facts["offset"], facts["application"], strict=True)
    ) == [
        (topic, "0", "1", group),
        (topic, "1", "0", group),
        (topic, "1", "1", group),
    ]

    assert replay(log, errors, Filter(stage="none")) == {}
    assert replay(log, errors, Filter(), dry_run=True) == {topic: 3}
    wanted = Filter(topic=topic, stage="compute", reason="converted")
    assert replay(log, errors, wanted) == {topic: 1}
    assert replay(log, errors, Filter(application=group)) == {topic: 2}
    assert replay(log, errors, Filter()) == {}
    rows = read_topic(log, topic).to_pylist()
    for partition, letters_of_it in ((0, {1}), (1, {0, 1})):
        own = [row for row in rows if row["partition"] == partition]
        copied = {str(as_sent(row)) for row in own[2:]}
        assert copied == {str(as_sent(own[offset])) for offset in letters_of_it}

    run(log, topology, group)
    assert replay(log, errors, Filter(), to=out, dry_run=True) == {out: 3}
    with pytest.raises(RunError, match="does not exist"):
        replay(log, errors, Filter(), to=f"none-{name}")
    assert replay(log, errors, Filter(), to=out) == {out: 3}
    assert replay(log, errors, Filter(), again=True, dry_run=True) == {topic: 6}


def test_late_records_are_letters_too(name: str) -> None:
    with EmbeddedLog(":memory:") as log:
        create(log, "src", "out")
        produce(log, "src", key=[b"a"] * 2, value=[b'{"n": 1}'] * 2, timestamp=[1_000_000, 1000])
        topology = planned(
            log,
            "SET late.topic = 'late'; INSERT INTO out SELECT STREAM COUNT(*) AS n FROM src "
            "WINDOW BY TUMBLE 1s GRACE BY 0s GROUP BY _key",
        )
        run(log, topology, "app")
        assert replay(log, "late", Filter(stage="late")) == {"src": 1}
        assert replay(log, "late", Filter()) == {}
        with pytest.raises(RunError, match="there is no topic"):
            replay(log, "none", Filter())


def test_notes_say_which_letters_were_sent() -> None:
    notes = pa.record_batch(
        {"value": [b'{"0": [[5, 9], [2, 3]], "1": [[0, 0]]}', b'{"0": [[3, 20], [8, 8]]}', None]}
    )
    replayed = Replayed()
    replayed.note(notes)
    records = pa.record_batch(
        {"partition": pa.array([0, 0, 0, 0, 0, 1, 1, 2], pa.int32()), "offset": [1, 2, 4, 20, 21, 0, 1, 0]}
    )
    assert replayed.among(records).to_pylist() == [False, True, True, True, False, True, False, False]
