"""A SELECT with GROUP BY, DISTINCT or an aggregate, into an operator and a query over what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.errors import ProgramError
from headrace.errors.codes import plan as codes
from headrace.plan.operators import Changes, Emit
from headrace.plan.topology import Facet
from headrace.planner.clock import by_clock
from headrace.planner.duckdb_types import storable
from headrace.planner.expressions import Expressions
from headrace.planner.faults import refusal
from headrace.planner.projection import projection
from headrace.planner.relations import Item, SelectRelation
from headrace.planner.rules.extract_formats import conjuncts
from headrace.planner.stateful.aggregate import AggregateDraft
from headrace.planner.stateful.calls import Calls, aggregates_in, brought
from headrace.planner.stateful.combining import merged
from headrace.planner.stateful.drafts import (
    Branch,
    FeedDraft,
    OperatorRelation,
    changes_of,
    need_old_rows,
    only_identity,
    together,
)
from headrace.planner.stateful.formats import formats_of
from headrace.planner.stateful.grouping import GroupItem, Groups, aliases_of, group_items
from headrace.planner.stateful.rank import row_number, shown
from headrace.planner.stateful.ranked_groups import RankedGroups, number_column
from headrace.planner.stateful.windows import emit_of, window_node, window_of
from headrace.sql.spans import nearest_span, set_span
from headrace.types.coercion import common_type
from headrace.types.shape import field_names
from headrace.types.sql import type_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.errors import Span
    from headrace.planner.faults import Faults
    from headrace.planner.relations import Names
    from headrace.planner.typed import Typed


@dataclass(frozen=True, slots=True)
class Rows:
    """One branch of what a SELECT groups.

    Args:
        relation: the rows that meet its conditions.
        within: compiles expressions over them.
        good: the conditions are right; else their faults are noted.
    """

    relation: SelectRelation
    within: Expressions
    good: bool


def is_grouped_by_words(select: exp.Select) -> bool:
    """Say whether the clauses of a SELECT alone tell that it gives groups rather than rows."""
    clauses = ("group", "distinct", "having")
    return any(select.args.get(key) is not None for key in clauses)


def is_grouped(select: exp.Select, within: Expressions) -> bool:
    """Say whether a SELECT gives groups rather than rows; with a window alone it gives the rows of its windows."""
    return is_grouped_by_words(select) or any(aggregates_in(item, within) for item in select.expressions)


def grouped(
    select: exp.Select, rows: Sequence[Rows], names: Names, emit: Emit, place: Span | None, faults: Faults
) -> SelectRelation | None:
    """Compile a SELECT that groups; None if something in it is wrong, which `faults` then has.

    Args:
        select: its text.
        rows: what it groups; of several branches the columns meet by position.
        names: makes the names of columns.
        emit: when results come out, unless the SELECT says it.
        place: of its EMIT.
        faults: takes what is wrong.

    Raises:
        ProgramError: what leaves nothing to go on with.
    """
    over_table = any(row.relation.has_kinds for row in rows)
    _check(select, rows[0], over_table=over_table)
    if select.args.get("distinct") is not None:
        select = _without_star(select, rows[0])
    window = window_of(select, faults, clock=all(by_clock(row.relation) for row in rows))
    items = group_items(select, rows[0].within)
    calls = Calls(rows[0].within, over_table)
    plain = [[row.within.value(item.node) for item in items] for row in rows]
    keys = _keys(plain, items)
    changes = next((changes_of(row.relation) for row in rows if row.relation.has_kinds), Changes.APPEND)
    feed = FeedDraft([Branch(row.relation, key, []) for row, key in zip(rows, keys, strict=True)], changes)
    key_format, value_format = formats_of(rows[0].relation, keys[0])
    # A row of nulls is a row; a group of nulls is none, as in Kafka Streams.
    keeps_nulls = select.args.get("distinct") is not None and window is None
    draft = AggregateDraft(
        names,
        [feed],
        key_format,
        value_format,
        calls=calls.found,
        emit=emit_of(select, window, emit, place, faults),
        window=window,
        key_names=[item.name for item in items],
        key_nullable=[
            (keeps_nulls or len(items) > 1) and any(key[index].nullable for key in keys)
            for index in range(len(items))
        ],
        keeps_nulls=keeps_nulls,
    )
    relation = OperatorRelation(draft)
    scope = Groups(rows[0].within, draft, calls, plain[0], items, relation)
    node = row_number(select)
    rank = None if node is None else RankedGroups(node, number_column(names))

    def bound(part: exp.Expression, above: Expressions) -> Typed | None:
        return rank.number if rank is not None and part == rank.node else scope.bound(part, above)

    within = Expressions(scope, rows[0].within.typer, rows[0].within.source, bound=bound)
    scope.above = within
    found = projection(select, within, faults)
    scope.aliases = aliases_of(select)
    having = _having(select, within, faults)
    if found is None or having is None or not all(row.good for row in rows):
        return None
    if rank is not None and not rank.compile(select, having, within, faults):
        return None
    _feed(draft, rows, calls, items)
    if rank is not None:
        return rank.over(select, _result(relation, (), having, names), found.items, within, names)
    return _result(relation, found.items, having, names)


def _check(select: exp.Select, row: Rows, *, over_table: bool) -> None:
    distinct = select.args.get("distinct")
    if distinct is not None:
        if distinct.args.get("on") is not None:
            message = "DISTINCT ON cannot run in a stream"
            way_out = "group by these columns, and take FIRST or LAST of the others"
            raise refusal(codes.NOT_YET, message, nearest_span(distinct), way_out)
        node = row_number(select)
        if node is not None:
            message = f"DISTINCT leaves out rows that are alike after {shown(node)} has numbered all of them"
            way_out = "rank in a WITH, and read that with DISTINCT; or the other way round"
            raise refusal(codes.NOT_YET, message, nearest_span(node), way_out)
        aggregates = any(aggregates_in(item, row.within) for item in select.expressions)
        if aggregates or select.args.get("group") is not None:
            message = "DISTINCT over groups leaves out groups with the same results"
            way_out = "group in a WITH, and read that with DISTINCT"
            raise refusal(codes.NOT_YET, message, nearest_span(distinct), way_out)
    star = next((item for item in select.expressions if item.is_star), None) if distinct is None else None
    if star is not None:
        message = "`*` names columns that are neither grouped nor inside an aggregate"
        way_out = "name the columns of GROUP BY"
        raise refusal(codes.BAD_GROUPING, message, nearest_span(star), way_out)
    window = window_node(select)
    if window is not None and over_table:
        message = "a window cuts a stream, and the SELECT reads a table"
        raise refusal(codes.NOT_OVER_A_TABLE, message, nearest_span(window), "write SELECT STREAM")
    having = select.args.get("having")
    if having is not None and not _groups(select, row):
        message = "HAVING filters groups, and there are none"
        raise refusal(codes.BAD_GROUPING, message, nearest_span(having), "write WHERE")


def _without_star(select: exp.Select, row: Rows) -> exp.Select:
    """Give SELECT DISTINCT with the columns that `*` stands for."""
    found: list[exp.Expression] = []
    for item in select.expressions:
        if not isinstance(item, exp.Star) or item.args.get("except_") or item.args.get("replace"):
            found.append(item)
            continue
        names = field_names(row.relation.source.type_of(Facet.VALUE))
        for name in names or ["_value"]:
            column = exp.column(exp.to_identifier(name, quoted=True))
            span = nearest_span(item)
            if span is not None:
                set_span(column, span)
            found.append(column)
    listed = select.copy()
    listed.set("expressions", found)
    return listed


def _groups(select: exp.Select, row: Rows) -> bool:
    if select.args.get("group") is not None or window_node(select) is not None:
        return True
    parts = [*select.expressions, select.args["having"]]
    return any(aggregates_in(part, row.within) for part in parts)


def _keys(plain: Sequence[Sequence[Typed]], items: Sequence[GroupItem]) -> list[list[Typed]]:
    """Give the grouped values of each branch as they are stored: of one type each."""
    found = [list(values) for values in plain]
    for index, item in enumerate(items):
        kind = storable(found[0][index].type)
        for key in found[1:]:
            common = common_type(kind, storable(key[index].type))
            if common is None:
                shown = type_name(kind), type_name(key[index].type)
                message = (
                    f"`{item.name}` is {shown[0]} in one part of the UNION ALL, and {shown[1]} in another"
                )
                raise refusal(codes.UNION_MISMATCH, message, nearest_span(item.node))
            kind = common
        for key in found:
            key[index] = brought(key[index], kind)
    return found


def _feed(draft: AggregateDraft, rows: Sequence[Rows], calls: Calls, items: Sequence[GroupItem]) -> None:
    """Complete the input of the operator, now that its columns are known."""
    (feed,) = draft.feeds
    over_table = any(row.relation.has_kinds for row in rows)
    words = [item.node.sql() for item in items] + [column.node.sql() for column in calls.values]
    for row, branch in zip(rows, feed.branches, strict=True):
        branch.value = [column.over(row.within) for column in calls.values]
        branch.words = words
        if row.relation.has_kinds:
            need_old_rows(row.relation)
            feed.changes = Changes.RETRACT
        elif row.relation.source.has_kinds or over_table:
            # Changes that are read as a stream, or rows that meet those of a table: each of them is a fact.
            branch.op = exp.cast(exp.Literal.number(1), "TINYINT", dialect="duckdb")
    if len(rows) > 1 or not together(rows[0].relation, feed.branches[0].key):
        whole = max(row.relation.reads.partitions for row in rows)
        feed.repartition = whole if feed.branches[0].key else 1
        feed.merged = merged(feed, draft.calls, draft.emit, draft.window)


def _having(select: exp.Select, within: Expressions, faults: Faults) -> list[exp.Expression] | None:
    having = select.args.get("having")
    found: list[exp.Expression] = []
    good = True
    for part in conjuncts(having.this if having is not None else None):
        try:
            found.append(within.condition(part, "HAVING"))
        except ProgramError as fault:
            faults.add(fault.diagnostics)
            good = False
    return found if good else None


def _result(
    relation: OperatorRelation, items: tuple[Item, ...], having: list[exp.Expression], names: Names
) -> SelectRelation:
    table = relation.has_kinds
    if table and not only_identity(relation, having):
        need_old_rows(relation)
    return SelectRelation(relation, items, tuple(having), (), names, star=False, table=table)
