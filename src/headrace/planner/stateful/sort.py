"""ORDER BY in a stream: an operator holds rows until their event time has passed, and gives them in its order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pyarrow as pa
from sqlglot import exp

from headrace.errors.codes import plan as codes
from headrace.plan.operators import TIME, Changes, Feed, Kernel, Order, Sort
from headrace.plan.topology import Facet
from headrace.planner.duckdb_types import storable
from headrace.planner.faults import refusal
from headrace.planner.joins.intervals import is_event_time
from headrace.planner.joins.names import JoinNames
from headrace.planner.stateful.calls import brought
from headrace.planner.stateful.carrying import CarryingDraft, CarryingRelation, alike
from headrace.planner.stateful.drafts import OWN_META, Branch, FeedDraft, together
from headrace.planner.stateful.frames import aggregates_over
from headrace.planner.stateful.grouped import is_grouped
from headrace.planner.stateful.grouping import aliases_of
from headrace.planner.stateful.rank import row_number
from headrace.planner.stateful.windows import length_of
from headrace.planner.typed import Typed
from headrace.sql.paths import column_path
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.formats.interface import Path
    from headrace.planner.expressions import Expressions
    from headrace.planner.relations import Names
    from headrace.planner.stateful.grouped import Rows

_NOWHERE: Final = ("",)
"""What decides in which partition a row is, where it is none of its columns."""

_OTHER_ORDERS: Final = (
    "`QUALIFY ROW_NUMBER() OVER (ORDER BY …) <= 10` keeps the first rows of an order; "
    "`headrace query` sorts what is there now"
)


@dataclass(slots=True, eq=False)
class SortDraft(CarryingDraft):
    """Rows in the order of their event time.

    Args:
        order: of rows of equal times, over the kept columns.
        grace: how long after its time a row may come, milliseconds.
    """

    order: list[Order] = field(default_factory=list)
    grace: int = 0

    @property
    def kind(self) -> str:
        """It is a sort."""
        return "sort"

    @property
    def changes(self) -> Changes:
        """Rows stay facts."""
        return Changes.APPEND

    @property
    def identity(self) -> frozenset[str]:
        """Nothing: they are facts."""
        return frozenset()

    @property
    def placed_by(self) -> tuple[str, ...]:
        """The key of the records, where it is what they are spread by."""
        branch = self.feeds[0].branches[0]
        if branch.key:
            return ("k0",)
        known = self.asked.get((Facet.KEY, ()))
        if known is None or not together(branch.rows, [branch.rows.source.pull(Facet.KEY, ())]):
            return _NOWHERE
        return (self.own_column(known.node.name) or "",)

    @property
    def key_type(self) -> pa.DataType:
        """That of the records' keys."""
        return self.key(()).type

    def key(self, path: Path) -> Typed:
        """Give the key of the record, or a part of it."""
        return self.keep(Facet.KEY, path)

    def kernel(self, feeds: tuple[Feed, ...]) -> Kernel:
        """Give the operator."""
        return Sort(feeds[0], self.grace, tuple(self.order))


class SortedRows(CarryingRelation):
    """The rows of a sort: each comes out at its own time."""

    def pull(self, facet: Facet, path: Path) -> Typed:
        """Give a column of the rows."""
        if facet is Facet.META and path == OWN_META:
            return Typed(self.reads.column(TIME, pa.int64()), pa.int64(), nullable=False)
        return super().pull(facet, path)


def refuse_beside_order(select: exp.Select, within: Expressions) -> None:
    """Refuse what cannot stand in one SELECT of a stream with ORDER BY.

    Raises:
        ProgramError: it is there.
    """
    order = select.args["order"]
    if row_number(select) is not None or is_grouped(select, within):
        message = "ORDER BY sorts the rows of a stream, and the SELECT gives a table"
        way_out = f"{_OTHER_ORDERS}; what EMIT FINAL gives in a WITH are rows, which SELECT STREAM can sort"
        raise refusal(codes.BAD_ORDER, message, nearest_span(order), way_out)
    for clause, stands in (
        ("the join", isinstance(within.scope, JoinNames)),
        ("LATERAL", bool(select.args.get("laterals"))),
        ("WINDOW BY", select.args.get("window") is not None),
        ("an aggregate OVER rows", bool(aggregates_over(select))),
    ):
        if stands:
            message = f"{clause} and ORDER BY cannot stand in one SELECT of a stream"
            raise refusal(codes.BAD_ORDER, message, nearest_span(order), f"write {clause} in a WITH")


def in_order(select: exp.Select, rows: Sequence[Rows], names: Names) -> SortedRows:
    """Give the rows of all branches in the order that a SELECT asks for.

    Args:
        select: its text.
        rows: what it reads, each branch with its conditions and its event time.
        names: makes the names of columns.

    Raises:
        ProgramError: they are ordered by something else than their time first, nothing says how late they may be, or their
            columns have no order.
    """
    terms = list(select.args["order"].expressions)
    named = aliases_of(select)
    by = [[row.within.value(_meant(term.this, named)) for term in terms] for row in rows]
    for row, values in zip(rows, by, strict=True):
        _need_time(terms[0], row, values[0])
    grace = _grace(select)
    for index, term in enumerate(terms):
        if pa.types.is_nested(by[0][index].type):
            message = f"{rows[0].within.describe(term.this, by[0][index])} has no order"
            raise refusal(codes.TYPE_MISMATCH, message, nearest_span(term), "name one of its fields")
    kept = [
        alike([brought(values[index], storable(values[index].type)) for values in by], term.this.sql())
        for index, term in enumerate(terms)
    ][1:]
    order = [
        Order(index, bool(term.args.get("desc")), bool(term.args.get("nulls_first")))
        for index, term in enumerate(terms[1:])
    ]
    words = [term.this.sql() for term in terms[1:]]
    feed = FeedDraft([Branch(row.relation, [], [], _fact(row), list(words)) for row in rows])
    if len(rows) > 1:
        # The branches meet where records of their key are.
        keys = alike(
            [row.relation.source.pull(Facet.KEY, ()) for row in rows], "_key", nearest_span(terms[0])
        )
        for branch, key in zip(feed.branches, keys, strict=True):
            branch.key = [brought(key, storable(key.type))]
            branch.words.insert(0, "_key")
        feed.repartition = max(row.relation.reads.partitions for row in rows)
    reads = rows[0].relation.reads
    draft = SortDraft(
        names, [feed], reads.key_format, reads.value_format, kept=kept, order=order, grace=grace
    )
    return SortedRows(draft)


def _meant(node: exp.Expression, named: dict[str, exp.Expression]) -> exp.Expression:
    """Give what a term stands for: a column of the SELECT's list goes by its name there."""
    path = column_path(node)
    return named.get(path[0].name, node) if path is not None and len(path) == 1 else node


def _need_time(term: exp.Expression, row: Rows, value: Typed) -> None:
    shown = row.within.words(term.this)
    if not is_event_time(row.relation, value.node):
        message = f"rows that have no end are ordered by their event time first, and `{shown}` is not that"
        time = row.relation.time
        way_out = f"write `ORDER BY _meta.timestamp, {shown}`"
        if time is not None:
            way_out = "begin with what EVENTTIME BY takes"
        raise refusal(codes.BAD_ORDER, message, nearest_span(term), f"{way_out}; {_OTHER_ORDERS}")
    if term.args.get("desc"):
        message = "event time only goes forward, so rows cannot come out by falling time"
        raise refusal(codes.BAD_ORDER, message, nearest_span(term), f"leave out DESC; {_OTHER_ORDERS}")


def _grace(select: exp.Select) -> int:
    node = select.args.get("grace")
    if node is None:
        message = "ORDER BY holds rows for those that come late, and nothing says how late these may be"
        way_out = "add `GRACE BY 10s` behind it; later rows are counted, and left out"
        raise refusal(codes.BAD_ORDER, message, nearest_span(select.args["order"]), way_out)
    return length_of(node, zero=True)


def _fact(row: Rows) -> exp.Expression | None:
    """Changes of a table that are read as a stream are facts."""
    if not row.relation.source.has_kinds:
        return None
    return exp.cast(exp.Literal.number(1), "TINYINT", dialect="duckdb")
