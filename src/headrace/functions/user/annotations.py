"""Types of user functions: from the annotations of Python to Arrow, and how values come and go."""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import decimal
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

import pyarrow as pa

from headrace.types.sql import DEFAULT_DECIMAL

Convert = Callable[[Any], Any]

_SCALARS: Final[dict[Any, pa.DataType]] = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
    bytes: pa.binary(),
    decimal.Decimal: pa.decimal128(*DEFAULT_DECIMAL),
    datetime.date: pa.date32(),
    datetime.datetime: pa.timestamp("us", tz="UTC"),
    datetime.time: pa.time64("us"),
}

_LISTS: Final = (list, collections.abc.Sequence, collections.abc.Iterable)
_ROWS: Final = (list, collections.abc.Iterable, collections.abc.Iterator, collections.abc.Generator)
_MAPS: Final = (dict, collections.abc.Mapping)


class AnnotationError(Exception):
    """An annotation that says no type of SQL. The message is for the user."""


@dataclass(frozen=True, slots=True)
class UserType:
    """The type of an argument or a result.

    Args:
        type: as Arrow.
        optional: null is a value of it (`| None`).
        array: the function takes or gives whole Arrow arrays of it.
        load: makes of what Arrow gives what the function wants; None: they are the same.
        dump: the way back.
    """

    type: pa.DataType
    optional: bool = False
    array: bool = False
    load: Convert | None = None
    dump: Convert | None = None


def user_type(annotation: Any) -> UserType:
    """Give the type that an annotation says.

    Raises:
        AnnotationError: it says none.
    """
    plain, optional = _without_none(annotation)
    found = _plain(plain)
    return dataclasses.replace(found, optional=optional or found.optional)


def rows_type(annotation: Any) -> UserType:
    """Give the type of the array that a table function gives: `Iterator[T]`, `Iterable[T]` or `list[T]`.

    Raises:
        AnnotationError: it is none of these, or T is no type.
    """
    plain, optional = _without_none(annotation)
    if typing.get_origin(plain) not in _ROWS:
        message = "a table function gives `Iterator[T]`, where T is the type of its rows"
        raise AnnotationError(message)
    row = user_type(typing.get_args(plain)[0])
    return UserType(pa.list_(row.type), optional, dump=None if row.dump is None else _list_of(row.dump))


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return annotation, False
    others = [item for item in typing.get_args(annotation) if item is not type(None)]
    if len(others) != 1:
        message = f"`{_shown(annotation)}` may be of several types; SQL knows one"
        raise AnnotationError(message)
    return others[0], True


def _plain(annotation: Any) -> UserType:
    scalar = _SCALARS.get(annotation) if isinstance(annotation, type) else None
    if scalar is not None:
        return UserType(scalar)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _annotated(annotation, arguments)
    if origin in _LISTS:
        item = user_type(arguments[0])
        return UserType(
            pa.list_(item.type),
            load=None if item.load is None else _list_of(item.load),
            dump=None if item.dump is None else _list_of(item.dump),
        )
    if origin in _MAPS:
        key, item = user_type(arguments[0]), user_type(arguments[1])
        if key.load is not None:
            message = f"`{_shown(annotation)}` has keys that are no plain values"
            raise AnnotationError(message)
        return UserType(
            pa.map_(key.type, item.type),
            load=None if item.load is None else _dict_of(item.load),
            # Arrow takes the entries of a map as pairs.
            dump=_pairs_of(item.dump),
        )
    if isinstance(annotation, type) and _field_types(annotation) is not None:
        return _record(annotation)
    message = f"`{_shown(annotation)}` is no type that SQL has"
    raise AnnotationError(message)


def _annotated(annotation: Any, arguments: tuple[Any, ...]) -> UserType:
    kinds = [item for item in arguments[1:] if isinstance(item, pa.DataType)]
    if not kinds:
        return user_type(arguments[0])
    inner, optional = _without_none(arguments[0])
    if isinstance(inner, type) and issubclass(inner, pa.Array | pa.ChunkedArray):
        return UserType(kinds[0], optional, array=True)
    # The annotation says how a value looks in Python, the Arrow type how it is written in SQL.
    return dataclasses.replace(_plain(inner), type=kinds[0], optional=optional)


def _record(annotation: type) -> UserType:
    named = {name: user_type(item) for name, item in (_field_types(annotation) or {}).items()}
    kind = pa.struct([pa.field(name, item.type, item.optional) for name, item in named.items()])
    loads = {name: item.load for name, item in named.items() if item.load is not None}
    dumps = {name: item.dump for name, item in named.items() if item.dump is not None}
    is_dict = typing.is_typeddict(annotation)

    def load(value: dict[str, Any]) -> Any:
        for name, convert in loads.items():
            if value[name] is not None:
                value[name] = convert(value[name])
        return value if is_dict else annotation(**value)

    def dump(value: Any) -> dict[str, Any]:
        given = {name: value[name] if is_dict else getattr(value, name) for name in named}
        for name, convert in dumps.items():
            if given[name] is not None:
                given[name] = convert(given[name])
        return given

    return UserType(kind, load=load, dump=dump)


def _field_types(annotation: type) -> dict[str, Any] | None:
    """Give the annotations of the fields of a dataclass, a NamedTuple or a TypedDict; None for other classes."""
    is_tuple = issubclass(annotation, tuple) and hasattr(annotation, "_fields")
    if is_tuple or dataclasses.is_dataclass(annotation) or typing.is_typeddict(annotation):
        return typing.get_type_hints(annotation, include_extras=True)
    return None


def _list_of(convert: Convert) -> Convert:
    return lambda values: [None if value is None else convert(value) for value in values]


def _dict_of(convert: Convert) -> Convert:
    return lambda values: {key: None if value is None else convert(value) for key, value in values.items()}


def _pairs_of(convert: Convert | None) -> Convert:
    if convert is None:
        return lambda values: list(values.items())
    return lambda values: [(key, None if value is None else convert(value)) for key, value in values.items()]


def _shown(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")
