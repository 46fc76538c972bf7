"""Bad records of every format, as keys and as values, through a running processor: alone they go, their neighbours come out."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from headrace.engine import Processor, ProcessorOptions
from headrace.formats.registry import open_registry
from headrace.formats.registry.kinds import SchemaKind
from headrace.log.embedded import EmbeddedLog
from tests.engine.hostile import (
    BAD_CHANGES,
    BAD_CSV,
    BAD_INT,
    BAD_JSON,
    BAD_LONG,
    BAD_TEXT,
    BAD_XML,
    ENVELOPE,
    GOOD_CHANGES,
    GOOD_XML,
    MESSAGE,
    OBJECT,
    OTHER,
    READING,
    bad_avro,
    changes_in_avro,
    json_schema,
    mixed,
    planned,
    protobuf,
    reading,
    texts_of,
)
from tests.engine.programs import create, fill, read, unique

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.formats.interface import Registry
    from headrace.log.interface import Log
    from headrace.plan.topology import Topology

FORMATS = ("JSON", "AVRO", "CSV", "STRING", "INT", "LONG")
VALUE_FORMATS = ("XML", "PROTOBUF", "JSON_SR", "DEBEZIUM_JSON", "DEBEZIUM_AVRO")
"""Those that are tried with keys that are always good."""

KEY = b"k"


@pytest.fixture
def registry() -> Iterator[Registry]:
    """A registry of its own, whatever the log is."""
    with EmbeddedLog(":memory:") as schemas:
        opened = open_registry(None, schemas)
        assert opened is not None
        yield opened


def run(
    log: Log, registry: Registry | None, topology: Topology, application: str, batch: int = 16_384
) -> Processor:
    options = ProcessorOptions(application, until_end=True, batch_records=batch, lag_interval=0)
    processor = Processor(topology, log, registry, options)
    processor.run()
    return processor


def records(form: str, registry: Registry, subject: str) -> tuple[list[bytes], list[bytes]]:
    """Give three good records of a format and all bad ones."""
    if form == "AVRO":
        schema_id = registry.register(subject, READING)
        other_id = registry.register(unique("other"), OTHER)
        return [reading(schema_id, number) for number in range(3)], bad_avro(schema_id, other_id)
    if form == "JSON":
        return [b'{"n":1,"s":"a"}', b'{"n":2}', b"{}"], BAD_JSON
    if form == "CSV":
        return [b"1,a", b"2", b""], BAD_CSV
    if form == "INT":
        return [struct.pack(">i", number) for number in range(3)], BAD_INT
    if form == "LONG":
        return [struct.pack(">q", number) for number in range(3)], BAD_LONG
    if form == "XML":
        return GOOD_XML, BAD_XML
    if form == "PROTOBUF":
        return protobuf(registry.register(subject, MESSAGE, SchemaKind.PROTOBUF))
    if form == "JSON_SR":
        return json_schema(registry.register(subject, OBJECT, SchemaKind.JSON))
    if form == "DEBEZIUM_JSON":
        return GOOD_CHANGES, BAD_CHANGES
    if form == "DEBEZIUM_AVRO":
        return changes_in_avro(
            registry.register(subject, ENVELOPE), registry.register(unique("other"), OTHER)
        )
    return [b"a", b"", "ä".encode()], BAD_TEXT


def insertion(form: str, source: str, target: str) -> str:
    """Give the statements that read key and value of a topic, and write their fields as text."""
    if form in ("STRING", "INT", "LONG"):
        name = form.replace("LONG", "BIGINT")
        declared, columns = f"_key {name}, _value {name}", ("_key", "_value") * 2
    elif form in VALUE_FORMATS:
        row = "after." if form.startswith("DEBEZIUM") else ""
        declared, columns = (
            "_key STRING, n INT, s STRING",
            ("_key", "_key", f"_value.{row}n", f"_value.{row}s"),
        )
    else:
        declared = "_key.n INT, _key.s STRING, n INT, s STRING"
        columns = ("_key.n", "_key.s", "_value.n", "_value.s")
    texts = ", ".join(f"CAST({column} AS STRING) AS c{index}" for index, column in enumerate(columns))
    insert = f"INSERT INTO `{target}` STORE KEY AS STRING VALUE AS JSON SELECT STREAM 'k' AS _key, {texts} FROM `{source}`"
    if form == "AVRO":
        return f"{insert} WHERE _ktype=AVRO AND _vtype=AVRO; "
    if form in ("PROTOBUF", "JSON_SR", "DEBEZIUM_AVRO"):
        return f"{insert} WHERE _ktype=STRING AND _vtype={form}; "
    if form in VALUE_FORMATS:
        return f"CREATE TABLE `{source}` ({declared}) FORMAT (STRING, {form}); {insert}; "
    return f"CREATE TABLE `{source}` ({declared}) FORMAT ({form}, {form}); {insert}; "


@pytest.mark.parametrize("batch", [1, 16_384])
def test_bad_records_of_every_format_go_alone(log: Log, registry: Registry, batch: int) -> None:
    letters, target, program = unique("dead"), unique("out"), ""
    inputs: dict[str, list[tuple[bytes, bytes]]] = {}
    stages: dict[tuple[str, int], str] = {}
    for form in (*FORMATS, *VALUE_FORMATS):
        source = create(log, unique(form.lower()), 1)
        good_keys, bad_keys = [KEY] * 3, list[bytes]()
        if form in FORMATS:
            good_keys, bad_keys = records(form, registry, f"{source}-key")
        good_values, bad_values = records(form, registry, f"{source}-value")
        good = list(zip(good_keys, good_values, strict=True))
        bad = [(key, good_values[0]) for key in bad_keys] + [(good_keys[0], value) for value in bad_values]
        inputs[source], places = mixed(good, bad)
        stages |= {
            (source, place): f"decode.{'key' if inputs[source][place][0] in bad_keys else 'value'}"
            for place in places
        }
        program += insertion(form, source, target)
    for source, pairs in inputs.items():
        fill(
            log,
            source,
            [value for _, value in pairs],
            keys=[key for key, _ in pairs],
            headers=[
                [{"key": "place", "value": f"{source}/{place}".encode()}] for place in range(len(pairs))
            ],
            timestamps=list(range(1, len(pairs) + 1)),
        )
    policy = f"SET error.policy.read='dlq'; SET dead.letter.queue='{letters}'; "
    run(log, registry, planned(log, registry, policy + program), unique("app"), batch)
    for row in read(log, letters):
        named = {item["key"]: item["value"].decode() for item in row["headers"]}
        source, place = named["headrace.error.topic"], int(named["headrace.error.offset"])
        assert named["place"] == f"{source}/{place}"
        assert named["headrace.error.partition"] == "0"
        assert named["headrace.error.stage"] == stages.pop((source, place))
        assert named["headrace.error.reason"]
        assert (row["key"], row["value"]) == inputs[source][place]
        assert row["timestamp"].timestamp() * 1000 == place + 1
        inputs[source][place] = (b"", b"failed")
    assert not stages
    left = {
        source: [place for place, pair in enumerate(pairs) if pair != (b"", b"failed")]
        for source, pairs in inputs.items()
    }
    out: dict[str, list[int]] = {source: [] for source in inputs}
    for place_of in texts_of(log, target, "place"):
        source, _, number = place_of.rpartition("/")
        out[source].append(int(number))
    assert out == left
