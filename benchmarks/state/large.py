"""State larger than the memory it may have: many keys, some of which come again when they were dropped from memory long ago."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import pyarrow as pa

from benchmarks.pipeline.child import HEADRACE, Cost, run
from headrace.formats import make_decoder, make_encoder
from headrace.formats.interface import Format, Side
from headrace.log.interface import ConsumerOptions, ProducerOptions, TopicDescription, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headrace.log.interface import Log

PARTITIONS: Final = 4
BATCH: Final = 100_000
TOPIC: Final = "many_payments"
TARGET: Final = "sums_of_many"
LARGEST: Final = 1_000
_VALUE: Final = pa.struct([pa.field("amount", pa.int64())])
_RESULT: Final = pa.struct([pa.field("payments", pa.int64()), pa.field("total", pa.int64())])


@dataclass(frozen=True, slots=True)
class Large:
    """A sum for each of many keys.

    Args:
        keys: each comes once, in order.
        again: so many records follow, of keys drawn from all.
        memory: what state may take, in bytes.
    """

    keys: int
    again: int
    memory: int

    @property
    def records(self) -> int:
        """How many records there are."""
        return self.keys + self.again

    def batches(self) -> Iterator[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
        """Give keys and amounts; the same ones each time."""
        for start in range(0, self.records, BATCH):
            end = min(start + BATCH, self.records)
            random = np.random.default_rng(start)
            keys = np.arange(start, end)
            later = keys >= self.keys
            keys[later] = random.integers(0, self.keys, int(later.sum()))
            yield keys, random.integers(0, LARGEST, end - start)

    def fill(self, log: Log) -> None:
        """Make the topic."""
        admin = log.admin()
        admin.create(TopicDescription(TOPIC, PARTITIONS, 1, {"retention.ms": "-1"}))
        admin.close()
        key, value = make_encoder(Side(Format.LONG, pa.int64())), make_encoder(Side(Format.JSON, _VALUE))
        producer = log.producer(ProducerOptions(properties={"linger.ms": "20"}))
        for keys, amounts in self.batches():
            rows = pa.StructArray.from_arrays([pa.array(amounts)], fields=[_VALUE.field(0)])
            producer.send(
                TOPIC,
                pa.RecordBatch.from_pydict(
                    {"key": key.encode(pa.array(keys)).data, "value": value.encode(rows).data}
                ),
            )
        failures = producer.flush(600)
        producer.close()
        assert not failures, failures[0]

    def run(self, environment: Mapping[str, str]) -> Cost:
        """Run the program over all records, to the end."""
        program = (
            "SET autocreate=true;\nSET processing.guarantee='exactly_once';\n"
            f"SET state.memory={self.memory};\n"
            f"CREATE TABLE {TOPIC} (amount long) FORMAT (LONG, JSON);\n"
            f"INSERT INTO {TARGET}\n"
            f"SELECT STREAM COUNT(*) AS payments, SUM(amount) AS total FROM {TOPIC} GROUP BY _key"
        )
        return run([HEADRACE, "run", "-e", program, "--app-id", "large", "--until-end"], environment)

    def check(self, log: Log) -> int:
        """Compare the last result of each key with the truth; gives how many results there are.

        Raises:
            AssertionError: a key has no result, or a wrong one.
        """
        wanted = np.zeros((2, self.keys), np.int64)
        for keys, amounts in self.batches():
            np.add.at(wanted[0], keys, 1)
            np.add.at(wanted[1], keys, amounts)
        found = np.zeros((2, self.keys), np.int64)
        key = make_decoder(Side(Format.LONG, pa.int64()), [()])
        value = make_decoder(Side(Format.JSON, _RESULT), [("payments",), ("total",)])
        results = 0
        for records in self._results(log):
            data = {name: cast("pa.BinaryArray", records.column(name)) for name in ("key", "value")}
            keys = key.decode(data["key"]).columns[0].to_numpy()
            for row, column in zip(found, value.decode(data["value"]).columns, strict=True):
                row[keys] = column.to_numpy()
            results += records.num_rows
        wrong = np.flatnonzero((wanted != found).any(axis=0))
        assert not len(wrong), f"{len(wrong):,} keys have wrong results, the first is {wrong[0]}"
        return results

    def _results(self, log: Log) -> Iterator[pa.RecordBatch]:
        places = [TopicPartition(TARGET, number) for number in range(PARTITIONS)]
        consumer = log.consumer(ConsumerOptions())
        try:
            ends = {place: high for place, (_, high) in consumer.watermarks(places).items()}
            consumer.assign(dict.fromkeys(places, 0))
            while any(consumer.positions().get(place, 0) < end for place, end in ends.items()):
                yield from consumer.poll(BATCH, 1.0)
        finally:
            consumer.close()
