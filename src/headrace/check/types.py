"""Types of expressions without planning them: what declarations, the catalog and simple arithmetic tell; None for all else.

A rule must never warn by a guess, so nothing here guesses.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlglot import exp

from headrace.catalog import CatalogTopic, declared_topic
from headrace.errors import ProgramError
from headrace.sql.paths import column_path
from headrace.types.sql import arrow_type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headrace.catalog import TopicCatalog
    from headrace.sql.nodes import CreateTable, Named

_FACETS = ("_key", "_value")
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Known:
    """A type, and whether null may stand there; `declared`: a schema says that, and not a sample."""

    type: pa.DataType
    nullable: bool
    declared: bool = True


@dataclass(frozen=True, slots=True)
class _Source:
    """The columns of what a SELECT reads: those of a record by facet."""

    alias: str
    facets: Mapping[str, Known]


class Types:
    """Tells the types of expressions."""

    def __init__(self, declared: Sequence[CreateTable], catalog: TopicCatalog | None) -> None:
        self._declared: dict[str, CatalogTopic] = {}
        self._catalog = catalog
        for table in declared:
            with contextlib.suppress(ProgramError):
                self._declared[table.name] = declared_topic(table, 1)

    def topic(self, name: str) -> CatalogTopic | None:
        """Give what is known of a topic."""
        found = self._declared.get(name)
        if found is None and self._catalog is not None:
            with contextlib.suppress(ProgramError):
                found = self._catalog.topic(name)
        return found

    def is_declared(self, name: str) -> bool:
        """Say whether a CREATE TABLE or a registered schema says what the topic holds."""
        found = self.topic(name)
        return found is not None and (name in self._declared or found.value.schema is not None)

    def of(self, node: exp.Expr | None, select: exp.Select, names: Mapping[str, Named]) -> Known | None:
        """Give the type of an expression of a SELECT; None if it is not known for sure."""
        return self._of(node, self._sources(select, names, 0))

    def _sources(self, select: exp.Select, names: Mapping[str, Named], depth: int) -> list[_Source]:
        begin = select.args.get("from_")
        nodes = [begin.this] if begin is not None else []
        filled = [False] * len(nodes)
        for join in select.args.get("joins") or []:
            nodes.append(join.this)
            # What an outer join fills up may be null: the side that may have no partner.
            side = (join.side or "").upper()
            filled = [before or side in ("RIGHT", "FULL") for before in filled]
            filled.append(side in ("LEFT", "FULL"))
        found = []
        for node, outer in zip(nodes, filled, strict=True):
            facets = self._facets(node, names, depth)
            if outer:
                facets = {name: Known(item.type, True, item.declared) for name, item in facets.items()}
            found.append(_Source(node.alias_or_name, facets))
        return found

    def _facets(self, node: exp.Expr, names: Mapping[str, Named], depth: int) -> dict[str, Known]:
        if depth > _DEEPEST:
            return {}
        if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Select):
            return self._result(node.this, names, depth)
        if not isinstance(node, exp.Table):
            return {}
        entry = names.get(node.name)
        if entry is not None:
            return self._result(entry.query, names, depth) if isinstance(entry.query, exp.Select) else {}
        topic = self.topic(node.name)
        if topic is None:
            return {}
        declared = self.is_declared(node.name)
        return {
            "_key": Known(topic.key.type, True, declared),
            "_value": Known(topic.value.type, False, declared),
        }

    def _result(self, select: exp.Select, names: Mapping[str, Named], depth: int) -> dict[str, Known]:
        """Give the columns of a SELECT as a value; those that are not known are left out."""
        sources = self._sources(select, names, depth + 1)
        fields: list[pa.Field[Any]] = []
        for item in select.expressions:
            if isinstance(item, exp.Star):
                value = sources[0].facets.get("_value") if len(sources) == 1 else None
                fields += _fields(value.type) if value is not None else []
            elif isinstance(item, exp.Alias | exp.Column | exp.Dot):
                known = self._of(item.this if isinstance(item, exp.Alias) else item, sources)
                if known is not None:
                    fields.append(pa.field(item.alias_or_name or item.name, known.type, known.nullable))
        declared = all(known.declared for source in sources for known in source.facets.values())
        return {"_value": Known(pa.struct(fields), False, declared)}

    def _of(self, node: exp.Expr | None, sources: Sequence[_Source]) -> Known | None:
        if node is None:
            return None
        path = column_path(node)
        if path is not None:
            return _column([part.name for part in path], sources)
        if isinstance(node, exp.Paren | exp.Neg):
            return self._of(node.this, sources)
        if isinstance(node, exp.Literal):
            return _literal(node)
        if isinstance(node, exp.Cast):
            inner = self._of(node.this, sources)
            with contextlib.suppress(ProgramError):
                kind = arrow_type(node.args["to"])
                return (
                    Known(kind, True, False) if inner is None else Known(kind, inner.nullable, inner.declared)
                )
            return None
        if isinstance(node, exp.Add | exp.Sub | exp.Mul | exp.Div | exp.Mod):
            return _arithmetic(self._of(node.this, sources), self._of(node.expression, sources))
        if isinstance(node, exp.Anonymous) and node.name.upper() == "COUNT":
            return Known(pa.int64(), False)
        return None


def _column(path: list[str], sources: Sequence[_Source]) -> Known | None:
    named = [source for source in sources if len(path) > 1 and source.alias == path[0]]
    if named:
        return _field(path[1:], named[0].facets)
    found = [known for source in sources if (known := _field(path, source.facets)) is not None]
    # A name that two sources have is told of by the planner.
    return found[0] if len(found) == 1 else None


def _field(path: list[str], facets: Mapping[str, Known]) -> Known | None:
    facet = path[0] if path[0] in _FACETS else "_value"
    known = facets.get(facet)
    rest = path[1:] if path[0] in _FACETS else path
    for name in rest:
        if known is None or not pa.types.is_struct(known.type):
            return None
        fields = {item.name: item for item in _fields(known.type)}
        if name not in fields:
            return None
        known = Known(fields[name].type, known.nullable or fields[name].nullable, known.declared)
    return known


def _fields(kind: pa.DataType) -> list[pa.Field[Any]]:
    return [kind.field(index) for index in range(kind.num_fields)] if isinstance(kind, pa.StructType) else []


def _literal(node: exp.Literal) -> Known:
    if node.is_string:
        return Known(pa.string(), False)
    return Known(pa.int64() if node.this.isdigit() else pa.decimal128(18, 3), False)


def _arithmetic(left: Known | None, right: Known | None) -> Known | None:
    if left is None or right is None:
        return None
    nullable, declared = left.nullable or right.nullable, left.declared and right.declared
    if pa.types.is_integer(left.type) and pa.types.is_integer(right.type):
        return Known(pa.int64(), nullable, declared)
    numbers = [pa.types.is_integer(item.type) or pa.types.is_floating(item.type) for item in (left, right)]
    return Known(pa.float64(), nullable, declared) if all(numbers) else None
