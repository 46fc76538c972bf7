"""An expression that DuckDB can run, with its type."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
from sqlglot import exp

from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes import plan as codes


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
        child = self.type.field(self.type.get_field_index(name))
        call = extract(self.node, self.type, name)
        return Typed(call, child.type, self.nullable or child.nullable)


def extract(record: exp.Expression, kind: pa.DataType, name: str) -> exp.Expression:
    """Give the expression of a record's field.

    Raises:
        ProgramError: another field has the same name but for case. DuckDB cannot tell the two apart inside a record; where a
            topic is read by the whole path it can, since such a field is a column of its own.
    """
    names = [kind.field(index).name for index in range(kind.num_fields)]
    twins = [other for other in names if other.lower() == name.lower()]
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
