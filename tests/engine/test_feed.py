"""The command, as users run it, under a steady feed: processes come, are killed, are told to stop, and come again."""

from __future__ import annotations

import random
import signal
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from headrace.cli.fleet import KEY_SCHEMA, KEY_TYPE, VALUE_SCHEMA
from headrace.formats import make_decoder, make_encoder
from headrace.formats.interface import Format, Registry, Side
from headrace.formats.registry.confluent import ConfluentRegistry
from headrace.log.interface import ProducerOptions
from headrace.types.avro import avro_to_arrow
from tests.engine.programs import committed, create, read, unique
from tests.servers.commands import ForkedProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from headrace.log.interface import Log
    from tests.servers.kafka import KafkaAddress

pytestmark = pytest.mark.kafka

PARTITIONS = 6
RATE = 1500
MOST = 40_000
ENDINGS = 5
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
SECONDS = 12.0
PROGRAM = """\
SET autocreate=true;
INSERT INTO `{target}`
SELECT MMSI, Speed, Longitude AS Long, Latitude AS Lat, `Timestamp`
FROM `{source}`
WHERE Speed > 10 AND _ktype=AVRO AND _vtype=AVRO
"""


class Feed:
    """Reports of ships, each with a number of its own; two of three ships are fast."""

    def __init__(self, log: Log, registry: Registry, topic: str) -> None:
        self._log = log
        self._topic = topic
        self._value = Side(Format.AVRO, avro_to_arrow(VALUE_SCHEMA), VALUE_SCHEMA)
        key = Side(Format.AVRO, KEY_TYPE, KEY_SCHEMA)
        self._encode_key = make_encoder(key, registry.register(f"{topic}-key", KEY_SCHEMA))
        self._encode_value = make_encoder(self._value, registry.register(f"{topic}-value", VALUE_SCHEMA))
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.sent = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        producer = self._log.producer(ProducerOptions())
        begun = time.monotonic()
        while not self._stopped.wait(0.05):
            due = min(int((time.monotonic() - begun) * RATE), MOST) - self.sent
            if not due:
                continue
            producer.send(self._topic, self._reports(range(self.sent, self.sent + due)))
            assert producer.flush(30) == []
            self.sent += due
        producer.close()

    def _reports(self, numbers: range) -> pa.RecordBatch:
        mmsi = pa.array(numbers, pa.int64())
        speed = pa.array([20.0 if number % 3 else 5.0 for number in numbers], pa.float64())
        known: dict[str, pa.Array[Any]] = {"MMSI": mmsi, "Speed": speed}
        now = pa.scalar(int(time.time() * 1000), pa.timestamp("ms", tz="UTC"))
        known["Status"] = pa.array([0] * len(numbers), pa.int32())
        known["Timestamp"] = pa.repeat(now, len(numbers))
        fields = [self._value.type.field(index) for index in range(self._value.type.num_fields)]
        columns = [known.get(item.name, speed) for item in fields]
        keys = pa.StructArray.from_arrays([mmsi], fields=[KEY_TYPE.field(0)])
        values = pa.StructArray.from_arrays(columns, fields=fields)
        return pa.record_batch(
            {"key": self._encode_key.encode(keys).data, "value": self._encode_value.encode(values).data}
        )


class Member:
    """A process of `headrace run`."""

    def __init__(self, commands: Path, log: Path, environment: dict[str, str], *options: str) -> None:
        self.log = log
        with log.open("wb") as stream:
            self.process = ForkedProcess(commands, "headrace.cli", ["run", *options], stream, environment)

    def works(self) -> bool:
        """Say whether it has been given partitions."""
        return "assigned" in self.log.read_text()


class Crowd:
    """Processes with one application id."""

    def __init__(self, commands: Path, folder: Path, environment: dict[str, str]) -> None:
        self._commands = commands
        self._folder = folder
        self._environment = environment
        self._all: list[Member] = []
        self.running: list[Member] = []

    def start(self, *options: str) -> Member:
        log = self._folder / f"{len(self._all)}.log"
        member = Member(self._commands, log, self._environment, *options)
        self._all.append(member)
        self.running.append(member)
        return member

    def end(self, member: Member, number: signal.Signals) -> None:
        self.running.remove(member)
        member.process.send_signal(number)

    def close(self) -> None:
        """Tell the rest to end and wait for all."""
        for member in self.running:
            member.process.send_signal(signal.SIGTERM)
        self.running.clear()
        for member in self._all:
            member.process.wait(60)


@pytest.fixture
def registry(registry_url: str) -> Iterator[Registry]:
    with closing(ConfluentRegistry(registry_url)) as opened:
        yield opened


def test_a_feed_arrives_exactly_once_whoever_comes_and_goes(
    kafka: KafkaAddress, kafka_log: Log, registry_url: str, registry: Registry, commands: Path, tmp_path: Path
) -> None:
    source, target = create(kafka_log, unique("in"), PARTITIONS), unique("out")
    environment = {
        "HEADRACE_LOG": kafka.url,
        "HEADRACE_SCHEMA_REGISTRY": registry_url,
        "HEADRACE_APP_ID": unique("app"),
        # Nobody takes over the transactions of processes without a name that are killed.
        "HEADRACE_KAFKA_TRANSACTION_TIMEOUT_MS": "10000",
        "SQL": PROGRAM.format(source=source, target=target),
    }
    chance = random.Random()
    feed, crowd = Feed(kafka_log, registry, source), Crowd(commands, tmp_path, environment)
    feed.start()
    try:
        first = crowd.start()
        wait_for_commits(kafka_log, environment["HEADRACE_APP_ID"], source, first)
        ended, limit = 0, time.monotonic() + SECONDS
        while ended < ENDINGS and time.monotonic() < limit:
            if len(crowd.running) < (3 if 0 < ended < ENDINGS - 1 else 1):
                crowd.start()
            time.sleep(chance.uniform(0.1, 0.8))
            working = [member for member in crowd.running if member.works()]
            if working:
                crowd.end(chance.choice(working), chance.choice(SIGNALS))
                ended += 1
    finally:
        feed.stop()
        crowd.close()
    last = crowd.start("--until-end")
    try:
        assert last.process.wait(60) == 0, last.log.read_text()
    finally:
        crowd.close()
    found = numbers_in(kafka_log, registry, target)
    assert len(found) == len(set(found))
    assert sorted(found) == [number for number in range(feed.sent) if number % 3]


def wait_for_commits(log: Log, application: str, topic: str, member: Member) -> None:
    limit = time.monotonic() + 60
    while not sum(committed(log, application, topic).values()):
        assert member.process.poll() is None, member.log.read_text()
        assert time.monotonic() < limit, "nothing was committed in time"
        time.sleep(0.1)


def numbers_in(log: Log, registry: Registry, topic: str) -> list[int]:
    """Give the numbers of all committed results."""
    decoder = make_decoder(Side(Format.AVRO, pa.struct([("MMSI", pa.int64())])), [("MMSI",)], registry)
    decoded = decoder.decode(pa.array([row["value"] for row in read(log, topic)], pa.binary()))
    assert decoded.errors == ()
    return [int(item.as_py()) for item in decoded.columns[0]]
