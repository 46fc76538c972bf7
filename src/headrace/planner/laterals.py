"""LATERAL: rows once for each element of an array of theirs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.errors.codes import plan as codes
from headrace.plan.topology import ROW, TOMBSTONE
from headrace.planner.faults import refusal
from headrace.planner.relations import SelectRelation, aside, columns_in, named
from headrace.planner.typed import Typed
from headrace.types.shape import element_type

if TYPE_CHECKING:
    import pyarrow as pa

    from headrace.errors import Span
    from headrace.formats.interface import Path
    from headrace.plan.topology import Facet
    from headrace.planner.relations import Names, Reads, Relation


@dataclass(slots=True)
class LateralRelation:
    """Rows of a relation, once for each element of an array."""

    source: Relation
    array: Typed
    alias: str
    names: Names
    element: Typed = field(init=False)
    span: Span | None = None
    """Where it stands in the text."""

    def __post_init__(self) -> None:
        kind = element_type(self.array.type)
        self.element = Typed(self.names.column("x", kind), kind, nullable=True)

    @property
    def reads(self) -> Reads:
        """The topic or operator at the bottom."""
        return self.source.reads

    @property
    def has_kinds(self) -> bool:
        """Whether rows are changes of an operator's table."""
        return self.source.has_kinds

    @property
    def tombstones(self) -> bool:
        """Whether rows without a value come out: no, there is no array in them."""
        return False

    @property
    def marked(self) -> bool:
        """Whether `_tombstone` is also true for records that have a value."""
        return False

    @property
    def table(self) -> bool | None:
        """Whether rows are the latest value of their key; elements of arrays are facts."""
        return self.source.table

    @property
    def key_passes(self) -> bool:
        """Whether keys are the topic's own."""
        return self.source.key_passes

    @property
    def value_passes(self) -> bool:
        """Whether values are the topic's own."""
        return self.source.value_passes

    @property
    def sets_time(self) -> bool:
        """Whether rows have an event time other than the record's timestamp."""
        return self.source.sets_time

    def type_of(self, facet: Facet) -> pa.DataType:
        """Give the type of the key or the value."""
        return self.source.type_of(facet)

    def pull(self, facet: Facet, path: Path) -> Typed:
        """Give a column of the rows."""
        return self.source.pull(facet, path)

    def render(self, needed: set[str]) -> exp.Expression:
        """Give the query with the needed columns and the element."""
        name = self.element.node.name
        kept = sorted(needed - {name})
        used = columns_in([self.array.node]) | set(kept)
        unnest = exp.Anonymous(this="unnest", expressions=[self.array.node.copy()])
        selected = [exp.column(ROW), *(exp.column(column) for column in kept), named(unnest, name)]
        query = exp.Select(expressions=selected).from_(self.source.render(used))
        if self.source.tombstones:
            query.set("where", exp.Where(this=exp.Not(this=exp.column(TOMBSTONE))))
        return aside(query)

    def origin(self, column: str) -> str | None:
        """Give the column at the bottom; the element of the array is none of them."""
        return None if column == self.element.node.name else self.source.origin(column)


def need_single_rows(relation: Relation) -> None:
    """Refuse rows of a table of which several have one key, since LATERAL has made them of one.

    Raises:
        ProgramError: they are such rows.
    """
    while isinstance(relation, SelectRelation):
        relation = relation.source
    if isinstance(relation, LateralRelation):
        message = "LATERAL makes several rows of one key, and a table has one row of each key"
        way_out = "group them, with GROUP BY here or in a query over this one; or write SELECT STREAM"
        raise refusal(codes.KEY_OF_A_TABLE, message, relation.span, way_out)
