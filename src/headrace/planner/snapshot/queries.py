"""Snapshot queries into DuckDB queries over scans: columns bound, everything else as it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from headrace.errors.codes import plan as codes
from headrace.planner.expressions import Expressions
from headrace.planner.faults import refusal
from headrace.planner.operators import need_comparable
from headrace.planner.rules.extract_formats import conjuncts, extract_formats
from headrace.planner.snapshot import origins, sets
from headrace.planner.snapshot.aggregates import RULES, aggregate, is_aggregate, needs_over, order
from headrace.planner.snapshot.bounds import Constant, reads_last_offset
from headrace.planner.snapshot.forms import refuse_forms
from headrace.planner.snapshot.grouping import check_ordinals, group, refuse_misplaced
from headrace.planner.snapshot.rows import declarable, element, values
from headrace.planner.snapshot.sources import Bound, Output, Sources, View
from headrace.planner.snapshot.stars import items
from headrace.planner.typed import Typed
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headrace.catalog import TopicCatalog
    from headrace.errors import Source
    from headrace.plan.snapshot import StateScan
    from headrace.planner.duckdb_types import Typer
    from headrace.planner.relations import Names
    from headrace.planner.snapshot.origins import ScanDraft
    from headrace.planner.snapshot.states import StoredStates

_STREAMING = {"window": "WINDOW BY", "grace": "GRACE BY", "eventtime": "EVENTTIME BY", "emit": "EMIT"}


@dataclass(slots=True)
class SnapshotQueries:
    """Binds the SELECTs of one snapshot query."""

    catalog: TopicCatalog
    typer: Typer
    names: Names
    source: Source
    constant: Constant
    stored: StoredStates | None = None
    synonyms: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ""
    """Of the names of relations."""
    scans: list[ScanDraft] = field(default_factory=list)
    states: list[StateScan] = field(default_factory=list)
    inlined: dict[str, exp.Expression] = field(default_factory=dict)

    def bind(self, node: exp.Expression, named: Mapping[str, View], outer: Sources | None = None) -> Bound:
        """Bind a query.

        Args:
            node: SELECT, a set operation, VALUES, any of them in brackets.
            named: what names of WITH mean.
            outer: names of the query around.

        Raises:
            ProgramError: something in it is wrong.
        """
        with_ = node.args.get("with_")
        if with_ is not None:
            named = {**named, **views(with_)}
        if isinstance(node, exp.Subquery):
            return self.modified(node, self.bind(node.this, named, outer))
        if isinstance(node, exp.SetOperation):
            return self.modified(node, sets.operation(self, node, named, outer))
        if isinstance(node, exp.Values):
            within = self.expressions(Sources(outer=outer), named)
            return self.modified(node, values(node, within, self.names))
        assert isinstance(node, exp.Select)
        return self._select(node, named, outer)

    # SELECT

    def _select(self, select: exp.Select, named: Mapping[str, View], outer: Sources | None) -> Bound:
        for key, clause in _STREAMING.items():
            part = select.args.get(key)
            if part:
                place = part if isinstance(part, exp.Expression) else select
                message = f"{clause} belongs to streams, and this query runs once"
                raise refusal(codes.NOT_YET, message, nearest_span(place))
        for join in select.args.get("joins") or ():
            if join.args.get("broadcast"):
                message = "GLOBAL TABLE belongs to streams, and this query runs once"
                raise refusal(codes.NOT_YET, message, nearest_span(join.this), "leave it out")
        where = select.args.get("where")
        formats = extract_formats(where.this if where is not None else None)
        sources = Sources(outer=outer)
        built = exp.Select()
        conditions = conjuncts(formats.where)
        done = origins.read(self, select, built, sources, named, formats, conditions)
        within = self.expressions(sources, named)
        origins.laterals(self, select, built, sources, named, within)
        refuse_misplaced(select, within)
        outputs = self._items(select, built, sources, within)
        kept = [part for part in conditions if not self._is_bound_alone(part, done)]
        if kept:
            found = [within.condition(part, "WHERE") for part in kept]
            built.set("where", exp.Where(this=exp.and_(*found, copy=False)))
        self._tail(select, built, sources, within, outputs)
        return Bound(built, outputs)

    def expressions(self, sources: Sources, named: Mapping[str, View]) -> Expressions:
        """Give the compiler of expressions over sources, with all that only a snapshot query can run."""

        def inner(node: exp.Expression, within: Expressions) -> exp.Expression | None:
            rule = RULES.get(type(node))
            if rule is not None:
                return rule(node, within)
            refuse_forms(node)
            if is_aggregate(node, within):
                assert isinstance(node, exp.Anonymous)
                return aggregate(node, within)
            if needs_over(node):
                message = f"`{node.this}` is a function over a window"
                raise refusal(codes.NOT_YET, message, nearest_span(node), "add OVER: `OVER (ORDER BY …)`")
            return self._nested(node, within, sources, named)

        return Expressions(sources, self.typer, self.source, inner)

    def _nested(
        self, node: exp.Expression, within: Expressions, sources: Sources, named: Mapping[str, View]
    ) -> exp.Expression | None:
        if isinstance(node, exp.Exists):
            return self._inlined(exp.Exists(this=self.bind(node.this, named, sources).query), pa.bool_())
        if isinstance(node, exp.Subquery | exp.Select):
            bound = self._one_column(node, named, sources)
            return self._inlined(exp.Subquery(this=bound.query), bound.outputs[0].value.type)
        if isinstance(node, exp.In) and node.args.get("query") is not None:
            return self._in(node, within, sources, named)
        if isinstance(node, exp.Any | exp.All):
            bound = self._one_column(node.this, named, sources)
            return self._inlined(type(node)(this=exp.Subquery(this=bound.query)), bound.outputs[0].value.type)
        if _is_unnest(node):
            array = within.value(node.expressions[0])
            if pa.types.is_struct(array.type):
                message = "the fields of a record as columns"
                raise refusal(codes.DUCKDB_FORM, message, nearest_span(node), "name them one by one")
            element(array, node.expressions[0], within)
            return exp.Anonymous(this="unnest", expressions=[array.node])
        return None

    def _one_column(self, node: exp.Expression, named: Mapping[str, View], sources: Sources) -> Bound:
        bound = self.bind(node, named, sources)
        if len(bound.outputs) != 1:
            message = f"a query inside an expression gives one column, not {len(bound.outputs)}"
            raise refusal(codes.UNION_MISMATCH, message, nearest_span(node))
        return bound

    def _in(
        self, node: exp.In, within: Expressions, sources: Sources, named: Mapping[str, View]
    ) -> exp.Expression:
        value = within.value(node.this)
        query = node.args["query"]
        bound = self.bind(query, named, sources)
        wanted = len(node.this.expressions) if isinstance(node.this, exp.Tuple) else 1
        if len(bound.outputs) != wanted:
            message = f"the query of IN gives {len(bound.outputs)} columns, and {wanted} are compared"
            raise refusal(codes.UNION_MISMATCH, message, nearest_span(query))
        if wanted == 1:
            inner = query.this if isinstance(query, exp.Subquery) else query
            place = inner.expressions[0] if isinstance(inner, exp.Select) else query
            need_comparable(within, node, (node.this, value), (place, bound.outputs[0].value))
        built = exp.In(this=value.node, query=exp.Subquery(this=bound.query))
        return self._inlined(exp.Paren(this=built), pa.bool_())

    def _inlined(self, node: exp.Expression, kind: pa.DataType) -> exp.Expression:
        """Stand a column in for a query inside an expression until all is bound: its type is known, its tables are not."""
        column = self.names.column("q", declarable(kind))
        self.inlined[column.name] = node
        return column

    def put_in(self, query: exp.Expression) -> None:
        """Put the queries inside expressions in their places."""
        while True:
            found = [column for column in query.find_all(exp.Column) if column.name in self.inlined]
            if not found:
                return
            for column in found:
                column.replace(self.inlined[column.name].copy())

    def _items(
        self, select: exp.Select, built: exp.Select, sources: Sources, within: Expressions
    ) -> tuple[Output, ...]:
        outputs: list[Output] = []
        for node in select.expressions:
            for name, value in items(node, sources, within):
                column = self.names.column("x", declarable(value.type))
                built.append("expressions", exp.alias_(value.node.copy(), column.name))
                outputs.append(Output(name, Typed(column, value.type, value.nullable)))
                sources.renamed.setdefault(name, value)
        return tuple(outputs)

    # What follows

    def _tail(
        self,
        select: exp.Select,
        built: exp.Select,
        sources: Sources,
        within: Expressions,
        outputs: tuple[Output, ...],
    ) -> None:
        if select.args.get("group") is not None:
            built.set("group", group(select.args["group"], within, len(outputs)))
        if select.args.get("having") is not None:
            built.set("having", exp.Having(this=within.condition(select.args["having"].this, "HAVING")))
        if select.args.get("qualify") is not None:
            built.set("qualify", exp.Qualify(this=within.condition(select.args["qualify"].this, "QUALIFY")))
        distinct = select.args.get("distinct")
        if distinct is not None:
            on = distinct.args.get("on")
            columns = [within.value(item).node for item in on.expressions] if on is not None else None
            built.set("distinct", exp.Distinct(on=exp.Tuple(expressions=columns) if columns else None))
        if select.args.get("order") is not None:
            sources.renamed.update({item.name: item.value for item in outputs})
            sources.renamed_first = True
            built.set("order", _order(select.args["order"], within, len(outputs)))
        _limits(select, built)

    def modified(self, node: exp.Expression, bound: Bound) -> Bound:
        """Put ORDER BY and LIMIT behind a query that is no SELECT."""
        if not any(node.args.get(key) for key in ("order", "limit", "offset")):
            return bound
        aside = exp.Subquery(this=bound.query, alias=exp.TableAlias(this=exp.to_identifier("s")))
        built = exp.Select(expressions=[exp.Star()], from_=exp.From(this=aside))
        if node.args.get("order") is not None:
            sources = Sources(renamed={item.name: item.value for item in bound.outputs})
            within = self.expressions(sources, {})
            built.set("order", _order(node.args["order"], within, len(bound.outputs)))
        _limits(node, built)
        return Bound(built, bound.outputs)

    @staticmethod
    def _is_bound_alone(part: exp.Expression, done: list[exp.Expression]) -> bool:
        """Say whether a condition is for the scan alone: LAST_OFFSET() has no value in a row."""
        if not reads_last_offset(part):
            return False
        if any(part is item for item in done):
            return True
        message = "LAST_OFFSET() goes with `_meta.offset >= LAST_OFFSET() - n`, joined by AND"
        raise refusal(codes.TYPE_MISMATCH, message, nearest_span(part))


def views(with_: exp.Expression) -> dict[str, View]:
    """Give what the names of a WITH mean."""
    recursive = bool(with_.args.get("recursive"))
    return {
        entry.alias: View(entry.this, tuple(entry.args["alias"].args.get("columns") or ()), recursive)
        for entry in with_.expressions
    }


def _order(node: exp.Order, within: Expressions, columns: int) -> exp.Order:
    """Compile ORDER BY; ORDER BY ALL means the columns from left to right."""
    only = node.expressions[0]
    part = only.this
    check_ordinals((item.this for item in node.expressions), columns)
    for item in node.expressions:
        if isinstance(item.this, exp.Literal) and item.this.is_string:
            message = "ORDER BY a text, which is the same in each row"
            way_out = "names stand between back-ticks; quotes make a string"
            raise refusal(codes.TYPE_MISMATCH, message, nearest_span(item), way_out)
    if len(node.expressions) > 1 or not isinstance(part, exp.Column) or part.sql().upper() != "ALL":
        return order(node, within)
    every = []
    for number in range(1, columns + 1):
        item = only.copy()
        item.set("this", exp.Literal.number(number))
        every.append(item)
    return exp.Order(expressions=every)


def _is_unnest(node: exp.Expression) -> bool:
    return (
        isinstance(node, exp.Anonymous) and str(node.this).lower() == "unnest" and len(node.expressions) == 1
    )


def _limits(node: exp.Expression, built: exp.Expression) -> None:
    for key in ("limit", "offset"):
        part = node.args.get(key)
        if part is None:
            continue
        if not isinstance(part.expression, exp.Literal) or not part.expression.is_int:
            # DuckDB takes expressions and percentages too.
            constant = isinstance(part.expression, exp.Literal | exp.Neg)
            code = codes.TYPE_MISMATCH if constant else codes.DUCKDB_FORM
            raise refusal(code, f"{key.upper()} takes a whole number", nearest_span(part))
        built.set(key, type(part)(expression=part.expression.copy()))
