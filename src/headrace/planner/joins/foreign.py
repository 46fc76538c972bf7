"""Joins of tables that are not on the keys of both: foreign keys.

Rows of a table that is joined on something other than its key meet in other tasks than those of their key, and may change over
to another task with an update; so they are taken back by their old values. The result is sent back to tasks by the keys that
tell its rows apart, and kept there as a table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.errors.codes import plan as codes
from headrace.plan.operators import Changes, JoinKind
from headrace.plan.topology import Facet
from headrace.planner.faults import refusal
from headrace.planner.joins.draft import JoinRelation, RestoredDraft, SideRows
from headrace.planner.joins.placement import is_key
from headrace.planner.relations import SelectRelation
from headrace.planner.scope import Scope
from headrace.planner.stateful.drafts import Branch, FeedDraft
from headrace.planner.stateful.formats import formats_of

if TYPE_CHECKING:
    from headrace.errors import Span
    from headrace.planner.joins.draft import JoinDraft
    from headrace.planner.relations import Names
    from headrace.planner.typed import Typed


def need_identity(rows: SelectRelation, shown: str, place: Span | None) -> None:
    """Refuse a table whose key alone does not tell its rows apart: the result of a window.

    Raises:
        ProgramError: it is one.
    """
    if is_key(rows, [rows.source.pull(Facet.KEY, ())]):
        return
    message = (
        f"the rows of `{shown}` are told apart by their window as well, so they cannot be joined like this"
    )
    way_out = f"join on the key and `{shown}._window.start`, or write the result to a topic with a key of its own, and join that"
    raise refusal(codes.JOIN_CONDITION, message, place, way_out)


def restored(
    joined: JoinRelation,
    draft: JoinDraft,
    sides: tuple[SelectRelation, SelectRelation],
    labels: tuple[str, str],
    unique: tuple[bool, bool],
    names: Names,
) -> JoinRelation:
    """Give the result of a join of tables under the keys that tell its rows apart.

    Where each row of one table meets at most one of the other, and does not come out without being in it, this is its key;
    else it is a record of both keys.

    Args:
        joined: the rows of the join.
        draft: the join.
        sides: its inputs.
        labels: what the keys of the inputs are called.
        unique: which inputs are joined on their own keys.
        names: makes the names of columns.
    """
    own = _own(draft, unique)
    keys: list[Typed] = []
    for index in own:
        key = sides[index].source.pull(Facet.KEY, ())
        keys.append(draft.carry(index, key, f"{labels[index]}._key"))
    first = sides[own[0]]
    key_format = formats_of(first, [sides[index].source.pull(Facet.KEY, ()) for index in own])[0]
    rows = SelectRelation(joined, (), (), (), names, star=True, table=True)
    feed = FeedDraft([Branch(rows, keys, [], None, [labels[index] for index in own])], Changes.RETRACT)
    if draft.partitions > 1:
        feed.repartition = draft.partitions
    key_names = ["_key"] if len(own) == 1 else [labels[index] for index in own]
    table = RestoredDraft(names, [feed], key_format, draft.value_format, key_names=key_names)
    scopes = [Scope(SideRows(table, 0, scope.relation, scope.alias), scope.alias) for scope in joined.scopes]
    merged = {name: table.carry(0, found, name) for name, found in joined.merged.items()}
    return JoinRelation(table, scopes=scopes, merged=merged, hidden=joined.hidden)


def _own(draft: JoinDraft, unique: tuple[bool, bool]) -> tuple[int, ...]:
    """Give the inputs whose keys tell the rows of the result apart."""
    if unique[1] and draft.join in (JoinKind.INNER, JoinKind.LEFT):
        return (0,)
    if unique[0] and draft.join in (JoinKind.INNER, JoinKind.RIGHT):
        return (1,)
    return (0, 1)
