"""A rank in a SELECT with GROUP BY: the groups are ranked as if they stood in a WITH, and the SELECT around it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pyarrow as pa
from sqlglot import exp

from headrace.errors import ProgramError
from headrace.errors.codes import plan as codes
from headrace.plan.topology import Facet
from headrace.planner.faults import refusal
from headrace.planner.relations import Item, SelectRelation, columns_in
from headrace.planner.rules.extract_formats import conjuncts
from headrace.planner.stateful.drafts import OperatorDraft, need_old_rows, only_identity
from headrace.planner.stateful.rank import RankDraft, Ranking, bound_of, ranked, ranked_by
from headrace.planner.typed import Typed
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from headrace.planner.expressions import Expressions
    from headrace.planner.faults import Faults
    from headrace.planner.relations import Names

_ITSELF: Final = ("a rank orders groups by their own numbers", "order them by an aggregate")
_TOO_EARLY: Final = ("HAVING chooses groups before they are numbered", "write QUALIFY")


@dataclass(slots=True)
class RankedGroups:
    """What a SELECT says of the numbers of its groups.

    Args:
        node: the call of ROW_NUMBER, RANK or DENSE_RANK.
        number: stands for the number of a group until the groups are ranked.
        conditions: QUALIFY.
        limits: how many groups it keeps.
        key, order: what groups are partitioned and ordered by, over the rows of the aggregate.
    """

    node: exp.Window
    number: Typed
    conditions: list[exp.Expression] = field(default_factory=list)
    limits: list[int] = field(default_factory=list)
    key: list[Typed] = field(default_factory=list)
    order: list[Typed] = field(default_factory=list)

    def compile(
        self, select: exp.Select, having: Sequence[exp.Expression], within: Expressions, faults: Faults
    ) -> bool:
        """Compile QUALIFY and what groups are ranked by; give whether all of it is right.

        Args:
            select: its text.
            having: its HAVING, compiled.
            within: compiles expressions over the groups, and knows the number.
            faults: takes what is wrong.
        """
        good = True
        qualify = select.args.get("qualify")
        for part in conjuncts(qualify.this if qualify is not None else None):
            try:
                self.conditions.append(within.condition(part, "QUALIFY"))
                found = bound_of(part)
                if found is not None and within.value(found[0]).node == self.number.node:
                    self.limits.append(found[1])
            except ProgramError as fault:
                faults.add(fault.diagnostics)
                good = False
        try:
            self.key, self.order = ranked_by(self.node, within)
            _refuse_number(self.number, [part.node for part in (*self.key, *self.order)], self.node, _ITSELF)
            _refuse_number(self.number, having, select.args.get("having"), _TOO_EARLY)
        except ProgramError as fault:
            faults.add(fault.diagnostics)
            good = False
        return good

    def over(
        self,
        select: exp.Select,
        groups: SelectRelation,
        items: Sequence[Item],
        within: Expressions,
        names: Names,
    ) -> SelectRelation:
        """Rank the groups.

        Args:
            select: its text.
            groups: the rows of the aggregate that meet HAVING, without columns.
            items: the columns of the SELECT, over the rows of the aggregate.
            within: compiles expressions over these.
            names: makes the names of columns.
        """
        draft = groups.reads
        assert isinstance(draft, OperatorDraft)
        key, order = self.key, self.order
        nodes = [
            *(part.node for part in (*key, *order)),
            *(item.value.node for item in items),
            *self.conditions,
        ]
        used = _columns_of(draft, columns_in(nodes) - {self.number.node.name})
        below = SelectRelation(
            groups.source,
            tuple(Item(Facet.VALUE, (label,), column, None) for label, column in used.items()),
            groups.where,
            (),
            names,
            star=False,
            table=groups.table,
        )
        rows = SelectRelation(below, (), (), (), names, star=False, table=groups.table)
        lower = {column.node.name: below.pull(Facet.VALUE, (label,)).node for label, column in used.items()}
        by = Ranking(rows, [_put(part, lower) for part in key], [_put(part, lower) for part in order])
        called = (
            item.alias
            for item in select.expressions
            if isinstance(item, exp.Alias) and item.this == self.node
        )
        relation = ranked([by], self.node, within, next(called, None), names)
        rank = relation.reads
        assert isinstance(rank, RankDraft)
        upper = {
            column.node.name: relation.pull(Facet.VALUE, (label,)).node for label, column in used.items()
        }
        upper[self.number.node.name] = rank.number().node
        conditions = tuple(_replaced(node, upper) for node in self.conditions)
        put = tuple(Item(item.facet, item.path, _put(item.value, upper), item.span) for item in items)
        built = SelectRelation(relation, put, conditions, (), names, star=False, table=True)
        for limit in self.limits:
            rank.bound(built, limit)
        if not only_identity(relation, conditions):
            need_old_rows(relation)
        return built


def _refuse_number(
    number: Typed, nodes: Sequence[exp.Expression], clause: exp.Expression | None, faults: tuple[str, str]
) -> None:
    if number.node.name in columns_in(nodes):
        message, way_out = faults
        raise refusal(
            codes.BAD_GROUPING, message, nearest_span(clause) if clause is not None else None, way_out
        )


def _columns_of(draft: OperatorDraft, used: Iterable[str]) -> dict[str, Typed]:
    """Give columns of an operator by what the program calls them, each by another name."""
    found: dict[str, Typed] = {}
    for own, (node, kind) in draft.columns.items():
        if node.name not in used:
            continue
        label = draft.label(own)
        while label in found:
            label = f"{label}_{own}"
        found[label] = Typed(node.copy(), kind, nullable=True)
    return found


def _put(found: Typed, columns: Mapping[str, exp.Expression]) -> Typed:
    return Typed(_replaced(found.node, columns), found.type, found.nullable)


def _replaced(node: exp.Expression, columns: Mapping[str, exp.Expression]) -> exp.Expression:
    """Give an expression with other columns in place of its own."""

    def other(part: exp.Expression) -> exp.Expression:
        return columns[part.name].copy() if isinstance(part, exp.Column) and part.name in columns else part

    return node.copy().transform(other)


def number_column(names: Names) -> Typed:
    """Give what stands for the number of a group until the groups are ranked."""
    return Typed(names.column("x", pa.int64()), pa.int64(), nullable=False)
