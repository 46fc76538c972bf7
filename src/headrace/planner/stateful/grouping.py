"""GROUP BY: what the groups are, and what names and expressions mean over them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from headrace.errors import ProgramError
from headrace.errors.codes import plan as codes
from headrace.planner.faults import refusal
from headrace.planner.relations import NoSuchField, pack
from headrace.planner.scope import Header, cover
from headrace.planner.stateful.calls import aggregates_in, is_aggregate
from headrace.planner.stateful.composed import COMPOSED, canonical
from headrace.planner.stateful.drafts import WINDOW_BOUNDS
from headrace.planner.typed import Typed
from headrace.sql.nodes import Target
from headrace.sql.nodes import Window as WindowNode
from headrace.sql.paths import column_path
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.plan.topology import Facet
    from headrace.planner.expressions import Expressions
    from headrace.planner.scope import Rows
    from headrace.planner.stateful.aggregate import AggregateDraft
    from headrace.planner.stateful.calls import Calls

_NESTED_GROUPING = (exp.Rollup, exp.Cube, exp.GroupingSets, exp.Tuple)


@dataclass(frozen=True, slots=True)
class GroupItem:
    """An expression of GROUP BY, and what its column is called."""

    node: exp.Expression
    name: str


def group_items(select: exp.Select, within: Expressions) -> list[GroupItem]:
    """Give the expressions of GROUP BY; the columns of the SELECT for DISTINCT and GROUP BY ALL.

    Raises:
        ProgramError: they are none that rows can be grouped by.
    """
    group = select.args.get("group")
    listed = [plain(item) for item in select.expressions]
    if group is not None and not group.args.get("all"):
        nodes = [
            _meant(item, listed, select, within)
            for item in group.expressions
            if not isinstance(item, WindowNode)
        ]
    elif group is not None or select.args.get("distinct") is not None:
        nodes = [
            item
            for item in listed
            if not aggregates_in(item, within) and not _is_window(item) and item.find(exp.Window) is None
        ]
    else:
        nodes = []
    found: list[GroupItem] = []
    compiled: list[exp.Expression] = []
    for node in nodes:
        _check(node, within)
        value = within.value(node)
        if pa.types.is_map(value.type):
            message = f"rows cannot be grouped by the map {within.describe(node, value)}"
            raise refusal(codes.BAD_GROUPING, message, nearest_span(node), "name one of its values")
        if value.node in compiled:
            continue
        compiled.append(value.node)
        found.append(GroupItem(node, _unused(_name(node, select, within), found)))
    return found


@dataclass(slots=True)
class Groups:
    """The names of a SELECT with GROUP BY: grouped columns, the window, and aliases in HAVING.

    Args:
        below: compiles over the rows that are grouped.
        draft: the aggregate.
        calls: its aggregates.
        keys: the grouped expressions over the rows, in order, of the types that they have there.
        relation: the rows that the aggregate gives.
        aliases: columns of the SELECT by name, where HAVING may use them.
    """

    below: Expressions
    draft: AggregateDraft
    calls: Calls
    keys: Sequence[Typed]
    items: Sequence[GroupItem]
    relation: Rows
    aliases: dict[str, exp.Expression] = field(default_factory=dict)
    above: Expressions | None = None
    """Compiles over the groups, with these names."""

    @property
    def alias(self) -> str:
        """Name of the rows, for messages."""
        return self.below.scope.alias

    def star(self, parts: Sequence[exp.Identifier]) -> Facet | None:
        """Give which part of the record `name.*` means."""
        return None

    def resolve(self, parts: Sequence[exp.Identifier]) -> Typed | Header:
        """Give what a dotted name means.

        Raises:
            ProgramError: nothing, or a column that is not grouped.
        """
        bound = self._window(parts)
        if bound is not None:
            return bound
        try:
            found = self.below.scope.resolve(parts)
        except ProgramError:
            named = self.aliases.get(parts[0].name) if len(parts) == 1 else None
            if named is None or self.above is None:
                raise
            return self.above.value(named)
        for length in range(len(parts), 0, -1):
            known = self._key(parts[:length])
            if known is not None:
                for part in parts[length:]:
                    known = known.field(part.name)
                return known
        shown = ".".join(part.name for part in parts)
        message = f"`{shown}` is neither in GROUP BY nor inside an aggregate"
        way_out = f"add it to GROUP BY, or take one value of the group: `LAST({shown})`"
        if isinstance(found, Header):
            way_out = "take one value of the group: `LAST(HEADERASSTRING('name'))`"
        raise refusal(codes.BAD_GROUPING, message, cover(parts), way_out)

    def bound(self, node: exp.Expression, above: Expressions) -> Typed | None:
        """Give the value of what the aggregate has computed already: grouped expressions and aggregates."""
        if isinstance(node, exp.Filter):
            if not isinstance(node.this, exp.Anonymous) or not is_aggregate(node.this, self.below):
                message = "FILTER goes with aggregates"
                raise refusal(codes.TYPE_MISMATCH, message, nearest_span(node))
            return self._aggregate(node, node.this, node.expression.this, above)
        if isinstance(node, exp.Anonymous) and is_aggregate(node, self.below):
            return self._aggregate(node, node, None, above)
        if column_path(node) is not None or isinstance(node, exp.Literal):
            return None
        return self._grouped_expression(node)

    def _aggregate(
        self, node: exp.Expression, call: exp.Anonymous, condition: exp.Expression | None, above: Expressions
    ) -> Typed:
        """Give the result of an aggregate: of an operator's own, or made of one."""
        composed = COMPOSED.get(canonical(call))
        if composed is None:
            return self._result(node, self.calls.add(call, condition))
        inner, meets, finish = composed(call, self.calls.check(call), condition)
        index = self.calls.add(inner, meets, records=True)
        return finish(self._result(node, index), above)

    def _result(self, node: exp.Expression, index: int) -> Typed:
        if isinstance(node.parent, exp.Alias):
            self.draft.call_names[index] = node.parent.alias
        self.draft.call_names.setdefault(index, self.below.words(node))
        return self.draft.result(index)

    def _window(self, parts: Sequence[exp.Identifier]) -> Typed | None:
        names = [part.name for part in parts]
        if names[0] != "_window" or self.draft.window is None:
            return None
        bounds = {
            name: Typed(self.draft.column(own, pa.int64()), pa.int64(), nullable=False)
            for name, own in WINDOW_BOUNDS.items()
        }
        if len(names) == 1:
            return pack(list(bounds), list(bounds.values()))
        if len(names) > 2 or names[1] not in bounds:
            message = f"`_window` has no field `{'.'.join(names[1:])}`"
            way_out = "there are `_window.start` and `_window.end`"
            raise refusal(codes.UNKNOWN_COLUMN, message, cover(parts), way_out)
        return bounds[names[1]]

    def _key(self, parts: Sequence[exp.Identifier]) -> Typed | None:
        try:
            found = self.below.scope.resolve(parts)
        except ProgramError:
            return None
        return self._grouped(found) if isinstance(found, Typed) else None

    def _grouped(self, found: Typed) -> Typed | None:
        for index, key in enumerate(self.keys):
            if key.node == found.node:
                return self.draft.group(index)
        return None

    def _grouped_expression(self, node: exp.Expression) -> Typed | None:
        """Give the group that an expression is: the same text, or the same meaning in other words."""
        for index, item in enumerate(self.items):
            if item.node == node:
                return self.draft.group(index)
        if not any(type(item.node) is type(node) for item in self.items) or aggregates_in(node, self.below):
            return None
        try:
            return self._grouped(self.below.value(node))
        except (ProgramError, NoSuchField):
            return None


def plain(node: exp.Expression) -> exp.Expression:
    """Give the expression of a column, without its name."""
    found = node.this if isinstance(node, exp.Alias | Target) else node
    assert isinstance(found, exp.Expression)
    return found


def aliases_of(select: exp.Select) -> dict[str, exp.Expression]:
    """Give the columns of a SELECT that have names of their own."""
    return {item.alias: item.this for item in select.expressions if isinstance(item, exp.Alias)}


def refuse_aggregates(node: exp.Expression, clause: str, within: Expressions) -> None:
    """Refuse an aggregate in a clause that chooses the rows which are grouped.

    Raises:
        ProgramError: there is one.
    """
    inside = aggregates_in(node, within)
    if inside:
        message = f"an aggregate cannot stand in {clause}"
        way_out = "filter groups with HAVING" if clause == "WHERE" else None
        raise refusal(codes.BAD_GROUPING, message, nearest_span(inside[0]), way_out)


def _meant(
    node: exp.Expression, listed: Sequence[exp.Expression], select: exp.Select, within: Expressions
) -> exp.Expression:
    """Give what an item of GROUP BY stands for: a number or a name of the SELECT's columns, or itself."""
    if isinstance(node, _NESTED_GROUPING):
        message = "several groupings at once cannot run in a stream"
        raise refusal(codes.NOT_YET, message, nearest_span(node), "write an INSERT for each of them")
    if isinstance(node, exp.Literal) and node.is_int:
        number = int(node.to_py())
        if not 1 <= number <= len(listed):
            message = f"there is no column {number}: the SELECT has {len(listed)}"
            raise refusal(codes.UNKNOWN_COLUMN, message, nearest_span(node))
        return listed[number - 1]
    parts = column_path(node)
    named = aliases_of(select).get(parts[0].name) if parts is not None and len(parts) == 1 else None
    if named is not None and parts is not None:
        try:
            within.scope.resolve(parts)
        except ProgramError:
            return named
    return node


def _check(node: exp.Expression, within: Expressions) -> None:
    refuse_aggregates(node, "GROUP BY", within)
    if isinstance(node, exp.Star) or (isinstance(node, exp.Column) and isinstance(node.this, exp.Star)):
        message = "`*` cannot be grouped by"
        raise refusal(codes.BAD_GROUPING, message, nearest_span(node), "name the columns")


def _is_window(node: exp.Expression) -> bool:
    parts = column_path(node)
    return parts is not None and parts[0].name == "_window"


def _name(node: exp.Expression, select: exp.Select, within: Expressions) -> str:
    for item in select.expressions:
        if isinstance(item, exp.Alias) and item.this == node:
            return str(item.alias)
    return column_name(node, within)


def column_name(node: exp.Expression, within: Expressions) -> str:
    """Give what a column is called that nobody has named."""
    parts = column_path(node)
    return parts[-1].name if parts is not None else within.words(node)


def _unused(name: str, found: Sequence[GroupItem]) -> str:
    taken = {item.name for item in found}
    number = 2
    plain_name = name
    while name in taken:
        name = f"{plain_name}_{number}"
        number += 1
    return name
