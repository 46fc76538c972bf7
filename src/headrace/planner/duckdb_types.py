"""Types of expressions: DuckDB binds them, over an empty relation with the input's types."""

from __future__ import annotations

from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import duckdb
import pyarrow as pa
from sqlglot import exp

from headrace.functions import macros_in, setup_sql
from headrace.functions.declaration import MACRO_PREFIX
from headrace.functions.user import UserFunctions
from headrace.planner.connection import connection
from headrace.planner.constants import cannot_compile, constant_calls
from headrace.planner.typed import text
from headrace.planner.user_functions import called_in, register
from headrace.types.sql import duckdb_type, quote

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType

_SCALARS: Final[dict[str, pa.DataType]] = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "hugeint": pa.decimal128(38, 0),
    "uhugeint": pa.decimal128(38, 0),
    "utinyint": pa.uint8(),
    "usmallint": pa.uint16(),
    "uinteger": pa.uint32(),
    "ubigint": pa.uint64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "varchar": pa.string(),
    "blob": pa.binary(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamp_s": pa.timestamp("s"),
    "timestamp_ms": pa.timestamp("ms"),
    "timestamp_ns": pa.timestamp("ns"),
    "timestamp with time zone": pa.timestamp("us", tz="UTC"),
    "interval": pa.duration("us"),
    "null": pa.null(),
    "uuid": pa.string(),
    "enum": pa.string(),
}

_NARROW: Final[dict[pa.DataType, pa.DataType]] = {
    pa.int8(): pa.int32(),
    pa.int16(): pa.int32(),
    pa.uint8(): pa.int32(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.uint64(): pa.decimal128(38, 0),
}


_LONG: Final = 40
"""Nodes from which on an expression is represented by a column of its type inside a longer one."""

_STAND_IN: Final = "stand_in"

_ROWS: Final = f"{MACRO_PREFIX}rows"
"""Name of the table, without rows, over which expressions with constants are compiled."""


class BindError(Exception):
    """DuckDB does not take an expression. Its words are for us, never for the user."""


class Typer:
    """Asks DuckDB for the types of expressions.

    Args:
        connection: a configured connection; not closed here.
        grouped: take every column for one of GROUP BY, so that aggregates and columns can stand side by side.
        user: the user functions that the program may call.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        *,
        grouped: bool = False,
        user: UserFunctions | None = None,
    ) -> None:
        self.user = user or UserFunctions()
        self._connection = connection
        self._grouped = grouped
        self._columns: dict[str, str] = {}
        self._known: dict[str, pa.DataType] = {}
        self._macros: set[str] = set()
        self._registered: set[str] = set()
        self._made = count()

    def local(self, kind: pa.DataType) -> exp.Column:
        """Make a column that no relation has: the argument of a lambda, or a stand-in for a long expression."""
        name = f"{MACRO_PREFIX}l{next(self._made)}"
        self.declare(name, kind)
        return exp.column(name)

    def declare(self, column: str, kind: pa.DataType) -> None:
        """Make a column known, under a name that no other column of the program has."""
        self._columns[column] = duckdb_type(kind)

    def type_of(self, node: exp.Expression) -> pa.DataType:
        """Give the type of an expression over declared columns.

        Raises:
            BindError: DuckDB does not take it.
            ProgramError: DuckDB takes it and cannot compile it, since a constant in it is no good. It has no place.
        """
        short, size = self._shortened(node)
        shown = text(short)
        found = self._known.get(shown)
        if found is None:
            bound = self._bind(f"SELECT {shown} AS x{self._relation(short)}")
            if next(constant_calls(short), None) is not None:
                self._compile(short)
            found = self._known[shown] = from_duckdb(bound.types[0])
        if size > _LONG and not pa.types.is_null(found) and not isinstance(node, exp.Lambda):
            node.meta[_STAND_IN] = self.local(found).name
        return found

    def _shortened(self, node: exp.Expression) -> tuple[exp.Expression, int]:
        """Give an expression of the same type without the long parts whose type is known, and its size.

        Expressions are typed from the bottom up; without this, a chain of n operators would cost n² time.
        """
        args: dict[str, Any] = {}
        size = 1
        for key, part in node.args.items():
            if isinstance(part, list):
                pairs = [self._part(item) for item in part]
                args[key] = [short for short, _ in pairs]
                size += sum(length for _, length in pairs)
            else:
                args[key], length = self._part(part)
                size += length
        return type(node)(**args), size

    def _part(self, part: Any) -> tuple[Any, int]:
        if not isinstance(part, exp.Expression):
            return part, 0
        stand_in = part.meta_get(_STAND_IN)
        if stand_in is not None:
            return exp.column(stand_in), 1
        return self._shortened(part)

    def converts(self, literal: exp.Expression, kind: pa.DataType) -> bool:
        """Say whether a literal has a value of this type."""
        query = f"SELECT 1 WHERE CAST({text(literal)} AS {duckdb_type(kind)}) IS NULL"
        try:
            self._connection.execute(query).fetchall()
        except duckdb.Error:
            return False
        return True

    def computes(self, constant: exp.Expression) -> bool:
        """Say whether an expression that reads no column has a value."""
        try:
            self._connection.execute(f"SELECT {text(constant)}").fetchall()
        except duckdb.Error:
            return False
        return True

    def functions(self) -> frozenset[str]:
        """Give the names of DuckDB's scalar functions, in lower case."""
        return _function_names("scalar", "macro")

    def aggregates(self) -> frozenset[str]:
        """Give the names of DuckDB's aggregates, in lower case."""
        return _function_names("aggregate")

    def _bind(self, query: str) -> duckdb.DuckDBPyRelation:
        missing = macros_in(query) - self._macros
        for statement in setup_sql(missing):
            self._connection.execute(statement)
        self._macros |= missing
        unknown = [item for item in called_in(query, self.user) if item.name not in self._registered]
        register(self._connection, unknown)
        self._registered.update(item.name for item in unknown)
        try:
            return self._connection.sql(query)
        except duckdb.Error as fault:
            raise BindError(str(fault)) from fault

    def filter_by(self, condition: exp.Expression) -> None:
        """Let DuckDB compile a condition whose type is known: it computes more of it than of a column.

        Raises:
            ProgramError: a constant in it is no good. It has no place.
        """
        if next(constant_calls(condition), None) is not None:
            self._compile(condition, "SELECT 1 FROM ({}) WHERE x")

    def _compile(self, node: exp.Expression, around: str = "{}") -> None:
        used = self._used(node)
        # Over columns that are known to be null it would compute more than it does over rows.
        columns = ", ".join(f"{quote(name)} {self._columns[name]}" for name in used) or "x BOOLEAN"
        self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {_ROWS} ({columns})")
        value = f"SELECT {text(node)} AS x FROM {_ROWS} AS input{self._groups(used)}"
        try:
            self._connection.execute(f"PREPARE {_ROWS} AS {around.format(value)}")
        except (duckdb.FatalException, duckdb.OutOfMemoryException, duckdb.BinderException):
            raise
        except duckdb.Error as error:
            raise cannot_compile(error) from error
        self._connection.execute(f"DEALLOCATE {_ROWS}")

    def _relation(self, node: exp.Expression) -> str:
        used = self._used(node)
        if not used:
            return ""
        nulls = ", ".join(f"CAST(NULL AS {self._columns[name]}) AS {quote(name)}" for name in used)
        return f" FROM (SELECT {nulls}) AS input{self._groups(used)}"

    def _used(self, node: exp.Expression) -> list[str]:
        return sorted({column.name for column in node.find_all(exp.Column)} & self._columns.keys())

    def _groups(self, used: list[str]) -> str:
        return f" GROUP BY {', '.join(quote(name) for name in used)}" if self._grouped and used else ""


@cache
def _function_names(*kinds: str) -> frozenset[str]:
    """Give the names that DuckDB itself has for functions of these kinds, in lower case."""
    query = "SELECT DISTINCT lower(function_name) FROM duckdb_functions() WHERE function_type IN $kinds"
    with connection() as own:
        rows = own.execute(query, {"kinds": kinds}).fetchall()
    return frozenset(name for (name,) in rows if not name.startswith(MACRO_PREFIX))


def from_duckdb(kind: DuckDBPyType) -> pa.DataType:
    """Give the Arrow type of a DuckDB type."""
    name = kind.id
    if name == "decimal":
        sizes = dict(kind.children)
        return pa.decimal128(_int(sizes["precision"]), _int(sizes["scale"]))
    if name in ("list", "array"):
        return pa.list_(from_duckdb(_type(kind.children[0][1])))
    if name == "map":
        keys, items = (from_duckdb(_type(child)) for _, child in kind.children)
        # Arrow has no map of null keys; DuckDB types one, and refuses its value.
        return pa.map_(pa.string() if pa.types.is_null(keys) else keys, items)
    if name == "struct":
        return pa.struct([(field, from_duckdb(_type(child))) for field, child in kind.children])
    return _SCALARS.get(name, pa.string())


def storable(kind: pa.DataType) -> pa.DataType:
    """Give the type that a computed value is written as: Avro and JSON know int and long, no narrower or unsigned numbers."""
    if pa.types.is_list(kind):
        return pa.list_(storable(kind.value_type))
    if pa.types.is_map(kind):
        return pa.map_(storable(kind.key_type), storable(kind.item_type))
    if pa.types.is_struct(kind):
        fields = (kind.field(index) for index in range(kind.num_fields))
        return pa.struct([field.with_type(storable(field.type)) for field in fields])
    if pa.types.is_null(kind):
        return pa.string()
    return _NARROW.get(kind, kind)


def carried(kind: pa.DataType) -> pa.DataType:
    """Give the Arrow type in which DuckDB hands values of a type out: instants count microseconds."""
    if pa.types.is_list(kind):
        return pa.list_(carried(kind.value_type))
    if pa.types.is_map(kind):
        return pa.map_(carried(kind.key_type), carried(kind.item_type))
    if pa.types.is_struct(kind):
        fields = (kind.field(index) for index in range(kind.num_fields))
        return pa.struct([pa.field(field.name, carried(field.type)) for field in fields])
    if pa.types.is_fixed_size_binary(kind):
        return pa.binary()
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return pa.timestamp("us", tz="UTC")
    if pa.types.is_time(kind):
        return pa.time64("us")
    return kind


def _int(value: Any) -> int:
    return int(value)


def _type(value: Any) -> DuckDBPyType:
    found: DuckDBPyType = value
    return found
