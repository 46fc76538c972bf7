"""An expression that DuckDB can run, with its type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes import plan as codes
from headrace.types.shape import field_named, field_names

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Typed:
    """A DuckDB expression over the columns of a relation.

    Args:
        node: the expression.
        type: of its values, as Arrow.
        nullable: whether it may be null.
    """

    node: exp.Expression
    type: pa.DataType
    nullable: bool

    @property
    def is_null(self) -> bool:
        """Say whether it is the literal NULL."""
        return isinstance(self.node, exp.Null)

    def field(self, name: str) -> Typed:
        """Give a field of a record."""
        child = field_named(self.type, name)
        assert child is not None
        call = extract(self.node, self.type, name)
        return Typed(call, child.type, self.nullable or child.nullable)


def extract(record: exp.Expression, kind: pa.DataType, name: str) -> exp.Expression:
    """Give the expression of a record's field.

    Raises:
        ProgramError: another field has the same name but for case. DuckDB cannot tell the two apart inside a record; where a
            topic is read by the whole path it can, since such a field is a column of its own.
    """
    twins = [other for other in field_names(kind) if other.lower() == name.lower()]
    if len(twins) > 1:
        shown = " and ".join(f"`{twin}`" for twin in twins)
        message = (
            f"{shown} differ only by case, so they cannot be told apart in a record that is also read whole"
        )
        way_out = "name the fields you need, not the record around them"
        raise ProgramError((Diagnostic(codes.SAME_BUT_CASE, message, None, way_out),))
    return exp.Anonymous(this="struct_extract", expressions=[record.copy(), exp.Literal.string(name)])


def text(node: exp.Expression) -> str:
    """Give the DuckDB text of an expression or query."""
    return node.sql(dialect="duckdb", comments=False)
