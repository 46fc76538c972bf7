"""The programs with state that are measured, and the records that they run over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as compute

from headrace.formats import make_encoder
from headrace.formats.interface import Format, Side
from headrace.log.interface import ProducerOptions, TopicDescription

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.log.interface import Log

pc: Any = compute
"""Its functions; the stubs have them for some types of arrays only."""

PARTITIONS: Final = 4
BATCH: Final = 50_000
START: Final = 1_700_000_040_000
"""A full minute, in milliseconds since the epoch."""

TYPE: Final = pa.struct(
    [
        pa.field("account", pa.int64()),
        pa.field("amount", pa.int64()),
        pa.field("currency", pa.string()),
        pa.field("merchant", pa.string()),
    ]
)
_DECLARED: Final = "account long, amount long, currency string, merchant string"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of payments.

    Args:
        name: of the topic.
        records: how many.
        keys: keys are drawn uniformly from so many; with `each_once`, record n has key n instead.
        seconds: event time from the first record to the last.
        seed: of the draws.
        partitions: how many it has.
    """

    name: str
    records: int
    keys: int
    seconds: float = 240.0
    each_once: bool = False
    seed: int = 0
    partitions: int = PARTITIONS

    @property
    def declaration(self) -> str:
        """The statement that says what the topic holds."""
        return f"CREATE TABLE {self.name} ({_DECLARED}) FORMAT (LONG, JSON);\n"

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Give the records, ready to be sent; the same ones each time."""
        key = make_encoder(Side(Format.LONG, pa.int64()), None)
        value = make_encoder(Side(Format.JSON, TYPE), None)
        for number, start in enumerate(range(0, self.records, BATCH)):
            count = min(BATCH, self.records - start)
            rows = pa.array(range(start, start + count), pa.int64())
            keys = rows if self.each_once else self._draw(count, self.keys, number)
            times = pc.add(pc.cast(pc.multiply(rows, self._step()), pa.int64(), safe=False), START)
            columns = [
                keys,
                self._draw(count, 100_000, number + 1_000_000),
                pa.repeat(pa.scalar("EUR"), count),
                pa.repeat(pa.scalar("a merchant of some town"), count),
            ]
            fields = [TYPE.field(index) for index in range(TYPE.num_fields)]
            yield pa.RecordBatch.from_pydict(
                {
                    "key": key.encode(keys).data,
                    "value": value.encode(pa.StructArray.from_arrays(columns, fields=fields)).data,
                    "timestamp": times.cast(pa.timestamp("ms", "UTC")),
                }
            )

    def _step(self) -> float:
        return self.seconds * 1000 / max(self.records, 1)

    def _draw(self, count: int, below: int, number: int) -> pa.Array[Any]:
        unit = pc.random(count, initializer=self.seed * 10_000_000 + number)
        drawn: pa.Array[Any] = pc.cast(pc.multiply(unit, below), pa.int64(), safe=False)
        return drawn

    def fill(self, log: Log) -> None:
        """Make the topic."""
        admin = log.admin()
        try:
            admin.create(TopicDescription(self.name, self.partitions, 1, {"retention.ms": "-1"}))
        finally:
            admin.close()
        producer = log.producer(ProducerOptions(properties={"linger.ms": "20"}))
        try:
            for batch in self.batches():
                producer.send(self.name, batch)
            failures = producer.flush(240)
            assert not failures, failures[0]
        finally:
            producer.close()


@dataclass(frozen=True, slots=True)
class Workload:
    """A program over topics.

    Args:
        name: for the table.
        topics: what it reads; the first `counted` of them are what the rate counts.
        query: with `{0}`, `{1}` for the names of the topics.
        target: records a CPU second that are wanted.
        counted: how many of the topics the rate counts.
    """

    name: str
    topics: tuple[Topic, ...]
    query: str
    target: int
    counted: int = 1

    @property
    def records(self) -> int:
        """How many records the rate counts."""
        return sum(topic.records for topic in self.topics[: self.counted])

    def program(self, target: str, suffix: str = "") -> str:
        """Give the text; with a suffix, over topics of the same kind whose names end in it."""
        names = [f"{topic.name}{suffix}" for topic in self.topics]
        declared = "".join(
            f"CREATE TABLE {name} ({_DECLARED}) FORMAT (LONG, JSON);\n" for name in dict.fromkeys(names)
        )
        return (
            f"SET autocreate=true;\nSET processing.guarantee='exactly_once';\n{declared}"
            f"INSERT INTO {target}\n{self.query.format(*names)}"
        )


def workloads(scale: float) -> tuple[Workload, ...]:
    """Give all programs; `scale` shrinks records and keys alike (1.0: as the figures are stated)."""

    def scaled(number: int) -> int:
        return max(1, round(number * scale))

    windowed = Topic("payments", scaled(2_000_000), scaled(50_000))
    dense = Topic("payments_of_few", scaled(2_000_000), scaled(500), seed=2)
    wide = Topic("wide_payments", scaled(4_000_000), scaled(2_000_000))
    sums = "COUNT(*) AS payments, SUM(amount) AS total, MAX(amount) AS largest"
    customers = Topic("customers", scaled(1_000_000), scaled(1_000_000), 60.0, each_once=True)
    buyers = Topic("purchases", scaled(2_000_000), scaled(1_000_000), seed=1)
    orders = Topic("orders", scaled(1_000_000), 0, each_once=True)
    shipments = Topic("shipments", scaled(1_000_000), 0, each_once=True)
    return (
        Workload(
            "tumbling 1 min, 50,000 keys",
            (windowed,),
            f"SELECT STREAM {sums} FROM {{0}} WINDOW BY TUMBLE 1m GRACE BY 10s GROUP BY _key",
            250_000,
        ),
        Workload(
            "hopping 10 s every 1 s, 500 keys",
            (dense,),
            f"SELECT STREAM {sums} FROM {{0}} WINDOW BY HOP 10s,1s GRACE BY 1s GROUP BY _key EMIT FINAL",
            125_000,
        ),
        # A key has a record each six seconds here, so almost every record is in ten windows that hold little else: some
        # six results are written for each record that is read.
        Workload(
            "hopping 10 s every 1 s, 50,000",
            (windowed,),
            f"SELECT STREAM {sums} FROM {{0}} WINDOW BY HOP 10s,1s GRACE BY 1s GROUP BY _key EMIT FINAL",
            125_000,
        ),
        Workload(
            "session 10 s per key",
            (windowed,),
            f"SELECT STREAM {sums} FROM {{0}} WINDOW BY SESSION 10s GRACE BY 10s GROUP BY _key",
            100_000,
        ),
        Workload(
            "no window, 2,000,000 keys", (wide,), f"SELECT STREAM {sums} FROM {{0}} GROUP BY _key", 120_000
        ),
        Workload(
            "stream-table, 1,000,000 keys",
            (buyers, customers),
            "SELECT STREAM p.amount AS amount, c.merchant AS merchant FROM {0} p JOIN {1} c ON p._key = c._key",
            200_000,
        ),
        Workload(
            "stream-stream within 10 s",
            (orders, shipments),
            "SELECT STREAM o.amount AS ordered, s.amount AS shipped FROM {0} o JOIN {1} s "
            "ON o._key = s._key WITHIN 10s GRACE BY 1s",
            80_000,
            counted=2,
        ),
    )
