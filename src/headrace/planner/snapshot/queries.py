"""Snapshot queries into DuckDB queries over scans: columns bound, everything else as it stands."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from headrace.catalog import format_named
from headrace.errors.codes import catalog as catalog_codes
from headrace.errors.codes import plan as codes
from headrace.errors.suggest import did_you_mean
from headrace.plan.snapshot import Bounds
from headrace.plan.topology import Facet
from headrace.planner.expressions import Expressions
from headrace.planner.faults import refusal
from headrace.planner.relations import Names, TopicReads, TopicRelation
from headrace.planner.rules.extract_formats import Extracted, conjuncts, extract_formats
from headrace.planner.scope import Scope
from headrace.planner.snapshot.aggregates import RULES, aggregate, is_aggregate, order
from headrace.planner.snapshot.bounds import Constant, bounds_of, reads_last_offset
from headrace.planner.snapshot.sources import DerivedRelation, Output, Sources
from headrace.planner.typed import Typed
from headrace.sql.nodes import ArrayLateral, Target
from headrace.sql.paths import column_path
from headrace.sql.spans import nearest_span, span_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headrace.catalog import TopicCatalog
    from headrace.errors import Source
    from headrace.planner.duckdb_types import Typer

_STREAMING = {"window": "WINDOW BY", "grace": "GRACE BY", "eventtime": "EVENTTIME BY", "emit": "EMIT"}


@dataclass(slots=True)
class ScanDraft:
    """A topic that the query scans, while it is planned."""

    relation: str
    reads: TopicReads
    bounds: Bounds = field(default_factory=Bounds)


@dataclass(frozen=True, slots=True)
class Bound:
    """A query with its columns."""

    query: exp.Expression
    outputs: tuple[Output, ...]


@dataclass(slots=True)
class SnapshotQueries:
    """Binds the SELECTs of one snapshot query."""

    catalog: TopicCatalog
    typer: Typer
    names: Names
    source: Source
    constant: Constant
    scans: list[ScanDraft] = field(default_factory=list)
    inlined: dict[str, exp.Expression] = field(default_factory=dict)

    def bind(
        self, node: exp.Expression, named: Mapping[str, exp.Expression], outer: Sources | None = None
    ) -> Bound:
        """Bind a query.

        Args:
            node: SELECT, a set operation, VALUES, any of them in brackets.
            named: the queries of WITH names.
            outer: names of the query around.

        Raises:
            ProgramError: something in it is wrong.
        """
        with_ = node.args.get("with_")
        if with_ is not None:
            named = {**named, **{entry.alias: entry.this for entry in with_.expressions}}
        if isinstance(node, exp.Subquery):
            inner = self.bind(node.this, named, outer)
            return self._modified(node, Bound(inner.query, inner.outputs))
        if isinstance(node, exp.SetOperation):
            return self._set_operation(node, named, outer)
        if isinstance(node, exp.Select):
            return self._select(node, named, outer)
        raise refusal(codes.NOT_YET, "VALUES cannot be queried", nearest_span(node))

    # SELECT

    def _select(
        self, select: exp.Select, named: Mapping[str, exp.Expression], outer: Sources | None
    ) -> Bound:
        for key, clause in _STREAMING.items():
            part = select.args.get(key)
            if part:
                place = part if isinstance(part, exp.Expression) else select
                message = f"{clause} belongs to streams, and this query runs once"
                raise refusal(codes.NOT_YET, message, nearest_span(place))
        where = select.args.get("where")
        formats = extract_formats(where.this if where is not None else None)
        sources = Sources(outer=outer)
        built = exp.Select()
        conditions = conjuncts(formats.where)
        self._from(select, built, sources, named, formats, conditions)
        within = self._expressions(sources, named)
        self._laterals(select, built, sources, within)
        kept = [part for part in conditions if not self._is_bound_alone(part)]
        if kept:
            found = [within.condition(part, "WHERE") for part in kept]
            built.set("where", exp.Where(this=exp.and_(*found, copy=False)))
        outputs = self._items(select, built, sources, within)
        self._tail(select, built, sources, within, outputs)
        return Bound(built, outputs)

    def _expressions(self, sources: Sources, named: Mapping[str, exp.Expression]) -> Expressions:
        def inner(node: exp.Expression, within: Expressions) -> exp.Expression | None:
            rule = RULES.get(type(node))
            if rule is not None:
                return rule(node, within)
            if is_aggregate(node, within):
                assert isinstance(node, exp.Anonymous)
                return aggregate(node, within)
            return self._nested(node, within, sources, named)

        return Expressions(sources, self.typer, self.source, inner)

    def _nested(
        self,
        node: exp.Expression,
        within: Expressions,
        sources: Sources,
        named: Mapping[str, exp.Expression],
    ) -> exp.Expression | None:
        if isinstance(node, exp.Exists):
            return self._inlined(exp.Exists(this=self.bind(node.this, named, sources).query), pa.bool_())
        if isinstance(node, exp.Subquery | exp.Select):
            bound = self.bind(node, named, sources)
            return self._inlined(exp.Subquery(this=bound.query), bound.outputs[0].value.type)
        if isinstance(node, exp.In) and node.args.get("query") is not None:
            inside = self.bind(node.args["query"], named, sources).query
            built = exp.In(this=within.value(node.this).node, query=exp.Subquery(this=inside))
            return self._inlined(exp.Paren(this=built), pa.bool_())
        if isinstance(node, exp.Any | exp.All):
            bound = self.bind(node.this, named, sources)
            return self._inlined(type(node)(this=exp.Subquery(this=bound.query)), bound.outputs[0].value.type)
        return None

    def _inlined(self, node: exp.Expression, kind: pa.DataType) -> exp.Expression:
        """Stand a column in for a query inside an expression until all is bound: its type is known, its tables are not."""
        column = self.names.column("q", _declarable(kind))
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

    def _from(
        self,
        select: exp.Select,
        built: exp.Select,
        sources: Sources,
        named: Mapping[str, exp.Expression],
        formats: Extracted,
        conditions: list[exp.Expression],
    ) -> None:
        clause = select.args.get("from_")
        if clause is None:
            return
        joins = select.args.get("joins") or []
        only = not joins
        origins = [clause.this, *(join.this for join in joins)]
        for index, origin in enumerate(origins):
            node, relation, draft = self._origin(origin, named, sources, formats)
            scope = Scope(relation, origin.alias_or_name or "the query")
            sources.scopes.append(scope)
            if draft is not None:
                draft.bounds = bounds_of(conditions, scope.alias, self.constant, only=only)
            if index == 0:
                built.set("from_", exp.From(this=node))
            else:
                built.append("joins", self._join(joins[index - 1], node, sources, named))

    def _origin(
        self,
        origin: exp.Expression,
        named: Mapping[str, exp.Expression],
        sources: Sources,
        formats: Extracted,
    ) -> tuple[exp.Expression, TopicRelation | DerivedRelation, ScanDraft | None]:
        if isinstance(origin, exp.Subquery | exp.Lateral):
            inner = origin.this if isinstance(origin, exp.Subquery) else origin.this.this
            around = sources if isinstance(origin, exp.Lateral) else sources.outer
            return self._derived(inner, named, around)
        if not isinstance(origin, exp.Table) or not isinstance(origin.this, exp.Identifier):
            raise refusal(codes.NOT_YET, "a function cannot be read as a topic", nearest_span(origin))
        name = origin.this.name
        if name in named:
            before = {key: query for key, query in named.items() if key != name}
            return self._derived(named[name], before, None)
        draft = self._scan(name, origin.this, named, formats)
        return exp.to_table(draft.relation), TopicRelation(draft.reads), draft

    def _derived(
        self, query: exp.Expression, named: Mapping[str, exp.Expression], outer: Sources | None
    ) -> tuple[exp.Expression, DerivedRelation, None]:
        bound = self.bind(query, named, outer)
        node = exp.Subquery(
            this=bound.query, alias=exp.TableAlias(this=exp.to_identifier(f"s{next_number(self.names)}"))
        )
        return node, DerivedRelation(bound.outputs), None

    def _scan(
        self, name: str, node: exp.Identifier, named: Mapping[str, exp.Expression], formats: Extracted
    ) -> ScanDraft:
        key = format_named(formats.key.name, formats.key.span) if formats.key else None
        value = format_named(formats.value.name, formats.value.span) if formats.value else None
        topic = self.catalog.topic(name, key, value) if self.catalog.describe(name) is not None else None
        if topic is None:
            message = f"there is no topic `{name}`"
            way_out = did_you_mean(name, [*named, *self.catalog.names()])
            raise refusal(catalog_codes.UNKNOWN_TOPIC, message, span_of(node), way_out)
        draft = ScanDraft(f"t{len(self.scans)}", TopicReads(topic, self.names))
        self.scans.append(draft)
        return draft

    def _join(
        self,
        join: exp.Expression,
        node: exp.Expression,
        sources: Sources,
        named: Mapping[str, exp.Expression],
    ) -> exp.Join:
        for key in ("within", "grace"):
            if join.args.get(key) is not None:
                message = f"{key.upper()} belongs to joins of streams, and this query runs once"
                raise refusal(codes.NOT_YET, message, nearest_span(join.args[key]))
        if join.args.get("method") in ("NATURAL", "POSITIONAL"):
            raise refusal(
                codes.NOT_YET, f"{join.args['method']} JOIN is not supported", nearest_span(join), "write ON"
            )
        built = exp.Join(this=node)
        for key in ("side", "kind", "method"):
            if join.args.get(key):
                built.set(key, join.args[key])
        on = join.args.get("on")
        if on is not None:
            built.set("on", self._expressions(sources, named).condition(on, "ON"))
        elif join.args.get("using"):
            built.set("on", self._using(join, sources))
        elif join.args.get("kind") != "CROSS" and (join.args.get("kind") or join.args.get("side")):
            left, right = sources.scopes[-2].relation, sources.scopes[-1].relation
            keys = left.pull(Facet.KEY, ()), right.pull(Facet.KEY, ())
            built.set("on", exp.EQ(this=keys[0].node, expression=keys[1].node))
        return built

    @staticmethod
    def _using(join: exp.Expression, sources: Sources) -> exp.Expression:
        right = sources.scopes[-1]
        left = Sources(sources.scopes[:-1])
        found: exp.Expression | None = None
        for name in join.args["using"]:
            sides = left.resolve([name]), right.resolve([name])
            assert isinstance(sides[0], Typed)
            assert isinstance(sides[1], Typed)
            pair = exp.EQ(this=sides[0].node, expression=sides[1].node)
            found = pair if found is None else exp.And(this=found, expression=pair)
        assert found is not None
        return found

    def _laterals(self, select: exp.Select, built: exp.Select, sources: Sources, within: Expressions) -> None:
        for lateral in select.args.get("laterals") or ():
            if not isinstance(lateral, ArrayLateral):
                raise refusal(codes.NOT_YET, "LATERAL (SELECT …) is not supported", nearest_span(lateral))
            array = within.value(lateral.this)
            if not pa.types.is_list(array.type):
                message = f"LATERAL takes an array, and {within.describe(lateral.this, array)} is none"
                raise refusal(codes.TYPE_MISMATCH, message, nearest_span(lateral.this))
            kind = array.type.value_type
            element = Typed(self.names.column("x", kind), kind, nullable=True)
            unnest = exp.Anonymous(this="unnest", expressions=[array.node])
            inner = exp.Select(expressions=[exp.alias_(unnest, element.node.name)])
            alias = exp.TableAlias(this=exp.to_identifier(f"s{next_number(self.names)}"))
            node = exp.Lateral(this=exp.Subquery(this=inner), alias=alias)
            built.append("joins", exp.Join(this=node, kind="CROSS"))
            for scope in sources.scopes:
                scope.laterals[lateral.args["alias"].name] = element

    # The select list

    def _items(
        self, select: exp.Select, built: exp.Select, sources: Sources, within: Expressions
    ) -> tuple[Output, ...]:
        outputs: list[Output] = []
        for node in select.expressions:
            for name, value in self._item(node, sources, within):
                column = self.names.column("x", _declarable(value.type))
                built.append("expressions", exp.alias_(value.node.copy(), column.name))
                outputs.append(Output(name, Typed(column, value.type, value.nullable)))
                sources.renamed.setdefault(name, value)
        return tuple(outputs)

    def _item(self, node: exp.Expression, sources: Sources, within: Expressions) -> list[tuple[str, Typed]]:
        star = node if isinstance(node, exp.Star) else node.this if isinstance(node, exp.Column) else None
        if isinstance(star, exp.Star):
            return self._star(node, star, sources, within)
        if isinstance(node, exp.Alias):
            return [(node.alias, within.value(node.this))]
        if isinstance(node, Target):
            return [(".".join(part.name for part in node.expressions), within.value(node.this))]
        parts = column_path(node)
        if parts is not None:
            name = parts[-1].name
        elif isinstance(node, exp.Anonymous):
            name = str(node.this)
        else:
            name = within.words(node)
        return [(name, within.value(node))]

    @staticmethod
    def _star(
        node: exp.Expression, star: exp.Star, sources: Sources, within: Expressions
    ) -> list[tuple[str, Typed]]:
        parts = [
            part
            for key in ("catalog", "db", "table")
            if isinstance(part := node.args.get(key), exp.Identifier)
        ]
        if not sources.scopes:
            raise refusal(codes.UNKNOWN_COLUMN, "`*` needs FROM", nearest_span(node))
        facet = sources.star(parts)
        if facet is None or facet is Facet.HEADERS:
            raise refusal(
                codes.UNKNOWN_COLUMN, f"`{within.words(node)}` means no part of a source", nearest_span(node)
            )
        owner = sources.scope_named(parts[0].name) if parts else None
        scopes = [owner] if owner is not None else sources.scopes
        left_out = {item.name for item in star.args.get("except_") or ()}
        replaced = {item.alias: within.value(item.this) for item in star.args.get("replace") or ()}
        found = []
        for scope in scopes:
            kind = scope.relation.type_of(facet)
            if not pa.types.is_struct(kind):
                found.append((facet.value, scope.relation.pull(facet, ())))
                continue
            names = [kind.field(index).name for index in range(kind.num_fields)]
            found += [
                (name, replaced.get(name) or scope.relation.pull(facet, (name,)))
                for name in names
                if name not in left_out
            ]
        return found

    # What follows

    def _tail(
        self,
        select: exp.Select,
        built: exp.Select,
        sources: Sources,
        within: Expressions,
        outputs: tuple[Output, ...],
    ) -> None:
        group = select.args.get("group")
        if group is not None:
            built.set("group", _group(group, within))
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
            built.set("order", order(select.args["order"], within))
        _limits(select, built)

    def _set_operation(
        self, node: exp.SetOperation, named: Mapping[str, exp.Expression], outer: Sources | None
    ) -> Bound:
        left, right = self.bind(node.this, named, outer), self.bind(node.expression, named, outer)
        if node.args.get("by_name"):
            raise refusal(
                codes.NOT_YET,
                "BY NAME is not supported",
                nearest_span(node),
                "write the columns in one order",
            )
        if len(left.outputs) != len(right.outputs):
            name = type(node).__name__.upper()
            message = f"the first SELECT of the {name} has {len(left.outputs)} columns, the other {len(right.outputs)}"
            raise refusal(codes.UNION_MISMATCH, message, nearest_span(node.expression))
        built = type(node)(this=left.query, expression=right.query, distinct=bool(node.args.get("distinct")))
        outputs = []
        for mine, theirs in zip(left.outputs, right.outputs, strict=True):
            pair = exp.Coalesce(this=mine.value.node.copy(), expressions=[theirs.value.node.copy()])
            merged = self._expressions(Sources(), named).typed(pair, nullable=True, origin=node)
            self.typer.declare(mine.value.node.name, _declarable(merged.type))
            outputs.append(replace(mine, value=Typed(mine.value.node, merged.type, nullable=True)))
        return self._modified(node, Bound(built, tuple(outputs)))

    def _modified(self, node: exp.Expression, bound: Bound) -> Bound:
        """Put ORDER BY and LIMIT behind a query that is no SELECT."""
        if not any(node.args.get(key) for key in ("order", "limit", "offset")):
            return bound
        aside = exp.Subquery(this=bound.query, alias=exp.TableAlias(this=exp.to_identifier("s")))
        built = exp.Select(expressions=[exp.Star()], from_=exp.From(this=aside))
        if node.args.get("order") is not None:
            sources = Sources(renamed={item.name: item.value for item in bound.outputs})
            built.set("order", order(node.args["order"], self._expressions(sources, {})))
        _limits(node, built)
        return Bound(built, bound.outputs)

    @staticmethod
    def _is_bound_alone(part: exp.Expression) -> bool:
        """Say whether a condition is for the scan alone: LAST_OFFSET() has no value in a row."""
        if not reads_last_offset(part):
            return False
        if isinstance(part, exp.GT | exp.GTE):
            return True
        message = "LAST_OFFSET() goes with `_meta.offset >= LAST_OFFSET() - n`, joined by AND"
        raise refusal(codes.TYPE_MISMATCH, message, nearest_span(part))


def next_number(names: Names) -> int:
    """Give a number that no name of the program has."""
    return int(names.column("x", pa.null()).name[1:])


def _group(group: exp.Group, within: Expressions) -> exp.Group:
    def item(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.Literal) and node.is_int:
            return node.copy()
        if isinstance(node, exp.Tuple | exp.Rollup | exp.Cube | exp.GroupingSets):
            return type(node)(expressions=[item(part) for part in node.expressions])
        return within.value(node).node

    if group.args.get("all"):
        return exp.Group(all=True)
    return exp.Group(expressions=[item(part) for part in group.expressions])


def _limits(node: exp.Expression, built: exp.Expression) -> None:
    for key in ("limit", "offset"):
        part = node.args.get(key)
        if part is None:
            continue
        if not isinstance(part.expression, exp.Literal) or not part.expression.is_int:
            raise refusal(codes.TYPE_MISMATCH, f"{key.upper()} takes a whole number", nearest_span(part))
        built.set(key, type(part)(expression=part.expression.copy()))


def _declarable(kind: pa.DataType) -> pa.DataType:
    return pa.int32() if pa.types.is_null(kind) else kind
