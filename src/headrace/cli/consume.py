"""`headrace consume`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import click
import numpy as np
import pyarrow as pa
import pyarrow.compute as compute

from headrace.cli.failures import reported
from headrace.cli.json_lines import JsonPrinter, envelopes, write_lines
from headrace.cli.options import FORMATS, KEY_FORMATS, examples, log_options
from headrace.cli.session import open_session
from headrace.cli.topic_sides import topic_sides, unknown_topic
from headrace.formats.interface import Format, Side
from headrace.log.interface import Consumer, ConsumerOptions, Log, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headrace.cli.session import Session
    from headrace.cli.topic_sides import TopicSides

pc: Any = compute
"""Its functions; the stubs have them for some types of arrays only."""


BATCH = 10_000
POLL_SECONDS = 0.5
BEGINNING, END = -2, -1


@click.command(
    "consume",
    epilog=examples(
        "headrace consume iot_data --from-beginning --max 10",
        "headrace consume iot_data --until-end --envelope > iot_data.jsonl",
    ),
)
@click.argument("topic")
@click.option(
    "--key-format",
    type=KEY_FORMATS,
    metavar="FORMAT",
    help="Default: what the topic holds. TWSTRING has a window of time behind the key, SWSTRING a session.",
)
@click.option("--value-format", type=FORMATS, help="Default: what the topic holds.")
@click.option("--envelope", is_flag=True, help='Print {"key":…, "value":…, "timestamp":…, "headers":…}.')
@click.option("--from-beginning", is_flag=True, help="Begin with the oldest record, not with the next one.")
@click.option("--max", "limit", type=click.IntRange(min=1), metavar="N", help="Stop after N records.")
@click.option("--until-end", is_flag=True, help="Print what is there now, from the beginning, and stop.")
@log_options
@reported
def command(
    topic: str,
    key_format: str | None,
    value_format: str | None,
    envelope: bool,
    from_beginning: bool,
    limit: int | None,
    until_end: bool,
    log: str | None,
    registry: str | None,
) -> None:
    """Print the records of TOPIC as JSON lines.

    BYTES are printed as Base64 text. A record that cannot be read is named on standard error and left out. Where nothing
    tells the format of an empty topic, the first records that come do.
    """
    with open_session(log, registry) as session:
        sides = topic_sides(session, topic, key_format, value_format)
        printers = _Printers(session, topic, sides)
        start = BEGINNING if from_beginning or until_end else END
        for records in _read(session.log, topic, sides.partitions, start, until_end, limit):
            key = printers.printer("key", records) if envelope else None
            _print(topic, records, key, printers.printer("value", records))


class _Printers:
    """Printers of both sides of a topic; what is not known of a side is told from the first records that have it."""

    def __init__(self, session: Session, topic: str, sides: TopicSides) -> None:
        self._session = session
        self._topic = topic
        self._sides = {"key": sides.key, "value": sides.value}
        self._printers: dict[str, JsonPrinter] = {}

    def printer(self, part: str, records: pa.RecordBatch) -> JsonPrinter:
        """Give the printer of the keys or values of these records."""
        if part not in self._printers:
            side = self._sides[part]
            held = _bytes(records, part)
            if side is None and held.null_count == len(held):
                # Any format prints these as null; the next records may tell which one it is.
                return JsonPrinter(Side(Format.JSON, pa.string()), None)
            self._printers[part] = JsonPrinter(side or self._told(part, records), self._session.registry)
        return self._printers[part]

    def _told(self, part: str, records: pa.RecordBatch) -> Side:
        self._session.catalog.learn(self._topic, records)
        found = self._session.catalog.sides(self._topic)
        if found is None:
            raise unknown_topic(self._topic)
        side = found[0 if part == "key" else 1]
        assert side is not None, "records tell a format, be it BYTES"
        return side


def _print(topic: str, records: pa.RecordBatch, key: JsonPrinter | None, value: JsonPrinter) -> None:
    printed = value.print(_bytes(records, "value"))
    lines, errors = pc.fill_null(printed.text, "null"), [("value", error) for error in printed.errors]
    if key is not None:
        keys = key.print(_bytes(records, "key"))
        errors += [("key", error) for error in keys.errors]
        lines = envelopes(records, keys.text, lines)
    if errors:
        bad = pa.array([error.row for _, error in errors], pa.int64())
        rows = pa.array(np.arange(len(lines)), pa.int64())
        lines = lines.filter(pc.invert(pc.is_in(rows, bad)))
    write_lines(lines)
    for side, error in errors:
        partition, offset = records.column("partition")[error.row], records.column("offset")[error.row]
        click.echo(f"{topic}[{partition}]@{offset}: {side} left out: {error.reason}", err=True)


def _bytes(records: pa.RecordBatch, name: str) -> pa.BinaryArray:
    return cast("pa.BinaryArray", records.column(name))


def _read(
    log: Log, topic: str, partitions: int, start: int, until_end: bool, limit: int | None
) -> Iterator[pa.RecordBatch]:
    """Give the records of all partitions; stops at `limit`, or at the end as it is now."""
    parts = [TopicPartition(topic, number) for number in range(partitions)]
    consumer = log.consumer(ConsumerOptions())
    try:
        ends = _present_ends(consumer, parts) if until_end else None
        consumer.assign(dict.fromkeys(parts, start))
        left = limit
        while left != 0 and not (ends is not None and _reached(consumer, ends)):
            for batch in consumer.poll(BATCH if left is None else min(BATCH, left), POLL_SECONDS):
                records = batch if ends is None else _before(batch, ends)
                if left is not None:
                    records = records.slice(0, left)
                    left -= records.num_rows
                if records.num_rows:
                    yield records
    finally:
        consumer.close()


def _present_ends(consumer: Consumer, parts: list[TopicPartition]) -> dict[TopicPartition, int]:
    """Give the end offsets of the partitions that hold anything."""
    marks = consumer.watermarks(parts)
    return {part: end for part, (first, end) in marks.items() if end > first}


def _reached(consumer: Consumer, ends: Mapping[TopicPartition, int]) -> bool:
    positions = consumer.positions()
    return all(positions.get(part, BEGINNING) >= end for part, end in ends.items())


def _before(records: pa.RecordBatch, ends: Mapping[TopicPartition, int]) -> pa.RecordBatch:
    """Leave out what arrived after the ends were taken."""
    width = 1 + max((part.partition for part in ends), default=0)
    by_number = {part.partition: end for part, end in ends.items()}
    table = pa.array([by_number.get(number, 0) for number in range(width)], pa.int64())
    return records.filter(pc.less(records.column("offset"), table.take(records.column("partition"))))
