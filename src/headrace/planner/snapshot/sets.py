"""UNION, INTERSECT, EXCEPT, and names of WITH that read themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from headrace.errors.codes import plan as codes
from headrace.planner.duckdb_types import BindError
from headrace.planner.faults import refusal
from headrace.planner.snapshot.rows import declarable, renamed
from headrace.planner.snapshot.sources import Bound, Output, Sources, View
from headrace.planner.typed import Typed
from headrace.sql.spans import nearest_span
from headrace.types.sql import type_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headrace.planner.snapshot.queries import SnapshotQueries


def operation(
    worker: SnapshotQueries, node: exp.SetOperation, named: Mapping[str, View], outer: Sources | None
) -> Bound:
    """Bind a set operation.

    Raises:
        ProgramError: its two sides do not fit each other.
    """
    left, right = worker.bind(node.this, named, outer), worker.bind(node.expression, named, outer)
    if node.args.get("by_name"):
        left, right = _by_name(worker, left, right)
    _need_as_many(left, right, node)
    built = type(node)(this=left.query, expression=right.query, distinct=bool(node.args.get("distinct")))
    outputs = []
    for mine, theirs in zip(left.outputs, right.outputs, strict=True):
        kind = _common(worker, mine, theirs, node)
        worker.typer.declare(mine.value.node.name, declarable(kind))
        outputs.append(replace(mine, value=Typed(mine.value.node, kind, nullable=True)))
    return Bound(built, tuple(outputs))


def recursion(
    worker: SnapshotQueries, name: exp.Identifier, view: View, named: Mapping[str, View]
) -> Bound | None:
    """Bind a name of WITH RECURSIVE that reads itself; None if it does not.

    Args:
        worker: binds its two parts.
        name: where it is read.
        view: the name.
        named: the other names.

    Raises:
        ProgramError: the query is no UNION of a beginning and a step.
    """
    query = view.query
    if not view.recursive or not any(
        table.this.name == name.name for table in query.find_all(exp.Table) if table.this is not None
    ):
        return None
    if not isinstance(query, exp.Union):
        message = f"`{name.name}` reads itself and is no UNION"
        way_out = "a recursion is `SELECT beginning UNION ALL SELECT step FROM itself WHERE it goes on`"
        raise refusal(codes.NOT_YET, message, nearest_span(query), way_out)
    first = renamed(worker.bind(query.this, named, None), view.columns)
    outputs = tuple(
        replace(item, value=replace(item.value, node=worker.names.column("x", declarable(item.value.type))))
        for item in first.outputs
    )
    table = exp.to_identifier(worker.names.column("r", pa.int32()).name)
    so_far = View(query, so_far=Bound(exp.to_table(table.name), outputs))
    step = worker.bind(query.expression, {**named, name.name: so_far}, None)
    _need_as_many(first, step, query)
    columns = [item.value.node.this.copy() for item in outputs]
    entry = exp.CTE(
        this=exp.Union(this=first.query, expression=step.query, distinct=bool(query.args.get("distinct"))),
        alias=exp.TableAlias(this=table.copy(), columns=columns),
    )
    built = exp.Select(expressions=[exp.Star()], from_=exp.From(this=exp.to_table(table.name)))
    built.set("with_", exp.With(expressions=[entry], recursive=True))
    return worker.modified(query, Bound(built, outputs))


def _by_name(worker: SnapshotQueries, left: Bound, right: Bound) -> tuple[Bound, Bound]:
    """Bring the columns of both sides in one order; what a side has not is null there."""
    names = list(dict.fromkeys([item.name for item in (*left.outputs, *right.outputs)]))
    return _in_order(worker, left, names, "s"), _in_order(worker, right, names, "s")


def _in_order(worker: SnapshotQueries, bound: Bound, names: list[str], alias: str) -> Bound:
    there = {item.name: item.value for item in bound.outputs}
    aside = exp.Subquery(this=bound.query, alias=exp.TableAlias(this=exp.to_identifier(alias)))
    built = exp.Select(from_=exp.From(this=aside))
    outputs = []
    for name in names:
        value = there.get(name) or Typed(exp.Null(), pa.null(), nullable=True)
        column = worker.names.column("x", declarable(value.type))
        built.append("expressions", exp.alias_(value.node.copy(), column.name))
        outputs.append(Output(name, Typed(column, value.type, nullable=True)))
    return Bound(built, tuple(outputs))


def _need_as_many(left: Bound, right: Bound, node: exp.SetOperation) -> None:
    if len(left.outputs) == len(right.outputs):
        return
    name = type(node).__name__.upper()
    counts = len(left.outputs), len(right.outputs)
    message = f"the first SELECT of the {name} has {counts[0]} column{'s' if counts[0] > 1 else ''}, the other {counts[1]}"
    raise refusal(codes.UNION_MISMATCH, message, nearest_span(node.expression))


def _common(worker: SnapshotQueries, mine: Output, theirs: Output, node: exp.SetOperation) -> pa.DataType:
    kinds = [item.value.type for item in (mine, theirs)]
    if kinds[0] == kinds[1] or pa.types.is_null(kinds[1]):
        return kinds[0]
    if pa.types.is_null(kinds[0]):
        return kinds[1]
    pair = exp.Coalesce(this=mine.value.node.copy(), expressions=[theirs.value.node.copy()])
    try:
        return worker.typer.type_of(pair)
    except BindError:
        name = type(node).__name__.upper()
        message = (
            f"column `{mine.name}` is {type_name(kinds[0])} in the first SELECT of the {name} "
            f"and {type_name(kinds[1])} in the other"
        )
        raise refusal(
            codes.UNION_MISMATCH, message, nearest_span(node.expression), "convert one of them with CAST"
        ) from None
