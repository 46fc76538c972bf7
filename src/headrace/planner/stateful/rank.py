"""ROW_NUMBER, RANK or DENSE_RANK OVER (PARTITION BY … ORDER BY …) up to a bound: an operator keeps the first of each part."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pyarrow as pa
from sqlglot import exp

from headrace.errors import ProgramError
from headrace.errors.codes import plan as codes
from headrace.formats.interface import Format
from headrace.plan.operators import Changes, Feed, Kernel, Order, Rank, RankFunction
from headrace.planner.duckdb_types import storable
from headrace.planner.faults import refusal
from headrace.planner.laterals import LateralRelation
from headrace.planner.relations import NoSuchField, SelectRelation, pack
from headrace.planner.stateful.calls import brought
from headrace.planner.stateful.carrying import CarryingDraft, CarryingRelation, alike
from headrace.planner.stateful.drafts import Branch, FeedDraft, need_old_rows, together
from headrace.planner.stateful.formats import formats_of
from headrace.planner.stateful.grouping import aliases_of, column_name
from headrace.planner.typed import Typed
from headrace.sql.paths import column_path
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.formats.interface import Path
    from headrace.planner.expressions import Expressions
    from headrace.planner.relations import Names, Relation

_PLACE: Final = "n0"
"""The place of a row in its part, from 1: the number that ROW_NUMBER gives."""
_NUMBER: Final = "n1"
"""The number that another function gives: rows that are equal in the order share it."""
_OTHERS: Final = ("percent_rank", "cume_dist", "ntile")
FUNCTIONS: Final = "ROW_NUMBER(), RANK() or DENSE_RANK()"


@dataclass(slots=True, eq=False)
class RankDraft(CarryingDraft):
    """The first rows of each part.

    Args:
        order: what they are ordered by, of the kept columns.
        function: what numbers them.
        number_name: what the number is called.
        key_names: what the parts of the key are called: what rows are partitioned by, and last the place of the row.
        limit: how many rows a reader asks for at most; None as long as none has said it.
        bounded: the relations over this one that ask for no more than the limit.
        part_format: how the key of a part alone is written.
    """

    order: list[Order] = field(default_factory=list)
    function: RankFunction = RankFunction.ROW_NUMBER
    number_name: str = ""
    key_names: list[str] = field(default_factory=list)
    limit: int | None = None
    bounded: list[Relation] = field(default_factory=list)
    part_format: Format = Format.JSON

    @property
    def kind(self) -> str:
        """It is a rank."""
        return "rank"

    @property
    def changes(self) -> Changes:
        """Rows move up and down."""
        return Changes.RETRACT if self.retracts else Changes.UPSERT

    @property
    def identity(self) -> frozenset[str]:
        """The part and the place in it."""
        return frozenset((*self.placed_by, _PLACE))

    @property
    def placed_by(self) -> tuple[str, ...]:
        """The part."""
        return tuple(f"k{index}" for index in range(len(self.feeds[0].branches[0].key)))

    @property
    def key_type(self) -> pa.DataType:
        """The part, and the place where there is more than one."""
        return self.key(()).type

    def label(self, name: str) -> str:
        """Give what the program calls a column."""
        if name == _NUMBER:
            return self.number_name
        if name[0] in "kn":
            return self.key_names[int(name[1:]) if name[0] == "k" else -1]
        return CarryingDraft.label(self, name)

    def kernel(self, feeds: tuple[Feed, ...]) -> Kernel:
        """Give the operator."""
        assert self.limit is not None
        return Rank(feeds[0], tuple(self.order), self.limit, self.retracts, self.function)

    def key(self, path: Path) -> Typed:
        """Give the key of a row."""
        parts = self.parts()
        names = self.key_names[: len(parts)]
        if not self.has_single_rows:
            parts.append(Typed(self.column(_PLACE, pa.int64()), pa.int64(), nullable=False))
            names.append(self.key_names[-1])
        if len(parts) > 1:
            whole = pack(names, parts)
            return whole if not path else _field(whole, parts, names, path)
        return parts[0] if not path else _field(parts[0], [], [], path)

    def parts(self) -> list[Typed]:
        """Give what rows are partitioned by."""
        key = self.feeds[0].branches[0].key
        return [
            Typed(self.column(name, part.type), part.type, part.nullable)
            for name, part in zip(self.placed_by, key, strict=True)
        ]

    @property
    def has_single_rows(self) -> bool:
        """Whether a part has one row at most, so that it is the key."""
        return self.limit == 1 and bool(self.placed_by) and self.function is RankFunction.ROW_NUMBER

    @property
    def number_column(self) -> str:
        """Name, among `columns`, of the number that the function gives."""
        return _PLACE if self.function is RankFunction.ROW_NUMBER else _NUMBER

    def number(self) -> Typed:
        """Give the number of a row in its part, from 1."""
        return Typed(self.column(self.number_column, pa.int64()), pa.int64(), nullable=False)

    def bound(self, relation: Relation, limit: int) -> None:
        """Note that a relation over this one asks for no more rows than these."""
        self.limit = max(limit, self.limit or 0)
        self.bounded.append(relation)
        if self.has_single_rows:
            self.key_format = self.part_format
        else:
            self.key_format = self.value_format if self.placed_by else Format.LONG


def row_number(select: exp.Select) -> exp.Window | None:
    """Give the ROW_NUMBER(), RANK() or DENSE_RANK() OVER (…) of a SELECT, in its columns or in QUALIFY.

    Raises:
        ProgramError: there are two different ones, or another function that ranks.
    """
    parts = [*select.expressions, select.args.get("qualify")]
    found: list[exp.Window] = []
    for part in parts:
        for node in part.find_all(exp.Window) if part is not None else ():
            name = _name(node)
            if name in _OTHERS:
                message = f"`{name.upper()}` cannot run in a stream"
                raise refusal(codes.NOT_YET, message, nearest_span(node), f"write {FUNCTIONS}")
            if name in list(RankFunction):
                found.append(node)
    for node in found[1:]:
        if node != found[0]:
            message = "a SELECT ranks its rows in one way, and this one in two"
            raise refusal(codes.NOT_YET, message, nearest_span(node), "rank in a WITH first")
    return found[0] if found else None


def with_meaning_of_aliases(select: exp.Select, within: Expressions) -> exp.Select:
    """Give a SELECT whose ranks and QUALIFY have expressions in place of the names that its columns have in the list.

    Args:
        select: its text.
        within: compiles expressions over its rows; their own columns come first.
    """
    found = select.copy()
    aliases = aliases_of(found)
    qualify = found.args.get("qualify")
    parts = [window for item in found.expressions for window in item.find_all(exp.Window)]
    for node in [
        column for part in (*parts, qualify) if part is not None for column in part.find_all(exp.Column)
    ]:
        path = column_path(node)
        meant = aliases.get(path[0].name) if path is not None and len(path) == 1 else None
        if path is None or meant is None:
            continue
        if node.find_ancestor(exp.Window) is not None and meant.find(exp.Window) is not None:
            continue
        try:
            within.scope.resolve(path)
        except ProgramError:
            node.replace(meant.copy())
    return found


def is_ranking(node: exp.Window) -> bool:
    """Say whether a function over rows ranks them."""
    return _name(node) in (*RankFunction, *_OTHERS)


def _name(node: exp.Window) -> str:
    return str(node.this.this).lower() if isinstance(node.this, exp.Anonymous) else ""


def shown(node: exp.Window) -> str:
    """Give the function of a rank as messages show it."""
    return f"{_name(node).upper()}()"


@dataclass(frozen=True, slots=True)
class Ranking:
    """One branch of what a SELECT ranks.

    Args:
        rows: they have no columns of their own, only conditions.
        key: what they are partitioned by.
        order: what they are ordered by.
    """

    rows: SelectRelation
    key: list[Typed]
    order: list[Typed]


def ranked_by(node: exp.Window, within: Expressions) -> tuple[list[Typed], list[Typed]]:
    """Compile what rows are partitioned by, and what they are ordered by.

    Args:
        node: the call.
        within: compiles expressions over the rows.

    Raises:
        ProgramError: it has no order, or one that cannot be kept up.
    """
    ordered = node.args.get("order")
    if node.args.get("spec") is not None or node.args.get("alias") is not None:
        message = f"{shown(node)} in a stream takes PARTITION BY and ORDER BY alone"
        raise refusal(codes.NOT_YET, message, nearest_span(node))
    if ordered is None:
        message = f"{shown(node)} counts rows in an order, and there is none"
        raise refusal(
            codes.BAD_RANK, message, nearest_span(node), "add ORDER BY, for example `_meta.timestamp`"
        )
    key = [brought_value(part, within) for part in node.args.get("partition_by") or ()]
    order: list[Typed] = []
    for item in ordered.expressions:
        value = brought_value(item.this, within)
        if pa.types.is_nested(value.type):
            message = f"{within.describe(item.this, value)} has no order"
            raise refusal(codes.TYPE_MISMATCH, message, nearest_span(item), "name one of its fields")
        order.append(value)
    return key, order


def ranked(
    rankings: Sequence[Ranking], node: exp.Window, within: Expressions, name: str | None, names: Names
) -> CarryingRelation:
    """Give the rows of all branches with their numbers.

    Args:
        rankings: the branches; all of them are ranked as one.
        node: the call.
        within: knows the words of expressions.
        name: what the number is called; None: after the function.
        names: makes the names of columns.

    Raises:
        ProgramError: the branches have columns of types that do not go together.
    """
    partition, ordered = list(node.args.get("partition_by") or ()), node.args["order"].expressions
    keys = _columns([item.key for item in rankings], partition, within)
    kept = _columns([item.order for item in rankings], [item.this for item in ordered], within)
    order = [
        Order(index, bool(item.args.get("desc")), bool(item.args.get("nulls_first")))
        for index, item in enumerate(ordered)
    ]
    words = [part.sql() for part in (*partition, *ordered)]
    over_table = any(item.rows.has_kinds for item in rankings)
    feed = FeedDraft([], Changes.RETRACT if over_table else Changes.APPEND)
    for index, item in enumerate(rankings):
        need_old_rows(item.rows)
        # Rows that meet those of a table: each of them is a fact.
        fact = over_table and not item.rows.has_kinds
        op = exp.cast(exp.Literal.number(1), "TINYINT", dialect="duckdb") if fact else None
        feed.branches.append(Branch(item.rows, [column[index] for column in keys], [], op, list(words)))
    first = feed.branches[0]
    if len(rankings) > 1 or not together(first.rows, first.key):
        feed.repartition = max(item.rows.reads.partitions for item in rankings) if keys else 1
    key_format, value_format = formats_of(first.rows, first.key)
    key_names = [column_name(part, within) for part in partition]
    function = RankFunction(_name(node))
    number = name or function.value
    draft = RankDraft(
        names,
        [feed],
        key_format,
        value_format,
        kept=kept,
        order=order,
        function=function,
        number_name=number,
        key_names=[*key_names, number if function is RankFunction.ROW_NUMBER else "row_number"],
        part_format=key_format,
    )
    draft.parts()
    draft.column(_PLACE, pa.int64())
    draft.number()
    return CarryingRelation(draft)


def bound_of(node: exp.Expression) -> tuple[exp.Expression, int] | None:
    """Give what a condition bounds from above by a number, and the number: `rn <= 3`, `rn < 4`, `rn = 1`."""
    if isinstance(node, exp.Paren):
        return bound_of(node.this)
    if isinstance(node, exp.Between):
        low, high = node.args["low"], node.args["high"]
        return (node.this, int(high.to_py())) if low.is_int and high.is_int else None
    sides = (node.args.get("this"), node.args.get("expression"))
    if isinstance(node, exp.GT | exp.GTE):
        node = (exp.LT if isinstance(node, exp.GT) else exp.LTE)(this=sides[1], expression=sides[0])
        sides = sides[::-1]
    if not isinstance(node, exp.LT | exp.LTE | exp.EQ):
        return None
    left, right = sides
    if isinstance(node, exp.EQ) and left is not None and left.is_int:
        left, right = right, left
    if left is None or right is None or not right.is_int:
        return None
    return left, int(right.to_py()) - (1 if isinstance(node, exp.LT) else 0)


def number_of(relation: Relation, node: exp.Expression) -> RankDraft | None:
    """Give the rank whose number an expression over rows is; None if it is none."""
    reads = relation.reads
    if not isinstance(reads, RankDraft) or not isinstance(node, exp.Column):
        return None
    origin = relation.origin(node.name)
    return reads if origin is not None and reads.own_column(origin) == reads.number_column else None


def is_bounded(relation: Relation) -> bool:
    """Say whether a relation over a rank asks for the first rows alone; rows of anything else need no bound."""
    reads = relation.reads
    if not isinstance(reads, RankDraft):
        return True
    while isinstance(relation, SelectRelation | LateralRelation):
        if any(known is relation for known in reads.bounded):
            return True
        relation = relation.source
    return False


def bounded_as(relation: Relation, known: Relation) -> None:
    """Note that a relation asks for the same rows as another one."""
    reads = relation.reads
    if isinstance(reads, RankDraft) and is_bounded(known):
        reads.bounded.append(relation)


def _columns(
    found: Sequence[Sequence[Typed]], nodes: Sequence[exp.Expression], within: Expressions
) -> list[list[Typed]]:
    """Give columns, each over the rows of all branches."""
    columns = zip(zip(*found, strict=True), nodes, strict=True)
    return [alike(parts, within.words(node), nearest_span(node)) for parts, node in columns]


def brought_value(node: exp.Expression, within: Expressions) -> Typed:
    """Compile what rows are partitioned or ordered by, as it is stored."""
    found = within.value(node)
    return brought(found, storable(found.type))


def _field(whole: Typed, parts: list[Typed], names: list[str], path: Path) -> Typed:
    if path[0] not in names:
        raise NoSuchField(0, names, whole.type)
    found = parts[names.index(path[0])]
    for name in path[1:]:
        found = found.field(name)
    return found
