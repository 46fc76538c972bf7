"""UNION ALL: the columns of the branches meet by position, and have the names of the first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from headrace.errors.codes import plan as codes
from headrace.plan.topology import Facet
from headrace.planner.faults import refusal
from headrace.planner.relations import Item, SelectRelation
from headrace.planner.stateful.rank import bounded_as
from headrace.sql.spans import nearest_span
from headrace.types.coercion import common_type
from headrace.types.sql import type_name

if TYPE_CHECKING:
    from sqlglot import exp

    from headrace.errors import Span


def alike(first: SelectRelation, branch: SelectRelation, node: exp.Expression) -> SelectRelation:
    """Give a branch with the names of the first one.

    Args:
        first: the first branch of the union.
        branch: another one.
        node: the text of the other one, for messages.

    Raises:
        ProgramError: another number of columns, or types without a common type.
    """
    place = nearest_span(node)
    if first.star and branch.star and first.type_of(Facet.VALUE).equals(branch.type_of(Facet.VALUE)):
        return branch
    for facet in (Facet.KEY, Facet.VALUE):
        branch = _alike(first, branch, facet, place)
    return branch


def _alike(first: SelectRelation, branch: SelectRelation, facet: Facet, place: Span | None) -> SelectRelation:
    wanted, given = _items(first, facet), _items(branch, facet)
    if facet is Facet.KEY and not wanted and not given:
        return branch
    if facet is Facet.KEY and (not wanted or not given):
        message = "one SELECT of the UNION ALL writes the key, and the other one does not"
        raise refusal(codes.UNION_MISMATCH, message, place)
    if len(wanted) != len(given):
        message = f"the first SELECT of the UNION ALL has {len(wanted)} columns, this one has {len(given)}"
        raise refusal(codes.UNION_MISMATCH, message, place)
    renamed = []
    for mine, theirs in zip(given, wanted, strict=True):
        kinds = (theirs.value.type, mine.value.type)
        if common_type(*kinds) is None:
            name = ".".join(theirs.path) or facet.value
            shown = type_name(kinds[0]), type_name(kinds[1])
            message = (
                f"column `{name}` is {shown[0]} in the first SELECT of the UNION ALL, and {shown[1]} here"
            )
            raise refusal(codes.UNION_MISMATCH, message, mine.span or place, "convert one of them with CAST")
        renamed.append(replace(mine, path=theirs.path))
    if [item.path for item in given] == [item.path for item in renamed]:
        return branch
    others = tuple(item for item in branch.items if item.facet is not facet)
    found = replace(branch, items=(*others, *renamed), star=branch.star and facet is Facet.KEY, pulled={})
    bounded_as(found, branch)
    return found


def _items(branch: SelectRelation, facet: Facet) -> list[Item]:
    """Give the columns of the key or value; those of `*` one by one."""
    if facet is Facet.KEY or not branch.star:
        return list(branch.of(facet))
    kind = branch.source.type_of(facet)
    if not pa.types.is_struct(kind):
        return [Item(facet, (), branch.source.pull(facet, ()), None)]
    names = [kind.field(index).name for index in range(kind.num_fields)]
    return [Item(facet, (name,), branch.source.pull(facet, (name,)), None) for name in names]
