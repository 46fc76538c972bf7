"""Rows that no topic gives: VALUES, and functions that make rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from headrace.errors.codes import plan as codes
from headrace.planner.duckdb_types import BindError
from headrace.planner.faults import refusal
from headrace.planner.operators import need_one_type
from headrace.planner.snapshot.sources import Bound, Output
from headrace.planner.typed import Typed
from headrace.sql.calls import name_span
from headrace.sql.spans import nearest_span, span_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.planner.expressions import Expressions
    from headrace.planner.relations import Names

_OF_LISTS = ("range", "generate_series")


def values(node: exp.Values, within: Expressions, names: Names) -> Bound:
    """Bind VALUES; its columns are `col0`, `col1`, … as in DuckDB.

    Raises:
        ProgramError: rows of different lengths, or values without a common type.
    """
    rows = [row.expressions for row in node.expressions]
    for row, place in zip(rows, node.expressions, strict=True):
        if len(row) != len(rows[0]):
            message = f"the first row has {len(rows[0])} values, this one {len(row)}"
            raise refusal(codes.UNION_MISMATCH, message, span_of(place))
    found = [[within.value(item) for item in row] for row in rows]
    outputs = []
    for index in range(len(rows[0])):
        column = [row[index] for row in found]
        kind = _common(column, [row[index] for row in rows], within)
        outputs.append(Output(f"col{index}", Typed(names.column("x", declarable(kind)), kind, nullable=True)))
    table = exp.Values(
        expressions=[exp.Tuple(expressions=[item.node for item in row]) for row in found],
        alias=exp.TableAlias(
            this=exp.to_identifier("s"), columns=[item.value.node.this.copy() for item in outputs]
        ),
    )
    built = exp.Select(expressions=[exp.Star()], from_=exp.From(this=table))
    return Bound(built, tuple(outputs))


def made(call: exp.Anonymous, within: Expressions, names: Names) -> Bound:
    """Bind a function that stands in FROM: `unnest(array)`, `range(n)`, `generate_series(a, b)`.

    Raises:
        ProgramError: another function, or wrong arguments.
    """
    name = str(call.this).lower()
    if name in _OF_LISTS:
        array = within.value(call)
    elif name == "unnest" and len(call.expressions) == 1:
        array = within.value(call.expressions[0])
    else:
        message = f"`{call.this}` gives no rows"
        way_out = (
            "FROM reads topics, queries in brackets, `unnest(array)`, `range(n)` and `generate_series(a, b)`"
        )
        raise refusal(codes.NOT_YET, message, name_span(call), way_out)
    kind = element(array, call, within)
    column = names.column("x", declarable(kind))
    unnest = exp.Anonymous(this="unnest", expressions=[array.node])
    built = exp.Select(expressions=[exp.alias_(unnest, column.name)])
    return Bound(built, (Output(name, Typed(column, kind, nullable=True)),))


def element(array: Typed, node: exp.Expression, within: Expressions) -> pa.DataType:
    """Give the type of an array's elements.

    Raises:
        ProgramError: it is no array.
    """
    if not pa.types.is_list(array.type):
        message = f"{within.describe(node, array)} is no array"
        raise refusal(codes.TYPE_MISMATCH, message, nearest_span(node))
    kind: pa.DataType = array.type.value_type
    return kind


def renamed(bound: Bound, columns: Sequence[exp.Identifier]) -> Bound:
    """Give a query with other names for its columns, from the first on.

    Raises:
        ProgramError: there are more names than columns.
    """
    if len(columns) > len(bound.outputs):
        extra = columns[len(bound.outputs)]
        count = len(bound.outputs)
        message = (
            f"the query has {count} column{'s' if count > 1 else ''}, so there is none for `{extra.name}`"
        )
        raise refusal(codes.UNION_MISMATCH, message, span_of(extra))
    first = [Output(name.name, item.value) for name, item in zip(columns, bound.outputs, strict=False)]
    return Bound(bound.query, (*first, *bound.outputs[len(first) :]))


def declarable(kind: pa.DataType) -> pa.DataType:
    """Give the type under which a column can be made known to DuckDB: NULL alone has none."""
    return pa.int32() if pa.types.is_null(kind) else kind


def _common(column: list[Typed], nodes: list[exp.Expression], within: Expressions) -> pa.DataType:
    distinct = {item.type: (item, node) for item, node in zip(reversed(column), reversed(nodes), strict=True)}
    if len(distinct) == 1:
        return column[0].type
    need_one_type(within, list(zip(nodes, column, strict=True)), "a column of VALUES")
    merged = exp.Coalesce(
        this=column[0].node.copy(), expressions=[item.node.copy() for item, _ in distinct.values()]
    )
    try:
        return within.bind(merged, nullable=True).type
    except BindError:
        other = next(node for item, node in zip(column, nodes, strict=True) if item.type != column[0].type)
        message = "the values of this column have no common type"
        raise refusal(codes.UNION_MISMATCH, message, nearest_span(other), "convert them with CAST") from None
