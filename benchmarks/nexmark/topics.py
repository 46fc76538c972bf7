"""The events in three topics of a log, as JSON or as Avro.

Persons and auctions have their ids as keys, bids have none, as the events of a web site would. The time of a record is the
event's. Behind the events stand closing records, two hours later: by them every window of the events ends before the topic
does, on each partition of whatever comes after.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from benchmarks.nexmark.generator import AUCTION, BID, PERSON, Events, generate
from headrace.formats import make_encoder
from headrace.formats.interface import Format, Side
from headrace.log.interface import ProducerOptions, TopicDescription
from headrace.log.records import TIMESTAMP
from headrace.types.avro import arrow_to_avro

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.nexmark.rules import Rules
    from headrace.formats.interface import Registry
    from headrace.log.interface import Log, Producer

KINDS: Final = {"person": PERSON, "auction": AUCTION, "bid": BID}
KEYS: Final = {"person": "id", "auction": "id"}
PARTITIONS: Final = 4
CLOSERS: Final = 64
"""Of each kind: enough different keys to reach every partition."""
_LATER: Final = 7_200_000

_SQL_TYPES: Final = {pa.int64(): "LONG", pa.string(): "STRING", TIMESTAMP: "TIMESTAMP"}


def declarations(topics: dict[str, str]) -> str:
    """Give the statements that say what the topics hold (JSON; for Avro the registry does), by kind of event."""
    texts = []
    for kind, topic in topics.items():
        columns = ", ".join(f"{field.name} {_SQL_TYPES[field.type]}" for field in KINDS[kind])
        texts.append(f"CREATE TABLE {topic} ({columns}) FORMAT (LONG, JSON);\n")
    return "".join(texts)


def closing_time(rules: Rules, count: int) -> int:
    """Give the time of the closing records behind `count` events, in milliseconds."""
    return int(rules.times(np.array([count]))[0]) + _LATER


def with_closing(rules: Rules, count: int) -> Iterator[Events]:
    """Give the events, and the closing records behind them; ids of those are negative."""
    yield from generate(rules, count)
    time = closing_time(rules, count)
    ids = pa.array(range(-CLOSERS, 0), pa.int64())
    yield Events(*(_closing(schema, ids, time) for schema in KINDS.values()))


def _closing(schema: pa.Schema, ids: pa.Array[Any], time: int) -> pa.RecordBatch:
    rest: dict[Any, Any] = {
        pa.string(): pa.scalar("end"),
        pa.int64(): pa.scalar(0, pa.int64()),
        TIMESTAMP: pa.scalar(time, TIMESTAMP),
    }
    named = {"id", "auction", "bidder", "seller"}
    columns = [ids if field.name in named else pa.repeat(rest[field.type], len(ids)) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


class Topics:
    """Three topics of events.

    Args:
        log: where they are.
        registry: for Avro.
        format: of the values.
        names: of the topics, by kind of event.
    """

    def __init__(self, log: Log, registry: Registry | None, format: Format, names: Mapping[str, str]) -> None:
        self._log = log
        self.names = {kind: names[kind] for kind in KINDS}
        self._key = make_encoder(Side(Format.LONG, pa.int64()))
        self._values = {}
        for kind, schema in KINDS.items():
            type = pa.struct(list(schema))
            text = arrow_to_avro(type, kind, "nexmark") if format is Format.AVRO else None
            id = None
            if text is not None:
                assert registry is not None
                id = registry.register(f"{self.names[kind]}-value", text)
            self._values[kind] = make_encoder(Side(format, type, text), id)

    def fill(self, rules: Rules, count: int, partitions: int = PARTITIONS, *, closing: bool = True) -> None:
        """Make the topics with the first `count` events, and closing records if wanted."""
        admin = self._log.admin()
        try:
            for topic in self.names.values():
                admin.create(TopicDescription(topic, partitions, 1, {"retention.ms": "-1"}))
        finally:
            admin.close()
        producer = self._log.producer(ProducerOptions(properties={"linger.ms": "20"}))
        try:
            sent = 0
            for events in with_closing(rules, count) if closing else generate(rules, count):
                self._send(producer, "person", events.persons, None)
                self._send(producer, "auction", events.auctions, None)
                # Without keys they would go where the client likes; so they are the same each time.
                spread = np.arange(sent, sent + len(events.bids), dtype=np.int32) % partitions
                self._send(producer, "bid", events.bids, pa.array(spread, pa.int32()))
                sent += len(events.bids)
            failures = producer.flush(240)
            assert not failures, failures[0]
        finally:
            producer.close()

    def _send(
        self, producer: Producer, kind: str, rows: pa.RecordBatch, partitions: pa.Array[Any] | None
    ) -> None:
        if not len(rows):
            return
        key = KEYS.get(kind)
        keys = self._key.encode(rows.column(key)).data if key else pa.nulls(len(rows), pa.binary())
        columns: dict[str, Any] = {
            "key": keys,
            "value": self._values[kind].encode(rows.to_struct_array()).data,
            "timestamp": rows.column("date_time"),
        }
        if partitions is not None:
            columns["partition"] = partitions
        producer.send(self.names[kind], pa.RecordBatch.from_pydict(columns))


SIDE_TYPE: Final = pa.struct([("id", pa.int64()), ("label", pa.string())])


def fill_side(log: Log, topic: str, rows: pa.Table) -> None:
    """Make the topic of q13's bounded side."""
    admin = log.admin()
    try:
        admin.create(TopicDescription(topic, 1, 1, {"retention.ms": "-1"}))
    finally:
        admin.close()
    (batch,) = rows.combine_chunks().to_batches()
    keys = make_encoder(Side(Format.LONG, pa.int64())).encode(batch.column("id")).data
    values = make_encoder(Side(Format.JSON, SIDE_TYPE)).encode(batch.to_struct_array()).data
    producer = log.producer(ProducerOptions())
    try:
        producer.send(topic, pa.RecordBatch.from_pydict({"key": keys, "value": values}))
        failures = producer.flush(60)
        assert not failures, failures[0]
    finally:
        producer.close()
