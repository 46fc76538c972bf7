"""Functions on the headers of a record. The planner gives the headers column as the first argument.

If a record has several headers of one name, the last one counts, as with Kafka's `lastHeader`.
"""

from __future__ import annotations

from typing import Final

from headrace.functions.declaration import Example, Function, Kind, Nulls
from headrace.functions.signature import signature

FAMILY: Final = "header"

HEADERS: Final = (
    "[{'key': 'trace', 'value': CAST('old' AS BLOB)}, {'key': 'trace', 'value': CAST('abc' AS BLOB)}, "
    "{'key': 'hops', 'value': CAST('\\x00\\x00\\x00\\x05' AS BLOB)}, "
    "{'key': 'size', 'value': CAST('\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe' AS BLOB)}, "
    "{'key': 'ratio', 'value': CAST('\\x3f\\xc0\\x00\\x00' AS BLOB)}, "
    "{'key': 'exact', 'value': CAST('\\x3f\\xf8\\x00\\x00\\x00\\x00\\x00\\x00' AS BLOB)}]"
)
"""The headers of the examples, as DuckDB sees the column."""

_VALUE: Final = "list_extract(list_filter(h, lambda x: x.key = k), -1).value"


def _number(name: str, result: str, size: int, duckdb: str, *examples: Example) -> Function:
    return Function(
        name=name,
        family=FAMILY,
        kind=Kind.HEADER,
        signatures=(signature("name STRING", result),),
        description=f"Gives the header as {result}: {size} bytes, the highest first, as Kafka's serializers write. Null if the "
        "record has no such header; another number of bytes fails the record.",
        nulls=Nulls.HANDLED,
        macro=(
            f"(h, k) AS CASE WHEN octet_length({_VALUE}) = {size} THEN CAST(CAST({_VALUE} AS BIT) AS {duckdb}) "
            f"WHEN {_VALUE} IS NOT NULL THEN error('{name} found a header of another size than {size} bytes') END",
        ),
        examples=examples,
    )


FUNCTIONS: Final = (
    Function(
        name="HEADERASSTRING",
        family=FAMILY,
        kind=Kind.HEADER,
        signatures=(signature("name STRING", "STRING"),),
        description="Gives the header as text (UTF-8); null if the record has no such header. Other bytes fail the record.",
        nulls=Nulls.HANDLED,
        macro=(f"(h, k) AS decode({_VALUE})",),
        examples=(Example("HEADERASSTRING('trace')", "'abc'"), Example("HEADERASSTRING('none')", "NULL")),
    ),
    _number(
        "HEADERASINT",
        "INT",
        4,
        "INTEGER",
        Example("HEADERASINT('hops')", "5"),
        Example("HEADERASINT('none')", "NULL"),
    ),
    _number(
        "HEADERASLONG",
        "LONG",
        8,
        "BIGINT",
        Example("HEADERASLONG('size')", "-2"),
        Example("HEADERASLONG('none')", "NULL"),
    ),
    _number(
        "HEADERASFLOAT",
        "FLOAT",
        4,
        "FLOAT",
        Example("HEADERASFLOAT('ratio')", "1.5"),
        Example("HEADERASFLOAT('none')", "NULL"),
    ),
    _number(
        "HEADERASDOUBLE",
        "DOUBLE",
        8,
        "DOUBLE",
        Example("HEADERASDOUBLE('exact')", "1.5"),
        Example("HEADERASDOUBLE('none')", "NULL"),
    ),
    Function(
        name="HEADERKEYS",
        family=FAMILY,
        kind=Kind.HEADER,
        signatures=(signature("", "array of STRING"),),
        description="Gives the names of the headers in their order; an empty array if there are none.",
        nulls=Nulls.NEVER,
        macro=("(h) AS coalesce(list_transform(h, lambda x: x.key), CAST([] AS VARCHAR[]))",),
        examples=(
            Example("SIZEOF(HEADERKEYS())", "6"),
            Example("ELEMENT_OF(HEADERKEYS(), 0)", "'trace'"),
        ),
    ),
)
