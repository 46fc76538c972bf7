"""CREATE TABLE as a declaration of what a topic holds, and the names of formats."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from headrace.catalog.topic import CatalogTopic, Origin
from headrace.errors import Diagnostic, ProgramError, Span
from headrace.errors.codes import catalog as codes
from headrace.errors.suggest import did_you_mean
from headrace.formats.interface import (
    CHANGE_RECORDS,
    WINDOW_SIZE,
    WRITTEN_BY_USERS,
    Format,
    Side,
    Windowing,
)
from headrace.formats.windowed import windowed
from headrace.types.change_records import change_record
from headrace.types.sql import arrow_type

if TYPE_CHECKING:
    from headrace.sql.nodes import ColumnDef, CreateTable
    from headrace.types.shape import Field

_PRIMITIVE: Final[dict[Format, pa.DataType]] = {
    Format.STRING: pa.string(),
    Format.INT: pa.int32(),
    Format.LONG: pa.int64(),
    Format.BYTES: pa.binary(),
}

_SPELLINGS: Final = {"JSONSCHEMA": "JSON_SR", "JSON_SCHEMA": "JSON_SR", "JSONSR": "JSON_SR"}
"""Other names of formats."""

_KEY = "_key"
_VALUE = "_value"
_WINDOWED: Final = {"TW": Windowing.TIME, "SW": Windowing.SESSION, "W": Windowing.TIME}
"""What a format of keys begins with that have windows behind them: `TWSTRING`, `TW[STRING]`, and `WSTRING` of 2018."""


def primitive_type(form: Format) -> pa.DataType | None:
    """Give the one type that a format without a schema holds; None for formats of records."""
    return _PRIMITIVE.get(form)


def format_named(name: str, span: Span | None) -> Format:
    """Give the format of a name in any spelling of the two dialects.

    Raises:
        ProgramError: no such format.
    """
    plain = _SPELLINGS.get(name.strip().upper(), name.strip().upper())
    if plain in WRITTEN_BY_USERS:
        return Format(plain)
    if windowed_name(name)[0] is not None:
        message = f"`{name}` is a format of keys with windows, which cannot be named here"
        raise ProgramError((Diagnostic(codes.UNSUPPORTED_FORMAT, message, span),))
    message = f"there is no format `{name}`"
    guess = did_you_mean(plain, list(WRITTEN_BY_USERS))
    known = ", ".join(WRITTEN_BY_USERS)
    raise ProgramError((Diagnostic(codes.UNSUPPORTED_FORMAT, message, span, guess or f"formats: {known}"),))


def declared_topic(table: CreateTable, partitions: int) -> CatalogTopic:
    """Give what CREATE TABLE says of a topic.

    Raises:
        ProgramError: an unknown type or format, a column twice, or columns that the formats cannot hold.
    """
    faults: list[Diagnostic] = []
    windowing, name = windowed_name(table.key_format)
    key_format = format_named(name, table.key_format_span)
    value_format = format_named(table.value_format, table.value_format_span)
    keys: list[ColumnDef] = []
    values: list[ColumnDef] = []
    for column in table.columns:
        (keys if column.path[0] == _KEY else values).append(column)
    properties = dict(table.properties)
    key = _side(key_format, keys, _KEY, table.key_format_span, {}, faults)
    if windowing is not None:
        key = windowed(key, windowing, _window_size(properties, table.span, faults))
    value = _side(value_format, values, _VALUE, table.value_format_span, properties, faults)
    if key_format in CHANGE_RECORDS:
        message = f"{key_format} is a format of values; keys of such topics are JSON or AVRO"
        faults.append(Diagnostic(codes.BAD_DECLARATION, message, table.key_format_span))
    if faults:
        raise ProgramError(tuple(faults))
    if value_format in CHANGE_RECORDS:
        # What is declared is the table whose changes they are.
        value = replace(value, type=change_record(value.type, text=value_format is Format.DEBEZIUM_JSON))
    return CatalogTopic(table.name, key, value, partitions, Origin.DECLARED)


def windowed_name(name: str) -> tuple[Windowing | None, str]:
    """Give what stands behind keys of a format (`TWSTRING`, `SW[JSON]`), and the format of the keys themselves."""
    plain = name.strip().upper()
    for prefix, windowing in _WINDOWED.items():
        inner = plain.removeprefix(prefix).removeprefix("[").removesuffix("]")
        if plain.startswith(prefix) and _SPELLINGS.get(inner, inner) in WRITTEN_BY_USERS:
            return windowing, inner
    return None, name


def _window_size(properties: dict[str, str], span: Span, faults: list[Diagnostic]) -> int | None:
    given = properties.pop(WINDOW_SIZE, None)
    if given is None or (given.isdigit() and int(given) > 0):
        return None if given is None else int(given)
    message = f"`{WINDOW_SIZE}` is the length of the windows in milliseconds"
    faults.append(Diagnostic(codes.BAD_DECLARATION, message, span, "write a number, such as 60000"))
    return None


def _side(
    form: Format,
    columns: list[ColumnDef],
    facet: str,
    span: Span,
    properties: dict[str, str],
    faults: list[Diagnostic],
) -> Side:
    primitive = primitive_type(form)
    kept = {key: value for key, value in properties.items() if key in ("delimiter", "header", "quote")}
    tree: dict[str, object] = {}
    whole: pa.DataType | None = None
    for column in columns:
        path = column.path[1:] if column.path[0] == facet else column.path
        try:
            kind = arrow_type(column.type)
        except ValueError as fault:
            faults.append(Diagnostic(codes.BAD_DECLARATION, str(fault), column.span))
            continue
        if not path:
            whole = kind
            continue
        _plant(tree, path, pa.field(path[-1], kind, column.nullable), column.span, faults)
    if primitive is not None:
        if tree or (whole is not None and not whole.equals(primitive)):
            first = columns[0]
            message = f"a {facet[1:]} of format {form} has no fields"
            way_out = f"leave the column out, or declare `FORMAT` with {Format.JSON} or {Format.AVRO}"
            if form is not Format.BYTES and len(columns) == 1 and not columns[0].path[0].startswith("_"):
                way_out = (
                    f"declare the {facet[1:]} itself as `{facet}`, or use {Format.JSON} or {Format.AVRO}"
                )
            faults.append(Diagnostic(codes.BAD_DECLARATION, message, first.span, way_out))
        return Side(form, primitive, properties=kept)
    if whole is not None and not tree:
        if form is Format.PROTOBUF and not pa.types.is_struct(whole):
            message = "PROTOBUF holds records, not single values"
            faults.append(Diagnostic(codes.BAD_DECLARATION, message, columns[0].span))
        return Side(form, whole, properties=kept)
    if not tree:
        message = f"the {facet[1:]} of format {form} needs columns"
        faults.append(Diagnostic(codes.BAD_DECLARATION, message, span, "declare its fields"))
    return Side(form, _record(tree), properties=kept)


def _plant(
    tree: dict[str, object], path: tuple[str, ...], leaf: Field, span: Span, faults: list[Diagnostic]
) -> None:
    node = tree
    for name in path[:-1]:
        below = node.setdefault(name, {})
        if not isinstance(below, dict):
            message = f"column `{'.'.join(path)}` is inside `{name}`, which is no record"
            faults.append(Diagnostic(codes.BAD_DECLARATION, message, span))
            return
        node = below
    if path[-1] in node:
        message = f"column `{'.'.join(path)}` is declared twice"
        faults.append(Diagnostic(codes.BAD_DECLARATION, message, span))
        return
    node[path[-1]] = leaf


def _record(tree: dict[str, object]) -> pa.DataType:
    fields: list[Field] = []
    for name, below in tree.items():
        if isinstance(below, dict):
            fields.append(pa.field(name, _record(below), nullable=True))
        else:
            assert isinstance(below, pa.Field)
            fields.append(below)
    return pa.struct(fields)
