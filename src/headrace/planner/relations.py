"""Where rows come from inside a pipeline: a topic, a SELECT over rows; operators and LATERAL stand in modules of their own.

A relation gives columns when they are asked for (`pull`), so a chain of WITH reads from its topic just what the end of the chain
needs. Columns have names that are unique in the program (`p0` read from a topic, `x0` computed): whatever the user's spelling,
nothing clashes in DuckDB. `render` gives the query with those of the pulled columns that are needed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Final, Protocol

import pyarrow as pa
from sqlglot import exp

from headrace.formats.interface import WINDOW_END, WINDOW_KEY, WINDOW_START, WRITTEN_INSTEAD
from headrace.formats.windowed import key_of
from headrace.functions.declaration import MACRO_PREFIX
from headrace.log.records import HEADERS
from headrace.plan.topology import CLOCK, ROW, TOMBSTONE, Facet
from headrace.planner.typed import Typed
from headrace.types.sql import INSTANT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from headrace.catalog import CatalogTopic
    from headrace.errors import Span
    from headrace.formats.interface import Format, Path, Side
    from headrace.planner.duckdb_types import Typer

INPUT = "input"

META: Final[dict[str, pa.DataType]] = {
    "topic": pa.string(),
    "partition": pa.int32(),
    "offset": pa.int64(),
    "timestamp": pa.int64(),
    "__keysize": pa.int64(),
    "__valuesize": pa.int64(),
}
"""Fields of `_meta`."""

_BOUNDS: Final[dict[Path, Path]] = {("start",): (WINDOW_START,), ("end",): (WINDOW_END,)}
"""Fields of `_window`, and where they are in keys with windows."""

_SOMETIMES_NULL = ("__keysize", "__valuesize", "timestamp")


class NoSuchField(Exception):
    """A path leads nowhere. `depth`: index of the part that does not exist, `candidates`: what stands there instead."""

    def __init__(self, depth: int, candidates: Iterable[str], kind: pa.DataType) -> None:
        super().__init__(depth)
        self.depth = depth
        self.candidates = tuple(candidates)
        self.kind = kind


@dataclass(slots=True)
class Names:
    """Unique column names of one program, and DuckDB's types of them."""

    typer: Typer
    _numbers: Iterator[int] = field(default_factory=count)

    def column(self, prefix: str, kind: pa.DataType) -> exp.Expression:
        """Make a column of a type."""
        name = f"{prefix}{next(self._numbers)}"
        self.typer.declare(name, kind)
        return exp.column(name)


class Reads(Protocol):
    """What stands at the bottom of a query and gives the relation `input`: a topic, or a stateful operator."""

    @property
    def partitions(self) -> int:
        """Over how many partitions the rows are spread."""

    @property
    def key_format(self) -> Format:
        """How keys are written where the program does not say it."""

    @property
    def value_format(self) -> Format:
        """How values are written where the program does not say it."""

    @property
    def topics(self) -> frozenset[str]:
        """The topics that rows come from, directly or through operators."""


@dataclass(slots=True)
class TopicReads:
    """What all queries of a program read from one topic."""

    topic: CatalogTopic
    names: Names
    broadcast: bool = False
    """It is read whole by every thread, beside what is read of its partitions by tasks."""
    columns: dict[tuple[Facet, Path], tuple[exp.Expression, pa.DataType]] = field(default_factory=dict)

    @property
    def partitions(self) -> int:
        """Partitions of the topic."""
        return self.topic.partitions

    @property
    def key_format(self) -> Format:
        """Format of the topic's keys."""
        return self.topic.key.format

    @property
    def value_format(self) -> Format:
        """Format of the topic's values, or what is written instead of it."""
        return WRITTEN_INSTEAD.get(self.topic.value.format, self.topic.value.format)

    @property
    def topics(self) -> frozenset[str]:
        """The topic itself."""
        return frozenset((self.topic.name,))

    def column(self, facet: Facet, path: Path, kind: pa.DataType) -> exp.Expression:
        """Give the column of a path, the same one each time."""
        known = self.columns.get((facet, path))
        if known is None:
            known = self.columns[facet, path] = (self.names.column("p", kind), kind)
        return known[0].copy()


class Relation(Protocol):
    """Rows with a key, a value and a place in the log."""

    @property
    def reads(self) -> Reads:
        """The topic or operator at the bottom."""

    @property
    def tombstones(self) -> bool:
        """Whether rows without a value come out."""

    @property
    def has_kinds(self) -> bool:
        """Whether rows are changes of an operator's table, of the kinds in `_op`: then none of them is a tombstone."""

    @property
    def marked(self) -> bool:
        """Whether `_tombstone` is also true for records that have a value: a row that left a filtered table."""

    @property
    def table(self) -> bool | None:
        """Whether rows are the latest value of their key (SELECT TABLE) or facts of their own; None where both fit."""

    @property
    def key_passes(self) -> bool:
        """Whether keys are those of what stands at the bottom."""

    @property
    def value_passes(self) -> bool:
        """Whether values are the topic's own."""

    @property
    def sets_time(self) -> bool:
        """Whether rows have an event time other than that of what stands at the bottom."""

    def type_of(self, facet: Facet) -> pa.DataType:
        """Give the type of the key or the value."""

    def pull(self, facet: Facet, path: Path) -> Typed:
        """Give a column over this relation's rows. Raises NoSuchField."""

    def render(self, needed: set[str]) -> exp.Expression:
        """Give the table or query with `_row`, `_tombstone` if rows may have it, and the needed columns."""

    def origin(self, column: str) -> str | None:
        """Give the column of what stands at the bottom that a column of the rows is, unchanged; None if it is computed."""


@dataclass(slots=True)
class TopicRelation:
    """The records of a topic."""

    reads: TopicReads
    tombstones: bool = True
    has_kinds: bool = False
    marked: bool = False
    table: bool | None = None
    key_passes: bool = True
    value_passes: bool = True
    sets_time: bool = False

    def side(self, facet: Facet) -> Side:
        """Give format and type of the key or the value."""
        return self.reads.topic.key if facet is Facet.KEY else self.reads.topic.value

    def type_of(self, facet: Facet) -> pa.DataType:
        """Give the type of the key or the value; the window behind a key is no part of it."""
        side = self.side(facet)
        return side.type if side.window is None else key_of(side).type

    def pull(self, facet: Facet, path: Path) -> Typed:
        """Give a column of the records."""
        if facet is Facet.META:
            return self._meta(path)
        if facet is Facet.HEADERS:
            return Typed(self.reads.column(facet, (), HEADERS), HEADERS, nullable=True)
        kind, nullable = follow(self.type_of(facet), path)
        if self.side(facet).window is not None:
            path = (WINDOW_KEY, *path)
        node = self.reads.column(facet, path, kind)
        return Typed(node, kind, nullable or facet is Facet.KEY)

    def render(self, needed: set[str]) -> exp.Expression:
        """Give the input relation; what it holds is decided when all pipelines are known."""
        return exp.to_table(INPUT)

    def origin(self, column: str) -> str | None:
        """Give the column itself."""
        return column

    def _meta(self, path: Path) -> Typed:
        name = path[0] if path else ""
        if name == "_window" and self.reads.topic.key.window is not None and path[1:] in _BOUNDS:
            node = self.reads.column(Facet.KEY, _BOUNDS[path[1:]], pa.int64())
            return Typed(node, pa.int64(), nullable=path[1] == "end")
        if path == (CLOCK,):
            return Typed(self.reads.column(Facet.META, path, INSTANT), INSTANT, nullable=False)
        if name not in META or len(path) != 1:
            raise NoSuchField(min(len(path), 1) - 1 if name not in META else 1, META, pa.null())
        return Typed(self.reads.column(Facet.META, path, META[name]), META[name], name in _SOMETIMES_NULL)


@dataclass(frozen=True, slots=True)
class Item:
    """A column of a SELECT: where it goes and what it is. `path` () is the whole key or value."""

    facet: Facet
    path: Path
    value: Typed
    span: Span | None


@dataclass(slots=True)
class SelectRelation:
    """The rows of a SELECT over other rows."""

    source: Relation
    items: tuple[Item, ...]
    where: tuple[exp.Expression, ...]
    keep: tuple[exp.Expression, ...]
    """Conditions that rows must meet whatever the kind of the SELECT."""
    names: Names
    star: bool
    """The value is the source's, whole: `SELECT *`."""
    time: Typed | None = None
    """EVENTTIME BY, for rows that have a value: a CASE that fails where there is no time."""
    clock: bool = False
    """EVENTTIME BY takes the machine's clock."""
    table: bool | None = None
    """SELECT TABLE: a row that fails WHERE is passed on as a deletion of its key."""
    pulled: dict[str, exp.Expression] = field(default_factory=dict)

    @property
    def reads(self) -> Reads:
        """The topic or operator at the bottom."""
        return self.source.reads

    @property
    def has_kinds(self) -> bool:
        """Whether rows are changes of an operator's table."""
        return self.source.has_kinds and self.table is not False

    @property
    def drops_rows(self) -> bool:
        """Whether rows that fail WHERE are left out, rather than marked as deletions of their keys.

        Of the changes of an operator both the old row and the new one are there: one of them left out tells what became of it.
        """
        return not self.table or self.source.has_kinds

    @property
    def tombstones(self) -> bool:
        """Whether rows without a value come out: only where the value is passed on whole and nothing is filtered."""
        if not self.drops_rows:
            return self.source.tombstones or bool(self.where)
        return self.source.tombstones and not self.drops_tombstones

    @property
    def marked(self) -> bool:
        """Whether `_tombstone` is also true for records that have a value."""
        return self.tombstones and (self.source.marked or (not self.drops_rows and bool(self.where)))

    @property
    def drops_tombstones(self) -> bool:
        """Whether this SELECT is the one that drops rows without a value."""
        if self.table or not self.source.tombstones:
            return False
        if self.of(Facet.KEY):
            # A key of the value's fields cannot be told from a record without a value.
            return True
        return bool(self.where) or not (self.star or self.deletes)

    @property
    def deletes(self) -> bool:
        """Whether all rows are tombstones: `NULL AS _value`."""
        return any(item.facet is Facet.VALUE and not item.path and item.value.is_null for item in self.items)

    @property
    def key_passes(self) -> bool:
        """Whether keys are the topic's own."""
        return self.source.key_passes and not self.of(Facet.KEY)

    @property
    def value_passes(self) -> bool:
        """Whether values are the topic's own."""
        return self.star and self.source.value_passes

    @property
    def sets_time(self) -> bool:
        """Whether rows have an event time other than the record's timestamp."""
        return self.time is not None or self.source.sets_time

    @property
    def event_time(self) -> Typed | None:
        """EVENTTIME BY, where the SELECT has it; what comes out as a tombstone and has no such time keeps the record's own."""
        if self.time is None or not self.tombstones:
            return self.time
        node = self.time.node.copy()
        assert isinstance(node, exp.Case)
        zero = exp.Literal.number(0)
        own = exp.Coalesce(
            this=self.source.pull(Facet.META, ("timestamp",)).node.copy(), expressions=[zero.copy()]
        )
        at = exp.Anonymous(this="greatest", expressions=[own, zero])
        missing = exp.Paren(this=node.args["ifs"][0].this.copy())
        gone = exp.And(this=exp.Paren(this=self.tombstone_condition()), expression=missing)
        node.set("ifs", [exp.If(this=gone, true=at), *node.args["ifs"]])
        return Typed(node, self.time.type, nullable=False)

    def of(self, facet: Facet) -> tuple[Item, ...]:
        """Give the items of the key or of the value."""
        return tuple(item for item in self.items if item.facet is facet)

    def type_of(self, facet: Facet) -> pa.DataType:
        """Give the type of the key or the value."""
        items = self.of(facet)
        if not items:
            return self.source.type_of(facet)
        return record_type(items)

    def pull(self, facet: Facet, path: Path) -> Typed:
        """Give a column of the result."""
        if facet is Facet.META and path == ("timestamp",):
            time = self.event_time
            if time is not None:
                return self._output(time)
        items = self.of(facet)
        if facet in (Facet.META, Facet.HEADERS) or not items:
            found = self.source.pull(facet, path)
            if not isinstance(found.node, exp.Column):
                return self._output(found)
            self.pulled[found.node.name] = found.node
            return found
        follow(self.type_of(facet), path)
        return self._from_items(items, path)

    def render(self, needed: set[str]) -> exp.Expression:
        """Give the query with the needed columns."""
        columns = [(name, node) for name, node in self.pulled.items() if name in needed]
        hidden = [self._tombstone()] if self.tombstones else []
        return aside(self._query(columns, hidden))

    def output(self, columns: list[tuple[str, exp.Expression]]) -> exp.Select:
        """Give the query that ends a pipeline, with these columns under these names."""
        return self._query(columns, [])

    def _query(self, columns: list[tuple[str, exp.Expression]], hidden: list[exp.Expression]) -> exp.Select:
        condition = [node.copy() for node in self.keep]
        if self.drops_rows:
            condition += [node.copy() for node in self.where]
        if self.drops_tombstones:
            condition.insert(0, exp.Not(this=exp.column(TOMBSTONE)))
        selected = [exp.column(ROW), *hidden]
        selected += [named(node, name) for name, node in columns]
        used = columns_in([*(node for _, node in columns), *self.where, *self.keep])
        query = exp.Select(expressions=selected).from_(self.source.render(used))
        if condition:
            query.set("where", exp.Where(this=exp.and_(*condition, copy=False)))
        return query

    def _tombstone(self) -> exp.Expression:
        gone = self.tombstone_condition()
        return gone if isinstance(gone, exp.Column) else named(gone, TOMBSTONE)

    def tombstone_condition(self) -> exp.Expression:
        """Give, over the source's rows, whether a row comes out as a tombstone."""
        if self.drops_rows or not self.where:
            return exp.column(TOMBSTONE)
        matches = exp.and_(*(node.copy() for node in self.where), copy=False)
        gone: exp.Expression = exp.Not(this=exp.Coalesce(this=matches, expressions=[exp.false()]))
        if self.source.tombstones:
            gone = exp.Or(this=exp.column(TOMBSTONE), expression=gone)
        return gone

    def origin(self, column: str) -> str | None:
        """Give the column at the bottom that a column of the result is."""
        node = self.pulled.get(column)
        return self.source.origin(node.name) if isinstance(node, exp.Column) else None

    def _output(self, value: Typed) -> Typed:
        for name, node in self.pulled.items():
            if node == value.node:
                return Typed(exp.column(name), value.type, value.nullable)
        column = self.names.column("x", value.type)
        self.pulled[column.name] = value.node
        return Typed(column, value.type, value.nullable)

    def _from_items(self, items: tuple[Item, ...], path: Path) -> Typed:
        for item in items:
            if path[: len(item.path)] == item.path:
                found = self._output(item.value)
                for name in path[len(item.path) :]:
                    found = found.field(name)
                return found
        below = [item for item in items if item.path[: len(path)] == path]
        first = len(path)
        names = list(dict.fromkeys(item.path[first] for item in below))
        parts = [self._from_items(items, (*path, name)) for name in names]
        return pack(names, parts)


def follow(kind: pa.DataType, path: Path) -> tuple[pa.DataType, bool]:
    """Give the type at a path and whether it may be null. Raises NoSuchField."""
    nullable = False
    for depth, name in enumerate(path):
        names = (
            [kind.field(index).name for index in range(kind.num_fields)] if pa.types.is_struct(kind) else []
        )
        if name not in names:
            raise NoSuchField(depth, names, kind)
        child = kind.field(names.index(name))
        kind, nullable = child.type, nullable or child.nullable
    return kind, nullable


def record_type(items: Iterable[Item]) -> pa.DataType:
    """Give the type that items make up: a record, or what the one item for the whole is."""
    tree: dict[str, object] = {}
    for item in items:
        if not item.path:
            return item.value.type
        node = tree
        for name in item.path[:-1]:
            below = node.setdefault(name, {})
            assert isinstance(below, dict)
            node = below
        node[item.path[-1]] = item.value
    return _record(tree)


def pack(names: list[str], parts: list[Typed]) -> Typed:
    """Give a record of parts."""
    fields = [
        exp.PropertyEQ(this=exp.to_identifier(name, quoted=True), expression=part.node.copy())
        for name, part in zip(names, parts, strict=True)
    ]
    kind = pa.struct(
        [pa.field(name, part.type, part.nullable) for name, part in zip(names, parts, strict=True)]
    )
    return Typed(exp.Struct(expressions=fields), kind, nullable=False)


def columns_in(nodes: Iterable[exp.Expression]) -> set[str]:
    """Give the names of all columns in expressions; arguments of lambdas are none."""
    names = {column.name for node in nodes for column in node.find_all(exp.Column)}
    return {name for name in names if not name.startswith(MACRO_PREFIX)}


def _record(tree: dict[str, object]) -> pa.DataType:
    fields = []
    for name, part in tree.items():
        if isinstance(part, Typed):
            fields.append(pa.field(name, part.type, part.nullable))
        else:
            assert isinstance(part, dict)
            fields.append(pa.field(name, _record(part), nullable=False))
    return pa.struct(fields)


def aside(query: exp.Select) -> exp.Expression:
    """Give a query as something to select from."""
    return exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier("s")))


def named(node: exp.Expression, name: str) -> exp.Expression:
    """Give a column of a query under a name."""
    if isinstance(node, exp.Column) and node.name == name:
        return node.copy()
    return exp.Alias(this=node.copy(), alias=exp.to_identifier(name))
