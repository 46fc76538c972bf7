"""A stretch of the past, read again, gives what it gave when it came: with disorder, grace, late records and joins."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from headrace.cli.group import main
from headrace.engine import Processor, ProcessorOptions
from headrace.engine.bounded import BoundedLog
from headrace.engine.replay import begin_at, bounded
from headrace.engine.reset import commit_offsets
from headrace.errors import RunError
from headrace.log.embedded import EmbeddedLog
from headrace.log.interface import ConsumerOptions, TopicPartition
from headrace.testing.records import read_topic
from tests.engine.test_resets_and_letters import create, planned, run
from tests.logs.members import Reader, produce

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.log.interface import Consumer, Log

STEP = 10_000
CHUNKS = 3
TEXT = """
SET late.topic = '{late}';
INSERT INTO `{counts}` SELECT STREAM _window.start AS begins, COUNT(*) AS n, SUM(CAST(v AS LONG)) AS total FROM `{left}`
WINDOW BY TUMBLE 5s GRACE BY 3s GROUP BY _key EMIT FINAL;
INSERT INTO `{pairs}` SELECT STREAM l.v AS a, r.v AS b FROM `{left}` AS l JOIN `{right}` AS r ON l._key = r._key
WITHIN 1s GRACE BY 20s;
INSERT INTO `{few}` SELECT STREAM v FROM `{right}` WHERE v > 20
"""


class Names:
    """Topics of a test: inputs that two runs share, and targets of one run."""

    def __init__(self, part: str, run: str) -> None:
        self.topics = {name: f"{name}-{part}" for name in ("left", "right")}
        self.targets = {name: f"{name}-{part}-{run}" for name in ("counts", "pairs", "few", "late")}
        self.application = f"app-{part}-{run}"

    @property
    def text(self) -> str:
        return TEXT.format(**self.topics, **self.targets)


def chunk(log: Log, names: Names, number: int, chance: random.Random) -> None:
    """Write records of one stretch of time, out of order by up to eight seconds; the first of each partition is not early."""
    for topic in names.topics.values():
        times = [number * STEP] * 2 + [number * STEP + 1 + chance.randrange(STEP - 1) for _ in range(18)]
        late = [time - 8000 if number and chance.random() < 0.2 else time for time in times[2:]]
        produce(
            log,
            topic,
            key=[f"k{chance.randrange(3)}".encode() for _ in times],
            value=[b'{"v": %d}' % chance.randrange(40) for _ in times],
            timestamp=[1 + time for time in (*times[:2], *late)],
            partition=[0, 1, *(chance.randrange(2) for _ in late)],
        )


def results(log: Log, names: Names) -> dict[str, Counter[str]]:
    """Give what stands in the targets; headers of late records tell the application."""
    return {
        name: Counter(
            str((row["key"], row["value"], row["timestamp"])) for row in read_topic(log, topic).to_pylist()
        )
        for name, topic in names.targets.items()
    }


def test_a_replay_gives_what_the_live_run_gave() -> None:
    with EmbeddedLog(":memory:") as log:
        check_replay(log)


def check_replay(log: Log) -> None:
    part = uuid.uuid4().hex[:8]
    live = Names(part, "live")
    chance = random.Random(7)
    create(log, *live.topics.values(), *live.targets.values(), partitions=2)
    seen = []
    for number in range(CHUNKS):
        chunk(log, live, number, chance)
        run(log, planned(log, live.text), live.application)
        seen.append(results(log, live))
    assert all(seen[-1][name] for name in live.targets), "each kind of result comes"

    again = Names(part, "again")
    create(log, *again.targets.values(), partitions=2)
    topology = planned(log, again.text)
    assert begin_at(log, topology, again.application, 0)
    for stop in (CHUNKS - 1, CHUNKS):
        options = ProcessorOptions(again.application, until_end=True, lag_interval=0, batch_records=16)
        Processor(topology, bounded(log, topology, stop * STEP + 1), None, options).run()
        assert results(log, again) == seen[stop - 1]
    assert not begin_at(log, topology, again.application, 0)


@pytest.mark.kafka
def test_a_run_on_kafka_ends_at_a_time(kafka_log: Log) -> None:
    part = uuid.uuid4().hex[:8]
    source, out = f"src-{part}", f"out-{part}"
    create(kafka_log, source, out)
    produce(
        kafka_log,
        source,
        value=[b'{"v": %d}' % n for n in range(9)],
        timestamp=[1000 * n + 1 for n in range(9)],
    )
    topology = planned(kafka_log, f"INSERT INTO `{out}` SELECT STREAM v FROM `{source}`")
    assert begin_at(kafka_log, topology, f"app-{part}", 2000)
    for stop, count in ((5, 3), (7, 5)):
        options = ProcessorOptions(f"app-{part}", until_end=True, lag_interval=0, batch_records=2)
        Processor(topology, bounded(kafka_log, topology, stop * 1000), None, options).run()
        assert read_topic(kafka_log, out).num_rows == count


def test_a_replay_begins_at_a_time_where_nothing_was_read_before() -> None:
    with EmbeddedLog(":memory:") as log:
        create(log, "src", partitions=2)
        create(log, "out")
        produce(
            log,
            "src",
            value=[b'{"v": 0}', b'{"v": 1}', b'{"v": 2}'],
            timestamp=[1000, 2000, 2000],
            partition=[0, 0, 1],
        )
        topology = planned(log, "INSERT INTO out SELECT STREAM v FROM src")
        commit_offsets(log, "app", {TopicPartition("src", 1): 1})
        assert begin_at(log, topology, "app", 1500)
        with closing(log.admin()) as admin:
            assert admin.group_offsets("app") == {TopicPartition("src", 0): 1, TopicPartition("src", 1): 1}
        with Reader(log, group="other").subscribe("src") as reader:
            while not reader.owned:
                reader.poll()
            with pytest.raises(RunError, match="RUN0120"):
                begin_at(log, topology, "other", 1500)


def test_what_comes_behind_the_end_is_not_there() -> None:
    with EmbeddedLog(":memory:") as log:
        create(log, "src", partitions=2)
        places = [TopicPartition("src", number) for number in range(3)]
        ends = {places[0]: 2, places[1]: 0}
        produce(log, "src", value=[b"0", b"1", b"2", b"x"], partition=[0, 0, 0, 1])
        with closing(BoundedLog(log, ends).consumer(ConsumerOptions(group="g"))) as consumer:
            consumer.assign(dict.fromkeys(places[:2], 0))
            assert values_of(consumer) == [b"0", b"1"]
            assert consumer.positions() == ends
            assert consumer.watermarks(places[:2]) == {places[0]: (0, 2), places[1]: (0, 0)}
            consumer.resume(places[:2])
            assert values_of(consumer) == []
            consumer.seek({places[0]: 1})
            assert values_of(consumer) == [b"1"]
            consumer.seek({places[0]: 0})
            consumer.pause(places[:1])
            assert values_of(consumer) == []
            consumer.resume(places[:1])
            assert values_of(consumer) == [b"0", b"1"]
            with closing(log.admin()) as admin:
                admin.add_partitions("src", 3)
            produce(log, "src", value=[b"new"], partition=[2])
            consumer.assign({places[2]: 0})
            assert values_of(consumer) == []
            assert consumer.watermarks([places[2]]) == {places[2]: (0, 0)}


def values_of(consumer: Consumer) -> list[bytes | None]:
    found: list[bytes | None] = []
    for _ in range(3):
        for batch in consumer.poll(100, 0.0):
            found += batch.column("value").to_pylist()
    return found


def test_by_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_LOG", f"sqlite:{tmp_path / 'log.db'}")
    with EmbeddedLog(str(tmp_path / "log.db")) as log:
        create(log, "src", "out")
        produce(
            log, "src", value=[b'{"v": %d}' % n for n in range(5)], timestamp=[1000, 2000, 5000, 3000, 6000]
        )

    def call(*more: str) -> tuple[int, str]:
        sql = "INSERT INTO out SELECT STREAM v FROM src"
        done = CliRunner().invoke(main, ["run", "-e", sql, "--app-id", "back", *more])
        return done.exit_code, done.output

    times = ("--from", "1970-01-01T00:00:01.500", "--until", "1970-01-01T00:00:05.500Z")
    assert call(*times)[0] == 0
    code, told = call(*times)
    assert (code, "RUN0124" in told) == (0, True)
    assert call("--until", "2999-01-01")[0] == 2
    with EmbeddedLog(str(tmp_path / "log.db")) as log:
        assert read_topic(log, "out").column("value").to_pylist() == [b'{"v":%d}' % n for n in (1, 2, 3)]
