"""An expression that DuckDB can run, with its type."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
from sqlglot import exp


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
        call = exp.Anonymous(this="struct_extract", expressions=[self.node.copy(), exp.Literal.string(name)])
        return Typed(call, child.type, self.nullable or child.nullable)


def text(node: exp.Expression) -> str:
    """Give the DuckDB text of an expression or query."""
    return node.sql(dialect="duckdb", comments=False)
