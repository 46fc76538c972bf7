"""What a branch writes: the columns of its key and its value, before the sink's type is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from headrace.plan.topology import Facet
from headrace.planner.duckdb_types import storable
from headrace.planner.relations import Item, follow, pack
from headrace.planner.typed import Typed
from headrace.types.sql import duckdb_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.errors import Span
    from headrace.formats.interface import Path
    from headrace.planner.relations import SelectRelation


@dataclass(frozen=True, slots=True)
class Column:
    """A column with its place in the key or value; `path` () is the whole."""

    path: Path
    value: Typed
    span: Span | None = None

    def retyped(self, kind: pa.DataType) -> Column:
        """Give the same column converted to another type."""
        if self.value.type.equals(kind):
            return self
        to = exp.DataType.build(duckdb_type(kind), dialect="duckdb")
        node = exp.Cast(this=self.value.node.copy(), to=to)
        return Column(self.path, Typed(node, kind, self.value.nullable), self.span)


def key_columns(branch: SelectRelation) -> tuple[Column, ...]:
    """Give the columns of a branch's key: its own, or the whole key of what it reads."""
    items = branch.of(Facet.KEY)
    if items:
        return tuple(_column(item) for item in items)
    return (Column((), branch.source.pull(Facet.KEY, ())),)


def value_columns(branch: SelectRelation) -> tuple[Column, ...]:
    """Give the columns of a branch's value.

    A value that may be a tombstone is one column, since only a whole value can be null; others are flat, field by field.
    """
    if not branch.star:
        columns = tuple(_column(item) for item in branch.of(Facet.VALUE))
        return _or_tombstone(columns, branch) if branch.tombstones and not branch.deletes else columns
    kind = branch.source.type_of(Facet.VALUE)
    if branch.tombstones or not pa.types.is_struct(kind):
        whole = Column((), branch.source.pull(Facet.VALUE, ()))
        return _or_tombstone((whole,), branch) if branch.marked else (whole,)
    names = [kind.field(index).name for index in range(kind.num_fields)]
    return tuple(Column((name,), branch.source.pull(Facet.VALUE, (name,))) for name in names)


def columns_type(columns: Sequence[Column]) -> pa.DataType:
    """Give the type that columns make up: a record, or that of the one whole column."""
    if not columns[0].path:
        return storable(columns[0].value.type)
    return _record(list(columns), 0)


def at_place(column: Column, kind: pa.DataType) -> exp.Expression:
    """Give the expression of a column, converted to the type that the sink has at its place."""
    target, _ = follow(kind, column.path)
    node = column.value.node
    wanted = duckdb_type(target)
    if wanted == duckdb_type(column.value.type) or pa.types.is_map(target):
        return node
    return exp.Cast(this=node.copy(), to=exp.DataType.build(wanted, dialect="duckdb"))


def json_text(columns: Sequence[Column]) -> Column:
    """Give one text column with the JSON of a record, for values that are stored as STRING."""
    whole = columns[0].value if not columns[0].path else _packed(list(columns), 0)
    text = exp.Anonymous(this="to_json", expressions=[whole.node.copy()])
    value = Typed(exp.cast(text, "VARCHAR", dialect="duckdb"), pa.string(), whole.nullable)
    return Column((), value, columns[0].span)


def _column(item: Item) -> Column:
    return Column(item.path, item.value, item.span)


def _or_tombstone(columns: tuple[Column, ...], branch: SelectRelation) -> tuple[Column, ...]:
    whole = columns[0].value if not columns[0].path else _packed(list(columns), 0)
    gone = branch.tombstone_condition()
    node = exp.Case(ifs=[exp.If(this=exp.Not(this=exp.Paren(this=gone)), true=whole.node.copy())])
    return (Column((), Typed(node, whole.type, nullable=True)),)


def _packed(columns: list[Column], depth: int) -> Typed:
    names = list(dict.fromkeys(column.path[depth] for column in columns))
    parts = []
    for name in names:
        inside = [column for column in columns if column.path[depth] == name]
        parts.append(inside[0].value if len(inside[0].path) == depth + 1 else _packed(inside, depth + 1))
    return pack(names, parts)


def _record(columns: list[Column], depth: int) -> pa.DataType:
    fields = []
    for name in dict.fromkeys(column.path[depth] for column in columns):
        inside = [column for column in columns if column.path[depth] == name]
        if len(inside[0].path) == depth + 1:
            value = inside[0].value
            fields.append(pa.field(name, storable(value.type), value.nullable))
        else:
            fields.append(pa.field(name, _record(inside, depth + 1), nullable=False))
    return pa.struct(fields)
