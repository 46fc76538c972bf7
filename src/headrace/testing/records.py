"""Records of cases: from JSON to the bytes of a topic and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from headrace.formats import make_decoder, make_encoder
from headrace.formats.interface import Format, Registry, Side
from headrace.formats.registered import KINDS, schema_type
from headrace.log.interface import ConsumerOptions, Log, TopicPartition
from headrace.log.records import HEADERS, TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.testing.case_file import TopicInput

_PRIMITIVES: Final[dict[Format, pa.DataType]] = {
    Format.INT: pa.int32(),
    Format.LONG: pa.int64(),
}
_BEGINNING: Final = -2
_VOLATILE: Final = frozenset(
    f"headrace.{kind}.{name}"
    for kind in ("error", "late")
    for name in ("application", "partition", "offset", "timestamp")
)
"""Headers of dead letters and late records that depend on how the case is run."""
_PATIENCE: Final = 40
"""Empty polls before a topic counts as unreadable."""


def formats_of(topic: TopicInput) -> tuple[Format, Format]:
    """Give the formats of key and value that the case says; STRING and JSON if it says none."""
    key, _, value = topic.options.get("format", "STRING, JSON").partition(",")
    return Format(key.strip().upper()), Format(value.strip().upper())


def register_schemas(topic: TopicInput, registry: Registry | None) -> dict[str, int]:
    """Register the schemas of a topic's Avro sides; gives their ids by `key` and `value`."""
    ids = {}
    for part in ("key", "value"):
        schema = topic.options.get(f"{part} schema")
        if schema is not None:
            assert registry is not None, "a case with Avro needs a registry"
            form = formats_of(topic)[part == "value"]
            ids[part] = registry.register(f"{topic.name}-{part}", schema, KINDS[form])
    return ids


def time_of(number: int, record: dict[str, Any]) -> int:
    """Give the timestamp of a record: its number, counted from 1, in seconds where it says none."""
    time: int = record.get("timestamp", (number + 1) * 1000)
    return time


def encode_records(
    topic: TopicInput, records: Sequence[tuple[int, dict[str, Any]]], ids: dict[str, int]
) -> pa.RecordBatch:
    """Give the records as bytes.

    Args:
        topic: whose formats and schemas count.
        records: each with its number in the topic, which, counted from 1, is its timestamp in seconds where it says none.
        ids: of the registered schemas.
    """
    key_format, value_format = formats_of(topic)
    rows = [record for _, record in records]
    columns: dict[str, pa.Array[Any]] = {
        "key": _side(topic, "key", key_format, rows, ids),
        "value": _side(topic, "value", value_format, rows, ids),
        "timestamp": pa.array([time_of(number, record) for number, record in records], pa.int64()).cast(
            TIMESTAMP
        ),
        "headers": pa.array([_headers(record) for record in rows], HEADERS),
        "partition": pa.array([record.get("partition") for record in rows], pa.int32()),
    }
    return pa.RecordBatch.from_pydict(columns)


def _side(
    topic: TopicInput, part: str, form: Format, rows: Sequence[dict[str, Any]], ids: dict[str, int]
) -> pa.BinaryArray:
    encoded = _encoded(topic, part, form, [row.get(part) for row in rows], ids)
    raw = [row.get(f"{part}_hex") for row in rows]
    return pa.array(
        [bytes.fromhex(given) if given is not None else own for given, own in zip(raw, encoded, strict=True)],
        pa.binary(),
    )


def _encoded(
    topic: TopicInput, part: str, form: Format, values: Sequence[Any], ids: dict[str, int]
) -> list[bytes | None]:
    if form in (Format.STRING, Format.CSV, Format.XML):
        return [None if value is None else str(value).encode() for value in values]
    if form is Format.BYTES:
        return [None if value is None else bytes.fromhex(value) for value in values]
    texts = [None if value is None else json.dumps(value, ensure_ascii=False).encode() for value in values]
    if form is Format.JSON:
        return texts
    if form in KINDS:
        schema = topic.options[f"{part} schema"]
        side = Side(form, schema_type(form, schema), schema)
    else:
        side = Side(form, _PRIMITIVES[form])
    decoder = make_decoder(Side(Format.JSON, side.type), [()], None)
    decoded = decoder.decode(pa.array(texts, pa.binary()))
    encoded = make_encoder(side, ids.get(part)).encode(decoded.columns[0])
    faults = [*decoded.errors, *encoded.errors]
    assert not faults, f"topic {topic.name}: record {faults[0].row}: {faults[0].reason}"
    found: list[bytes | None] = encoded.data.to_pylist()
    return found


def _headers(record: dict[str, Any]) -> list[dict[str, Any]] | None:
    found = record.get("headers")
    if found is None:
        return None
    pairs = found.items() if isinstance(found, dict) else found
    return [{"key": key, "value": None if value is None else _header_bytes(value)} for key, value in pairs]


def _header_bytes(value: Any) -> bytes:
    return bytes.fromhex(value["hex"]) if isinstance(value, dict) else str(value).encode()


def read_topic(log: Log, topic: str) -> pa.Table:
    """Give all committed records of a topic, partition by partition, in the order of offsets."""
    admin = log.admin()
    description = admin.describe(topic)
    admin.close()
    if description is None:
        return pa.table({})
    consumer = log.consumer(ConsumerOptions())
    try:
        partitions = [TopicPartition(topic, number) for number in range(description.partitions)]
        consumer.assign(dict.fromkeys(partitions, _BEGINNING))
        ends = _ends(log, partitions)
        batches: list[pa.RecordBatch] = []
        empty = 0
        while any(consumer.positions().get(item, 0) < end for item, end in ends.items() if end):
            found = consumer.poll(10_000, 0.25)
            batches += found
            empty = 0 if found else empty + 1
            if empty > _PATIENCE:
                message = f"the records of `{topic}` cannot be read to the end"
                raise TimeoutError(message)
    finally:
        consumer.close()
    if not batches:
        return pa.table({})
    table = pa.Table.from_batches(batches)
    return table.sort_by([("partition", "ascending"), ("offset", "ascending")])


def _ends(log: Log, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    """Give the ends with open transactions counted in.

    A commit on Kafka returns before its markers stand in every partition, so the last stable offsets may be a little behind.
    """
    looker = log.consumer(ConsumerOptions(read_committed=False))
    try:
        return {item: end for item, (_, end) in looker.watermarks(partitions).items()}
    finally:
        looker.close()


def record_lines(
    table: pa.Table, key: Side | None, value: Side | None, registry: Registry | None
) -> list[str]:
    """Give one JSON line a record; without a side its bytes are shown as text, or in hexadecimal."""
    if table.num_rows == 0:
        return []
    keys = _texts(table.column("key").to_pylist(), key, registry)
    values = _texts(table.column("value").to_pylist(), value, registry)
    times = table.column("timestamp").cast(pa.int64()).to_pylist()
    headers = table.column("headers").to_pylist()
    lines = []
    for row in range(table.num_rows):
        parts = [f'"key": {keys[row]}', f'"value": {values[row]}', f'"timestamp": {times[row]}']
        found = headers[row]
        if found:
            shown = [
                [item["key"], "…" if item["key"] in _VOLATILE else _plain(item["value"])] for item in found
            ]
            parts.append(f'"headers": {json.dumps(shown, ensure_ascii=False)}')
        lines.append("{" + ", ".join(parts) + "}")
    return lines


def _texts(raw: list[bytes | None], side: Side | None, registry: Registry | None) -> list[str]:
    if side is None or (side.format in (Format.STRING, Format.BYTES) and side.window is None):
        return [json.dumps(_plain(item), ensure_ascii=False) for item in raw]
    if side.format is Format.JSON and side.window is None:
        return ["null" if item is None else item.decode("utf-8", "backslashreplace") for item in raw]
    decoded = make_decoder(side, [()], registry).decode(pa.array(raw, pa.binary()))
    written = make_encoder(Side(Format.JSON, side.type)).encode(decoded.columns[0])
    faults = [*decoded.errors, *written.errors]
    assert not faults, f"an output cannot be read back: {faults[0].reason}"
    return ["null" if item is None else item.decode() for item in written.data.to_pylist()]


def _plain(data: bytes | None) -> Any:
    if data is None:
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return {"hex": data.hex()}
    return text if text.isprintable() else {"hex": data.hex()}
