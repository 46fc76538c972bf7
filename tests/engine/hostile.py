"""Records that no decoder can read, beside records that are fine, for each format; and programs over them."""

from __future__ import annotations

import struct
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

from headrace.catalog import Catalog
from headrace.planner import plan_program
from headrace.sql import parse_program
from tests.engine.programs import read

if TYPE_CHECKING:
    from headrace.formats.interface import Registry
    from headrace.log.interface import Log
    from headrace.plan.topology import Topology

READING = (
    '{"type":"record","name":"Reading","fields":[{"name":"n","type":"int"},{"name":"s","type":"string"}]}'
)
OTHER = '{"type":"record","name":"Other","fields":[{"name":"x","type":"string"}]}'
UNKNOWN_ID = 4_000_000


def planned(log: Log, registry: Registry | None, sql: str) -> Topology:
    """Plan a program over what the log holds now."""
    with closing(Catalog(log, registry)) as catalog:
        return plan_program(parse_program("SET defaults.topic.autocreate=true; " + sql), catalog)


def zigzag(number: int) -> bytes:
    """Write a number as Avro does."""
    number = (number << 1) ^ (number >> 63)
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def framed(schema_id: int, body: bytes) -> bytes:
    """Put the magic byte and the id before a value."""
    return b"\0" + struct.pack(">I", schema_id) + body


def reading(schema_id: int, number: int, text: bytes = b"x") -> bytes:
    """Write a READING."""
    return framed(schema_id, zigzag(number) + zigzag(len(text)) + text)


def bad_avro(schema_id: int, other_id: int) -> list[bytes]:
    good = reading(schema_id, 1)
    return [
        b"",
        b"\0\0\0",
        b"\1" + good[1:],
        good[:-1],
        good + b"!",
        reading(schema_id, 1 << 40),
        reading(schema_id, 1, b"\xff"),
        framed(schema_id, b"\xff" * 12),
        framed(schema_id, zigzag(1) + zigzag(-5)),
        framed(schema_id, zigzag(1) + zigzag(1 << 50)),
        framed(other_id, zigzag(1) + b"x"),
        framed(UNKNOWN_ID, good[5:]),
    ]


BAD_JSON = [
    b"",
    b"{",
    b"[]",
    b'{"n":1}{"n":2}',
    b'{"n":3000000000}',
    b'{"n":1e400}',
    b'{"n":12345678901234567890123456789012345678901234567890}',
    b'{"n":"one"}',
    b'{"n":NaN}',
    b'{"n":1,"s":"\\ud800"}',
    b'{"n":1,"s":"\xff"}',
    b'{"n":' + b"[" * 100_000,
    b'{"unknown":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b"\0\0\0\0\1\2\2x",
    b"x" * 600_000,
]
BAD_CSV = [b"1,x,extra", b"one,x", b'1,"x', b"1,\xff", b"3000000000,x", b"1,x\n2,y"]
BAD_INT = [b"", b"\0", b"\0\0\0\0\0", b"12345"]
BAD_LONG = [b"", b"\0\0\0\0", b"123456789"]
BAD_TEXT = [b"\xff", b"ok\xc3", b"\xed\xa0\x80"]


GOOD_XML = [b"<r><n>1</n><s>a</s></r>", b'<r n="2"/>', b"<other><m>3</m></other>"]
BAD_XML = [
    b"",
    b"<r>",
    b"<r><n>1</r></n>",
    b"<r/><r/>",
    b"<r><n>one</n></r>",
    b"<r><n>3000000000</n></r>",
    b"<r><s>\xff</s></r>",
    b"<r><s>&unknown;</s></r>",
    b'<!DOCTYPE r [<!ENTITY a "aaaa">]><r><s>&a;</s></r>',
    b"{}",
]
MESSAGE = 'syntax = "proto3"; message Reading { int32 n = 1; optional string s = 2; }'
OBJECT = '{"type":"object","properties":{"n":{"type":"integer"},"s":{"type":"string"}},"required":["n"]}'
ENVELOPE = (
    '{"type":"record","name":"Envelope","namespace":"shop","fields":[{"name":"before","type":["null",'
    '{"type":"record","name":"Value","fields":[{"name":"n","type":"int"},{"name":"s","type":"string"}]}]},'
    '{"name":"after","type":["null","Value"]},{"name":"op","type":"string"},{"name":"ts_ms","type":["null","long"]}]}'
)
GOOD_CHANGES = [
    b'{"before":null,"after":{"n":1,"s":"a"},"op":"c","ts_ms":1}',
    b'{"schema":{},"payload":{"before":{"n":1},"after":{"n":2},"op":"u"}}',
    b'{"before":{"n":2},"after":null,"op":"d"}',
]
BAD_CHANGES = [
    b"",
    b"{",
    b"[]",
    b"{}",
    b"null",
    b'{"payload":null}',
    b'{"before":null,"after":{"n":"one"},"op":"c"}',
    b'{"before":null,"after":[],"op":"c"}',
    b'{"before":null,"after":{"n":3000000000},"op":"c"}',
    b'{"before":null,"after":{"s":"\xff"},"op":"c"}',
]


def protobuf(schema_id: int) -> tuple[list[bytes], list[bytes]]:
    """Give good and bad records of a MESSAGE, the first of its schema."""
    good = [framed(schema_id, b"\0" + body) for body in (b"\x08\x01\x12\x01a", b"\x08\x02", b"")]
    bad = [
        b"",
        b"\0\0\0",
        b"\1" + good[0][1:],
        good[0][:-1],
        framed(schema_id, b""),
        framed(schema_id, b"\x02\x0e\x08\x01"),
        framed(schema_id, b"\0\x08" + b"\xff" * 12),
        framed(schema_id, b"\0\x12\x01\xff"),
        framed(schema_id, b"\0\x12\xff\xff\xff\x0f"),
        framed(UNKNOWN_ID, good[0][5:]),
    ]
    return good, bad


def json_schema(schema_id: int) -> tuple[list[bytes], list[bytes]]:
    """Give good and bad records of an OBJECT."""
    good = [framed(schema_id, body) for body in (b'{"n":1,"s":"a"}', b'{"n":2}', b'{"n":3,"s":null}')]
    bad = [
        b"",
        b"\0\0\0",
        good[0][5:],
        framed(schema_id, b""),
        framed(schema_id, b"{"),
        framed(schema_id, b"[]"),
        framed(schema_id, b'{"n":"one"}'),
        framed(schema_id, b'{"n":1,"s":"\xff"}'),
        framed(schema_id, b'{"n":1}{"n":2}'),
    ]
    return good, bad


def changes_in_avro(schema_id: int, other_id: int) -> tuple[list[bytes], list[bytes]]:
    """Give good and bad records of an ENVELOPE."""
    row = b"\2" + zigzag(1) + zigzag(1) + b"a"
    good = [
        framed(schema_id, body + b"\0")
        for body in (b"\0" + row + b"\2c", row + row + b"\2u", row + b"\0" + b"\2d")
    ]
    bad = [
        b"",
        b"\0\0\0",
        b"\1" + good[0][1:],
        good[0][:-1],
        good[0] + b"!",
        framed(schema_id, b"\x08" + good[0][6:]),
        framed(other_id, zigzag(1) + b"x"),
        framed(UNKNOWN_ID, good[0][5:]),
    ]
    return good, bad


Record = TypeVar("Record")


def mixed(good: list[Record], bad: list[Record]) -> tuple[list[Record], set[int]]:
    """Put bad records first, last, alone and side by side between good ones; give the places of the bad ones."""
    values = [bad[0]]
    places = {0}
    for number, value in enumerate(bad):
        # One, two, three good ones between them, then none.
        values += good[: number % 4]
        places.add(len(values))
        values.append(value)
    return values, places


def texts_of(log: Log, topic: str, header: str) -> list[str]:
    """Give a header of each record of a topic."""
    return [
        next(item["value"].decode() for item in row["headers"] if item["key"] == header)
        for row in read(log, topic)
    ]
