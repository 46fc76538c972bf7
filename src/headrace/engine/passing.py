"""Keeps columns that a query only passes on out of DuckDB.

`SELECT _row, c0 AS v0, c1 * 2 AS v1 FROM input` computes `v1`; `v0` is there already. Reading it into DuckDB and out again
would copy it twice. DuckDB gets the query without it, and it is put back by `_row`. A query that computes nothing does
without DuckDB. Where a condition chooses rows, DuckDB is no slower than taking them from the batch, and gets everything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from headrace.plan.topology import ROW, TOMBSTONE

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

INPUT = "input"
_UNDERSTOOD = {"expressions", "from_", "where", "kind"}


Run = Callable[[pa.RecordBatch], pa.Table]


@dataclass(frozen=True, slots=True)
class _Split:
    """A query in two.

    Args:
        rest: without the columns that are passed on.
        names: of all columns of the query, in their order.
        passed: the column of `input` behind each one that is passed on, by its name in the query.
    """

    rest: exp.Select
    names: list[str]
    passed: Mapping[str, str]


def prepare(compile_query: Callable[[str], Run], query: str, schema: pa.Schema) -> Run:
    """Compile a SELECT over `input`.

    Args:
        compile_query: compiles for DuckDB; what it gives runs over a batch.
        query: a SELECT that gives `_row` first.
        schema: of `input`, whose column `_row` ascends.

    Returns:
        A function that runs it over a batch; it gives the columns of the query in their order. Columns that are passed on
        keep the type that they have in `input`.
    """
    split = _split(query, schema)
    if split is None:
        return compile_query(query)
    names, passed = split.names, split.passed
    computes = len(split.rest.expressions) > 1
    compute = compile_query(split.rest.sql(dialect="duckdb")) if computes else _choose(split.rest)

    def run(batch: pa.RecordBatch) -> pa.Table:
        computed = compute(batch)
        places = _places(batch.column(ROW), computed.column(ROW).combine_chunks())
        columns = [
            _taken(batch.column(passed[name]), places) if name in passed else computed.column(name)
            for name in names
        ]
        return pa.Table.from_arrays(columns, names=names)

    return run


def _split(query: str, schema: pa.Schema) -> _Split | None:
    """Take a query apart; None if all of it is DuckDB's."""
    try:
        select = sqlglot.parse_one(query, dialect="duckdb")
    except SqlglotError:
        return None
    if not isinstance(select, exp.Select) or any(
        value for key, value in select.args.items() if key not in _UNDERSTOOD
    ):
        return None
    source = select.args["from_"].this
    if not isinstance(source, exp.Table) or source.name != INPUT or source.args.get("joins"):
        return None
    if not _takes_all(select):
        return None
    names = [item.alias_or_name for item in select.expressions]
    passed = {
        name: column
        for name, item in zip(names, select.expressions, strict=True)
        if (column := _column(item)) != ROW and column in schema.names and _flat(schema.field(column).type)
    }
    if not passed or names[0] != ROW or len(set(names)) < len(names):
        return None
    kept = [item for name, item in zip(names, select.expressions, strict=True) if name not in passed]
    rest = select.copy()
    rest.set("expressions", kept)
    if any(column.name in passed for column in rest.find_all(exp.Column)):
        # A column of the result may stand in other expressions.
        return None
    return _Split(rest, names, passed)


def _column(item: exp.Expression) -> str | None:
    """Give the column of `input` that an item passes on."""
    column = item.unalias()
    if isinstance(column, exp.Column) and column.table in ("", INPUT) and not column.args.get("db"):
        return column.name
    return None


def _takes_all(select: exp.Select) -> bool:
    """Say whether rows are chosen by nothing but whether they have a value."""
    condition = select.args.get("where")
    return condition is None or (
        isinstance(condition.this, exp.Not) and _column(condition.this.this) == TOMBSTONE
    )


def _choose(rest: exp.Select) -> Run:
    """Give what chooses the rows where nothing is computed."""
    if rest.args.get("where") is None:
        return lambda batch: _rows(batch.column(ROW))

    def with_value(batch: pa.RecordBatch) -> pa.Table:
        numbers, gone = batch.column(ROW), batch.column(TOMBSTONE)
        return _rows(numbers.filter(pc.invert(gone)) if pc.any(gone).as_py() else numbers)

    return with_value


def _rows(numbers: pa.Array[Any]) -> pa.Table:
    return pa.table({ROW: numbers})


def _flat(kind: pa.DataType) -> bool:
    """Say whether DuckDB gives values of a type back as they were: of maps and records it does not in all cases."""
    return not (pa.types.is_nested(kind) or pa.types.is_dictionary(kind))


def _places(there: pa.Array[Any], rows: pa.Array[Any]) -> pa.Int64Array | None:
    """Give where rows stand in their batch; None if they are all of it."""
    if rows.equals(there):
        return None
    numbers: npt.NDArray[np.int32] = there.to_numpy()
    wanted: npt.NDArray[np.int32] = rows.to_numpy()
    if len(numbers) and numbers[-1] - numbers[0] == len(numbers) - 1:
        return pa.array(wanted - numbers[0], pa.int64())
    return pa.array(np.searchsorted(numbers, wanted), pa.int64())


def _taken(column: pa.Array[Any], places: pa.Int64Array | None) -> pa.Array[Any]:
    return column if places is None else column.take(places)
