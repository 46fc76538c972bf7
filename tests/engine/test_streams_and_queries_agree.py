"""Design invariant 4: an expression has the same value in a stream and in a snapshot query, and is refused in both or in none."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from headrace.catalog import Catalog
from headrace.engine import Processor, ProcessorOptions
from headrace.engine.snapshot import SnapshotQuery
from headrace.errors import ProgramError
from headrace.formats import make_encoder
from headrace.formats.interface import Format, Side
from headrace.log import open_log
from headrace.planner import plan_program
from headrace.planner.duckdb_types import storable
from headrace.planner.snapshot import plan_query
from headrace.sql import parse_program
from tests.engine.programs import create, fill, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.log.interface import Log

Row = dict[str, Any]

ROWS: list[Row] = [
    {
        "id": number,
        "name": ("ann", "Bob", "Émile", "", "x-1,y", None)[number % 6],
        "amount": None if number % 7 == 3 else number * 3.75 - 20,
        "big": (number - 5) * 10**12,
        "flag": (True, False, None)[number % 3],
        "made": 1_709_000_000_000 + number * 86_399_999,
        "stamp": f"2024-0{number % 9 + 1}-1{number % 9} 0{number % 9}:30:00",
        "tags": None if number % 5 == 4 else ["red", "green", "blue"][: number % 4],
        "at": None if number % 8 == 7 else {"lat": number / 4, "deep": {"n": number}},
        "lines": [{"item": f"i{index}", "n": number - index} for index in range(number % 3)],
        "raw": json.dumps({"a": {"b": [number, 1]}, "k": "v"}),
    }
    for number in range(24)
]

EXPRESSIONS = """
id
-id
id + 1
id - 7 * 2
id / 4
-id / 4
id % 5
id / 4.0
amount / 3
amount * id + 1
2 ** 3
-2 ^ 2
id & 6
id | 1
id << 2
big + id
big / 7
big * 2
CAST(amount AS decimal(10, 2))
CAST(amount AS decimal(10, 2)) * 2
CAST(amount AS int)
CAST(id AS string)
CAST(name AS string)
TRY_CAST(name AS int)
id::double / 4
1.5 + 1
0.1 + 0.2
1e3 + id
amount > 3
amount = 6.25
id <> 4
name = 'ann'
name < 'b'
name IS NULL
name IS NOT NULL
flag AND id > 3
flag OR id > 20
NOT flag
flag IS TRUE
flag IS DISTINCT FROM true
id BETWEEN 3 AND 9
id NOT BETWEEN 3 AND 9
id IN (1, 2, 30)
name IN ('ann', 'Bob')
name NOT IN ('ann', 'Bob')
name LIKE '%o%'
name NOT LIKE 'a%'
name ILIKE 'B%'
name LIKE 'x!-%' ESCAPE '!'
name ~ '[a-z]+'
name !~ '[a-z]+'
name SIMILAR TO '(ann|Bob)'
CASE WHEN id > 10 THEN 'many' WHEN id > 3 THEN 'some' ELSE 'few' END
CASE name WHEN 'ann' THEN 1 WHEN 'Bob' THEN 2 END
COALESCE(amount, 0)
COALESCE(name, 'none')
NULLIF(id, 3)
greatest(id, 5)
least(amount, 2)
name || '-' || id::string
CONCAT(name, '!')
UPPER(name)
LOWER(name)
LEN(name)
TRIM(name)
TRIM(BOTH 'a' FROM name)
POSITION('n' IN name)
SUBSTRING(name, 1, 2)
SUBSTRING(name FROM 1 FOR 2)
name[0:2]
REPLACE(name, 'n', 'm')
REVERSE(name)
CAPITALIZE(name)
LPAD(name, 6, '*')
STARTSWITH(name, 'a')
CONTAINS(name, 'n')
INDEXOF(name, 'n')
name.upper()
concat_ws('-', name, id::string)
regexp_extract(name, '[a-z]+')
MD5(name)
SHA256(name)
ABS(amount)
ROUND(amount)
ROUND(amount, 1)
CEIL(amount)
FLOOR(amount)
SIGN(amount)
SQRT(ABS(amount))
POW(id, 2)
MOD(id, 3)
CAST(made AS timestamp)
CAST(made AS timestamp) + 5m
CAST(made AS timestamp) + INTERVAL 1 DAY
CAST(CAST(made AS timestamp) AS long)
made + 5m
YEAR(CAST(made AS timestamp))
MONTH(CAST(made AS timestamp))
HOUR(CAST(made AS timestamp))
FORMAT_TIMESTAMP(CAST(made AS timestamp), 'yyyy-MM-dd HH:mm')
date_trunc('hour', CAST(made AS timestamp))
extract(dow FROM CAST(made AS timestamp))
CAST(stamp AS timestamp)
CAST(CAST(made AS timestamp) AS date)
DATE '2024-02-29' + INTERVAL 1 YEAR
strftime(CAST(made AS timestamp), '%Y/%m')
tags
tags[0]
tags[1:]
tags[5]
SIZEOF(tags)
IN_ARRAY('red', tags)
list_transform(tags, lambda t: UPPER(t) || '!')
list_transform(lines, lambda l: l.n / 2)
list_filter([1, 2, id], lambda x: x / 2 > 1)
list_reduce([1, 2, id], lambda a, b: a + b)
[x * 2 FOR x IN [1, id] IF x > 1]
list_sort(tags)
len(tags)
contains(tags, 'red')
array_to_string(tags, '/')
at
at.lat
at.deep.n + 1
at.deep
lines[0].item
lines
{'a': id, 'b': {'c': name}}
{'a': id, 'b': [1, id]}['a']
[id, id + 1]
[at.lat, amount]
struct_pack(a := id, b := name).b
JSON_EXTRACT_FIRST(raw, '$.a.b[0]')
JSON_EXTRACT_ALL(raw, '$.a.b[*]')
json_extract_string(raw, '$.k')
raw ->> '$.k'
ABBREVIATE(name, 4)
ANONYMIZE(name)
INITIALS(name)
DUMP(name)
TYPEOF(amount)
_key
_meta.offset
_meta.partition
_meta.timestamp
HEADERASSTRING('h')
_header.h
""".strip().splitlines()

REFUSED = (
    "nothing",
    "at.nothing",
    "name + 1",
    "UPER(name)",
    "UPPER(id)",
    "UPPER()",
    "tags['a']",
    "name[0]",
    "id[0:1]",
    "CASE WHEN flag THEN 1 ELSE 'x' END",
    "CAST(at AS int)",
    "at = 3",
    "name > 3",
    "DATE '2024-13-01'",
    "INTERVAL '3 lightyears'",
    "list_transform(lines, lambda l: l.nothing)",
    "name AND flag",
    "?",
)


@pytest.fixture(scope="module")
def log() -> Iterator[Log]:
    with open_log("sqlite::memory:") as opened:
        create(opened, "rows", 1)
        fill(
            opened,
            "rows",
            [json.dumps(row).encode() for row in ROWS],
            keys=[f"k{row['id']}".encode() for row in ROWS],
            headers=[[{"key": "h", "value": b"v"}] if row["id"] % 2 else None for row in ROWS],
            timestamps=[1_700_000_000_000 + row["id"] for row in ROWS],
        )
        yield opened


def refusal(log: Log, program: str) -> str | None:
    """Give the code with which a text is refused; None if it is planned."""
    plan = plan_program if "INSERT" in program else plan_query
    with closing(Catalog(log)) as catalog:
        try:
            plan(parse_program(program), catalog)
        except ProgramError as fault:
            return fault.diagnostics[0].code.id
    return None


def queried(log: Log, columns: str) -> list[Row]:
    """Give the rows of a snapshot query, through JSON, so that both sides meet in one form."""
    with closing(Catalog(log)) as catalog:
        plan = plan_query(parse_program(f"SELECT {columns} FROM rows"), catalog)
    with SnapshotQuery(plan, log, None) as query:
        found: list[Row] = []
        for batch in query.batches():
            records: Any = batch.to_struct_array()
            records = records.cast(storable(records.type))
            encoded = make_encoder(Side(Format.JSON, records.type)).encode(records)
            assert not encoded.errors
            found += [json.loads(item) for item in encoded.data.to_pylist() if item is not None]
    return found


def streamed(log: Log, columns: str) -> list[Row]:
    """Give the rows that a processor writes."""
    with closing(Catalog(log)) as catalog:
        topology = plan_program(parse_program(insertion(columns)), catalog)
    Processor(topology, log, None, ProcessorOptions("agreement", until_end=True, lag_interval=0)).run()
    return [json.loads(row["value"]) for row in read(log, "out")]


def insertion(columns: str) -> str:
    return f"SET autocreate = true; INSERT INTO out STORE VALUE AS JSON SELECT STREAM {columns} FROM rows"


@pytest.fixture(scope="module")
def values(log: Log) -> dict[str, tuple[list[Any], list[Any]]]:
    """Give the values of each expression, of the stream and of the query: one run of each for all."""
    columns = ", ".join(f"{text} AS c{index}" for index, text in enumerate(EXPRESSIONS))
    rows = streamed(log, columns), queried(log, columns)
    return {
        text: ([row[f"c{index}"] for row in rows[0]], [row[f"c{index}"] for row in rows[1]])
        for index, text in enumerate(EXPRESSIONS)
    }


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_the_values_are_the_same(expression: str, values: dict[str, tuple[list[Any], list[Any]]]) -> None:
    stream, query = values[expression]
    assert len(stream) == len(ROWS)
    assert stream == query


@pytest.mark.parametrize("expression", REFUSED)
def test_both_refuse_the_same(expression: str, log: Log) -> None:
    code = refusal(log, insertion(f"{expression} AS x"))
    assert code is not None
    assert code == refusal(log, f"SELECT {expression} AS x FROM rows")
