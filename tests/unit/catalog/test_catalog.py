"""What the catalog says of topics in a log: the registry first, then a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from headrace.catalog import Catalog, Origin, declared_topic
from headrace.errors import ProgramError
from headrace.formats.interface import Format
from headrace.formats.registry.embedded import EmbeddedRegistry
from headrace.formats.registry.kinds import SchemaKind
from headrace.log.embedded import EmbeddedLog
from headrace.log.interface import ProducerOptions, TopicDescription
from headrace.planner import plan_program
from headrace.sql import parse_program
from headrace.sql.nodes import CreateTable

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = (
    '{"type":"record","name":"R","fields":[{"name":"x","type":"int"},{"name":"y","type":["null","string"]}]}'
)


@pytest.fixture
def log() -> Iterator[EmbeddedLog]:
    with EmbeddedLog(":memory:") as opened:
        yield opened


def fill(
    log: EmbeddedLog, values: list[bytes | None], keys: list[bytes | None] | None = None, partitions: int = 2
) -> None:
    admin = log.admin()
    admin.create(TopicDescription("t", partitions))
    admin.close()
    producer = log.producer(ProducerOptions())
    columns = {
        "key": pa.array(keys or [None] * len(values), pa.binary()),
        "value": pa.array(values, pa.binary()),
    }
    producer.send("t", pa.record_batch(columns))
    producer.flush(5)
    producer.close()


def test_json_is_told_from_its_bytes(log: EmbeddedLog) -> None:
    fill(log, [b'{"a": 1}', b' {"a": 2, "b": [true]}', None], [b"k", b"k2", None])
    topic = Catalog(log).topic("t")
    assert topic is not None
    assert topic.value.format is Format.JSON
    assert topic.value.type == pa.struct([("a", pa.int64()), ("b", pa.list_(pa.bool_()))])
    assert topic.key.format is Format.STRING
    assert (topic.partitions, topic.origin) == (2, Origin.SAMPLED)


@pytest.mark.parametrize(
    ("values", "form"),
    [
        ([b"plain text", b"more"], Format.STRING),
        ([b"\x00\x00\x00\x01", b"\x00\x00\x01\x01"], Format.INT),
        ([b"\x00\x00\x00\x00\x00\x00\x00\x01"], Format.LONG),
        ([b"\x00\x01", b"\xff"], Format.BYTES),
        ([b"1234", b"4321"], Format.STRING),
    ],
)
def test_primitives_are_told_from_their_bytes(
    log: EmbeddedLog, values: list[bytes | None], form: Format
) -> None:
    fill(log, values)
    topic = Catalog(log).topic("t")
    assert topic is not None
    assert topic.value.format is form


def test_the_sample_sees_the_end_of_a_long_topic(log: EmbeddedLog) -> None:
    fill(log, [*([b'{"a": 1}'] * 2000), b'{"late": 1}'], partitions=1)
    topic = Catalog(log, sample_size=100).topic("t")
    assert topic is not None
    assert topic.value.type == pa.struct([("a", pa.int64()), ("late", pa.int64())])


def test_the_registry_wins_over_the_records(log: EmbeddedLog) -> None:
    registry = EmbeddedRegistry(log)
    registry.register("t-value", SCHEMA)
    fill(log, [b"anything"])
    topic = Catalog(log, registry).topic("t")
    assert topic is not None
    assert (topic.value.format, topic.value.schema, topic.origin) == (Format.AVRO, SCHEMA, Origin.REGISTRY)


def test_a_recursive_message_is_refused_with_its_field_and_can_be_taken_as_bytes(log: EmbeddedLog) -> None:
    fill(log, [bytes.fromhex("0000000001000a0161")])
    schema = (
        'syntax = "proto3"; package shop; message Folder { string name = 1; Content content = 2; '
        "message Content { repeated Folder folders = 1; } }"
    )
    registry = EmbeddedRegistry(log)
    registry.register("t-value", schema, SchemaKind.PROTOBUF)
    catalog = Catalog(log, registry)
    program = "SET autocreate = true; INSERT INTO o SELECT STREAM {} FROM t"
    with pytest.raises(ProgramError) as caught:
        plan_program(parse_program(program.format("name")), catalog)
    (fault,) = caught.value.diagnostics
    assert fault.message == (
        "the schema cannot be used: field `content`: field `folders`: message `shop.Folder` contains itself: "
        "a recursive type has no fixed columns"
    )
    assert fault.span is not None
    assert "`_vtype = BYTES` in WHERE" in (fault.help or "")
    plan_program(parse_program(f"{program.format('*')} WHERE _vtype = BYTES"), catalog)


def test_avro_without_a_subject_is_told_by_the_id_in_its_bytes(log: EmbeddedLog) -> None:
    registry = EmbeddedRegistry(log)
    number = registry.register("elsewhere", SCHEMA)
    fill(log, [b"\x00" + number.to_bytes(4, "big") + b"\x02\x00"])
    topic = Catalog(log, registry).topic("t")
    assert topic is not None
    assert (topic.value.format, topic.value.schema) == (Format.AVRO, SCHEMA)


@pytest.mark.parametrize("form", [None, Format.JSON])
@pytest.mark.parametrize("bad", [b"[1]", b'["x", {"a": 1}]', b'"x"', b"17", b'{"a": NaN}', b'{"a"', b"true"])
def test_a_bad_record_does_not_hide_the_columns_of_the_others(
    log: EmbeddedLog, bad: bytes, form: Format | None
) -> None:
    fill(log, [b'{"a": 1}', bad, b'{"a": 2}'], partitions=1)
    topic = Catalog(log).topic("t", value_format=form)
    assert topic is not None
    assert (topic.value.format, topic.value.type) == (Format.JSON, pa.struct([("a", pa.int64())]))


def test_the_format_that_the_program_names_is_taken(log: EmbeddedLog) -> None:
    fill(log, [b"1234"])
    topic = Catalog(log).topic("t", value_format=Format.INT)
    assert topic is not None
    assert topic.value.format is Format.INT


def test_an_empty_topic_says_how_to_declare_it(log: EmbeddedLog) -> None:
    fill(log, [])
    with pytest.raises(ProgramError) as refused:
        Catalog(log).topic("t")
    (diagnostic,) = refused.value.diagnostics
    assert diagnostic.code.id == "CAT0102"
    assert diagnostic.help is not None
    assert "CREATE TABLE `t`" in diagnostic.help


def test_a_topic_of_tombstones_is_not_called_empty(log: EmbeddedLog) -> None:
    fill(log, [None, None], [b"a", b"b"])
    catalog = Catalog(log)
    with pytest.raises(ProgramError) as refused:
        catalog.topic("t")
    (diagnostic,) = refused.value.diagnostics
    assert "only tombstones" in diagnostic.message
    assert "empty" not in diagnostic.message
    assert diagnostic.help is not None
    assert "CREATE TABLE `t`" in diagnostic.help
    sides = catalog.sides("t")
    assert sides is not None
    assert (sides[0] and sides[0].format, sides[1]) == (Format.STRING, None)


def test_records_that_were_read_tell_what_an_empty_topic_holds(log: EmbeddedLog) -> None:
    fill(log, [])
    catalog = Catalog(log)
    assert catalog.sides("t") == (None, None)
    catalog.learn("t", pa.record_batch({"key": pa.array([b"k"]), "value": pa.array([b'{"a": 1}'])}))
    sides = catalog.sides("t")
    assert sides is not None
    assert [side and side.format for side in sides] == [Format.STRING, Format.JSON]
    assert catalog.sides("nothing") is None


def test_records_that_are_not_what_the_program_says_are_refused(log: EmbeddedLog) -> None:
    fill(log, [b"no json", b"at all"])
    with pytest.raises(ProgramError) as refused:
        Catalog(log).topic("t", value_format=Format.JSON)
    assert refused.value.diagnostics[0].code.id == "CAT0105"


def test_a_topic_that_is_not_there_is_none(log: EmbeddedLog) -> None:
    assert Catalog(log).topic("nothing") is None


def table(text: str) -> CreateTable:
    (statement,) = parse_program(text).statements
    assert isinstance(statement, CreateTable)
    return statement


def test_a_declaration_builds_nested_records_and_keys() -> None:
    topic = declared_topic(
        table(
            "CREATE TABLE t (_key.id long not null, a.b int, a.c string, d decimal(10,2)) FORMAT (JSON, AVRO)"
        ),
        3,
    )
    assert topic.key.type == pa.struct([pa.field("id", pa.int64(), nullable=False)])
    assert topic.value.type == pa.struct(
        [("a", pa.struct([("b", pa.int32()), ("c", pa.string())])), ("d", pa.decimal128(10, 2))]
    )
    assert (topic.value.format, topic.partitions) == (Format.AVRO, 3)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("CREATE TABLE t (a int, a string) FORMAT (STRING, JSON)", "CAT0104"),
        ("CREATE TABLE t (a int, a.b string) FORMAT (STRING, JSON)", "CAT0104"),
        ("CREATE TABLE t (a int) FORMAT (STRING, STRING)", "CAT0104"),
        ("CREATE TABLE t (a int) FORMAT (JSON, JSON)", "CAT0104"),
        ("CREATE TABLE t (a int) FORMAT (STRING, THRIFT)", "CAT0103"),
    ],
)
def test_a_declaration_that_does_not_hold_together(text: str, code: str) -> None:
    with pytest.raises(ProgramError) as refused:
        declared_topic(table(text), 1)
    assert refused.value.diagnostics[0].code.id == code
