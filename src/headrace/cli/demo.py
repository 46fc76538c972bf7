"""`headrace demo`: a processor at work, from invented ships to the fast ones among them."""

from __future__ import annotations

import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
import pyarrow as pa

from headrace.catalog import Catalog
from headrace.cli.demo_screen import Screen, open_screen
from headrace.cli.failures import bad_call, reported
from headrace.cli.fleet import KEY_SCHEMA, KEY_TYPE, VALUE_SCHEMA, Fleet
from headrace.cli.options import examples
from headrace.engine import Processor, ProcessorOptions
from headrace.formats import make_decoder, make_encoder
from headrace.formats.interface import Format, Registry, Side
from headrace.formats.registry import open_registry
from headrace.log import open_log
from headrace.log.interface import ConsumerOptions, Log, ProducerOptions, TopicDescription, TopicPartition
from headrace.planner import plan_program
from headrace.sql import parse_program
from headrace.types.avro import avro_to_arrow

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE = "iot_data"
TARGET = "fastVehiclesProcessor"
PROGRAM = """\
SET autocreate=true;
INSERT INTO fastVehiclesProcessor
SELECT MMSI, Speed, Longitude AS Long, Latitude AS Lat, `Timestamp`
FROM iot_data
WHERE Speed > 10 AND _ktype=AVRO AND _vtype=AVRO
"""
PARTITIONS = 4
SHIPS = 200
TICK = 0.05


@click.command("demo", epilog=examples("headrace demo --seconds 30"))
@click.option(
    "--seconds", type=click.FloatRange(min=1.0), default=12.0, show_default=True, help="How long to run."
)
@click.option(
    "--rate", type=click.IntRange(20, 200_000), default=2_000, show_default=True, help="Reports a second."
)
@reported
def command(seconds: float, rate: int) -> None:
    """Show a running processor on generated data; nothing else is needed.

    Ships report their positions in Avro to the topic iot_data, on an embedded log in a temporary file; a processor
    selects those faster than 10 knots; what it writes is shown as it comes out.
    """
    with tempfile.TemporaryDirectory(prefix="headrace-demo-") as folder:
        url = f"sqlite:{Path(folder) / 'demo.db'}"
        with open_log(url) as log:
            registry = open_registry(None, log)
            if registry is None:
                message = "the embedded log has no registry"
                raise bad_call(message)
            ships = _Ships(log, registry, rate)
            with closing(Catalog(log, registry)) as catalog:
                topology = plan_program(parse_program(PROGRAM, "demo.sql"), catalog)
            processor = Processor(topology, log, registry, ProcessorOptions(application="demo"))
            with open_screen(PROGRAM, f"{SHIPS} ships, {rate:,} reports a second, embedded log") as screen:
                _show(log, registry, ships, processor, screen, seconds)
            written = sum(processor.metrics.snapshot().produced.values())
            click.echo(f"done: {ships.sent:,} reports in, {written:,} fast ones out")


class _Ships:
    """Writes position reports at a steady rate from a thread of its own."""

    def __init__(self, log: Log, registry: Registry, rate: int) -> None:
        self._log = log
        self._rate = rate
        self.sent = 0
        self._fleet = Fleet(SHIPS, _now())
        admin = log.admin()
        admin.create(TopicDescription(SOURCE, PARTITIONS))
        admin.close()
        value = Side(Format.AVRO, avro_to_arrow(VALUE_SCHEMA), VALUE_SCHEMA)
        self._key = make_encoder(
            Side(Format.AVRO, KEY_TYPE, KEY_SCHEMA), registry.register(f"{SOURCE}-key", KEY_SCHEMA)
        )
        self._value = make_encoder(value, registry.register(f"{SOURCE}-value", VALUE_SCHEMA))
        self._type = value.type

    def sail(self, stopped: threading.Event) -> None:
        """Report until told to stop."""
        producer = self._log.producer(ProducerOptions())
        try:
            start = time.monotonic()
            while not stopped.wait(TICK):
                due = int((time.monotonic() - start) * self._rate) - self.sent
                if due <= 0:
                    continue
                keys, values = self._fleet.reports(due, _now())
                columns = {
                    "key": self._key.encode(keys).data,
                    "value": self._value.encode(values.cast(self._type)).data,
                }
                producer.send(SOURCE, pa.RecordBatch.from_pydict(columns))
                producer.flush(10.0)
                self.sent += due
        finally:
            producer.close()


def _show(
    log: Log, registry: Registry, ships: _Ships, processor: Processor, screen: Screen, seconds: float
) -> None:
    """Run ships and processor beside each other, and show what comes out until the time is over."""
    stopped = threading.Event()
    faults: list[BaseException] = []
    threads = [
        threading.Thread(target=_guarded, args=(work, stopped, faults), name=name)
        for name, work in (("ships", lambda: ships.sail(stopped)), ("processor", processor.run))
    ]
    for thread in threads:
        thread.start()
    consumer = log.consumer(ConsumerOptions())
    try:
        schema = _schema(registry, stopped)
        if schema is None:
            return
        consumer.assign({TopicPartition(TARGET, number): -2 for number in _partitions(log)})
        decoder = make_decoder(Side(Format.AVRO, avro_to_arrow(schema), schema), [()], registry)
        start = time.monotonic()
        while not stopped.is_set() and (gone := time.monotonic() - start) < seconds:
            for records in consumer.poll(10_000, TICK):
                screen.records(
                    records, decoder.decode(cast("pa.BinaryArray", records.column("value"))).columns[0]
                )
            screen.counts(ships.sent, gone)
    finally:
        stopped.set()
        processor.stop()
        consumer.close()
        for thread in threads:
            thread.join()
        if faults:
            raise faults[0]


def _schema(registry: Registry, stopped: threading.Event) -> str | None:
    """Wait for the processor to register the schema of its target, which it has created then; None if it failed."""
    while not stopped.wait(TICK):
        latest = registry.latest(f"{TARGET}-value")
        if latest is not None:
            return latest[1]
    return None


def _partitions(log: Log) -> range:
    """Give the numbers of the target's partitions."""
    admin = log.admin()
    try:
        described = admin.describe(TARGET)
    finally:
        admin.close()
    return range(0 if described is None else described.partitions)


def _guarded(work: Callable[[], None], stopped: threading.Event, faults: list[BaseException]) -> None:
    try:
        work()
    except BaseException as error:
        faults.append(error)
        stopped.set()


def _now() -> int:
    return time.time_ns() // 1_000_000
