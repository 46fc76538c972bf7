"""Queries into relations: one relation for each branch of UNION ALL, whatever WITH and sub-queries stand between."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from headrace.catalog import format_named
from headrace.errors import Diagnostic, ProgramError, Span
from headrace.errors.codes import catalog as catalog_codes
from headrace.errors.codes import plan as codes
from headrace.errors.suggest import did_you_mean
from headrace.plan.topology import Facet
from headrace.planner.expressions import Expressions
from headrace.planner.faults import refusal
from headrace.planner.projection import projection
from headrace.planner.relations import (
    LateralRelation,
    Names,
    Relation,
    SelectRelation,
    TopicRelation,
)
from headrace.planner.rules.extract_formats import Extracted, conjuncts, extract_formats
from headrace.planner.rules.refuse_stateful import refuse_set_operation, refuse_stateful
from headrace.planner.scope import Scope
from headrace.planner.typed import Typed
from headrace.planner.unions import alike
from headrace.sql.nodes import ArrayLateral, Mode, Named
from headrace.sql.spans import nearest_span, span_of
from headrace.types.sql import is_integer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headrace.errors import Source
    from headrace.planner.duckdb_types import Typer
    from headrace.planner.faults import Faults
    from headrace.planner.topics import Topics


@dataclass(slots=True)
class Queries:
    """Turns queries into relations.

    Args:
        topics: what the topics hold, and what the program reads of them.
        typer: asks DuckDB for types.
        names: makes the names of columns.
        source: the text, for messages.
        faults: takes what is wrong; a query with faults gives no relation.
    """

    topics: Topics
    typer: Typer
    names: Names
    source: Source
    faults: Faults
    broken: set[str] = field(default_factory=set)
    """WITH names whose query has faults: what reads them is not looked at, since all its faults would come from theirs."""
    _open: list[str] = field(default_factory=list)

    def check(self, entry: Named, named: Mapping[str, Named]) -> None:
        """Look for faults in a query of WITH, used or not."""
        self._open.append(entry.name)
        try:
            _refuse_shape(entry)
            if not self.branches(entry.query, named):
                self.broken.add(entry.name)
        except ProgramError as fault:
            self.broken.add(entry.name)
            self.faults.add(fault.diagnostics)
        finally:
            self._open.pop()

    def insertion(self, query: exp.Expression, named: Mapping[str, Named]) -> list[SelectRelation]:
        """Give the relations whose rows an INSERT writes."""
        return self.branches(query, named)

    def branches(self, query: exp.Expression, named: Mapping[str, Named]) -> list[SelectRelation]:
        """Give the relations of a query.

        Args:
            query: SELECT, UNION ALL, either of them in brackets.
            named: the WITH names that it may use.

        Raises:
            ProgramError: the first fault of those that leave nothing to go on with; others go to `faults`.
        """
        with_ = query.args.get("with_")
        if with_ is not None:
            named = self._own_names(with_, named)
        if isinstance(query, exp.Subquery):
            return self.branches(query.this, named)
        if isinstance(query, exp.SetOperation):
            self.faults.add(refuse_set_operation(query))
            left, right = self.branches(query.this, named), self.branches(query.expression, named)
            if not left or query.args.get("by_name"):
                return [*left, *right]
            return [*left, *(alike(left[0], branch, query.expression) for branch in right)]
        if isinstance(query, exp.Select):
            return self._select(query, named)
        message = "VALUES has no topic to read from"
        raise refusal(
            codes.NOT_IN_A_PROCESSOR, message, nearest_span(query), "write records with `headrace produce`"
        )

    def _own_names(self, with_: exp.Expression, named: Mapping[str, Named]) -> Mapping[str, Named]:
        from_here = dict(named)
        for entry in with_.expressions:
            own = _named(entry, recursive=bool(with_.args.get("recursive")))
            _refuse_shape(own)
            from_here[entry.alias] = own
        return from_here

    def _select(self, select: exp.Select, named: Mapping[str, Named]) -> list[SelectRelation]:
        self.faults.add(refuse_stateful(select, self.source))
        where = select.args.get("where")
        formats = extract_formats(where.this if where is not None else None)
        found = []
        for relation, alias in self._sources(select, named, formats):
            built = self._over(select, relation, alias, formats)
            if built is not None:
                found.append(built)
        return found

    def _over(
        self, select: exp.Select, relation: Relation, alias: str, formats: Extracted
    ) -> SelectRelation | None:
        """Compile a SELECT over one branch of its source; None if something in it is wrong."""
        mode = select.args.get("mode")
        if mode == Mode.TABLE and relation.table is False:
            message = f"`{alias}` is a stream, and SELECT TABLE reads topics and tables"
            self.faults.add([Diagnostic(codes.NOT_A_TABLE, message, span_of(select), "write SELECT STREAM")])
            return None
        scope = Scope(relation, alias)
        within = Expressions(scope, self.typer, self.source)
        for lateral in select.args.get("laterals") or ():
            if isinstance(lateral, ArrayLateral):
                relation = self._lateral(lateral, relation, scope, within)
        good = True
        conditions: list[exp.Expression] = []
        for part in conjuncts(formats.where):
            try:
                conditions.append(within.condition(part, "WHERE"))
            except ProgramError as fault:
                self.faults.add(fault.diagnostics)
                good = False
        time = None
        try:
            time = self._event_time(select, within)
        except ProgramError as fault:
            self.faults.add(fault.diagnostics)
            good = False
        found = projection(select, within, self.faults)
        if found is None or not good:
            return None
        return SelectRelation(
            relation,
            found.items,
            tuple(conditions),
            self._keyed(mode, relation),
            self.names,
            found.star,
            time,
            table=None if mode is None else mode == Mode.TABLE,
        )

    @staticmethod
    def _keyed(mode: str | None, relation: Relation) -> tuple[exp.Expression, ...]:
        """A table has no rows without a key."""
        if mode != Mode.TABLE or relation.table:
            return ()
        size = relation.pull(Facet.META, ("__keysize",)).node
        return (exp.Not(this=exp.Is(this=size, expression=exp.Null())),)

    def _sources(
        self, select: exp.Select, named: Mapping[str, Named], formats: Extracted
    ) -> list[tuple[Relation, str]]:
        clause = select.args.get("from_")
        if clause is None:
            message = "a stream is read from a topic: SELECT needs FROM"
            raise refusal(codes.NOT_IN_A_PROCESSOR, message, span_of(select))
        origin = clause.this
        alias = origin.alias_or_name
        if isinstance(origin, exp.Subquery):
            inner: list[Relation] = list(self.branches(origin.this, named))
            return [(relation, origin.alias or "the query") for relation in inner]
        if not isinstance(origin, exp.Table) or not isinstance(origin.this, exp.Identifier):
            raise refusal(codes.NOT_YET, "a function cannot be read as a stream", nearest_span(origin))
        name, span = origin.this.name, span_of(origin.this)
        if name in self.broken:
            return []
        if name in named:
            return [(relation, alias) for relation in self._with(named[name], named)]
        topic = self._topic(name, span, named, formats)
        return [(topic, alias)]

    def _with(self, entry: Named, named: Mapping[str, Named]) -> list[Relation]:
        # What stands before it in the text is all that it may use, itself excluded.
        before = {}
        for name, other in named.items():
            if name == entry.name:
                break
            before[name] = other
        self._open.append(entry.name)
        try:
            return list(self.branches(entry.query, before))
        finally:
            self._open.pop()

    def _topic(
        self, name: str, span: Span | None, named: Mapping[str, Named], formats: Extracted
    ) -> TopicRelation:
        if name in self._open:
            message = f"`{name}` reads itself"
            raise refusal(codes.FORWARD_REFERENCE, message, span)
        key = format_named(formats.key.name, formats.key.span) if formats.key else None
        value = format_named(formats.value.name, formats.value.span) if formats.value else None
        reads = self.topics.read(name, span, key, value)
        if reads is not None:
            return TopicRelation(reads)
        later = self.topics.later_names
        if name in later:
            message = f"`{name}` is used before it is defined"
            raise refusal(codes.FORWARD_REFERENCE, message, span, "move its WITH up")
        known = [*named, *self.topics.all_names()]
        message = f"there is no topic `{name}`"
        raise refusal(catalog_codes.UNKNOWN_TOPIC, message, span, did_you_mean(name, known))

    def _lateral(
        self, lateral: ArrayLateral, source: Relation, scope: Scope, within: Expressions
    ) -> LateralRelation:
        array = within.value(lateral.this)
        alias = lateral.args["alias"].name
        if not pa.types.is_list(array.type):
            message = f"LATERAL takes an array, and {within.describe(lateral.this, array)} is none"
            raise refusal(codes.TYPE_MISMATCH, message, nearest_span(lateral.this))
        relation = LateralRelation(source, array, alias, self.names)
        scope.relation = relation
        scope.laterals[alias] = relation.element
        return relation

    def _event_time(self, select: exp.Select, within: Expressions) -> Typed | None:
        node = select.args.get("eventtime")
        if node is None:
            return None
        found = within.value(node)
        if is_integer(found.type):
            millis = found.node
        elif pa.types.is_timestamp(found.type) or pa.types.is_date(found.type):
            millis = exp.Anonymous(this="epoch_ms", expressions=[found.node])
        else:
            message = f"EVENTTIME BY takes a point in time, and {within.describe(node, found)} is none"
            raise refusal(codes.BAD_EVENT_TIME, message, nearest_span(node))
        time = exp.cast(millis.copy(), "BIGINT", dialect="duckdb")
        # A record without a time has no place in event-time order: it goes to the error policy, like one that cannot be decoded.
        missing = exp.Or(
            this=exp.Is(this=time.copy(), expression=exp.Null()),
            expression=exp.LT(this=time.copy(), expression=exp.Literal.number(0)),
        )
        failure = exp.Anonymous(
            this="error", expressions=[exp.Literal.string("event time is null or before 1970")]
        )
        return Typed(
            exp.Case(ifs=[exp.If(this=missing, true=failure)], default=time), pa.int64(), nullable=False
        )


def _named(entry: exp.Expression, *, recursive: bool) -> Named:
    alias = entry.args["alias"]
    place = span_of(alias.this) or Span(0, 0)
    columns = tuple(alias.args.get("columns") or ())
    return Named(entry.alias, entry.this, place, place, columns, recursive)


def _refuse_shape(entry: Named) -> None:
    """Refuse what a WITH of a snapshot query may have and a stream may not."""
    if entry.recursive:
        message = "a stream has no end that a recursion could reach"
        raise refusal(codes.NOT_YET, message, entry.name_span, "leave out RECURSIVE")
    if entry.columns:
        message = "a name in WITH takes no list of columns in a stream"
        raise refusal(codes.NOT_YET, message, span_of(entry.columns[0]), "name the columns inside, by `AS`")
