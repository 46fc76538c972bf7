"""Look at some records of a topic, and tell from their bytes what they are."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from headrace.catalog.declaration import primitive_type
from headrace.catalog.infer import infer_json
from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes import catalog as codes
from headrace.formats.errors import UnknownSchemaError
from headrace.formats.interface import Format, Side
from headrace.formats.registered import FORMATS, KINDS, asked_for, registered_side
from headrace.log.interface import ConsumerOptions, TopicPartition
from headrace.types.change_records import seen_change_record

if TYPE_CHECKING:
    from headrace.formats.interface import Registry
    from headrace.log.interface import Consumer, Log

_PATIENCE: Final = 10.0
"""Seconds to wait for the sample of a topic that has records."""

_AVRO_HEADER: Final = 5
_TEXT_CONTROL: Final = frozenset(range(32)) - {9, 10, 13}


@dataclass(frozen=True, slots=True)
class Sample:
    """Bytes of some records, nulls left out."""

    topic: str
    keys: tuple[bytes, ...]
    values: tuple[bytes, ...]
    records: int
    """How many were looked at, with and without values."""


def sample_of(topic: str, batches: list[pa.RecordBatch], size: int) -> Sample:
    """Make a sample of records that have been read."""
    records = sum(batch.num_rows for batch in batches)
    return Sample(topic, _bytes(batches, "key", size), _bytes(batches, "value", size), records)


def take_sample(log: Log, topic: str, partitions: int, size: int) -> Sample:
    """Read some records of a topic: the first of every partition, and the last of those that have many."""
    consumer = log.consumer(ConsumerOptions())
    try:
        places = [TopicPartition(topic, number) for number in range(partitions)]
        marks = consumer.watermarks(places)
        share = max(1, size // (2 * max(1, partitions)))
        batches = _read(
            consumer, {place: first for place, (first, end) in marks.items() if end > first}, marks, share
        )
        tail = {
            place: max(first + share, end - share)
            for place, (first, end) in marks.items()
            if end > first + share
        }
        batches += _read(consumer, tail, marks, share)
    finally:
        consumer.close()
    return sample_of(topic, batches, size)


def _read(
    consumer: Consumer,
    starts: dict[TopicPartition, int],
    marks: dict[TopicPartition, tuple[int, int]],
    share: int,
) -> list[pa.RecordBatch]:
    if not starts:
        return []
    ends = {place: min(marks[place][1], start + share) for place, start in starts.items()}
    found = []
    consumer.assign(starts)
    # A partition that an earlier read has paused stays paused when it is assigned again.
    consumer.resume(list(starts))
    until = time.monotonic() + _PATIENCE
    # Positions decide, not counts: transaction markers leave holes between offsets.
    while time.monotonic() < until and any(
        at < ends[place] for place, at in consumer.positions().items() if place in ends
    ):
        found += consumer.poll(share * len(starts), 0.5)
        done = [place for place, at in consumer.positions().items() if place in ends and at >= ends[place]]
        if done:
            consumer.pause(done)
    return found


def _bytes(batches: list[pa.RecordBatch], column: str, size: int) -> tuple[bytes, ...]:
    found: list[bytes] = []
    for batch in batches:
        held = batch.column(batch.schema.get_field_index(column)).drop_null()
        found += [item for item in held.slice(0, size).to_pylist() if item is not None]
    return tuple(found)


def sample_side(sample: Sample, part: str, form: Format | None, registry: Registry | None) -> Side | None:
    """Tell format and type of the keys or values of a sample; None if it holds none.

    Args:
        sample: of the topic.
        part: `key` or `value`.
        form: the format, if it is known.
        registry: for the schemas of Avro records.

    Raises:
        ProgramError: the records are not of the format that the program says.
    """
    data = sample.keys if part == "key" else sample.values
    if not data:
        return None
    if form is None or form in KINDS:
        framed = _framed(data, registry)
        asked = None if framed is None else asked_for(framed, form)
        if asked is not None:
            return asked
        if form is not None:
            return None
    if form in (Format.CSV, Format.XML):
        message = f"the columns of the {form} topic `{sample.topic}` are not known"
        way_out = f"declare them: CREATE TABLE `{sample.topic}` (column type, …) FORMAT (STRING, {form})"
        raise ProgramError((Diagnostic(codes.NOTHING_KNOWN, message, None, way_out),))
    if form is Format.DEBEZIUM_JSON:
        return _changes(sample.topic, data)
    if form in (None, Format.JSON):
        json_side = _json(data, sure=form is not None)
        if json_side is not None:
            return json_side
        if form is Format.JSON:
            message = f"the sampled {part}s of `{sample.topic}` are not JSON"
            raise ProgramError((Diagnostic(codes.UNREADABLE_SAMPLE, message),))
    return _primitive(data)


def _framed(data: tuple[bytes, ...], registry: Registry | None) -> Side | None:
    if registry is None or not all(len(item) >= _AVRO_HEADER and item[0] == 0 for item in data):
        return None
    newest = max(int.from_bytes(item[1:_AVRO_HEADER], "big") for item in data)
    try:
        text, kind = registry.schema(newest), registry.kind(newest)
    except UnknownSchemaError:
        return None
    return registered_side(kind, text, data) if kind in FORMATS else None


def _json(data: tuple[bytes, ...], *, sure: bool) -> Side | None:
    records = [item for item in data if item.lstrip()[:1] in (b"{", b"[")]
    if not sure and len(records) * 2 < len(data):
        return _quoted(data)
    objects = [item for item in records if item.lstrip()[:1] == b"{"]
    # Among objects anything else is a bad record, which tells nothing of the others.
    kind, bad = infer_json(objects if len(objects) * 2 > len(data) else data if sure else records)
    if kind is None or bad * 2 >= len(data):
        return None
    return Side(Format.JSON, kind)


def _changes(topic: str, data: tuple[bytes, ...]) -> Side:
    seen, _ = infer_json(data)
    kind = None if seen is None else seen_change_record(seen)
    if kind is None:
        message = f"the sampled values of `{topic}` are not change records: they have no `op`, or no row `before` or `after`"
        way_out = f"declare it: CREATE TABLE `{topic}` (column type, …) FORMAT (JSON, DEBEZIUM_JSON)"
        raise ProgramError((Diagnostic(codes.UNREADABLE_SAMPLE, message, None, way_out),))
    return Side(Format.DEBEZIUM_JSON, kind)


def _quoted(data: tuple[bytes, ...]) -> Side | None:
    """Tell JSON strings by their quotes; bare numbers and words are text."""
    if not all(item[:1] == b'"' and item[-1:] == b'"' for item in data):
        return None
    try:
        values = [json.loads(item) for item in data]
    except ValueError:
        return None
    return Side(Format.JSON, pa.string()) if all(isinstance(item, str) for item in values) else None


def _primitive(data: tuple[bytes, ...]) -> Side:
    if _is_text(data):
        return _side(Format.STRING)
    lengths = {len(item) for item in data}
    if lengths == {4}:
        return _side(Format.INT)
    if lengths == {8}:
        return _side(Format.LONG)
    return _side(Format.BYTES)


def _is_text(data: tuple[bytes, ...]) -> bool:
    for item in data:
        try:
            item.decode()
        except UnicodeDecodeError:
            return False
        if not _TEXT_CONTROL.isdisjoint(item):
            return False
    return True


def _side(form: Format) -> Side:
    kind = primitive_type(form)
    assert kind is not None
    return Side(form, kind)
