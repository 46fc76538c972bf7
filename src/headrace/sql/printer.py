"""Program to text: one canonical form, that reads back as the same tree.

Not sqlglot's generator: that one rewrites what it prints for the dialect it prints to, and knows nothing of our clauses.
What goes to DuckDB is printed by sqlglot's DuckDB dialect, after the planner has lowered it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.sql.nodes import (
    ColumnDef,
    CreateTable,
    DuckdbQuery,
    Insert,
    Named,
    Program,
    Query,
    Set,
    Statement,
    With,
)
from headrace.sql.print_commands import command_text
from headrace.sql.print_expressions import expression, type_name
from headrace.sql.print_queries import query as query_text
from headrace.sql.words import RESERVED

if TYPE_CHECKING:
    from headrace.sql.commands import CreateView

_BARE_PART = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def print_program(program: Program) -> str:
    """Print a program in canonical form: a statement after the other, each ended by `;`, clauses on lines of their own."""
    return "".join(f"{_statement(statement)};\n" for statement in program.statements)


def print_query(node: exp.Expression) -> str:
    """Print a query, or a single expression, in canonical form on one line."""
    return query_text(node, " ") if isinstance(node, exp.Query) else expression(node)


def _statement(statement: Statement) -> str:
    match statement:
        case Set():
            return f"SET {_key(statement.key)} = {_value(statement.value)}"
        case With():
            return _names(statement.names)
        case Insert():
            return _insert(statement)
        case CreateTable():
            return _create(statement)
        case Query():
            lines = [_names(statement.names)] if statement.names else []
            return "\n".join([*lines, query_text(statement.query, "\n")])
        case DuckdbQuery():
            return statement.text
        case _:
            return command_text(statement, _name, _view)


def _view(view: CreateView) -> str:
    lines = [_names(view.names)] if view.names else []
    return "\n".join([*lines, query_text(view.query, "\n")])


def _names(names: tuple[Named, ...]) -> str:
    entries = (f"{_named(named)} AS (\n  {query_text(named.query, chr(10) + '  ')}\n)" for named in names)
    return ("WITH RECURSIVE " if names[0].recursive else "WITH ") + ", ".join(entries)


def _named(named: Named) -> str:
    columns = ", ".join(expression(column) for column in named.columns)
    return f"{_name(named.name)}({columns})" if columns else _name(named.name)


def _insert(insert: Insert) -> str:
    head = f"INSERT INTO {_name(insert.target)}"
    if insert.columns:
        head += f" ({', '.join('.'.join(map(_name, path)) for path in insert.columns)})"
    if insert.store_key is not None or insert.store_value is not None:
        head += " STORE"
        head += f" KEY AS {insert.store_key}" if insert.store_key is not None else ""
        head += f" VALUE AS {insert.store_value}" if insert.store_value is not None else ""
    lines = [head]
    if insert.names:
        lines.append(_names(insert.names))
    lines.append(query_text(insert.query, "\n"))
    return "\n".join(lines)


def _create(table: CreateTable) -> str:
    columns = ",\n  ".join(map(_column, table.columns))
    begin = "CREATE TABLE IF NOT EXISTS" if table.if_not_exists else "CREATE TABLE"
    text = f"{begin} {_name(table.name)} (\n  {columns}\n) FORMAT ({table.key_format}, {table.value_format})"
    if table.properties:
        entries = (f"{_key(tuple(name.split('.')))} = {_value(value)}" for name, value in table.properties)
        text += f" PROPERTIES ({', '.join(entries)})"
    return text


def _column(column: ColumnDef) -> str:
    path = ".".join(map(_name, column.path))
    return f"{path} {type_name(column.type)}{'' if column.nullable else ' NOT NULL'}"


def _key(parts: tuple[str, ...]) -> str:
    return ".".join(part if _BARE_PART.match(part) else ticked(part) for part in parts)


def _value(value: str | int | float | bool) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)


def _name(name: str) -> str:
    return name if _BARE_PART.match(name) and name.upper() not in RESERVED else ticked(name)


def ticked(name: str) -> str:
    """Print a name between back-ticks."""
    return "`" + name.replace("`", "``") + "`"
