"""What expressions of a pattern ask of the rows of a match: `a.price`, `FIRST(a.price, 1)`, `SUM(a.price)`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pyarrow as pa
from sqlglot import exp

from headrace.errors.codes import plan as codes
from headrace.functions.aggregate import Aggregate, aggregate_named
from headrace.planner.duckdb_types import storable
from headrace.planner.expressions import Expressions
from headrace.planner.faults import refusal
from headrace.planner.scope import Scope
from headrace.planner.stateful.calls import brought, is_aggregate
from headrace.planner.typed import Typed, text
from headrace.sql.paths import column_path
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from headrace.errors import Source
    from headrace.planner.duckdb_types import Typer
    from headrace.planner.relations import SelectRelation

ENDS: Final = ("FIRST", "LAST")
AGGREGATES: Final = ("COUNT", "SUM", "AVG", "MIN", "MAX")
_UNKNOWN: Final = {
    "NEXT": "the row behind is not known yet: name a variable for it in the pattern",
    "CLASSIFIER": "give a measure for each variable: `COUNT(a.x) AS a_rows`",
    "MATCH_NUMBER": "number the matches where they are read",
}
_MOST_BACK: Final = 1000


@dataclass(frozen=True, slots=True)
class Asked:
    """What a call asks of the rows of a variable.

    Args:
        function: FIRST, LAST, COUNT, SUM, AVG, MIN, MAX or PREV.
        variable: number of the variable; None: all rows.
        value: over a row; None: the rows themselves are counted.
        offset: of FIRST and LAST how many rows further inward, of PREV how many rows before.
    """

    function: str
    variable: int | None
    value: Typed | None
    offset: int = 0


@dataclass(slots=True)
class MatchedRows:
    """The rows that go into a pattern, and the columns that are kept of them.

    Args:
        relation: they have no columns of their own.
        alias: their name.
        variables: of the pattern.
        typer, source: as those of `Expressions`.
        values: columns that are kept, and what the program calls each.
    """

    relation: SelectRelation
    alias: str
    variables: tuple[str, ...]
    typer: Typer
    source: Source
    values: list[Typed] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    _places: dict[tuple[str, str], int] = field(default_factory=dict)

    def within(self, variable: int | None = None) -> Expressions:
        """Compile expressions over one row, whose columns may be named by a variable."""
        name = self.alias if variable is None else self.variables[variable]
        return Expressions(Scope(self.relation.source, name), self.typer, self.source)

    def keep(self, found: Typed, words: str) -> int:
        """Keep a column of each row; give its number."""
        place = (text(found.node), str(found.type))
        if place not in self._places:
            self._places[place] = len(self.values)
            self.values.append(found)
            self.words.append(words)
        return self._places[place]

    def variable_of(self, node: exp.Expression) -> int | None:
        """Give the variable whose column a dotted name is; None if it is none."""
        path = column_path(node)
        if path is None or len(path) < 2 or path[0].name not in self.variables:
            return None
        return self.variables.index(path[0].name)

    def asked(self, node: exp.Expression) -> Asked | None:
        """Give what a call asks of rows; None if the node is no such call.

        Raises:
            ProgramError: the call is wrong.
        """
        if not isinstance(node, exp.Anonymous):
            return None
        name = str(node.this).upper()
        if name in _UNKNOWN:
            message = f"`{name}` cannot be computed in a pattern of a stream"
            raise refusal(codes.NOT_YET, message, nearest_span(node), _UNKNOWN[name])
        if name in ENDS or name == "PREV":
            return self._row(node, name)
        if not is_aggregate(node, self.within()):
            return None
        aggregate = aggregate_named(name)
        if aggregate is None or aggregate.name not in AGGREGATES:
            message = f"`{name}` cannot be computed of the rows of a match"
            known = ", ".join((*AGGREGATES, *ENDS))
            raise refusal(codes.NOT_YET, message, nearest_span(node), f"there are {known}")
        return self._aggregate(node, aggregate)

    def _row(self, node: exp.Anonymous, name: str) -> Asked:
        arguments = node.expressions
        if not 1 <= len(arguments) <= 2:
            message = f"`{name}` takes a value and perhaps a number of rows"
            raise refusal(codes.WRONG_ARGUMENTS, message, nearest_span(node))
        offset = 1 if name == "PREV" else 0
        if len(arguments) == 2:
            number = arguments[1]
            if not (isinstance(number, exp.Literal) and number.is_int and int(number.name) <= _MOST_BACK):
                message = f"the second argument of `{name}` is a number of rows, up to {_MOST_BACK:,}"
                raise refusal(codes.NOT_CONSTANT, message, nearest_span(number))
            offset = int(number.name)
        variable, value = self._argument(arguments[0])
        return Asked(name, variable, value, offset)

    def _aggregate(self, node: exp.Anonymous, aggregate: Aggregate) -> Asked:
        arguments = list(node.expressions)
        if arguments and isinstance(arguments[0], exp.Distinct):
            message = "DISTINCT cannot be computed of the rows of a match"
            raise refusal(codes.NOT_YET, message, nearest_span(arguments[0]), "leave it out")
        if aggregate.name == "COUNT" and (not arguments or isinstance(arguments[0], exp.Star)):
            return Asked("COUNT", None, None)
        if (
            aggregate.name == "COUNT"
            and isinstance(arguments[0], exp.Column)
            and isinstance(arguments[0].this, exp.Star)
        ):
            name = arguments[0].text("table")
            if name in self.variables:
                return Asked("COUNT", self.variables.index(name), None)
        if len(arguments) != 1:
            message = f"`{aggregate.name}` takes one value"
            raise refusal(codes.WRONG_ARGUMENTS, message, nearest_span(node))
        variable, value = self._argument(arguments[0])
        wrong = aggregate.function.mismatch([value.type])
        if wrong is not None:
            wanted = " or ".join(kind.lower() for kind in wrong.expected)
            shown = self.within(variable).describe(arguments[0], value)
            message = f"`{aggregate.name}` takes a {wanted}, not {shown}"
            raise refusal(codes.TYPE_MISMATCH, message, nearest_span(node))
        return Asked(aggregate.name, variable, brought(value, aggregate.argument(value.type)))

    def _argument(self, node: exp.Expression) -> tuple[int | None, Typed]:
        """Compile a value of the rows of one variable, or of all rows."""
        columns = [
            part
            for part in node.find_all(exp.Column, exp.Dot)
            if column_path(part) is not None and not isinstance(part.parent, exp.Dot)
        ]
        found = {self.variable_of(column) for column in columns}
        if len(found) > 1:
            message = f"`{self.within().words(node)}` names rows of more than one variable"
            way_out = "name columns of one variable, or take each by a call of its own"
            raise refusal(codes.BAD_PATTERN, message, nearest_span(node), way_out)
        variable = found.pop() if found else None
        value = self.within(variable).value(node)
        if pa.types.is_null(value.type):
            message = f"`{self.within().words(node)}` has no type"
            raise refusal(codes.TYPE_MISMATCH, message, nearest_span(node), "write a column")
        return variable, brought(value, storable(value.type))
