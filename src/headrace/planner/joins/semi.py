"""Conditions that ask whether another source has a row: `x [NOT] IN (SELECT …)`, `[NOT] EXISTS (SELECT …)` in WHERE.

Each becomes a join with what the condition compares, every value of it once, so that a row meets at most one other; what comes
out are the rows of the left side alone, under their own key.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from headrace.errors import ProgramError
from headrace.errors.codes import plan as codes
from headrace.plan.operators import OP
from headrace.plan.topology import Facet
from headrace.planner.faults import refusal
from headrace.planner.joins.names import JoinNames, names_in
from headrace.planner.rules.extract_formats import conjuncts, names_format
from headrace.planner.stateful.drafts import OWN_META, OperatorRelation
from headrace.sql.nodes import Duration, Mode, Select
from headrace.sql.nodes import Window as WindowNode
from headrace.sql.spans import nearest_span, set_span, span_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from headrace.formats.interface import Path
    from headrace.plan.operators import JoinWindow, Window
    from headrace.planner.expressions import Expressions
    from headrace.planner.relations import Relation
    from headrace.planner.scope import Scope
    from headrace.planner.typed import Typed

_NOT_PLAIN: Final = ("joins", "laterals", "group", "having", "window", "qualify", "limit", "offset", "with_")
"""Clauses of a query that says more than which rows of one source there are."""

_AGAIN: Final = "again"
"""Name of the bound of the window that a row is grouped in."""

OTHER: Final = "the sub-query"
"""Name of the rows that are asked for, in the join."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A condition on the rows of another source.

    Args:
        node: the condition.
        query: what it asks for, without brackets.
        negated: NOT stands before it.
        values: what IN compares with the columns of the query; nothing for EXISTS.
    """

    node: exp.Expression
    query: exp.Expression
    negated: bool
    values: tuple[exp.Expression, ...] = ()

    @property
    def plain(self) -> exp.Select | None:
        """The query, if it says no more than which rows of one source there are."""
        query = self.query
        if not isinstance(query, exp.Select) or any(query.args.get(name) for name in _NOT_PLAIN):
            return None
        if self.values and any(item.is_star for item in query.expressions):
            return None
        return query


@dataclass(slots=True)
class Compared:
    """What makes a row of the other source the one that is asked for.

    Args:
        pairs: equalities, the expression over the rows outside first.
        conditions: those on rows of the other source alone.
    """

    pairs: list[tuple[exp.Expression, exp.Expression]] = field(default_factory=list)
    conditions: list[exp.Expression] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """What the columns of the other source are called in the join."""
        return [f"k{index}" for index in range(len(self.pairs))]


@dataclass(frozen=True, slots=True)
class Found:
    """What a condition is joined with.

    Args:
        rows: the columns that are compared, each value once.
        compared: the equalities.
        window: where rows meet in equal windows.
    """

    rows: Relation
    compared: Compared
    window: JoinWindow | None = None


def asked_in(where: exp.Expression | None) -> tuple[list[Asked], exp.Expression | None]:
    """Take the conditions on other sources out of WHERE; give what is left of it too.

    Raises:
        ProgramError: one that cannot be asked in a stream.
    """
    found: list[Asked] = []
    rest: exp.Expression | None = None
    for part in conjuncts(where):
        asked = _asked(part)
        if asked is not None:
            found.append(asked)
        else:
            rest = part if rest is None else exp.And(this=rest, expression=part)
    return found, rest


def _asked(part: exp.Expression) -> Asked | None:
    """Give a condition as one on another source; None if it is none."""
    node: exp.Expr = part
    negated = False
    while isinstance(node, exp.Paren | exp.Not):
        negated ^= isinstance(node, exp.Not)
        node = node.this
    query = node.this if isinstance(node, exp.Exists) else node.args.get("query")
    if not isinstance(node, exp.Exists | exp.In) or query is None:
        return None
    if isinstance(node, exp.Exists):
        return Asked(part, query.unnest(), negated)
    values = node.this.expressions if isinstance(node.this, exp.Tuple) else [node.this]
    return Asked(part, query.unnest(), negated, tuple(values))


def need_plain(asked: Asked, plain: exp.Select | None) -> None:
    """Refuse EXISTS of a query that says more than which rows of one source there are.

    Raises:
        ProgramError: it is one.
    """
    if plain is None and not asked.values:
        message = "in a stream EXISTS asks for the rows of one source, which WHERE chooses"
        way_out = "write the query in a WITH, and `EXISTS (SELECT * FROM its_name WHERE …)`"
        raise refusal(codes.NOT_YET, message, nearest_span(asked.query), way_out)


def need_columns(asked: Asked, given: int) -> None:
    """Refuse IN with another number of columns than of values.

    Raises:
        ProgramError: the numbers differ.
    """
    wanted = len(asked.values)
    if given != wanted:
        many = "" if given == 1 else "s"
        are = "is" if wanted == 1 else "are"
        message = f"the query of IN gives {given} column{many}, and {wanted} {are} compared"
        raise refusal(codes.JOIN_CONDITION, message, nearest_span(asked.query))


def compared(asked: Asked, other: Scope, outside: Scope | JoinNames) -> Compared:
    """Sort what a plain query says: equalities with the rows outside, and conditions on its own rows.

    Raises:
        ProgramError: a name means nothing, or rows of both sides are compared by something other than an equality.
    """
    found = Compared()
    query = asked.plain
    assert query is not None
    if asked.values:
        columns = [item.this if isinstance(item, exp.Alias) else item for item in query.expressions]
        need_columns(asked, len(columns))
        found.pairs += zip(asked.values, columns, strict=True)
        for item in columns:
            if _is_outside(item, other, outside) is not False:
                message = f"the query of IN gives a value that is no column of `{other.alias}`"
                raise refusal(codes.JOIN_CONDITION, message, nearest_span(item), "write EXISTS")
    else:
        for item in query.expressions:
            _is_outside(item, other, outside)
    where = query.args.get("where")
    for part in conjuncts(where.this if where is not None else None):
        if names_format(part) or part.find(exp.Query) or not _is_outside(part, other, outside):
            found.conditions.append(part)
            continue
        ends = (
            [_is_outside(end, other, outside) for end in (part.this, part.expression)]
            if isinstance(part, exp.EQ)
            else []
        )
        if ends == [True, False]:
            found.pairs.append((part.this, part.expression))
        elif ends == [False, True]:
            found.pairs.append((part.expression, part.this))
        else:
            message = f"a row of `{outside.alias}` asks for rows of `{other.alias}` by something other than an equality"
            way_out = (
                f"write `{other.alias}.y = {outside.alias}.x`, joined by AND to conditions on `{other.alias}` alone; "
                "what depends on both rows otherwise can be said in a JOIN"
            )
            raise refusal(codes.JOIN_CONDITION, message, nearest_span(part), way_out)
    if not found.pairs:
        message = f"nothing makes a row of `{other.alias}` belong to one of `{outside.alias}`"
        way_out = f"write an equality between both: `WHERE {other.alias}.y = {outside.alias}.x`"
        raise refusal(codes.JOIN_CONDITION, message, nearest_span(asked.node), way_out)
    return found


def need_no_nulls(
    asked: Asked, found: Compared, where: exp.Expression | None, outside: Expressions, other: Expressions
) -> None:
    """Refuse NOT IN of values that may be null: without nulls it is NOT EXISTS.

    A null among the values of the query lets no row through, and a null before NOT IN passes only where the query gives nothing:
    whether it does so may change with each of its rows, for all rows at once.

    Args:
        asked: the condition.
        found: what is compared.
        where: the other conditions on the rows outside.
        outside: compiles over these.
        other: compiles over the rows of the query.

    Raises:
        ProgramError: values may be null, and no condition says that they are not.
    """
    if not asked.negated or not asked.values:
        return
    for mine, theirs in found.pairs[: len(asked.values)]:
        if other.value(theirs).nullable and not _is_not_null(theirs, found.conditions):
            shown = theirs.name or other.words(theirs)
            message = f"`{shown}` may be null, and a single null among its values lets no row through NOT IN"
            way_out = (
                f"leave nulls out in the query, `WHERE {shown} IS NOT NULL`; or write NOT EXISTS, "
                "which nulls do not change"
            )
            raise refusal(codes.NULLS_OF_NOT_IN, message, nearest_span(asked.query), way_out)
        if outside.value(mine).nullable and not _is_not_null(mine, conjuncts(where)):
            shown = outside.words(mine)
            message = f"`{shown}` may be null, and a null passes NOT IN only where the query gives no row"
            way_out = (
                f"add `{shown} IS NOT NULL AND` before it; or write NOT EXISTS, which lets nulls through"
            )
            raise refusal(codes.NULLS_OF_NOT_IN, message, nearest_span(asked.node), way_out)


def _is_not_null(node: exp.Expression, conditions: Sequence[exp.Expression]) -> bool:
    """Say whether one of the conditions is that a value is not null."""
    for condition in conditions:
        found: exp.Expr = condition
        while isinstance(found, exp.Paren):
            found = found.this
        test = found.this if isinstance(found, exp.Not) else None
        while isinstance(test, exp.Paren):
            test = test.this
        if isinstance(test, exp.Is) and isinstance(test.expression, exp.Null) and test.this == node:
            return True
    return False


def query_for(source: exp.Expression, found: Compared, mode: Mode, *, once: bool) -> exp.Select:
    """Give the query of what is compared.

    Args:
        source: what it reads.
        found: what is compared, and which rows count.
        mode: whether the rows are a table.
        once: each value comes once, however many rows have it.
    """
    columns = [theirs for _, theirs in found.pairs]
    items = [
        exp.Alias(this=node.copy(), alias=exp.to_identifier(name))
        for node, name in zip(columns, found.names, strict=True)
    ]
    made = Select(expressions=items, from_=exp.From(this=source.copy()), mode=mode)
    if found.conditions:
        first, *others = (node.copy() for node in found.conditions)
        made.set("where", exp.Where(this=reduce(_and, others, first)))
    if once:
        made.set("group", exp.Group(expressions=[node.copy() for node in columns]))
    place = span_of(source)
    if place is not None:
        set_span(made, place)
    return made


def _and(left: exp.Expression, right: exp.Expression) -> exp.Expression:
    return exp.And(this=left, expression=right)


def first_in_windows(
    source: exp.Expression, found: Compared, bounds: Sequence[str | None], window: Window
) -> exp.Select:
    """Give the query of what is compared in windows, each value when its first row comes.

    Args:
        source: what it reads: rows with windows.
        found: what is compared, and which rows count.
        bounds: for each part whether it is `start` or `end` of the window, None for others.
        window: of the rows. They are cut by it again, so that what is kept of them goes with their windows; the key of the
            groups is that of the join, which they reach without a topic in between.
    """
    own = "end" if "end" in bounds else "start"
    columns = [exp.column(name, quoted=True) for name in found.names]
    index = bounds.index(own)
    again = exp.Alias(this=exp.column(own, table="_window"), alias=exp.to_identifier(_AGAIN))
    parts = {"size": window.size, "advance": window.advance, "offset": window.offset or None}
    lengths = {name: _length(millis) for name, millis in parts.items() if millis is not None}
    grouped = Select(
        expressions=[*(node.copy() for node in columns), again],
        from_=_from(query_for(source, found, Mode.STREAM, once=False)),
        mode=Mode.STREAM,
        group=exp.Group(expressions=[node.copy() for node in columns]),
        window=WindowNode(kind=window.kind.upper(), **lengths),
        grace=_length(0),
    )
    same = exp.EQ(this=columns[index].copy(), expression=exp.column(_AGAIN))
    return Select(expressions=columns, from_=_from(grouped), mode=Mode.STREAM, where=exp.Where(this=same))


def _from(query: exp.Select) -> exp.From:
    return exp.From(this=exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier(OTHER))))


def _length(millis: int) -> Duration:
    return Duration(this=millis, unit="ms")


def table_of(query: exp.Expression) -> exp.Subquery:
    """Give a query as a source whose topics are read as tables, unless it says something else."""
    found = query.copy()
    if isinstance(found, exp.Select) and not found.args.get("mode") and not found.args.get("window"):
        found.set("mode", Mode.TABLE)
    return exp.Subquery(this=found)


def _is_outside(node: exp.Expression, other: Scope, outside: Scope | JoinNames) -> bool | None:
    """Say whether an expression names rows outside; None if it names none at all.

    Raises:
        ProgramError: a name means nothing.
    """
    found = None
    for parts in names_in(node):
        found = not _is_of(parts, other, outside) or bool(found)
    return found


def _is_of(parts: Sequence[exp.Identifier], other: Scope, outside: Scope | JoinNames) -> bool:
    """Say whether a name belongs to the other source, which comes before what stands outside."""
    called = [scope.alias for scope in outside.scopes] if isinstance(outside, JoinNames) else [outside.alias]
    if len(parts) > 1 and parts[0].name != other.alias and parts[0].name in called:
        outside.resolve(parts)
        return False
    try:
        other.resolve(parts)
    except ProgramError:
        if len(parts) > 1 and parts[0].name == other.alias:
            raise
        try:
            outside.resolve(parts)
        except ProgramError:
            pass
        else:
            return False
        raise
    return True


@dataclass(slots=True)
class KeptRows(OperatorRelation):
    """The rows of a join that has let through those of its left side, as they are on this side.

    Args:
        scope: the left side over the rows of the join.
    """

    scope: Scope = field(kw_only=True)

    def type_of(self, facet: Facet) -> pa.DataType:
        """Give the type of the key or the value."""
        return self.reads.key_type if facet is Facet.KEY else self.scope.relation.type_of(facet)

    def pull(self, facet: Facet, path: Path) -> Typed:
        """Give a column of the rows. Raises NoSuchField."""
        own = path == (OP,) or (self.has_kinds and path == OWN_META)
        if facet is Facet.KEY or (facet is Facet.META and own):
            return OperatorRelation.pull(self, facet, path)
        return self.scope.relation.pull(facet, path)
